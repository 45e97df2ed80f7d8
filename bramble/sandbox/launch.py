"""The caller's side: start the helper once, then run sandboxes through it from any thread.

Every sandbox has a channel of its own, so threads never wait for each other:
the thread that called `run` reads the sandbox's output and the helper's
answers, watches the clock, and closes its end to end it.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Callable, Optional

import bramble
from bramble.errors import BrambleError
from bramble.sandbox import layout, refusals
from bramble.sandbox.spec import Mount, SandboxSpec
from bramble.sandbox.steps import CERTIFICATES, NETWORK_FILES, HostFacts, steps
from bramble.sandbox.vocabulary import BUILDER, HELPER, INIT, Step

CONTROL = 3
TICK = 0.05  # seconds between two looks at a `threading.Event`, which cannot be waited for together with descriptors
BOOTSTRAP = "import sys;sys.path.insert(0,sys.argv.pop(1));from bramble.sandbox import helper;helper.main()"


@dataclass(frozen=True)
class Outcome:
    """How a sandboxed program ended.

    `kind` is "exited" (`code` its status), "signalled" (`code` the signal),
    "timeout" (`limit` "seconds" or "silence"), "limit" (`limit` "memory",
    "processes" or "file_size") or "cancelled"; `code` is then the signal that
    ended it. `seconds` is the wall clock time of the whole sandbox.
    """

    kind: str
    code: int
    limit: str = ""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the program ended by itself with status 0."""
        return self.kind == "exited" and self.code == 0

    @property
    def shell_status(self) -> int:
        """The status a shell would report: the program's own, or 128 and the signal."""
        return self.code if self.kind == "exited" else 128 + self.code


class Launcher:
    """The door of this room: a helper process, and sandboxes run through it.

    Make it before the first thread, use it as a context manager, and call
    `run` from as many threads as you like. Raises BrambleError
    sandbox.launcher-died when the helper cannot be started or is lost.
    """

    def __init__(self, python: str = sys.executable) -> None:
        self._lock = threading.Lock()
        self._facts: Optional[HostFacts] = None
        self._refused = ""
        self._control, theirs = (high(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        complaints, complain = os.pipe()
        self._complaints = complaints
        os.set_blocking(complaints, False)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        root = os.path.dirname(os.path.dirname(os.path.abspath(bramble.__file__)))
        candidates = json.dumps(NETWORK_FILES + CERTIFICATES)
        flags = ["-B"] if sys.dont_write_bytecode else []
        streams = ((null, 0), (null, 1), (complain, 2), (theirs.fileno(), CONTROL))
        try:
            self._pid = os.posix_spawn(
                python,
                [python, "-I", "-S", *flags, "-c", BOOTSTRAP, root, candidates],
                {},  # the environment of the helper is empty: nothing of ours can reach a sandbox by it
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for fd, number in streams],
            )
        except OSError as error:
            raise BrambleError(
                "sandbox.launcher-died",
                f"the helper process cannot be started: {python}: {error.strerror}",
                remedy="run Bramble with a Python interpreter that can be executed",
            ) from error
        finally:
            for fd in (complain, null):
                os.close(fd)
            theirs.close()

    def __enter__(self) -> Launcher:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the helper and every sandbox that still runs; wait until they are gone."""
        if self._pid:
            self._control.close()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = 0
            os.close(self._complaints)

    @property
    def facts(self) -> HostFacts:
        """What the helper found out about this machine; waits for its first word."""
        with self._lock:
            if self._facts is None:
                word = self._control.recv(1 << 16)
                if not word:
                    raise self._died()
                told = json.loads(word)
                self._refused = told.pop("refused")
                told["proc"] = frozenset(told["proc"])
                told["devices"] = tuple(told["devices"])
                told["network_files"] = tuple(told["network_files"])
                self._facts = HostFacts(**told)
            return self._facts

    def plan(self, spec: SandboxSpec) -> tuple[Step, ...]:
        """Return the steps that `run` would do for `spec` here; nothing is started."""
        return steps(spec, look(spec, self.facts))

    def run(
        self,
        spec: SandboxSpec,
        *,
        on_output: Callable[[bytes], None],
        cancelled: Optional[threading.Event] = None,
    ) -> Outcome:
        """Run a program with no input; hand what it writes to `on_output` as it comes; return how it ended.

        When this returns, or raises, no process of the sandbox exists. Setting
        `cancelled` ends it early. Raises BrambleError sandbox.* when the sandbox
        cannot be made or the program cannot be executed.
        """
        output, write_end = os.pipe()
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with contextlib.ExitStack() as ours:
                ours.callback(os.close, write_end)
                ours.callback(os.close, null)
                sandbox = self._begin(spec, (null, write_end, write_end))
            with sandbox:
                return watch(sandbox, output, on_output, cancelled)
        finally:
            os.close(output)

    def run_attached(self, spec: SandboxSpec, stdin: int, stdout: int, stderr: int) -> Outcome:
        """Run a program on the caller's own descriptors."""
        with self._begin(spec, (stdin, stdout, stderr)) as sandbox:
            return watch(sandbox, None, lambda data: None, None)

    def _begin(self, spec: SandboxSpec, streams: tuple[int, int, int]) -> Running:
        """Hand one sandbox to the helper."""
        planned = self.plan(spec)
        if self._refused and spec.rung == "namespaces":
            raise refusals.root_without_power(self._refused)
        channel, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"job"], [theirs.fileno(), *streams])
            job = json.dumps(wire(planned)).encode()
            channel.sendall(len(job).to_bytes(4, "little") + job)
        except OSError as error:
            channel.close()
            raise self._died() from error
        return Running(self, spec, planned, channel)

    def _died(self) -> BrambleError:
        """Return the error for a helper that is gone, with what it said last."""
        words = b""
        with contextlib.suppress(OSError):
            words = os.read(self._complaints, 1 << 16)
        return BrambleError(
            "sandbox.launcher-died",
            "the helper process that starts sandboxes has ended",
            remedy="run the command again; if this repeats, something ends the process (memory, a security tool)",
            detail=words.decode("utf-8", "replace"),
        )


class Running:
    """A sandbox that the helper has been asked for, seen from the thread that waits for it."""

    def __init__(
        self, launcher: Launcher, spec: SandboxSpec, planned: tuple[Step, ...], channel: socket.socket
    ) -> None:
        self.launcher = launcher
        self.spec = spec
        self.planned = planned
        self.channel = channel
        self.began = time.monotonic()
        self.reason = ("", "")
        self.ended: Optional[dict[str, Any]] = None
        self.killed = 0
        self.terminal = -1
        self._buffer = b""

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        # However we leave, nothing of the sandbox may still be running: its outputs are read next, or removed.
        try:
            if self.ended is None:
                self.end("cancelled", "")
                while self.ended is None:
                    self.listen()
        finally:
            self.channel.close()

    def end(self, kind: str, limit: str) -> None:
        """Ask for the end of the sandbox, for the first reason that is given."""
        if self.reason == ("", ""):
            self.reason = (kind, limit)
            with contextlib.suppress(OSError):
                self.channel.send(b"k", socket.MSG_NOSIGNAL)

    def listen(self) -> None:
        """Read what the helper says; `ended` is set by its last word."""
        try:
            data, fds, _, _ = socket.recv_fds(self.channel, 1 << 16, 1)
        except ConnectionError:
            data, fds = b"", []
        for fd in fds:
            os.set_inheritable(fd, False)
            self.terminal = fd
        if not data:
            self.ended = {"event": "died"}
            raise self.launcher._died()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            word = json.loads(line)
            if word["event"] == "killed":
                self.killed = word["status"]
            elif word["event"] in ("end", "error"):
                self.ended = word

    def outcome(self) -> Outcome:
        """Return how the program ended, or raise what kept it from beginning."""
        ended = self.ended
        assert ended is not None
        seconds = time.monotonic() - self.began
        if ended["event"] == "error":
            raise refusals.refusal(self.planned[ended["step"]], ended["errno"], ended["path"], ended["detail"])
        status = ended["status"]
        if status is None:
            kind, limit = self.reason
            if "memory" in ended["limits"]:
                kind, limit = "limit", "memory"
            code = os.WTERMSIG(self.killed) if os.WIFSIGNALED(self.killed) else 9
            return Outcome(kind or "signalled", code, limit, seconds)
        if os.WIFSIGNALED(status):
            code = os.WTERMSIG(status)
            hit = [name for name in ("memory", "processes") if name in ended["limits"]]
            if code == 25 and self.spec.limits.file_size is not None:  # SIGXFSZ
                hit.append("file_size")
            return Outcome("limit" if hit else "signalled", code, hit[0] if hit else "", seconds)
        return Outcome("exited", os.WEXITSTATUS(status), "", seconds)


def watch(
    sandbox: Running,
    output: Optional[int],
    on_output: Callable[[bytes], None],
    cancelled: Optional[threading.Event],
) -> Outcome:
    """Read output and answers until the sandbox has ended; keep its limits of time."""
    limits = sandbox.spec.limits
    poll = select.poll()
    poll.register(sandbox.channel, select.POLLIN)
    if output is not None:
        poll.register(output, select.POLLIN)
    last = sandbox.began
    while sandbox.ended is None:
        for fd, _ in poll.poll(patience(limits.seconds, limits.silence, sandbox.began, last, cancelled)):
            if fd == output:
                data = os.read(output, 1 << 16)
                last = time.monotonic()
                if data:
                    on_output(data)
                else:
                    poll.unregister(output)  # it closed its output, which is no reason to end it
            else:
                sandbox.listen()
        now = time.monotonic()
        if cancelled is not None and cancelled.is_set():
            sandbox.end("cancelled", "")
        elif limits.seconds is not None and now >= sandbox.began + limits.seconds:
            sandbox.end("timeout", "seconds")
        elif limits.silence is not None and now >= last + limits.silence:
            sandbox.end("timeout", "silence")
    if output is not None:
        for data in rest(output):
            on_output(data)
    return sandbox.outcome()


def patience(
    seconds: Optional[float],
    silence: Optional[float],
    began: float,
    last: float,
    cancelled: Optional[threading.Event],
) -> Optional[float]:
    """Return how many milliseconds may pass before the clock or the caller has to be looked at again."""
    now = time.monotonic()
    waits = [TICK] if cancelled is not None else []
    if seconds is not None:
        waits.append(began + seconds - now)
    if silence is not None:
        waits.append(last + silence - now)
    return max(0.0, min(waits)) * 1000 + 1 if waits else None


def rest(output: int) -> Iterator[bytes]:
    """Yield what is left in a pipe. Not waiting for its end: somebody outside may hold the other side."""
    os.set_blocking(output, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            data = os.read(output, 1 << 16)
            if not data:
                return
            yield data


def look(spec: SandboxSpec, facts: HostFacts) -> HostFacts:
    """Return `facts` with what the host says about the paths of `spec`."""
    sources = {mount.source: kind_of(mount) for mount in spec.mounts}
    return replace(facts, sources=sources, hidden={})


def kind_of(mount: Mount) -> str:
    """Return "directory" or "file" for a mount's source; raises sandbox.mount when it is neither or not there."""
    if not mount.source.startswith("/"):
        raise layout.refuse(f"the mount source {mount.source!r} is not absolute", "give an absolute path")
    try:
        mode = os.stat(mount.source).st_mode
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise layout.refuse(
            f"{mount.source} cannot be shown to the program: {reason}", "give a path that exists and can be reached"
        ) from error
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise layout.refuse(f"{mount.source} is a device", "devices cannot be given to a sandbox")
    return "directory" if stat.S_ISDIR(mode) else "file"


def wire(planned: tuple[Step, ...]) -> dict[str, Any]:
    """Return the job as it goes to the helper: steps by who does them, each with its number in the list."""
    job: dict[str, Any] = {HELPER: [], INIT: [], BUILDER: [], "terminal_streams": []}
    for number, step in enumerate(planned):
        job[step.actor].append((number, step.action, step.args))
    return job


def high(end: socket.socket) -> socket.socket:
    """Return the same socket with a descriptor that is in nobody's way (posix_spawn puts others at 0 to 3)."""
    with end:
        return socket.socket(fileno=os.dup(end.fileno())) if end.fileno() > 9 else reach(end)


def reach(end: socket.socket) -> socket.socket:
    """Return a copy of a socket with a descriptor above 9."""
    import fcntl

    return socket.socket(fileno=fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, 10))
