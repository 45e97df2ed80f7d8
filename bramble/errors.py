"""Errors for users: a code, a place, a fact and a remedy.

A `BrambleError` is the user's to solve and is shown without a traceback. Any
other exception that reaches the command line is a fault of Bramble's own and
keeps its traceback (spec: cli.errors).
"""

from __future__ import annotations

from bramble.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Optional

_LONGEST = 8192  # characters of a message, and of a remedy


class Place(NamedTuple):
    """A position in a text file. Lines and columns count from 1; a column counts code points."""

    file: str
    line: Optional[int] = None
    column: Optional[int] = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


class BrambleError(Exception):
    """An error that its reader can do something about.

    `code` is `phase.slug`, one of the codes in the chapter of the package;
    `message` states the fact; `place` is where it stands; `remedy` is the next
    thing to try; `detail` is longer text that belongs to the error, shown below
    it as it is (a call stack, the log of a build). `others` are further errors
    found in the same step, such as every undefined name of a file. `about` names
    the subject of the error for callers that know its place, and is not shown.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        place: Optional[Place] = None,
        remedy: Optional[str] = None,
        detail: str = "",
        others: Sequence[BrambleError] = (),
        about: str = "",
    ) -> None:
        message = _bounded(message)
        super().__init__(message)
        self.code = code
        self.message = message
        self.place = place
        self.remedy = None if remedy is None else _bounded(remedy)
        self.detail = detail
        self.others = tuple(others)
        self.about = about

    def __str__(self) -> str:
        where = f" {self.place}" if self.place is not None else ""
        return f"error[{self.code}]{where}: {self.message}"

    def to_json(self) -> dict[str, Any]:
        """Return the error as the object that `--json` prints (spec: cli.errors.json)."""
        return {
            "error": self.code,
            "at": None if self.place is None else str(self.place),
            "message": self.message,
            "remedy": self.remedy,
            "detail": self.detail,
        }


def _bounded(text: str) -> str:
    """Return a text that quotes what somebody else has written, without its middle if that was a lot."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} … ({len(text) - 2 * half} characters are left out) … {text[-half:]}"


def nearest(word: str, candidates: Iterable[str]) -> Optional[str]:
    """Return the candidate that `word` was probably meant to be, or None.

    The smallest edit distance wins, ignoring case, `-` and `_`; it must be less
    than half of the word's length. Two neighbours that changed places count once.
    Of equals the first in sorted order is taken.
    """
    folded = _folded(word)
    limit = (len(folded) + 1) // 2
    best: Optional[str] = None
    for candidate in sorted(candidates):
        distance = _distance(folded, _folded(candidate), limit)
        if distance < limit:
            best, limit = candidate, distance
    return best


def _folded(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _distance(a: str, b: str, limit: int) -> int:
    """Return the edit distance of two words, or `limit` when it is not less."""
    if abs(len(a) - len(b)) >= limit:
        return limit
    before: list[int] = []
    previous = list(range(len(b) + 1))
    for row, letter in enumerate(a, 1):
        current = [row]
        for column, other in enumerate(b, 1):
            least = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == b[column - 2] and other == a[row - 2]:
                least = min(least, before[column - 2] + 1)
            current.append(least)
        before, previous = previous, current
    return previous[-1]
