"""The helper: a small process of one thread that starts every sandbox of one caller.

It is executed, not forked, with an empty environment, so nothing of the
caller's memory, variables or descriptors reaches a sandbox; being small and
warm it can fork a child in a fraction of the time that a new interpreter
takes. It runs as the caller. It ends when the caller ends: the control socket
is then at its end, and every pid 1 asked to be killed with the helper.

Conversation (spec: sandbox.launcher): on the control socket arrives, for each
sandbox, one message with four descriptors: a channel and three streams. On
the channel the caller sends the length of the job (4 bytes, little endian), the
job as JSON, and later "k" to kill; the end of the channel kills too. The
helper answers with lines of JSON.
"""

from __future__ import annotations

import _socket
import gc
import json
import os
import resource
import select
import signal
import sys

from bramble.sandbox import child, groups, identity, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONTROL = 3
NAMESPACE_FLAGS = {
    "user": syscalls.CLONE_NEWUSER,
    "mount": syscalls.CLONE_NEWNS,
    "pid": syscalls.CLONE_NEWPID,
    "ipc": syscalls.CLONE_NEWIPC,
    "uts": syscalls.CLONE_NEWUTS,
    "net": syscalls.CLONE_NEWNET,
    "cgroup": syscalls.CLONE_NEWCGROUP,
}
RECEIVED_FDS = 4
OPEN_WHOLE = syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC | syscalls.AT_RECURSIVE
NETWORK_CANDIDATES_LIMIT = 64


class Sandbox:
    """One sandbox from its job to its end."""

    def __init__(self, channel: _socket.socket, streams: tuple[int, int, int]) -> None:
        self.channel = channel
        self.streams = streams
        self.received = bytearray()
        self.job: dict[str, Any] = {}
        self.link: _socket.socket | None = None
        self.pid = 0
        self.pidfd = -1
        self.trees: list[int] = []
        self.slot = -1
        self.group: groups.Group | None = None
        self.error: dict[str, Any] | None = None
        self.status: int | None = None

    def answer(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        """Send one line of JSON to the caller; a caller that is gone is noticed elsewhere."""
        line = json.dumps(message).encode() + b"\n"
        rights = b"".join(fd.to_bytes(4, "little") for fd in fds)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if fds else []
        try:
            self.channel.sendmsg([line], ancillary, _socket.MSG_NOSIGNAL)
        except OSError:
            self.kill()

    def kill(self) -> None:
        """Kill pid 1, and with it the sandbox. It is our child and not yet reaped, so the pid is still its own."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)


class Helper:
    """The event loop. Nothing in it waits for one sandbox while another has something to say."""

    def __init__(self, control: int) -> None:
        self.control = _socket.socket(fileno=control)
        self.poll = select.epoll()
        self.poll.register(control, select.EPOLLIN)
        self.channels: dict[int, Sandbox] = {}
        self.links: dict[int, Sandbox] = {}
        self.pidfds: dict[int, Sandbox] = {}
        self.identity = identity.own()
        self.own_memory = own_memory()

    def run(self) -> None:
        """Serve until the caller is gone."""
        while True:
            for fd, _ in self.poll.poll():
                if fd == self.control.fileno():
                    if not self.accept():
                        return
                elif fd in self.channels:
                    self.heard(self.channels[fd])
                elif fd in self.links:
                    self.told(self.links[fd])
                elif fd in self.pidfds:
                    self.ended(self.pidfds[fd])

    def accept(self) -> bool:
        """Take the descriptors of a new sandbox; return False when the caller is gone."""
        space = _socket.CMSG_SPACE(RECEIVED_FDS * 4)
        data, ancillary, _, _ = self.control.recvmsg(16, space, _socket.MSG_CMSG_CLOEXEC)
        if not data:
            return False
        fds = received(ancillary)
        if len(fds) != RECEIVED_FDS:
            for fd in fds:
                os.close(fd)
            return True
        channel = _socket.socket(fileno=fds[0])
        channel.setblocking(False)
        sandbox = Sandbox(channel, (fds[1], fds[2], fds[3]))
        self.channels[fds[0]] = sandbox
        self.poll.register(fds[0], select.EPOLLIN)
        return True

    def heard(self, sandbox: Sandbox) -> None:
        """Read what the caller says about one sandbox: its job, then a word; the end means: no more of it."""
        try:
            data = sandbox.channel.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.poll.unregister(sandbox.channel.fileno())
            if sandbox.pid:
                sandbox.kill()  # what is left is done when it has ended
            else:
                self.forget(sandbox)
            return
        if sandbox.job:
            if b"k" in data:
                if sandbox.pid:
                    sandbox.kill()
                else:
                    self.finish(sandbox)
            elif b"c" in data and not sandbox.pid:
                self.start(sandbox)
            return
        sandbox.received += data
        if len(sandbox.received) < 4:
            return
        length = int.from_bytes(sandbox.received[:4], "little")
        if len(sandbox.received) >= 4 + length:
            sandbox.job = json.loads(sandbox.received[4 : 4 + length])
            sandbox.received.clear()
            self.prepare(sandbox)

    def prepare(self, sandbox: Sandbox) -> None:
        """Apply the helper's steps that come before clone(2)."""
        foreign: list[int] = []
        for number, action, arguments in sandbox.job["helper"]:
            try:
                if action == "open-tree":
                    if not self.open_tree(sandbox, *arguments):
                        foreign.append(number)
                elif action == "limit-group":
                    sandbox.group = groups.make(*arguments)
            except OSError as error:
                sandbox.error = refusal(number, error)
                self.finish(sandbox)
                return
        if foreign:
            outer = self.identity.slot_id(sandbox.slot)
            sandbox.answer({"event": "owner", "uid": outer, "gid": outer, "steps": foreign})
        else:
            self.start(sandbox)

    def open_tree(self, sandbox: Sandbox, source: str, writable: bool) -> bool:
        """Take hold of a directory of the host as root, its owner shown as the sandbox's user.

        Returns False when it has to be given to that user instead: the file
        system cannot show another owner, and the sandbox is to write there.
        """
        if sandbox.slot < 0:
            sandbox.slot = self.identity.take_slot()
        tree = syscalls.open_tree(syscalls.AT_FDCWD, child.native(source), OPEN_WHOLE)
        sandbox.trees.append(tree)
        return self.identity.show_as_slot(tree, sandbox.slot) or not writable

    def start(self, sandbox: Sandbox) -> None:
        """Clone pid 1, give it its ids, and let it go."""
        link, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        sandbox.link = link
        flags = syscalls.SIGCHLD
        number = 0
        steps = {step[1]: step for step in sandbox.job["helper"]}
        try:
            if "clone" in steps:
                number, _, (names,) = steps["clone"]
                for name in names:
                    flags |= NAMESPACE_FLAGS[name]
            sandbox.pid = syscalls.clone(flags)
            if sandbox.pid == 0:
                job = sandbox.job
                child.run_init(
                    child.Job(
                        job["init"], job["builder"], theirs.fileno(), slaves(sandbox), sandbox.trees, self.own_memory
                    )
                )
            theirs.close()
            sandbox.pidfd = os.pidfd_open(sandbox.pid)
            self.links[link.fileno()] = self.pidfds[sandbox.pidfd] = sandbox
            self.poll.register(link.fileno(), select.EPOLLIN)
            self.poll.register(sandbox.pidfd, select.EPOLLIN)
            if "map-ids" in steps:
                number, _, (uid, gid) = steps["map-ids"]
                self.identity.map(sandbox.pid, uid, gid, sandbox.slot)
            if sandbox.group is not None:
                sandbox.group.add(sandbox.pid)
            number, _, (score,) = steps["prefer-to-kill"]
            identity.write_file(b"/proc/%d/oom_score_adj" % sandbox.pid, b"%d" % score)
            link.send(b"g", _socket.MSG_NOSIGNAL)
        except OSError as error:
            sandbox.error = sandbox.error or refusal(number, error)
            if sandbox.pid:
                sandbox.kill()
            else:
                self.finish(sandbox)
        for tree in sandbox.trees:
            os.close(tree)
        sandbox.trees = []

    def told(self, sandbox: Sandbox) -> None:
        """Read one message of the child: a refused step, the status of the program, or its terminal."""
        assert sandbox.link is not None
        data, ancillary, _, _ = sandbox.link.recvmsg(1 << 16, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
        kind, _, rest = data.partition(b"\0")
        if kind == b"E" and sandbox.error is None:
            number, errno, path, detail = rest.split(b"\0", 3)
            sandbox.error = {"step": int(number), "errno": int(errno), "path": text(path), "detail": text(detail)}
        elif kind == b"X" and sandbox.status is None:
            sandbox.status = int(rest)
        elif kind == b"T":
            fds = received(ancillary)
            sandbox.answer({"event": "terminal"}, tuple(fds))
            for fd in fds:
                os.close(fd)
        elif not data:
            self.unlink(sandbox)

    def ended(self, sandbox: Sandbox) -> None:
        """Pid 1 is gone, hence everything of the sandbox: reap it, read its last words, tell the caller."""
        while sandbox.link is not None:
            self.told(sandbox)
        _, status = os.waitpid(sandbox.pid, 0)
        sandbox.pid = 0
        self.poll.unregister(sandbox.pidfd)
        del self.pidfds[sandbox.pidfd]
        os.close(sandbox.pidfd)
        if sandbox.status is None and sandbox.error is None:
            sandbox.answer({"event": "killed", "status": status})
        self.finish(sandbox)

    def unlink(self, sandbox: Sandbox) -> None:
        if sandbox.link is not None:
            del self.links[sandbox.link.fileno()]
            self.poll.unregister(sandbox.link.fileno())
            sandbox.link.close()
            sandbox.link = None

    def finish(self, sandbox: Sandbox) -> None:
        """Tell the caller how it ended, and let go of everything."""
        hit = () if sandbox.group is None else sandbox.group.remove()
        if sandbox.error is not None:
            sandbox.answer({"event": "error", **sandbox.error})
        else:
            sandbox.answer({"event": "end", "status": sandbox.status, "limits": hit})
        self.forget(sandbox)

    def forget(self, sandbox: Sandbox) -> None:
        """Close what belongs to a sandbox that has no process."""
        self.unlink(sandbox)
        self.channels.pop(sandbox.channel.fileno(), None)
        sandbox.channel.close()
        for fd in (*sandbox.streams, *sandbox.trees):
            os.close(fd)
        if sandbox.slot >= 0:
            self.identity.give_back(sandbox.slot)


def slaves(sandbox: Sandbox) -> tuple[int, int, int]:
    """Return the streams, with -1 where the sandbox's own terminal is to stand."""
    own = sandbox.job["terminal_streams"]
    first, second, third = (-1 if number in own else fd for number, fd in enumerate(sandbox.streams))
    return (first, second, third)


def received(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """Return the descriptors that came with a message."""
    return [
        int.from_bytes(data[at : at + 4], "little")
        for level, kind, data in ancillary
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS)
        for at in range(0, len(data) - 3, 4)
    ]


def text(path: bytes) -> str:
    """Return bytes of the kernel as text of the wire."""
    return path.decode("utf-8", "surrogateescape")


def refusal(number: int, error: OSError) -> dict[str, Any]:
    """Return what the caller is told about a step that the kernel refused."""
    path = error.filename
    shown = text(path) if isinstance(path, bytes) else path or ""
    return {"step": number, "errno": error.errno, "path": shown, "detail": ""}


def own_memory() -> tuple[tuple[int, int], ...]:
    """Return (address, length) of our argv and environment: fields 48 to 51 of proc_pid_stat(5)."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    arg_start, arg_end, env_start, env_end = (int(field) for field in fields[45:49])
    return ((arg_start, arg_end - arg_start), (env_start, env_end - env_start))


def facts(who: identity.Identity, candidates: list[str]) -> dict[str, Any]:
    """Return what the caller has to know of this machine to describe a sandbox."""
    try:
        abi = syscalls.landlock_create_ruleset(b"", 1)
    except OSError:
        abi = 0
    return {
        "machine": syscalls.MACHINE,
        "other_user": who.other,
        "refused": who.refused,
        "landlock": abi,
        "proc": [name for name in os.listdir("/proc") if not name.isdigit()],
        "devices": [name for name in ("null", "zero", "full", "random", "urandom", "tty") if exists("/dev/" + name)],
        "network_files": [path for path in candidates[:NETWORK_CANDIDATES_LIMIT] if exists(path)],
    }


def exists(path: str) -> bool:
    return os.access(path, os.R_OK)


def settle() -> None:
    """Become a quiet process: nothing inherited but the control socket and standard error, no signal of the caller."""
    os.chdir("/")
    child.close_range(CONTROL + 1, child.HIGHEST_FD)
    for number in range(1, signal.NSIG):
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # A key on the caller's terminal is the caller's to answer: it kills the sandboxes in its own time.
    os.setsid()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.disable()
    gc.freeze()


def main() -> None:
    """Serve on descriptor 3."""
    settle()
    helper = Helper(CONTROL)
    helper.identity.drop_groups()
    candidates = json.loads(sys.argv[1])
    helper.control.send(json.dumps(facts(helper.identity, candidates)).encode(), _socket.MSG_NOSIGNAL)
    helper.run()
