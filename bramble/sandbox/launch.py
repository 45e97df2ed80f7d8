"""The entry point of this package: start the helper once, then run sandboxes through it from any thread.

Every sandbox has a separate channel to the helper, so threads never wait
for each other, and the end of either side is heard by the other at once.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import stat
import sys
from _thread import allocate_lock
from importlib import import_module

from bramble.errors import BrambleError
from bramble.interpreter import missing
from bramble.sandbox import layout, programs, running, sockets, start, terminal, wire
from bramble.sandbox.running import Outcome, Running
from bramble.sandbox.steps import HostFacts, steps
from bramble.sandbox.vocabulary import BUILDER, HELPER, INIT
from bramble.sandbox.walls.numbers import ARCHITECTURES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Optional

    from bramble.sandbox.spec import SandboxSpec
    from bramble.sandbox.vocabulary import Step

__all__ = ["Launcher", "Outcome"]

FIRST_WORD = 1 << 16


class Launcher:
    """A helper process, and sandboxes run through it.

    Make it before the first thread, use it as a context manager, and call
    `run` from as many threads as you like. Raises BrambleError
    sandbox.launcher-died when the helper cannot be started or is lost.
    """

    def __init__(self, python: str = sys.executable, started: Optional[start.Started] = None) -> None:
        """`started` is a helper that has been started before, and is then this launcher's."""
        self._lock = allocate_lock()
        self._facts: Optional[HostFacts] = None
        self._refused = ""  # why root may not have a sandbox with namespaces
        self._listens = True  # the helper can hear of the end of a process
        check_machine(os.uname().machine, sys.maxsize, os.path.exists("/proc/self/stat"))
        try:
            started = started or start.helper(python)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "the interpreter is unknown"
            raise BrambleError(
                "sandbox.launcher-died",
                f"the helper process cannot be started: {python}: {reason}",
                remedy="run Bramble with a Python interpreter that can be executed",
            ) from error
        self._started, self._control, self._complaints = started, started.control, started.complaints

    def __enter__(self) -> Launcher:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the helper and every sandbox that still runs, and wait until they are gone."""
        self._started.close()
        self._complaints = -1

    @property
    def facts(self) -> HostFacts:
        """What the helper found out about this machine; waits for its first word."""
        with self._lock:
            if self._facts is None:
                word = self._control.recv(FIRST_WORD)
                if not word:
                    raise self._died()
                (told,) = wire.unpacked(bytearray(word))
                self._refused, self._listens = told["refused"], told["pidfd"]
                self._facts = HostFacts(
                    machine=told["machine"],
                    other_user=told["other_user"],
                    landlock=told["landlock"],
                    counts_processes=told["counts_processes"],
                    memory=told["memory"],
                    processes=told["processes"],
                    processors=told["processors"],
                    proc=frozenset(told["proc"]),
                    devices=tuple(told["devices"]),
                    network_files=tuple(told["network_files"]),
                )
            return self._facts

    def plan(self, spec: SandboxSpec) -> tuple[Step, ...]:
        """Return the steps that `run` would do for `spec` here; nothing is started."""
        spec = with_real_sources(spec)
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
        null = start.null_device()
        try:
            with contextlib.ExitStack() as handed:
                handed.callback(os.close, null)
                handed.callback(os.close, write_end)
                sandbox = self._begin(spec, (null, write_end, write_end), -1)
            with sandbox:
                return running.watch(sandbox, output, on_output, cancelled)
        finally:
            os.close(output)

    def run_attached(self, spec: SandboxSpec, stdin: int, stdout: int, stderr: int) -> Outcome:
        """Run a program on the caller's streams; return how it ended.

        Pipes without a name and the null device are handed in as they are;
        others are copied through pipes. With `spec.terminal` those that are
        terminals become the sandbox's own terminal, and the caller's is raw
        until the end. Raises sandbox.no-terminal if `stdin` is not a terminal then, and
        what `run` raises. When called in the main thread, SIGINT, SIGTERM,
        SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 go to the program.
        """
        given = (stdin, stdout, stderr)
        for fd in given:
            terminal.check(fd)
        if spec.terminal:
            terminal.require(stdin)
        screen = stdin if spec.terminal else -1
        with contextlib.ExitStack() as ours:
            null = start.null_device()
            ours.callback(os.close, null)
            handed = contextlib.ExitStack()
            streams: list[int] = []
            flows: dict[int, terminal.Flow] = {}
            pipes = os.fstat(self._complaints).st_dev
            with handed:
                for number, fd in enumerate(given):
                    if spec.terminal and os.isatty(fd):
                        streams.append(null)
                    elif terminal.plain(fd, pipes):
                        streams.append(fd)
                    elif number == 2 and streams[1] != stdout and os.path.sameopenfile(stdout, fd):
                        streams.append(streams[1])  # one pipe keeps the order of output and error
                    else:
                        inner, flow = piped(fd, ours, writes=number > 0)
                        handed.callback(os.close, inner)
                        if number == 0 and terminal.is_file(fd):
                            flow.handed = os.dup(inner)
                            ours.callback(os.close, flow.handed)
                        streams.append(inner)
                        flows[number] = flow
                terminals = tuple(
                    number for number, fd in enumerate(given) if spec.terminal and os.isatty(fd)
                )
                sandbox = self._begin(spec, (streams[0], streams[1], streams[2]), screen, terminals)
            with sandbox:
                try:
                    outcome = running.accompany(sandbox, list(flows.values()), screen)
                finally:
                    # Also what a program would have read that could not be started.
                    for flow in flows.values():
                        flow.give_back()
            for number, flow in flows.items():
                if flow.failed is not None:
                    raise terminal.unwritten(number, flow.failed)
            return outcome

    def _begin(
        self, spec: SandboxSpec, streams: tuple[int, int, int], screen: int, terminals: tuple[int, ...] = ()
    ) -> Running:
        """Hand one sandbox to the helper."""
        planned = self.plan(spec)
        if not self._listens:
            raise import_module("bramble.sandbox.refusals").too_old()
        if self._refused and spec.rung == "namespaces":
            raise import_module("bramble.sandbox.refusals").powerless_root(self._refused)
        channel, theirs = _socket.socketpair()
        window = terminal.window(screen).hex() if screen >= 0 else ""
        extra = {"terminal_streams": terminals, "window": window}
        job = wire.packed({**parts_of(planned, sys.getfilesystemencoding()), **extra})
        try:
            try:
                fds = [theirs.fileno(), *streams, streams[0] if screen < 0 else screen]
                rights = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
                self._control.sendmsg([b"job"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
            finally:
                theirs.close()
            channel.sendall(job)
        except OSError as error:
            channel.close()
            raise self._died() from error
        return Running(spec, planned, channel, self._died)

    def _died(self) -> BrambleError:
        """Return the error for a helper that has ended, with its last message."""
        words = b""
        try:
            # Modules that the helper needs and this process does not.
            import_module("ctypes")
        except ImportError:
            # spec: cli.python
            code, fact, remedy = missing("ctypes")
            return BrambleError(code, fact, remedy=remedy)
        with contextlib.suppress(OSError):
            words = os.read(self._complaints, FIRST_WORD)
        return BrambleError(
            "sandbox.launcher-died",
            "the helper process that starts sandboxes has ended",
            remedy="run it again; if it repeats, something ends processes here (lack of memory, a guard)",
            detail=words.decode("utf-8", "replace"),
        )


def check_machine(machine: str, largest: int, proc: bool) -> None:
    """Raise sandbox.unavailable where not even the helper could work.

    That is: on a processor whose system calls we do not know, in a 32 bit
    Python on one that we do (`largest` is `sys.maxsize`), and without /proc.
    """
    if machine not in ARCHITECTURES or largest < 1 << 32:
        raise BrambleError(
            "sandbox.unavailable",
            f"there are no sandboxes on {machine}" + ("" if largest >= 1 << 32 else " with 32 bits"),
            remedy="use a 64 bit Python on one of: " + ", ".join(ARCHITECTURES),
        )
    if not proc:
        raise BrambleError(
            "sandbox.unavailable", "/proc is not mounted here", remedy="mount -t proc proc /proc"
        )


def piped(fd: int, ours: contextlib.ExitStack, *, writes: bool) -> tuple[int, terminal.Flow]:
    """Return the sandbox's end of a pipe that replaces `fd`, and the flow between our end and `fd`."""
    read_end, write_end = os.pipe()
    if writes:
        ours.callback(os.close, read_end)
        return write_end, terminal.Flow(read_end, fd, own_sink=False)
    return read_end, terminal.Flow(fd, write_end, own_sink=True)


def with_real_sources(spec: SandboxSpec) -> SandboxSpec:
    """Return `spec` with the links in the sources of mounts followed; for a run its caller has done it.

    The weaker modes show everything at its own path, as it is written.
    """
    # spec: sandbox.mounts.source
    if spec.purpose == "run" or spec.rung != "namespaces":
        return spec
    mounts = tuple(
        mount._replace(source=os.path.realpath(mount.source)) if mount.source.startswith("/") else mount
        for mount in spec.mounts
    )
    return spec._replace(mounts=mounts)


def look(spec: SandboxSpec, facts: HostFacts) -> HostFacts:
    """Return `facts` with what the host says about the paths of `spec`. Raises sandbox.mount."""
    sources = {mount.source: kind_of(mount.source) for mount in spec.mounts}
    hidden = {}
    for path in spec.hidden:
        shown = [mount for mount in spec.mounts if layout.below(path, mount.target)]
        if shown:
            nearest = max(shown, key=lambda mount: len(mount.target))
            hidden[path] = kind_of_hidden(nearest.source + path[len(nearest.target) :], path)
    if spec.purpose == "run" and not spec.network:
        for path in sockets.shown(start.read("/proc/net/unix"), spec.mounts):
            hidden.setdefault(path, "socket")
    return facts._replace(sources=sources, hidden=hidden, links=programs.links(spec))


def kind_of(source: str) -> str:
    """Return "directory" or "file" for a mount's source; raises sandbox.mount when it cannot be shown."""
    if not source.startswith("/"):
        raise layout.refuse(f"the mount source {source!r} is not absolute", "give an absolute path")
    try:
        mode = os.stat(source).st_mode
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise layout.refuse(
            f"{source} cannot be given: {reason}", "give a path that exists and can be reached"
        ) from error
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise layout.refuse(f"{source} is a device", "leave it out: devices are not allowed in a sandbox")
    return "directory" if stat.S_ISDIR(mode) else "file"


def kind_of_hidden(source: str, path: str) -> str:
    """Return "directory" or "file" for what a hidden path covers; raises sandbox.mount if absent."""
    try:
        status = os.lstat(source)
    except OSError as error:
        raise layout.refuse(
            f"{path} cannot be hidden: {error.strerror}", "hide a path that exists, or leave it out"
        ) from error
    mode = status.st_mode
    if stat.S_ISLNK(mode):
        raise layout.refuse(
            f"{path} cannot be hidden: it is a symbolic link", "hide what the link leads to, by its own path"
        )
    if not stat.S_ISDIR(mode) and status.st_nlink > 1:
        raise layout.refuse(
            f"{path} cannot be hidden: it has {status.st_nlink} names (hard links), and others may be shown",
            "leave it one name only (find -samefile finds them), or hide a copy",
        )
    return "directory" if stat.S_ISDIR(mode) else "file"


def parts_of(planned: tuple[Step, ...], encoding: str) -> dict[str, Any]:
    """Return the job as it goes to the helper: steps by who does them, each with its number in the list.

    `encoding` is that of the caller's file names: on the wire they are UTF-8.
    """
    # spec: sandbox.launcher.text
    job: dict[str, Any] = {HELPER: [], INIT: [], BUILDER: []}
    for number, step in enumerate(planned):
        args = step.args if encoding == "utf-8" else recoded(step.args, encoding)
        job[step.actor].append((number, step.action, args))
    return job


def recoded(value: Any, encoding: str) -> Any:
    """Return text of a caller with another encoding as the same bytes would be read as UTF-8."""
    if isinstance(value, tuple):
        return tuple(recoded(part, encoding) for part in value)
    if isinstance(value, str):
        return value.encode(encoding, "surrogateescape").decode("utf-8", "surrogateescape")
    return value
