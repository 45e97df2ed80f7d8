"""Reading a tree on disk into a stream."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Optional, Protocol

from bramble.record import dataclass
from bramble.store.digest import DIGEST_LENGTH
from bramble.store.files import walk
from bramble.store.objects import archive
from bramble.store.objects.identity import BLOCK_SIZE, Identity, Text
from bramble.store.tree.form import (
    DIRECTORY_MODE,
    EXECUTABLE_MODE,
    FILE_MODE,
    MTIME_NS,
    TIMES,
    has_attributes,
    seal,
    special_file,
    stored_mode,
)

# Files up to this size are read at once.
_SMALL = 1 << 17


@dataclass(frozen=True)
class Reading:
    """How a tree is read.

    `prepare`: it is a build's and becomes an object: what its owner cannot read
    is made readable, and what needs no further change gets the store's form.
    `exact`: modes go into the archive as they are, not in canonical form.
    """

    prepare: bool = False
    exact: bool = False


class Members(Protocol):
    """What a tree is read into: a stream (`bramble.store.objects.identity.Stream`), or something like it."""

    names: Text
    targets: Text

    def member(
        self, directory: bytes, base: bytes, kind: bytes, mode: int, size: int = 0, target: bytes = b""
    ) -> None: ...

    def small_file(self, directory: bytes, base: bytes, mode: int, data: bytes) -> None: ...

    def content(self, data: bytes) -> None: ...

    def end_of_content(self, size: int) -> None: ...

    def finish(self) -> Identity: ...


class TreeReader:
    """Feeds one tree into one stream, and remembers what is left to do before it can be stored.

    Members are sorted by their names as they are hashed.
    """

    def __init__(self, stream: Members, how: Reading) -> None:
        self._stream = stream
        self._prepare, self._exact = how.prepare, how.exact
        self._key = stream.names.hashed
        self.unfinished = False
        """Whether names, link targets or hard links call for a second walk."""
        self.odd: Optional[bytes] = None
        """What is not in the form of the store about the first member of which that is so, in words."""

    def read(self, top: int) -> Identity:
        """Read the tree below the directory `top` and return its identity.

        Raises BrambleError store.special-file for what cannot be in an object,
        and store.changed-while-read.
        """
        members = walk.walk(top, self._key, make_readable=self._prepare)
        with contextlib.closing(members):
            for member in members:
                try:
                    self._read(member)
                except (FileNotFoundError, NotADirectoryError) as error:
                    raise walk.changed(member.name) from error
        self._note_form(top, os.fstat(top), b"/")
        return self._stream.finish()

    def _note_form(self, fd: int, status: os.stat_result, name: bytes) -> None:
        # spec: store.verify
        if self._prepare or self._exact or self.odd is not None:
            return
        mode = stat.S_IMODE(status.st_mode)
        right = (DIRECTORY_MODE,) if stat.S_ISDIR(status.st_mode) else (FILE_MODE, EXECUTABLE_MODE)
        if mode not in right:
            self.odd = b'"%s" has the mode %04o' % (name, mode)
        elif status.st_mtime_ns != MTIME_NS and stat.S_ISREG(status.st_mode):
            # That of a directory is another one where `optimise` was cut short, and matters to nobody.
            self.odd = b'"%s" has another time of change than the store gives' % name
        elif has_attributes(fd):
            self.odd = b'"%s" has extended attributes' % name

    def _read(self, member: walk.Member) -> None:
        kind = member.kind
        if kind == walk.FILE:
            self._file(member)
        elif kind == walk.SYMLINK:
            self._link(member)
        elif kind == walk.DIRECTORY:
            mode = 0o755
            if self._exact:
                mode = stat.S_IMODE(os.lstat(member.base, dir_fd=member.parent).st_mode)
            self._named(member.base)
            self._stream.member(member.directory, member.base, archive.DIRECTORY, mode)
        elif kind == walk.LEAVE:
            if self._prepare:
                seal(member.fd, DIRECTORY_MODE)
            else:
                self._note_form(member.fd, os.fstat(member.fd), member.name)
        else:
            raise special_file(member)

    def _named(self, base: bytes) -> None:
        if len(base) >= DIGEST_LENGTH and self._stream.names.hashed(base) != base:
            self.unfinished = True

    def _link(self, member: walk.Member) -> None:
        stream = self._stream
        target = os.readlink(member.base, dir_fd=member.parent)
        self._named(member.base)
        if self._prepare:
            os.utime(member.base, ns=TIMES, dir_fd=member.parent, follow_symlinks=False)
            if stream.targets.stored(target, b"") != target:
                self.unfinished = True
        stream.member(member.directory, member.base, archive.SYMLINK, 0, 0, target)

    def _file(self, member: walk.Member) -> None:
        stream = self._stream
        _, parent, directory, base, _ = member
        try:
            fd = os.open(base, walk.FILE_FLAGS, dir_fd=parent)
        except PermissionError:
            fd = self._open_closed(member)
        try:
            before = os.fstat(fd)
            size, real_mode = before.st_size, before.st_mode
            if not stat.S_ISREG(real_mode):
                raise walk.changed(member.name)
            # spec: objects.canonical
            mode = 0o755 if real_mode & stat.S_IXUSR else 0o644
            if self._exact:
                mode = stat.S_IMODE(real_mode)
            self._named(base)
            self._note_form(fd, before, member.name)
            if size <= _SMALL:
                data = os.read(fd, size)
                left = size - len(data)
                stream.small_file(directory, base, mode, data)
            else:
                stream.member(directory, base, archive.FILE, mode, size)
                left = self._content(fd, size)
            after = os.fstat(fd)
            if (
                left
                or before.st_size != after.st_size
                or before.st_mtime_ns != after.st_mtime_ns
                or before.st_ctime_ns != after.st_ctime_ns
            ):
                raise walk.changed(member.name)
            if self._prepare:
                if before.st_nlink > 1:
                    # The other name may be anywhere: nothing is changed through this one.
                    self.unfinished = True
                else:
                    seal(fd, stored_mode(real_mode))
        finally:
            os.close(fd)

    def _content(self, fd: int, size: int) -> int:
        """Hand over the content of a big file; return how many bytes were missing."""
        left = size
        while left > 0:
            data = os.read(fd, min(left, BLOCK_SIZE))
            if not data:
                return left
            self._stream.content(data)
            left -= len(data)
        self._stream.end_of_content(size)
        return 0

    def _open_closed(self, member: walk.Member) -> int:
        """Open a file that its owner may not read."""
        if not self._prepare:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), member.name)
        mode = os.lstat(member.base, dir_fd=member.parent).st_mode
        os.chmod(member.base, stat.S_IMODE(mode) | stat.S_IRUSR, dir_fd=member.parent)
        return os.open(member.base, walk.FILE_FLAGS, dir_fd=member.parent)
