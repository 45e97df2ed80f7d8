"""`--trace FILE`: what took how long, as a trace that browsers show (the Trace Event Format of Chrome)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from bramble.commands.build import Event, Timed
from bramble.commands.context.written import check_writable, write_file

_MAIN = "evaluation"


class Trace:
    """Takes the events of a build in place of a display, and passes on what that shows.

    `evaluation` is when that began and ended, by the monotonic clock. No link of a directory leads the
    file `path` out of `within`. Raises BrambleError `cli.unwritable` where it certainly cannot be written.
    """

    def __init__(
        self, path: str, within: str, evaluation: tuple[float, float], display: Callable[[Event], None]
    ) -> None:
        check_writable(path, within=within)
        self._path = path
        self._within = within
        self._evaluation = evaluation
        self._display = display
        self._spans: list[Timed] = []

    def __call__(self, event: Event) -> None:
        """Note down a span of time; show any other event."""
        if isinstance(event, Timed):
            self._spans.append(event)
        else:
            self._display(event)

    def write(self) -> None:
        """Write the file. Raises BrambleError `cli.unwritable`."""
        write_file(self._path, document(self._spans, self._evaluation), within=self._within)


def document(spans: Sequence[Timed], evaluation: tuple[float, float]) -> bytes:
    """Return a trace with a row for evaluation and one for each thread that builds.

    Spans of one thread are consecutive or nested, and so are those of its row.
    """
    # spec: cli.trace
    rows = {_MAIN: 0}
    for span in spans:
        rows.setdefault(span.lane, len(rows))
    # A graph that another program wrote is not evaluated.
    evaluated = [("evaluation", *evaluation)] if evaluation[1] else []
    first = min([*(one[1] for one in evaluated), *(span.began for span in spans)], default=0.0)

    def when(moment: float) -> int:
        return round((moment - first) * 1e6)

    events: list[dict[str, object]] = [
        {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "bramble"}},
        *(
            {"ph": "M", "name": "thread_name", "pid": 1, "tid": row, "args": {"name": lane}}
            for lane, row in rows.items()
        ),
    ]

    def add(name: str, sort: str, row: int, began: float, ended: float, **args: str) -> None:
        # Both ends are rounded alike, so that nested spans stay nested.
        start, end = when(began), when(ended)
        events.append(
            {
                "ph": "X",
                "name": name,
                "cat": sort,
                "pid": 1,
                "tid": row,
                "ts": start,
                "dur": end - start,
                "args": args,
            }
        )

    for name, began, ended in evaluated:
        add(name, "evaluation", 0, began, ended)
    # The longer first of those that begin together: it holds the others.
    for span in sorted(spans, key=lambda one: (one.began, -one.ended)):
        whole = span.what in ("build", "download", "check")
        name = span.name if whole else span.what
        add(name, span.what, rows[span.lane], span.began, span.ended, derivation=span.name, id=span.id)
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, indent=1).encode("ascii") + b"\n"
