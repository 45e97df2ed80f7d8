"""The plain archive of a directory as it is: own modes, nothing rewritten, nothing stored."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable

from bramble.errors import BrambleError
from bramble.store import archive, walk
from bramble.store.digest import encode
from bramble.store.failures import DiskFailures
from bramble.store.path import shown
from bramble.store.tree import special_file

_BLOCK = 1 << 20


def archive_digest(directory: str) -> str:
    """Return the digest of the archive of `directory`, whose modes are kept as they are.

    Raises BrambleError store.not-a-directory, store.special-file,
    store.changed-while-read, and those of failed system calls.
    """
    # spec: objects.archive
    hashed = hashlib.sha256()
    with DiskFailures("read the directory"):
        try:
            top = os.open(directory, walk.DIRECTORY_FLAGS)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BrambleError(
                "store.not-a-directory", f'"{shown(directory)}" is not a directory', remedy="name a directory"
            ) from error
        try:
            for member in walk.walk(top):
                _add(member, hashed.update)
        finally:
            os.close(top)
    hashed.update(archive.END)
    return encode(hashed.digest())


def _add(member: walk.Member, put: Callable[[bytes], object]) -> None:
    if member.kind == walk.LEAVE:
        return
    if member.kind == walk.OTHER:
        raise special_file(member)
    status = os.stat(member.base, dir_fd=member.parent, follow_symlinks=False)
    mode = stat.S_IMODE(status.st_mode)
    if member.kind == walk.DIRECTORY:
        put(archive.header(member.name + b"/", archive.DIRECTORY, mode).data)
    elif member.kind == walk.SYMLINK:
        target = os.readlink(member.base, dir_fd=member.parent)
        put(archive.header(member.name, archive.SYMLINK, archive.SYMLINK_MODE, 0, target).data)
    else:
        put(archive.header(member.name, archive.FILE, mode, status.st_size).data)
        _add_content(member, status.st_size, put)


def _add_content(member: walk.Member, size: int, put: Callable[[bytes], object]) -> None:
    fd = os.open(member.base, walk.FILE_FLAGS, dir_fd=member.parent)
    try:
        left = size
        while left:
            data = os.read(fd, min(left, _BLOCK))
            if not data:
                raise walk.changed(member.name)
            put(data)
            left -= len(data)
        if os.read(fd, 1):
            raise walk.changed(member.name)
    finally:
        os.close(fd)
    put(bytes(archive.padding(size)))
