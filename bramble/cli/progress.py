"""What a build shows while it runs: a line for everything that ends, and on a terminal what is under way.

One display is fed by the events of a build, from any thread, and is closed at
the end. Everything goes to standard error. What is drawn on a terminal is in `live.py`
(when and how it is written) and `layout.py` (what it looks like), which are loaded there alone.
"""

from __future__ import annotations

import importlib
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Callable, Optional

from bramble.cli.environment import Surface
from bramble.cli.render import DIM, GREEN, RED, YELLOW, duration, harmless, on_one_line, paint
from bramble.commands.build import (
    Absent,
    Changed,
    Event,
    Failed,
    Finished,
    Hidden,
    Impure,
    Output,
    Retrying,
    Started,
    Waiting,
)

if TYPE_CHECKING:
    from bramble.cli.live import Live

    # Roots, what an id needs, what it is called, seconds by name, jobs: what `live.Graph` is made of.
    Surroundings = tuple[
        Iterable[str],
        Callable[[str], Iterable[str]],
        Callable[[str], str],
        Callable[[], Mapping[str, float]],
        int,
    ]

_SHOWN_PATHS = 5
_SHOWN_LINES = 30  # of the log of a failed build, on a terminal
_HOW = {"gzip": "in what gzip packed", "zip": "in a member of a zip file", "utf-16": "as UTF-16"}
# A store directory has 49 bytes, the name of an object 32 characters: a path of which the rest tells more.
_STORE_PATH = re.compile(r"/[^\s'\":;,=()<>]{48}/[a-z2-7]{32}(?=/)")


class Display:
    """Turns events into lines; with a live terminal also keeps a picture of the running builds below them.

    `verbose` shows the output of every build as it comes; `quiet` shows only failures. `graph` is
    what the picture is drawn from.
    """

    def __init__(
        self,
        surface: Surface,
        *,
        verbose: bool = False,
        quiet: bool = False,
        roots: frozenset[str] = frozenset(),
        graph: Optional[Surroundings] = None,
    ) -> None:
        self._surface = surface
        self._verbose = verbose
        self._quiet = quiet
        self._roots = roots
        self._lock = threading.Lock()
        self._partial: dict[str, bytes] = {}
        self._copied: set[str] = set()  # names of derivations that copy programs: each is reported once
        self._graph = graph if surface.live and not quiet else None
        self._live: Optional[Live] = None
        self._early: list[Event] = []  # what happened before there was anything to draw

    def close(self) -> None:
        """Take the live part away and draw no more."""
        if self._live is not None:
            self._live.close()

    def __call__(self, event: Event) -> None:
        """Show one event of the build."""
        with self._lock:
            if self._live is not None:
                self._live.note(event)
            elif self._graph is not None:
                self._early.append(event)
                if isinstance(event, Started):
                    self._begin(self._graph)
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(self, event)

    def _begin(self, graph: Surroundings) -> None:
        """Begin to draw: there is a terminal, and something to show."""
        # With nothing to build nothing is drawn, and what draws is not loaded.
        self._live = _drawing(self._surface, graph, self._shown)
        for event in self._early:
            self._live.note(event)
        self._early.clear()
        self._live.start()

    def _shown(self, line: str) -> str:
        """Return a line of a build as the live part shows it."""
        return on_one_line(self._short(line))

    def _finished(self, event: Finished) -> None:
        self._flush_partial(event.id, event.name)
        if event.checked:
            # spec: cli.build.check
            same = paint(f"(the same, {event.builds} builds)", DIM, self._surface)
            self._line(f"{self._tick()} {harmless(event.name)} {same} - {duration(event.seconds)}")
        elif event.cached:
            # A large graph that is built already has one line per target, not one per derivation.
            if event.id in self._roots or self._verbose:
                self._line(f"{self._tick()} {harmless(event.name)} {paint('(cached)', DIM, self._surface)}")
        else:
            self._line(f"{self._tick()} {harmless(event.name)} - {duration(event.seconds)}")

    def _failed(self, event: Failed) -> None:
        self._flush_partial(event.id, event.name)
        self._write(f"{paint('✘', RED, self._surface)} {harmless(event.name)}\n")
        if event.log and not self._verbose:
            lines = harmless(event.log.decode("utf-8", "backslashreplace")).splitlines()
            # spec: cli.failed-log
            hidden = len(lines) - _SHOWN_LINES if self._surface.live else 0
            if hidden > 0 and event.log_path:
                lines = [f"… {hidden} lines more in {harmless(event.log_path)}", *lines[hidden:]]
            self._write("".join(f"  {self._short(line)}\n" for line in lines))

    def _output(self, event: Output) -> None:
        if not self._verbose:
            return
        *lines, rest = (self._partial.pop(event.id, b"") + event.data).split(b"\n")
        for line in lines:
            self._build_line(event.name, line)
        if rest:
            self._partial[event.id] = rest

    def _retrying(self, event: Retrying) -> None:
        reason = harmless(event.reason)
        self._line(f"{paint('!', YELLOW, self._surface)} {reason}; again in {duration(event.seconds)}")

    def _waiting(self, event: Waiting) -> None:
        if event.told:
            self._line(harmless(event.told))

    def _impure(self, event: Impure) -> None:
        if event.name in self._copied:
            return
        self._copied.add(event.name)
        self._line(
            f"{paint('!', YELLOW, self._surface)} {harmless(event.name)} copies programs of this machine"
        )

    def _absent(self, event: Absent) -> None:
        paths = harmless(" ".join(event.paths[:_SHOWN_PATHS]))
        then = f'env={{"files": "{paths}"}} brings it' if event.movable else "a sandbox does not have it"
        self._line(
            f"{paint('!', YELLOW, self._surface)} {harmless(event.name)}: {harmless(event.program)} "
            f"may look for {paths}; {then}"
        )

    def _changed(self, event: Changed) -> None:
        then = (
            "--refresh fetches it again" if event.pinned else "as its checksum says: correct that to take it"
        )
        self._line(
            f"{paint('!', YELLOW, self._surface)} {harmless(event.name)}: {harmless(event.path)} "
            f"has changed or was removed since it was fetched; the recorded content is used ({then})"
        )

    def _hidden(self, event: Hidden) -> None:
        found = event.found
        where = harmless(event.name if found.output == "out" else f"{event.name}.{found.output}")
        if found.sibling:
            whose = "its own path" if found.sibling == found.output else f'its output "{found.sibling}"'
        else:
            whose = f'"{event.owner}"' if event.owner else found.object
        self._line(
            f"{paint('!', YELLOW, self._surface)} {where}: {harmless(found.file)} names {harmless(whose)} "
            f"{_HOW.get(found.how, found.how)}: this reference is not detected"
        )

    _handlers: dict[type, Callable[..., None]] = {
        Finished: _finished,
        Failed: _failed,
        Output: _output,
        Retrying: _retrying,
        Waiting: _waiting,
        Impure: _impure,
        Absent: _absent,
        Changed: _changed,
        Hidden: _hidden,
    }

    def _flush_partial(self, id: str, name: str) -> None:
        rest = self._partial.pop(id, b"")
        if rest:
            self._build_line(name, rest)

    def _build_line(self, name: str, line: bytes) -> None:
        text = harmless(line.decode("utf-8", "backslashreplace"))
        self._line(f"{paint(harmless(name) + '>', DIM, self._surface)} {self._short(text)}")

    def _short(self, text: str) -> str:
        """Return a line of a build as it is shown: on a terminal without the long part of store paths."""
        return _STORE_PATH.sub("…", text) if self._surface.live else text

    def _tick(self) -> str:
        return paint("✔", GREEN, self._surface)

    def _line(self, text: str) -> None:
        if not self._quiet:
            self._write(text + "\n")

    def _write(self, text: str) -> None:
        if self._live is not None:
            self._live.say(text)
        else:
            sys.stderr.write(text)
            sys.stderr.flush()


def _drawing(surface: Surface, graph: Surroundings, shorten: Callable[[str], str]) -> Live:
    module = importlib.import_module("bramble.cli.live")
    live: Live = module.Live(colour=surface.colour, shorten=shorten, graph=module.Graph(*graph))
    return live
