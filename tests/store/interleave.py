"""Several processes on one store, each of whose file operations waits until a scheduler lets it happen.

The processes are threads with stores of their own: locks belong to open files, so they keep threads apart as
they keep processes apart. Every function of `os` and `fcntl` by which the store looks at names, changes
them or locks is replaced by one that stops first and says what it is going to read and write. So a schedule
is a list of decisions, every run can be repeated, and runs that differ only in the order of operations that
have nothing to do with each other are made once (sleep sets: Godefroid, Partial-Order Methods, 1996).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import random
import re
import stat
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Callable, NamedTuple, Optional

Program = Callable[[], object]
NAMES = ["mkdir", "rmdir", "unlink", "rename", "link", "symlink"]  # these change a directory
WRITES = [*NAMES, "chmod", "utime", "fchmod", "ftruncate"]
PATHS = [*WRITES, "open", "stat", "lstat", "access", "listdir", "scandir", "readlink"]
_FLOCK = struct.Struct("@hhqqi4x")
_LEASE = re.compile(r"/locks/uses-")
_UNIQUE = re.compile(r"[0-9a-f]+-[0-9a-f]{16}$")
_TEMPORARY = re.compile(r"/\.tmp-[^/]*$")
_WITHIN = re.compile(r"(/var/work/[^/]+|/(?:\.new-|\.old-)?[a-z2-7]{32}(?:-[0-9a-f-]+)?)/.*", re.S)


class Op(NamedTuple):
    """What is about to happen: the keys that it reads, and those that it writes."""

    name: str
    reads: frozenset[str]
    writes: frozenset[str]

    def touches(self, other: Op) -> bool:
        return bool(self.writes & (other.reads | other.writes) or other.writes & self.reads)


class Killed(BaseException):
    """The process is no more; what it still tries to do does not happen."""


class Process:
    def __init__(self, number: int, program: Program, world: World) -> None:
        self.number, self.world = number, world
        self.pending: Optional[Op] = None
        self.done = self.killed = False
        self.error: Optional[BaseException] = None
        self.result: object = None
        self.waits: Optional[tuple[str, int]] = None  # a lock that was not to be had, and its version then
        self.failed: Optional[tuple[str, int]] = None
        self.locked: dict[int, set[str]] = {}
        self.opened: set[int] = set()
        # Each is released once for each time that it is acquired: a lock is cheaper than a semaphore.
        self.go, self.parked = threading.Lock(), threading.Lock()
        self.go.acquire()
        self.parked.acquire()
        self.thread = threading.Thread(target=self._run, args=(program,), daemon=True)

    def _run(self, program: Program) -> None:
        self.world.processes[threading.get_ident()] = self
        try:
            self.result = program()
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        finally:
            del self.world.processes[threading.get_ident()]
            if self.killed:
                self._let_go()
            for keys in self.locked.values():
                self.world.changed(keys)
            self.done = True
            self.parked.release()

    def _let_go(self) -> None:
        """Close what the process had open, as its end does.

        A directory may be held by an object that closes it when it is deleted: its number is kept until then,
        or something of another process would have it and be closed.
        """
        real = self.world.real
        nothing = real["open"](os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        for fd in self.opened:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                os.dup2(nothing, fd, inheritable=False)
            else:
                real["close"](fd)
        real["close"](nothing)

    def step(self, op: Op) -> None:
        """Wait for the scheduler."""
        if self.killed:
            raise Killed
        if not (op.reads or op.writes):
            return
        self.pending = op
        self.parked.release()
        self.go.acquire()
        self.pending, self.waits = None, None
        if self.killed:
            raise Killed

    @property
    def enabled(self) -> bool:
        return not self.done and (
            self.waits is None or self.world.versions.get(self.waits[0], 0) > self.waits[1]
        )


class World:
    """The functions of the system while they are scheduled."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.processes: dict[int, Process] = {}
        self.versions: dict[str, int] = {}
        self.real: dict[str, Any] = {name: getattr(os, name) for name in (*PATHS, "close", "write")}

    def changed(self, keys: Sequence[str] | set[str]) -> None:
        whole = tuple(key for key in keys if key.endswith("#"))
        waited = {it.waits[0] for it in self.processes.values() if it.waits and it.waits[0].startswith(whole)}
        for key in {*keys, *waited}:
            self.versions[key] = self.versions.get(key, 0) + 1

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        kept = fcntl.fcntl, fcntl.flock, time.sleep
        for name in PATHS:
            setattr(os, name, self._wrapped(name, self.real[name]))
        os.close, os.write = self._close, self._write
        fcntl.fcntl, fcntl.flock, time.sleep = self._fcntl, self._flock, self._sleep  # type: ignore[assignment]
        self._kept = kept
        try:
            yield
        finally:
            for name, function in self.real.items():
                setattr(os, name, function)
            fcntl.fcntl, fcntl.flock, time.sleep = kept

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            process = self.processes.get(threading.get_ident())
            if process is None:
                return real(*arguments, **options)
            process.step(self._op(name, arguments, options))
            result = real(*arguments, **options)
            if name == "open":
                process.opened.add(result)
            return result

        return call

    def _op(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Op:
        paths = (
            [self._key(arguments[0], options.get("dir_fd", options.get("src_dir_fd")))] if arguments else []
        )
        if name in ("rename", "link"):
            paths.append(self._key(arguments[1], options.get("dst_dir_fd")))
        elif name == "symlink":
            paths = [self._key(arguments[1], options.get("dir_fd"))]
        keys = {path for path in paths if path is not None}
        reads, writes = set(keys), set()
        if name in ("listdir", "scandir"):
            reads = {key + "/" for key in keys}
        creates = name == "open" and bool(arguments[1] & os.O_CREAT)
        if name in WRITES or creates:
            writes |= keys
        if name in NAMES or (creates and not all(map(self.real_exists, keys))):
            writes |= {os.path.dirname(key) + "/" for key in keys}
        return Op(name, frozenset(reads), frozenset(writes))

    def real_exists(self, path: str) -> bool:
        return bool(self.real["access"](path, os.F_OK))

    def _key(self, path: Any, fd: Any) -> Optional[str]:
        """Return the name by which a file counts; None for what is nobody else's business."""
        if isinstance(path, int):
            text = self.real["readlink"](f"/proc/self/fd/{path}")
        else:
            text = os.fsdecode(path)
            if fd is not None:
                text = self.real["readlink"](f"/proc/self/fd/{fd}") + "/" + text
        if not text.startswith(self.root + "/") or _TEMPORARY.search(text):
            return None
        # What is random is another in each run, and these are compared.
        return _UNIQUE.sub("", _WITHIN.sub(r"\1", text))

    def _lock_op(
        self,
        process: Process,
        fd: int,
        key: str,
        take: Callable[[], Any],
        wait: bool,
        reads: frozenset[str] = frozenset(),
    ) -> Any:
        op = Op("lock", reads, frozenset([key]))
        while True:
            process.step(op)
            try:
                found = take()
                process.locked.setdefault(fd, set()).add(key)
                self.changed([key])
                return found
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                process.failed = (key, self.versions.get(key, 0))
                if not wait:
                    raise
                process.waits = process.failed

    def _fcntl(self, fd: int, command: int, argument: Any = 0) -> Any:
        process = self.processes.get(threading.get_ident())
        real = self._kept[0]
        if process is None or command not in (fcntl.F_OFD_SETLK, fcntl.F_OFD_SETLKW, fcntl.F_OFD_GETLK):
            return real(fd, command, argument)
        path = self._key(fd, None)
        if command == fcntl.F_OFD_GETLK:
            # A question about any byte: it sees every lock that is taken or given up in the file.
            process.step(Op("ask", frozenset(), frozenset([f"{path}#"])))
            return real(fd, command, argument)
        start, length = _FLOCK.unpack(argument)[2:4]
        key = f"{path}#{start}" if length else f"{path}#"
        wait = command == fcntl.F_OFD_SETLKW
        take = partial(real, fd, fcntl.F_OFD_SETLK, argument)
        return self._lock_op(process, fd, key, take, wait, frozenset([f"{path}#"]))

    def _flock(self, fd: int, operation: int) -> Any:
        process = self.processes.get(threading.get_ident())
        real = self._kept[1]
        if process is None:
            return real(fd, operation)
        wait = not operation & fcntl.LOCK_NB
        key = f"{self._key(fd, None)}#"
        return self._lock_op(process, fd, key, lambda: real(fd, operation | fcntl.LOCK_NB), wait)

    def _sleep(self, seconds: float) -> None:
        process = self.processes.get(threading.get_ident())
        if process is None or process.failed is None:
            self._kept[2](seconds)
            return
        process.waits = process.failed
        process.step(Op("sleep", frozenset([process.failed[0]]), frozenset()))

    def _write(self, fd: int, data: Any) -> int:
        """Other files get their content before they have a name; to a lease it is appended."""
        process = self.processes.get(threading.get_ident())
        if process is not None:
            path = self._key(fd, None)
            if path is not None and _LEASE.search(path):
                process.step(Op("write", frozenset(), frozenset([path])))
        written: int = self.real["write"](fd, data)
        return written

    def _close(self, fd: int) -> None:
        process = self.processes.get(threading.get_ident())
        if process is not None:
            keys = process.locked.get(fd, set())
            if keys and not process.killed:
                files = frozenset(key.rpartition("#")[0] + "#" for key in keys)
                process.step(Op("close", files, frozenset(keys)))
            process.opened.discard(fd)
            process.locked.pop(fd, None)
            self.real["close"](fd)
            self.changed(keys)
            return
        self.real["close"](fd)


class Node(NamedTuple):
    """A point of a run: what each process is about to do, which were tried, which need not be."""

    ops: dict[int, Op]
    tried: list[int]
    asleep: dict[int, Op]


class Run(NamedTuple):
    processes: list[Process]
    steps: list[int]
    finished: bool


def run(
    root: str,
    programs: Sequence[Program],
    choose: Callable[[dict[int, Op], int], int],
    kill: Optional[tuple[int, int]] = None,
) -> Run:
    """Let the programs happen; `choose(what each is about to do, who was last)` says who goes on, -1 ends it.

    `kill` is a process, and at which of its steps that write it is killed: those that read leave nothing.
    """
    world = World(root)
    processes = [Process(number, program, world) for number, program in enumerate(programs)]
    steps: list[int] = []
    finished = True
    with world.installed():
        for process in processes:
            process.thread.start()
            process.parked.acquire()
        last = writes = 0
        while not all(process.done for process in processes):
            ops = {p.number: p.pending for p in processes if p.enabled and p.pending is not None}
            assert ops, f"all wait for each other: {[(p.waits, p.pending) for p in processes]}"
            last = choose(ops, last)
            if last < 0:
                finished = False
                for process in processes:
                    process.killed = True
                for process in processes:
                    if not process.done:
                        process.go.release()
                        process.thread.join()
                break
            steps.append(last)
            process = processes[last]
            if kill is not None and kill[0] == last and ops[last].writes:
                writes += 1
                process.killed = writes == kill[1]
            process.go.release()
            process.parked.acquire()
        for process in processes:
            process.thread.join()
    return Run(processes, steps, finished)


def exhaust(
    root: str, prepare: Callable[[], Sequence[Program]], check: Callable[[Run], None], limit: int = 10**9
) -> int:
    """Run all interleavings of the programs, one of each kind; return how many there were.

    `prepare` makes the world anew. Raises AssertionError where there are more than `limit`.
    """
    path: list[tuple[Node, int]] = []
    count = 0
    while True:
        position = 0

        def choose(ops: dict[int, Op], last: int) -> int:
            nonlocal position
            if position < len(path):
                chosen = path[position][1]
                assert chosen in ops, "a run cannot be repeated"
            else:
                asleep: dict[int, Op] = {}
                if path:
                    before, taken = path[-1]
                    rest = {**before.asleep, **{n: before.ops[n] for n in before.tried if n != taken}}
                    asleep = {
                        n: op for n, op in rest.items() if n in ops and not op.touches(before.ops[taken])
                    }
                awake = [number for number in ops if number not in asleep]
                if not awake:
                    return -1
                chosen = last if last in awake else awake[0]
                path.append((Node(ops, [chosen], asleep), chosen))
            position += 1
            return chosen

        found = run(root, prepare(), choose)
        if found.finished:
            count += 1
            assert count <= limit, f"more than {limit} interleavings"
            check(found)
        while path:
            node, _ = path.pop()
            left = [n for n in node.ops if n not in node.tried and n not in node.asleep]
            if left:
                node.tried.append(left[0])
                path.append((node, left[0]))
                break
        if not path:
            return count


class Touched(NamedTuple):
    """What operations read and write, all together."""

    reads: set[str]
    writes: set[str]

    def add(self, op: Op) -> None:
        self.reads.update(op.reads)
        self.writes.update(op.writes)

    def by(self, op: Op) -> bool:
        """Say whether an operation touches one of them."""
        return not (
            self.writes.isdisjoint(op.reads)
            and self.writes.isdisjoint(op.writes)
            and self.reads.isdisjoint(op.writes)
        )


class _Interrupted:
    """Lets one process do so many steps, then all the others, then the rest of it."""

    def __init__(self, first: int, at: int, theirs: Touched) -> None:
        self.first, self.at, self.theirs = first, at, theirs
        self.taken = 0

    def __call__(self, ops: dict[int, Op], last: int) -> int:
        others = [number for number in ops if number != self.first]
        mine = ops.get(self.first)
        if mine is not None:
            counts = self.theirs.by(mine)
            if not others or self.taken < self.at or (self.at and not counts):
                self.taken += counts or not others
                return self.first
        self.theirs.add(ops[others[0]])
        return others[0]


def once_each(
    root: str, prepare: Callable[[], Sequence[Program]], check: Callable[[Run], None], *, same: bool = False
) -> int:
    """Let all others happen between any two steps of each program; return how many runs that took.

    With `same`, all programs are one, and what is interrupted need not be each of them.
    Steps that have nothing to do with any of the others' are not told apart.
    """
    count = 0
    for first in range(1 if same else len(prepare())):
        at = 0
        theirs = Touched(set(), set())
        while True:
            choose = _Interrupted(first, at, theirs)
            check(run(root, prepare(), choose))
            count += 1
            at += 1
            if choose.taken < at:
                break
    return count


def killed_each(root: str, prepare: Callable[[], Sequence[Program]], check: Callable[[Run], None]) -> int:
    """Kill the first program at each step that writes in turn, let the others happen; return how many."""
    at = 0
    while True:
        at += 1
        found = run(root, prepare(), lambda ops, last: min(ops), (0, at))
        check(found)
        if not found.processes[0].killed:
            return at


class _Dice:
    """Goes on with the same process most of the time."""

    def __init__(self, seed: str) -> None:
        self.dice = random.Random(seed)
        self.stay = self.dice.choice([0.5, 0.8, 0.95])

    def __call__(self, ops: dict[int, Op], last: int) -> int:
        return last if last in ops and self.dice.random() < self.stay else self.dice.choice(sorted(ops))


def sample(
    root: str,
    prepare: Callable[[], Sequence[Program]],
    check: Callable[[Run], None],
    *,
    count: int,
    seed: int,
    kill: bool = False,
) -> int:
    """Run `count` interleavings by the dice, with `kill` one of the first two killed somewhere."""
    for number in range(count):
        choose = _Dice(f"{seed}-{number}")
        death = (choose.dice.randrange(2), choose.dice.randrange(1, 60)) if kill else None
        check(run(root, prepare(), choose, death))
    return count
