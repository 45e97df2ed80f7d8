"""Laying out an object member by member, in the form of the store, while it is hashed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Sequence
from typing import Optional

from bramble.store.files.walk import DIRECTORY_FLAGS, FILE_FLAGS
from bramble.store.objects import archive
from bramble.store.objects.identity import Identity, Meaning, Stream
from bramble.store.path import record_prefix
from bramble.store.publish.originals import SMALL
from bramble.store.tree.form import DIRECTORY_MODE, MTIME_NS, seal, stored_mode
from bramble.store.tree.hashing import ParallelHash

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1 << 20


class Damaged(Exception):
    """An object that was to be used again is not what it was."""


class Nowhere:
    """What takes files and does nothing with them."""

    def link(self, base: bytes, target: bytes) -> None:
        """Take a link."""

    def small_file(self, base: bytes, executable: bool, data: bytes) -> None:
        """Take a whole file."""

    def file(self, base: bytes, executable: bool, size: int) -> None:
        """Take a file whose bytes are yet to come."""

    def block(self, data: bytes) -> None:
        """Take the next bytes."""

    def end(self) -> None:
        """There are no more of them."""


class Laying:
    """An object that refers to nothing, in the making; its members come in the order of its archive.

    `directory` is the store's. The object is laid out in the empty directory `target`; None: it is only
    hashed. `former` is an open object, whose files can be reused; -1: no object.
    """

    def __init__(self, directory: str, target: Optional[str], former: int) -> None:
        self._sink = ParallelHash()
        meaning = Meaning(os.fsencode(directory), record_prefix())
        places: list[int] = []
        self._stream = Stream(meaning, self._sink, places)
        self._top = -1 if target is None else os.open(target, DIRECTORY_FLAGS)
        self._former_top = former
        self._path: list[bytes] = []
        self._name = b""  # the same path with a leading slash, b"" at the top
        self._here, self._former = self._top, former
        self._directories: list[bytes] = []  # all that were made, each after the one above it
        self._file = -1
        self._size = 0
        self._mode = 0

    def close(self) -> None:
        """Close what is open."""
        self._leave()
        if self._file >= 0:
            os.close(self._file)
        if self._top >= 0:
            os.close(self._top)
        self._sink.close()

    def enter(self, path: Sequence[bytes]) -> None:
        """Go to the directory `path`; those of the way that are not there yet are made."""
        if path == self._path:
            return
        self._leave()
        same = 0
        while same < min(len(path), len(self._path)) and path[same] == self._path[same]:
            same += 1
        for size in range(same + 1, len(path) + 1):
            # What comes after a directory in the order of the archive never leads into it again.
            parent, name = b"/".join(path[: size - 1]), b"/".join(path[:size])
            self._stream.member(b"/" + parent if parent else b"", path[size - 1], archive.DIRECTORY, 0o755)
            self._directories.append(name)
            if self._top >= 0:
                os.mkdir(name, 0o700, dir_fd=self._top)
        self._path = list(path)
        self._name = b"/" + b"/".join(path) if path else b""
        self._open()

    def link(self, base: bytes, target: bytes) -> None:
        """Add a symbolic link."""
        self._stream.member(self._name, base, archive.SYMLINK, 0, 0, target)
        if self._here >= 0:
            os.symlink(target, base, dir_fd=self._here)
            os.utime(base, ns=(MTIME_NS, MTIME_NS), dir_fd=self._here, follow_symlinks=False)

    def small_file(self, base: bytes, executable: bool, data: bytes) -> None:
        """Add a file with all that is in it."""
        self._stream.small_file(self._name, base, 0o755 if executable else 0o644, data)
        if self._here >= 0:
            self._create(base, executable)
            self._write(data)
            self._seal()

    def file(self, base: bytes, executable: bool, size: int) -> None:
        """Add a file of `size` bytes, which come by `block`; then there is an `end`."""
        self._stream.member(self._name, base, archive.FILE, 0o755 if executable else 0o644, size)
        self._size = size
        if self._here >= 0:
            self._create(base, executable)

    def block(self, data: bytes) -> None:
        """Add the next bytes of a file."""
        self._stream.content(data)
        if self._file >= 0:
            self._write(data)

    def end(self) -> None:
        """End a file."""
        self._stream.end_of_content(self._size)
        if self._file >= 0:
            self._seal()

    def take_former(self, base: bytes, mode: int, content: bytes) -> None:
        """Add what has the same path in the former object: a link or file, as `mode` says, with this SHA-256.

        Raises Damaged if it is another one.
        """
        try:
            if stat.S_ISLNK(mode):
                target = os.readlink(base, dir_fd=self._former)
                if hashlib.sha256(target).digest() != content:
                    raise Damaged
                self.link(base, target)
            else:
                self._take_former_file(base, stored_mode(mode), content)
        except OSError as error:
            raise Damaged from error

    def _take_former_file(self, base: bytes, mode: int, content: bytes) -> None:
        fd = os.open(base, FILE_FLAGS, dir_fd=self._former)
        try:
            status = os.fstat(fd)
            if status.st_mode != stat.S_IFREG | mode or status.st_mtime_ns != MTIME_NS:
                raise Damaged
            executable, size = bool(mode & stat.S_IXUSR), status.st_size
            linked = self._here < 0
            with contextlib.suppress(OSError):
                # A file has as many names as the file system lets it have, and some have one.
                if not linked:
                    os.link(base, base, src_dir_fd=self._former, dst_dir_fd=self._here, follow_symlinks=False)
                    linked = True
            if linked:
                here, self._here = self._here, -1
            try:
                digest = hashlib.sha256()
                if size <= SMALL:
                    data = os.read(fd, size)
                    digest.update(data)
                    self.small_file(base, executable, data)
                else:
                    self.file(base, executable, size)
                    for data in iter(lambda: os.read(fd, _BLOCK), b""):
                        digest.update(data)
                        self.block(data)
                    self.end()
            finally:
                if linked:
                    self._here = here
            if digest.digest() != content:
                raise Damaged
        finally:
            os.close(fd)

    def finish(self) -> Identity:
        """Give the directories the form of the store, all but the top; return the identity of the object."""
        self._leave()
        if self._top >= 0:
            for path in reversed(self._directories):
                fd = os.open(path, DIRECTORY_FLAGS, dir_fd=self._top)
                try:
                    seal(fd, DIRECTORY_MODE)
                finally:
                    os.close(fd)
        return self._stream.finish()

    def _open(self) -> None:
        path = b"/".join(self._path)
        if not path:
            return
        if self._top >= 0:
            self._here = os.open(path, DIRECTORY_FLAGS, dir_fd=self._top)
        if self._former_top >= 0:
            self._former = -1  # nothing is taken from a directory that is not there
            with contextlib.suppress(OSError):
                self._former = os.open(path, DIRECTORY_FLAGS, dir_fd=self._former_top)

    def _leave(self) -> None:
        if self._here != self._top:
            os.close(self._here)
            self._here = self._top
        if self._former not in (-1, self._former_top):
            os.close(self._former)
        self._former = self._former_top

    def _create(self, base: bytes, executable: bool) -> None:
        self._mode = 0o555 if executable else 0o444
        self._file = os.open(base, _NEW, 0o600, dir_fd=self._here)

    def _write(self, data: bytes) -> None:
        written = os.write(self._file, data)
        while written < len(data):
            written += os.write(self._file, memoryview(data)[written:])

    def _seal(self) -> None:
        seal(self._file, self._mode)
        os.close(self._file)
        self._file = -1
