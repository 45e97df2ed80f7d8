"""The files of a project, which may be hostile, or be changing: reached through no link."""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Sequence
from typing import Protocol

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.files.walk import DIRECTORY_FLAGS, FILE_FLAGS, changed, special_kind
from bramble.store.path import shown
from bramble.store.records.stamps import missing, stamp_of, unreadable

# Files up to this size are read at once.
SMALL = 1 << 17
_BLOCK = 1 << 20


class Receiver(Protocol):
    """What files are copied to. `file` is followed by `block` for all of its bytes, and `end`."""

    def link(self, base: bytes, target: bytes) -> None: ...

    def small_file(self, base: bytes, executable: bool, data: bytes) -> None: ...

    def file(self, base: bytes, executable: bool, size: int) -> None: ...

    def block(self, data: bytes) -> None: ...

    def end(self) -> None: ...


class Copied(NamedTuple):
    """A file as it was read."""

    content: bytes  # the SHA-256 of what is in it, of a link of its target
    stamp: bytes


class Originals:
    """The files below the directory `root`, reached through no link below the directory `allowed`."""

    def __init__(self, root: str, allowed: str) -> None:
        self._root, self._allowed = root, allowed
        self._above = posixpath.relpath(root, allowed).split("/")
        self._parent = ""
        self._fd = -1

    def close(self) -> None:
        """Close the directory that was opened last."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def mode(self, file: str) -> int:
        """Return the mode of a file, as lstat(2) gives it.

        Raises BrambleError store.source-missing, store.source-unreadable and store.source-link.
        """
        try:
            return os.lstat(file.rpartition("/")[2], dir_fd=self._directory(file)).st_mode
        except FileNotFoundError as error:
            raise missing(self._root, file) from error
        except PermissionError as error:
            raise unreadable(self._root, file, self._allowed) from error

    def copy(self, file: str, base: bytes, to: Receiver) -> Copied:
        """Copy a file, as `base`, and return what was read.

        Raises BrambleError store.source-missing, store.source-unreadable, store.source-special,
        store.source-link and store.changed-while-read.
        """
        mode = self.mode(file)
        name = file.rpartition("/")[2]
        try:
            if stat.S_ISLNK(mode):
                link = os.readlink(name, dir_fd=self._fd)
                self._check_link(file, link)
                target = os.fsencode(link)
                to.link(base, target)
                # A link keeps its target as long as it exists.
                now = os.lstat(name, dir_fd=self._fd)
                return Copied(hashlib.sha256(target).digest(), stamp_of(now))
            if stat.S_ISREG(mode):
                return self._copy_file(file, name, base, to)
        except FileNotFoundError as error:
            raise missing(self._root, file) from error
        what = "a directory" if stat.S_ISDIR(mode) else special_kind(mode)
        raise BrambleError(
            "store.source-special",
            f'the source "{shown(file)}" is {what}, not a file',
            remedy="name the files in it, for example with files()",
        )

    def _copy_file(self, file: str, name: str, base: bytes, to: Receiver) -> Copied:
        try:
            fd = os.open(name, FILE_FLAGS, dir_fd=self._fd)
        except PermissionError as error:
            raise unreadable(self._root, file, self._allowed) from error
        try:
            before = os.fstat(fd)
            size, executable = before.st_size, bool(before.st_mode & stat.S_IXUSR)
            if not stat.S_ISREG(before.st_mode):
                raise changed(os.fsencode(file))
            if size <= SMALL:
                data = os.read(fd, size + 1)
                self._check_unchanged(file, fd, before, len(data))
                to.small_file(base, executable, data)
                return Copied(hashlib.sha256(data).digest(), stamp_of(before))
            to.file(base, executable, size)
            digest, left = hashlib.sha256(), size
            while True:
                # One byte more than expected, to see that the file ends there.
                data = os.read(fd, min(left + 1, _BLOCK))
                if not data or len(data) > left:
                    break
                digest.update(data)
                to.block(data)
                left -= len(data)
            self._check_unchanged(file, fd, before, size - left + len(data))
            to.end()
            return Copied(digest.digest(), stamp_of(before))
        finally:
            os.close(fd)

    def _check_unchanged(self, file: str, fd: int, before: os.stat_result, read: int) -> None:
        after = os.fstat(fd)
        stamps = [(status.st_size, status.st_mtime_ns, status.st_ctime_ns) for status in (before, after)]
        if stamps[0] != stamps[1] or read != before.st_size:
            raise changed(os.fsencode(file))

    def _directory(self, file: str) -> int:
        """Return the open directory of a file; that of the last one is still open."""
        parent = file.rpartition("/")[0]
        if self._fd < 0 or parent != self._parent:
            self.close()
            self._fd = self._open([*self._above, *parent.split("/")] if parent else self._above, file)
            self._parent = parent
        return self._fd

    def _open(self, directories: Sequence[str], file: str) -> int:
        at = os.open(self._allowed, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for directory in directories:
            try:
                below = os.open(directory, DIRECTORY_FLAGS, dir_fd=at)
            except FileNotFoundError as error:
                raise missing(self._root, file) from error
            except PermissionError as error:
                raise unreadable(self._root, file, self._allowed) from error
            except NotADirectoryError as error:
                raise BrambleError(
                    "store.source-link",
                    f'the source "{shown(file)}" is reached through a link',
                    remedy="name the file by its real path",
                ) from error
            finally:
                os.close(at)
            at = below
        return at

    def _check_link(self, file: str, link: str) -> None:
        """Refuse a link whose target, read as text, is not in the directory `allowed`."""
        # spec: store.sources.links
        place = posixpath.normpath(posixpath.join(self._root, posixpath.dirname(file), link))
        inside = posixpath.normpath(self._allowed)
        if link.startswith("/") or not (place == inside or place.startswith(inside.rstrip("/") + "/")):
            raise BrambleError(
                "store.source-link",
                f'the source "{shown(file)}" is a link to "{shown(link)}", outside of the project',
                remedy="copy the file into the project",
            )
