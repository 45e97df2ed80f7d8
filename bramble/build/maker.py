"""How one derivation is built, once it is known that it has to be: loaded by then, and not before.

workspace → sandbox or built-in → outputs → objects → record, or compare with what is recorded
"""

from __future__ import annotations

import functools
import importlib
import os
import stat
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional

from bramble.build.builtin import OutputPlace, Request, builtin
from bramble.build.events import Absent, Event, Impure, Output, Progress, Retrying
from bramble.build.log import BuildLog
from bramble.build.naming import Directories, Names, names_of, on_this_machine, sandbox_spec, trial_spec
from bramble.build.options import STRONGEST, BuildOptions
from bramble.build.pins import check, lock_key
from bramble.build.placing import keep_last, make_directories, placed
from bramble.build.restrictions import allowed_pieces, check_words, restrict
from bramble.build.sources import add_sources, fill_build_directory
from bramble.build.stamps import Stamp
from bramble.build.task import Cancelled, Listener, Made, Task, Unbuilt
from bramble.build.unlisted import uncalled, unlisted
from bramble.build.verdict import empty_output, ending, not_reproducible, verdict, wrong_output
from bramble.derivation.resolve import ResolvedDerivation
from bramble.errors import BrambleError
from bramble.store.disk import HiddenName, RawOutput, Store

if TYPE_CHECKING:
    from bramble.build.builder import Builder
    from bramble.sandbox.launch import Launcher
    from bramble.store.disk import Workspace

_TRIAL_SAYS = 1 << 20  # bytes of what a trial writes that are kept


class Maker:
    """Builds for a `Builder`, in several threads at once, and has the launcher of their sandboxes."""

    def __init__(
        self,
        builder: Builder,
        store: Store,
        source_roots: Mapping[str, str],
        options: BuildOptions,
        emit: Callable[[Event], None],
        cancelled: threading.Event,
    ) -> None:
        self._builder = builder
        self._store = store
        self._source_roots = source_roots
        self._options = options
        self._emit = emit
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._launcher: Optional[Launcher] = None

    def close(self) -> None:
        """End the launcher, and with it whatever may still run."""
        with self._lock:
            if self._launcher is not None:
                self._launcher.close()
                self._launcher = None

    def build(self, task: Task, resolved: ResolvedDerivation, *, again: Optional[Made]) -> Made:
        """Build the task, or build it again to compare it with `again`.

        Raises Unbuilt, Cancelled, BrambleError.
        """
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
                remedy="omit outputs=",
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
        want = self._builder.expected(task, resolved)
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
            limits = limits._replace(silence=silence, seconds=5 * silence)

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
        self._builder.took(task, "set-up", began, ended - outcome.seconds)
        self._builder.took(task, "program", ended - outcome.seconds, ended)
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
        self._builder.is_made(resolved)
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
        with self._builder.timed(task, "hashing"):
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
                compare = importlib.import_module("bramble.build.checking.compare")
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
        self._builder.record(resolved, objects, rung, stamps)
        env = dict(resolved.env)
        new_pin = self._builder.new_pin(
            lock_key(task.derivation.builtin, task.name, env),
            env,
            outputs,
            self._builder.expected(task, resolved),
        )
        return Made(
            resolved.filename, outputs, cached=False, rung=rung, new_pin=new_pin, hidden=tuple(hidden)
        )

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

    def _start(self) -> Launcher:
        with self._lock:
            if self._launcher is None:
                self._launcher = self._options.launcher()
            return self._launcher


def _elsewhere(name: str) -> Callable[..., Any]:
    """Return a function of what only a second build needs: nobody else waits for its modules."""
    found: Callable[..., Any] = getattr(importlib.import_module("bramble.build.checking.elsewhere"), name)
    return found


def _look_at(name: str, output: str, path: str, *, may_be_empty: bool = False) -> None:
    """Raise BrambleError unless the output is a directory with something in it."""
    # spec: build.outputs
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        raise wrong_output(name, output, "removed its directory") from None
    if not stat.S_ISDIR(mode):
        raise wrong_output(name, output, "replaced its directory by something else")
    os.chmod(path, 0o755)
    with os.scandir(path) as entries:
        if next(entries, None) is None and not may_be_empty:
            raise empty_output(name, output)
