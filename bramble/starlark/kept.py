"""Directories of a cache whose files are code: only what is the user's own and nobody else can write is used.

A checksum tells damage from content, and says nothing of who wrote it; a digest would say no more, and takes
longer to load than all else that is done here. So the directory is opened by a walk of open directories that
follows no link below the cache's root, and every one of them, and every file, must belong to this user and be
writable for nobody else. What does not hold is as if it were not there: a cache that cannot be used is only
slower.
"""

from __future__ import annotations

import os
import stat
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Optional, Union

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHECKSUM_SIZE = 4
_OTHERS_WRITE = 0o022
# A compiled module is a few times as large as its text.
_LARGEST = 1 << 28
# Files in one directory; with more, the half that was written first is removed.
MOST_FILES = 4000


def checksum(content: Union[bytes, memoryview]) -> bytes:
    """Return what tells damaged bytes from whole ones."""
    return crc32(content).to_bytes(_CHECKSUM_SIZE, "big")


class Kept:
    """A directory of the cache: `root` is absolute, and what is `below` it is ours to make.

    `root` may be reached through links, which the user or the machine has made; `below`
    may not.
    """

    __slots__ = ("root", "below")

    def __init__(self, root: str, below: tuple[str, ...]) -> None:
        self.root = root
        self.below = below

    def read(self, name: str) -> Optional[bytes]:
        """Return what `write` has kept under a name; None if nothing that can be trusted is there."""
        found = self.view(name)
        return None if found is None else bytes(found)

    def view(self, name: str) -> Optional[memoryview]:
        """Return what `read` does, without copying it."""
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
        content = memoryview(data)[_CHECKSUM_SIZE:]
        return content if checksum(content) == data[:_CHECKSUM_SIZE] else None

    def write(self, name: str, content: bytes) -> None:
        """Keep bytes under a name, for the user alone; where that is not possible nothing happens."""
        # spec: dialect.cache
        try:
            directory = self._open(make=True)
            if directory is None:
                return
            try:
                _write_own(directory, name, checksum(content) + content)
                _prune(directory)
            finally:
                os.close(directory)
        except OSError:
            pass

    def _open(self, make: bool) -> Optional[int]:
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


def user_cache(environ: Mapping[str, str]) -> Optional[Kept]:
    """Return where this user keeps programs; None if the environment names no place for them."""
    # spec: starlark.command.cache
    # XDG Base Directory Specification: relative paths are to be ignored.
    root = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(root):
        home = environ.get("HOME", "")
        if not os.path.isabs(home):
            return None
        root = os.path.join(home, ".cache")
    return Kept(root, ("bramble", "starlark"))


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
    try:  # noqa: SIM105  (contextlib takes as long to load as all of this)
        os.mkdir(name, 0o700, dir_fd=handle)
    except FileExistsError:
        pass
    return os.open(name, _DIRECTORY, dir_fd=handle)


def _is_own(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE


def _read_own(directory: int, name: str) -> bytes:
    handle = os.open(name, _READ, dir_fd=directory)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or not _is_own(status) or status.st_size > _LARGEST:
            return b""
        # All that there is; what has grown meanwhile is damaged.
        return os.read(handle, status.st_size)
    finally:
        os.close(handle)


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
        _remove(directory, temporary)
        raise


def _remove(directory: int, name: str) -> None:
    try:  # noqa: SIM105
        os.unlink(name, dir_fd=directory)
    except OSError:
        pass


def _prune(directory: int) -> None:
    """Remove the older half of the files when there are too many; others may do so meanwhile."""
    names = os.listdir(directory)
    if len(names) <= MOST_FILES:
        return
    aged: list[tuple[int, str]] = []
    for name in names:
        try:
            aged.append((os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime_ns, name))
        except OSError:
            continue
    for _time, name in sorted(aged)[: len(aged) // 2]:
        _remove(directory, name)
