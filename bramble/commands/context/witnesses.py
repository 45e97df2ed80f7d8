"""What decides that a build has nothing to do, besides what evaluation read: for the record of its answer."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from bramble.build.sources import contents_of
from bramble.build.stamps import Stamp
from bramble.commands.build import LOCK_NAME, BuildResult
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.setting import Setting
from bramble.derivation.model import GENERATOR
from bramble.recall.reads import Reads
from bramble.store.digest import digest
from bramble.store.disk import Store
from bramble.store.layout.place import LINK, place_of_failed
from bramble.store.records.objects import NOTE_USE_AFTER

if TYPE_CHECKING:
    # It loads the sandbox, of which a build with nothing to do has no need.
    from bramble.commands.running import Prepared


def note_build(reads: Reads, evaluated: Evaluated, result: BuildResult, setting: Setting) -> float:
    """Note what decided that nothing had to be built; return until when that counts, in seconds since 1970.

    What has no place in a record spoils it: generators, stores of others.
    """
    # spec: recall.witness
    store, report, graph = result.store, result.report, evaluated.evaluation.graph
    if store.read_only:
        reads.spoil("the store is only read")
    if any(one.builtin == GENERATOR for one in graph.derivations.values()):
        # The report speaks of derivations that came of it, which this graph does not know.
        reads.spoil("a graph is generated")
        return 0.0
    if result.new_pins or result.skipped:
        reads.spoil("the lock may change")
    reads.file(evaluated.project.home, LOCK_NAME)
    if setting.mirror_table:
        reads.chain(setting.mirror_table)
    reads.stamp(place_of_failed(setting.store_root, evaluated.project.home))
    roots_of = evaluated.evaluation.source_roots
    for sources, made in report.sources.items():
        known = None if made is None else contents_of(sources, made.name, store, roots_of)
        if known is None:
            known = [(b"", 0)] * len(sources.files)
        for file, (content, mode) in zip(sources.files, known):
            # Of a link the content is its target, which its stamp says.
            reads.source(roots_of[sources.project], file, content.hex() if stat.S_ISREG(mode) else "")
    _note_store(reads, store, setting)
    # What was known of each derivation: another result of one below would make the ones above others, too.
    reads.table(f"{store.var}/realisations", sorted(set(report.resolved.values())))
    for id in report.cached:
        if id in report.stamps:
            _note_machine(reads, report.stamps[id])
    roots = {output.name for output in report.outputs.values()}
    for name in store.closure(roots):
        path = store.object_path(name)
        reads.place(path)
        if not os.path.lexists(path):
            reads.spoil(f"{path} is gone")
    registered = f"{store.var}/projects/{digest(os.fsencode(evaluated.project.home))}"
    reads.stamp(registered)
    return _noted_again(store, result, registered)


def note_run(reads: Reads, result: BuildResult, prepared: Prepared) -> None:
    """Note what decided how a program is run, besides what `note_build` notes."""
    # spec: recall.run
    # Each is a separate file that is only replaced; the references of an object decide what is shown.
    reads.table(f"{result.store.var}/objects", sorted(prepared.objects))
    for mount in (*prepared.writable, *prepared.read_only):
        reads.kind(mount.target)
        reads.way(mount.target)
    for path in prepared.spec.hidden:
        reads.kind(path)
    if prepared.project:
        reads.way(prepared.project)
    reads.way(prepared.spec.cwd)


def _note_store(reads: Reads, store: Store, setting: Setting) -> None:
    """Note that it is the same store, which nobody else can change."""
    place = store.location
    reads.way(setting.store_root)
    for directory in (place.root, place.var, *(f"{place.root}/{part}" for part in place.padding)):
        reads.place(directory)
    reads.stamp(place.record)
    reads.stamp(f"{place.root}/{LINK}")


def _note_machine(reads: Reads, stamps: tuple[Stamp, ...]) -> None:
    """Note the files of this machine that an impure build has read, or looked for in vain."""
    for kind, path, *_ in stamps:
        if kind != "rules":
            reads.stamp(path)


def _noted_again(store: Store, result: BuildResult, registered: str) -> float:
    """Return when the first of what was used has to be noted as used again: a record does not do that."""
    # spec: store.gc.last-use
    report = result.report
    names = {*report.names.values(), *(found.name for found in report.sources.values() if found is not None)}
    files = [registered, *(f"{store.var}/objects/{name}" for name in names)]
    files += [f"{store.var}/realisations/{resolved}" for resolved in report.resolved.values()]
    times = []
    for file in files:
        try:
            times.append(os.stat(file).st_mtime)
        except OSError:
            continue
    return min(times, default=time.time()) + NOTE_USE_AFTER
