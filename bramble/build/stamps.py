"""Whether files of the machine are still the ones that an impure build read.

A stamp is a tuple of strings, kept with the realisation:

    ("file", path, size, mtime in nanoseconds, inode)
    ("link", path, target)
    ("none", path)             nothing was there, and something there would be used
    ("rules", version)         the first one: by which rules it was made
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

Stamp = tuple[str, ...]
# Goes up when the same machine gives another output, so that what an older version made is made again.
RULES: Stamp = ("rules", "2")


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


def unchanged(stamps: Sequence[Stamp]) -> bool:
    """Say whether every stamp is still true, and the rules are those of today."""
    # spec: build.host-tools.stamps
    rules, *others = stamps or ((),)
    try:
        return rules == RULES and all(stamp(old[1]) == old for old in others)
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
