"""The entry point of this package: build a graph of derivations, and report the results.

One thread, the caller's, asks for every derivation whether it is known already,
dependencies first, which is quick and needs no other thread. So a graph that is
built is walked once, in order, and nothing is started, nor even planned. What is
left is planned. The same thread owns the plan, asks again for each that is ready,
since what it needs has names only now, and hands to the schedule what is not known.

What is known has names; whether it is in the store is asked of the roots, and of
the inputs of what must be built. What is asked for and not there any more goes back
into the plan. If it has a different result than before, what was resolved
with its old name is discarded, and the walk starts again.

A walk through names asks the store for a record of each derivation, and for
nothing else. Whether objects are there is asked when it has come as far as it can:
then for all at once, since they have to be protected first, which costs as much for
one as for thousands.
"""

from __future__ import annotations

import errno
import heapq
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Callable, Optional, Union

from bramble.build.builder import Builder
from bramble.build.events import Changed, Event, Failed, Finished, Hidden, Impure, Planned, Skipped
from bramble.build.options import BuildOptions, BuildReport, Failure, FetchOptions
from bramble.build.plan import Plan, State
from bramble.build.schedule import Ended, Schedule
from bramble.build.task import Cancelled, Made, Needs, Task, Unbuilt
from bramble.build.verdict import refuse_elsewhere
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.resolve import ResolvedDerivation
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.disk import Store
from bramble.store.files.failures import from_os_error

__all__ = ["BuildOptions", "BuildReport", "Failure", "FetchOptions", "build"]

# These say that no derivation can be built here, so they end the whole build.
_FATAL = ("sandbox.unavailable", "sandbox.launcher-died")
# Others that get here are faults of ours.
_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def build(
    graph: DerivationGraph,
    roots: Sequence[str],
    *,
    store: Store,
    source_roots: Mapping[str, str],
    pins: Mapping[str, str],
    options: BuildOptions,
    on_event: Callable[[Event], None],
    cancelled: threading.Event,
) -> BuildReport:
    """Build the derivations `roots` (ids) and all that they need.

    `source_roots` gives the directory of each project that sources come from,
    `pins` the lock: key → digest. `on_event` is called in this thread. Setting
    `cancelled`, or an exception in this thread, ends every running build; when
    this function is left, in whatever way, nothing of it runs any more.

    What goes wrong with a derivation is in the report. Raises BrambleError for
    what is wrong with the graph, and where nothing can be built at all.
    """
    # spec: build.graph
    needs = graph.walk(roots)
    run = _Run(graph, needs, frozenset(roots), store, source_roots, pins, options, on_event, cancelled)
    try:
        on_event(Planned(len(needs)))
        run.go()
        return run.report()
    finally:
        run.close()


class _Work(NamedTuple):
    """What a thread is asked for; what is known already need not be found out again."""

    task: Task
    resolved: Optional[ResolvedDerivation]
    made: Optional[Made]


class _Run:
    """One build, from the first derivation to the last."""

    def __init__(
        self,
        graph: DerivationGraph,
        needs: Mapping[str, tuple[str, ...]],
        roots: frozenset[str],
        store: Store,
        source_roots: Mapping[str, str],
        pins: Mapping[str, str],
        options: BuildOptions,
        on_event: Callable[[Event], None],
        cancelled: threading.Event,
    ) -> None:
        self._graph = graph
        self._order = tuple(needs)
        self._needs = needs
        self._roots = roots
        self._store = store
        self._options = options
        self._on_event = on_event
        self._cancelled = cancelled
        stop = threading.Event()
        self._schedule: Schedule[_Work, Union[Made, Needs], Event] = Schedule(
            options.jobs, self._work, on_event, cancelled=cancelled, stop=stop
        )
        self._builder = Builder(
            store,
            source_roots=source_roots,
            pins=pins,
            options=options,
            emit=self._schedule.emit,
            cancelled=stop,
        )
        self._failures: list[Failure] = []
        self._failed: set[str] = set()
        self._wanted = set(roots)  # ids whose outputs must be in the store
        self._built: set[str] = set()
        self._hidden: list[Hidden] = []
        self._began: dict[str, float] = {}  # when a task was handed to a thread
        self._told: set[str] = set()  # ids that were reported as already built
        self._plan = Plan((), {})  # of what is left to do
        self._queue: list[tuple[int, _Work]] = []  # a heap: rank, what to do
        self._made: dict[str, Made] = {}
        self._recalled: list[str] = []  # ids that are known, of which nobody has looked what is there
        self._outdated = False  # an input has a different result than others were resolved with

    def _begin(self) -> None:
        """Find out anew what is known, and plan the rest."""
        self._queue, self._made, self._outdated = [], {}, False
        self._recall()
        self._recalled = list(self._made)
        if len(self._made) == len(self._order) and self._is_whole():
            # spec: build.demand
            # Nothing will be built of the others, so nobody looks whether they are there.
            self._recalled.clear()
            for key, made in self._made.items():
                self._tell(key, made)
        else:
            self._plan = Plan(self._order, self._needs, self._made)

    def _recall(self) -> None:
        """Find out what is known, together with all that it needs; no plan is needed for that."""
        builder, derivations = self._builder, self._graph.derivations
        made, failed, early = self._made, self._failed, builder.early_sources()
        checked = self._roots if self._options.check else frozenset[str]()
        unknown: set[str] = set()
        for key, needed in self._needs.items():
            if self._cancelled.is_set():
                return
            found = None
            if unknown.isdisjoint(needed) and key not in failed and key not in checked:
                try:
                    found = builder.recalled(key, derivations[key], early)
                except BrambleError:
                    # It is raised again when this is taken out of the plan.
                    found = None
            if found is None:
                unknown.add(key)
            else:
                made[key] = found
                builder.note(key, found)

    def _is_whole(self) -> bool:
        """Protect all that is known, and return whether what is wanted of it is complete."""
        wanted = self._wanted
        return self._builder.whole(
            [one.outputs for key, one in self._made.items() if key in wanted],
            [one.outputs for key, one in self._made.items() if key not in wanted],
        )

    def go(self) -> None:
        """Build until nothing is left, or nothing more should be begun."""
        # spec: build.schedule
        self._begin()
        while True:
            self._take_ready()
            while self._queue and self._schedule.free > 0 and not self._stopping:
                work = heapq.heappop(self._queue)[1]
                self._began[work.task.id] = time.monotonic()
                self._schedule.submit(work)
            if self._schedule.running:
                self._ended(self._schedule.wait())
            elif self._outdated and not self._given_up:
                self._begin()
            else:
                break
        for key in self._order:
            # Of these it was not certain until now that nobody needs them.
            if key in self._made and not self._made[key].present and key not in self._roots:
                self._tell(key, self._made[key])

    def close(self) -> None:
        """End whatever runs."""
        try:
            self._schedule.close()
        finally:
            self._builder.close()

    def report(self) -> BuildReport:
        """Return what became of it all."""
        made = self._made
        names = self._names()
        # A root that is known and not there is not done, if it was not made.
        done = [key for key in self._order if key in made and (made[key].present or key not in self._roots)]
        pins = dict(pin for key in done for pin in [made[key].new_pin] if pin is not None)
        return BuildReport(
            outputs={
                ref: self._store.object(name)
                for ref, name in names.items()
                if ref.derivation in self._roots and made[ref.derivation].present
            },
            names=names,
            built=tuple(key for key in done if key in self._built),
            cached=tuple(key for key in done if key not in self._built),
            checked={key: made[key].checked for key in done if made[key].checked},
            hidden=tuple(sorted(self._hidden, key=lambda it: (it.name, it.id, *it.found))),
            failures=tuple(self._failures),
            skipped=self._plan.unfinished(),
            cancelled=self._cancelled.is_set() and not self._plan.finished,
            new_pins=pins,
            changed=tuple(self._graph.get(key).name for key in done if made[key].changed),
            impure=tuple(self._graph.get(key).name for key in done if self._copies_programs(key)),
            sandboxes={key: made[key].rung for key in done if made[key].rung != "namespaces"},
            derivations={key: one.filename for key, one in made.items()},
            stamps={key: made[key].stamps for key in done if made[key].stamps},
            seconds={key: made[key].seconds for key in self._built if key in made},
            sources=self._builder.sources,
        )

    @property
    def _given_up(self) -> bool:
        """Whether the rest is not going to be built."""
        # spec: build.failure.stop
        return self._cancelled.is_set() or (bool(self._failures) and not self._options.keep_going)

    @property
    def _stopping(self) -> bool:
        """Whether nothing more should be begun now."""
        return self._outdated or self._given_up

    def _take_ready(self) -> None:
        """Finish what is known, queue the rest."""
        while not self._stopping:
            key = self._plan.take()
            if key is not None:
                self._take(key)
            elif not self._look():
                return
        self._look()

    def _take(self, key: str) -> None:
        """Finish one derivation that is known, or queue it."""
        if key in self._failed:
            # It had failed before the walk started again.
            self._plan.fail(key)
            return
        derivation = self._graph.get(key)
        task, resolved, made = None, None, None
        try:
            # What is taken again has to be there.
            if key not in self._made and not (self._options.check and key in self._roots):
                made = self._builder.recalled(key, derivation)
                if made is not None:
                    self._recalled.append(key)
                    self._note(key, made)
                    return
            task = self._task(key)
            if self._builder.sources_known(task):
                resolved = self._builder.resolve(task)
                made = self._builder.known(task, resolved)
        except BrambleError as error:
            self._fail(task or self._task(key), error)
            return
        if made is not None and self._builder.enough(task, made):
            self._finish(task, made)
        else:
            heapq.heappush(self._queue, (self._plan.rank(key), _Work(task, resolved, made)))

    def _look(self) -> bool:
        """Check whether recalled results are present; return whether an id is ready again, as one is not."""
        # spec: build.demand
        recalled, self._recalled = self._recalled, []
        if not recalled:
            # What was found to be known in another way was looked at, and has to be there the next time, too.
            self._builder.protect_seen()
            return False
        made, wanted = self._made, self._wanted
        missing = self._builder.look([(key in wanted, made[key].outputs) for key in recalled])
        again = False
        for key, absent in zip(recalled, missing):
            if not absent:
                self._tell(key, made[key])
                continue
            made[key] = made[key]._replace(present=False)
            if key in wanted:
                self._plan.again(key)
                again = True
        return again

    def _task(self, key: str) -> Task:
        derivation = self._graph.get(key)
        below = {id: self._made[id] for id in self._needs[key]}
        return Task(
            id=key,
            derivation=derivation,
            inputs={ref: dict(below[ref.derivation].outputs)[ref.output] for ref in derivation.dependencies},
            filenames={id: made.filename for id, made in below.items()},
            wanted=key in self._wanted,
            check=self._options.check and key in self._roots,
        )

    def _work(self, work: _Work) -> Union[Made, Needs]:
        """Build one task; runs in a thread of the schedule."""
        task, resolved, made = work.task, work.resolved, work.made
        try:
            if resolved is None:
                with self._builder.timed(task, "sources"):
                    resolved = self._builder.resolve(task)
                made = self._builder.known(task, resolved)
            if made is not None and self._builder.enough(task, made):
                return made
            if task.check or made is None or not made.present:
                refuse_elsewhere(task.derivation, self._options.platform)
            absent = self._builder.absent(task)
            if absent:
                return Needs(absent)
            if made is None or not made.present:
                fetched = task.derivation.builtin in ("fetch_url", "fetch_git")
                with self._builder.timed(task, "download" if fetched else "build"):
                    made = self._builder.make(task, resolved)
            if not task.check:
                return made
            with self._builder.timed(task, "check"):
                return self._builder.make_again(task, resolved, made)
        except OSError as error:
            if error.errno in _TROUBLE:
                raise from_os_error(error, f'build "{task.name}"') from error
            raise

    def _ended(self, ended: Ended[_Work, Union[Made, Needs]]) -> None:
        task, error = ended.work.task, ended.error
        if isinstance(ended.result, Needs):
            self._demand(task, ended.result.ids)
        elif ended.result is not None:
            self._finish(task, ended.result)
        elif isinstance(error, Cancelled):
            return
        elif isinstance(error, Unbuilt):
            if error.error.code in _FATAL:
                raise error.error
            self._fail(task, error.error, error)
        elif isinstance(error, BrambleError):
            if error.code in _FATAL:
                raise error
            self._fail(task, error)
        elif error is not None:
            raise error

    def _demand(self, task: Task, needed: Sequence[str]) -> None:
        """Have inputs made that are known, and not there; the task waits for them."""
        # spec: build.demand
        self._wanted.update(needed)
        skipped = self._plan.wait(task.id, needed)
        failed = next((key for key in needed if self._plan.state(key) in (State.FAILED, State.SKIPPED)), "")
        for key in skipped:
            self._on_event(Skipped(key, self._graph.get(key).name, failed))

    def _finish(self, task: Task, made: Made) -> None:
        before = self._made.get(task.id)
        if before is not None and before.outputs != made.outputs:
            # spec: build.demand.changed
            self._outdated = True
        self._note(task.id, made)
        if made.present:
            self._tell(task.id, made)

    def _note(self, key: str, made: Made) -> None:
        """Continue with the result of a derivation."""
        self._made[key] = made
        self._builder.note(key, made)
        self._plan.done(key)
        if not made.cached:
            self._built.add(key)

    def _copies_programs(self, key: str) -> bool:
        return self._graph.derivations[key].builder.text == "host_tools"

    def _names(self) -> dict[OutputRef, str]:
        """Return the object of every output that is known."""
        return {
            OutputRef(key, output): name for key, made in self._made.items() for output, name in made.outputs
        }

    def _tell(self, key: str, made: Made) -> None:
        if made.cached and key in self._told:
            return
        self._told.add(key)
        name = self._graph.get(key).name
        if made.cached and self._copies_programs(key):
            # spec: build.host-tools
            # A download that was made was reported when it began.
            self._on_event(Impure(key, name))
        if made.changed:
            # spec: build.fetch.changed
            self._on_event(Changed(key, name, made.changed, made.pinned))
        for found in made.hidden:
            # spec: objects.references.hidden
            owners = (id for id, one in self._made.items() if found.object in dict(one.outputs).values())
            owner = next((self._graph.get(id).name for id in owners), "")
            self._hidden.append(Hidden(key, name, found, owner))
            self._on_event(self._hidden[-1])
        self._on_event(
            Finished(key, name, made.seconds, made.cached, made.outputs, made.checked, made.builds)
        )

    def _fail(self, task: Task, error: BrambleError, left: Optional[Unbuilt] = None) -> None:
        # spec: build.failure
        left = left or Unbuilt(error)
        self._failed.add(task.id)
        seconds = time.monotonic() - self._began.get(task.id, time.monotonic())
        self._failures.append(
            Failure(task.id, task.name, error, left.log_path, left.kept, seconds, left.resolved, left.left)
        )
        skipped = self._plan.fail(task.id)
        self._on_event(Failed(task.id, task.name, error, left.log, left.log_path, left.kept))
        for key in skipped:
            self._on_event(Skipped(key, self._graph.get(key).name, task.id))
