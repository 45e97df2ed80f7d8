"""What can become of a case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from conformance.casefile import Case

PASSED, FAILED, BROKEN = "passed", "failed", "broken"
UNCLAIMED, ACCEPTED, NOT_RUN = "not claimed", "accepted", "not run"


@dataclass(frozen=True)
class Edit:
    """Lines of a case's file that --accept replaces."""

    path: str
    line: int
    count: int
    new: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    case: Case
    status: str
    seconds: float = 0.0
    line: Optional[int] = None
    phase: str = ""
    source: str = ""  # the line of the script that failed
    message: str = ""
    shown: str = ""  # what the last command printed
    edits: tuple[Edit, ...] = ()
    kept: str = ""  # the directory of the case, where it was asked for


class Mismatch(Exception):
    """Something is not as the case says. `edit` would make the case say what is."""

    def __init__(self, message: str, edit: Optional[Edit] = None) -> None:
        super().__init__(message)
        self.message = message
        self.edit = edit


class Broken(Exception):
    """The case needs something that is not possible here: an error in it, or a limit of the machine."""


class Missing(Exception):
    """A capability that the case needs is not claimed."""
