"""Removal of a store: what belongs to it, and nothing else in its root.

The objects go first, all of them in an instant: their directory is renamed into `var/`, and a result
that is known without its objects is nothing unusual. Then `var/` is renamed, and with it the record of
the store: from there on a store can be made again in the same root while the rest is being removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator

from bramble.errors import BrambleError
from bramble.store.files.failures import DiskFailures
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import open_lock, sync_directory, unique
from bramble.store.layout.place import BUILD_LOCKS, COLLECTOR_LOCK, LINK, OBJECT_LOCKS, REMOVED
from bramble.store.layout.workspace import WORK
from bramble.store.locks.advisory import LockFile
from bramble.store.locks.holders import holder
from bramble.store.locks.uses import living
from bramble.store.path import shown
from bramble.store.records.objects import TRASH, Objects


def dismantle(objects: Objects) -> tuple[str, ...]:
    """Remove a store that nobody uses, and its root if nothing else is in it; return what else is, sorted.

    Raises BrambleError store.in-use while a process uses an object, builds or collects; and those of
    failed system calls. What a removal that broke off has left the next one removes, or a collection.
    """
    # spec: store.dismantle
    with DiskFailures("remove the store"):
        with _nobody_else(objects):
            _take_down(objects)
        root = objects.root or "/"
        remove_taken_down(root, objects.owner.uid)
        left = tuple(sorted(os.listdir(root)))
        if not left:
            # A mount point, and what only root may remove, stays, as does a link that leads to the root.
            with contextlib.suppress(OSError):
                os.rmdir(root)
        return left


def remove_taken_down(root: str, owner: int) -> int:
    """Remove what is left of stores that were taken down in the directory `root`; count them."""
    with os.scandir(root) as entries:
        found = [entry for entry in entries if entry.name.startswith(REMOVED)]
    # In a sticky directory anybody can give a thing such a name.
    own = [entry.path for entry in found if _is_own_directory(entry.stat(follow_symlinks=False), owner)]
    for path in own:
        remove_tree(path)
    return len(own)


def _is_own_directory(status: os.stat_result, owner: int) -> bool:
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner


def _take_down(objects: Objects) -> None:
    """Take the store away from its names."""
    root = objects.root
    padding = f"{root}/{objects.location.padding[0]}"
    try:
        os.rename(padding, f"{objects.var}/{WORK}/{TRASH}{unique()}")
    except OSError as error:
        # spec: store.layers
        if error.errno != errno.EXDEV:
            raise
        # Without its record nobody takes what is left of an object for one.
        remove_tree(f"{objects.var}/objects")
        remove_tree(padding)
    sync_directory(root or "/")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{root}/{LINK}")
    try:
        os.rename(objects.var, f"{root}/{REMOVED}{unique()}")
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        remove_tree(objects.var)
    sync_directory(root or "/")


@contextlib.contextmanager
def _nobody_else(objects: Objects) -> Iterator[None]:
    """Hold every lock of the store; raise store.in-use if another process has one of them."""
    collector = f"{objects.var}/{COLLECTOR_LOCK}"
    with contextlib.ExitStack() as held:
        fd = open_lock(collector)
        held.callback(os.close, fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(objects, holder(collector)) from None
        for name in (BUILD_LOCKS, OBJECT_LOCKS):
            path = f"{objects.var}/{name}"
            locks = LockFile(path)
            held.callback(locks.close)
            byte = locks.try_all()
            if byte is not None:
                raise _in_use(objects, holder(path, byte))
        # While all locks of objects are held, nobody can use another one.
        lease = living(objects.var)
        if lease is not None:
            raise _in_use(objects, holder(lease))
        yield


def _in_use(objects: Objects, who: str) -> BrambleError:
    return BrambleError(
        "store.in-use",
        f'the store "{shown(objects.root)}" is in use: {who}',
        remedy="wait until it is done, or end it",
    )
