"""A build that is interrupted at any moment from the start of its process on ends soon, whole and quietly."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_build import LONE
from tests.cli.world import World
from tests.sandbox.processes import gone, mark

TOP = Path(__file__).parents[2]
MOMENTS = 8
STEP = 0.06  # seconds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_build_can_be_interrupted_at_any_moment(tooled: World, number: signal.Signals) -> None:
    tooled.write(
        default='load("example.com/p/tools")\ndef one():\n    return tools.script("one", "echo > $out/x")\n'
    )
    for at in range(MOMENTS):
        told = mark()
        tooled.write(long=LONE.format(f"trap '' TERM INT; (sleep {told} &); sleep {told}"))
        process = tooled.start("build", "-j2", "./long:f", start_new_session=True)
        time.sleep(at * STEP)
        # As a terminal does it every other time: to everybody.
        (os.kill if at % 2 else os.killpg)(process.pid, number)
        err = ended(process, number)
        assert b"bramble/cli" not in err and b"bramble/sandbox" not in err, err.decode()
        # Before the command line has begun, the signal does what Python lets it do.
        assert process.returncode in (128 + number, -number) or b"KeyboardInterrupt" in err, err.decode()
        assert gone(told)
        if process.returncode == 128 + number and (tooled.store / "var/work").exists():
            assert os.listdir(tooled.store / "var/work") == []
    assert tooled.run("build", "./:one").status == 0
    assert tooled.run("store", "verify").status == 0
    # What was running was tried.
    builds = tooled.run("history").out.splitlines()
    assert not [line for line in builds if "interrupted" in line and "not tried" in line]


def ended(process: subprocess.Popen[bytes], number: signal.Signals) -> bytes:
    """Wait for the end, and return what was said.

    Before it knows our first module Python may drop an interruption, and says so; no program can hear it.
    """
    try:
        return process.communicate(timeout=30)[1]
    except subprocess.TimeoutExpired as late:
        said = late.stderr or b""
        assert number == signal.SIGINT and said.startswith(b"Exception ignored in"), said
        assert b"bramble" not in said
    process.send_signal(number)
    return process.communicate(timeout=30)[1]


def test_who_waits_for_another_process_says_so_and_hears_the_first_signal(tooled: World) -> None:
    assert tooled.run("gc").status == 0
    lock = tooled.store / "var/locks/gc"
    with open(lock, "r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = {number: tooled.start("gc") for number in (signal.SIGINT, signal.SIGTERM)}
        for number, process in waiting.items():
            assert process.stderr is not None
            told = process.stderr.readline().decode()
            assert told == f"waiting: process {os.getpid()} holds {lock}\n"
            process.send_signal(number)
            assert process.wait(30) in (128 + number, -number)
            # SIGTERM ends it before anything could be said.
            assert process.stderr.read() == (b"interrupted\n" if number == signal.SIGINT else b"")
            process.communicate()


def test_a_build_that_waits_for_a_record_hears_the_first_signal(tooled: World) -> None:
    tooled.write(
        default='load("example.com/p/tools")\ndef one():\n    return tools.script("one", "echo > $out/x")\n'
    )
    assert tooled.run("build", "./:one").status == 0
    with open(tooled.store / "var/locks/builds", "r+b") as held:
        fcntl.fcntl(held, fcntl.F_OFD_SETLK, struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        (tooled.store / "var/projects").chmod(0o755)
        for record in (tooled.store / "var/projects").iterdir():
            record.unlink()
        process = tooled.start("build", "./:one")
        assert process.stderr is not None
        assert any(line.startswith(b"waiting: process") for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        process.communicate()


def test_a_build_that_waits_for_the_lock_of_its_project_says_so_and_hears_the_first_signal(
    world: World,
) -> None:
    # spec: project.lock.update
    (world.project / "data").write_text("x")
    url = (world.project / "data").as_uri()
    world.write(default=f'def f():\n    return derivation("f", "fetch_url", env={{"url": "{url}"}})\n')
    handle = os.open(world.project, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        process = world.start("build", "./:f")
        assert process.stderr is not None
        told = f"waiting: process {os.getpid()} holds {world.project}\n".encode()
        assert told in process.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
        process.communicate()
    finally:
        os.close(handle)
    assert not (world.project / "bramble.lock").exists()


def test_whoever_changes_the_lock_says_what_it_waits_for(world: World) -> None:
    """A neighbour who may read the directory can hold its lock."""
    # spec: project.lock.update, store.locks.told
    (world.project / "bramble.lock").write_text(f'[URLHashes]\n"fetch_url file:///x" = "{"a" * 32}"\n')
    world.write(default="def f():\n    return None\n")
    handle = os.open(world.project, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        process = world.start("lock", "--prune")
        assert process.stderr is not None
        told = f"waiting: process {os.getpid()} holds {world.project}\n".encode()
        assert process.stderr.readline() == told
    finally:
        os.close(handle)
    assert process.wait(30) == 0
    process.communicate()
    assert "file:///x" not in (world.project / "bramble.lock").read_text()


def test_a_build_that_waits_for_another_names_it(tooled: World) -> None:
    # spec: store.locks.told
    tooled.write(
        default='load("example.com/p/tools")\n'
        'def ready():\n    return tools.script("ready", "echo > $out/x")\n'
        'def f():\n    return tools.script("one", "sleep 60")\n'
    )
    # Else both make the tools, and either may be the first to come to what is waited for.
    assert tooled.run("build", "./:ready").status == 0
    first = tooled.start("build", "-q", "./:f")
    while not list((tooled.store / "var/work").glob("*")):
        time.sleep(0.05)
    second = tooled.start("build", "./:f")
    assert second.stderr is not None
    try:
        holds = f"waiting: process {first.pid} holds {tooled.store}/var/locks/builds\n".encode()
        assert holds in second.stderr
    finally:
        for process in (second, first):
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def test_who_was_started_by_a_large_process_is_not_large_for_that() -> None:
    # Of a large one Ctrl-C is the end at once, with nothing said.
    asked = "from bramble.cli import main; print(main._resident() < main._LARGE)"
    itself = f"os.execv(sys.executable, [sys.executable, '-c', {asked!r}])"
    started = f"import os, sys; len(b'x' * (300 << 20)); {itself}"
    done = subprocess.run(
        [sys.executable, "-c", started], cwd=TOP, stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout == "True\n"
