"""The jobs of a registry as files of one directory: what is asked for stays asked for, whatever ends.

`N.json` is the record of job N, `N.log` its output. A job is written before anybody is told
that it is there, so a process that is killed loses none; one that was running is lined up again.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Optional

from bramble.commands.registry.jobs import QUEUED, RUNNING, Job, Problem, read, written
from bramble.errors import BrambleError
from bramble.record import NamedTuple, dataclass, field, replace
from bramble.store.files.small import TEMPORARY, read_file, sync_directory, write_file

_NAME = re.compile(r"([1-9][0-9]{0,14})\.json")
_HOUR = 3600.0
_GIVEN_UP = Problem(
    "registry.interrupted",
    "the server has ended each time while it worked on this",
    "",
    "the operator of the registry must find the reason; try again then",
)


class Bounds(NamedTuple):
    """How much may be asked for, and how much of it is kept."""

    waiting: int = 200  # jobs in the line
    of_one_client: int = 10  # jobs of one client in the line
    an_hour: int = 60  # jobs that one client may ask for in an hour
    kept: int = 2000  # jobs that are over
    log: int = 1 << 20  # bytes of what one job prints
    attempts: int = 3  # how often a job is begun again that ended with the server


@dataclass
class Line:
    """The jobs in `directory`, which this process alone changes."""

    directory: str
    clock: Callable[[], float]
    bounds: Bounds = Bounds()
    _jobs: dict[int, Job] = field(default_factory=dict)  # in the order of their ids
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _ended: bool = False

    def load(self) -> None:
        """Read the jobs; those that were running when the last process ended are lined up again."""
        # spec: registry.jobs.durable
        found = []
        for name in os.listdir(self.directory):
            if name.startswith(TEMPORARY):
                os.unlink(os.path.join(self.directory, name))
            named = _NAME.fullmatch(name)
            job = read(read_file(os.path.join(self.directory, name)) or b"") if named else None
            if job is not None and named is not None and job.id == int(named[1]):
                found.append(job)
        with self._changed:
            self._jobs = {job.id: job for job in sorted(found, key=lambda job: job.id)}
            for job in list(self._jobs.values()):
                if job.state == RUNNING:
                    again = job.attempts < self.bounds.attempts
                    over = job.failed_at(self.clock(), _GIVEN_UP)
                    self._put(replace(job, state=QUEUED) if again else over)

    def add(self, package: str, reference: str, client: str) -> Job:
        """Queue a job, or return a queued one with the same request.

        Raises registry.busy if the line is full, registry.too-many when the client has asked for too much.
        """
        # spec: registry.jobs.bounds
        now = self.clock()
        with self._changed:
            open_jobs = [job for job in self._jobs.values() if not job.is_over]
            for job in open_jobs:
                if (job.package, job.reference) == (package, reference):
                    return job
            lately = [job for job in self._jobs.values() if job.client == client and job.asked > now - _HOUR]
            own = sum(job.client == client for job in open_jobs)
            if own >= self.bounds.of_one_client or len(lately) >= self.bounds.an_hour:
                raise BrambleError(
                    "registry.too-many",
                    "there were too many requests from your address",
                    remedy="wait until your requests are done, or for an hour",
                )
            if len(open_jobs) >= self.bounds.waiting:
                raise BrambleError(
                    "registry.busy", f"{len(open_jobs)} jobs are waiting already", remedy="ask again later"
                )
            job = Job(max(self._jobs, default=0) + 1, package, reference, now, client)
            self._put(job)
            self._trim()
            return job

    def take(self) -> Optional[Job]:
        """Wait for the next job, and return it as running; None if the line has ended."""
        with self._changed:
            while not self._ended:
                waiting = self._next()
                if waiting is not None:
                    running = waiting.started_at(self.clock())
                    self._put(running)
                    return running
                self._changed.wait()
        return None

    def put(self, job: Job) -> None:
        """Keep what has become of a job."""
        with self._changed:
            self._put(job)

    def give_back(self, job: Job) -> None:
        """Line up a job again that was begun, and ends with this process, not by its own fault."""
        self.put(replace(job, state=QUEUED, attempts=job.attempts - 1))

    def end(self) -> None:
        """Have `take` and `follow` end."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def has_ended(self) -> bool:
        """Return whether nothing more is to be begun."""
        return self._ended

    def ends_within(self, seconds: float) -> bool:
        """Wait for this time, or until the queue ends; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended, seconds)

    def get(self, id: int) -> Optional[Job]:
        """Return a job."""
        with self._changed:
            return self._jobs.get(id)

    def latest(self, count: int, package: str = "") -> list[Job]:
        """Return the newest jobs, of one package or of all."""
        with self._changed:
            found = [job for job in self._jobs.values() if package in ("", job.package)]
        return found[: -count - 1 : -1]

    def ahead(self, job: Job) -> int:
        """Return how many jobs come before this one."""
        with self._changed:
            return sum(not one.is_over and one.id < job.id for one in self._jobs.values())

    def log_path(self, id: int) -> str:
        """Return where the log of a job is."""
        return os.path.join(self.directory, f"{id}.log")

    def told(self) -> None:
        """Wake up the followers of a log: it has grown."""
        with self._changed:
            self._changed.notify_all()

    def end_of_log(self, id: int, most: int) -> tuple[bytes, bool]:
        """Return the last bytes of a log, and whether there are more before them."""
        try:
            with open(self.log_path(id), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                file.seek(max(size - most, 0))
                return file.read(most), size > most
        except FileNotFoundError:
            return b"", False

    def follow(self, id: int, start: int = 0, poll: float = 1.0) -> Iterator[bytes]:
        """Yield what a job prints, from a byte on, to its end; b"" after `poll` seconds without news."""
        # spec: registry.jobs.log
        at = start
        while True:
            with self._changed:
                # Looked at before the log is read: what is printed comes before the end is known.
                job = self._jobs.get(id)
                ended = self._ended or job is None or job.is_over
            data = _read_from(self.log_path(id), at)
            if data:
                at += len(data)
                yield data
                continue
            if ended:
                return
            with self._changed:
                if self._jobs.get(id) == job and not self._ended:
                    self._changed.wait(poll)
            yield b""

    def _next(self) -> Optional[Job]:
        """Return the job to begin with, of the client whose last one began the longest ago."""
        # spec: registry.jobs.turns
        began: dict[str, float] = {}
        for job in self._jobs.values():
            began[job.client] = max(began.get(job.client, 0.0), job.started)
        waiting = [job for job in self._jobs.values() if job.state == QUEUED]
        return min(waiting, key=lambda job: (began[job.client], job.id), default=None)

    def _put(self, job: Job) -> None:
        write_file(os.path.join(self.directory, f"{job.id}.json"), written(job), sync=True, mode=0o600)
        sync_directory(self.directory)
        self._jobs[job.id] = job
        self._changed.notify_all()

    def _trim(self) -> None:
        """Forget the oldest jobs that are over; the newest job stays, and with it the count of ids."""
        over = [id for id, job in self._jobs.items() if job.is_over]
        for id in over[: max(len(over) - self.bounds.kept, 0)]:
            del self._jobs[id]
            for name in (f"{id}.json", f"{id}.log"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self.directory, name))


def _read_from(path: str, start: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(1 << 16)
    except FileNotFoundError:
        return b""
