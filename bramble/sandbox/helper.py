"""The helper: a small process of one thread that starts every sandbox of one caller.

It is executed, not forked, with an empty environment, so nothing of the
caller's memory, variables or descriptors reaches a sandbox; being small and
warm it can fork a child in a fraction of the time that a new interpreter
takes. It runs as the caller. It ends when the caller ends: the control socket
is then at its end; it kills every sandbox, and every pid 1 has asked to be
killed with it.

Conversation (spec: sandbox.launcher): on the control socket arrives, for each
sandbox, one message with five descriptors: a channel, three streams and the
caller's terminal. On the channel the caller sends the job, then single words;
the end of the channel kills. The helper answers with messages (`wire.py`).
"""

from __future__ import annotations

import _socket
import gc
import os
import resource
import select
import termios

from bramble.sandbox import child, facts, identity, pid1, syscalls, wire
from bramble.sandbox.limits import groups, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    # Python's module around it makes sets of names for the numbers, which takes as long as starting Python.
    import _signal as signal

CONTROL = 3
RECEIVED = 5
CHUNK = 1 << 18
PROCESS_GROUP = 1 << 2  # pidfd_send_signal(2): PIDFD_SIGNAL_PROCESS_GROUP
FROM_KEYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
EINVAL = 22
RECEIVE = _socket.MSG_CMSG_CLOEXEC | _socket.MSG_DONTWAIT
NAMESPACES = {
    "user": syscalls.CLONE_NEWUSER,
    "mount": syscalls.CLONE_NEWNS,
    "pid": syscalls.CLONE_NEWPID,
    "ipc": syscalls.CLONE_NEWIPC,
    "uts": syscalls.CLONE_NEWUTS,
    "net": syscalls.CLONE_NEWNET,
    "cgroup": syscalls.CLONE_NEWCGROUP,
}


class Sandbox:
    """One sandbox from its job to its end."""

    def __init__(self, channel: _socket.socket, streams: tuple[int, int, int], terminal: int) -> None:
        self.channel = channel
        self.streams = streams
        self.terminal = terminal
        self.modes: list[Any] = []  # of the caller's terminal, to restore if the caller cannot
        self.received = bytearray()
        self.job: dict[str, Any] = {}
        self.steps: dict[str, tuple[int, list[Any]]] = {}  # the helper's own: action → (number, arguments)
        self.link: _socket.socket | None = None
        self.pid = 0
        self.pidfd = -1
        self.program = -1  # a pidfd of pid 2
        self.early: list[int] = []  # signals of the caller that came before it
        self.screen: list[int] = []  # the sandbox's terminal, until there is somebody whom its keys can reach
        self.trees: list[int] = []
        self.slot = -1
        self.group: groups.Group | None = None
        self.watch: watch.Watch | None = None
        self.error: dict[str, Any] | None = None
        self.fault: str | None = None
        self.status: int | None = None
        self.stopped = False  # by us
        self.over = False  # the caller has been told how it ended
        self.alone = False  # the caller's end of the channel is closed

    def answer(self, message: dict[str, Any], fds: list[int]) -> None:
        """Send a message, and descriptors, to the caller; that it is gone is noticed elsewhere."""
        rights = b"".join(fd.to_bytes(4, "little") for fd in fds)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if fds else []
        try:
            self.channel.sendmsg([wire.packed(message)], ancillary, _socket.MSG_NOSIGNAL)
        except OSError:
            self.kill()

    def kill(self) -> None:
        """Kill the sandbox by its pid 1: our child, not yet reaped, so the pid is still its own."""
        if not self.pid:
            return
        self.stopped = True
        if "fork" in self.steps:
            # Without a pid namespace only that process can find the others; it ends when they have.
            try:
                self.tell(b"k")
            except OSError:
                os.kill(self.pid, signal.SIGKILL)
        else:
            os.kill(self.pid, signal.SIGKILL)

    def tell(self, word: bytes) -> None:
        """Say a word to pid 1."""
        if self.link is not None:
            self.link.send(word, _socket.MSG_NOSIGNAL)

    def pass_on(self, number: int) -> None:
        """Send a signal of the caller to the program; one that keys cause to its whole process group."""
        if self.program < 0:
            self.early.append(number)
            return
        try:
            flags = PROCESS_GROUP if number in FROM_KEYS else 0
            syscalls.pidfd_send_signal(self.program, number, flags)
        except OSError as error:
            if error.errno == EINVAL:  # before Linux 6.9 there is no such flag
                signal_group(self.program, number)
            # else it has just ended


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
        self.own_memory = facts.own_memory()
        self.clock = watch.Clock()
        self.pipes = facts.device_of_pipes()
        self.serving = True  # until the caller is gone

    def run(self) -> None:
        """Serve until the caller is gone, then end everything and wait for it."""
        # spec: sandbox.end.caller
        while self.serving or self.pidfds or self.raw_terminals():
            for fd, _ in self.poll.poll(self.clock.patience() if self.pidfds else None):
                if fd == self.control.fileno():
                    if not self.accept():
                        self.serving = False
                        self.poll.unregister(fd)
                        for sandbox in list(self.pidfds.values()):
                            sandbox.kill()
                elif fd in self.channels:
                    self.heard(self.channels[fd])
                elif fd in self.links:
                    self.told(self.links[fd])
                elif fd in self.pidfds:
                    self.ended(self.pidfds[fd])
            self.look()

    def raw_terminals(self) -> bool:
        """Return whether the terminal of a sandbox that has ended may have to be restored."""
        return any(sandbox.over for sandbox in self.channels.values())

    def look(self) -> None:
        """End the sandboxes that have gone beyond what there is for them."""
        running = {one.watch: one for one in self.pidfds.values() if one.watch is not None}
        for over in self.clock.look([(one.pid, watched) for watched, one in running.items()]):
            running[over].kill()

    def accept(self) -> bool:
        """Take the descriptors of a new sandbox; return False when the caller is gone."""
        space = _socket.CMSG_SPACE(RECEIVED * 4)
        data, ancillary, _, _ = self.control.recvmsg(16, space, _socket.MSG_CMSG_CLOEXEC)
        if not data:
            return False
        fds = received(ancillary)
        if len(fds) != RECEIVED:
            for fd in fds:
                os.close(fd)
            return True
        channel = _socket.socket(fileno=fds[0])
        channel.setblocking(False)
        self.channels[fds[0]] = Sandbox(channel, (fds[1], fds[2], fds[3]), fds[4])
        self.poll.register(fds[0], select.EPOLLIN)
        return True

    def heard(self, sandbox: Sandbox) -> None:
        """Read what the caller says about one sandbox: its job, then words; the end means: no more of it."""
        try:
            data = sandbox.channel.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.poll.unregister(sandbox.channel.fileno())
            sandbox.alone = True
            if sandbox.pid:
                sandbox.kill()  # what is left to do is done when it has ended
            else:
                self.forget(sandbox)
            return
        sandbox.received += data
        if not sandbox.job:
            for job in wire.unpacked(sandbox.received):
                sandbox.job = job
                break
            else:
                return
            self.prepare(sandbox)
        self.obey(sandbox)

    def obey(self, sandbox: Sandbox) -> None:
        """Follow the messages of the caller.

        They are "c": go on, "k": kill, "s" and a byte: pass on that signal, and after the end "r": the
        terminal is as it was before.
        """
        words = sandbox.received
        if sandbox.over:
            if b"r" in words:
                sandbox.modes = []
            words.clear()
        while words and sandbox.job:
            if words[0] == ord("s"):
                if len(words) < 2:
                    return
                sandbox.pass_on(words[1])
                del words[:2]
                continue
            word = words.pop(0)
            if word == ord("c") and not sandbox.pid:
                self.start(sandbox)
            elif word == ord("k") and sandbox.pid:
                sandbox.kill()
            elif word == ord("k"):
                self.finish(sandbox)
                return

    def prepare(self, sandbox: Sandbox) -> None:
        """Do the helper's steps that come before clone(2)."""
        sandbox.steps = {action: (number, arguments) for number, action, arguments in sandbox.job["helper"]}
        foreign: list[int] = []
        for number, action, arguments in sandbox.job["helper"]:
            try:
                if action == "open-tree" and not self.open_tree(sandbox, *arguments):
                    foreign.append(number)
                elif action == "limit-group":
                    sandbox.group = groups.make(*arguments)
                elif action == "watch":
                    sandbox.watch = watch.Watch(*arguments)
            except identity.NoNamespace as error:
                self.refuse(sandbox, sandbox.steps["clone"][0], error)
                return
            except OSError as error:
                self.refuse(sandbox, number, error)
                return
        if sandbox.job["terminal_streams"]:
            sandbox.modes = termios.tcgetattr(sandbox.terminal)
        if foreign:
            outer = self.identity.slot_id(sandbox.slot)
            sandbox.answer({"event": "owner", "uid": outer, "gid": outer, "steps": foreign}, [])
        else:
            self.start(sandbox)

    def open_tree(self, sandbox: Sandbox, source: str, writable: bool) -> bool:
        """Take hold of a file or directory of the host, as root, with its owner shown as the sandbox's user.

        Returns False when it has to be given to that user instead: the file
        system cannot show another owner, and the sandbox is to write there.
        """
        if sandbox.slot < 0:
            sandbox.slot = self.identity.take_slot()
        tree = pid1.take(source)
        sandbox.trees.append(tree)
        return self.identity.show_as_slot(tree, sandbox.slot) or not writable

    def start(self, sandbox: Sandbox) -> None:
        """Clone pid 1, give it its ids, and let it go."""
        if self.identity.other and sandbox.slot < 0:
            sandbox.slot = self.identity.take_slot()
        number = sandbox.job["helper"][0][0]
        try:
            flags = syscalls.SIGCHLD
            if "clone" in sandbox.steps:
                number, (names,) = sandbox.steps["clone"]
                for name in names:
                    flags |= NAMESPACES[name]
            self.clone(sandbox, flags)
            if "map-ids" in sandbox.steps:
                number, (uid, gid) = sandbox.steps["map-ids"]
                self.identity.map(sandbox.pid, uid, gid, sandbox.slot)
            if sandbox.group is not None:
                number, _ = sandbox.steps["limit-group"]
                sandbox.group.add(sandbox.pid)
            number, (score,) = sandbox.steps["prefer-to-kill"]
            identity.write_file(b"/proc/%d/oom_score_adj" % sandbox.pid, b"%d" % score)
            sandbox.tell(b"g")
        except OSError as error:
            if sandbox.pidfd >= 0:
                # Its own complaint, if it has one, says more than that it did not listen.
                sandbox.error = None if isinstance(error, BrokenPipeError) else refusal(number, error)
                os.kill(sandbox.pid, signal.SIGKILL)
            else:
                self.refuse(sandbox, number, error)
                return
        self.let_go(sandbox)

    def clone(self, sandbox: Sandbox, flags: int) -> None:
        """Clone pid 1 and listen to it; if it raises OSError, there is no process."""
        if self.identity.other:
            # Root's own groups stay outside; an ordinary caller has at least the one it is mapped to.
            outer = self.identity.slot_id(sandbox.slot)
            os.setgroups([outer])
            for fd in sandbox.streams:
                if os.fstat(fd).st_dev == self.pipes:
                    os.fchown(fd, outer, outer)  # or /dev/stdout could not be opened by its own program
        kind = _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC
        sandbox.link, theirs = _socket.socketpair(_socket.AF_UNIX, kind)
        try:
            sandbox.pid = syscalls.clone(flags)
            if sandbox.pid == 0:
                pid1.run(self.for_child(sandbox, theirs.fileno()))
        finally:
            theirs.close()
        try:
            sandbox.pidfd = syscalls.pidfd_open(sandbox.pid)
        except OSError:
            os.kill(sandbox.pid, signal.SIGKILL)
            os.waitpid(sandbox.pid, 0)
            sandbox.pid = 0
            raise
        self.links[sandbox.link.fileno()] = self.pidfds[sandbox.pidfd] = sandbox
        self.poll.register(sandbox.link.fileno(), select.EPOLLIN)
        self.poll.register(sandbox.pidfd, select.EPOLLIN)

    def for_child(self, sandbox: Sandbox, link: int) -> child.Job:
        """Return what the child needs of the job."""
        job = sandbox.job
        window = bytes.fromhex(job["window"])
        streams = slaves(sandbox)
        return child.Job(job["init"], job["builder"], link, streams, sandbox.trees, self.own_memory, window)

    def let_go(self, sandbox: Sandbox) -> None:
        """Close what only the child needs, once it has its own copies."""
        for fd in (*sandbox.trees, *sandbox.streams):
            os.close(fd)
        sandbox.trees = []
        sandbox.streams = ()  # type: ignore[assignment]

    def told(self, sandbox: Sandbox) -> bool:
        """Read one message of the child: a refused step, the program's status, its terminal or its handle.

        Returns whether there may be more.
        """
        assert sandbox.link is not None
        space = _socket.CMSG_SPACE(4)
        try:
            data, ancillary, _, _ = sandbox.link.recvmsg(1 << 16, space, RECEIVE)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True  # it was killed before it read our message; what it sent before is still to be read
        kind, _, rest = data.partition(b"\0")
        fds = received(ancillary)
        if kind == b"E" and sandbox.error is None:
            number, errno, path, detail = rest.split(b"\0", 3)
            sandbox.error = {
                "step": int(number),
                "errno": int(errno),
                "path": text(path),
                "detail": text(detail),
            }
        elif kind == b"F" and sandbox.fault is None:
            sandbox.fault = text(rest)
        elif kind == b"X" and sandbox.status is None:
            sandbox.status = int(rest)
        elif kind == b"M" and fds and sandbox.watch is not None:
            sandbox.watch.fds.append(fds.pop())
        elif kind == b"T" and fds:
            # Until then keys of the terminal reach the caller as signals; none is lost in between.
            sandbox.screen.append(fds.pop())
        elif kind == b"P" and fds and sandbox.program < 0:
            sandbox.program = fds.pop()
            if sandbox.screen:
                sandbox.answer({"event": "terminal"}, sandbox.screen)
                os.close(sandbox.screen.pop())
            for early in sandbox.early:
                sandbox.pass_on(early)
        elif not data:
            self.unlink(sandbox)
        for fd in fds:
            os.close(fd)
        return sandbox.link is not None

    def ended(self, sandbox: Sandbox) -> None:
        """Pid 1 is gone, hence everything of the sandbox: read its last words, reap it, tell the caller."""
        pid, status = os.waitpid(sandbox.pid, os.WNOHANG)
        if pid == 0:
            return
        while sandbox.link is not None and self.told(sandbox):
            pass
        sandbox.pid = 0
        self.poll.unregister(sandbox.pidfd)
        del self.pidfds[sandbox.pidfd]
        os.close(sandbox.pidfd)
        if sandbox.status is None and sandbox.error is None:
            over = sandbox.watch is not None and sandbox.watch.hit
            sandbox.answer({"event": "killed", "status": status, "by_us": sandbox.stopped and not over}, [])
        self.finish(sandbox)

    def unlink(self, sandbox: Sandbox) -> None:
        """Close the socket to the child."""
        if sandbox.link is not None:
            if self.links.pop(sandbox.link.fileno(), None) is not None:
                self.poll.unregister(sandbox.link.fileno())
            sandbox.link.close()
            sandbox.link = None

    def refuse(self, sandbox: Sandbox, number: int, error: OSError) -> None:
        """End a sandbox that has no process yet."""
        sandbox.error = refusal(number, error)
        self.finish(sandbox)

    def finish(self, sandbox: Sandbox) -> None:
        """Tell the caller how it ended, and let go of everything but a terminal that is raw.

        The caller restores that and says so. If it is killed, it does not: the end of the channel without
        that word says it. Nothing else does: which of its descriptors is closed first, and how long the
        next one takes, nobody knows, and the end of one of them may be what has ended the sandbox.
        """
        hit = [] if sandbox.group is None else sandbox.group.remove()
        if sandbox.fault is not None:
            sandbox.answer({"event": "fault", "text": sandbox.fault}, [])
        elif sandbox.error is not None:
            sandbox.answer({"event": "error", **sandbox.error}, [])
        else:
            over = "" if sandbox.watch is None else sandbox.watch.hit
            sandbox.answer({"event": "end", "status": sandbox.status, "limits": hit, "over": over}, [])
        sandbox.over = True
        self.release(sandbox)
        if not sandbox.modes or sandbox.alone:
            self.forget(sandbox)

    def release(self, sandbox: Sandbox) -> None:
        """Close what a sandbox has used that has no process any more."""
        self.unlink(sandbox)
        self.let_go(sandbox)
        if sandbox.watch is not None:
            sandbox.watch.close()
            sandbox.watch = None
        for fd in (sandbox.program, *sandbox.screen):
            if fd >= 0:
                os.close(fd)
        sandbox.program = -1
        sandbox.screen = []
        if sandbox.slot >= 0:
            self.identity.give_back(sandbox.slot)
            sandbox.slot = -1

    def forget(self, sandbox: Sandbox) -> None:
        """Restore the terminal of a caller that cannot do it any more, and close what is left."""
        self.release(sandbox)
        if self.channels.pop(sandbox.channel.fileno(), None) is not None and not sandbox.alone:
            self.poll.unregister(sandbox.channel.fileno())
        if sandbox.modes:
            # Ours is another session: nothing stops us.
            termios.tcsetattr(sandbox.terminal, termios.TCSANOW, sandbox.modes)
        sandbox.job = {}
        sandbox.channel.close()
        os.close(sandbox.terminal)


def signal_group(pidfd: int, number: int) -> None:
    """Send a signal to the process group led by a pidfd's process; its pid is in proc_pid_fdinfo(5)."""
    for line in identity.read_file(b"/proc/self/fdinfo/%d" % pidfd).splitlines():
        if line.startswith(b"Pid:") and int(line[4:]) > 0:
            try:
                os.killpg(int(line[4:]), number)
            except ProcessLookupError:
                return


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
    """Return the report for the caller about a step that the kernel refused."""
    path = error.filename
    shown = text(path) if isinstance(path, bytes) else path or ""
    return {"step": number, "errno": error.errno, "path": shown, "detail": ""}


def settle() -> None:
    """Become a quiet process: nothing inherited but the control socket and standard error, nor any signal."""
    os.chdir("/")
    child.close_range(CONTROL + 1, child.HIGHEST_FD)
    # A key on the caller's terminal is the caller's to answer: it ends the sandboxes in its own time.
    # What came before we left its process group was kept from us, and is dropped.
    os.setsid()
    for number in range(1, 65):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            syscalls.ignore(number)
            syscalls.default_action(number)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.disable()
    gc.freeze()


def main() -> None:
    """Serve on descriptor 3."""
    settle()
    helper = Helper(CONTROL)
    helper.control.send(wire.packed(facts.gather(helper.identity)), _socket.MSG_NOSIGNAL)
    helper.run()
    # Its caller waits for its end, and to take an interpreter apart takes as long as to make a sandbox.
    os._exit(0)
