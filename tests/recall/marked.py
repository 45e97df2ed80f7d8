"""Seeing whether a command was answered from a record: the records are changed to say so themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bramble.recall.kept import Kept
from tests.cli.world import ROOT, Ran, World

MARK = b"said again\n"
# A stamp is believed when it is older than a process by more than this, in seconds; the program's by more.
STEP, OF_STARTING = 0.1, 12.0


def answers(world: World) -> Kept:
    return Kept(str(world.base / "home" / ".cache"), ("bramble", "answers"))


def records(world: World) -> list[Path]:
    directory = world.base / "home" / ".cache" / "bramble" / "answers"
    return sorted(directory.iterdir()) if directory.is_dir() else []


def mark(world: World) -> None:
    """Let every record say that it is one, before what it said."""
    kept = answers(world)
    for path in records(world):
        found = kept.read(path.name)
        assert found is not None
        head, _, rest = found.partition(b"\n")
        key, text, *_ = map(int, head.split())
        sizes, answer = key + text, rest[key + text :]
        errors, _, said = answer.partition(b"\n")
        if not said[int(errors) :].startswith(MARK):
            answer = errors + b"\n" + said[: int(errors)] + MARK + said[int(errors) :]
            assert kept.write(path.name, head + b"\n" + rest[:sizes] + answer, 9999, 1 << 40)


def was_answered(ran: Ran) -> bool:
    return ran.out.startswith(MARK.decode())


def program_files() -> Iterator[Path]:
    yield from (ROOT / "bramble").rglob("*.py")
    yield from (ROOT / "bramble").rglob("*.bramble")


def settle() -> None:
    """Wait until what was changed a moment ago has a stamp that is believed."""
    time.sleep(STEP)


def wait_for_the_program() -> None:
    """Wait until the program itself has been let alone for so long that its own stamps are believed."""
    youngest = max(path.stat().st_ctime for path in program_files())
    time.sleep(max(0.0, youngest + OF_STARTING - time.time()))


def prepared(world: World, *words: str) -> None:
    """Run a program until how it is run is recorded."""
    wait_for_the_program()
    for _ in range(3):
        settle()
        before = records(world)
        assert world.run(*words).status == 0
        if records(world) != before:
            return
    raise AssertionError("no record was made")


def recorded(world: World, *words: str, **options: object) -> Ran:
    """Run a command until its answer is recorded, and mark that; return what it said."""
    wait_for_the_program()
    for _ in range(3):
        settle()
        before = {path.name: path.stat().st_mtime_ns for path in records(world)}
        ran = world.run(*words, **options)  # type: ignore[arg-type]
        assert ran.status == 0, ran.err
        if before != {path.name: path.stat().st_mtime_ns for path in records(world)}:
            mark(world)
            again = world.run(*words, **options)  # type: ignore[arg-type]
            assert was_answered(again), "the record does not hold"
            assert (again.out[len(MARK) :], again.err) == (ran.out, ran.err)
            return ran
    raise AssertionError("no record was made")
