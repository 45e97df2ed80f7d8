"""What a loopback server of a case answers, one path a line (spec: conformance.verbs.serve).

/a.tar.gz  file a.tar.gz        a file of $WORK
/old       redirect /a.tar.gz
/gone      status 404
/half      cut 10 a.tar.gz      the length of the whole, ten bytes, and an early end
/flaky     twice 503 a.tar.gz   that status for the first request, the file afterwards
/silent    hang                 no answer until the case ends
/late      late a.tar.gz        no answer to the first request, the file afterwards
/odd       raw a.http b.http    the bytes of the first file and an end, then those of the second;
                                a.http+b.http are one answer
/halves    halves a.tar.gz      half of the file, then the rest to who asks for it by its tag
/lib       below repositories   the files of a directory; the path is followed by their names
/closed    file a.tar.gz if Authorization Basic YTpi    401 where the request does not have this field

A client that takes the server for a proxy asks for `http://HOST/PATH`, or for `HOST:PORT` with CONNECT.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# How many operands; -1 for one or more.
_SHAPES: Mapping[str, int] = {
    "file": 1,
    "redirect": 1,
    "status": 1,
    "cut": 2,
    "twice": 2,
    "hang": 0,
    "late": 1,
    "raw": -1,
    "halves": 1,
    "below": 1,
}
_PATH = re.compile(r"(?:http:/)?/.*|[][a-z0-9.:-]+:[0-9]+")


class BadRoutes(Exception):
    """A section of routes that cannot be read."""


class Route(NamedTuple):
    """What is done for a path."""

    how: str
    operands: tuple[str, ...]
    field: str = ""  # that a request must have, "" for none
    value: str = ""  # of it; "": the request must not have the field


Routes = Mapping[str, Route]


def parse_routes(text: str) -> Routes:
    """Return what is done for each path. Raises BadRoutes."""
    routes: dict[str, Route] = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        end = words.index("if") if "if" in words else len(words)
        condition = words[end + 1 :]
        if (
            _PATH.fullmatch(words[0]) is None
            or end < 2
            or not _fits(words[1], end - 2)
            or (end < len(words) and not condition)
        ):
            raise BadRoutes(f"no route: {line!r}")
        if words[0] in routes:
            raise BadRoutes(f"the path {words[0]} occurs twice")
        routes[words[0]] = Route(
            words[1], tuple(words[2:end]), "".join(condition[:1]), " ".join(condition[1:])
        )
    if not routes:
        raise BadRoutes("there are no routes")
    return routes


def _fits(shape: str, operands: int) -> bool:
    wanted = _SHAPES.get(shape)
    return operands >= 1 if wanted == -1 else operands == wanted
