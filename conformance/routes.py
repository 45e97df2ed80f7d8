"""What a loopback server of a case answers, one path a line (spec: conformance.verbs.serve).

/a.tar.gz  file a.tar.gz        a file of $WORK
/old       redirect /a.tar.gz
/gone      status 404
/half      cut 10 a.tar.gz      the length of the whole, ten bytes, and an early end
/flaky     twice 503 a.tar.gz   that status for the first request, the file afterwards
/silent    hang                 no answer until the case ends
/odd       raw a.http b.http    the bytes of the first file and an end, then those of the second
"""

from __future__ import annotations

from collections.abc import Mapping

# How many operands; -1 for one or more.
_SHAPES: Mapping[str, int] = {
    "file": 1,
    "redirect": 1,
    "status": 1,
    "cut": 2,
    "twice": 2,
    "hang": 0,
    "raw": -1,
}


class BadRoutes(Exception):
    """A section of routes that cannot be read."""


Routes = Mapping[str, tuple[str, ...]]


def parse_routes(text: str) -> Routes:
    """Return path → (what to do, its operands). Raises BadRoutes."""
    routes: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if not words[0].startswith("/") or len(words) < 2 or not _fits(words[1], len(words) - 2):
            raise BadRoutes(f"no route: {line!r}")
        if words[0] in routes:
            raise BadRoutes(f"the path {words[0]} stands twice")
        routes[words[0]] = tuple(words[1:])
    if not routes:
        raise BadRoutes("there are no routes")
    return routes


def _fits(shape: str, operands: int) -> bool:
    wanted = _SHAPES.get(shape)
    return operands >= 1 if wanted == -1 else operands == wanted
