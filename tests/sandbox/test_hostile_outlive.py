"""Attempts to live longer than the build. Each leaves a mark on the host's list of processes, or would."""

from __future__ import annotations

import os
import signal
import time

import pytest

from bramble.sandbox.spec import Limits
from tests.sandbox.processes import alive, children, gone, mark, wait_for
from tests.sandbox.rawcalls import Of
from tests.sandbox.world import World, as_json

DAEMONS = {
    "background": "sleep {} &",
    "double fork": "(sleep {} &) &",
    "new session": "setsid sleep {} > /dev/null 2>&1 < /dev/null &",
    "deaf": "(trap '' TERM HUP INT QUIT USR1 USR2; setsid sleep {}) &",
    "stopped": "sleep {} & kill -STOP $!",
    "nohup": "nohup sleep {} > /dev/null 2>&1 &",
    "daemon": "start-stop-daemon -S -b -x /bin/sleep -- {}",
    "many": "for i in 1 2 3 4 5 6 7 8 9; do setsid sh -c 'sleep {} & sleep {} & wait' & done",
    "pipe": "mkfifo /tmp/p; (cat /tmp/p; sleep {}) &",
    "holds the log": "sleep {} 2>&1 &",
    "respawns": "while :; do sleep {}; done &",
}


@pytest.mark.parametrize("name", DAEMONS)
def test_nothing_lives_on_when_the_program_has_ended(here: World, name: str) -> None:
    number = mark()
    began = time.monotonic()
    result = here.run(DAEMONS[name].format(number, number) + "\nusleep 50000; echo done; exit 6")
    assert (result.kind, result.code) == ("exited", 6) and "done" in result.text
    assert alive(number) == [], "they were to be gone when the outcome was told"
    assert time.monotonic() - began < 10, "a program that lives on holds nobody up"


@pytest.mark.parametrize("how", ["time", "silence", "cancel"])
def test_nothing_lives_on_when_the_build_is_ended(here: World, how: str) -> None:
    number = mark()
    limits = Limits(seconds=0.5 if how == "time" else 20, silence=0.5 if how == "silence" else None)
    daemons = "\n".join(DAEMONS[name] for name in ("deaf", "stopped", "many", "new session", "respawns"))
    script = daemons.format(*[number] * 9) + f"\ntrap '' TERM INT; sleep {number}; sleep {number}"
    result = here.run(script, limits=limits, cancel_after=0.5 if how == "cancel" else None)
    assert result.kind == ("cancelled" if how == "cancel" else "timeout") and result.code == signal.SIGKILL
    assert alive(number) == []


def test_what_a_dead_build_would_have_written_later_is_not_written(here: World) -> None:
    result = here.run(
        "(usleep 500000; echo late > /out/late) & echo early > /out/early; sleep 30",
        limits=Limits(seconds=0.3),
    )
    assert result.kind == "timeout"
    time.sleep(0.4)
    assert [path.name for path in here.out.iterdir()] == ["early"]


def test_when_the_tool_is_killed_everything_dies(here: World) -> None:
    number = mark()
    worker = here.asker.start()
    assert worker.stdin is not None
    import json

    spec = here.spec(("/bin/sh", "-c", DAEMONS["many"].format(number, number) + f"; sleep {number}"))
    worker.stdin.write(json.dumps({"spec": as_json(spec), "cancel_after": None}) + "\n")
    worker.stdin.flush()
    assert wait_for(lambda: len(alive(number)) > 10)
    helpers = children(worker.pid)
    worker.kill()
    worker.wait()
    assert gone(number), "the sandbox outlived the tool"
    assert wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in helpers)), (
        "the helper outlived the tool"
    )
    assert worker.stdout is not None
    worker.stdin.close()
    worker.stdout.close()
    here.asker.process = None


def test_when_the_helper_is_killed_everything_dies(here: World) -> None:
    number = mark()
    worker = here.asker.start()
    assert here.run("true").kind == "exited"
    (helper,) = children(worker.pid)
    here_pid = os.fork()
    if here_pid == 0:
        wait_for(lambda: len(alive(number)) > 10)
        os.kill(helper, signal.SIGKILL)
        os._exit(0)
    result = here.run(DAEMONS["many"].format(number, number) + f"; sleep {number}")
    os.waitpid(here_pid, 0)
    assert result.failed == "sandbox.launcher-died"
    assert gone(number)
    here.asker.stop()


def test_a_wish_to_outlive_the_parent_is_not_enough(raw: World) -> None:
    """A child that clears its parent-death signal and begins a session is killed all the same."""
    number = mark()
    raw.calls(
        ("fork",),
        ("prctl", 1, 0, 0, 0, 0),
        ("prctl", 36, 1, 0, 0, 0),
        (112,),  # setsid
    )
    result = raw.run(f"setsid setsid sleep {number} & exit 0")
    assert result.kind == "exited" and gone(number, 1)


def test_children_that_nobody_waits_for_are_no_harm(here: World) -> None:
    result = here.run("i=0; while [ $i -lt 300 ]; do (true &); i=$((i+1)); done; echo end")
    assert result.text == "end\n"


@pytest.mark.parametrize("limit", [20, 100])
def test_a_storm_of_processes_is_bounded_and_ends(here: World, limit: int) -> None:
    number = mark()
    storm = f"storm() {{ sleep {number} & storm & storm & }}; storm; sleep 1; ls -d /proc/[0-9]* | wc -l"
    result = here.run(storm, limits=Limits(processes=limit, seconds=0.5))
    assert result.kind in ("exited", "timeout", "limit", "signalled")
    assert alive(number) == []
    count = here.run(
        f"i=0; while [ $i -lt {limit * 2} ]; do sleep {number} & i=$((i+1)); done 2>/dev/null; wait",
        limits=Limits(processes=limit, seconds=0.5),
    )
    assert count.kind in ("exited", "timeout", "limit") and alive(number) == []


def test_a_storm_without_a_limit_ends_with_its_time(here: World) -> None:
    number = mark()
    storm = f"i=0; while [ $i -lt 400 ]; do setsid sleep {number} & i=$((i+1)); done; sleep 30"
    result = here.run(storm, limits=Limits(seconds=1))
    assert result.kind == "timeout" and alive(number) == []


def test_a_process_that_is_stopped_by_itself_is_ended_by_its_time(here: World) -> None:
    result = here.run("kill -STOP $$; echo never", limits=Limits(seconds=0.5))
    assert (result.kind, result.text) == ("timeout", "")


def test_the_end_of_the_output_is_not_the_end_of_the_build(here: World) -> None:
    result = here.run("exec > /dev/null 2>&1; usleep 200000; echo x > /out/after; exit 3")
    assert (result.kind, result.code) == ("exited", 3) and (here.out / "after").exists()


def test_two_sandboxes_do_not_see_each_other(here: World) -> None:
    number = mark()
    child = os.fork()
    if child == 0:
        # The other one, of the same user, run by a launcher of its own.
        other = type(here.asker)(here.user, here.asker.home)
        script = f"sleep {number} & while ! [ -e /input/enough ]; do usleep 20000; done"
        other.ask(here.spec(("/bin/sh", "-c", script)), None)
        other.stop()
        os._exit(0)
    try:
        assert wait_for(lambda: alive(number))
        result = here.run(
            f"ps; ls -d /proc/[0-9]*; killall sleep; pkill -f {number[:6]}; kill -9 -1; echo here"
        )
        assert number not in result.text
        assert alive(number), "it was reached from another sandbox"
    finally:
        (here.input / "enough").touch()
        os.waitpid(child, 0)


def test_descriptors_sent_through_a_socket_do_not_leave(raw: World) -> None:
    assert raw.calls(("socketpair", 1, 1, 0, bytes(8)), ("getpid",), ("close", Of(1)))[0] == 0
