"""A directory of the cache: what is in it decides what is done, so only what nobody else can write is used.

It is opened by a walk of open directories that follows no link below the cache's root, and every one of
them, and every file, must belong to this user and be writable for nobody else. A checksum tells damage from
content. What does not hold is as if it were not there: a cache that cannot be used is only slower.

The twin of `bramble.starlark.kept`, which belongs to a language that can be copied alone, and whose package
takes longer to load than all that is done here.
"""

from __future__ import annotations

import os
import stat

try:
    # What `hashlib` gives, without the library of ciphers that loading it would cost.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHECKSUM_SIZE = 32
_OTHERS_WRITE = 0o022
# A compiled module is a few times as large as its text.
_LARGEST = 1 << 28


class Kept:
    """A directory of the cache: `root` is absolute, and what is `below` it is ours to make.

    `root` may be reached through links, which the user or the machine has made; `below`
    may not.
    """

    __slots__ = ("below", "root")

    def __init__(self, root: str, below: tuple[str, ...]) -> None:
        self.root = root
        self.below = below

    def read(self, name: str) -> bytes | None:
        """Return what `write` has kept under a name; None if nothing that can be trusted is there."""
        # spec: dialect.cache
        try:
            directory = self._open(make=False)
            if directory is None:
                return None
            try:
                data = _read_own(directory, name)
            finally:
                os.close(directory)
        except OSError:
            return None
        checksum, content = data[:_CHECKSUM_SIZE], data[_CHECKSUM_SIZE:]
        return content if _checksum(content) == checksum else None

    def write(self, name: str, content: bytes, most: int, most_bytes: int) -> bool:
        """Keep bytes under a name, for the user alone; say whether that was possible.

        Of more than `most` files in the directory, or more than `most_bytes` in them, the oldest are removed.
        """
        # spec: dialect.cache
        try:
            directory = self._open(make=True)
            if directory is None:
                return False
            try:
                _write_own(directory, name, _checksum(content) + content)
                _remove_oldest(directory, most, most_bytes)
            finally:
                os.close(directory)
        except OSError:
            return False
        return True

    def usable(self) -> bool:
        """Return whether what is kept here can be used, and more be kept; what is absent can be made."""
        try:
            directory = self._open(make=False)
            if directory is None:
                return False
            os.close(directory)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return os.access(os.path.join(self.root, *self.below), os.W_OK)

    def _open(self, make: bool) -> int | None:
        """Return the open directory; None if somebody else could have written into it, or made it."""
        if make:
            _make_root(self.root)
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        # Others may make names in the root, and then these are not ours.
        good = os.fstat(handle).st_uid == os.geteuid()
        for name in self.below:
            if not good:
                break
            try:
                inner = _enter(handle, name, make)
            finally:
                os.close(handle)
            handle = inner
            good = _is_own(os.fstat(handle))
        if not good:
            os.close(handle)
            return None
        return handle


def _checksum(content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECKSUM_SIZE).digest()


def fingerprint(data: bytes) -> str:
    """Return a digest of some bytes: 40 characters."""
    return blake2b(data, digest_size=20).hexdigest()


def _remove_oldest(directory: int, most: int, most_bytes: int) -> None:
    """If the space is used up, remove the oldest files until a quarter of it is free."""
    # spec: recall.bounded
    files = []
    for name in os.listdir(directory):
        try:
            status = os.lstat(name, dir_fd=directory)
        except FileNotFoundError:
            continue
        files.append((status.st_mtime_ns, name, status.st_size))
    number, size = len(files), sum(one for _, _, one in files)
    if number <= most and size <= most_bytes:
        return
    for _, name, one in sorted(files):
        if number <= most * 3 // 4 and size <= most_bytes * 3 // 4:
            return
        number, size = number - 1, size - one
        try:
            os.unlink(name, dir_fd=directory)
        except FileNotFoundError:
            continue


def _make_root(root: str) -> None:
    """Make a directory that is missing, but not among those of another user, as root could."""
    standing = root
    while not os.path.lexists(standing):
        standing = os.path.dirname(standing)
    if standing != root and os.stat(standing).st_uid == os.geteuid():
        os.makedirs(root, mode=0o700, exist_ok=True)


def _enter(handle: int, name: str, make: bool) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=handle)
    except FileNotFoundError:
        if not make:
            raise
    # `contextlib` would take longer to load than all else here.
    try:  # noqa: SIM105
        os.mkdir(name, 0o700, dir_fd=handle)
    except FileExistsError:
        pass  # another process was faster
    return os.open(name, _DIRECTORY, dir_fd=handle)


def _is_own(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE


def _read_own(directory: int, name: str) -> bytes:
    handle = os.open(name, _READ, dir_fd=directory)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or not _is_own(status) or status.st_size > _LARGEST:
            return b""
        # A buffer of that size is made: of a limit it would be most of what a process may have.
        return file.read(status.st_size)


def _write_own(directory: int, name: str, data: bytes) -> None:
    temporary = f"{name}.{os.urandom(8).hex()}"
    handle = os.open(temporary, _NEW, 0o600, dir_fd=directory)
    try:
        with os.fdopen(handle, "wb") as file:
            # The umask takes bits away, and never what the user needs of them.
            os.fchmod(handle, 0o600)
            file.write(data)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        try:  # noqa: SIM105
            os.unlink(temporary, dir_fd=directory)
        except OSError:
            pass  # what went wrong first is what counts
        raise
