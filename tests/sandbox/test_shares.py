"""What a sandbox may have when nobody says how much, and that more ends it."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace
from typing import Any

import pytest

from bramble.commands import running
from bramble.errors import BrambleError
from bramble.sandbox.launch import Launcher, Outcome
from bramble.sandbox.limits import usage, watch
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from bramble.sandbox.steps import HostFacts, shares, steps
from tests.sandbox.world import World

SPEC = SandboxSpec(("/x/y",), (), "/", (Mount("/x", "/x"), Mount("/w", "/w", writable=True)))
GIB = 1 << 30


def facts(memory: int, processes: int, processors: int) -> HostFacts:
    return HostFacts("x86_64", memory=memory, processes=processes, processors=processors)


@pytest.mark.parametrize(
    "machine, memory, processes",
    [
        (facts(16 * GIB, 100000, 2), 12 * GIB, 768),  # by processors
        (facts(2 * GIB, 100000, 8), 3 * GIB // 2, 1024),  # by memory
        (facts(64 * GIB, 1000, 8), 48 * GIB, 500),  # by what the user may have
        (facts(GIB // 4, 100, 1), 3 * GIB // 16, 256),  # never fewer
    ],
)
def test_the_share_of_a_machine(machine: HostFacts, memory: int, processes: int) -> None:
    assert shares(SPEC, machine) == (memory, processes, memory)
    done = steps(SPEC, machine)
    (watched,) = [step.args for step in done if step.action == "watch"]
    assert watched == (memory, processes, memory, ("/w",))
    most = processes * 5 // 4 + 2
    assert ("NPROC", most, most) in [step.args for step in done if step.action == "rlimit"]


def test_a_limit_takes_the_place_of_the_share_and_what_is_not_known_is_no_limit() -> None:
    machine = facts(16 * GIB, 100000, 2)
    limited = SandboxSpec(**{**SPEC._asdict(), "limits": Limits(memory=15 * GIB, processes=5000)})
    assert shares(limited, machine) == (15 * GIB, 5000, 15 * GIB)
    assert shares(SPEC, HostFacts("x86_64")) == (None, None, None)


def one(size: int, memory: int, together: int) -> watch.Watch:
    watched = watch.Watch(memory, None, together, ())
    watched.look = lambda pid: vars(watched).update(size=size)  # type: ignore[method-assign]
    return watched


def test_when_all_have_too_much_the_largest_ends() -> None:
    small, large = one(40, 100, 100), one(70, 100, 100)
    assert watch.Clock().look([(1, small), (2, large)]) == [large] and large.hit == "memory"
    assert watch.Clock().look([(1, one(40, 100, 100)), (2, one(60, 100, 100))]) == []


def test_a_disk_keeps_some_room(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(f_blocks=200 * GIB, f_bavail=100 * GIB, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda path: disk)
    watched = watch.Watch(None, None, None, ["/w"])
    assert watched.rooms == [("/w", GIB)]
    for disk.f_bavail, hit in ((GIB, ""), (GIB - 1, "disk")):
        watched.look(os.getpid())
        assert watched.hit == hit
    for disk.f_bavail, room in ((GIB, GIB // 2), (0, 0)):
        assert usage.room("/w") == room


def test_memory_of_status_is_what_no_file_stands_behind() -> None:
    text = b"Name:\tx\nVmRSS:\t 900 kB\nRssAnon:\t 100 kB\nRssFile:\t 800 kB\nVmSwap:\t 7 kB\nThreads:\t3\n"
    assert usage.status(text) == (107 * 1024, 3)


MIB = 1 << 20


@pytest.mark.parametrize(
    "script, wish, limit",
    [
        # Two halves in two file systems, each within its own size: only all together are too much.
        (
            "for d in /tmp /dev/shm; do dd if=/dev/zero of=$d/x bs=1M count=40; done; sleep 60",
            {"memory": 64 * MIB},
            "memory",
        ),
        # So much in several processes, of which each is within its own limit (RLIMIT_DATA).
        (
            "for n in 1 2 3; do (tail -c 30000000 /dev/zero; sleep 60) >/dev/null & done; "
            "for n in 1 2 3; do (x=$(dd if=/dev/zero bs=1M count=30 | tr '\\0' x); sleep 60) & done; "
            "sleep 60",
            {"memory": 72 * MIB},
            "memory",
        ),
        # One that multiplies dies of its own when no process can be had any more; these stay.
        ("(while :; do sleep 60 & done); sleep 60", {}, "processes"),
    ],
    ids=["file systems", "processes together", "fork bomb"],
)
def test_too_much_ends_the_sandbox(here: World, script: str, wish: dict[str, Any], limit: str) -> None:
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        pytest.skip("this kernel does not tell the children of a process")
    result = here.run(script, limits=Limits(seconds=50, **wish))
    assert (result.kind, result.limit) == ("limit", limit), result.text[-300:]


def test_a_run_that_takes_too_much_is_an_error_with_a_remedy(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "Launcher", lambda started: contextlib.nullcontext(launcher))
    ended = Outcome("limit", 9, "memory")
    monkeypatch.setattr(launcher, "run_attached", lambda *arguments: ended)
    with pytest.raises(BrambleError) as caught:
        running.run_attached(SPEC)
    assert caught.value.code == "run.limit" and "--memory" in (caught.value.remedy or "")
