"""What the caller says before the program has begun waits for it: no key and no signal is lost in between."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.sandbox import pid2, wire
from bramble.sandbox.helper import Helper, Sandbox

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system has no pidfd_open(2)")


class Stage:
    """A helper with one sandbox, its caller, its pid 1, and a process in the place of the program."""

    def __init__(self) -> None:
        control, self.control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.helper = Helper(control.detach())
        ours, self.caller = socket.socketpair()
        self.sandbox = Sandbox(ours, (0, 1, 2), os.open(os.devnull, os.O_RDWR))
        self.sandbox.link, self.init = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.program = subprocess.Popen(["sleep", "100"], start_new_session=True)

    def hand_out(self, word: bytes, fd: int) -> None:
        pid2.send_descriptor(self.init.fileno(), word, fd)
        os.close(fd)
        self.helper.told(self.sandbox)

    def close(self) -> None:
        self.program.kill()
        self.program.wait()
        for one in (self.control, self.caller, self.init, self.sandbox.channel, self.sandbox.link):
            assert one is not None
            one.close()
        self.helper.control.close()
        self.helper.poll.close()
        for fd in (self.sandbox.program, self.sandbox.terminal, *self.sandbox.screen):
            if fd >= 0:
                os.close(fd)


@pytest.fixture
def stage() -> Iterator[Stage]:
    one = Stage()
    yield one
    one.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_program_reaches_the_program(stage: Stage, number: signal.Signals) -> None:
    stage.sandbox.pass_on(number)
    assert stage.program.poll() is None
    stage.hand_out(b"P\0", os.pidfd_open(stage.program.pid))
    assert stage.program.wait(10) == -number


def test_the_terminal_is_handed_over_when_its_keys_reach_somebody(stage: Stage) -> None:
    stage.caller.setblocking(False)
    stage.hand_out(b"T\0", os.open(os.devnull, os.O_RDWR))
    with pytest.raises(BlockingIOError):
        stage.caller.recv(100)
    stage.hand_out(b"P\0", os.pidfd_open(stage.program.pid))
    data, fds, _, _ = socket.recv_fds(stage.caller, 1000, 4)
    assert [*wire.unpacked(bytearray(data))] == [{"event": "terminal"}] and len(fds) == 1
    os.close(fds[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_key_while_the_helper_starts_does_not_end_it(number: signal.Signals) -> None:
    """The caller, who hears it too, says what becomes of the sandboxes."""
    code = (
        "import os, signal\n"
        "from bramble.sandbox.launch import Launcher\n"
        f"signal.signal({int(number)}, lambda *_: None)\n"
        "with Launcher() as one:\n"
        f"    os.killpg(0, {int(number)})\n"
        "    print(one.facts.machine)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, start_new_session=True, cwd=ROOT, check=False
    )
    assert (run.returncode, run.stdout.decode().strip()) == (0, os.uname().machine), run.stderr
