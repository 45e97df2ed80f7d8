"""One job: what is to be published, and what has become of it. All pure but for the names of files.

queued → running → published
                 → failed
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple, dataclass, field, replace

QUEUED, RUNNING, PUBLISHED, FAILED = "queued", "running", "published", "failed"
_STATES = (QUEUED, RUNNING, PUBLISHED, FAILED)
_FORM = 1
_LONGEST_ERROR = 16 << 10  # characters of one text of an error
_OF_A_CUT = 64  # for the words that say that something is left out


class Problem(NamedTuple):
    """Why a job has failed: an error as it is printed everywhere (spec: cli.errors.json)."""

    code: str
    message: str
    at: str = ""
    remedy: str = ""
    detail: str = ""

    @staticmethod
    def of(error: BrambleError) -> Problem:
        """Return an error as it is kept: texts have an end."""
        at = "" if error.place is None else str(error.place)
        texts = (error.code, error.message, at, error.remedy or "", error.detail)
        return Problem(*(_cut(text) for text in texts))

    @staticmethod
    def read(given: Any) -> Problem:
        """Return an error that another process has written. Raises ValueError."""
        if not isinstance(given, dict):
            raise ValueError("no error")
        texts = [given.get(key) or "" for key in ("error", "message", "at", "remedy", "detail")]
        if not all(isinstance(text, str) for text in texts) or not texts[0] or not texts[1]:
            raise ValueError("no error")
        return Problem(*(_cut(text) for text in texts))

    def to_json(self) -> dict[str, Optional[str]]:
        """Return it as `--json` prints errors."""
        return {
            "error": self.code,
            "at": self.at or None,
            "message": self.message,
            "remedy": self.remedy or None,
            "detail": self.detail,
        }


def _cut(text: str) -> str:
    """Return text without its middle if it is too long: the reason of a failure is at one of the ends."""
    if len(text) <= _LONGEST_ERROR:
        return text
    half = (_LONGEST_ERROR - _OF_A_CUT) // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters …\n{text[-half:]}"


@dataclass(frozen=True)
class Job:
    """One request to publish a version. Times are seconds since 1970, 0.0 for what has not happened yet."""

    id: int
    package: str
    reference: str  # as it was asked for: a version, its tag, or "" for the newest
    asked: float
    client: str = ""  # the address of the client; it is not published
    state: str = QUEUED
    started: float = 0.0
    ended: float = 0.0
    attempts: int = 0
    version: str = ""  # once it is known, as the two below
    commit: str = ""
    digest: str = ""
    already: bool = False  # the version had been published before, and is the same
    impure: tuple[str, ...] = ()  # names of derivations that depend on this machine
    problem: Optional[Problem] = field(default=None)

    @property
    def is_over(self) -> bool:
        """Return whether nothing of it will change any more."""
        return self.state in (PUBLISHED, FAILED)

    @property
    def release(self) -> str:
        """What is to be published, for people."""
        wanted = self.version or self.reference
        return f"{self.package}@{wanted}" if wanted else self.package

    def started_at(self, now: float) -> Job:
        """Return it as it is when a process begins to work on it."""
        return replace(self, state=RUNNING, started=now, attempts=self.attempts + 1)

    def failed_at(self, now: float, problem: Problem) -> Job:
        """Return it as it is when it has failed for good."""
        return replace(self, state=FAILED, ended=now, problem=problem)

    def to_json(self) -> dict[str, Any]:
        """Return what everybody may know of it."""
        # spec: registry.jobs.json
        return {
            "version": _FORM,
            "id": str(self.id),
            "state": self.state,
            "package": self.package,
            "reference": self.reference,
            "asked": int(self.asked),
            "started": int(self.started) or None,
            "ended": int(self.ended) or None,
            "release": self.version or None,
            "commit": self.commit or None,
            "digest": self.digest or None,
            "already": self.already,
            "impure": list(self.impure),
            "error": None if self.problem is None else self.problem.to_json(),
        }


def written(job: Job) -> bytes:
    """Return a job as its file holds it."""
    values = {**vars(job), "form": _FORM, "problem": job.problem and job.problem.to_json()}
    return json.dumps(values, ensure_ascii=True, indent=1).encode("ascii") + b"\n"


def read(data: bytes) -> Optional[Job]:
    """Return the job in a file; None for one that holds none, as after a crash of the disk."""
    try:
        values = json.loads(data)
        if values.pop("form") != _FORM:
            return None
        problem = values.pop("problem")
        job = Job(**{**values, "impure": tuple(values["impure"])}, problem=problem and Problem.read(problem))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return job if job.state in _STATES and isinstance(job.id, int) else None


def answer_of(values: Mapping[str, Any]) -> str:
    """Return the id in the answer to a request, as a client reads it. Raises ValueError."""
    found = values.get("id")
    if not isinstance(found, str) or not (found.isascii() and found.isdigit() and len(found) <= 15):
        raise ValueError("no id")
    return found
