"""Threads that work on tasks, and one place that hears from all of them.

The owner hands tasks in and waits; what the threads report in between reaches
it as events, in its own thread. A thread that reports faster than the owner
listens has to wait, so the memory stays bounded however much a build writes.
"""

from __future__ import annotations

import contextlib
import threading
from queue import Empty, Queue, SimpleQueue
from typing import Callable, Generic, Optional, TypeVar, Union

from bramble.record import dataclass

Work = TypeVar("Work")
Result = TypeVar("Result")
Event = TypeVar("Event")

_POLL = 0.05  # seconds until a cancellation from outside is noticed
_BACKLOG = 256  # events that wait to be heard


@dataclass(frozen=True)
class Ended(Generic[Work, Result]):
    """What became of one task: a result, or the exception that ended it."""

    work: Work
    result: Optional[Result]
    error: Optional[BaseException]


class Schedule(Generic[Work, Result, Event]):
    """Up to `jobs` threads, each started when there is a task that no idle one can take."""

    def __init__(
        self,
        jobs: int,
        work: Callable[[Work], Result],
        on_event: Callable[[Event], None],
        *,
        cancelled: threading.Event,
        stop: threading.Event,
    ) -> None:
        """`cancelled` is set by the caller to end; then `stop` is set, which makes the work end soon."""
        if jobs < 1:
            raise ValueError(f"nothing gets done with {jobs} jobs")
        self._jobs = jobs
        self._work = work
        self._on_event = on_event
        self._cancelled = cancelled
        self._stop = stop
        self._tasks: SimpleQueue[Optional[Work]] = SimpleQueue()
        self._heard: Queue[Union[Ended[Work, Result], tuple[Event]]] = Queue(_BACKLOG)
        self._threads: list[threading.Thread] = []
        self.running = 0

    @property
    def free(self) -> int:
        """How many more tasks can be worked on at once."""
        return self._jobs - self.running

    def emit(self, event: Event) -> None:
        """Report an event, from one of the threads."""
        # spec: build.events
        self._heard.put((event,))

    def submit(self, work: Work) -> None:
        """Have one more task worked on."""
        self.running += 1
        if self.running > len(self._threads):
            thread = threading.Thread(target=self._loop, name=f"build-{self.running}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._tasks.put(work)

    def wait(self) -> Ended[Work, Result]:
        """Return the next task that has ended; events are passed on meanwhile."""
        while True:
            if self._cancelled.is_set():
                self._stop.set()
            try:
                heard = self._heard.get(timeout=_POLL)
            except Empty:
                continue
            if isinstance(heard, Ended):
                self.running -= 1
                return heard
            self._on_event(heard[0])

    def close(self) -> None:
        """Tell what still runs to stop, and wait for it. Its events are lost, its results too."""
        # spec: build.cancel
        self._stop.set()
        for _ in self._threads:
            self._tasks.put(None)
        # Not counting what runs: an interrupt may have come between a task and its count.
        for thread in self._threads:
            while thread.is_alive():
                self._forget()
                thread.join(_POLL)
        self._threads.clear()
        self.running = 0

    def _forget(self) -> None:
        """Drop what was reported, so that nobody waits to be heard."""
        with contextlib.suppress(Empty):
            while True:
                self._heard.get_nowait()

    def _loop(self) -> None:
        while True:
            work = self._tasks.get()
            if work is None:
                return
            try:
                ended: Ended[Work, Result] = Ended(work, self._work(work), None)
            except BaseException as error:  # noqa: B036 (the owner decides what it means)
                ended = Ended(work, None, error)
            self._heard.put(ended)
