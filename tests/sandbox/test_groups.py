"""Limits of a whole sandbox by control groups, for real, where this machine lets somebody have some.

Root makes a subtree, as systemd does for a session, gives it to an ordinary user, and starts
that user's worker in it. Where there is no version 2, or another owns the controllers, the
reason is said.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.sandbox.limits import groups
from bramble.sandbox.spec import Limits
from tests.sandbox import world
from tests.sandbox.processes import alive, gone, mark, wait_for
from tests.sandbox.world import ORDINARY, Asker, World

TOP = Path(os.fsdecode(groups.ROOT))


def missing() -> str:
    """Return why no subtree can be delegated here; empty when one can."""
    try:
        given = (TOP / "cgroup.controllers").read_text().split()
    except OSError:
        return f"{TOP} is not a hierarchy of version 2"
    lacking = [name.decode() for name in groups.NEEDED if name.decode() not in given]
    if lacking:
        return f"version 2 has no controller {lacking[0]} here: another hierarchy holds it"
    if os.geteuid() != 0:
        return "it takes root to delegate a subtree"
    return ""


@pytest.fixture(scope="module")
def subtree() -> Iterator[Path]:
    """A subtree that belongs to an ordinary user, who has a session in it."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    top = TOP / f"bramble-test-{os.getpid()}"
    before = (TOP / "cgroup.subtree_control").read_text().split()
    try:
        hand_down(TOP)
        (top / "session").mkdir(parents=True)
        hand_down(top)
    except OSError as error:
        pytest.skip(f"the kernel lets nobody make a subtree here: {error}")
    for path in (
        top,
        top / "cgroup.procs",
        top / "cgroup.subtree_control",
        top / "session",
        top / "session/cgroup.procs",
    ):
        os.chown(path, ORDINARY, ORDINARY)
    yield top
    for path in (top / "session", top):
        assert wait_for(lambda path=path: not path.exists() or removed(path)), os.listdir(path)
    for name in groups.NEEDED:
        if name.decode() not in before:
            (TOP / "cgroup.subtree_control").write_text("-" + name.decode())


def hand_down(group: Path) -> None:
    wanted = " ".join("+" + name.decode() for name in groups.NEEDED)
    (group / "cgroup.subtree_control").write_text(wanted)


def removed(path: Path) -> bool:
    with contextlib.suppress(OSError):
        path.rmdir()
        return True
    return False


@pytest.fixture
def session(subtree: Path) -> Iterator[World]:
    """A world of the ordinary user, whose worker stands in the session."""
    if not world.static(world.BUSYBOX):
        pytest.skip(world.NO_BUSYBOX)
    user = str(ORDINARY)
    if not world.interpreter(user):
        pytest.skip("an ordinary user can execute no Python here")
    enter = f'echo $$ > {subtree}/session/cgroup.procs && exec "$@"'
    asker = Asker(user, world.make_home(user), prefix=("/bin/sh", "-c", enter, "sh"))
    yield World(asker)
    asker.stop()
    shutil.rmtree(asker.home, ignore_errors=True)


def left(subtree: Path) -> list[str]:
    return [path.name for path in subtree.iterdir() if path.name.startswith("bramble-")]


# One process has little; together they have twice of what they may.
HOLD = "hold() {{ x=$(head -c 12000000 /dev/zero | tr '\\0' x); sleep {0}; }}; "
HOLD += "for n in 1 2 3 4 5 6 7 8 9 10; do hold & done; sleep {0}; exit 0"


def test_memory_is_that_of_all_processes_together(session: World, subtree: Path) -> None:
    number = mark()
    result = session.run(HOLD.format(number), limits=Limits(memory=64 << 20, seconds=60))
    assert (result.kind, result.limit) == ("limit", "memory")
    assert alive(number) == [] and left(subtree) == []


def test_a_program_that_hits_it_does_not_go_on_without_a_part_of_itself(session: World) -> None:
    script = HOLD.format("1").replace("exit 0", "wait; echo went on > /out/x; exit 0")
    result = session.run(script, limits=Limits(memory=64 << 20, seconds=60))
    assert (result.kind, result.limit) == ("limit", "memory") and not (session.out / "x").exists()


def test_who_stays_below_is_not_ended(session: World, subtree: Path) -> None:
    result = session.run(
        "head -c 9000000 /dev/zero > /tmp/x; exit 3", limits=Limits(memory=64 << 20, processes=20)
    )
    assert (result.kind, result.code) == ("exited", 3) and left(subtree) == []


def test_a_storm_of_processes_is_bounded_and_said(session: World, subtree: Path) -> None:
    number = mark()
    most = 0
    over = threading.Event()

    def count() -> None:
        nonlocal most
        while not over.is_set():
            most = max(most, len(alive(number)))
            time.sleep(0.02)

    counter = threading.Thread(target=count)
    counter.start()
    try:
        storm = f"n=0; while [ $n -lt 20 ]; do sleep {number} & n=$((n+1)); done; sleep 1; exit 0"
        result = session.run(storm, limits=Limits(processes=10, seconds=30))
    finally:
        over.set()
        counter.join()
    assert (result.kind, result.limit) == ("limit", "processes"), result
    assert most <= 11 and gone(number) and left(subtree) == []


def test_what_a_killed_helper_left_is_removed_by_the_next(session: World, subtree: Path) -> None:
    stale = subtree / "bramble-4194305-0"  # above the largest pid of Linux
    stale.mkdir()
    os.utime(stale, (0, 0))
    os.chown(stale, ORDINARY, ORDINARY)
    assert session.run("true", limits=Limits(processes=10)).kind == "exited"
    assert left(subtree) == []
