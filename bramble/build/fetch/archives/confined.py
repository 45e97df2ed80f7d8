"""Writing a tree of files that somebody else describes, without ever leaving its directory.

Every step goes through open directories and never follows a link, so neither a
name nor a link made earlier can lead out (spec: build.unpack.inside).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Callable, Optional

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_SHOWN = 200  # characters of a name in a message

Path = tuple[bytes, ...]  # the names from the top of the tree to the entry
LINK_LIMIT = 4095  # bytes of a link target (path_resolution(7), PATH_MAX)
NAME_LIMIT = LINK_LIMIT  # bytes of the name of an entry: no program could open a longer one
# Errors of the system for a name that a file cannot have on this file system.
UNUSABLE = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP)


class Outside(Exception):
    """An entry would stand, or points to something, outside of the tree. The message says how."""


class Clash(Exception):
    """An entry cannot stand where it should. The message says which."""


def split_name(name: bytes) -> Path:
    """Return the names that make up `name`; empty for the top of the tree itself.

    Raises Outside for an absolute name and for one with `..` in it, Clash for one that no file can have.
    """
    # spec: build.unpack.inside
    if name.startswith(b"/"):
        raise Outside(f"{shown(name)} is an absolute name")
    if b"\0" in name:
        raise Clash(f"{shown(name)} holds a NUL")
    if not name:
        raise Clash("an entry has no name")
    if len(name) > NAME_LIMIT:
        raise Clash(f"{shown(name)} is longer than any path may be")
    parts = tuple(part for part in name.split(b"/") if part not in (b"", b"."))
    if b".." in parts:
        raise Outside(f'{shown(name)} leaves the directory through ".."')
    return parts


def shown(name: bytes) -> str:
    """Return a name for a message."""
    text = name.decode("utf-8", "backslashreplace")
    return f'"{text}"' if len(text) < _SHOWN else f'"{text[:_SHOWN]}…"'


def _joined(path: Path) -> str:
    return shown(b"/".join(path))


class ConfinedTree:
    """A directory that is being filled. Nothing else may write below it meanwhile.

    A file or link may be written again, which replaces it, unless `once`; a directory stays one.
    `made` is called for each directory that is created without an entry; it may raise.
    """

    def __init__(self, root: str, made: Callable[[], None] = lambda: None, *, once: bool = False) -> None:
        self._made = made
        self._once = once
        self._root = os.open(root, _DIRECTORY)
        # The directory of the last entry: archives list their files directory by directory.
        self._at: Path = ()
        self._fd = self._root

    def close(self) -> None:
        """Let go of the directory."""
        self._leave()
        os.close(self._root)

    def __enter__(self) -> ConfinedTree:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def is_empty(self) -> bool:
        """Return whether the tree is empty."""
        with os.scandir(self._root) as entries:
            return next(entries, None) is None

    def directory(self, path: Path) -> None:
        """Make a directory, and those above it, where they are missing."""
        if path:
            self._enter(path[:-1])
            self._enter(path, asked=True)

    def file(self, path: Path, *, executable: bool) -> int:
        """Make an empty file and return a descriptor to write it with, which the caller closes."""
        parent = self._parent(path)
        self._clear(parent, path)
        fd = os.open(path[-1], _NEW_FILE, 0o644, dir_fd=parent)
        if executable:
            os.fchmod(fd, 0o755)
        return fd

    def symlink(self, path: Path, target: bytes) -> None:
        """Make a symbolic link. Where it points to does not matter: nothing here follows it."""
        if not target or b"\0" in target or len(target) > LINK_LIMIT:
            raise Clash(f"the link {_joined(path)} has a target that is not valid")
        parent = self._parent(path)
        self._clear(parent, path)
        os.symlink(target, path[-1], dir_fd=parent)

    def hardlink(self, path: Path, existing: Path) -> int:
        """Make `path` the same file or link as the earlier entry `existing`; return its size in bytes."""
        source = self._parent(existing, make=False)
        duplicate = os.dup(source)
        try:
            found = self._lstat(duplicate, existing[-1])
            if found is None:
                raise Clash(f"{_joined(path)} is a link to {_joined(existing)}, which is not there")
            if stat.S_ISDIR(found.st_mode):
                raise Clash(f"{_joined(path)} is a hard link to a directory")
            if path == existing:
                return 0
            parent = self._parent(path)
            self._clear(parent, path)
            os.link(existing[-1], path[-1], src_dir_fd=duplicate, dst_dir_fd=parent, follow_symlinks=False)
            return found.st_size
        finally:
            os.close(duplicate)

    def _parent(self, path: Path, *, make: bool = True) -> int:
        if not path:
            raise Clash("an entry that is not a directory has the name of the top directory")
        return self._enter(path[:-1], make=make)

    def _enter(self, path: Path, *, make: bool = True, asked: bool = False) -> int:
        if path == self._at:
            return self._fd
        self._leave()
        current = self._root
        for depth, name in enumerate(path):
            try:
                following = self._step(current, name, make, asked)
            except NotADirectoryError:
                raise self._in_the_way(current, path[: depth + 1]) from None
            except FileNotFoundError:
                raise Clash(f"{_joined(path[: depth + 1])} is not there") from None
            finally:
                if current != self._root:
                    os.close(current)
            current = following
        self._at, self._fd = path, current
        return current

    def _step(self, parent: int, name: bytes, make: bool, asked: bool) -> int:
        try:
            return os.open(name, _DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
            if not asked:
                self._made()
            os.mkdir(name, 0o755, dir_fd=parent)
            # Whatever the umask.
            os.chmod(name, 0o755, dir_fd=parent)
            return os.open(name, _DIRECTORY, dir_fd=parent)

    def _leave(self) -> None:
        if self._fd != self._root:
            os.close(self._fd)
        self._at, self._fd = (), self._root

    def _in_the_way(self, parent: int, path: Path) -> Exception:
        found = self._lstat(parent, path[-1])
        if found is not None and stat.S_ISLNK(found.st_mode):
            return Outside(f"an entry below {_joined(path)} would be written through that link")
        return Clash(f"there is an entry below {_joined(path)}, which is a file")

    def _clear(self, parent: int, path: Path) -> None:
        found = self._lstat(parent, path[-1])
        if found is None:
            return
        if stat.S_ISDIR(found.st_mode):
            raise Clash(f"{_joined(path)} is a directory already")
        if self._once:
            raise Clash(f"{_joined(path)} occurs twice")
        os.unlink(path[-1], dir_fd=parent)

    @staticmethod
    def _lstat(parent: int, name: bytes) -> Optional[os.stat_result]:
        try:
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
