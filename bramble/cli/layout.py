"""The live part of a build's display, as lines: what runs, what waits for it, and how far the whole is.

All here is a function of its arguments: a view of the build, the size of the
window, the time. Texts of a view are harmless already and have no line feeds.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional

from bramble.cli.render import BOLD, DIM, size
from bramble.record import NamedTuple

_NARROW = 60  # columns; a narrower window has no space for branches


class Job(NamedTuple):
    """A build or a download under way."""

    id: str
    name: str
    since: float  # on the clock of `now`
    expected: Optional[float]  # seconds that it took before
    note: str  # how far a download is, what is waited for; "" for nothing
    said: str  # the last line that it wrote; "" for none


class View(NamedTuple):
    """A build at one moment."""

    jobs: Sequence[Job]  # the oldest first
    parents: Mapping[str, str]  # id → one that needs it, for what is needed by another
    names: Mapping[str, str]  # id → name
    built: int
    cached: int
    failed: int
    waiting: int  # neither done nor under way
    downloaded: int  # bytes
    began: float
    left: Optional[float]  # seconds that the rest will take, from earlier builds


class Line(NamedTuple):
    """A line of the picture, and the escape sequence that it is to begin with where colours are wanted."""

    text: str
    how: str = ""


def lines(view: View, width: int, height: int, now: float) -> list[Line]:
    """Return at most `height` lines of fewer than `width` columns; the last one sums up.

    What does not fit is counted. Of a tree that is too high the jobs alone are shown.
    """
    # spec: cli.progress
    if height < 1 or width < 2:
        return []
    room = height - 1
    rows = _tree(view) if width >= _NARROW else [("", job.id) for job in view.jobs]
    if len(rows) > room:
        rows = [("", job.id) for job in view.jobs]
    hidden = 0
    if len(rows) > room:
        # One line is for the number of those that are not seen.
        hidden = len(rows) - max(room - 1, 0)
        rows = rows[: len(rows) - hidden]
    jobs = {job.id: job for job in view.jobs}
    made = []
    for branch, id in rows:
        job = jobs.get(id)
        text = f"{branch}{view.names.get(id, '')}" if job is None else f"{branch}… {_job(job, now)}"
        made.append(Line(cut(text, width - 1), DIM if job is None else ""))
    if hidden and room > 0:
        made.append(Line(cut(f"… and {hidden} more", width - 1), BOLD))
    return [*made, Line(cut(summary(view, now), width - 1), BOLD)]


def summary(view: View, now: float) -> str:
    """Return one line about the whole build while it runs."""
    parts = [f"{len(view.jobs)} running"]
    parts += _counted(view, ("waiting", view.waiting))
    left = f", about {elapsed(view.left)} left" if view.left else ""
    return f"{', '.join(parts)} - {elapsed(now - view.began)}{left}"


def folded(view: View, now: float) -> str:
    """Return the one line that is left of a build; "" if the lines of what was built say all."""
    # spec: cli.progress.end
    if view.built + view.failed < 2:
        return ""
    return f"{', '.join(_counted(view, ('not built', view.waiting)))} - {elapsed(now - view.began)}"


def _counted(view: View, rest: tuple[str, int]) -> list[str]:
    numbers = (("built", view.built), ("cached", view.cached), ("failed", view.failed), rest)
    parts = [f"{number} {what}" for what, number in numbers if number]
    return [*parts, f"{size(view.downloaded)} downloaded"] if view.downloaded else parts


def spanning(roots: Iterable[str], needs: Callable[[str], Iterable[str]]) -> dict[str, str]:
    """Return for all that `roots` need, they excepted, one that needs it, by a shortest way from a root."""
    parents: dict[str, str] = {}
    level = list(dict.fromkeys(roots))
    known = set(level)
    while level:
        following = []
        for id in level:
            for needed in needs(id):
                if needed not in known:
                    known.add(needed)
                    parents[needed] = id
                    following.append(needed)
        level = following
    return parents


def _tree(view: View) -> list[tuple[str, str]]:
    """Return the branches and ids of the jobs and of what waits for them.

    What waits for one thing alone is left out, unless it is at the top: a line for each
    would tell less about what runs.
    """
    running = {job.id for job in view.jobs}
    children: dict[str, list[str]] = {}
    tops: dict[str, None] = {}
    placed: set[str] = set()
    for job in view.jobs:
        id = job.id
        while id not in placed:
            placed.add(id)
            above = view.parents.get(id)
            if above is None:
                tops[id] = None
                break
            children.setdefault(above, []).append(id)
            id = above
    found: list[tuple[str, str]] = []

    def shown(id: str) -> str:
        while id not in running and len(children[id]) == 1:
            id = children[id][0]
        return id

    # Not by recursion: a chain of what needs what can be longer than Python's stack.
    pending = [(id, "", "") for id in reversed(list(tops))]
    while pending:
        id, branch, below = pending.pop()
        found.append((branch, id))
        inner = [shown(child) for child in children.get(id, ())]
        for number, child in reversed(list(enumerate(inner))):
            last = number == len(inner) - 1
            pending.append((child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")))
    return found


def _job(job: Job, now: float) -> str:
    time = elapsed(now - job.since)
    if job.expected is not None:
        time += f" of about {elapsed(job.expected)}"
    note = f" ({job.note})" if job.note else ""
    said = f"  {' '.join(job.said.split())}" if job.said else ""
    return f"{job.name} {time}{note}{said}"


def elapsed(seconds: float) -> str:
    """Return a duration that still grows: `0.4s`, `12s`, `3m12s`, `2h05m`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}s"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def cut(text: str, width: int) -> str:
    """Return as much of a text as `width` columns hold; where it is cut it ends in `…`."""
    if columns(text) <= width:
        return text
    taken, room = [], width - 1
    for letter in text:
        room -= _columns(letter)
        if room < 0:
            break
        taken.append(letter)
    return "".join(taken) + "…" if width > 0 else ""


def _columns(letter: str) -> int:
    if letter < "\u0300":
        return 1
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1
