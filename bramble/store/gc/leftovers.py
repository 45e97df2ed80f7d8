"""What crashed processes leave behind, and how it is distinguished from the files of running ones."""

from __future__ import annotations

import contextlib
import os
import time

from bramble.store.digest import DIGEST_LENGTH, is_digest
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import TEMPORARY
from bramble.store.gc.dismantle import remove_taken_down
from bramble.store.gc.removal import remove_in_place
from bramble.store.history.failed import forget_all_failed
from bramble.store.layout.place import OBJECT_LOCKS
from bramble.store.layout.workspace import remove_stale
from bramble.store.locks.advisory import LockFile
from bramble.store.locks.uses import Leases, remove_dead
from bramble.store.records.objects import STAGED, TRASH, Objects

# A small file is written within moments; what is older than this many seconds was given up.
_TEMPORARY_LIFE = 3600.0


def remove_leftovers(objects: Objects) -> int:
    """Remove workspaces, staged objects, trash and temporary files of processes that are gone; count them."""
    # spec: store.gc.leftovers
    count = remove_stale(objects.var) + forget_all_failed(objects.var)
    count += remove_taken_down(objects.root or "/", objects.owner.uid)
    count += remove_dead(objects.var)
    locks = LockFile(f"{objects.var}/{OBJECT_LOCKS}")
    leases = Leases(objects.var)
    try:
        for name in os.listdir(objects.directory):
            count += _remove_unnamed(objects, name, locks, leases)
    finally:
        locks.close()
    parts = ("objects", "realisations", "projects", "roots", "sources", "inputs")
    directories = [f"{objects.var}/{part}" for part in parts]
    return count + sum(map(_remove_temporary, [objects.directory, objects.var, *directories]))


def _remove_unnamed(objects: Objects, name: str, locks: LockFile, leases: Leases) -> bool:
    """Remove something that is not yet, or no longer, an object, unless somebody is at it."""
    path = f"{objects.directory}/{name}"
    digest = name[len(STAGED) : len(STAGED) + DIGEST_LENGTH]
    if not name.startswith((STAGED, TRASH)):
        return False
    if not is_digest(digest):
        # A directory that was moved up out of one.
        remove_tree(path)
        return True
    # A process that publishes or repairs an object uses it meanwhile.
    if not locks.try_exclusive(digest):
        return False
    try:
        if leases.in_use(digest):
            return False
        if not os.path.isfile(path):
            remove_tree(path)
        elif os.path.exists(f"{objects.var}/objects/{digest}"):
            # It was noted, and then nothing was done: the object is whole, and may be needed by now.
            os.unlink(path)
        else:
            remove_in_place(objects, digest, path)
        return True
    finally:
        locks.release(digest)


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
