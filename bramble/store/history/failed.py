"""What failed builds left: the directories of the last failed build of each project, within limits.

    var/failed/PROJECT/BUILD-UNIQUE    what one derivation left; mode 0700, as while it was built

They stay until a build of the project succeeds, another one fails, or garbage is collected. A directory in
which somebody looks around is locked, shared, and stays longer.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator

from bramble.store.files.small import make_directory, unique
from bramble.store.files.walk import DIRECTORY_FLAGS
from bramble.store.layout.place import FAILED
from bramble.store.layout.workspace import Workspace, remove_if_stale

LARGEST = 1 << 30  # bytes on the disk that one derivation may leave
MOST_FILES = 100_000
_ROOM = 2 << 30  # bytes that must be left on the disk


def keep_failed(var: str, place: str, build: str, work: Workspace) -> bool:
    """Keep what a failed build left in `place`; say whether it was kept: not where it is too large.

    `build` names the whole build: what other builds of the project left is removed.
    """
    # spec: build.failure.kept
    if not _is_moderate(work.path) or not _has_room(var):
        return False
    for directory in (f"{var}/{FAILED}", place):
        with contextlib.suppress(FileExistsError):
            make_directory(directory, 0o700)
        if not _is_own(directory):
            return False
    forget_failed(place, but=build)
    # Two that fail at once make the directory again that the other has removed.
    with contextlib.suppress(FileExistsError):
        make_directory(place, 0o700)
    work.keep(f"{place}/{build}-{unique()}")
    return True


def forget_failed(place: str, *, but: str = "") -> int:
    """Remove what failed builds of one project left, but for that of the build `but`; count it."""
    count = 0
    if _is_own(place):
        for name in os.listdir(place):
            if not but or not name.startswith(f"{but}-"):
                count += remove_if_stale(f"{place}/{name}")
        with contextlib.suppress(OSError):
            os.rmdir(place)
    return count


def forget_all_failed(var: str) -> int:
    """Remove what failed builds of all projects left; count it."""
    top = f"{var}/{FAILED}"
    return sum(forget_failed(f"{top}/{name}") for name in os.listdir(top)) if _is_own(top) else 0


def all_failed(var: str) -> list[str]:
    """Return the directories that failed builds of all projects left."""
    top, found = f"{var}/{FAILED}", []
    if _is_own(top):
        for place in (f"{top}/{name}" for name in os.listdir(top)):
            found += [f"{place}/{name}" for name in os.listdir(place)] if _is_own(place) else []
    return sorted(found)


@contextlib.contextmanager
def held(path: str) -> Iterator[None]:
    """Keep a directory that a failed build left from being removed. Raises OSError if it is gone."""
    fd = os.open(path, DIRECTORY_FLAGS)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        os.stat(path)
        yield
    finally:
        os.close(fd)


def _is_own(path: str) -> bool:
    """Return whether there is a directory, and no link to one."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _has_room(var: str) -> bool:
    disk = os.statvfs(var)
    return disk.f_bavail * disk.f_frsize >= _ROOM


def _is_moderate(path: str) -> bool:
    """Return whether a tree is within the limits; what cannot be looked into is not."""
    size, files, left = 0, 0, [path]
    try:
        while left:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    files += 1
                    if size > LARGEST or files > MOST_FILES:
                        return False
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
    except OSError:
        return False
    return True
