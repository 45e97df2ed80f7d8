"""`build --dry-run`: what a build would do, and why, from what the store knows. Nothing is written.

The walk is that of a build, which ends where something would have to be made: its result is not known, so
what needs it counts as to be built as well. The build may find then that nothing has changed for that.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from typing import Optional

from bramble.build.builder import Builder
from bramble.build.options import BuildOptions
from bramble.build.pins import FETCHERS, lock_key
from bramble.build.task import Made, Task
from bramble.commands.build import BuildChoices, options_of
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.opening import open_store
from bramble.commands.context.recording import facts_with, files_below
from bramble.commands.context.setting import Setting
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import GENERATOR, Derivation
from bramble.errors import BrambleError
from bramble.project.lockfile import read_lock
from bramble.record import dataclass, field, replace
from bramble.store.disk import Store
from bramble.store.history.changes import Change, Comparison
from bramble.store.history.model import Facts
from bramble.store.history.records import builds, facts_of

BUILD, FETCH, COPY = "build", "fetch", "copy"


@dataclass(frozen=True)
class Step:
    """One derivation that would be made.

    `action` is BUILD, FETCH (`url`, and whether its result is `pinned`) or COPY (programs of this machine).
    `word` is `new` (no result of it is known), `absent` (its result is known, and not in the store),
    `failed` (its last build did), `generated` (it writes a graph, which is not looked into), `input`
    (`inputs` are names of what it needs and is to be made before)
    or `changed` (`changes` are what differs from its last recorded build).
    """

    id: str
    name: str
    action: str
    word: str
    inputs: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    url: str = ""
    pinned: bool = False


@dataclass(frozen=True)
class Forecast:
    """What a build would do: in dependency order; `cached` are names of what is built already, sorted."""

    steps: tuple[Step, ...]
    cached: tuple[str, ...]


@dataclass
class _Walk:
    graph: DerivationGraph
    wanted: frozenset[str]
    made: dict[str, Made] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)  # known, and to be made again

    def unknown(self, id: str) -> tuple[str, ...]:
        """Return the inputs whose results are not known."""
        return tuple(key for key in self.graph.dependencies(id) if key not in self.made)


def dry_run(evaluated: Evaluated, setting: Setting, choices: BuildChoices) -> Forecast:
    """Return what building the targets would do. Raises what the store, the lock and sources raise."""
    # spec: cli.build.dry-run
    evaluation = evaluated.evaluation
    graph = evaluation.graph
    roots = dict.fromkeys(ref.derivation for result in evaluation.results for ref in result.roots)
    order = graph.order(roots)
    lock = read_lock(evaluated.project.lock_path)
    options = options_of(evaluated.project, evaluated.packages, setting, choices)
    walk = _Walk(graph, frozenset(roots))
    store = _existing(setting)
    before: Mapping[str, Facts] = {}
    if store is not None:
        _find_out(walk, order, store, evaluated, lock.url_hashes, options)
        before = _before(store, evaluated.project.home)
    to_make = {id: None for id in order if id not in walk.made or id in walk.absent}
    comparison = Comparison({id: _facts(walk, evaluated, id) for id in order}, before)
    steps = tuple(_step(walk, id, comparison, lock.url_hashes, to_make) for id in to_make)
    cached = tuple(sorted(graph.get(id).name for id in order if id not in to_make))
    return Forecast(steps, cached)


def _existing(setting: Setting) -> Optional[Store]:
    """Return the store; None if there is none yet."""
    if not setting.store_root or not os.path.isdir(os.path.join(setting.store_root, "var")):
        return None
    return open_store(setting, read_only=True, create=False)


def _find_out(
    walk: _Walk,
    order: tuple[str, ...],
    store: Store,
    evaluated: Evaluated,
    pins: Mapping[str, str],
    options: BuildOptions,
) -> None:
    """Find out what is known, as a build does, and what of it would have to be made again."""
    builder = Builder(
        store,
        source_roots=evaluated.evaluation.source_roots,
        pins=pins,
        options=replace(options, check=False),
        emit=lambda event: None,
        cancelled=threading.Event(),
    )
    tasks: dict[str, Task] = {}
    for id in order:
        # The result of a generator is a graph, which is known when it is read.
        if walk.unknown(id) or walk.graph.get(id).builtin == GENERATOR:
            continue
        task = tasks[id] = _task(walk, id)
        try:
            made = builder.known(task, builder.resolve(task))
        except BrambleError as error:
            if error.code not in ("store.read-only",):
                raise
            made = None
        if made is not None:
            walk.made[id] = made
            if not builder.enough(task, made):
                walk.absent.add(id)
    for id in reversed(order):
        if id in tasks and (id not in walk.made or id in walk.absent):
            walk.absent.update(builder.absent(tasks[id]))


def _task(walk: _Walk, id: str) -> Task:
    derivation = walk.graph.get(id)
    needed = derivation.dependencies
    return Task(
        id=id,
        derivation=derivation,
        inputs={ref: dict(walk.made[ref.derivation].outputs)[ref.output] for ref in needed},
        filenames={ref.derivation: walk.made[ref.derivation].filename for ref in needed},
        wanted=id in walk.wanted,
    )


def _before(store: Store, project: str) -> Mapping[str, Facts]:
    """Return what is recorded of the last build of each derivation of a project, by id."""
    found: dict[str, Facts] = {}
    seen: set[tuple[str, str]] = set()
    for build in builds(store, project):
        newer = set(seen)
        for id, facts in facts_of(store, build).items():
            if (facts.name, facts.place) not in newer:
                found.setdefault(id, facts)
                seen.add((facts.name, facts.place))
    return found


def _facts(walk: _Walk, evaluated: Evaluated, id: str) -> Facts:
    evaluation, derivation = evaluated.evaluation, walk.graph.get(id)
    made = walk.made.get(id)
    outputs = dict(made.outputs) if made is not None else {}
    sources = derivation.sources
    files = files_below(sources, evaluation.source_roots.get(sources.project, "")) if sources.files else ()
    # Any name that no source has: which files are others decides.
    parts = ["", str(evaluation.places.get(id, "")), "now" if files else ""]
    parts += [outputs.get(output, "") for output in derivation.outputs]
    return facts_with(derivation, parts, files)


def _step(
    walk: _Walk,
    id: str,
    comparison: Comparison,
    pins: Mapping[str, str],
    to_make: Collection[str],
) -> Step:
    derivation = walk.graph.get(id)
    inputs = tuple(walk.graph.get(key).name for key in walk.unknown(id) if key in to_make)
    reason = comparison.reason(id, asked=True)
    changes = tuple(change for change in reason.changes if change.kind != "input" or not inputs)
    if derivation.builtin == GENERATOR:
        word, changes, inputs = "generated", (), ()
    elif id in walk.absent:
        word, changes = "absent", ()
    elif changes:
        word = "changed"
    elif inputs:
        word = "input"
    else:
        word = "failed" if reason.word == "failed" else "new"
    step = Step(id, derivation.name, BUILD, word, inputs, changes)
    if derivation.builtin in FETCHERS:
        return _fetched(step, derivation, pins)
    return replace(step, action=COPY) if derivation.builtin == "host_tools" else step


def _fetched(step: Step, derivation: Derivation, pins: Mapping[str, str]) -> Step:
    env = {name: value.text for name, value in derivation.env}
    key = lock_key(derivation.builtin, derivation.name, env)
    return replace(step, action=FETCH, url=env.get("url", ""), pinned=key in pins or bool(env.get("hash")))
