"""Small files of the store: read whole, written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from bramble.record import NamedTuple
from bramble.store.files.failures import from_os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

LARGEST = 256 << 20  # bytes; an object that refers to a million others has a record of 36 MB
TEMPORARY = ".tmp-"  # begins the name of a file that is being written
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LOCK = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FOR_READERS = "/locks/objects"
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def unique() -> str:
    """Return a name that nobody else uses, on this machine or on one that shares the disk: `[0-9a-f-]`."""
    return f"{os.getpid():x}-{os.urandom(8).hex()}"


def read_file(path: str) -> Optional[bytes]:
    """Return the content of a small file, or None if it does not exist; see `read_dated`."""
    found = read_dated(path)
    return None if found is None else found[0]


class Directory(NamedTuple):
    """A directory in which files are asked for by the thousand: open, so that the way to it is gone once."""

    path: str  # with a slash at its end
    fd: Optional[int]  # as `dir_fd` of the functions of `os`; None if it could not be opened
    start: str  # goes before a name that is given with `fd`

    @staticmethod
    def at(path: str, fd: Optional[int] = None) -> Directory:
        """Return the directory `path`, open as `fd`."""
        # A name is always one below it, even if it begins with a slash.
        return Directory(path + "/", fd, path + "/" if fd is None else "./")


def read_below(where: Directory, name: str) -> Optional[tuple[bytes, float]]:
    """Do what `read_dated` does, for a file of a directory."""
    try:
        fd = os.open(where.start + name, _READ, dir_fd=where.fd)
    except FileNotFoundError:
        return None
    except OSError:
        # There it gets an error that says where it is.
        return read_dated(where.path + name)
    return _read(fd)


def read_dated(path: str) -> Optional[tuple[bytes, float]]:
    """Return the content of a small file and its modification time (`os.stat`); None if it does not exist.

    What is not a regular file has no content: a link, a directory, a FIFO, a device (which
    could have no end), a file larger than LARGEST bytes. Raises store.permission
    for one that this user may not read, and OSError.
    """
    # spec: store.small-files.only
    try:
        fd = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        # ENXIO: a socket, or a device that is nowhere.
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):
            return b"", 0.0
        if error.errno in (errno.EACCES, errno.EPERM):
            # Said here, for all who read: it is nobody's fault but that of a mode.
            raise from_os_error(error, "read what is known of the store") from error
        raise
    return _read(fd)


def _read(fd: int) -> tuple[bytes, float]:
    """Return what an open file holds and when it was written, and close it."""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
            return b"", 0.0
        data = os.read(fd, 65536)
        if len(data) < 65536:
            return data, status.st_mtime
        parts = [data]
        while parts[-1]:
            parts.append(os.read(fd, 1 << 20))
        return b"".join(parts), status.st_mtime
    finally:
        os.close(fd)


def make_directory(path: str, mode: int = 0o755) -> None:
    """Make a directory of exactly this mode, whatever the umask. Raises OSError."""
    # spec: store.modes
    os.mkdir(path, mode)
    os.chmod(path, mode)


def make_way(top: str, below: str) -> None:
    """Make the directories of the relative path `below` that are not there; see `make_directory`."""
    path = top
    for name in below.split("/") if below else ():
        path += "/" + name
        with contextlib.suppress(FileExistsError):
            make_directory(path)


def open_lock(path: str, *, read_only: bool = False) -> int:
    """Open a file that is only there to be locked, made if need be. Raises OSError.

    A user who can open it can lock it, and keep its owner waiting: so nobody else
    can, but those that read objects, who keep them from being removed meanwhile. What is no regular
    file is refused: a link would lead elsewhere, opening a device may do anything.
    """
    # spec: store.modes, store.no-links, store.locks.others
    mode = 0o644 if path.endswith(_FOR_READERS) else 0o600
    try:
        fd = os.open(path, _READ if read_only else _LOCK)
    except FileNotFoundError:
        if read_only:
            raise
        try:
            fd = os.open(path, _LOCK | os.O_CREAT | os.O_EXCL, mode)
            os.fchmod(fd, mode)
        except FileExistsError:
            fd = os.open(path, _LOCK)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise OSError(errno.ENOTSUP, "not a regular file", path)
    if status.st_mode & 0o066 & ~mode and status.st_uid == os.geteuid():
        with contextlib.suppress(OSError):  # the file system may be read-only
            os.fchmod(fd, mode)
    return fd


def write_file(path: str, data: bytes, *, sync: bool, mode: int = 0o644) -> None:
    """Put `data` at `path` by one rename: a reader sees what was there before, or all of `data`.

    With `sync` the data is on the disk before it has the name; the name is
    there for good only after `sync_directory`.
    """
    # spec: store.small-files
    directory, _, name = path.rpartition("/")
    temporary = f"{directory}/{TEMPORARY}{unique()}"
    fd = os.open(temporary, _WRITE, mode)
    try:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(fd, left) :]
            os.fchmod(fd, mode)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def sync_directory(path: str) -> None:
    """Wait until the names in a directory are on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
