"""Which known name a user probably meant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Beyond this many candidates a suggestion is not worth the seconds that it takes to find.
MOST_CANDIDATES = 5000


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate most similar to `name`, or "" if none is near.

    Near is an edit distance, ignoring case and underscores, strictly below half
    the length of the name, rounded up. Of equals the first in sorted order wins.
    """
    # spec: starlark.error.suggestion
    wanted = _fold(name)
    best, limit = "", (len(wanted) + 1) // 2
    known = sorted(set(candidates))
    if len(known) > MOST_CANDIDATES or len(wanted) > 200:
        return ""
    for candidate in known:
        distance = _distance(wanted, _fold(candidate), limit)
        if distance < limit:
            best, limit = candidate, distance
    return best


def suggestion(name: str, candidates: Iterable[str], prefix: str = "") -> str:
    """Return ` (did you mean x?)` to put behind a message, or "" when no candidate is near."""
    found = nearest(name, candidates)
    return f" (did you mean {prefix}{found}?)" if found else ""


def _fold(name: str) -> str:
    return name.replace("_", "").lower()


def _distance(a: str, b: str, limit: int) -> int:
    """Return the Levenshtein distance of `a` and `b`, or some number >= `limit` when it is not below."""
    if abs(len(a) - len(b)) >= limit:
        return limit
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
            diagonal, row[j] = row[j], cost
        if min(row) >= limit:
            return limit
    return row[-1]
