"""What crashed processes leave behind, and telling it from what living ones are at."""

from __future__ import annotations

import contextlib
import os
import time

from bramble.store.digest import DIGEST_LENGTH, is_digest
from bramble.store.layout import OBJECT_LOCKS
from bramble.store.locks import LockFile
from bramble.store.objects import STAGED, TRASH, Objects
from bramble.store.remove import remove_tree
from bramble.store.workspace import remove_stale

TEMPORARY = ".tmp-"
# A small file is written within moments; what is older than this many seconds was given up.
_TEMPORARY_LIFE = 3600.0


def remove_leftovers(objects: Objects) -> int:
    """Remove workspaces, staged objects, trash and temporary files of processes that are gone; count them."""
    # spec: store.gc.leftovers
    count = remove_stale(objects.var)
    locks = LockFile(f"{objects.var}/{OBJECT_LOCKS}")
    try:
        for name in os.listdir(objects.directory):
            count += _remove_unnamed(objects, name, locks)
    finally:
        locks.close()
    parts = ("objects", "realisations", "projects", "roots", "sources")
    directories = [f"{objects.var}/{part}" for part in parts]
    return count + sum(map(_remove_temporary, [objects.directory, objects.var, *directories]))


def _remove_unnamed(objects: Objects, name: str, locks: LockFile) -> bool:
    """Remove something that is not yet, or no longer, an object, unless somebody is at it."""
    path = f"{objects.directory}/{name}"
    if name.startswith(TRASH):
        remove_tree(path)
        return True
    digest = name[len(STAGED) : len(STAGED) + DIGEST_LENGTH]
    # Whoever publishes an object holds its lock meanwhile.
    if name.startswith(STAGED) and is_digest(digest) and locks.try_exclusive(digest):
        try:
            remove_tree(path)
            return True
        finally:
            locks.release(digest)
    return False


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
