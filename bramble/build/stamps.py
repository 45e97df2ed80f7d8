"""Whether files of the machine are still the ones that an impure build read.

A stamp is a tuple of strings, kept with the realisation:

    ("file", path, size, mtime in nanoseconds, inode)
    ("link", path, target)
    ("none", path)             nothing was there, and something there would be used
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

Stamp = tuple[str, ...]


def stamp(path: str) -> Stamp:
    """Return what stands at `path` now. A directory is stamped like a file."""
    # spec: build.host-tools.stamps
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return ("link", path, os.readlink(path))
    except (FileNotFoundError, NotADirectoryError):
        return ("none", path)
    return ("file", path, str(found.st_size), str(found.st_mtime_ns), str(found.st_ino))


def unchanged(stamps: Iterable[Stamp]) -> bool:
    """Say whether every stamp is still true."""
    try:
        return all(stamp(old[1]) == old for old in stamps)
    except OSError:
        return False


def stamp_chain(path: str) -> tuple[Stamp, ...]:
    """Return the stamps of `path` and of all that it leads to: each link on the way, and the file."""
    stamps = []
    for _ in range(40):  # as many links as the kernel follows: path_resolution(7)
        taken = stamp(path)
        stamps.append(taken)
        if taken[0] != "link":
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), taken[2]))
    return tuple(stamps)
