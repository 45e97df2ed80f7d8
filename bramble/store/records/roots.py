"""What must be kept: the results of known projects, and objects that a user has named."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.digest import digest
from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import read_file, sync_directory, write_file
from bramble.store.layout.place import BUILD_LOCKS
from bramble.store.locks.advisory import LockFile, alone
from bramble.store.path import shown
from bramble.store.records.files import digests_in
from bramble.store.records.objects import NOTE_USE_AFTER, Objects
from bramble.store.trust import schema
from bramble.store.trust.schema import VERSION

# Sets of targets of one project; and so many times what they were made with before.
_MOST_INPUTS = _MOST_FORMER = 64


class ProjectRoots(NamedTuple):
    """The results of the targets of one project when they were last built.

    `project` is its directory; `results` maps targets to names of objects;
    `former` are objects that were results once and may not be collected yet;
    `used` is when something of it was last built, in seconds since 1970. `inputs` has for targets that were
    built together, sorted, the digest of the record of all objects that they were made with (`inputs_of`);
    and without targets that of the former inputs of some targets, or of the inputs of a build that failed or
    was interrupted (`former_since`).
    """

    project: str
    results: Mapping[str, tuple[str, ...]]
    former: tuple[str, ...]
    used: float
    inputs: tuple[tuple[tuple[str, ...], str], ...] = ()

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of all results, sorted."""
        return tuple(sorted({name for names in self.results.values() for name in names}))


def record_results(
    objects: Objects,
    project: str,
    results: Mapping[str, Sequence[str]],
    on_wait: Optional[Callable[[], None]] = None,
    needed: Optional[Collection[str]] = None,
) -> bool:
    """Record the results of targets of a project; see `Store.record_roots`."""
    # spec: store.records.project
    key = digest(os.fsencode(project))
    path = f"{objects.var}/projects/{key}"
    objects.protect(name for names in results.values() for name in names)
    new = {target: tuple(names) for target, names in results.items()}
    made_with = tuple(sorted(set(needed or ())))
    inputs = None if needed is None else (tuple(sorted(new)), schema.digest_of(made_with))
    locks = LockFile(f"{objects.var}/{BUILD_LOCKS}")
    try:
        # A collector that has read the record may remove it: it counts only while that cannot be.
        locks.share(key, on_wait)
        if _is_recorded(path, new, inputs):
            return False
        locks.release(key)
        locks.exclusive(key, on_wait)
        before = read_project(path)
        old = dict(before.results) if before else {}
        merged = {**old, **new}
        gone = {name for names in old.values() for name in names}
        if before:
            gone.update(before.former)
        former = sorted(gone.difference(*merged.values()))
        # Another process may have made these objects a moment ago, and not be done with syncing them.
        objects.sync()
        kept = before.inputs if before else ()
        if inputs is not None:
            # A collector that finds a record unused removes it with this lock held.
            locks.share(inputs[1], on_wait)
            _write_inputs(objects, inputs[1], made_with)
            replaced = {one for one in kept if one[0] and set(one[0]) <= set(inputs[0])}
            former_inputs = [one for one in kept if not one[0]]
            no_longer = _no_longer_needed(objects, replaced, made_with)
            if no_longer:
                former_inputs = _with_former(objects, former_inputs, no_longer, locks, on_wait)
            others = [one for one in kept if one[0] and one not in replaced]
            kept = (*former_inputs, *others[-_MOST_INPUTS + 1 :], inputs)
        write_project(path, ProjectRoots(project, merged, tuple(former), 0.0, kept))
        return True
    finally:
        locks.close()


def record_tried(
    objects: Objects,
    project: str,
    names: Collection[str],
    on_wait: Optional[Callable[[], None]] = None,
) -> None:
    """Record the inputs of targets whose build failed; see `Store.record_tried`."""
    # spec: store.records.project, store.gc.former
    key = digest(os.fsencode(project))
    path = f"{objects.var}/projects/{key}"
    tried = tuple(sorted(set(names)))
    locks = LockFile(f"{objects.var}/{BUILD_LOCKS}")
    try:
        locks.exclusive(key, on_wait)
        before = read_project(path) or ProjectRoots(project, {}, (), 0.0)
        objects.sync()
        former = [one for one in before.inputs if not one[0]]
        former = _with_former(objects, former, tried, locks, on_wait)
        others = [one for one in before.inputs if one[0]]
        write_project(path, before._replace(inputs=(*former, *others)))
    finally:
        locks.close()


def _with_former(
    objects: Objects,
    former: Sequence[tuple[tuple[str, ...], str]],
    names: Sequence[str],
    locks: LockFile,
    on_wait: Optional[Callable[[], None]],
) -> list[tuple[tuple[str, ...], str]]:
    """Return the pairs without targets with one more, for `names`, which counts from now."""
    one: tuple[tuple[str, ...], str] = ((), schema.digest_of(names))
    locks.share(one[1], on_wait)
    _write_inputs(objects, one[1], names)
    os.utime(f"{objects.var}/inputs/{one[1]}")
    return [*(other for other in former if other != one), one][-_MOST_FORMER:]


def change_project(
    objects: Objects, path: str, change: Callable[[ProjectRoots], Optional[ProjectRoots]]
) -> None:
    """Replace the record of a project by what `change` makes of it; None removes it. Its time stays."""
    # spec: store.locks.records
    with alone(f"{objects.var}/{BUILD_LOCKS}", os.path.basename(path)):
        before = read_project(path)
        after = before and change(before)
        if before is None or after == before:
            return
        if after is None:
            os.unlink(path)
        else:
            write_project(path, after)
            os.utime(path, (after.used, after.used))


def _is_recorded(
    path: str, results: Mapping[str, tuple[str, ...]], inputs: Optional[tuple[tuple[str, ...], str]]
) -> bool:
    """Return whether nothing has changed since a project was last built; then only note that it was built."""
    before = read_project(path)
    if before is None or any(before.results.get(target) != names for target, names in results.items()):
        return False
    if inputs is not None and inputs not in before.inputs:
        return False
    if before.used < time.time() - NOTE_USE_AFTER:
        os.utime(path)
    return True


def read_project(path: str) -> Optional[ProjectRoots]:
    """Return the record of a project, or None if there is no record. Raises store.damaged-record."""
    data = read_file(path)
    if data is None:
        return None
    try:
        found = schema.project(data)
    except schema.Malformed as error:
        # If it were ignored or replaced, a collection could remove the results of the targets.
        raise BrambleError(
            "store.damaged-record",
            f'"{shown(path)}", which records the results of a project, cannot be read: {error}',
            remedy="remove that file and build the targets of that project again",
        ) from error
    with contextlib.suppress(FileNotFoundError):
        return ProjectRoots(found.project, found.results, found.former, os.stat(path).st_mtime, found.inputs)
    return None


def write_project(path: str, roots: ProjectRoots) -> None:
    """Write the record of a project, for good."""
    fields = {
        "version": VERSION,
        "project": roots.project,
        "results": {target: list(names) for target, names in sorted(roots.results.items())},
        "former": list(roots.former),
        "inputs": [[list(targets), name] for targets, name in roots.inputs],
    }
    write_file(path, json.dumps(fields).encode(), sync=True)
    sync_directory(os.path.dirname(path))


def _write_inputs(objects: Objects, name: str, made_with: Sequence[str]) -> None:
    # spec: store.records.inputs
    path = f"{objects.var}/inputs/{name}"
    if schema.or_none(functools.partial(schema.inputs, name), read_file(path)) is None:
        write_file(path, json.dumps({"version": VERSION, "objects": made_with}).encode(), sync=True)
        sync_directory(f"{objects.var}/inputs")


def _no_longer_needed(
    objects: Objects, replaced: Iterable[tuple[tuple[str, ...], str]], made_with: Sequence[str]
) -> tuple[str, ...]:
    """Return what targets were made with when they were built before, and are not now."""
    # spec: store.gc.former
    found: set[str] = set()
    for _, name in replaced:
        path = f"{objects.var}/inputs/{name}"
        found.update(schema.or_none(functools.partial(schema.inputs, name), read_file(path)) or ())
    return tuple(sorted(found.difference(made_with)))


def former_since(objects: Objects, name: str) -> float:
    """Return when what the record of inputs `name` says was last replaced (s since 1970); 0 if it is gone."""
    try:
        return os.stat(f"{objects.var}/inputs/{name}").st_mtime
    except FileNotFoundError:
        return 0.0


def inputs_of(objects: Objects, roots: ProjectRoots) -> dict[str, tuple[str, ...]]:
    """Return the objects that the targets of a project were made with, by the digest of their record.

    Raises BrambleError store.damaged-record for a record that cannot be read; one that is gone keeps nothing.
    """
    found: dict[str, tuple[str, ...]] = {}
    for _, name in roots.inputs:
        path = f"{objects.var}/inputs/{name}"
        data = read_file(path)
        if data is None:
            continue
        try:
            found[name] = schema.inputs(name, data)
        except schema.Malformed as error:
            # As with results: passed over, it would let a collection remove what is needed to build again.
            raise BrambleError(
                "store.damaged-record",
                f'"{shown(path)}", which records the inputs of targets, cannot be read: {error}',
                remedy="remove that file and build the targets of the project again",
            ) from error
    return found


def results_of(objects: Objects, project: str) -> Mapping[str, tuple[str, ...]]:
    """Return the results of the targets of a project, if it was built. Raises store.damaged-record."""
    found = read_project(f"{objects.var}/projects/{digest(os.fsencode(project))}")
    return {} if found is None else found.results


def projects(objects: Objects) -> Iterator[tuple[str, ProjectRoots]]:
    """Yield the records of all projects, each with its path, in the order of their names.

    Raises BrambleError store.damaged-record.
    """
    directory = f"{objects.var}/projects"
    for name in digests_in(directory):
        path = f"{directory}/{name}"
        roots = read_project(path)
        if roots is not None:
            yield path, roots


def add_root(objects: Objects, label: str, names: Sequence[str]) -> None:
    """Keep objects, whatever projects need, under a label of the user's choice. An old one is replaced.

    Raises BrambleError store.unknown-object, store.read-only, and those of failed system calls.
    """
    # spec: store.records.root
    if objects.read_only:
        raise BrambleError(
            "store.read-only", "a store that is only read keeps no roots", remedy="ask its owner"
        )
    missing = objects.first_missing(names)
    if missing is not None:
        # Collected just now, or the store is damaged: an absent object must not be reported as kept.
        raise BrambleError(
            "store.unknown-object", f"there is no object {missing} in the store", remedy="build it again"
        )
    fields = {"version": VERSION, "label": label, "objects": list(names)}
    data = json.dumps(fields).encode()
    with DiskFailures("record a root"):
        # As in `record_results`.
        objects.sync()
        write_file(f"{objects.var}/roots/{digest(os.fsencode(label))}", data, sync=True)
        sync_directory(f"{objects.var}/roots")


def remove_root(objects: Objects, label: str) -> bool:
    """Forget what was kept under a label; say whether there was anything."""
    with DiskFailures("remove a root"):
        try:
            os.unlink(f"{objects.var}/roots/{digest(os.fsencode(label))}")
        except FileNotFoundError:
            return False
    return True


def explicit_roots(objects: Objects) -> dict[str, tuple[str, ...]]:
    """Return what a user has named: labels and names of objects. Raises store.damaged-record."""
    roots: dict[str, tuple[str, ...]] = {}
    for name in digests_in(f"{objects.var}/roots"):
        path = f"{objects.var}/roots/{name}"
        data = read_file(path)
        if data is None:
            continue
        try:
            found = schema.explicit_root(data)
        except schema.Malformed as error:
            # To pass it over would let a collection remove what was to be kept.
            raise BrambleError(
                "store.damaged-record",
                f'"{shown(path)}", which records what must be kept, cannot be read: {error}',
                remedy="remove that file and keep what you need under a new label",
            ) from error
        roots[found.label] = found.objects
    return roots
