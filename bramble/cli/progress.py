"""What a build shows while it runs: a line for everything that ends, and on a terminal what is under way.

One display is fed by the events of a build, from any thread, and is closed at
the end. Everything goes to standard error.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from typing import Callable, Optional

from bramble.cli.environment import Surface
from bramble.cli.render import BOLD, DIM, GREEN, RED, YELLOW, duration, harmless, paint, size
from bramble.commands.build import (
    Absent,
    Changed,
    Event,
    Failed,
    Finished,
    Hidden,
    Impure,
    Output,
    Progress,
    Retrying,
    Started,
    Waiting,
)

_REDRAW_SECONDS = 0.1
_SHOWN_JOBS = 8
_SHOWN_PATHS = 5
_SHOWN_LINES = 30  # of the log of a failed build, on a terminal
_LONGEST_LINE = 1000
_HOW = {"gzip": "in what gzip packed", "zip": "in a member of a zip file", "utf-16": "as UTF-16"}
# A store directory has 49 bytes, the name of an object 32 characters: a path of which the rest tells more.
_STORE_PATH = re.compile(r"/[^\s'\":;,=()<>]{48}/[a-z2-7]{32}(?=/)")


class Display:
    """Turns events into lines; with a live terminal also keeps a list of the running builds below them.

    `verbose` shows the output of every build as it comes; `quiet` shows only failures.
    """

    def __init__(
        self,
        surface: Surface,
        *,
        verbose: bool = False,
        quiet: bool = False,
        roots: frozenset[str] = frozenset(),
    ) -> None:
        self._surface = surface
        self._verbose = verbose
        self._quiet = quiet
        self._roots = roots
        self._lock = threading.Lock()
        self._running: dict[str, _Job] = {}
        self._partial: dict[str, bytes] = {}
        self._copied: set[str] = set()  # names of what copies programs: one is said once
        self._drawn = 0
        self._closed = threading.Event()
        self._painter: Optional[threading.Thread] = None

    def start(self) -> None:
        """Begin to draw, where there is a terminal to draw on."""
        if self._surface.live and not self._quiet:
            self._painter = threading.Thread(target=self._paint_until_closed, name="display", daemon=True)
            self._painter.start()

    def close(self) -> None:
        """Take the live part away and draw no more."""
        self._closed.set()
        if self._painter is not None:
            self._painter.join()
        with self._lock:
            self._erase()

    def __call__(self, event: Event) -> None:
        """Show one event of the build."""
        with self._lock:
            self._erase()
            handler = self._handlers.get(type(event))
            if handler is not None:
                handler(self, event)

    def _started(self, event: Started) -> None:
        self._running[event.id] = _Job(event.name, time.monotonic())

    def _finished(self, event: Finished) -> None:
        self._running.pop(event.id, None)
        self._flush_partial(event.id, event.name)
        if event.checked:
            where = ", the second under another store path" if event.checked == "elsewhere" else ""
            same = paint(f"(the same, 2 builds{where})", DIM, self._surface)
            self._line(f"{self._tick()} {harmless(event.name)} - {duration(event.seconds)} {same}")
        elif event.cached:
            # A large graph that is built already has one line per target, not one per derivation.
            if event.id in self._roots or self._verbose:
                self._line(f"{self._tick()} {harmless(event.name)} {paint('(cached)', DIM, self._surface)}")
        else:
            self._line(f"{self._tick()} {harmless(event.name)} - {duration(event.seconds)}")

    def _failed(self, event: Failed) -> None:
        self._running.pop(event.id, None)
        self._flush_partial(event.id, event.name)
        sys.stderr.write(f"{paint('✘', RED, self._surface)} {harmless(event.name)}\n")
        if event.log and not self._verbose:
            lines = harmless(event.log.decode("utf-8", "backslashreplace")).splitlines()
            # spec: cli.failed-log
            hidden = len(lines) - _SHOWN_LINES if self._surface.live else 0
            if hidden > 0 and event.log_path:
                lines = [f"… {hidden} lines more in {harmless(event.log_path)}", *lines[hidden:]]
            sys.stderr.write("".join(f"  {self._short(line)}\n" for line in lines))

    def _output(self, event: Output) -> None:
        if not self._verbose:
            job = self._running.get(event.id)
            if job is not None and self._surface.live:
                job.said(event.data)
            return
        *lines, rest = (self._partial.pop(event.id, b"") + event.data).split(b"\n")
        for line in lines:
            self._build_line(event.name, line)
        if rest:
            self._partial[event.id] = rest

    def _progress(self, event: Progress) -> None:
        job = self._running.get(event.id)
        if job is not None:
            total = f" of {size(event.total)}" if event.total else ""
            job.note = f"{size(event.done)}{total}"

    def _retrying(self, event: Retrying) -> None:
        reason = harmless(event.reason)
        self._line(f"{paint('!', YELLOW, self._surface)} {reason}; again in {duration(event.seconds)}")

    def _waiting(self, event: Waiting) -> None:
        job = self._running.get(event.id)
        if job is not None:
            job.note = "another bramble is building it"
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
            f"has changed or is gone since it was fetched; what it was is used ({then})"
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
            f"{_HOW.get(found.how, found.how)}: a reference that is not seen"
        )

    _handlers: dict[type, Callable[..., None]] = {
        Started: _started,
        Finished: _finished,
        Failed: _failed,
        Output: _output,
        Progress: _progress,
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
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def _paint_until_closed(self) -> None:
        while not self._closed.wait(_REDRAW_SECONDS):
            with self._lock:
                self._erase()
                self._draw()

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        now = time.monotonic()
        jobs = sorted(self._running.values(), key=lambda job: job.since)
        for job in jobs[:_SHOWN_JOBS]:
            note = f" ({job.note})" if job.note else ""
            line = self._short(harmless(job.line.decode("utf-8", "backslashreplace")))
            last = f"  {' '.join(line.split())}" if line else ""
            text = f"… {harmless(job.name)} {duration(now - job.since)}{note}{last}"
            sys.stderr.write(text[: self._surface.width - 1] + "\n")
        more = len(jobs) - _SHOWN_JOBS
        if more > 0:
            sys.stderr.write(paint(f"… and {more} more", BOLD, self._surface) + "\n")
        self._drawn = min(len(jobs), _SHOWN_JOBS) + (1 if more > 0 else 0)
        sys.stderr.flush()


class _Job:
    """A build under way: what it is called, when it began, and a word about where it stands."""

    def __init__(self, name: str, since: float) -> None:
        self.name = name
        self.since = since
        self.note = ""
        self.line = b""  # the last whole line that it wrote and that is not blank
        self._rest = b""

    def said(self, data: bytes) -> None:
        """Take note of what the build wrote."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LONGEST_LINE:]
        for line in reversed(lines):
            if line.strip():
                # A carriage return begins the line anew.
                self.line = line.strip().rpartition(b"\r")[2][:_LONGEST_LINE]
                return
