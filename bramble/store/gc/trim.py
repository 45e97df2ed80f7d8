"""Records of objects that do not exist any more: what a collection removes after the objects."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Container, Iterable

from bramble.store.digest import DIGEST_LENGTH
from bramble.store.files.small import read_file
from bramble.store.layout.place import BUILD_LOCKS, OBJECT_LOCKS, PREVIOUS_LOG
from bramble.store.locks.advisory import LockFile
from bramble.store.locks.uses import Leases
from bramble.store.model import Realisation
from bramble.store.records.files import digests_in, read_realisation
from bramble.store.records.objects import Objects
from bramble.store.records.roots import projects
from bramble.store.trust import schema
from bramble.store.trust.schema import Recipe, is_derivation

# A derivation is written before its outputs and its realisation: what is younger than this many seconds
# may belong to a build that goes on.
_UNFINISHED = 86400.0
# The log of a build that failed is kept for so many seconds.
_LOG_LIFE = 30 * 86400.0
# So is a realisation with the same result as a needed one that was not used since.
_EQUAL_LIFE = 30 * 86400.0


def trim_records(objects: Objects) -> None:
    """Remove records of objects, realisations, derivations, stamps and logs that are no longer of use.

    What was built stays known for everything that is still there, and for what
    it was made from, whether that is still there or not: only so can a build
    that has nothing to do find that out.
    """
    # spec: store.gc.records
    _trim_objects(objects)
    kept, sources = _kept(objects)
    known = {filename[:DIGEST_LENGTH] for filename in kept}
    derivations: dict[str, list[str]] = {}
    for filename in filter(is_derivation, os.listdir(objects.directory)):
        derivations.setdefault(filename[:DIGEST_LENGTH], []).append(filename)
    recorded = {*digests_in(f"{objects.var}/realisations"), *digests_in(f"{objects.var}/logs"), *derivations}
    locks = LockFile(f"{objects.var}/{BUILD_LOCKS}")
    try:
        for resolved in sorted(recorded - known):
            # A process that builds it, or records its result, holds its lock meanwhile.
            if locks.try_exclusive(resolved):
                try:
                    _trim_build(objects, resolved, derivations.get(resolved, ()))
                finally:
                    locks.release(resolved)
        _trim_sources(objects, sources, locks)
    finally:
        locks.close()


def trim_inputs(objects: Objects) -> None:
    """Remove the records of what targets were made with that no project refers to any more."""
    # spec: store.records.inputs
    unused = set(digests_in(f"{objects.var}/inputs")) - _named_inputs(objects)
    if not unused:
        return
    locks = LockFile(f"{objects.var}/{BUILD_LOCKS}")
    try:
        taken = [name for name in sorted(unused) if locks.try_exclusive(name)]
        # A process that adds a reference to one holds its lock meanwhile: what has no reference now gets
        # none.
        for name in set(taken) - _named_inputs(objects):
            _unlink(f"{objects.var}/inputs/{name}")
    finally:
        locks.close()


def _named_inputs(objects: Objects) -> set[str]:
    return {name for _, roots in projects(objects) for _, name in roots.inputs}


def _trim_build(objects: Objects, resolved: str, filenames: Iterable[str]) -> None:
    """Remove what is known of a build, whose lock is held, unless it was built since that was decided."""
    found = read_realisation(objects.var, resolved)
    if found is not None and _is_whole(objects, found):
        return
    now = time.time()
    _unlink(f"{objects.var}/realisations/{resolved}")
    for filename in filenames:
        _unlink_older(f"{objects.directory}/{filename}", now - _UNFINISHED)
    for log in (resolved, resolved + PREVIOUS_LOG):
        _unlink_older(f"{objects.var}/logs/{log}", now - _LOG_LIFE)


def recipe_of(objects: Objects, filename: str) -> Recipe:
    """Return what the store derivation in the file `filename` was made from."""
    found = schema.or_none(schema.recipe, read_file(f"{objects.directory}/{filename}"))
    return Recipe() if found is None else found


def realisations(objects: Objects) -> Iterable[Realisation]:
    """Yield all realisations that can be read, whole or not, in the order of their digests."""
    for resolved in digests_in(f"{objects.var}/realisations"):
        found = read_realisation(objects.var, resolved)
        if found is not None:
            yield found


def _kept(objects: Objects) -> tuple[set[str], set[str]]:
    """Return the file names of the derivations that stay known, and the names of their sources.

    If several derivations have the same result as an input, a build may ask for any of
    them: the recipe names the one that was built first, not the one of today.
    """
    kept: set[str] = set()
    sources: set[str] = set()
    left: list[str] = []
    equal: dict[str, list[Realisation]] = {}
    for found in realisations(objects):
        if _is_whole(objects, found):
            left.append(found.derivation)
        for _, name in found.outputs:
            equal.setdefault(name, []).append(found)
    asked_since = time.time() - _EQUAL_LIFE
    while left:
        filename = left.pop()
        if filename in kept:
            continue
        kept.add(filename)
        recipe = recipe_of(objects, filename)
        sources.add(recipe.source)
        left.extend(recipe.derivations)
        for name in recipe.inputs:
            for found in equal.pop(name, ()):
                if _last_use(objects, found) >= asked_since:
                    left.append(found.derivation)
    return kept, sources


def _last_use(objects: Objects, realisation: Realisation) -> float:
    # spec: store.gc.last-use
    try:
        return os.stat(f"{objects.var}/realisations/{realisation.resolved}").st_mtime
    except FileNotFoundError:
        return 0.0


def _is_whole(objects: Objects, realisation: Realisation) -> bool:
    return all(objects.contains(name) for _, name in realisation.outputs)


def _trim_objects(objects: Objects) -> None:
    """Remove the records of objects that are not there, unless somebody is about to publish them."""
    locks = LockFile(f"{objects.var}/{OBJECT_LOCKS}")
    leases = Leases(objects.var)
    try:
        for name in digests_in(f"{objects.var}/objects"):
            if not objects.contains(name) and locks.try_exclusive(name):
                try:
                    if not leases.in_use(name) and not objects.contains(name):
                        _unlink(f"{objects.var}/objects/{name}")
                finally:
                    locks.release(name)
    finally:
        locks.close()


def _trim_sources(objects: Objects, kept: Container[str], locks: LockFile) -> None:
    for key in digests_in(f"{objects.var}/sources"):
        path = f"{objects.var}/sources/{key}"
        if not _is_of_use(objects, path, kept) and locks.try_exclusive(key):
            try:
                if not _is_of_use(objects, path, kept):
                    _unlink(path)
            finally:
                locks.release(key)


def _is_of_use(objects: Objects, path: str, kept: Container[str]) -> bool:
    found = schema.or_none(schema.source, read_file(path))
    return found is not None and (found.object in kept or objects.contains(found.object))


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _unlink_older(path: str, time_: float) -> None:
    with contextlib.suppress(FileNotFoundError):
        if os.stat(path).st_mtime < time_:
            os.unlink(path)
