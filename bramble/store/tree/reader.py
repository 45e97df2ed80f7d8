"""Reading a tree on disk into a stream, and giving it the form it keeps in the store."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable, Optional, Protocol

from bramble.errors import BrambleError
from bramble.store.digest import DIGEST_LENGTH
from bramble.store.files import walk
from bramble.store.files.attributes import attributes_of, remove_attribute
from bramble.store.files.small import unique
from bramble.store.objects import archive
from bramble.store.objects.identity import BLOCK_SIZE, Identity, Stream, Text
from bramble.store.path import shown

# 2 January 1980: zip knows nothing before 1980, and this is later than that in every time zone.
MTIME_NS = 315619200 * 10**9
_TIMES = (MTIME_NS, MTIME_NS)

# Files up to this size are read at once.
_SMALL = 1 << 17

FILE_MODE, EXECUTABLE_MODE = 0o444, 0o555
DIRECTORY_MODE = 0o555


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

    `key` gives the bytes by which members are sorted, if not the names as they are hashed.
    """

    def __init__(
        self, stream: Members, how: Reading, *, key: Optional[Callable[[bytes], bytes]] = None
    ) -> None:
        self._stream = stream
        self._prepare, self._exact = how.prepare, how.exact
        self._key = key or stream.names.hashed
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
        elif _attributes(fd):
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
            os.utime(member.base, ns=_TIMES, dir_fd=member.parent, follow_symlinks=False)
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


def special_file(member: walk.Member) -> BrambleError:
    """Return the error for a member that is no file, directory or link."""
    # spec: objects.canonical.special
    status = os.lstat(member.base, dir_fd=member.parent)
    return BrambleError(
        "store.special-file",
        f'"{shown(member.name[1:])}" is {walk.special_kind(status.st_mode)}; an output holds only files, '
        "directories and symbolic links",
        remedy="let the build remove it before it ends",
    )


def _attributes(fd: int) -> bool:
    """Say whether an open file has attributes that somebody gave to it; the system has its own."""
    try:
        return any(not name.startswith("security.") for name in attributes_of(fd))
    except OSError:
        return False


def stored_mode(mode: int) -> int:
    """Return the mode that a file has in the store, given the one it was made with."""
    return EXECUTABLE_MODE if mode & stat.S_IXUSR else FILE_MODE


def seal(fd: int, mode: int) -> None:
    """Give an open file or directory the form of the store: no attributes, `mode`, the one mtime."""
    # spec: objects.canonical.stored
    with contextlib.suppress(OSError):
        # Some attributes belong to the system (security.selinux) and cannot be removed.
        for attribute in attributes_of(fd):
            os.fchmod(fd, mode | 0o200)  # what its owner may not write keeps its attributes (xattr(7))
            with contextlib.suppress(OSError):
                remove_attribute(fd, attribute)
    os.fchmod(fd, mode)
    os.utime(fd, ns=_TIMES)


Patch = tuple[int, int, Optional[bytes]]  # number of the file, offset in it, what to store (None: the name)


def finish(top: int, stream: Stream, name: bytes, patches: Iterable[Patch]) -> None:
    """Make the tree below `top` what is stored under `name`: the second walk, where one is needed.

    `stream` is the one that has read the tree; `patches` are its edits, in order.
    """
    left = iter(patches)
    patch = next(left, None)
    number = 0
    with contextlib.closing(walk.walk(top, stream.names.hashed)) as members:
        for member in members:
            base, parent = member.base, member.parent
            if member.kind == walk.FILE:
                here: list[tuple[int, bytes]] = []
                while patch is not None and patch[0] == number:
                    here.append((patch[1], patch[2] or name))
                    patch = next(left, None)
                    if len(here) == 4096:
                        _finish_file(member, here)
                        here.clear()
                number += 1
                _finish_file(member, here)
            elif member.kind == walk.SYMLINK:
                _finish_link(member, stream, name)
            if member.kind != walk.DIRECTORY:
                stored_base = stream.names.stored(base, name)
                if stored_base != base:
                    _writable(parent)
                    os.rename(base, stored_base, src_dir_fd=parent, dst_dir_fd=parent)
            if member.kind == walk.LEAVE:
                seal(member.fd, DIRECTORY_MODE)


def _writable(directory: int) -> None:
    if not os.fstat(directory).st_mode & stat.S_IWUSR:
        os.fchmod(directory, 0o755)


def _replace(member: walk.Member, make: Callable[[bytes], None]) -> None:
    """Put something new in the place of a member, by a rename in its directory."""
    _writable(member.parent)
    new = b".new-" + os.fsencode(unique())
    make(new)
    os.rename(new, member.base, src_dir_fd=member.parent, dst_dir_fd=member.parent)


def _finish_link(member: walk.Member, stream: Stream, name: bytes) -> None:
    base, parent = member.base, member.parent
    target = os.readlink(base, dir_fd=parent)
    stored = stream.targets.stored(target, name)
    if stored != target:
        _replace(member, lambda new: os.symlink(stored, new, dir_fd=parent))
        os.utime(base, ns=_TIMES, dir_fd=parent, follow_symlinks=False)


def _finish_file(member: walk.Member, patches: list[tuple[int, bytes]]) -> None:
    base, parent = member.base, member.parent
    status = os.lstat(base, dir_fd=parent)
    linked = status.st_nlink > 1
    # The last of several hard links has one name left when it is met, and was sealed by no walk yet.
    sealed = stat.S_IMODE(status.st_mode) == stored_mode(status.st_mode) and status.st_mtime_ns == MTIME_NS
    if sealed and not linked and not patches:
        return
    if linked:
        _replace(member, lambda new: _copy(base, new, parent))
    os.chmod(base, 0o600, dir_fd=parent)
    fd = os.open(base, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        for offset, data in patches:
            os.pwrite(fd, data, offset)
        seal(fd, stored_mode(status.st_mode))
    finally:
        os.close(fd)


def _copy(base: bytes, new: bytes, parent: int) -> None:
    source = os.open(base, walk.FILE_FLAGS, dir_fd=parent)
    try:
        target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=parent)
        try:
            copy_contents(source, target)
        finally:
            os.close(target)
    finally:
        os.close(source)


def copy_contents(source: int, target: int) -> None:
    """Append what is left of one open file to another, in the kernel."""
    while os.sendfile(target, source, None, 1 << 24):
        pass


def copy_stored(source: str, target: str) -> None:
    """Copy an object to `target`, where nothing is yet, in the form of the store.

    Raises OSError, and BrambleError store.special-file and store.changed-while-read.
    """
    os.mkdir(target, 0o700)
    with contextlib.ExitStack() as stack:
        top = os.open(source, walk.DIRECTORY_FLAGS)
        stack.callback(os.close, top)
        new = os.open(target, walk.DIRECTORY_FLAGS)
        stack.callback(os.close, new)
        members = stack.enter_context(contextlib.closing(walk.walk(top)))
        way = stack.enter_context(contextlib.closing(walk.Descent(new)))
        for member in members:
            if member.kind == walk.DIRECTORY:
                os.mkdir(member.base, 0o700, dir_fd=way.fd)
                way.enter(member.base)
            elif member.kind == walk.LEAVE:
                seal(way.fd, DIRECTORY_MODE)
                way.leave()
            elif member.kind == walk.FILE:
                _copy_sealed(member, way.fd)
            elif member.kind == walk.SYMLINK:
                os.symlink(os.readlink(member.base, dir_fd=member.parent), member.base, dir_fd=way.fd)
                os.utime(member.base, ns=_TIMES, dir_fd=way.fd, follow_symlinks=False)
            else:
                raise special_file(member)
        seal(new, DIRECTORY_MODE)


def _copy_sealed(member: walk.Member, directory: int) -> None:
    source = os.open(member.base, walk.FILE_FLAGS, dir_fd=member.parent)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        target = os.open(member.base, flags, 0o600, dir_fd=directory)
        try:
            copy_contents(source, target)
            seal(target, stored_mode(os.fstat(source).st_mode))
        finally:
            os.close(target)
    finally:
        os.close(source)
