"""The part of a display that is redrawn: running builds, below all lines that were printed.

The threads that build only record events. One thread draws, so many times a
second at most, and writes each picture, with the lines that have come since the
last one above it, in one piece. So a slow terminal slows no build, as long as
it takes what is to stay.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Optional

from bramble.cli.layout import Job, Line, View, columns, folded, lines, spanning
from bramble.cli.render import PLAIN, on_one_line, size
from bramble.commands.build import (
    Event,
    Failed,
    Finished,
    Output,
    Planned,
    Progress,
    Retrying,
    Started,
    Waiting,
)
from bramble.errors import BrambleError
from bramble.record import NamedTuple

REDRAW_SECONDS = 0.1
_MOST_HELD_BACK = 1000  # lines that stay and are not written yet
_KEPT_OUTPUT = 2000  # bytes of what a build wrote last, to find its last line in
_MOST_FORECAST = 2000  # derivations; of more it takes too long to add up what they will take


class Graph(NamedTuple):
    """What is going to be built, and how long it took before; all of it is asked on a terminal alone."""

    roots: Iterable[str]  # ids
    needs: Callable[[str], Iterable[str]]  # id → ids that it needs directly
    name: Callable[[str], str]  # id → name
    forecasts: Callable[[], Mapping[str, float]]  # name → seconds; may raise BrambleError
    jobs: int = 1  # builds at once


class _Plan(NamedTuple):
    """The graph as a picture needs it."""

    parents: Mapping[str, str]
    names: Mapping[str, str]


class _Running:
    """A build under way."""

    __slots__ = ("name", "note", "output", "since")

    def __init__(self, name: str, since: float) -> None:
        self.name = name
        self.since = since
        self.note = ""
        self.output = b""  # the end of what it wrote


class Live:
    """A picture of a running build at the bottom of a terminal.

    `shorten` makes a line of a build fit to be shown. The graph is asked once, in the thread that draws.
    """

    def __init__(
        self,
        *,
        colour: bool,
        shorten: Callable[[str], str],
        graph: Graph,
        clock: Callable[[], float] = time.monotonic,
        window: Optional[Callable[[], tuple[int, int]]] = None,
    ) -> None:
        self._colour = colour
        self._shorten = shorten
        self._graph = graph
        self._clock = clock
        self._window = window or _window
        self._lock = threading.Lock()  # of what happens
        self._writing = threading.Lock()  # of the terminal
        self._running: dict[str, _Running] = {}
        self._done: set[str] = set()
        self._received: dict[str, int] = {}  # id → bytes
        self._built = self._cached = self._failed = self._total = 0
        self._began = clock()
        self._above: list[str] = []  # lines that stay
        self._drawn: list[int] = []  # columns of each line of the last picture
        self._plan: Optional[_Plan] = None
        self._forecasts: Mapping[str, float] = {}
        self._closed = threading.Event()
        self._painter = threading.Thread(target=self._paint, name="display", daemon=True)

    def start(self) -> None:
        """Begin to draw."""
        self._painter.start()

    def close(self) -> None:
        """Draw no more; what is left is one line, where there is something to sum up."""
        self._closed.set()
        if self._painter.is_alive():
            self._painter.join()
        with self._lock:
            end = folded(self._view(), self._clock())
            if end:
                self._above.append(end + "\n")
            self._running.clear()
        self.draw(nothing=True)

    def say(self, text: str) -> None:
        """Write lines that stay, each with its line feed, above the picture."""
        with self._lock:
            self._above.append(text)
            full = len(self._above) > _MOST_HELD_BACK
        if full:
            self.draw()

    def note(self, event: Event) -> None:
        """Note down what has happened."""
        with self._lock:
            if isinstance(event, Output):
                job = self._running.get(event.id)
                if job is not None:
                    job.output = (job.output + event.data[-_KEPT_OUTPUT:])[-_KEPT_OUTPUT:]
            elif isinstance(event, Started):
                self._running[event.id] = _Running(on_one_line(event.name), self._clock())
            elif isinstance(event, (Finished, Failed)):
                self._running.pop(event.id, None)
                self._done.add(event.id)
                if isinstance(event, Failed):
                    self._failed += 1
                elif event.cached:
                    self._cached += 1
                else:
                    self._built += 1
            elif isinstance(event, Progress):
                self._received[event.id] = event.done
                total = f" of {size(event.total)}" if event.total else ""
                self._say_of(event.id, f"{size(event.done)}{total}")
            elif isinstance(event, Waiting):
                self._say_of(event.id, "another bramble is building it")
            elif isinstance(event, Retrying):
                self._say_of(event.id, "failed; will be tried again")
            elif isinstance(event, Planned):
                self._total = event.total

    def draw(self, *, nothing: bool = False) -> None:
        """Write what has come since, and the picture below it; with `nothing` take the picture away."""
        with self._writing:
            if self._plan is None and self._running and not nothing:
                self._plan = _planned(self._graph)
                self._forecasts = _asked(self._graph.forecasts)
            width, height = self._window()
            with self._lock:
                above, self._above = self._above, []
                view = self._view()
            # One line for the cursor, and one so that the last printed line stays visible.
            hidden = nothing or not view.jobs
            picture = [] if hidden else lines(view, width, height - 2, self._clock())
            text = self._erased(width) + "".join(above) + "".join(map(self._painted, picture))
            self._drawn = [columns(line.text) for line in picture]
            if text:
                sys.stderr.write(text)
                sys.stderr.flush()

    def _erased(self, width: int) -> str:
        """Return what takes the last picture away, in a window that may be narrower by now."""
        # A terminal that was made narrower has broken the lines that it had.
        rows = sum(max(1, -(-taken // max(width, 1))) for taken in self._drawn)
        return f"\r\x1b[{rows}A\x1b[J" if rows else ""

    def _painted(self, line: Line) -> str:
        return f"{line.how}{line.text}{PLAIN}\n" if self._colour and line.how else f"{line.text}\n"

    def _paint(self) -> None:
        while not self._closed.wait(REDRAW_SECONDS):
            try:
                self.draw()
            except OSError:
                # The terminal is gone. The next line that is to stay will say so.
                return

    def _say_of(self, id: str, note: str) -> None:
        if id in self._running:
            self._running[id].note = note

    def _view(self) -> View:
        plan = self._plan or _Plan({}, {})
        jobs = [
            Job(
                id,
                job.name,
                job.since,
                self._forecasts.get(plan.names.get(id, "")),
                job.note,
                self._shorten(_last_line(job.output)),
            )
            for id, job in self._running.items()
        ]
        return View(
            jobs=jobs,
            parents=plan.parents,
            names=plan.names,
            built=self._built,
            cached=self._cached,
            failed=self._failed,
            waiting=max(0, self._total - len(self._done) - len(jobs)),
            downloaded=sum(self._received.values()),
            began=self._began,
            left=self._left(plan),
        )

    def _left(self, plan: _Plan) -> Optional[float]:
        """Return how many seconds the rest will take; None if it is not known of each."""
        if not self._forecasts or not plan.names or len(plan.names) > _MOST_FORECAST:
            return None
        now = self._clock()
        rest = []
        for id, name in plan.names.items():
            if id in self._done:
                continue
            expected = self._forecasts.get(name)
            if expected is None:
                return None
            job = self._running.get(id)
            rest.append(expected if job is None else max(0.0, expected - (now - job.since)))
        return max([*rest, sum(rest) / self._graph.jobs], default=0.0)


def _planned(graph: Graph) -> _Plan:
    parents = spanning(graph.roots, graph.needs)
    return _Plan(parents, {id: on_one_line(graph.name(id)) for id in (*graph.roots, *parents)})


def _asked(forecasts: Callable[[], Mapping[str, float]]) -> Mapping[str, float]:
    try:
        return {on_one_line(name): seconds for name, seconds in forecasts().items()}
    except (BrambleError, OSError):
        # Of a store that cannot be read the build says so itself.
        return {}


def _last_line(output: bytes) -> str:
    """Return the last whole line that is not blank; a carriage return restarts the line."""
    for line in reversed(output.split(b"\n")[:-1]):
        text = line.strip().rpartition(b"\r")[2]
        if text:
            return text.decode("utf-8", "replace")
    return ""


def _window() -> tuple[int, int]:
    """Return columns and rows of the terminal; what a terminal has that does not tell."""
    try:
        found = os.get_terminal_size(2)
    except OSError:
        return 80, 24
    return found.columns or 80, found.lines or 24
