"""Builds whose graphs grow: evaluation → build → evaluation of what was built → build.

A round looks up, in the lock, what generators wrote, and builds those that are
not there; what they wrote goes into the graph and into the lock. When no generator
is left the rest is built. Which generators a round has and what the graph is
afterwards is worked out in `derivation.generated`; here it meets store, lock and language.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, Protocol

from bramble.build.events import Event, Planned
from bramble.build.options import BuildOptions, BuildReport, Failure
from bramble.build.pins import lock_key
from bramble.build.sources import name_sources
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.limits import bounded
from bramble.commands.context.setting import Setting
from bramble.derivation.canonical import canonical_bytes
from bramble.derivation.document import GraphDocument, Lent, Result, read_document
from bramble.derivation.generated import Generated, generated, graft, lent_to, waiting
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import GENERATOR
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError, Place
from bramble.lang.evaluate import evaluate
from bramble.project.access import read_file
from bramble.project.config import ProjectConfig
from bramble.project.lockfile import Lock, update_lock
from bramble.project.modules import DEFAULT, parse_target
from bramble.project.names import SUFFIX
from bramble.project.project import Project
from bramble.record import dataclass, replace
from bramble.store.digest import digest
from bramble.store.disk import Store

INPUTS, ROOT = "inputs", "root"  # keys of a table of the lock, beside the ids of derivations
FUNCTION = "default"
_NAME = "generated"  # the module name of what a builder wrote
_LARGEST = 64 << 20  # bytes of a document


class BuildOnce(Protocol):
    """Builds the roots of one graph, as `bramble.build.engine.build` does."""

    def __call__(
        self,
        graph: DerivationGraph,
        roots: Sequence[str],
        *,
        options: BuildOptions,
        on_event: Callable[[Event], None],
    ) -> BuildReport:
        """Return what became of them."""


@dataclass(frozen=True)
class Growth:
    """What came of a build whose graph grew: the report has the ids of before and those of now."""

    evaluated: Evaluated  # with what generators wrote in their places
    roots: tuple[str, ...]
    report: BuildReport
    networked: tuple[str, ...]  # names of generators that ran with the network
    errors: tuple[BrambleError, ...]  # of the lock: what was built is there all the same


@dataclass(frozen=True)
class Around:
    """What stays the same in all rounds. `take` takes the lock of an open directory, as for `update_lock`."""

    store: Store
    setting: Setting
    lock: Lock
    lock_path: str
    take: Callable[[int, str], None]
    source_roots: Mapping[str, str]
    options: BuildOptions  # `renew`: ids of generators to run again, among others
    locked: bool = False  # refuse to run a generator


class _Growing:
    """One build, round by round."""

    def __init__(self, evaluated: Evaluated, roots: Sequence[str], around: Around, once: BuildOnce) -> None:
        self._around = around
        self._once = once
        self.evaluated = evaluated
        self.graph = evaluated.evaluation.graph
        self.roots = tuple(roots)
        self.ids: dict[str, str] = {}  # id in the graph that was evaluated → id now, where it is another one
        self.all: dict[str, Any] = dict(self.graph.derivations)
        self.places: dict[str, Place] = dict(evaluated.evaluation.places)
        self.reports: list[BuildReport] = []
        self.failures: list[Failure] = []
        self.lost: set[str] = set()  # generators that wrote nothing that can be used
        self.networked: list[str] = []
        self.errors: list[BrambleError] = []

    @property
    def stopped(self) -> bool:
        """Whether the rest is not going to be built."""
        return any(report.cancelled for report in self.reports) or (
            bool(self.failures) and not self._around.options.keep_going
        )

    def go(self, on_event: Callable[[Event], None]) -> None:
        """Grow until no generator is left that can be looked up or built."""
        # spec: build.generated.rounds
        while not self.stopped:
            todo = [key for key in waiting(self.graph, self.roots) if key not in self.lost]
            if not todo:
                return
            found = {key: known for key in todo for known in [self._locked(key)] if known is not None}
            self._graft(found or self._built(todo, on_event))

    def kept_roots(self) -> tuple[str, ...]:
        """Return the roots that need no generator any more."""
        if self.stopped:
            return ()
        needs = {
            root: any(self.graph.get(key).builtin == GENERATOR for key in self.graph.order([root]))
            for root in self.roots
        }
        return tuple(root for root in self.roots if not needs[root])

    def _graft(self, found: Mapping[str, Generated]) -> None:
        grown = graft(self.graph, found)
        # An id from before may have changed in an earlier round already.
        self.ids = {**grown.ids, **{old: grown.ids.get(now, now) for old, now in self.ids.items()}}
        for key, one in found.items():
            place = self.places.get(key)
            if place is not None:
                self.places.update((new, place) for new in one.graph.derivations)
        for old, now in grown.ids.items():
            if old in self.places:
                self.places.setdefault(now, self.places[old])
        self.graph = grown.graph
        self.all.update(grown.graph.derivations)
        self.roots = tuple(dict.fromkeys(grown.ids.get(root, root) for root in self.roots))

    def _fail(self, key: str, error: BrambleError) -> None:
        self.lost.add(key)
        error.place = error.place or self.places.get(key)
        self.failures.append(Failure(key, self.graph.get(key).name, error))

    def _renewed(self, key: str) -> bool:
        return any(self.ids.get(old, old) == key for old in self._around.options.renew)

    def _locked(self, key: str) -> Optional[Generated]:
        """Return what the lock says that a generator wrote, None if it says nothing that holds now."""
        # spec: build.generated.lock
        table = table_of(self.graph, key)
        entries = self._around.lock.tables.get(table)
        if entries is None or self._renewed(key):
            return None
        try:
            if entries.get(INPUTS) != self._inputs(key, self._around.lock.url_hashes):
                return None
            return _from_lock(entries, lent_to(self.graph, key, {}, ""), self.graph.get(key).name)
        except BrambleError as error:
            self._fail(
                key,
                BrambleError(
                    "lock.value",
                    f"[{table}] does not have a valid graph: {error.message}",
                    place=self._around.lock.places.get((table, ROOT)),
                    remedy="restore the table from version control, or delete it, and it is written again",
                ),
            )
            return None

    def _inputs(self, key: str, pins: Mapping[str, str]) -> str:
        """Return a digest of what a generator is made from: the same on every machine."""
        # spec: build.generated.key
        lines = []
        for needed in self.graph.order([key]):
            derivation = self.graph.get(needed)
            lines.append(needed)
            source = name_sources(derivation.sources, self._around.store, self._around.source_roots)
            if source is not None:
                lines.append(f" sources {source.name}")
            env = {name: value.text for name, value in derivation.env}
            download = lock_key(derivation.builtin, derivation.name, env)
            if download is not None and download in pins:
                lines.append(f" pin {pins[download]}")
        return digest("\n".join(lines).encode())

    def _built(self, todo: Sequence[str], on_event: Callable[[Event], None]) -> Mapping[str, Generated]:
        """Build generators, read what they wrote, and lock it."""
        found: dict[str, Generated] = {}
        allowed = []
        for key in todo:
            if self._around.locked and key not in self.lost:
                self._fail(key, self._unlocked(key))
            elif key not in self.lost:
                allowed.append(key)
        if self.stopped or not allowed:
            return found
        options = self._around.options
        renew = options.renew | {key for key in allowed if self._renewed(key)}
        report = self._once(
            self.graph, allowed, options=replace(options, check=False, renew=renew), on_event=on_event
        )
        self.reports.append(report)
        self.failures += report.failures
        found.update(self._read(allowed, report))
        return found

    def _unlocked(self, key: str) -> BrambleError:
        return BrambleError(
            "lock.generated",
            f'bramble.lock does not hold the graph that "{self.graph.get(key).name}" writes',
            remedy="build once without --locked, and commit the lock file",
        )

    def _read(self, keys: Iterable[str], report: BuildReport) -> Iterator[tuple[str, Generated]]:
        names = {ref: name for one in self.reports for ref, name in one.names.items()}
        for key in keys:
            name = report.names.get(OutputRef(key, "out"))
            if name is None:
                self.lost.add(key)
                continue
            derivation = self.graph.get(key)
            if derivation.network and key in report.built:
                self.networked.append(derivation.name)
            store = self._around.store
            try:
                lent = lent_to(self.graph, key, names, store.directory)
                found = read_generated(
                    store.object_path(name), derivation.name, lent, self._around.setting, derivation.target
                )
            except BrambleError as error:
                self._fail(key, error)
                continue
            try:
                self._lock(key, found)
            except BrambleError as error:
                # What was built is used, whatever became of the lock.
                self.errors.append(error)
            yield key, found

    def _lock(self, key: str, found: Generated) -> None:
        # spec: build.generated.lock
        pins = dict(self._around.lock.url_hashes)
        for report in self.reports:
            pins.update(report.new_pins)
        entries = {INPUTS: self._inputs(key, pins), ROOT: found.root}
        for id, derivation in found.graph.derivations.items():
            entries[id] = canonical_bytes(derivation).decode("utf-8")
        table = table_of(self.graph, key)
        before = self._around.lock.tables.get(table, {})
        update_lock(
            self._around.lock_path,
            entries,
            table=table,
            replaced=before,
            dropped={id: text for id, text in before.items() if id not in entries},
            take=self._around.take,
        )


def table_of(graph: DerivationGraph, key: str) -> str:
    """Return the name of the table of the lock for what a generator writes."""
    return f"{GENERATOR} {graph.get(key).name} {key}"


def _from_lock(entries: Mapping[str, str], lent: Lent, name: str) -> Generated:
    # The recorded graph is checked like the output of a program: the file is part of the project.
    nodes = []
    for id, text in entries.items():
        if id not in (INPUTS, ROOT):
            nodes.append(json.dumps(id) + ":" + text)
    results = [{"target": "", "derivations": [entries.get(ROOT, "")]}]
    text = '{"version":1,"results":%s,"graph":{%s}}' % (json.dumps(results), ",".join(nodes))  # noqa: UP031
    return generated(read_document(text.encode("utf-8", "surrogatepass"), lent), name)


def read_generated(directory: str, name: str, lent: Lent, setting: Setting, target: str) -> Generated:
    """Return the graph that the generator `name`, which has this target, left in `directory`, its output.

    Raises graph.*, derivation.* and, for a module, what evaluation raises. What a module prints is not shown.
    """
    # spec: build.generated.file
    file = _file(directory, name)
    if file.endswith(SUFFIX):
        document = _evaluated(directory, file, lent, setting, target)
    else:
        try:
            data = read_file(directory, file, _LARGEST)
        except OSError as error:
            raise BrambleError(
                "graph.unreadable",
                f'{file}, which "{name}" wrote, cannot be read: {error.strerror}',
                remedy="write the graph into one file, not larger than 64 MiB",
            ) from error
        try:
            document = read_document(data, lent)
        except BrambleError as error:
            error.message = f'{file}, which "{name}" wrote: {error.message}'
            raise
    return generated(document, name)


def _file(directory: str, name: str) -> str:
    listed = sorted(os.listdir(directory))
    graphs = [file for file in listed if file.endswith(".json")]
    modules = [file for file in listed if file.endswith(SUFFIX)]
    if DEFAULT in modules:
        # The others are there to be loaded.
        modules = [DEFAULT]
    if len(graphs) + len(modules) == 1:
        return (graphs + modules)[0]
    found = ", ".join(graphs + modules) or "no such file"
    raise BrambleError(
        "graph.file",
        f'one file .json or {SUFFIX} is expected in the output of "{name}", but there is {found}',
        remedy="write $out/graph.json, or a module $out/default.bramble with a function default()",
    )


def _evaluated(directory: str, file: str, lent: Lent, setting: Setting, target: str) -> GraphDocument:
    # spec: build.generated.module
    project = Project(directory, ProjectConfig(_NAME, "0"))
    module = "." if file == DEFAULT else "./" + file[: -len(SUFFIX)]
    try:
        with bounded(setting.limits):
            evaluation = evaluate(
                project,
                [parse_target(f"{module}:{FUNCTION}")],
                platform=setting.platform,
                on_print=lambda line: None,
                max_steps=setting.limits.steps,
                lent=lent,
                built_for=target,
            )
    except BrambleError as error:
        if error.place is not None:
            # The project also has a file of this name.
            error.place = error.place._replace(file=os.path.join(directory, error.place.file))
        raise
    (result,) = evaluation.results
    graph = DerivationGraph(
        {key: one for key, one in evaluation.graph.derivations.items() if key not in lent.graph}
    )
    roots = tuple(dict.fromkeys(ref.derivation for ref in result.roots))
    for root in roots:
        if root in lent.graph:
            raise BrambleError(
                "graph.result",
                f'{FUNCTION}() returns "{lent.graph.get(root).name}", which the builder was given',
                remedy="return a derivation that the module makes",
            )
    return GraphDocument(graph, (Result(FUNCTION, roots),))


def grow(
    evaluated: Evaluated,
    roots: Sequence[str],
    around: Around,
    once: BuildOnce,
    on_event: Callable[[Event], None],
) -> Growth:
    """Build `roots`, and before them the generators that they need, and what these wrote."""
    growing = _Growing(evaluated, roots, around, once)
    growing.go(on_event)
    kept = growing.kept_roots()
    # The display knows derivations by the ids that they had at first.
    first = {now: old for old, now in growing.ids.items() if old in roots}

    def told(event: Event) -> None:
        if not isinstance(event, Planned) and event.id in first:
            event = event._replace(id=first[event.id])
        on_event(event)

    report = once(growing.graph, kept, options=around.options, on_event=told)
    evaluation = evaluated.evaluation
    whole = replace(
        evaluation,
        graph=DerivationGraph(growing.all),
        results=tuple(
            replace(
                result,
                roots=tuple(
                    OutputRef(growing.ids.get(ref.derivation, ref.derivation), ref.output)
                    for ref in result.roots
                ),
                needs=(),
            )
            for result in evaluation.results
        ),
        places=growing.places,
    )
    left = [key for key in growing.graph.order(growing.roots) if key not in growing.lost]
    return Growth(
        replace(evaluated, evaluation=whole),
        growing.roots,
        _together([*growing.reports, report], growing.failures, growing.ids, left),
        tuple(growing.networked),
        tuple(growing.errors),
    )


def expanded(evaluated: Evaluated, around: Around) -> tuple[Evaluated, tuple[Failure, ...]]:
    """Return an evaluation with what the lock says that generators wrote in their places; none of them runs.

    `around` is `locked`, and its options keep going. Returns also the generators of which the lock says
    nothing that holds now.
    """
    evaluation = evaluated.evaluation
    growing = _Growing(evaluated, tuple(evaluation.graph.derivations), around, _not_built)
    growing.go(lambda _: None)
    whole = replace(evaluation, graph=growing.graph, results=(), tests=(), places=growing.places)
    return replace(evaluated, evaluation=whole), tuple(growing.failures)


def _not_built(*_: Any, **__: Any) -> BuildReport:
    raise AssertionError("recorded graphs are only looked up")


def _together(
    reports: Sequence[BuildReport], failures: Sequence[Failure], ids: Mapping[str, str], left: Sequence[str]
) -> BuildReport:
    """Return the report of all rounds; what had another id is also found by that one."""
    last = reports[-1]

    def each(field: str) -> dict[Any, Any]:
        return {key: value for report in reports for key, value in getattr(report, field).items()}

    def listed(field: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(item for report in reports for item in getattr(report, field)))

    names, derivations, checked = map(each, ("names", "derivations", "checked"))
    # What generators wrote is not a result of a target.
    outputs = dict(last.outputs)
    now: dict[str, list[OutputRef]] = {}
    for ref in names:
        now.setdefault(ref.derivation, []).append(ref)
    for old, new in ids.items():
        for ref in now.get(new, ()):
            names[OutputRef(old, ref.output)] = names[ref]
            if ref in outputs:
                outputs[OutputRef(old, ref.output)] = outputs[ref]
        for found in (derivations, checked):
            if new in found:
                found[old] = found[new]
    built = listed("built")
    done = {*built, *listed("cached"), *(failure.id for failure in (*failures, *last.failures))}
    return replace(
        last,
        outputs=outputs,
        names=names,
        derivations=derivations,
        checked=checked,
        built=built,
        cached=tuple(key for key in listed("cached") if key not in set(built)),
        hidden=tuple(found for report in reports for found in report.hidden),
        failures=(*failures, *last.failures),
        skipped=tuple(key for key in left if key not in done),
        cancelled=any(report.cancelled for report in reports),
        new_pins=each("new_pins"),
        changed=listed("changed"),
        impure=listed("impure"),
        sandboxes=each("sandboxes"),
        seconds=each("seconds"),
        sources=each("sources"),
    )
