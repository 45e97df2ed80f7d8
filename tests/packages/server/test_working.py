"""The process of a job may do what it likes: it hurts its own job alone."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from bramble.commands.registry.jobs import PUBLISHED, QUEUED, Job
from bramble.commands.registry.lining_up import Bounds, Line
from bramble.commands.registry.outcome import Outcome
from bramble.commands.registry.working import DIRECTORY, Task, Worker
from bramble.errors import BrambleError

RIGHT = """
import json, sys
print("looked at", sys.argv[3:])
entry = [sys.argv[3], "1.0.0", "a" * 40, "b" * 32]
json.dump({"entry": entry, "already": False, "impure": ["tools"]}, open(sys.argv[1] + "/outcome.json", "w"))
"""


class Hall:
    """A line, and a worker whose processes run a script."""

    def __init__(self, base: Path, script: str, seconds: float = 20.0) -> None:
        (base / "jobs").mkdir(exist_ok=True)
        self.line = Line(str(base / "jobs"), time.time, Bounds(log=10_000))
        self.line.load()
        self.published: list[Outcome] = []
        self.faults: list[str] = []
        task = Task([sys.executable, "-I", "-c", script, DIRECTORY], dict(os.environ), seconds)
        self.worker = Worker(self.line, task, self.publish, str(base / "work"), self.faults.append)

    def publish(self, outcome: Outcome, place: str) -> None:
        assert os.path.exists(f"{place}/outcome.json")
        if outcome.entry.name == "a.b/refused":
            raise BrambleError("registry.exists", "it is there")
        if outcome.entry.name == "a.b/disk":
            raise OSError(28, "No space left on device")
        if outcome.entry.name == "a.b/bug":
            raise KeyError("bug")
        self.published.append(outcome)

    def done(self, *packages: str, reference: str = "1.0.0") -> list[Job]:
        """Work on these; return what has become of them."""
        ids = [self.line.add(package, reference, package).id for package in packages]
        thread = threading.Thread(target=self.worker.run)
        thread.start()
        try:
            until = time.monotonic() + 30
            while time.monotonic() < until:
                jobs = [job for job in map(self.line.get, ids) if job is not None]
                if all(job.is_over for job in jobs):
                    return jobs
                time.sleep(0.01)
            raise AssertionError(jobs)
        finally:
            self.line.end()
            thread.join(20)
            assert not thread.is_alive()

    def log(self, id: int) -> str:
        return Path(self.line.log_path(id)).read_text("utf-8", "replace")


def codes(jobs: list[Job]) -> list[str]:
    return [job.problem.code if job.problem else "" for job in jobs]


def test_what_is_right_is_published_and_what_fails_does_not_stop_the_line(tmp_path: Path) -> None:
    hall = Hall(tmp_path, RIGHT)
    jobs = hall.done("a.b/c", "a.b/refused", "a.b/disk", "a.b/bug", "a.b/d")
    assert codes(jobs) == ["", "registry.exists", "registry.disk", "registry.worker", ""]
    assert [one.entry.name for one in hall.published] == ["a.b/c", "a.b/d"]
    assert (jobs[0].state, jobs[0].version, jobs[0].impure) == (PUBLISHED, "1.0.0", ("tools",))
    assert hall.log(1) == "looked at ['a.b/c', '1.0.0']\na.b/c@1.0.0 is published\n"
    assert len(hall.faults) == 1 and "KeyError" in hall.faults[0]
    assert os.listdir(tmp_path / "work") == []


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("", "registry.worker"),
        ("import os; os.kill(os.getpid(), 9)", "registry.worker"),
        ("import sys; sys.exit(3)", "registry.worker"),
        # It says that another package is right.
        (RIGHT.replace("[sys.argv[3],", '["x.y/z",'), "registry.worker"),
        (RIGHT.replace('"already": False', '"already": 1'), "registry.worker"),
        ("import sys; open(sys.argv[1] + '/outcome.json', 'w').write('[' * 100000)", "registry.worker"),
        ("import os, sys; os.symlink('/etc/passwd', sys.argv[1] + '/outcome.json')", "registry.worker"),
        (
            "import json, sys\nvalues = {'error': 'load.cycle', 'message': 'x', 'detail': 'y' * 100}\n"
            "json.dump(values, open(sys.argv[1] + '/problem.json', 'w')); sys.exit(1)",
            "load.cycle",
        ),
    ],
)
def test_what_a_process_leaves_is_not_believed(tmp_path: Path, script: str, code: str) -> None:
    hall = Hall(tmp_path, script)
    assert codes(hall.done("a.b/c")) == [code]
    assert hall.published == []


def test_a_process_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    # spec: registry.jobs.limits
    script = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pid = os.fork()\nopen('{tmp_path}/pid', 'w').write(str(pid)) if pid else 0\ntime.sleep(60)\n"
    )
    hall = Hall(tmp_path, script, seconds=0.5)
    hall.worker.patience = 0.2
    assert codes(hall.done("a.b/c")) == ["registry.limit"]
    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 5
    while time.monotonic() < until and Path(f"/proc/{pid}/stat").exists():
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.02)
    else:
        assert not Path(f"/proc/{pid}").exists()


def test_what_is_printed_has_an_end(tmp_path: Path) -> None:
    # spec: registry.jobs.limits
    hall = Hall(tmp_path, "print('x' * 50000)\n" + RIGHT)
    assert codes(hall.done("a.b/c")) == [""]
    log = hall.log(1)
    assert len(log) < 10_000 and log.endswith("a.b/c@1.0.0 is published\n") and "more bytes" in log


def test_a_job_goes_back_when_the_server_ends(tmp_path: Path) -> None:
    # spec: registry.jobs.durable
    hall = Hall(tmp_path, "import time; print('begun', flush=True); time.sleep(60)")
    job = hall.line.add("a.b/c", "", "x")
    thread = threading.Thread(target=hall.worker.run)
    thread.start()
    until = time.monotonic() + 10
    while not os.path.exists(hall.line.log_path(1)) or "begun" not in hall.log(1):
        assert time.monotonic() < until
        time.sleep(0.01)
    hall.line.end()
    thread.join(10)
    assert not thread.is_alive()
    known = Hall(tmp_path, RIGHT).line.get(job.id)
    assert known is not None and (known.state, known.attempts) == (QUEUED, 0)
    assert codes(Hall(tmp_path, RIGHT).done("a.b/c", reference="")) == [""]
