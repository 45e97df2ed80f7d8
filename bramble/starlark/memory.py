"""A bound on the memory of the process while programs run.

A string that is added to itself again and again is larger than any machine after
forty rounds. With a bound Python raises MemoryError before the machine stands
still, and the program ends with an error that has a place.
"""

from __future__ import annotations

import os

try:
    import resource
except ImportError:  # no POSIX system
    resource = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

# Bytes of address space: never more than so many, and never less (Python itself takes some).
MOST = 4 << 30
LEAST = 1 << 30


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
        except (OSError, ValueError):
            # Not every system that knows the bound lets it be set.
            return
        self.before = before

    def __exit__(self, *_error: object) -> None:
        if self.before is not None:
            resource.setrlimit(resource.RLIMIT_AS, self.before)
