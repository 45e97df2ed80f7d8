"""`run` and `shell`: the caller's streams, a terminal of the sandbox's own, signals and statuses."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from bramble.errors import BrambleError
from bramble.sandbox import helper
from bramble.sandbox.launch import Launcher
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from tests.sandbox.world import BUSYBOX, NO_BUSYBOX, as_json, static

pytestmark = pytest.mark.skipif(not static(BUSYBOX), reason=NO_BUSYBOX)
PROGRAMS = (
    "cat",
    "echo",
    "sleep",
    "ls",
    "stty",
    "tty",
    "kill",
    "readlink",
    "usleep",
    "head",
    "wc",
    "yes",
    "chmod",
    "truncate",
    "touch",
)
ROOT = Path(__file__).parents[2]


def command(script: str, **wish: Any) -> list[str]:
    """Return the command line that runs a shell script attached."""
    mounts = (Mount(os.path.realpath(BUSYBOX), "/bin/busybox"), Mount(str(programs()), "/links"))
    defaults: dict[str, Any] = {
        "env": (("PATH", "/links"),),
        "cwd": "/tmp",
        "purpose": "run",
        "limits": Limits(seconds=30),
    }
    spec = SandboxSpec(("/bin/busybox", "sh", "-c", script), mounts=mounts, **{**defaults, **wish})
    return [sys.executable, "-B", "-m", "tests.sandbox.attached", json.dumps(as_json(spec)), ""]


def programs() -> Path:
    """Return a directory with a link for each program that the scripts use."""
    directory = Path("/tmp") / f"bramble-links-{os.geteuid()}"
    directory.mkdir(mode=0o755, exist_ok=True)
    for name in PROGRAMS:
        with contextlib.suppress(FileExistsError):
            (directory / name).symlink_to("/bin/busybox")
    return directory


def attached(script: str, **wish: Any) -> subprocess.CompletedProcess[bytes]:
    given = wish.pop("input", b"")
    return subprocess.run(
        command(script, **wish), input=given, capture_output=True, check=False, cwd=ROOT, timeout=60
    )


def test_output_errors_and_status_are_passed_through() -> None:
    result = attached("echo out; echo err >&2; exit 7")
    assert (result.stdout, result.stderr, result.returncode) == (b"out\n", b"err\n", 7)


def test_input_is_passed_through_to_its_end() -> None:
    assert attached("cat; echo end", input=b"x" * 200000).stdout == b"x" * 200000 + b"end\n"


@pytest.mark.parametrize("number", [2, 9, 11, 15])
def test_a_signal_ends_it_as_a_shell_would_say(number: int) -> None:
    assert attached(f"kill -{number} $$").returncode == 128 + number


def redirected(script: str, given: Path, made: Path, *, also: bool = True) -> tuple[int, bytes]:
    """Run with a file as input, and one that is appended to as output, and as error `also`."""
    with given.open("rb") as stdin, made.open("ab") as stdout:
        end = subprocess.run(
            command(script), stdin=stdin, stdout=stdout, stderr=stdout if also else subprocess.PIPE,
            check=False, cwd=ROOT, timeout=60,
        )  # fmt: skip
        return end.returncode, os.read(stdin.fileno(), 100)


def test_files_of_the_caller_are_copied_and_keep_order_and_status(tmp_path: Path) -> None:
    given, made = tmp_path / "given", tmp_path / "made"
    given.write_text("input\n")
    made.write_text("before\n")
    script = "cat; for n in 1 2 3; do echo out $n; echo err $n >&2; done; exit 5"
    assert redirected(script, given, made) == (5, b"")
    lines = [f"{kind} {n}" for n in (1, 2, 3) for kind in ("out", "err")]
    assert made.read_text().splitlines() == ["before", "input", *lines]


def test_files_of_the_caller_cannot_be_changed_otherwise_than_by_writing(tmp_path: Path) -> None:
    given, made = tmp_path / "given", tmp_path / "made"
    given.write_text("input\n")
    made.write_text("before\n")
    before = [(path.stat().st_mode, path.stat().st_ino) for path in (given, made)]
    script = """
        for n in 0 1; do chmod 777 /proc/self/fd/$n; done
        echo x > /proc/self/fd/0; truncate -s 0 /proc/self/fd/1; touch -d @0 /proc/self/fd/1
        head -c1 /proc/self/fd/1 &
        sleep 0.2
    """
    redirected(script, given, made, also=False)
    assert (given.read_text(), made.read_text()) == ("input\n", "before\n")
    assert [(path.stat().st_mode, path.stat().st_ino) for path in (given, made)] == before
    assert made.stat().st_mtime > 1000


def test_what_was_not_read_of_a_file_is_there_for_the_next(tmp_path: Path) -> None:
    given, made = tmp_path / "given", tmp_path / "made"
    given.write_bytes(b"12345" + b"x" * 200000)
    # A shell reads a pipe byte by byte; the program stops after five of them.
    assert redirected("head -c 5", given, made) == (0, b"x" * 100)
    assert made.read_text() == "12345"


# spec: sandbox.streams.run
def test_a_program_that_cannot_be_started_has_read_nothing_of_a_file(
    launcher: Launcher, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.write_bytes(b"12345")
    mounts = (Mount(os.path.realpath(BUSYBOX), "/bin/busybox"),)
    spec = SandboxSpec(("/bin/busybox", "cat"), (), "/no/where", mounts, purpose="run")
    with given.open("rb") as stdin, open(os.devnull, "wb") as null:
        with pytest.raises(BrambleError) as caught:
            launcher.run_attached(spec, stdin.fileno(), null.fileno(), null.fileno())
        assert caught.value.code == "sandbox.cwd"
        assert stdin.read() == b"12345"


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as stdout:
        end = subprocess.run(
            ["sh", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "sh", *command("yes")],
            stdout=stdout, stderr=subprocess.PIPE, check=False, cwd=ROOT, timeout=60,
        )  # fmt: skip
    assert end.stderr == b"error sandbox.stream\n" and end.returncode == 99


def test_a_reader_that_goes_away_ends_the_program() -> None:
    with subprocess.Popen(command("yes"), stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(20) == 128 + signal.SIGPIPE


def test_a_directory_as_a_stream_would_be_a_way_out_and_is_refused(launcher: Launcher) -> None:
    directory = os.open("/", os.O_RDONLY)
    spec = SandboxSpec(("/busybox", "true"), (), "/", (Mount(os.path.realpath(BUSYBOX), "/busybox"),))
    try:
        with pytest.raises(BrambleError) as caught:
            launcher.run_attached(spec, directory, 1, 2)
    finally:
        os.close(directory)
    assert caught.value.code == "sandbox.stream"


def test_a_terminal_that_is_asked_for_must_be_there() -> None:
    result = attached("true", terminal=True)
    assert (result.returncode, result.stderr) == (99, b"error sandbox.no-terminal\n")


def test_signals_to_the_caller_go_to_the_program() -> None:
    script = (
        "trap 'echo got term; exit 5' TERM; trap 'echo got usr1' USR1; "
        "echo ready; while :; do usleep 10000; done"
    )
    with subprocess.Popen(command(script), stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline() == b"got usr1\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"got term\n"
        assert process.wait(20) == 5


def test_an_interrupt_ends_a_program_that_does_not_mind() -> None:
    with subprocess.Popen(command("echo ready; sleep 100"), stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_an_interrupt_reaches_what_the_program_waits_for() -> None:
    child = "(trap 'echo child; exit 1' INT; echo ready; while :; do usleep 10000; done)"
    script = f"trap : INT; {child}; exit 8"
    with subprocess.Popen(command(script), stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"child\n"
        assert process.wait(20) == 8


def test_the_group_is_found_on_kernels_without_the_flag() -> None:
    child = subprocess.Popen(["sleep", "100"], start_new_session=True)
    pidfd = os.pidfd_open(child.pid)
    helper.signal_group(pidfd, signal.SIGTERM)
    assert child.wait(10) == -signal.SIGTERM
    helper.signal_group(pidfd, signal.SIGTERM)
    os.close(pidfd)


# ---- with a terminal -----------------------------------------------------------------------------------


class Terminal:
    """A person's terminal with one attached sandbox on it."""

    def __init__(self, argv: list[str], before: Optional[list[Any]] = None, streams: str = "all") -> None:
        self.master, self.slave = pty.openpty()
        self.resize(40, 100)
        self.modes = termios.tcgetattr(self.slave)
        output = subprocess.PIPE if streams == "input" else self.slave
        self.process = subprocess.Popen(argv, stdin=self.slave, stdout=output, stderr=self.slave, cwd=ROOT,
                                        start_new_session=True)  # fmt: skip
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def until(self, text: bytes, seconds: float = 20) -> bytes:
        """Read the screen until `text` stands on it."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready = select.select([self.master], [], [], max(0, end - time.monotonic()))[0]
            if not ready:
                raise AssertionError(f"{text!r} does not appear: {self.seen!r}")
            self.seen += os.read(self.master, 65536)
        seen, _, self.seen = self.seen.partition(text)
        return seen + text

    def restored(self) -> bool:
        return termios.tcgetattr(self.slave) == self.modes


@contextlib.contextmanager
def screen(script: str, **wish: Any) -> Iterator[Terminal]:
    streams = wish.pop("streams", "all")
    terminal = Terminal(command(script, terminal=True, **wish), streams=streams)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)
        os.close(terminal.slave)


def wait_for(condition: Callable[[], object], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_the_sandbox_has_a_terminal_of_its_own() -> None:
    with screen("tty; readlink /proc/self/fd/0; ls /dev/pts; stty size; exit 3") as here:
        here.until(b"/dev/pts/0\r\n/dev/pts/0\r\n0")
        here.until(b"40 100")
        assert here.process.wait(20) == 3
        assert here.restored()


def test_keys_are_the_sandbox_s_and_control_c_interrupts_what_runs_in_it() -> None:
    with screen("echo ready; sleep 100; echo not reached") as here:
        here.until(b"ready")
        here.type(b"\x03")
        assert here.process.wait(20) == 130
        assert here.restored()


def test_an_interactive_shell_has_job_control() -> None:
    with screen("exec /bin/busybox sh -i") as here:
        here.until(b"$ ")
        here.type(b"sleep 1000\n")
        here.until(b"sleep 1000")
        time.sleep(0.3)
        here.type(b"\x1a")
        here.until(b"Stopped")
        here.type(b"kill -9 %1; echo job''control\n")
        here.until(b"jobcontrol")
        here.until(b"$ ")
        here.type(b"exit 4\nexit 4\n")  # the first may say that there are stopped jobs
        assert here.process.wait(20) == 4 and here.restored()


def test_end_of_input_leaves_the_shell() -> None:
    with screen("exec /bin/busybox sh -i") as here:
        here.until(b"$ ")
        here.type(b"echo on''ce\n")
        here.until(b"once")
        here.until(b"$ ")
        time.sleep(0.2)
        here.type(b"\x04")
        assert here.process.wait(20) == 0 and here.restored()


def test_the_window_s_size_is_passed_on() -> None:
    with screen(
        "stty size; trap 'stty size; exit 0' WINCH; echo ready; while :; do usleep 10000; done"
    ) as here:
        here.until(b"ready")
        here.resize(33, 77)
        os.kill(here.process.pid, signal.SIGWINCH)
        here.until(b"33 77")
        assert here.process.wait(20) == 0


def test_a_person_s_terminal_is_restored_when_the_program_dies() -> None:
    with screen("stty raw -echo; kill -9 $$") as here:
        assert here.process.wait(20) == 137 and here.restored()


def test_a_person_s_terminal_is_restored_when_the_tool_is_killed() -> None:
    with screen("echo ready; sleep 100") as here:
        here.until(b"ready")
        assert not here.restored()
        here.process.kill()
        here.process.wait()
        assert wait_for(here.restored)


@pytest.mark.parametrize("said", [b"", b"r"])
@pytest.mark.parametrize("first", ["channel", "control", "neither"])
def test_a_raw_terminal_is_restored_unless_its_caller_has_done_it(first: str, said: bytes) -> None:
    """The descriptors of a killed tool are closed one after the other, and any may end the sandbox."""
    ours, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    caller, channel = socket.socketpair()
    master, slave = pty.openpty()
    modes = termios.tcgetattr(slave)
    served = helper.Helper(control.detach())
    sandbox = helper.Sandbox(channel, (os.dup(slave), os.dup(slave), os.dup(slave)), os.dup(slave))
    sandbox.modes = modes
    sandbox.job = {"helper": []}
    served.channels[channel.fileno()] = sandbox
    served.poll.register(channel.fileno(), select.EPOLLIN)
    tty.setraw(slave)
    raw = termios.tcgetattr(slave)
    if first == "control":
        ours.close()
        served.run()
    if first != "channel":
        served.finish(sandbox)
        assert caller.recv(1024)
        assert termios.tcgetattr(slave) == raw
        caller.send(said)
        caller.close()
    else:
        caller.close()
        served.heard(sandbox)
    ours.close()
    served.run()
    assert termios.tcgetattr(slave) == (raw if said and first != "channel" else modes)
    assert not served.channels and channel.fileno() == -1
    for fd in (master, slave, served.control.detach()):
        os.close(fd)


def test_a_person_s_terminal_is_restored_when_the_tool_is_told_to_end() -> None:
    with screen("echo ready; sleep 100") as here:
        here.until(b"ready")
        here.process.terminate()
        assert here.process.wait(20) == 143 and here.restored()


def test_a_person_s_terminal_is_restored_when_time_is_over() -> None:
    with screen("sleep 100", limits=Limits(seconds=0.5)) as here:
        assert here.process.wait(20) == 137 and here.restored()


def test_a_program_that_cannot_be_executed_leaves_the_terminal_alone() -> None:
    with screen("x", cwd="/no/where") as here:
        here.until(b"error sandbox.cwd")
        assert here.process.wait(20) == 99 and here.restored()


def test_a_redirected_output_is_not_the_terminal() -> None:
    with screen("tty; readlink /proc/self/fd/1; echo to the screen >&2", streams="input") as here:
        here.until(b"to the screen")
        assert here.process.stdout is not None
        assert here.process.stdout.read().startswith(b"/dev/pts/0\npipe:")
        here.process.stdout.close()


def test_the_caller_s_terminal_never_comes_in_without_one_of_its_own() -> None:
    terminal = Terminal(
        command(
            "tty; readlink /proc/self/fd/0; readlink /proc/self/fd/1; cat "
            "< /dev/tty; echo x > /dev/tty; echo end"
        )
    )
    try:
        seen = terminal.until(b"end\r\n")
        assert b"not a tty" in seen and b"/dev/pts" not in seen and seen.count(b"pipe:") == 2
        assert terminal.process.wait(20) == 0 and terminal.restored()
    finally:
        os.close(terminal.master)
        os.close(terminal.slave)


def test_nothing_typed_ahead_is_lost_to_the_shell_that_follows() -> None:
    """What is typed after the program has ended is for the next reader, and there is one terminal again."""
    with screen("exit 0") as here:
        assert here.process.wait(20) == 0
        here.type(b"later\n")
        assert wait_for(lambda: select.select([here.slave], [], [], 0)[0])
        assert os.read(here.slave, 100).endswith(b"later\n")


def test_a_flood_in_both_directions_does_not_stop() -> None:
    with screen(
        "stty raw -echo; echo ready; head -c 200000 | wc -c; yes | head -n 100000 | wc -l; exit 6"
    ) as here:
        here.until(b"ready")
        sent = 0
        while sent < 200000:
            sent += os.write(here.master, b"k" * min(1000, 200000 - sent))
        here.until(b"200000", 40)
        here.until(b"100000", 40)
        assert here.process.wait(20) == 6
