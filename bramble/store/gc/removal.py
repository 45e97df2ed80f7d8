"""Taking objects out of the store.

An object is renamed, in an instant, and its tree removed afterwards. Where that
is refused (EXDEV: a directory of a lower layer of overlayfs), it is removed where
it is. A file `.old-DIGEST-UNIQUE` says so before anything is changed, and its record
goes first, so that nobody takes what is left of it for an object.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Optional

from bramble.store.files.remove import remove_tree
from bramble.store.files.small import sync_directory, unique
from bramble.store.layout.place import BUILD_LOCKS
from bramble.store.locks.advisory import alone
from bramble.store.records.objects import TRASH, Objects
from bramble.store.tree.form import copy_stored


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
        remove_in_place(objects, name, path)
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
            remove_in_place(objects, name, path)
    objects.forget(name)


def _notes(objects: Objects, name: str) -> list[str]:
    # Only where something is there without a record.
    if not objects.contains(name) or os.path.exists(f"{objects.var}/objects/{name}"):
        return []
    entries = os.listdir(objects.directory)
    paths = [f"{objects.directory}/{entry}" for entry in entries if entry.startswith(f"{TRASH}{name}-")]
    return list(filter(os.path.isfile, paths))


def remove_in_place(objects: Objects, name: str, note: str) -> None:
    """Remove an object, whose lock is held, where it is; the file `note` says so meanwhile, and goes last."""
    # spec: store.layers
    # The note must be there for good before the record goes, and the record be gone before the object.
    sync_directory(objects.directory)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{objects.var}/objects/{name}")
    sync_directory(f"{objects.var}/objects")
    remove_tree(objects.object_path(name))
    sync_directory(objects.directory)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(note)
