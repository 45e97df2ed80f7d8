"""The line of jobs: what is asked for stays, is bounded, and is worked on whatever ends."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from bramble.commands.registry.jobs import PUBLISHED, QUEUED, RUNNING, Job, Problem, read, written
from bramble.commands.registry.lining_up import Bounds, Line
from bramble.errors import BrambleError
from bramble.record import replace


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def line_in(directory: Path, clock: Clock | None = None, bounds: Bounds | None = None) -> Line:
    line = Line(str(directory), clock or Clock(), bounds or Bounds())
    line.load()
    return line


def code(line: Line, package: str, client: str) -> str:
    with pytest.raises(BrambleError) as found:
        line.add(package, "", client)
    return found.value.code


def test_a_job_is_there_after_a_restart(tmp_path: Path) -> None:
    # spec: registry.jobs.durable
    line = line_in(tmp_path)
    first, second = line.add("a.b/c", "1.0.0", "x"), line.add("a.b/d", "", "y")
    assert (first.id, second.id, line.ahead(second)) == (1, 2, 1)
    assert line.take() == line.get(1)
    line.put(replace(second, state=PUBLISHED, version="1.0.0", impure=("tools",)))
    again = line_in(tmp_path)
    assert again.get(2) == line.get(2)
    # It was under way: it is begun again, and not for ever.
    known = again.get(1)
    assert known is not None and (known.state, known.attempts) == (QUEUED, 1)
    for _ in range(2):
        again.take()
        again = line_in(tmp_path)
    known = again.get(1)
    assert known is not None and known.problem is not None and known.problem.code == "registry.interrupted"
    assert again.add("a.b/c", "1.0.0", "x").id == 3


def test_a_server_that_ends_properly_costs_a_job_no_attempt(tmp_path: Path) -> None:
    line = line_in(tmp_path)
    line.add("a.b/c", "", "x")
    for _ in range(5):
        job = line.take()
        assert job is not None and job.state == RUNNING
        line.give_back(job)
        line = line_in(tmp_path)
    known = line.get(1)
    assert known is not None and (known.state, known.attempts) == (QUEUED, 0)


def test_clients_take_turns(tmp_path: Path) -> None:
    # spec: registry.jobs.turns
    clock = Clock()
    line = line_in(tmp_path, clock)
    for client in ("x", "x", "x", "y", "z", "y"):
        line.add(f"a.b/c{clock.now:.0f}", "", client)
        clock.now += 1
    order = []
    for _ in range(6):
        job = line.take()
        assert job is not None
        clock.now += 1
        line.put(replace(job, state=PUBLISHED))
        order.append(job.id)
    assert order == [1, 4, 5, 2, 6, 3]


def test_nobody_fills_the_line(tmp_path: Path) -> None:
    # spec: registry.jobs.bounds
    clock = Clock()
    line = line_in(tmp_path, clock, Bounds(waiting=4, of_one_client=2, an_hour=3, kept=2))
    assert line.add("a.b/c", "", "x") == line.add("a.b/c", "", "z")
    line.add("a.b/d", "", "x")
    assert code(line, "a.b/e", "x") == "registry.too-many"
    line.add("a.b/e", "", "y")
    line.add("a.b/f", "", "z")
    assert code(line, "a.b/g", "w") == "registry.busy"
    for id in (1, 2):
        job = line.get(id)
        assert job is not None
        line.put(replace(job, state=PUBLISHED))
    line.add("a.b/g", "", "x")
    assert code(line, "a.b/h", "x") == "registry.too-many"
    clock.now += 3601
    for id in (3, 4, 5):
        job = line.get(id)
        assert job is not None
        line.put(replace(job, state=PUBLISHED))
    Path(line.log_path(1)).write_text("x")
    line.add("a.b/h", "", "x")
    assert [job.id for job in line.latest(10)] == [6, 5, 4]
    assert sorted(os.listdir(tmp_path)) == ["4.json", "5.json", "6.json"]
    assert [job.id for job in line.latest(10, "a.b/g")] == [5]


def test_a_file_that_holds_no_job_is_passed_over(tmp_path: Path) -> None:
    job = Job(7, "a.b/c", "1.0.0", 5.0, "x", problem=Problem("a.b", "c"))
    assert read(written(job)) == job
    odd = written(job).replace(b'"queued"', b'"odd"')
    for wrong in (b"", b"{}", b"[]", b"nonsense", odd, b'{"form": 1}'):
        assert read(wrong) is None
    (tmp_path / "1.json").write_bytes(b"")
    (tmp_path / "8.json").write_bytes(written(job))
    (tmp_path / ".tmp-x").write_bytes(b"")
    line = line_in(tmp_path)
    assert line.latest(5) == [] and not (tmp_path / ".tmp-x").exists()


def test_a_log_is_followed_to_the_end_of_its_job(tmp_path: Path) -> None:
    # spec: registry.jobs.log
    line = line_in(tmp_path)
    job = line.add("a.b/c", "", "x")
    heard: list[bytes] = []
    thread = threading.Thread(target=lambda: heard.extend(line.follow(job.id, 2, poll=0.01)))
    thread.start()
    log = Path(line.log_path(job.id))
    for text in ("one\n", "one\ntwo\n"):
        log.write_text(text)
        line.told()
    line.put(replace(job, state=PUBLISHED))
    thread.join(5)
    assert b"".join(heard) == b"e\ntwo\n"
    assert line.end_of_log(job.id, 4) == (b"two\n", True) and line.end_of_log(99, 4) == (b"", False)


def test_an_error_has_an_end() -> None:
    problem = Problem.of(BrambleError("a.b", "c", detail="x" * 100_000 + "the end"))
    assert len(problem.detail) < 20_000 and problem.detail.endswith("the end")
    assert Problem.read(problem.to_json()) == problem
    for wrong in (None, [], {}, {"error": "a"}, {"error": 1, "message": "x"}, {"error": "a", "message": 1}):
        with pytest.raises(ValueError):
            Problem.read(wrong)
