"""Opening and replacing the files of a project, so that nothing outside of it is reached.

A project may be somebody else's. A symbolic link in it may lead to a device, to
a FIFO on which an open would wait for ever, or to a file of the user who
Bramble runs for. Here a path is walked one name at a time by open directories
(openat(2)), so that what is checked is what is opened, even if somebody changes the
names meanwhile.

Every function raises OSError, whose `strerror` says what was refused.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator

LARGEST = 1 << 26  # bytes of a file that is read whole
_PIECE = 1 << 20
_SOON = 60.0  # seconds
_RANDOM = 8  # bytes in a name that nobody else uses
_HEXADECIMAL = frozenset("0123456789abcdef")
_MOST_LINKS = 40  # as the kernel has it (path_resolution(7))
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_file(root: str, path: str, largest: int = LARGEST) -> bytes:
    """Return the bytes of a regular file below the directory `root`; `path` is relative to it.

    One of more than `largest` bytes, a whole number of MiB, is EFBIG.
    """
    # spec: project.access
    with _standing(root, path) as (directory, name):
        _check_regular(os.lstat(name, dir_fd=directory))
        handle = os.open(name, _READ, dir_fd=directory)
        try:
            _check_regular(os.fstat(handle))
            return _whole(handle, largest)
        finally:
            os.close(handle)


def read_anywhere(path: str, largest: int = LARGEST) -> bytes:
    """Return the bytes of the regular file `path` of the user, links followed; nothing is waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _check_regular(os.fstat(handle))
        return _whole(handle, largest)
    finally:
        os.close(handle)


def _whole(handle: int, largest: int) -> bytes:
    pieces: list[bytes] = []
    room = largest + 1
    while room and (piece := os.read(handle, min(room, _PIECE))):
        pieces.append(piece)
        room -= len(piece)
    if not room:
        raise OSError(errno.EFBIG, f"it is larger than {largest >> 20} MiB")
    return b"".join(pieces)


def replace_file(
    root: str, path: str, data: bytes, *, new_mode: int = 0o644, mode: int | None = None
) -> None:
    """Give a file below `root` new content: all of it, durably, or none. Its permissions and owner stay.

    `new_mode` are those of a file that is not there yet, `mode` those of any.

    Another name of the same file (a hard link) keeps the old content.
    """
    # spec: project.access.write
    with _standing(root, path) as (directory, name):
        given, owner = new_mode, None
        with contextlib.suppress(FileNotFoundError):
            before = os.lstat(name, dir_fd=directory)
            _check_regular(before)
            given, owner = before.st_mode & 0o777, (before.st_uid, before.st_gid)
        _sweep(directory, name)
        temporary = _temporary(name)
        try:
            _write(temporary, directory, data, given if mode is None else mode)
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                # Root may; for others a file of somebody else's becomes their own, as it must.
                with contextlib.suppress(PermissionError):
                    os.chown(temporary, *owner, dir_fd=directory, follow_symlinks=False)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise
        _sync(directory)


def create_file(root: str, path: str, data: bytes) -> None:
    """Make a new file below the directory `root`, durably, and directories for it where there are none.

    `path` is relative to it, without `..`. No symbolic link is followed. Raises FileExistsError for a
    file that is there.
    """
    # spec: project.access.write
    *parents, name = path.split("/")
    opened = [os.open(root or ".", _DIRECTORY)]
    try:
        for parent in parents:
            with contextlib.suppress(FileExistsError):
                os.mkdir(parent, 0o755, dir_fd=opened[-1])
                _sync(opened[-1])
            opened.append(os.open(parent, _DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        _write(name, opened[-1], data, 0o644)
        _sync(opened[-1])
    finally:
        for handle in opened:
            os.close(handle)


def _sweep(directory: int, name: str) -> None:
    """Remove what writers of this file have left that were killed while they wrote it."""
    # spec: project.access.write
    with contextlib.suppress(OSError):
        for entry in os.listdir(directory):
            # One that is being written, or may not be touched, keeps none of the others.
            with contextlib.suppress(OSError):
                if _is_temporary(entry, name) and _is_left(directory, entry):
                    os.unlink(entry, dir_fd=directory)


def _temporary(name: str) -> str:
    """Return a name under which a file is written that is going to be called `name`."""
    return f".{name}.{os.urandom(_RANDOM).hex()}.new"


def _is_temporary(entry: str, name: str) -> bool:
    """Return whether `_temporary` could have made the name `entry` for a file `name`."""
    middle = entry[len(name) + 2 : -4]
    return entry == f".{name}.{middle}.new" and len(middle) == 2 * _RANDOM and _HEXADECIMAL.issuperset(middle)


def _is_left(directory: int, entry: str) -> bool:
    """Return whether nobody writes a file any more: a writer locks it, soon after making it."""
    status = os.lstat(entry, dir_fd=directory)
    if not stat.S_ISREG(status.st_mode) or time.time() - status.st_mtime < _SOON:
        return False
    handle = os.open(entry, _READ, dir_fd=directory)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    finally:
        os.close(handle)


def _write(name: str, directory: int, data: bytes, mode: int) -> None:
    handle = os.open(name, _NEW, 0o600, dir_fd=directory)
    with open(handle, "wb") as file:
        with contextlib.suppress(OSError):
            # It shows that this is being written (`_is_left`); a file system may have no locks.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write(data)
        file.flush()
        os.fchmod(handle, mode)
        os.fsync(handle)


def _sync(directory: int) -> None:
    try:
        os.fsync(directory)
    except OSError as error:
        # Not every file system can do this for a directory (fsync(2)).
        if error.errno != errno.EINVAL:
            raise


def _check_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, and not a regular file")


@contextlib.contextmanager
def _standing(root: str, path: str) -> Iterator[tuple[int, str]]:
    """Give the open directory and the name there that `path` means, links followed within `root`."""
    opened = [os.open(root or ".", _DIRECTORY)]
    try:
        name = _last_name(opened, path)
        yield opened[-1], name
    finally:
        for handle in opened:
            os.close(handle)


def _last_name(opened: list[int], path: str) -> str:
    """Walk down to the directory of the last name, which becomes the last of `opened`; return the name."""
    waiting = path.split("/")[::-1]
    links = 0
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        if name == "..":
            if len(opened) == 1:
                raise _outside(path)
            os.close(opened.pop())
            continue
        target = _target(name, opened[-1])
        if target is not None:
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, "it is a symbolic link to itself, or one of too many")
            if target.startswith("/"):
                raise _outside(target)
            waiting += target.split("/")[::-1]
        elif waiting:
            opened.append(os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        else:
            return name
    raise OSError(errno.EINVAL, "it is a directory, and not a regular file")


def _target(name: str, directory: int) -> str | None:
    """Return what a symbolic link says; None for what is not a link, or does not exist."""
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def _outside(target: str) -> OSError:
    return OSError(errno.EXDEV, f"a symbolic link leads out of the project, to {target}")
