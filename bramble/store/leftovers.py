"""Taking objects out of the store, and what crashed processes leave behind beside what living ones are at.

An object is renamed, in an instant, and its tree removed afterwards. Where that
is refused (EXDEV: a directory of a lower layer of overlayfs), it is removed where
it is. A file `.old-DIGEST-UNIQUE` says so before anything is changed, and its record
goes first, so that nobody takes what is left of it for an object.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import Optional

from bramble.store.digest import DIGEST_LENGTH, is_digest
from bramble.store.dismantle import remove_taken_down
from bramble.store.files import sync_directory, unique
from bramble.store.history.failed import forget_all_failed
from bramble.store.layout import BUILD_LOCKS, OBJECT_LOCKS
from bramble.store.locks import LockFile, alone
from bramble.store.objects import STAGED, TRASH, Objects
from bramble.store.remove import remove_tree
from bramble.store.tree import copy_stored
from bramble.store.workspace import remove_stale

TEMPORARY = ".tmp-"
# A small file is written within moments; what is older than this many seconds was given up.
_TEMPORARY_LIFE = 3600.0


def remove_leftovers(objects: Objects) -> int:
    """Remove workspaces, staged objects, trash and temporary files of processes that are gone; count them."""
    # spec: store.gc.leftovers
    count = remove_stale(objects.var) + forget_all_failed(objects.var)
    count += remove_taken_down(objects.root or "/", objects.owner.uid)
    locks = LockFile(f"{objects.var}/{OBJECT_LOCKS}")
    try:
        for name in os.listdir(objects.directory):
            count += _remove_unnamed(objects, name, locks)
    finally:
        locks.close()
    parts = ("objects", "realisations", "projects", "roots", "sources", "inputs")
    directories = [f"{objects.var}/{part}" for part in parts]
    return count + sum(map(_remove_temporary, [objects.directory, objects.var, *directories]))


def _remove_unnamed(objects: Objects, name: str, locks: LockFile) -> bool:
    """Remove something that is not yet, or no longer, an object, unless somebody is at it."""
    path = f"{objects.directory}/{name}"
    digest = name[len(STAGED) : len(STAGED) + DIGEST_LENGTH]
    if not name.startswith((STAGED, TRASH)):
        return False
    if not is_digest(digest):
        # A directory that was moved up out of one.
        remove_tree(path)
        return True
    # Whoever publishes an object, or repairs one, holds its lock meanwhile.
    if not locks.try_exclusive(digest):
        return False
    try:
        if not os.path.isfile(path):
            remove_tree(path)
        elif os.path.exists(f"{objects.var}/objects/{digest}"):
            # It was noted, and then nothing was done: the object is whole, and may be needed by now.
            os.unlink(path)
        else:
            _remove_in_place(objects, digest, path)
        return True
    finally:
        locks.release(digest)


def take_out(objects: Objects, name: str) -> Optional[str]:
    """Take an object, whose lock is held, out of the store; return the path of what is to be removed, if any.

    Its record is the caller's to remove. None if there was no object, or nothing of it is left.
    """
    # spec: store.gc.protection, store.layers
    path = f"{objects.directory}/{TRASH}{name}-{unique()}"
    try:
        os.rename(objects.object_path(name), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        note = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        os.close(note)
        _remove_in_place(objects, name, path)
        return None
    return path


def set_aside(objects: Objects, name: str) -> str:
    """Move an object, whose lock is held, to a path where it is rubbish unless moved back; return that."""
    # spec: store.verify.repair, store.layers
    aside = f"{objects.directory}/{TRASH}{name}-{unique()}"
    try:
        os.rename(objects.object_path(name), aside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        try:
            copy_stored(objects.object_path(name), aside)
        except BaseException:
            remove_tree(aside)
            raise
        take_out(objects, name)
    return aside


def finish_removal(objects: Objects, name: str) -> None:
    """Remove what is left of an object whose removal was broken off; its lock is held, shared or not."""
    # spec: store.layers
    if not _notes(objects, name):
        return
    with alone(f"{objects.var}/{BUILD_LOCKS}", name):
        for path in _notes(objects, name):
            _remove_in_place(objects, name, path)
    objects.forget(name)


def _notes(objects: Objects, name: str) -> list[str]:
    # Only where something is there without a record.
    if not objects.contains(name) or os.path.exists(f"{objects.var}/objects/{name}"):
        return []
    entries = os.listdir(objects.directory)
    paths = [f"{objects.directory}/{entry}" for entry in entries if entry.startswith(f"{TRASH}{name}-")]
    return list(filter(os.path.isfile, paths))


def _remove_in_place(objects: Objects, name: str, note: str) -> None:
    # The note must be there for good before the record goes, and the record be gone before the object.
    sync_directory(objects.directory)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{objects.var}/objects/{name}")
    sync_directory(f"{objects.var}/objects")
    remove_tree(objects.object_path(name))
    sync_directory(objects.directory)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(note)


def _remove_temporary(directory: str) -> int:
    count = 0
    for name in os.listdir(directory):
        if name.startswith(TEMPORARY):
            path = f"{directory}/{name}"
            with contextlib.suppress(FileNotFoundError):
                if os.lstat(path).st_mtime < time.time() - _TEMPORARY_LIFE:
                    os.unlink(path)
                    count += 1
    return count
