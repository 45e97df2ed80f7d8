"""Collecting what nobody needs any more, beside any number of processes that build, import and run.

What keeps this safe is an invariant and an order. The invariant: *an object
that is in the store has all that it refers to in the store*. Publication keeps
it by putting references in first, removal by taking referrers out first. So
a process that uses an object and its closure declares the use of that one object, by a lock
or a lease (`bramble.store.locks.uses`), and then looks whether it is there (`Objects.protect`).

The collector takes a picture of the graph and goes through what nobody needs,
referrers first, a few at a time: it locks these exclusively; one that it cannot
lock is in use, and is kept with its closure. With the locks held it looks
what has come since the picture was taken: a name in a lease, a new object or a new
root keeps its closure too. Only then are these few renamed away, in an instant, and their
records removed. The trees are removed when all locks have been given up.

So no lock is held for long, nobody waits for a collection, and wherever it is
interrupted, what it leaves is a store.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import dataclass, field
from bramble.store.digest import is_digest
from bramble.store.files.failures import DiskFailures
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import open_lock, sync_directory
from bramble.store.gc.leftovers import remove_leftovers
from bramble.store.gc.mark import Node, choose, reachable, referrers_first
from bramble.store.gc.optimise import seal_unfinished
from bramble.store.gc.removal import take_out
from bramble.store.gc.trim import trim_inputs, trim_records
from bramble.store.history.records import forget_histories
from bramble.store.layout.place import COLLECTOR_LOCK, OBJECT_LOCKS
from bramble.store.locks.advisory import LockFile, lock_whole
from bramble.store.locks.uses import Leases
from bramble.store.records.files import read_object
from bramble.store.records.objects import Objects
from bramble.store.records.reread import record_of, reread
from bramble.store.records.roots import (
    ProjectRoots,
    change_project,
    explicit_roots,
    former_since,
    inputs_of,
    projects,
)

# So many objects are locked at a time: for some hundredths of a second.
_BATCH = 256
# Former inputs of targets are kept for this many seconds, for users who return to an earlier version.
KEEP_FORMER = 7 * 86400.0


@dataclass(frozen=True)
class Share:
    """A part of the store: objects, and the bytes in their files."""

    objects: int = 0
    size: int = 0


@dataclass(frozen=True)
class GcReport:
    """What a collection has removed, or would have (`dry_run`).

    `freed` are names of objects in the order of removal. `freed_by` has, by
    project ("" is nobody's), what went; `held_by` what each living project
    holds, shared objects counted for each, `results_of` what of that are results with all that they
    refer to, and `former_of` what is held only since targets were made with it before; `last_used` when
    something of it was last built (s since 1970). `forgotten` are projects that are no longer
    there. `leftovers` counts what crashed processes had left behind.
    """

    dry_run: bool
    freed: tuple[str, ...] = ()
    freed_size: int = 0
    kept: Share = Share()
    freed_by: Mapping[str, Share] = field(default_factory=dict)
    held_by: Mapping[str, Share] = field(default_factory=dict)
    results_of: Mapping[str, Share] = field(default_factory=dict)
    former_of: Mapping[str, Share] = field(default_factory=dict)
    last_used: Mapping[str, float] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    leftovers: int = 0


def collect(
    objects: Objects,
    *,
    dry_run: bool = False,
    older_than: Optional[float] = None,
    max_size: Optional[int] = None,
    forget_idle: Optional[float] = None,
    results_only: bool = False,
    keep_former: float = KEEP_FORMER,
    is_project: Callable[[str], bool] = os.path.isdir,
    on_freed: Optional[Callable[[str, int], None]] = None,
) -> GcReport:
    """Remove the objects that nobody needs, and report.

    With `older_than` (seconds) only what was not used for this time; with
    `max_size` (bytes) only as much, least recently used first, as brings the
    store down to that. With `results_only` what targets were made with is not
    needed. The former inputs of targets are needed for `keep_former`
    seconds after that was replaced. `forget_idle` (seconds): projects of which nothing was
    built for that time are forgotten, as are those for which `is_project` is
    false. `on_freed(name, size)` is called for each object as it goes.

    Raises BrambleError store.read-only, store.locks-unsupported, and those of
    failed system calls.
    """
    # spec: store.gc
    if objects.read_only:
        raise BrambleError(
            "store.read-only", "a store that is only read cannot be collected", remedy="collect as its owner"
        )
    with DiskFailures("collect"), _only_collector(objects):
        leftovers = 0 if dry_run else remove_leftovers(objects)
        if not dry_run:
            seal_unfinished(objects)
        collector = _Collector(
            objects,
            is_project,
            forget_idle,
            dry_run=dry_run,
            results_only=results_only,
            keep_former=keep_former,
        )
        try:
            chosen = collector.choose(older_than, max_size)
            freed = chosen if dry_run else collector.sweep(chosen, on_freed)
        finally:
            collector.locks.close()
        if not dry_run:
            collector.forget_projects()
            forget_histories(objects, collector.is_gone)
            trim_records(objects)
        report = collector.report(freed, leftovers)
        if not dry_run:
            # Until here these records say whose what was freed had been.
            trim_inputs(objects)
        return report


@contextlib.contextmanager
def _only_collector(objects: Objects) -> Iterator[None]:
    """Wait until no other process collects. Builders never wait for this lock."""
    fd = open_lock(f"{objects.var}/{COLLECTOR_LOCK}")
    try:
        lock_whole(fd, f"{objects.var}/{COLLECTOR_LOCK}")
        yield
    finally:
        os.close(fd)


def delete(objects: Objects, names: Sequence[str]) -> GcReport:
    """Remove certain objects, if nobody needs them.

    Raises BrambleError store.unknown-object; store.in-use when one is in use,
    a root, or referred to by an object that is not to be removed; and as `collect` does.
    """
    # spec: store.delete
    with DiskFailures("delete objects"), _only_collector(objects):
        # What is only needed to build something again may be deleted by name.
        collector = _Collector(objects, os.path.isdir, None, dry_run=False, results_only=True)
        try:
            freed = collector.sweep(collector.check(names), None)
        finally:
            collector.locks.close()
        return collector.report(freed, 0)


class _Collector:
    def __init__(
        self,
        objects: Objects,
        is_project: Callable[[str], bool],
        forget_idle: Optional[float],
        *,
        dry_run: bool,
        results_only: bool,
        keep_former: float = 0.0,
    ) -> None:
        self._objects = objects
        self._is_project = is_project
        self._idle_since = None if forget_idle is None else time.time() - forget_idle
        self._dry_run = dry_run
        self._results_only = results_only
        self._former_until = time.time() - keep_former
        self._inputs: dict[str, tuple[str, ...]] = {}  # what records hold never changes
        self.locks = LockFile(f"{objects.var}/{OBJECT_LOCKS}")
        self._leases = Leases(objects.var)
        self._leased: set[str] = set()
        # First the records, then the objects: what appears in between has a record that is missing here.
        # A record without an object is of one that is about to appear. Both are new to `_refresh`.
        self._nodes: dict[str, Node] = {}
        records = _editions(f"{objects.var}/objects")
        names = objects.names()
        self._seen_records = {name: records[name] for name in names if name in records}
        for name in names:
            self._nodes[name] = self._node(name)
        self._roots: tuple[str, ...] = ()
        self._forgotten: list[tuple[str, ProjectRoots]] = []
        self._live_projects: list[ProjectRoots] = []
        self._read_roots()
        self._live = reachable(self._nodes, self._roots)

    def _node(self, name: str) -> Node:
        """Return what is known of an object; one whose record is lost is read again, whatever it takes."""
        try:
            record = read_object(self._objects.var, name)
            used = os.stat(f"{self._objects.var}/objects/{name}").st_mtime
        except (BrambleError, FileNotFoundError):
            record, used = None, 0.0
        if record is None:
            if not self._objects.contains(name):
                return Node((), 0, 0.0)
            with contextlib.suppress(BrambleError, OSError):
                read = reread(self._objects, name, self._objects.names())
                if read.identity.name != name:
                    # Damaged, or the rest of one whose removal was broken off.
                    return Node((), 0, 0.0)
                record = record_of(name, read.identity)
                if not self._dry_run:
                    record = self._objects.record(record)
        return Node(record.references, record.size, used) if record else Node((), 0, used)

    def _read_roots(self) -> None:
        self._forgotten.clear()
        self._live_projects.clear()
        names: set[str] = set(self._objects.in_use())
        for path, roots in projects(self._objects):
            # spec: store.gc.projects
            if self._is_forgotten(roots):
                self._forgotten.append((path, roots))
            else:
                self._live_projects.append(roots)
                names.update(self._needed(roots))
        for kept in explicit_roots(self._objects).values():
            names.update(kept)
        self._roots = tuple(sorted(names))

    def _needed(self, roots: ProjectRoots) -> set[str]:
        # spec: store.gc.inputs
        made_with = self._made_with(self._without_former(roots))
        return {*roots.objects} if self._results_only else {*roots.objects, *made_with}

    def _made_with(self, roots: ProjectRoots) -> set[str]:
        """Return what is needed to build the targets of a project again, be it there or not."""
        if not all(name in self._inputs for _, name in roots.inputs):
            self._inputs.update(inputs_of(self._objects, roots))
        return {object for _, name in roots.inputs for object in self._inputs.get(name, ())}

    def _without_former(self, roots: ProjectRoots, *, all_of_it: bool = False) -> ProjectRoots:
        """Return the roots without what targets were made with before, if that was long ago."""
        # spec: store.gc.former
        return roots._replace(
            inputs=tuple(
                (targets, name)
                for targets, name in roots.inputs
                if targets
                or not (all_of_it or self._results_only)
                and former_since(self._objects, name) > self._former_until
            )
        )

    def _is_forgotten(self, roots: ProjectRoots) -> bool:
        return self.is_gone(roots.project, roots.used)

    def is_gone(self, project: str, used: float) -> bool:
        """Return whether a project that was last built at `used` counts no longer."""
        idle = self._idle_since is not None and used < self._idle_since
        return idle or not self._is_project(project)

    def choose(self, older_than: Optional[float], max_size: Optional[int]) -> list[str]:
        """Return what is to be removed, referrers first, without what is in use."""
        unused_since = None if older_than is None else time.time() - older_than
        while True:
            chosen = choose(self._nodes, self._live, unused_since=unused_since, max_size=max_size)
            self._rescue_leased()
            in_use = [name for name in chosen if name in self._live or not self._try(name)]
            if not in_use:
                return chosen
            self._rescue(in_use)

    def check(self, names: Sequence[str]) -> list[str]:
        """Return `names`, referrers first, if they can go."""
        for name in names:
            self._objects.object(name)
            if name in self._roots:
                remedy = "remove the root, or let the project build something else and collect"
                raise _needed(name, "a project or a root needs it", remedy)
        wanted = set(names)
        for referrer, node in self._nodes.items():
            if referrer not in wanted and wanted.intersection(node.references):
                name = min(wanted.intersection(node.references))
                raise _needed(name, f"{referrer} refers to it", f"delete {referrer} first, or with it")
        leased = self._leases.names()
        for name in names:
            if name in leased or not self._try(name):
                raise _needed(name, "a running process uses it", "wait until that has ended")
        # What refers to none of the named objects is not a reason to keep one of them.
        self._live -= wanted
        return referrers_first(self._nodes, wanted)

    def _rescue_leased(self) -> None:
        """Keep what processes say in their leases that they use."""
        # spec: store.locks.uses
        new = self._leases.names() - self._leased
        self._leased |= new
        self._rescue(new)

    def _try(self, name: str) -> bool:
        """Return whether nobody has the lock of an object at this moment."""
        taken = self.locks.try_exclusive(name)
        if taken:
            self.locks.release(name)
        return taken

    def _rescue(self, names: Iterable[str]) -> None:
        self._live |= reachable(self._nodes, names, self._live)

    def sweep(self, chosen: Sequence[str], on_freed: Optional[Callable[[str, int], None]]) -> list[str]:
        """Remove what was chosen, a few at a time, except what has come into use; return what is gone."""
        freed: list[str] = []
        for start in range(0, len(chosen), _BATCH):
            batch = [name for name in chosen[start : start + _BATCH] if name not in self._live]
            locked: list[str] = []
            trash: list[tuple[str, str]] = []
            try:
                for name in batch:
                    if self.locks.try_exclusive(name):
                        locked.append(name)
                    else:
                        self._rescue([name])
                self._refresh()
                self._rescue_leased()
                trash = self._rename_away([name for name in locked if name not in self._live])
            finally:
                for name in locked:
                    self.locks.release(name)
            freed.extend(name for name, _ in trash)
            for name, path in trash:
                if path:
                    remove_tree(path)
                if on_freed is not None:
                    on_freed(name, self._nodes[name].size)
        return freed

    def _refresh(self) -> None:
        """Keep what has become needed since the snapshot was taken."""
        before = self._roots
        self._read_roots()
        roots = set(self._roots).difference(before)
        for name, edition in _editions(f"{self._objects.var}/objects").items():
            if self._seen_records.get(name) != edition:
                # A record comes before its object: it keeps what the object is going to refer to. One that
                # was written again has more references than before.
                self._nodes[name] = self._node_of_record(name)
                self._live.discard(name)
                self._seen_records[name] = edition
                roots.add(name)
        for name in roots:
            if name not in self._nodes and self._objects.contains(name):
                self._nodes[name] = self._node(name)
        self._rescue(roots)

    def _node_of_record(self, name: str) -> Node:
        with contextlib.suppress(BrambleError):
            record = read_object(self._objects.var, name)
            if record is not None:
                return Node(record.references, record.size, time.time())
        return Node((), 0, time.time())

    def _rename_away(self, names: Sequence[str]) -> list[tuple[str, str]]:
        """Take objects, whose locks are held, out of the store: first them, for good, then their records."""
        trash: list[tuple[str, str]] = []
        for name in names:
            there = self._objects.contains(name)
            path = take_out(self._objects, name)
            if there:
                trash.append((name, path or ""))
        if trash:
            sync_directory(self._objects.directory)
        for name in names:
            self._objects.forget(name)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._objects.var}/objects/{name}")
            self._seen_records.pop(name, None)
        return trash

    def forget_projects(self) -> None:
        """Remove the records of projects that are gone, and from the others what no longer is."""

        def without_what_is_gone(roots: ProjectRoots) -> Optional[ProjectRoots]:
            # It may have been built since the roots were read: what counts is what is recorded now.
            if self._is_forgotten(roots):
                return None
            former = tuple(name for name in roots.former if self._objects.contains(name))
            return self._without_former(roots)._replace(former=former)

        for path, _ in projects(self._objects):
            change_project(self._objects, path, without_what_is_gone)
        self._forgotten = [(path, roots) for path, roots in self._forgotten if not os.path.exists(path)]

    def report(self, freed: Sequence[str], leftovers: int) -> GcReport:
        """Return the report of what was freed."""
        nodes, gone = self._nodes, set(freed)
        owners: dict[str, str] = {}
        for _, roots in self._forgotten:
            made_with: set[str] = set()
            with contextlib.suppress(BrambleError):
                made_with = self._made_with(roots)
            for name in reachable(nodes, {*roots.objects, *roots.former, *made_with}):
                owners.setdefault(name, roots.project)
        for roots in self._live_projects:
            # As they were before those that are too old were forgotten.
            for name in reachable(nodes, {*roots.former, *self._made_with(roots)}):
                owners.setdefault(name, roots.project)
        by: dict[str, list[str]] = {}
        for name in freed:
            by.setdefault(owners.get(name, ""), []).append(name)
        return GcReport(
            self._dry_run,
            tuple(freed),
            self._share(freed).size,
            self._share(name for name in nodes if name not in gone),
            {project: self._share(names) for project, names in sorted(by.items())},
            {
                roots.project: self._share(reachable(nodes, self._needed(roots)))
                for roots in self._live_projects
            },
            {roots.project: self._share(reachable(nodes, roots.objects)) for roots in self._live_projects},
            {roots.project: self._share(self._only_former(roots)) for roots in self._live_projects},
            {roots.project: roots.used for roots in self._live_projects},
            tuple(roots.project for _, roots in self._forgotten),
            leftovers,
        )

    def _only_former(self, roots: ProjectRoots) -> set[str]:
        """Return what a project holds only since its targets were made with it before."""
        now = self._without_former(roots, all_of_it=True)
        return reachable(self._nodes, self._needed(roots)) - reachable(self._nodes, self._needed(now))

    def _share(self, names: Iterable[str]) -> Share:
        sizes = [self._nodes[name].size for name in names]
        return Share(len(sizes), sum(sizes))


def _editions(directory: str) -> dict[str, tuple[int, int]]:
    """Return the digests that are names in a directory, each with what is another when it was written again.

    The inode alone may come back. A record that is written again has more references, so it is longer.
    """
    found: dict[str, tuple[int, int]] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            if is_digest(entry.name):
                with contextlib.suppress(FileNotFoundError):
                    found[entry.name] = (entry.inode(), entry.stat(follow_symlinks=False).st_size)
    return found


def _needed(name: str, why: str, remedy: str) -> BrambleError:
    return BrambleError("store.in-use", f"the object {name} cannot be deleted: {why}", remedy=remedy)
