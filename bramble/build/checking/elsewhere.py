"""The same build with the store at another path, to compare the results.

A build id or a hash in an output may depend on the path of the store, though the
identity does not. That shows only when it is built under another path. So the
second build of a check sees copies of its inputs, in which that path stands, below it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping

from bramble.store.files.small import make_directory
from bramble.store.files.walk import (
    DIRECTORY,
    DIRECTORY_FLAGS,
    FILE,
    FILE_FLAGS,
    LEAVE,
    SYMLINK,
    Member,
    walk,
)
from bramble.store.objects.identity import BLOCK_SIZE
from bramble.store.path import padded_store_dir
from bramble.store.tree.form import DIRECTORY_MODE, MTIME_NS
from bramble.store.tree.unpack import Rewriter


def other_directory(directory: str) -> str:
    """Return a store directory that is not this one, nor that of record."""
    # spec: build.check.elsewhere
    roots = (b"/check/of/bramble", b"/bramble/checks")
    paths = [os.fsdecode(padded_store_dir(root)) for root in roots]
    return next(path for path in paths if path != directory)


def copy_inputs(directory: str, other: str, closure: Collection[str], where: str) -> Mapping[str, str]:
    """Return for each object of the closure a directory that holds it as it would be in the store `other`.

    What does not hold the path of the store is taken as it is; copies are made in the directory `where`.
    """
    old, new = os.fsencode(directory), os.fsencode(other)
    found = {}
    make_directory(where)
    for name in closure:
        found[name] = path = f"{directory}/{name}"
        if _holds(path, old):
            found[name] = f"{where}/{name}"
            _copy(path, f"{where}/{name}", old, new)
    return found


def bring_back(path: str, directory: str, other: str) -> None:
    """Write the path of this store into an output that was built in the store `other`."""
    old, new = os.fsencode(other), os.fsencode(directory)
    with _opened(path) as top, contextlib.closing(walk(top, make_readable=True)) as members:
        for member in members:
            if member.kind == SYMLINK:
                target = os.readlink(member.base, dir_fd=member.parent)
                if old in target:
                    os.unlink(member.base, dir_fd=member.parent)
                    os.symlink(target.replace(old, new), member.base, dir_fd=member.parent)
            elif member.kind == FILE:
                _bring_back_file(member, old, new)


def _bring_back_file(member: Member, old: bytes, new: bytes) -> None:
    mode = stat.S_IMODE(os.lstat(member.base, dir_fd=member.parent).st_mode)
    if mode & 0o600 != 0o600:
        os.chmod(member.base, mode | 0o600, dir_fd=member.parent)
    fd = os.open(member.base, FILE_FLAGS | os.O_RDWR, dir_fd=member.parent)
    try:
        at = 0
        tail = b""
        while True:
            data = os.pread(fd, BLOCK_SIZE, at)
            if not data:
                break
            block, start = tail + data, at - len(tail)
            place = block.find(old)
            while place >= 0:
                os.pwrite(fd, new, start + place)
                place = block.find(old, place + len(old))
            at += len(data)
            tail = block[1 - len(old) :]
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, DIRECTORY_FLAGS)
    try:
        yield fd
    finally:
        os.close(fd)


def _holds(path: str, text: bytes) -> bool:
    with _opened(path) as top, contextlib.closing(walk(top)) as members:
        for member in members:
            if member.kind == SYMLINK and text in os.readlink(member.base, dir_fd=member.parent):
                return True
            if member.kind == FILE and _file_holds(member, text):
                return True
    return False


def _file_holds(member: Member, text: bytes) -> bool:
    fd = os.open(member.base, FILE_FLAGS, dir_fd=member.parent)
    try:
        tail = b""
        while True:
            data = os.read(fd, BLOCK_SIZE)
            if not data:
                return False
            if text in tail + data:
                return True
            tail = data[1 - len(text) :]
    finally:
        os.close(fd)


def _copy(path: str, copy: str, old: bytes, new: bytes) -> None:
    """Make a copy of an object with another text; files that do not hold the old one are links."""
    make_directory(copy)
    with _opened(path) as top, contextlib.closing(walk(top)) as members:
        for member in members:
            target = os.fsencode(copy) + member.name
            if member.kind == DIRECTORY:
                make_directory(os.fsdecode(target))
            elif member.kind == SYMLINK:
                link = os.readlink(member.base, dir_fd=member.parent)
                os.symlink(link.replace(old, new), target)
                os.utime(target, ns=(MTIME_NS, MTIME_NS), follow_symlinks=False)
            elif member.kind == FILE:
                _copy_file(member, target, old, new)
            elif member.kind == LEAVE:
                _finish_directory(os.fsencode(copy) + member.name)
    _finish_directory(os.fsencode(copy))


def _finish_directory(path: bytes) -> None:
    os.chmod(path, DIRECTORY_MODE)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))


def _copy_file(member: Member, target: bytes, old: bytes, new: bytes) -> None:
    if not _file_holds(member, old):
        # The system may refuse a link, and a file has only so many.
        with contextlib.suppress(OSError):
            os.link(member.base, target, src_dir_fd=member.parent, follow_symlinks=False)
            return
    source = os.open(member.base, FILE_FLAGS, dir_fd=member.parent)
    try:
        rewriter = Rewriter(old, new)
        with open(target, "xb") as file:
            while True:
                data = os.read(source, BLOCK_SIZE)
                file.write(rewriter.rewrite(data) if data else rewriter.rest())
                if not data:
                    break
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(os.fstat(source).st_mode))
            os.utime(file.fileno(), ns=(MTIME_NS, MTIME_NS))
    finally:
        os.close(source)
