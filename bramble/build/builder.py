"""One derivation, from the moment when its inputs are known until its outputs are in the store.

    resolve   name its sources, write paths for its references
    known     it, or one that came to the same, was built before: what it came to has names
    enough    those are all that is asked for: nothing to do
    absent    which inputs are known by name only, and have to be made first
    make      lock → workspace → sandbox or built-in → outputs → objects → record

All may be called from several threads at once.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Optional

from bramble.build.builtin import OutputPlace, Request, builtin
from bramble.build.events import Absent, Event, Impure, Output, Progress, Retrying, Started, Timed, Waiting
from bramble.build.log import BuildLog
from bramble.build.naming import Directories, Names, names_of, on_this_machine, sandbox_spec, trial_spec
from bramble.build.options import BuildOptions
from bramble.build.pins import check, expected, has_checksum, is_pinned, lock_key
from bramble.build.placing import STRONGEST, keep_last, make_directories, placed
from bramble.build.restrictions import allowed_pieces, check_words, restrict
from bramble.build.sources import add_sources, fill_build_directory, name_sources
from bramble.build.stamps import Stamp, changed_file, unchanged
from bramble.build.task import Cancelled, Listener, Made, Task, Unbuilt
from bramble.build.unlisted import uncalled, unlisted
from bramble.build.verdict import empty_output, ending, not_reproducible, verdict, wrong_output
from bramble.derivation.model import GENERATOR, Sources
from bramble.derivation.resolve import ResolvedDerivation, SourceObject, resolve
from bramble.errors import BrambleError
from bramble.store.disk import HiddenName, RawOutput, Realisation, Store, StoreObject

if TYPE_CHECKING:
    from bramble.sandbox.launch import Launcher
    from bramble.store.disk import Workspace

_TRIAL_SAYS = 1 << 20  # bytes of what a trial writes that are kept


class Builder:
    """What the builds of one run share."""

    def __init__(
        self,
        store: Store,
        *,
        source_roots: Mapping[str, str],
        pins: Mapping[str, str],
        options: BuildOptions,
        emit: Callable[[Event], None],
        cancelled: threading.Event,
    ) -> None:
        self._store = store
        self._source_roots = source_roots
        self._pins = pins
        self._options = options
        self._emit = emit
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._launcher: Optional[Launcher] = None
        self.sources: dict[Sources, Optional[SourceObject]] = {}  # what became of sources
        # Digests of those whose pin counts no longer, and whether they were fetched since.
        self._refreshed: dict[str, bool] = {}

    @contextlib.contextmanager
    def timed(self, task: Task, what: str) -> Iterator[None]:
        """Report how long what is done within takes; for a thread of the schedule."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._took(task, what, began, time.monotonic())

    def _took(self, task: Task, what: str, began: float, ended: float) -> None:
        if self._options.timed:
            lane = threading.current_thread().name
            self._emit(Timed(task.id, task.name, what, lane, began, ended))

    def close(self) -> None:
        """End the launcher, and with it whatever may still run."""
        with self._lock:
            if self._launcher is not None:
                self._launcher.close()
                self._launcher = None

    def sources_known(self, task: Task) -> bool:
        """Say whether `resolve` will be quick, since it has no files to look at."""
        sources = task.derivation.sources
        return not sources.files or sources in self.sources

    def resolve(self, task: Task) -> ResolvedDerivation:
        """Return the store derivation of the task. Raises BrambleError for what it cannot be built with."""
        # spec: build.resolve
        derivation = task.derivation
        if derivation.network and derivation.builtin != GENERATOR:
            raise BrambleError(
                "derivation.network",
                f'"{task.name}" asks for the network, which only derivation_output gets',
                remedy="download what it needs with fetch_url or fetch_git",
            )
        sources = derivation.sources
        if sources in self.sources:
            source = self.sources[sources]
        else:
            source = name_sources(sources, self._store, self._source_roots)
            if source is not None and source.name in self._options.demand:
                source = add_sources(sources, self._store, self._source_roots)
            self.sources[sources] = source
        return resolve(
            derivation,
            inputs=task.inputs,
            filenames=task.filenames,
            source=source,
            platform=self._options.platform,
        )

    def known(self, task: Task, resolved: ResolvedDerivation, *, locked: bool = False) -> Optional[Made]:
        """Return what the task came to before, None when it has to be made. Builds nothing.

        What it came to need not be in the store. `locked` says that the right to build it is held.
        Raises BrambleError for what must not be made at all.
        """
        # spec: build.cached
        kind = task.derivation.builtin
        env = dict(resolved.env)
        if task.id in self._options.renew:
            # spec: build.fetch.renew
            self._refreshed.setdefault(resolved.digest, False)
        want = self._expected(task, resolved) if kind else None
        # spec: build.pure
        if kind == "host_tools" and self._options.pure:
            raise BrambleError(
                "build.impure",
                f'"{task.name}" copies programs of this machine, which a pure build refuses',
                remedy="fetch the programs with fetch_url, or build without --pure",
            )
        found = self._store.realisation(resolved.digest, present=False)
        if self._refreshed.get(resolved.digest, True) is False:
            return None
        if found is not None and self._usable(found, want, kind):
            changed = changed_file(found.stamps) if kind == "fetch_url" and found.stamps else ""
            if changed and self._options.refresh and is_pinned(env):
                # spec: build.fetch.changed
                self._refreshed[resolved.digest] = False
                return None
            if resolved.filename in self._options.demand:
                self._write_again(resolved, found)
            return Made(
                resolved,
                found.outputs,
                cached=True,
                present=self._is_present(task, found.outputs),
                rung=found.sandbox,
                new_pin=self._new_pin(task, env, found.outputs, want),
                changed=changed,
            )
        if want is not None and resolved.outputs == ("out",):
            # Protected first: a collector may be about to remove it.
            self._store.protect([want])
            if self._store.is_complete([want]):
                if self._store.read_only:
                    # It cannot be recorded what the pin stands for, and need not be.
                    return Made(resolved, (("out", want),), cached=True)
                if locked:
                    return self._adopt(resolved, want)
                # Another may be building or forgetting it: then it is asked for again, when it is needed.
                with contextlib.suppress(_Busy), self._store.building(resolved.digest, _busy):
                    return self._adopt(resolved, want)
            # spec: build.demand.pinned
            return Made(resolved, (("out", want),), cached=True, present=False)
        return None

    def _expected(self, task: Task, resolved: ResolvedDerivation) -> Optional[str]:
        pins = {} if resolved.digest in self._refreshed else self._pins
        return expected(task.derivation.builtin, task.name, dict(resolved.env), pins)

    def _is_present(self, task: Task, outputs: tuple[tuple[str, str], ...]) -> bool:
        names = [name for _, name in outputs]
        if task.wanted:
            return self._store.is_complete(names)
        return all(map(self._store.contains, names))

    def enough(self, task: Task, made: Optional[Made]) -> bool:
        """Say whether nothing is left to do for the task, since all that is asked for is `made`."""
        # spec: build.demand
        if made is None or task.check:
            return False
        demanded = task.wanted or any(name in self._options.demand for _, name in made.outputs)
        return made.present or not demanded

    def absent(self, task: Task) -> tuple[str, ...]:
        """Return the derivations of which an input of the task is not in the store, by id."""
        # spec: build.demand
        complete = self._store.is_complete
        return tuple(sorted({ref.derivation for ref, name in task.inputs.items() if not complete([name])}))

    def make(self, task: Task, resolved: ResolvedDerivation) -> Made:
        """Build the task. Raises Unbuilt, Cancelled."""
        started = time.monotonic()
        if self._cancelled.is_set():
            raise Cancelled
        # spec: store.read-only
        self._store.refuse_to_build(task.name)
        self._emit(Started(task.id, task.name))

        # spec: build.locks
        with self._store.building(resolved.digest, self._waiting(task), self._told(task)):
            # Another process, or a derivation that came to the same, may have built it meanwhile.
            found = self.known(replace(task, wanted=True), resolved, locked=True)
            if found is not None and found.present:
                return found
            made = self._build(task, resolved, again=None)
            missing = self._store.first_missing([name for _, name in made.outputs])
            if missing is not None:
                raise BrambleError(
                    "store.incomplete",
                    f'"{task.name}" came out as an object that was there already, and needs {missing}, '
                    "which the store has lost",
                    remedy="run `bramble store verify --repair`",
                )
        return made._replace(seconds=time.monotonic() - started)

    def make_again(self, task: Task, made: Made) -> Made:
        """Build what is built again, under other names, and compare. Raises Unbuilt, Cancelled."""
        # spec: build.check
        if task.derivation.builtin in ("fetch_url", "fetch_git"):
            # A download is compared with its pin whenever it is made.
            return made
        started = time.monotonic()
        with self._store.building(made.resolved.digest, self._waiting(task), self._told(task)):
            for number in range(2, self._options.rounds + 1):
                self._build(task, made.resolved, again=made._replace(builds=number))
        apart = task.derivation.runs_program and self._options.sandbox == STRONGEST
        where = "elsewhere" if apart else "here"
        seconds = made.seconds + time.monotonic() - started
        return made._replace(seconds=seconds, checked=where, builds=self._options.rounds)

    def _waiting(self, task: Task) -> Callable[[], None]:
        """Return what is called again and again while another process has the lock."""
        said: list[str] = []

        def waiting() -> None:
            if self._cancelled.is_set():
                raise Cancelled
            if not said:
                said.append(task.id)
                self._emit(Waiting(task.id, task.name))

        return waiting

    def _told(self, task: Task) -> Callable[[str], None]:
        """Return what is given the words for who holds the lock, when it takes long."""
        # spec: store.locks.told
        return lambda text: self._emit(Waiting(task.id, task.name, text))

    def _usable(self, found: Realisation, want: Optional[str], kind: str) -> bool:
        if want is not None and found.outputs != (("out", want),):
            return False
        if self._options.pure and found.sandbox != STRONGEST:
            return False
        return kind != "host_tools" or unchanged(found.stamps)

    def _new_pin(
        self,
        task: Task,
        env: Mapping[str, str],
        outputs: tuple[tuple[str, str], ...],
        want: Optional[str],
    ) -> Optional[tuple[str, str]]:
        key = lock_key(task.derivation.builtin, task.name, env)
        if key is None or want is not None or has_checksum(env):
            return None
        return key, outputs[0][1]

    def _adopt(self, resolved: ResolvedDerivation, want: str) -> Made:
        """Take the object that a pin names for the download: its name says that it is the right one."""
        # spec: build.fetch.adopt
        outputs = (("out", want),)
        self._record(resolved, {"out": self._store.object(want)}, STRONGEST, ())
        return Made(resolved, outputs, cached=True)

    def _build(self, task: Task, resolved: ResolvedDerivation, *, again: Optional[Made]) -> Made:
        names = names_of(resolved, again=again is not None)
        log_path = self._store.log_path(resolved.digest)

        def written(data: bytes) -> None:
            self._emit(Output(task.id, task.name, data))

        limit = self._options.log_size
        with self._store.workspace(names.build) as work, BuildLog(log_path, written, limit) as log:
            try:
                check_words(resolved)
                if task.derivation.runs_program:
                    return self._build_out(task, resolved, names, work, log, again)
                return self._build_in(task, resolved, names, work, again)
            except BrambleError as error:
                kept = work.keep(None) if self._options.keep_failed else None
                left = (
                    kept is None
                    and task.derivation.runs_program
                    and keep_last(self._store, self._options.keep_last, work)
                )
                raise Unbuilt(
                    error, log=log.shown(), log_path=log.path, kept=kept, resolved=resolved.digest, left=left
                ) from error

    def _build_in(
        self,
        task: Task,
        resolved: ResolvedDerivation,
        names: Names,
        work: Workspace,
        again: Optional[Made],
    ) -> Made:
        """Let a built-in builder make the outputs."""
        kind = task.derivation.builtin
        maker = builtin(kind)
        if len(names.outputs) != 1 and not (kind == "host_tools" and resolved.outputs == ("out", "rt")):
            raise BrambleError(
                "derivation.outputs",
                f'"{task.name}" has {len(names.outputs)} outputs, and {kind} makes one',
                remedy="leave outputs= out",
            )
        if kind == "host_tools":
            self._emit(Impure(task.id, task.name))
        temporary = dict(names.outputs)
        directories = make_directories(names, work.path)
        env = {name: on_this_machine(value, self._store.directory) for name, value in resolved.env}
        stamps = maker.make(
            Request(
                name=task.name,
                env=env,
                outputs={
                    output: OutputPlace(path, self._store.object_path(temporary[output]))
                    for output, path in directories.outputs
                },
                scratch=directories.build,
                options=self._options,
                listener=Listener(
                    progress=lambda done, total: self._emit(Progress(task.id, task.name, done, total)),
                    retrying=lambda reason, pause: self._emit(Retrying(task.id, task.name, reason, pause)),
                    absent=lambda *what: self._emit(Absent(task.id, task.name, *what)),
                    cancelled=self._cancelled,
                ),
                run=lambda argv, env, silence: self._try(names, directories, work.path, argv, env, silence),
            )
        )
        if self._cancelled.is_set():
            raise Cancelled
        raws = []
        for output, path in directories.outputs:
            _look_at(task.name, output, path)
            raws.append(RawOutput(output, path, temporary[output]))
        want = self._expected(task, resolved)
        key = lock_key(kind, task.name, dict(resolved.env))
        if key is not None:
            identify = importlib.import_module("bramble.build.identify").identify
            check(task.name, key, want, identify(self._store.directory, raws[0]))
        return self._finish(task, resolved, tuple(raws), (), None, STRONGEST, stamps, again)

    def _try(
        self,
        names: Names,
        inside: Directories,
        aside: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        silence: Optional[float],
    ) -> tuple[str, str]:
        """Run a command that tries what a built-in builder has made; return its fault, and what it wrote."""
        # spec: build.host-tools.trials
        rung, said, limits = self._options.sandbox, bytearray(), self._options.limits
        if silence is not None:
            limits = replace(limits, silence=silence, seconds=5 * silence)

        def heard(data: bytes) -> None:
            said.extend(data[: _TRIAL_SAYS - len(said)])

        with placed(names, inside, self._store, rung, aside) as directories:
            spec = trial_spec(
                names,
                directories,
                directory=self._store.directory,
                argv=argv,
                env=env,
                rung=rung,
                limits=limits,
            )
            outcome = self._start().run(spec, on_output=heard, cancelled=self._cancelled)
        if outcome.kind == "cancelled":
            raise Cancelled
        return ending(outcome), said.decode("utf-8", "replace")

    def _build_out(
        self,
        task: Task,
        resolved: ResolvedDerivation,
        names: Names,
        work: Workspace,
        log: BuildLog,
        again: Optional[Made],
    ) -> Made:
        """Run the builder in a sandbox."""
        # spec: build.steps
        began = time.monotonic()
        closure = self._store.closure(sorted(set(task.inputs.values())))
        rung = self._options.sandbox
        if resolved.network:
            self._options.check_network(task.name)
        self._have_sources(task, resolved)
        inside = make_directories(names, work.path)
        with placed(names, inside, self._store, rung, work.path) as directories:
            fill_build_directory(resolved.source, self._store, directories.build)
            seen, inputs = self._store.directory, None
            if again is not None and rung == STRONGEST:
                # spec: build.check.elsewhere
                seen = _elsewhere("other_directory")(seen)
                copy_inputs = _elsewhere("copy_inputs")
                inputs = copy_inputs(self._store.directory, seen, closure, f"{work.path}/inputs")
            spec = sandbox_spec(
                resolved,
                names,
                directories,
                directory=seen,
                closure=closure,
                rung=rung,
                limits=self._options.limits_of.get(task.id, self._options.limits),
                inputs=inputs,
            )
            outcome = self._start().run(spec, on_output=log.write, cancelled=self._cancelled)
            ended = time.monotonic()
        self._took(task, "set-up", began, ended - outcome.seconds)
        self._took(task, "program", ended - outcome.seconds, ended)
        if outcome.kind == "cancelled":
            raise Cancelled
        search = dict(resolved.env).get("PATH")
        # spec: build.failure
        # As the log has it: the path of record is one that no person has seen.
        search = None if search is None else on_this_machine(search, self._store.directory)
        sources = task.derivation.sources
        root = None if outcome.succeeded else self._source_roots.get(sources.project)
        missed = unlisted(log.path, sources, root)
        called = () if outcome.succeeded else uncalled(log.path)
        verdict(task.name, outcome, log.path, search, missed, called)
        temporary = dict(names.outputs)
        raws = []
        for output, path in inside.outputs:
            _look_at(task.name, output, path, may_be_empty=task.id in self._options.may_be_empty)
            if inputs is not None:
                _elsewhere("bring_back")(path, self._store.directory, seen)
            raws.append(RawOutput(output, path, temporary[output]))
        made = self._finish(task, resolved, tuple(raws), closure, names.build, rung, (), again)
        if resolved.digest in self._refreshed:
            self._refreshed[resolved.digest] = True
        return made

    def _finish(
        self,
        task: Task,
        resolved: ResolvedDerivation,
        raws: tuple[RawOutput, ...],
        closure: tuple[str, ...],
        build_name: Optional[str],
        rung: str,
        stamps: tuple[Stamp, ...],
        again: Optional[Made],
    ) -> Made:
        """Make objects of the outputs, and record them; or compare them with the first ones."""
        # spec: build.publish
        hidden: list[HiddenName] = []
        with self.timed(task, "hashing"):
            objects = self._store.publish(
                raws,
                closure=closure,
                build_name=build_name,
                # A built-in builder compiles nothing.
                allowed_pieces=None if build_name is None else allowed_pieces(resolved),
                on_hidden=hidden.append,
            )
        restrict(resolved, objects, lambda name: self._store.closure([name]))
        outputs = tuple((name, objects[name].name) for name in resolved.outputs)
        if again is not None:
            pairs = [pair for pair in zip(again.outputs, outputs) if pair[0] != pair[1]]
            if pairs:
                compare = importlib.import_module("bramble.build.compare")
                found = {
                    output: (first, second, compare.differences(self._store, first, second))
                    for (output, first), (_, second) in pairs
                }
                raise not_reproducible(
                    task.name,
                    found,
                    self._store.directory,
                    functools.partial(compare.explain, self._store),
                    again.builds,
                )
            return again
        self._record(resolved, objects, rung, stamps)
        new_pin = self._new_pin(
            task,
            dict(resolved.env),
            outputs,
            self._expected(task, resolved),
        )
        return Made(resolved, outputs, cached=False, rung=rung, new_pin=new_pin, hidden=tuple(hidden))

    def _record(
        self,
        resolved: ResolvedDerivation,
        objects: Mapping[str, StoreObject],
        rung: str,
        stamps: tuple[Stamp, ...],
    ) -> None:
        # spec: build.record
        known = {name: (objects[name].name, objects[name].references) for name in resolved.outputs}
        self._store.write_derivation(resolved.filename, resolved.encode(known))
        self._store.record_realisation(
            Realisation(
                resolved=resolved.digest,
                derivation=resolved.filename,
                outputs=tuple((name, objects[name].name) for name in resolved.outputs),
                sandbox=rung,
                stamps=stamps,
            )
        )
        if resolved.digest in self._refreshed:
            self._refreshed[resolved.digest] = True

    def _have_sources(self, task: Task, resolved: ResolvedDerivation) -> None:
        """Put the sources into the store that have a name, and perhaps no more than that."""
        source = resolved.source
        if source is None or self._store.is_complete([source.name]):
            return
        if add_sources(task.derivation.sources, self._store, self._source_roots) != source:
            raise BrambleError(
                "store.changed-while-read",
                f'the sources of "{task.name}" changed after its build had begun',
                remedy="build again",
            )

    def _write_again(self, resolved: ResolvedDerivation, found: Realisation) -> None:
        """Write the recipe of what is known, if what it came to is there to tell what it refers to."""
        # spec: store.verify.repair
        with contextlib.suppress(BrambleError):
            known = {output: (name, self._store.references(name)) for output, name in found.outputs}
            self._store.write_derivation(resolved.filename, resolved.encode(known))

    def _start(self) -> Launcher:
        with self._lock:
            if self._launcher is None:
                self._launcher = self._options.launcher()
            return self._launcher


def _elsewhere(name: str) -> Callable[..., Any]:
    """Return a function of what only a second build needs: nobody else waits for its modules."""
    found: Callable[..., Any] = getattr(importlib.import_module("bramble.build.elsewhere"), name)
    return found


class _Busy(Exception):
    """Another process or thread has the right to build a derivation."""


def _busy() -> None:
    raise _Busy


def _look_at(name: str, output: str, path: str, *, may_be_empty: bool = False) -> None:
    """Raise BrambleError unless the output is a directory with something in it."""
    # spec: build.outputs
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        raise wrong_output(name, output, "removed its directory") from None
    if not stat.S_ISDIR(mode):
        raise wrong_output(name, output, "put something else in the place of its directory")
    os.chmod(path, 0o755)
    with os.scandir(path) as entries:
        if next(entries, None) is None and not may_be_empty:
            raise empty_output(name, output)
