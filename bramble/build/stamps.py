"""Whether files of the machine are still the ones that a build read: an impure one, or a fetch of a file.

A stamp is a tuple of strings, kept with the realisation:

    ("file", path, size, mtime in nanoseconds, inode)
    ("link", path, target)
    ("none", path)             nothing was there, and something there would be used
    ("sha256", path, digest)   of the bytes, where a file that was only touched is not another one
    ("rules", version)         the first one: by which rules it was made
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence

Stamp = tuple[str, ...]
# Goes up when the same machine gives another output, so that what an older version made is made again.
RULES: Stamp = ("rules", "11")


def stamp(path: str) -> Stamp:
    """Return the stamp of what is at `path` now. A directory is stamped like a file."""
    # spec: build.host-tools.stamps
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return ("link", path, os.readlink(path))
    except (FileNotFoundError, NotADirectoryError):
        return ("none", path)
    return ("file", path, str(found.st_size), str(found.st_mtime_ns), str(found.st_ino))


def unchanged(stamps: Sequence[Stamp]) -> bool:
    """Return whether every stamp is still true, and the rules are those of today."""
    # spec: build.host-tools.stamps
    rules, *others = stamps or ((),)
    try:
        return rules == RULES and all(_holds(old) for old in others)
    except (OSError, IndexError):
        return False


def _holds(old: Stamp) -> bool:
    """Return whether a stamp is true. A compiler has 2,600, nearly all of files: those take the short way."""
    if old[0] != "file":
        return stamp(old[1]) == old
    try:
        found = os.lstat(old[1])
    except (FileNotFoundError, NotADirectoryError):
        return False
    now = (str(found.st_size), str(found.st_mtime_ns), str(found.st_ino))
    return old[2:] == now and not stat.S_ISLNK(found.st_mode)


def bytes_of(path: str, read: str = "") -> Stamp:
    """Return the stamp of the bytes of a file, or of the copy of it at `read`. Raises OSError."""
    fd = os.open(read or path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ("sha256", path, "")
        found = hashlib.sha256()
        for piece in iter(lambda: file.read(1 << 20), b""):
            found.update(piece)
    return ("sha256", path, found.hexdigest())


def changed_file(stamps: Sequence[Stamp]) -> str:
    """Return the path of the file that was fetched and is another one now, or gone; "" if it is the same."""
    # spec: build.fetch.changed
    *chain, last = stamps or (("none", ""),)
    try:
        if last[0] != "sha256" or all(stamp(old[1]) == old for old in chain) or bytes_of(last[1]) == last:
            return ""
    except OSError:
        pass
    return last[1]


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
