"""`bramble build`: from targets on the command line to objects in the store."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional

from bramble.build.events import (
    Absent,
    Changed,
    Event,
    Failed,
    Finished,
    Hidden,
    Impure,
    Output,
    Planned,
    Progress,
    Retrying,
    Skipped,
    Started,
    Timed,
    Waiting,
)
from bramble.build.options import LOG_SIZE, BuildOptions, BuildReport, Failure, FetchOptions, Reach, Vendor
from bramble.build.task import Cancelled
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.mirror import mirrored_path, read_mirror
from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting, credentials_of
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import GENERATOR
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.lang.results import TargetResult
from bramble.project.lockfile import read_lock, update_lock
from bramble.project.modules import shown_target
from bramble.project.packages import Packages
from bramble.project.project import Project
from bramble.record import NamedTuple, dataclass, field
from bramble.sandbox.spec import Limits
from bramble.store.disk import Store
from bramble.store.files.small import unique
from bramble.store.layout.place import place_of_failed
from bramble.store.locks.advisory import lock_briefly

if TYPE_CHECKING:
    from bramble.sandbox.launch import Launcher

__all__ = [
    "LOG_SIZE",
    "Absent",
    "BuildChoices",
    "BuildResult",
    "BuiltTarget",
    "Changed",
    "Event",
    "Failed",
    "Finished",
    "Hidden",
    "Impure",
    "Limits",
    "Output",
    "Planned",
    "Progress",
    "Retrying",
    "Skipped",
    "Started",
    "Timed",
    "Waiting",
    "build_derivations",
    "build_evaluated",
    "earlier_durations",
    "launcher",
    "result_lines",
]

LOCK_NAME = "bramble.lock"
# What the sources of a project's packages are called among its roots, beside its targets.
PACKAGES = "packages"
_RUNGS_WEAKEST_FIRST = ("none", "landlock", "namespaces")


@dataclass(frozen=True)
class BuildChoices:
    """What the options of a command line say about how to build."""

    keep_going: bool = False
    keep_failed: bool = False
    timed: bool = False  # events say what took how long
    check: bool = False
    rounds: int = 2
    log_size: int = LOG_SIZE
    refresh: bool = False
    pure: bool = False
    sandbox: str = "namespaces"
    limits: Limits = field(default_factory=Limits)
    limits_of: Mapping[str, Limits] = field(default_factory=dict)
    may_be_empty: frozenset[str] = frozenset()
    renew: frozenset[str] = frozenset()  # ids of downloads that are fetched and pinned again
    keep_left: bool = False  # a success removes nothing of what failed builds left
    network: bool = False  # generators that ask for the network may have it
    locked: bool = False  # what the lock does not hold is not found out
    demand: frozenset[str] = frozenset()  # what must be in the store, whichever build creates it


class BuiltOutput(NamedTuple):
    """One output in the store: `path` goes through the short link `store`."""

    path: str
    name: str
    references: tuple[str, ...]


class BuiltTarget(NamedTuple):
    """One derivation that a target returned, and its result."""

    target: str
    derivation: str
    name: str
    outputs: Mapping[str, BuiltOutput]
    checked: str = ""  # "here" or "elsewhere": built again, the same, and under which store path
    builds: int = 1  # that were compared
    key: Optional[str] = None  # under which it is in a dict that the function returned


@dataclass(frozen=True)
class BuildResult:
    """What became of the targets of a command line. `failures` have the place of their derivation."""

    targets: tuple[BuiltTarget, ...]
    built: tuple[str, ...]  # names, sorted
    cached: tuple[str, ...]
    impure: tuple[str, ...]
    changed: tuple[str, ...]
    hidden: tuple[Hidden, ...]  # names that files of what was built now hide
    checked: int
    sandbox: str
    failures: tuple[BrambleError, ...]
    skipped: int
    cancelled: bool
    new_pins: Mapping[str, str]
    store: Store
    report: BuildReport
    networked: tuple[str, ...] = ()  # names of those that ran with the network, in order

    @property
    def pinned(self) -> Mapping[str, str]:
        """The pins that the lock has got: all that are new, or none where it could not be written."""
        is_unwritten = self.cancelled or any(error.code.startswith("lock.") for error in self.failures)
        return {} if is_unwritten else self.new_pins


def launcher() -> Launcher:
    """Return a launcher of sandboxes, which the caller closes."""
    # Loaded when something must run: with nothing to build, its half of the program is never read.
    module = importlib.import_module("bramble.sandbox.launch")
    started: Launcher = module.Launcher()
    return started


def build_evaluated(
    evaluated: Evaluated,
    setting: Setting,
    choices: BuildChoices,
    on_event: Callable[[Event], None],
    cancelled: threading.Event,
) -> BuildResult:
    """Build all that the targets returned; see `build_derivations`."""
    results = evaluated.evaluation.results
    roots = tuple(dict.fromkeys(ref.derivation for result in results for ref in result.roots + result.needs))
    return build_derivations(evaluated, roots, setting, choices, on_event, cancelled)


def earlier_durations(setting: Setting) -> Mapping[str, float]:
    """Return the seconds that derivations took in earlier builds of the project, by their names.

    Raises BrambleError if the store cannot be opened.
    """
    # Asked on a terminal alone, and not before something is built.
    found: Mapping[str, float] = importlib.import_module("bramble.commands.recorded.forecast").forecasts(
        setting
    )
    return found


def _heed(cancelled: threading.Event) -> None:
    if cancelled.is_set():
        raise Cancelled


def build_derivations(
    evaluated: Evaluated,
    roots: Sequence[str],
    setting: Setting,
    choices: BuildChoices,
    on_event: Callable[[Event], None],
    cancelled: threading.Event,
) -> BuildResult:
    """Build the derivations `roots`; pin new downloads; record the results of targets as the project's roots.

    Failures are in the result; BrambleError is raised for what concerns the whole
    build (the store, the lock, the sandbox).
    """
    asked = evaluated
    project, evaluation = evaluated.project, evaluated.evaluation
    store = _open_store(setting)
    store.on_wait = functools.partial(_heed, cancelled)
    lock_path = project.lock_path
    lock = read_lock(lock_path)
    take = functools.partial(lock_briefly, on_wait=store.on_wait)
    if choices.locked:
        # Loaded for that alone, as all that is seldom asked for.
        importlib.import_module("bramble.commands.context.locked").refuse_unpinned(
            evaluated, roots, lock.url_hashes
        )
    began = time.time()
    # What only parses, or finds a mistake in a program, does without it.
    engine: Any = importlib.import_module("bramble.build.engine")
    once = functools.partial(
        engine.build,
        store=store,
        source_roots=evaluation.source_roots,
        pins=lock.url_hashes,
        cancelled=cancelled,
    )
    options = options_of(evaluated.project, evaluated.packages, setting, choices)
    networked: tuple[str, ...] = ()
    unkept: tuple[BrambleError, ...] = ()
    if any(one.builder.text == GENERATOR for one in evaluation.graph.derivations.values()):
        # spec: build.generated
        growing = importlib.import_module("bramble.commands.graphs.growing")
        around = growing.Around(
            store=store,
            setting=setting,
            lock=lock,
            lock_path=lock_path,
            take=take,
            source_roots=evaluation.source_roots,
            options=options,
            locked=choices.locked,
        )
        growth = growing.grow(evaluated, roots, around, once, on_event)
        evaluated, roots, report = growth.evaluated, growth.roots, growth.report
        networked, unkept = growth.networked, growth.errors
    else:
        report = once(evaluation.graph, roots, options=options, on_event=on_event)
    targets = _targets(asked, report, store, choices.rounds)
    found: dict[str, list[str]] = {}
    for target in targets:
        label = _root_name(target.target, setting)
        found.setdefault(label, []).extend(output.name for output in target.outputs.values())
    for result in asked.evaluation.results:
        # spec: cli.run.references
        label = _root_name(result.target, setting)
        if label in found:
            found[label] += [report.outputs[ref].name for ref in result.needs if ref in report.outputs]
    told = bool(report.built or report.failures or report.cancelled)
    if found and evaluated.packages.objects:
        # spec: packages.kept
        found[PACKAGES] = list(evaluated.packages.objects)
    if found and not store.read_only:
        with contextlib.suppress(Cancelled):
            made_with = _made_with(evaluated.evaluation.graph, report.names, found)
            told = store.record_roots(project.home, found, store.on_wait, made_with) or told
    if told and (report.failures or report.cancelled) and not store.read_only:
        # spec: store.gc.former
        with contextlib.suppress(BrambleError, Cancelled):
            # On a disk that is full, perhaps: what the user has to know is why the build failed.
            tried = _made_with(evaluated.evaluation.graph, report.names, found)
            store.record_tried(project.home, tried, store.on_wait)
    if told and not store.read_only:
        # spec: store.records.history
        # With nothing new there is nothing to record, and its modules are not loaded.
        importlib.import_module("bramble.commands.context.recording").record(
            evaluated, roots, report, store, began
        )
    failures = [*(_placed(failure, evaluated) for failure in report.failures), *unkept]
    broken_off = report.cancelled
    done = found and not report.failures and not broken_off
    if done and not choices.keep_left and not store.read_only:
        left = place_of_failed(setting.store_root, project.home)
        if os.path.isdir(left):
            importlib.import_module("bramble.store.history.failed").forget_failed(left)
    if report.new_pins and choices.locked:
        unwritten = importlib.import_module("bramble.commands.context.locked").unwritten_pins
        failures += unwritten(report.new_pins)
    elif report.new_pins:
        try:
            before = {key: pin for key, pin in lock.url_hashes.items() if key in report.new_pins}
            update_lock(
                lock_path,
                report.new_pins,
                replaced=before if choices.refresh or choices.renew else {},
                take=take,
            )
        except Cancelled:
            broken_off = True
        except BrambleError as error:
            # What was built is reported, even if the lock could not be written.
            failures.append(error)
    graph = evaluated.evaluation.graph
    names = {id: graph.get(id).name for id in (*report.built, *report.cached)}
    return BuildResult(
        targets=targets,
        built=tuple(sorted(names[id] for id in report.built)),
        cached=tuple(sorted(names[id] for id in report.cached)),
        impure=tuple(sorted(report.impure)),
        changed=tuple(sorted(report.changed)),
        hidden=report.hidden,
        checked=len(report.checked),
        sandbox=_weakest(report),
        failures=tuple(failures),
        skipped=len(report.skipped),
        cancelled=broken_off,
        new_pins=report.new_pins,
        store=store,
        report=report,
        networked=networked,
    )


def _root_name(target: str, setting: Setting) -> str:
    """Return the name under which a project's roots keep the result of a target: one for each `--target`."""
    # spec: cli.target
    return f"{target} for {setting.target}" if setting.target else target


def _open_store(setting: Setting) -> Store:
    # spec: store.read-only
    # On a disk that cannot be written to, what is built already can be used.
    var = os.path.join(setting.store_root, "var")
    return open_store(setting, read_only=os.path.isdir(var) and not os.access(var, os.W_OK))


def _may_use_network(project: Project, setting: Setting, given: bool) -> bool:
    """Return whether the user lets generators of a project use the network: now, or by an earlier grant."""
    # spec: build.generated.network
    trust = importlib.import_module("bramble.commands.trust")
    return given or bool(trust.may_generate(project, setting))


def options_of(project: Project, packages: Packages, setting: Setting, choices: BuildChoices) -> BuildOptions:
    """Return how the targets of a project are built in this setting. Raises fetch.mirror."""
    # The table of the user holds over the project's.
    own = {url: mirrored_path(project.root, path) for url, path in project.config.mirror.items()}
    return BuildOptions(
        platform=setting.platform,
        launcher=launcher,
        jobs=setting.jobs,
        keep_going=choices.keep_going,
        keep_failed=choices.keep_failed,
        keep_last=(place_of_failed(setting.store_root, project.home), unique()),
        check=choices.check,
        rounds=choices.rounds,
        timed=choices.timed,
        may_use_network=functools.partial(_may_use_network, project, setting, choices.network),
        pure=choices.pure,
        log_size=choices.log_size,
        refresh=choices.refresh,
        renew=choices.renew,
        demand=choices.demand,
        sandbox=choices.sandbox,
        limits=choices.limits,
        limits_of=choices.limits_of,
        may_be_empty=choices.may_be_empty,
        host_trusted=setting.host_tools,
        strangers=(project.root, *packages.directories.values(), setting.store_root),
        fetch=FetchOptions(
            offline=setting.offline,
            mirror={**own, **(read_mirror(setting.mirror_table) if setting.mirror_table else {})},
            # A package is in the directory that the project names, but is not part of the project.
            # spec: internet.evaluation, build.fetch.public
            reach=Reach((project.root,), public=project.fetched is None and setting.public_but is None),
            own_mirror=tuple(own.values()),
            vendor=vendor_of(project, setting),
            proxies=setting.proxies,
            ca_file=setting.ca_file,
            ca_directory=setting.ca_directory,
            netrc=setting.netrc,
            credentials=credentials_of(setting),
            ssh_agent=setting.ssh_agent,
            known_hosts=setting.known_hosts,
            public_but=setting.public_but,
            seconds=setting.seconds,
        ),
    )


def vendor_of(project: Project, setting: Setting) -> Optional[Vendor]:
    """Return the vendor directory: the user's, or else the project's; None for none."""
    # spec: vendor.which
    if setting.vendor:
        return Vendor(setting.vendor)
    own = project.config.vendor
    return Vendor(os.path.join(project.root, own), Reach((project.root,))) if own else None


def _made_with(
    graph: DerivationGraph, names: Mapping[OutputRef, str], results: Mapping[str, Sequence[str]]
) -> Sequence[str]:
    """Return the objects that it takes to build targets again: all but results that no derivation takes."""
    # spec: store.records.inputs
    known = {ref.derivation for ref in names} & graph.derivations.keys()
    taken = {names.get(ref) for id in known for ref in graph.derivations[id].dependencies}
    last = {name for found in results.values() for name in found} - taken
    return [name for name in names.values() if name not in last]


def _targets(evaluated: Evaluated, report: BuildReport, store: Store, rounds: int) -> tuple[BuiltTarget, ...]:
    graph = evaluated.evaluation.graph
    targets = []
    for result in evaluated.evaluation.results:
        for root, key in _keys(result).items():
            derivation = graph.get(root)
            objects = {name: report.outputs.get(OutputRef(root, name)) for name in derivation.outputs}
            built = {
                name: BuiltOutput(f"{store.root}/store/{found.name}", found.name, found.references)
                for name, found in objects.items()
                if found is not None
            }
            if len(built) == len(derivation.outputs):
                checked = report.checked.get(root, "")
                builds = rounds if checked else 1
                targets.append(BuiltTarget(result.target, root, derivation.name, built, checked, builds, key))
    return tuple(targets)


def _keys(result: TargetResult) -> dict[str, Optional[str]]:
    """Return the derivations that a function returned, each once, with their keys."""
    found: dict[str, Optional[str]] = {}
    for ref, key in zip(result.roots, result.keys or (None,) * len(result.roots)):
        found.setdefault(ref.derivation, key)
    return found


def _labels(result: TargetResult, graph: DerivationGraph) -> dict[str, str]:
    """Return what each of the derivations that a function returned is called among them."""
    # spec: cli.build.results
    called = {root: graph.get(root).name if key is None else key for root, key in _keys(result).items()}
    often: dict[str, int] = {}
    for name in called.values():
        often[name] = often.get(name, 0) + 1
    return {
        root: name if often[name] == 1 else str(number) for number, (root, name) in enumerate(called.items())
    }


def result_lines(evaluated: Evaluated, result: BuildResult) -> tuple[tuple[str, str], ...]:
    """Return a label and the path for each output of the targets that were built, in the order of these.

    The label names the target of a path, as it is written in the directory of the project:
    `./:app`, `./:app.dev` for an output that is not the default, `./:all[KEY]` where the function
    returned several derivations (`_labels`). It is "" if the targets mean one output of one derivation.
    """
    # spec: cli.build.results
    graph = evaluated.evaluation.graph
    roots = {one.target: _labels(one, graph) for one in evaluated.evaluation.results}
    asked = sum(len(graph.get(root).outputs) for several in roots.values() for root in several)
    lines = []
    # A target may have thousands of results.
    shown = {target: shown_target(evaluated.project, target) for target in roots}
    for target in result.targets:
        label = shown[target.target]
        if len(roots[target.target]) > 1:
            label += f"[{roots[target.target][target.derivation]}]"
        default = next(iter(target.outputs))
        for name, output in target.outputs.items():
            lines.append((label if name == default else f"{label}.{name}", output.path))
    if asked == 1 and not evaluated.evaluation.errors:
        return tuple(("", path) for _, path in lines)
    return tuple(lines)


def _weakest(report: BuildReport) -> str:
    used = set(report.sandboxes.values())
    return next((rung for rung in _RUNGS_WEAKEST_FIRST if rung in used), "namespaces")


def _placed(failure: Failure, evaluated: Evaluated) -> BrambleError:
    error = failure.error
    if error.place is None:
        error.place = evaluated.evaluation.places.get(failure.id)
    words = [error.remedy] if error.remedy else []
    if failure.kept is not None:
        words = [f"its directories are kept in {failure.kept}"]
    way = _way_to(failure, evaluated)
    if way and (failure.left or failure.kept is not None):
        # spec: build.failure.kept
        words.append(f"look inside: bramble shell --failed {way}")
    elif not failure.left and failure.kept is None and failure.log_path is not None:
        words.append("--keep-failed keeps its directories, whatever their size")
    error.remedy = "\n".join(words)
    return error


def _way_to(failure: Failure, evaluated: Evaluated) -> str:
    """Return the operands with which `shell` finds a derivation that failed, "" if no target needs it."""
    results = [one for one in evaluated.evaluation.results if one.roots]
    tested = {test.derivation.derivation for test in evaluated.evaluation.tests}
    for result in results:
        word, test, _ = shown_target(evaluated.project, result.target).partition("#")
        roots = {ref.derivation for ref in result.roots}
        if failure.id in roots:
            if test and failure.id not in tested:
                return ""  # It runs the program of a test, and is of no target.
            of = f" --of {failure.id}" if len(roots) > 1 else ""
            return word + of
    for result in results:
        if failure.id in evaluated.evaluation.graph.order([ref.derivation for ref in result.roots]):
            word = shown_target(evaluated.project, result.target).partition("#")[0]
            return f"{word} --of {failure.name}"
    return ""
