"""Running jobs: each in a separate process, with limits of its time and its output.

The package is a stranger's. The process that reads it gets no key and no descriptor of the registry, and
whatever becomes of it, this one only reads what it has printed and one small file. It ends when its
standard input does, so it does not outlive a server that is killed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Optional

from bramble.commands.registry.jobs import PUBLISHED, Job, Problem
from bramble.commands.registry.lining_up import Line
from bramble.commands.registry.outcome import Outcome, read_outcome, read_problem
from bramble.errors import BrambleError
from bramble.record import NamedTuple, dataclass, replace
from bramble.store.files.remove import remove_tree

DIRECTORY = "{directory}"  # replaces the directory of a job
_PIECE = 1 << 16
_POLL = 0.2
_OWN_CODES = "registry."
_PAUSE = 5.0  # seconds before something is written again that could not be
_OWN_LINES = 4096  # bytes that are kept free in a log for the lines at its end


class Task(NamedTuple):
    """How the process of a job is started: the word DIRECTORY means its directory, which is empty."""

    words: Sequence[str]  # before the package and the reference
    environ: Mapping[str, str]
    seconds: float


_OUR_FAULT = Problem(
    "registry.worker",
    "internal error of the server",
    remedy="its operator can find details in the log, and report the bug",
)
# Adds a version for good, of which the directory of its job has the rest. Raises BrambleError.
Publish = Callable[[Outcome, str], None]


@dataclass
class Worker:
    """Takes jobs from the line, one after the other, until the line ends."""

    line: Line
    task: Task
    publish: Publish
    directory: str  # for what is under way; emptied when the worker begins
    on_fault: Callable[[str], None]  # is called with what only the operator of the server can correct
    patience: float = 10.0  # seconds that a process has to end by itself

    def run(self) -> None:
        """Work until the line ends; a job that is under way then is lined up again."""
        if os.path.lexists(self.directory):
            remove_tree(self.directory)
        os.mkdir(self.directory, 0o700)
        while True:
            job = self.line.take()
            if job is None:
                return
            self._do(job)

    def _do(self, job: Job) -> None:
        place = os.path.join(self.directory, str(job.id))
        try:
            os.mkdir(place, 0o700)
            with contextlib.closing(_Log(self.line, job.id)) as log:
                over = self._over(job, place, log)
                if over is None:
                    self.line.give_back(job)
                    return
                log.end(over)
        except OSError as error:
            over = job.failed_at(self.line.clock(), _no_disk(error))
        except Exception:
            self.on_fault(traceback.format_exc())
            over = job.failed_at(self.line.clock(), _OUR_FAULT)
        finally:
            with contextlib.suppress(OSError):
                remove_tree(place)
        self._keep(over)

    def _keep(self, job: Job) -> None:
        """Keep what has become of a job, though the disk be full for a while."""
        while True:
            try:
                self.line.put(job)
                return
            except OSError as error:
                self.on_fault(f"job {job.id} cannot be written: {error}\n")
            if self.line.ends_within(_PAUSE):
                return

    def _over(self, job: Job, place: str, log: _Log) -> Optional[Job]:
        """Return what has become of a job; None if the line has ended meanwhile."""
        try:
            status = self._process(job, place, log)
            if status is None:
                return None
            outcome = _outcome(job, place, status)
            if not outcome.already:
                self.publish(outcome, place)
        except BrambleError as error:
            return job.failed_at(self.line.clock(), Problem.of(error))
        except _Failed as failed:
            return job.failed_at(self.line.clock(), failed.problem)
        entry = outcome.entry
        return replace(
            job,
            state=PUBLISHED,
            ended=self.line.clock(),
            version=entry.version,
            commit=entry.commit,
            digest=entry.digest,
            already=outcome.already,
            impure=outcome.impure,
        )

    def _process(self, job: Job, place: str, log: _Log) -> Optional[int]:
        """Run the process of a job; return its status, None if the line has ended meanwhile."""
        words = [place if word == DIRECTORY else word for word in self.task.words]
        process = subprocess.Popen(
            [*words, "--", job.package, *([job.reference] if job.reference else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self.task.environ),
            cwd=place,
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            goes_on = self._watched(process.pid, process.stdout, log)
        finally:
            _end(process, self.patience)
            process.stdin.close()
            process.stdout.close()
        return process.returncode if goes_on else None

    def _watched(self, pid: int, said: IO[bytes], log: _Log) -> bool:
        """Keep the output of a process until it ends; return False if the queue has ended before."""
        # spec: registry.jobs.limits
        until = time.monotonic() + self.task.seconds
        poll = select.poll()
        poll.register(said, select.POLLIN)
        silent = False
        while not (_is_over(pid) and (silent or not poll.poll(0))):
            if self.line.has_ended():
                return False
            if time.monotonic() > until:
                raise BrambleError(
                    "registry.limit",
                    f"it took longer than the {self.task.seconds:g} seconds that a job may take",
                    remedy="publish a package that builds faster, or ask the operator for more time",
                )
            if silent:
                time.sleep(_POLL)
            elif poll.poll(_POLL * 1000):
                data = os.read(said.fileno(), _PIECE)
                silent = not data
                log.write(data)
        return True


def _outcome(job: Job, place: str, status: int) -> Outcome:
    """Return what a process has found out. Raises _Failed, registry.worker."""
    try:
        if status == 0:
            outcome = read_outcome(place)
            if outcome.entry.name != job.package:
                raise ValueError("another package")
            return outcome
        problem = read_problem(place)
    except ValueError:
        ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise BrambleError(
            "registry.worker",
            f"the process that checked the package {ended} without a result",
            remedy="its messages are in the log; if there are none, it may have used too much memory",
        ) from None
    raise _Failed(problem)


class _Failed(Exception):
    """The package is not published, for this reason."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _end(process: subprocess.Popen[bytes], patience: float) -> None:
    """End a process and all of its group. It has not been waited for, so its number is its own."""
    until = time.monotonic() + patience
    if not _is_over(process.pid):
        os.killpg(process.pid, signal.SIGTERM)
        while not _is_over(process.pid) and time.monotonic() < until:
            time.sleep(_POLL / 4)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _is_over(pid: int) -> bool:
    """Return whether a child has ended, and leave it a zombie."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _no_disk(error: OSError) -> Problem:
    return Problem(
        "registry.disk",
        f"the registry cannot write: {error.strerror or error}",
        remedy="its operator must free disk space; try again then",
    )


class _Log:
    """The log of a job: what is printed after its end is reached is not kept."""

    def __init__(self, line: Line, id: int) -> None:
        self._line = line
        self._left = line.bounds.log
        self._lost = 0
        self._file: Optional[int] = os.open(
            line.log_path(id), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )

    def write(self, data: bytes) -> None:
        """Keep the output, up to the limit."""
        kept = data[: max(self._left - _OWN_LINES, 0)]
        self._lost += len(data) - len(kept)
        self._put(kept)

    def end(self, job: Job) -> None:
        """Add what has become of the job, as the last line."""
        if self._lost:
            self._put(f"… {self._lost} more bytes were printed\n".encode())
        problem = job.problem
        if problem is not None and not problem.code.startswith(_OWN_CODES):
            return  # The process has printed it.
        already = " already" if job.already else ""
        said = (
            f"{job.release} is{already} published"
            if problem is None
            else f"error[{problem.code}]: {problem.message}"
        )
        self._put(said.encode("utf-8", "replace")[: _OWN_LINES // 2] + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _put(self, data: bytes) -> None:
        if self._file is None or not data:
            return
        self._left -= len(data)
        while data:
            data = data[os.write(self._file, data) :]
        self._line.told()
