"""The form that a tree has in the store: two modes, one time, no attributes, each file for itself.

A build's tree gets it while it is read (`bramble.store.tree.reader`) or, where names in it are to be
replaced or files have several names, by a second walk; a copy of an object has it from the start.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Callable, Optional

from bramble.errors import BrambleError
from bramble.store.files import walk
from bramble.store.files.attributes import attributes_of, remove_attribute
from bramble.store.files.small import unique
from bramble.store.objects.identity import Stream
from bramble.store.path import shown

# 2 January 1980: zip knows nothing before 1980, and this is later than that in every time zone.
MTIME_NS = 315619200 * 10**9
TIMES = (MTIME_NS, MTIME_NS)

FILE_MODE, EXECUTABLE_MODE = 0o444, 0o555
DIRECTORY_MODE = 0o555


def special_file(member: walk.Member) -> BrambleError:
    """Return the error for a member that is not a file, directory or link."""
    # spec: objects.canonical.special
    status = os.lstat(member.base, dir_fd=member.parent)
    return BrambleError(
        "store.special-file",
        f'"{shown(member.name[1:])}" is {walk.special_kind(status.st_mode)}; an output may contain only '
        "files, directories and symbolic links",
        remedy="let the build remove it before it ends",
    )


def has_attributes(fd: int) -> bool:
    """Return whether an open file has attributes that somebody gave to it; the system has its own."""
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
    os.utime(fd, ns=TIMES)


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
        os.utime(base, ns=TIMES, dir_fd=parent, follow_symlinks=False)


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
                os.utime(member.base, ns=TIMES, dir_fd=way.fd, follow_symlinks=False)
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
