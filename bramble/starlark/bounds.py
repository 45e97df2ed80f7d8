"""Bounds on what a program may use, that cost it nothing: memory, and time of the processor.

A string that is added to itself again and again is larger than any machine after
forty rounds. With a bound Python raises MemoryError before the machine stands
still, and the program ends with an error that has a place. Time is bounded by a
timer of the system, whose signal comes between two instructions as Ctrl-C does:
code that counted its steps would be up to three times as slow.
"""

from __future__ import annotations

import os

try:
    import resource
except ImportError:  # no POSIX system
    resource = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import Any, NoReturn, Optional
else:
    # What `signal` is made of, without the enumerations, which take 4 ms to load.
    import _signal as signal

# Bytes of address space: never more than so many, and never less (Python itself takes some).
MOST = 2 << 30
LEAST = 1 << 30
# A program that goes on for all that is stopped again after so many seconds.
_AGAIN = 0.5
# A process that hears no signal for so many seconds after that is ended by the system.
_DEAF = 30
_FOR_EVER = 1 << 31  # seconds


class Overtime(KeyboardInterrupt):
    """The time is over. A KeyboardInterrupt, since it may come at any moment as that does."""


def sensible_bound() -> int:
    """Return the bytes that programs may reasonably use on this machine: half its memory, within limits."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return MOST
    return min(MOST, max(LEAST, total // 2))


class bounded_memory:
    """Bounds the address space of this process inside a `with` block, to `bound` bytes or a sensible number.

    It holds for all threads, and for processes that are started inside the block.
    An existing lower bound stays. Where the system has no such bound, nothing happens.
    """

    def __init__(self, bound: int = 0) -> None:
        self.bound = bound
        self.before: Optional[tuple[int, int]] = None

    def __enter__(self) -> None:
        # spec: starlark.limit.memory
        if resource is None:
            return
        before = resource.getrlimit(resource.RLIMIT_AS)
        lower = [limit for limit in before if limit != resource.RLIM_INFINITY]
        try:
            resource.setrlimit(resource.RLIMIT_AS, (min([self.bound or sensible_bound(), *lower]), before[1]))
        except (OSError, ValueError, OverflowError):
            # Not every system that knows the bound lets it be set.
            return
        self.before = before

    def __exit__(self, *_error: object) -> None:
        if self.before is not None:
            resource.setrlimit(resource.RLIMIT_AS, self.before)


class bounded_time:
    """Raises Overtime inside a `with` block when this process has used `seconds` of the processors in it.

    Only in the main thread, where signals arrive, and where the system has timers;
    elsewhere, and inside another such block, nothing happens. A single operation of
    Python's own ends first: what bounds those is `starlark.limit.size`. One that goes on for more than
    half a minute after that hears no Ctrl-C either, and the system ends the process (setrlimit(2)).
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.before: Any = None
        self.set = False
        self.limit: Optional[tuple[int, int]] = None

    def __enter__(self) -> None:
        # spec: starlark.limit.time
        if not hasattr(signal, "setitimer") or signal.getitimer(signal.ITIMER_PROF)[0]:
            return
        try:
            self.before = signal.signal(signal.SIGPROF, self._stop)
        except ValueError:
            # Not the main thread.
            return
        self.set = True
        self.limit = _end_after(self.seconds + _DEAF)
        signal.setitimer(signal.ITIMER_PROF, self.seconds, _AGAIN)

    def __exit__(self, *_error: object) -> None:
        if self.set:
            signal.setitimer(signal.ITIMER_PROF, 0)
            if self.limit is not None:
                resource.setrlimit(resource.RLIMIT_CPU, self.limit)
            signal.signal(signal.SIGPROF, signal.SIG_DFL if self.before is None else self.before)

    def _stop(self, _number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise Overtime(f"it takes longer than {self.seconds:g} s")


def _end_after(seconds: float) -> Optional[tuple[int, int]]:
    """Let the system end this process when it has used so much more time; return the bound of before.

    None if there is no such bound, or a lower one.
    """
    if resource is None:
        return None
    before = resource.getrlimit(resource.RLIMIT_CPU)
    used = resource.getrusage(resource.RUSAGE_SELF)
    end = int(min(used.ru_utime + used.ru_stime + seconds, _FOR_EVER)) + 1
    if any(limit != resource.RLIM_INFINITY and limit <= end for limit in before):
        return None
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (end, before[1]))
    except (OSError, ValueError, OverflowError):
        return None
    return before
