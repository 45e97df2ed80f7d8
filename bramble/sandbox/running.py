"""One sandbox that runs, seen from the thread of the caller that waits for it.

The thread reads the sandbox's output and the helper's answers, watches the
clock, and says the word that ends it. However it is left, nothing of the
sandbox is still running: its outputs are read next, or removed.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import select
import sys
import time
from importlib import import_module

from bramble.record import NamedTuple
from bramble.sandbox import terminal, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Any, Optional

    from bramble.errors import BrambleError
    from bramble.sandbox.ownership import Owner
    from bramble.sandbox.spec import SandboxSpec
    from bramble.sandbox.vocabulary import Step
else:
    # See `helper`.
    import _signal as signal

CHUNK = 1 << 16
_FD_SIZE = 4  # bytes of a descriptor in a message: cmsg(3)
TICK = 0.02  # seconds between two looks at a `threading.Event`, for which one cannot poll
# Looks at what a build has written take at most a fiftieth of one processor, but are not rarer than:
LOOK_FIRST, LOOK_SHARE, LOOK_RAREST = 0.5, 50, 10.0  # seconds, part of the time, seconds
LOOK_LONGEST = 1.0  # seconds that one of them may take, for clocks and the caller have to wait


class Outcome(NamedTuple):
    """How a sandboxed program ended.

    `kind` is "exited" (`code` its status), "signalled" (`code` the signal),
    "timeout" (`limit` "seconds" or "silence"), "limit" (`limit` "memory",
    "processes", "disk", "file_size", "output_size" or "output_files") or "cancelled"; `code` is then
    the signal or status that it ended with. `seconds` is the wall clock time of the sandbox.
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
        """The status that a shell would report: the program's own, or 128 and the signal."""
        return self.code if self.kind == "exited" else 128 + self.code


class Running:
    """A sandbox that the helper has been asked for. A context manager: leaving it ends the sandbox."""

    def __init__(
        self,
        spec: SandboxSpec,
        planned: tuple[Step, ...],
        channel: _socket.socket,
        died: Callable[[], BrambleError],
    ) -> None:
        self.spec = spec
        self.planned = planned
        self.channel = channel
        self.died = died  # makes the error for a helper that is gone
        self.began = time.monotonic()
        self.reason = ("", "")  # kind and limit, when it is we who end it
        self.ended: Optional[dict[str, Any]] = None
        self.killed = 0  # wait status of pid 1, when it had no status of the program to tell
        self.terminal = -1  # the outer end of the sandbox's terminal
        self.given: list[tuple[str, Owner, Owner]] = []
        self.next_look = self.began + LOOK_FIRST
        self._received = bytearray()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            self.end("cancelled", "")
            while self.ended is None:
                self.listen()
        finally:
            for path, before, after in self.given:
                _ownership().give(path, after, before)
            if self.spec.terminal:
                self.say(b"r")  # else the helper restores it: see `helper.finish`
            self.channel.close()
            if self.terminal >= 0:
                os.close(self.terminal)

    def end(self, kind: str, limit: str) -> None:
        """Ask for the end of the sandbox, if nothing has ended it before."""
        if self.ended is None and self.reason == ("", ""):
            self.reason = (kind, limit)
            self.say(b"k")

    def say(self, words: bytes) -> None:
        """Say something to the helper; whether it still lives is heard on the next answer."""
        with contextlib.suppress(OSError):
            self.channel.send(words, _socket.MSG_NOSIGNAL)

    def listen(self) -> None:
        """Read what the helper says; `ended` is set by its last word. Raises sandbox.launcher-died."""
        try:
            data, ancillary, _, _ = self.channel.recvmsg(CHUNK, _socket.CMSG_LEN(_FD_SIZE))
            fds = list(_descriptors(ancillary))
        except ConnectionError:
            data, fds = b"", []
        if not data:
            self.ended = {"event": "died"}
            raise self.died()
        for fd in fds:
            os.set_inheritable(fd, False)
            self.terminal = fd
        self._received += data
        for word in wire.unpacked(self._received):
            if word["event"] == "killed":
                self.killed = word["status"]
                if word["by_us"] and self.reason == ("", ""):
                    self.reason = ("cancelled", "")  # the launcher was closed
            elif word["event"] == "owner":
                self.give_away(word["steps"], (word["uid"], word["gid"]))
            elif word["event"] in ("end", "error", "fault"):
                self.ended = word

    def give_away(self, steps: list[int], outer: Owner) -> None:
        """Give what the sandbox may write to its user outside, until it has ended: see `helper.open_tree`."""
        for number in steps:
            path = str(self.planned[number].args[0])
            before = _ownership().owner(path)
            self.given.append((path, before, outer))
            _ownership().give(path, before, outer)
        self.say(b"c")

    def outcome(self) -> Outcome:
        """Return how the program ended. Raises BrambleError for what kept it from beginning."""
        ended = self.ended
        assert ended is not None
        if ended["event"] == "fault":
            raise RuntimeError("a fault in the sandbox's child: " + ended["text"])
        if ended["event"] == "error":
            step = self.planned[ended["step"]]
            fixed = [mount.target for mount in self.spec.mounts if not mount.writable]
            told = ended["errno"], ended["path"], ended["detail"]
            raise _refusals().refusal(step, *told, fixed, self.spec.purpose)
        seconds = time.monotonic() - self.began
        status = ended["status"]
        if status is not None and self.measures:
            # Nothing of it runs any more: this look decides.
            limit = _measure().exceeded(self.writable, self.spec.limits, seconds=None, ended=True)
            if limit:
                return Outcome("limit", status_code(status), limit, seconds)
        if status is None:
            return self.cut_short(ended["limits"], ended["over"], seconds)
        hit = [name for name in ended["limits"] if name == "memory" or status != 0]
        code = status_code(status)
        limits = self.spec.limits
        if os.WIFSIGNALED(status) and code == signal.SIGXFSZ:
            hit += [name for name in ("file_size", "output_size") if getattr(limits, name) is not None]
        if hit and status != 0:
            return Outcome("limit", code, hit[0], seconds)
        return Outcome("signalled" if os.WIFSIGNALED(status) else "exited", code, "", seconds)

    def cut_short(self, limits: list[str], over: str, seconds: float) -> Outcome:
        """Return the outcome of a sandbox whose pid 1 was killed: by us, a limit, or somebody outside."""
        code = os.WTERMSIG(self.killed) if os.WIFSIGNALED(self.killed) else signal.SIGKILL
        over = over or ("memory" if "memory" in limits else "")
        if self.reason == ("", "") and over:
            return Outcome("limit", code, over, seconds)
        kind, limit = self.reason
        return Outcome(kind or "signalled", code, limit, seconds)

    def patience(self, last: Optional[float], cancelled: Optional[threading.Event]) -> Optional[float]:
        """Return the milliseconds until the clock or the caller has to be looked at again, None for ever.

        `last` is when there was output, None when silence does not count.
        """
        limits = self.spec.limits
        now = time.monotonic()
        waits = [TICK] if cancelled is not None else []
        if limits.seconds is not None:
            waits.append(self.began + limits.seconds - now)
        if limits.silence is not None and last is not None:
            waits.append(last + limits.silence - now)
        if self.measures:
            waits.append(self.next_look - now)
        return max(0.0, min(waits)) * 1000 + 1 if waits else None

    def look_at_clock(self, last: Optional[float], cancelled: Optional[threading.Event]) -> None:
        """End the sandbox when its time is over or the caller has cancelled it."""
        # spec: sandbox.limits
        limits = self.spec.limits
        now = time.monotonic()
        if cancelled is not None and cancelled.is_set():
            self.end("cancelled", "")
        elif limits.seconds is not None and now >= self.began + limits.seconds:
            self.end("timeout", "seconds")
        elif limits.silence is not None and last is not None and now >= last + limits.silence:
            self.end("timeout", "silence")
        elif self.measures and now >= self.next_look and self.ended is None:
            self.look_at_outputs()

    @property
    def measures(self) -> bool:
        """Whether what the program writes has to be counted."""
        limits = self.spec.limits
        return limits.output_size is not None or limits.output_files is not None

    @property
    def writable(self) -> list[str]:
        """The host paths of what the program may write."""
        return [mount.source for mount in self.spec.mounts if mount.writable]

    def look_at_outputs(self) -> None:
        """End the sandbox when it has written too much; else say when to look again."""
        # spec: sandbox.limits.output
        began = time.monotonic()
        hit = _measure().exceeded(self.writable, self.spec.limits, seconds=LOOK_LONGEST, ended=False)
        if hit:
            self.end("limit", hit)
        now = time.monotonic()
        self.next_look = now + min(max((now - began) * LOOK_SHARE, LOOK_FIRST), LOOK_RAREST)


# What few sandboxes need is loaded for those.


def _measure() -> Any:
    return import_module("bramble.sandbox.limits.measure")


def _ownership() -> Any:
    return import_module("bramble.sandbox.ownership")


def _refusals() -> Any:
    return import_module("bramble.sandbox.refusals")


def status_code(status: int) -> int:
    """Return the signal or the exit status in a wait status: wait(2)."""
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def watch(
    sandbox: Running, output: int, on_output: Callable[[bytes], None], cancelled: Optional[threading.Event]
) -> Outcome:
    """Hand out what comes from the pipe `output` until the sandbox has ended; keep its limits of time."""
    poll = select.poll()
    poll.register(sandbox.channel, select.POLLIN)
    poll.register(output, select.POLLIN)
    last = sandbox.began
    while sandbox.ended is None:
        for fd, _ in poll.poll(sandbox.patience(last, cancelled)):
            if fd != output:
                sandbox.listen()
                continue
            data = os.read(output, CHUNK)
            last = time.monotonic()
            if data:
                on_output(data)
            else:
                poll.unregister(output)  # the program closed its output, which is not a reason to end it
        sandbox.look_at_clock(last, cancelled)
    for data in rest(output):
        on_output(data)
    return sandbox.outcome()


def rest(output: int) -> Iterator[bytes]:
    """Yield what is left in a pipe, without waiting for its end: all who could write to it are gone."""
    os.set_blocking(output, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            data = os.read(output, CHUNK)
            if not data:
                return
            yield data


def accompany(sandbox: Running, flows: list[terminal.Flow], screen: int) -> Outcome:
    """Copy the caller's streams until the sandbox has ended; `screen` is the caller's terminal, or -1.

    (spec: sandbox.terminal) The sandbox's own terminal joins when the helper hands it over. Signals
    that the caller gets, in the main thread, go to the program.
    """
    handlers: dict[int, terminal.Handler] = {
        number: lambda number, frame: sandbox.say(b"s" + bytes((number,))) for number in terminal.FORWARDED
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(terminal.handling(handlers))
        while sandbox.ended is None:
            poll = select.poll()
            poll.register(sandbox.channel, select.POLLIN)
            waiting = {}
            for flow in flows:
                if flow.open:
                    fd, event = flow.wants()
                    waiting[fd] = flow
                    poll.register(fd, event)
            for fd, _ in poll.poll(sandbox.patience(None, None)):
                if fd in waiting:
                    waiting[fd].move()
                    continue
                sandbox.listen()
                if sandbox.terminal >= 0 and screen >= 0:
                    flows += join(stack, screen, sandbox.terminal)
                    screen = -1
            sandbox.look_at_clock(None, None)
        for flow in flows:
            if flow.own_sink:
                flow.close()  # what is typed ahead is not for the sandbox
            else:
                flow.drain()
    return sandbox.outcome()


def join(stack: contextlib.ExitStack, screen: int, inner: int) -> list[terminal.Flow]:
    """Bring the caller's terminal and the sandbox's together until `stack` is left; return the flows."""
    terminal.copy_size(screen, inner)
    stack.enter_context(terminal.raw(screen))
    resized: dict[int, terminal.Handler] = {
        signal.SIGWINCH: lambda number, frame: terminal.copy_size(screen, inner)
    }
    stack.enter_context(terminal.handling(resized))
    # Two descriptors of one terminal: each flow closes or leaves its own.
    typed = terminal.Flow(screen, os.dup(inner), own_sink=True)
    shown = terminal.Flow(inner, screen, own_sink=False)
    return [typed, shown]


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> Iterator[int]:
    """Yield the descriptors that came with a message."""
    for level, kind, data in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            for at in range(0, len(data) - len(data) % _FD_SIZE, _FD_SIZE):
                yield int.from_bytes(data[at : at + _FD_SIZE], sys.byteorder)
