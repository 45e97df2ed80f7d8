"""Removing a tree that somebody else has made, whatever its modes and its depth.

Every directory is emptied at the top: a directory within it that is not empty
itself is renamed up beside its parent and emptied next. So nothing is ever
deeper than one level, no path grows long, and no stack grows deep. A directory
of a lower layer of overlayfs cannot be renamed (EXDEV): such a tree is walked,
as the store has walked it before.
"""

from __future__ import annotations

import contextlib
import errno
import os

from bramble.store.files import walk
from bramble.store.files.small import unique
from bramble.store.files.walk import DIRECTORY_FLAGS, open_directory


def remove_tree(path: str) -> None:
    """Remove what is at `path`: a file, a link, or a directory with all that is in it.

    Nothing at `path` is not an error. Several processes may remove the same
    tree at once. Raises OSError if something cannot be removed.
    """
    directory, _, base = path.rpartition("/")
    parent = os.open(directory or "/", DIRECTORY_FLAGS & ~os.O_NOFOLLOW)
    try:
        _remove(os.fsencode(base), parent)
    finally:
        os.close(parent)


def _remove(base: bytes, parent: int) -> None:
    try:
        os.unlink(base, dir_fd=parent)
        return
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        # POSIX lets unlink refuse a directory with EPERM.
        pass
    waiting = [base]
    while waiting:
        waiting.extend(_empty(waiting.pop(), parent))


def _empty(base: bytes, parent: int) -> list[bytes]:
    """Remove a directory; return the names, beside it, of those in it that are yet to be emptied."""
    moved: list[bytes] = []
    try:
        fd = open_directory(base, parent, make_readable=True)
    except FileNotFoundError:
        return moved
    try:
        for name in os.listdir(fd):
            try:
                os.unlink(name, dir_fd=fd)
            except FileNotFoundError:
                pass
            except (IsADirectoryError, PermissionError):
                new = _move_up(os.fsencode(name), fd, parent)
                if new:
                    moved.append(new)
    finally:
        os.close(fd)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(base, dir_fd=parent)
    return moved


def _move_up(name: bytes, directory: int, parent: int) -> bytes:
    """Remove a directory if it is empty, else move it beside its parent; return its name there, or b""."""
    try:
        os.rmdir(name, dir_fd=directory)
        return b""
    except FileNotFoundError:
        return b""
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    new = b".old-" + os.fsencode(unique())
    # A directory that changes its parent is written to (its `..`), so its owner needs leave for that.
    try:
        os.chmod(name, 0o700, dir_fd=directory)
        os.rename(name, new, src_dir_fd=directory, dst_dir_fd=parent)
    except FileNotFoundError:
        return b""
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _remove_where_it_is(name, directory)
        return b""
    return new


def _remove_where_it_is(name: bytes, directory: int) -> None:
    # spec: store.layers
    fd = open_directory(name, directory, make_readable=True)
    try:
        with contextlib.closing(walk.walk(fd, make_readable=True)) as members:
            for member in members:
                with contextlib.suppress(FileNotFoundError):
                    if member.kind == walk.LEAVE:
                        os.rmdir(member.base, dir_fd=member.parent)
                    elif member.kind != walk.DIRECTORY:
                        os.unlink(member.base, dir_fd=member.parent)
    finally:
        os.close(fd)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=directory)
