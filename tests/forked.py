"""Commands of Bramble in processes that need not start an interpreter: most of a command's time is that.

A process imports what every command imports, and forks for each command. The child then is what a new
interpreter would have become: it has the command's own streams, directory, environment and arguments, is
entered by `bramble.__main__.start`, and ends as an interpreter ends that leaves its memory to the kernel.
What it lacks is the start itself, a hash seed of its own, and the end of each of its objects. So two such
processes take turns, each with another seed, and what a test says of the start, of signals, of terminals
and of an unusual environment is tested with new interpreters.

Commands of `conformance/mini`, the second implementation, are forked in the same way.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, Optional

from conformance.world.following import LAST_WORDS, Signal, follow, ignore_nothing

ROOT = Path(__file__).resolve().parents[1]
# What the commands import by name when they come to it.
SOON_NEEDED = ("bramble.cli.main", "bramble.build.builtin", "bramble.lang.failure", "bramble.cli.usage")
BRAMBLE, MINI = "bramble", "conformance/mini"
SEEDS = 2
LARGEST = 1 << 20  # bytes of a request
# An interpreter reads these when it starts, so it cannot be told of others afterwards.
KNOWN = {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
READ_AT_THE_START = ("PYTHON", "LC_", "LANG", "MALLOC_", "LD_")


def possible(directory: str, environment: Mapping[str, str]) -> bool:
    """Tell whether a command can be forked: nothing that is there concerns the start of an interpreter.

    `-m` looks for modules in the working directory first (spec: cli.modules).
    """
    modules = [name for name in os.listdir(directory) if name == "bramble" or name.endswith((".py", ".so"))]
    given = {name: value for name, value in environment.items() if name.startswith(READ_AT_THE_START)}
    return not modules and all(KNOWN.get(name) == value for name, value in given.items())


def run(
    words: Sequence[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    stdin: int,
    seconds: float,
    leader: bool = False,
    program: str = BRAMBLE,
    signals: Optional[list[Signal]] = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run `bramble WORDS…`, or MINI, to its end, and return its status and all that it printed.

    `stdin` is a descriptor; a `leader` leads a session of its own, and takes its group along when it ends.
    The `signals` that it has got are removed from their list. Raises subprocess.TimeoutExpired, with what was
    printed, when the command had to be killed.
    """
    with _starter(program) as starter, contextlib.ExitStack() as opened:
        outputs = []
        given = [stdin]
        for _ in range(2):
            reading, writing = os.pipe()
            outputs.append(opened.enter_context(open(reading, "rb", buffering=0)))
            given.append(writing)
        request = {
            "words": [*words],
            "directory": directory,
            "environment": dict(environment),
            "leader": leader,
            "umask": _umask(),
        }
        try:
            process = starter.start(request, given)
        finally:
            for end in given[1:]:
                os.close(end)
        deadline = time.monotonic() + seconds
        stdout, stderr = texts = (bytearray(), bytearray())
        by_end = dict(zip((one.fileno() for one in outputs), texts))
        timed_out = not follow(process, by_end, deadline, signals)
        if timed_out:
            (os.killpg if leader else os.kill)(process, signal.SIGKILL)
            follow(process, by_end, time.monotonic() + LAST_WORDS)
        status = starter.wait()
        if timed_out:
            raise subprocess.TimeoutExpired([*words], seconds, bytes(stdout), bytes(stderr))
        if leader:
            # What is left of the group.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
        return subprocess.CompletedProcess([*words], status, bytes(stdout), bytes(stderr))


def _umask() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line[:6] == "Umask:"]
    return int(line.split()[1], 8)


class Starter:
    """The process that forks, for one command at a time."""

    def __init__(self, program: str) -> None:
        ignore_nothing()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            for end in (self._channel, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno()), program],
                cwd=ROOT,
                env={"PATH": os.defpath, **KNOWN},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(self, request: Mapping[str, Any], streams: Sequence[int]) -> int:
        """Start a command with these streams and return the number of its process."""
        message = json.dumps(request).encode()
        socket.send_fds(self._channel, [message], list(streams))
        return int(self._channel.recv(64))

    def wait(self) -> int:
        """Return the status of the command, minus the number of a signal."""
        return int(self._channel.recv(64))

    def end(self) -> None:
        """Let it end, which it does when it has nothing to do."""
        self._channel.close()
        self._process.wait()

    def give_up(self) -> None:
        """Kill it, whatever it does."""
        self._process.kill()
        self.end()


class _Starters:
    """Those of this process that have nothing to do; the one that waits longest is the next."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.idle: deque[Starter] = deque()
        self.lock = threading.Lock()
        self.made = 0

    def take(self) -> Starter:
        with self.lock:
            if self.idle and self.made >= SEEDS:
                return self.idle.popleft()
            self.made += 1
        return Starter(self.program)

    def give_back(self, starter: Starter) -> None:
        with self.lock:
            self.idle.append(starter)

    def end(self) -> None:
        with self.lock:
            while self.idle:
                self.idle.popleft().end()
                self.made -= 1


@cache
def _starters(_process: int, program: str) -> _Starters:
    # A process that a test has forked may not speak with those of its parent.
    return _Starters(program)


@contextlib.contextmanager
def _starter(program: str) -> Iterator[Starter]:
    starters = _starters(os.getpid(), program)
    starter = starters.take()
    try:
        yield starter
    except BaseException:
        # What it would answer next is unknown.
        with starters.lock:
            starters.made -= 1
        starter.give_up()
        raise
    starters.give_back(starter)


def end() -> None:
    """End the processes that fork; the next command starts new ones."""
    for program in (BRAMBLE, MINI):
        _starters(os.getpid(), program).end()


def _serve(channel: socket.socket) -> Optional[dict[str, Any]]:
    """Fork for each request. In a child, return the request; at the end of all requests, None."""
    while True:
        message, streams, _, _ = socket.recv_fds(channel, LARGEST, 3)
        if not message:
            return None
        child = os.fork()
        if child == 0:
            channel.close()
            request: dict[str, Any] = json.loads(message)
            if request["leader"]:
                os.setsid()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            return request
        for stream in streams:
            os.close(stream)
        channel.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: Mapping[str, Any], program: str) -> None:
    """Make this process what an interpreter is that has just been started so."""
    os.umask(request["umask"])
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    # As Python does without any locale (PEP 538).
    if "LC_ALL" not in os.environ:
        os.environ["LC_CTYPE"] = "C.UTF-8"
    sys.argv[:] = [str(ROOT / program / "__main__.py"), *request["words"]]
    text: Any = {"encoding": "utf-8", "errors": "surrogateescape", "closefd": False}
    sys.stdin = sys.__stdin__ = os.fdopen(0, "r", **text)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", **text)  # type: ignore[misc]
    text["errors"] = "backslashreplace"
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, **text)  # type: ignore[misc]


def _end(status: int) -> NoReturn:
    """End this process as an interpreter does, without freeing its objects one by one.

    To free them writes to every page that is shared with the parent, which takes some times as long as a
    small command. Where the streams take nothing the interpreter has a way of its own.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(status & 0xFF)
    sys.exit(status)


def _bramble() -> Callable[[], int]:
    """Import what commands import, and return what runs one."""
    entry = importlib.import_module("bramble.__main__")
    for verb in importlib.import_module("bramble.cli.table").VERBS:
        importlib.import_module(verb.module)
    for name in SOON_NEEDED:
        importlib.import_module(name)
    start: Callable[[], int] = entry.start
    return start


def _mini() -> Callable[[], NoReturn]:
    """Import the second implementation, and return what runs a command of it, which ends the process."""
    commands = importlib.import_module("conformance.mini.commands")
    return lambda: commands.start(sys.argv[1:])


def _main() -> int:
    """Import what commands import, fork for each, and in a child be the command."""
    start = {BRAMBLE: _bramble, MINI: _mini}[sys.argv[2]]()
    gc.freeze()
    channel = socket.socket(fileno=int(sys.argv[1]))
    request = _serve(channel)
    if request is None:
        return 0
    _become(request, sys.argv[2])
    _end(start())


if __name__ == "__main__":
    sys.exit(_main())
