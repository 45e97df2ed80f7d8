"""One derivation, from the moment when its inputs are known until its outputs are in the store.

    resolve   name its sources, write paths for its references
    known     it, or one with the same store derivation, was built before: its result has names
    enough    those are all that is asked for: nothing to do
    absent    which inputs are known by name only, and have to be made first
    make      lock, and what `maker.py` says

All may be called from several threads at once.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Callable, Optional

from bramble.build.events import Event, Started, Timed, Waiting
from bramble.build.options import STRONGEST, BuildOptions
from bramble.build.pins import FETCHERS, expected, has_checksum, is_pinned, lock_key
from bramble.build.sources import EarlySources, add_sources, name_sources
from bramble.build.stamps import Stamp, changed_file, unchanged
from bramble.build.task import Cancelled, Made, Task
from bramble.derivation.model import BUILTIN_BUILDERS, GENERATOR, Derivation, Sources
from bramble.derivation.resolve import Digests, ResolvedDerivation, SourceObject, resolve
from bramble.errors import BrambleError
from bramble.store.disk import Realisation, Store, StoreObject

if TYPE_CHECKING:
    from bramble.build.maker import Maker
    from bramble.store.records.stamps import Looks


Outputs = tuple[tuple[str, str], ...]  # (output name, object name)


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
        self._made_by: Optional[Maker] = None
        self.sources: dict[Sources, Optional[SourceObject]] = {}  # what became of sources
        self._looks: Looks = {}
        self._digests = Digests(options.platform)
        self._naming: dict[Sources, threading.Lock] = {}  # held by who finds that out
        self._seen: list[str] = []  # objects that are known, and not protected yet
        # Digests of those whose pin counts no longer, and whether they were fetched since.
        self._refreshed: dict[str, bool] = {}

    @contextlib.contextmanager
    def timed(self, task: Task, what: str) -> Iterator[None]:
        """Report how long what is done within takes; for a thread of the schedule."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.took(task, what, began, time.monotonic())

    def took(self, task: Task, what: str, began: float, ended: float) -> None:
        """Report how long something took, where that is asked for."""
        if self._options.timed:
            lane = threading.current_thread().name
            self._emit(Timed(task.id, task.name, what, lane, began, ended))

    def close(self) -> None:
        """End the launcher, and with it whatever may still run."""
        with self._lock:
            if self._made_by is not None:
                self._made_by.close()

    def sources_known(self, task: Task) -> bool:
        """Return whether `resolve` will be quick, since it has no files to look at."""
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
        source = self._source(sources) if sources.files else None
        return resolve(
            derivation,
            inputs=task.inputs,
            filenames=task.filenames,
            source=source,
            platform=self._options.platform,
        )

    def _source(self, sources: Sources) -> Optional[SourceObject]:
        """Return what became of sources: of those that many derivations have, one thread finds it out."""
        with self._lock:
            lock = self._naming.setdefault(sources, threading.Lock())
        with lock:
            if sources not in self.sources:
                source = name_sources(sources, self._store, self._source_roots, self._looks)
                if source is not None and source.name in self._options.demand:
                    source = add_sources(sources, self._store, self._source_roots, self._looks)
                self.sources[sources] = source
            return self.sources[sources]

    def note(self, id: str, made: Made) -> None:
        """Receive the result of a derivation; for the thread that recalls what depends on it."""
        self._digests.tell(id, made.outputs)

    def early_sources(self) -> EarlySources:
        """Return what finds sources before anything is built."""
        return EarlySources(self._store, self._source_roots)

    def recalled(
        self, id: str, derivation: Derivation, early: Optional[EarlySources] = None
    ) -> Optional[Made]:
        """Return what `known` would return for a derivation that was built; None means unknown.

        That is as quick as it can be, for most of a large graph is such: nothing is looked at but its
        record, and, with `early`, the stamps of its sources. Whether its outputs are there is for `look` to
        find out. What it needs has been noted. Raises BrambleError as `known` and `early` do.
        """
        # spec: build.cached
        options, sources = self._options, derivation.sources
        if derivation.network or options.demand or id in options.renew:
            return None
        kind = derivation.builder[0]
        fetched = kind in FETCHERS
        if kind in BUILTIN_BUILDERS and (not fetched or derivation.dependencies):
            return None
        source = told = self.sources.get(sources) if sources.files else None
        if sources.files and source is None:
            source = early.of(sources) if early is not None else None
            if source is None:
                return None
        found = self._store.realisation(self._digests.of(derivation, source), present=False)
        if found is None:
            return None
        resolved, filename, outputs, rung, stamps = found
        pin = None
        if fetched:
            if stamps or resolved in self._refreshed:
                return None
            env = {name: value[0] for name, value in derivation.env}
            key = lock_key(kind, derivation.name, env)
            want = expected(key, derivation.name, env, self._pins)
            if not self._usable(found, want, kind):
                return None
            pin = self.new_pin(key, env, outputs, want)
        elif rung != STRONGEST and options.pure:
            return None
        if source is not told:
            self.sources.setdefault(sources, source)
        return Made(filename, outputs, True, True, 0.0, rung, pin)

    def look(self, recalled: Sequence[tuple[bool, Outputs]]) -> list[bool]:
        """Say of each of many that were recalled whether something of it is missing; all are protected.

        For those that begin with True that is anything which its outputs refer to, for others an output.
        """
        # spec: build.demand
        store = self._store
        whole = self.whole(
            [outputs for wanted, outputs in recalled if wanted],
            [outputs for wanted, outputs in recalled if not wanted],
        )
        return [
            not whole and not self._is_whole([name for _, name in outputs])
            if wanted
            else not store.all_there([name for _, name in outputs])
            for wanted, outputs in recalled
        ]

    def whole(self, wanted: Iterable[Outputs], others: Iterable[Outputs]) -> bool:
        """Protect all of these outputs; return whether the `wanted` ones are complete."""
        # spec: store.gc.protection
        # First: what is there afterwards stays. Of those that have to be complete the store sees to that.
        self._seen += [name for outputs in others for _, name in outputs]
        self.protect_seen()
        return self._is_whole([name for outputs in wanted for _, name in outputs])

    def _is_whole(self, names: Sequence[str]) -> bool:
        """Return whether objects are complete; not if it cannot be known: who asks again hears why."""
        try:
            return self._store.first_missing(names) is None
        except BrambleError:
            return False

    def known(self, task: Task, resolved: ResolvedDerivation, *, locked: bool = False) -> Optional[Made]:
        """Return the recorded result of the task; None if it has to be built. Builds nothing.

        The result need not be in the store. `locked` says that the lock for building it is held.
        Raises BrambleError for what must not be made at all.
        """
        # spec: build.cached
        kind = task.derivation.builtin
        env = dict(resolved.env) if kind else {}
        if task.id in self._options.renew:
            # spec: build.fetch.renew
            self._refreshed.setdefault(resolved.digest, False)
        key = lock_key(kind, task.name, env)
        want = self._expected(key, task.name, env, resolved.digest)
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
                resolved.filename,
                found.outputs,
                cached=True,
                present=self._is_present(task, found.outputs),
                rung=found.sandbox,
                new_pin=self.new_pin(key, env, found.outputs, want),
                changed=changed,
                stamps=found.stamps,
                pinned=bool(changed) and is_pinned(env),
            )
        if want is not None and resolved.outputs == ("out",):
            # Protected first: a collector may be about to remove it.
            self._store.protect([want])
            if self._store.is_complete([want]):
                if self._store.read_only:
                    # The object of the pin cannot be recorded, and need not be.
                    return Made(resolved.filename, (("out", want),), cached=True)
                if locked:
                    return self._adopt(resolved, want)
                # Another may be building or forgetting it: then it is asked for again, when it is needed.
                with contextlib.suppress(_Busy), self._store.building(resolved.digest, _busy):
                    return self._adopt(resolved, want)
            # spec: build.demand.pinned
            return Made(resolved.filename, (("out", want),), cached=True, present=False)
        return None

    def expected(self, task: Task, resolved: ResolvedDerivation) -> Optional[str]:
        """Return the object that a download must have as its result; None if nothing determines it."""
        env = dict(resolved.env)
        key = lock_key(task.derivation.builtin, task.name, env)
        return self._expected(key, task.name, env, resolved.digest)

    def _expected(
        self, key: Optional[str], name: str, env: Mapping[str, str], resolved: str
    ) -> Optional[str]:
        return expected(key, name, env, {} if resolved in self._refreshed else self._pins)

    def _is_present(self, task: Task, outputs: tuple[tuple[str, str], ...]) -> bool:
        names = [name for _, name in outputs]
        if task.wanted:
            return self._store.is_complete(names)
        # Nobody relies on it yet: who does, looks again.
        self._seen += names
        return all(map(self._store.contains, names))

    def protect_seen(self) -> None:
        """Protect what was found to be known and nobody asked for, so that it is there the next time, too."""
        # spec: store.gc.protection
        seen, self._seen = self._seen, []
        self._store.protect(seen)

    def enough(self, task: Task, made: Optional[Made]) -> bool:
        """Return whether nothing is left to do for the task, since all that is asked for is `made`."""
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
            # Another process, or a derivation with the same store derivation, may have built it meanwhile.
            found = self.known(task._replace(wanted=True), resolved, locked=True)
            if found is not None and found.present:
                return found
            vendored = self._vendored(task, resolved)
            if vendored is not None:
                return vendored._replace(seconds=time.monotonic() - started)
            made = self._maker().build(task, resolved, again=None)
            missing = self._store.first_missing([name for _, name in made.outputs])
            if missing is not None:
                raise BrambleError(
                    "store.incomplete",
                    f'"{task.name}" has a result that already exists as an object, which needs {missing}, '
                    "which is missing from the store",
                    remedy="run `bramble store verify --repair`",
                )
        return made._replace(seconds=time.monotonic() - started)

    def make_again(self, task: Task, resolved: ResolvedDerivation, made: Made) -> Made:
        """Build what is built again, under other names, and compare. Raises Unbuilt, Cancelled."""
        # spec: build.check
        if task.derivation.builtin in ("fetch_url", "fetch_git"):
            # A download is compared with its pin whenever it is made.
            return made
        started = time.monotonic()
        with self._store.building(resolved.digest, self._waiting(task), self._told(task)):
            for number in range(2, self._options.rounds + 1):
                self._maker().build(task, resolved, again=made._replace(builds=number))
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

    @staticmethod
    def new_pin(
        key: Optional[str],
        env: Mapping[str, str],
        outputs: tuple[tuple[str, str], ...],
        want: Optional[str],
    ) -> Optional[tuple[str, str]]:
        """Return key and object of a pin that is to be written, None for what is pinned or never is."""
        if key is None or want is not None or has_checksum(env):
            return None
        return key, outputs[0][1]

    def _adopt(self, resolved: ResolvedDerivation, want: str) -> Made:
        """Take the object that a pin names for the download: its name says that it is the right one."""
        # spec: build.fetch.adopt
        outputs = (("out", want),)
        self.record(resolved, {"out": self._store.object(want)}, STRONGEST, ())
        return Made(resolved.filename, outputs, cached=True)

    def _vendored(self, task: Task, resolved: ResolvedDerivation) -> Optional[Made]:
        """Return the result of a download if the vendor directory has its object; None otherwise."""
        # spec: vendor.objects
        if self._options.fetch.vendor is None:
            return None
        want = self.expected(task, resolved)
        if want is None or resolved.outputs != ("out",):
            return None
        # Loaded for that alone, as all that is seldom asked for.
        take = importlib.import_module("bramble.build.vendored").take
        taken = take(self._store, self._options.bounded_fetch, want)
        return self._adopt(resolved, want)._replace(cached=False) if taken else None

    def record(
        self,
        resolved: ResolvedDerivation,
        objects: Mapping[str, StoreObject],
        rung: str,
        stamps: tuple[Stamp, ...],
    ) -> None:
        """Record the result of a derivation."""
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
        self.is_made(resolved)

    def is_made(self, resolved: ResolvedDerivation) -> None:
        """Note that a download was made whose pin counted no longer."""
        if resolved.digest in self._refreshed:
            self._refreshed[resolved.digest] = True

    def _maker(self) -> Maker:
        """Return what builds: loaded when the first derivation has to be built, which may be never."""
        with self._lock:
            if self._made_by is None:
                make: Callable[..., Maker] = importlib.import_module("bramble.build.maker").Maker
                self._made_by = make(
                    self, self._store, self._source_roots, self._options, self._emit, self._cancelled
                )
            return self._made_by

    def _write_again(self, resolved: ResolvedDerivation, found: Realisation) -> None:
        """Write the store derivation of a known result whose outputs are present."""
        # spec: store.verify.repair
        with contextlib.suppress(BrambleError):
            known = {output: (name, self._store.references(name)) for output, name in found.outputs}
            self._store.write_derivation(resolved.filename, resolved.encode(known))


class _Busy(Exception):
    """Another process or thread has the right to build a derivation."""


def _busy() -> None:
    raise _Busy
