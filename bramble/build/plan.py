"""The state of a build: what is ready, running, done, failed, or cannot be reached any more.

Nothing here knows what a derivation is or how it is built. A plan is made from
ids in dependency order; the one who builds takes ids out and says what became of
them. All steps together take time proportional to the graph, apart from the
heap that holds what is ready.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Optional


class State(Enum):
    """Where one derivation stands."""

    WAITING = auto()  # for a dependency
    READY = auto()
    RUNNING = auto()  # taken out of the plan
    DONE = auto()
    FAILED = auto()
    SKIPPED = auto()  # a dependency failed, at whatever distance


class Plan:
    """What is left of a build. Not safe for several threads: one owns it.

    An id that is done may have to be done once more, when another one cannot go
    on without what it made: see `wait`.

    Among the ready ids the one with the longest way to a root is taken first,
    since it decides how long the whole build takes; among equals the one that
    comes first in `order`.
    """

    def __init__(self, order: Sequence[str], dependencies: Mapping[str, Sequence[str]]) -> None:
        """Plan to build all of `order`, where every id comes after its `dependencies`."""
        # spec: build.plan.order
        self._position = {key: at for at, key in enumerate(order)}
        self._waiting: dict[str, list[str]] = {key: [] for key in order}  # for this id
        self._missing: dict[str, int] = {}
        self._state: dict[str, State] = {}
        for key in order:
            needed = dependencies[key]
            self._missing[key] = len(needed)
            self._state[key] = State.WAITING if needed else State.READY
            for dependency in needed:
                self._waiting[dependency].append(key)
        self._height = _heights(order, self._waiting)
        self._ready = [self._rank(key) for key in order if not self._missing[key]]
        heapq.heapify(self._ready)
        self._left = len(order)

    @property
    def finished(self) -> bool:
        """True when every id is done, failed or skipped."""
        return self._left == 0

    def state(self, key: str) -> State:
        """Return where the derivation `key` stands."""
        return self._state[key]

    def rank(self, key: str) -> tuple[int, int]:
        """Return the place of `key` in the order of taking: the smallest is taken first."""
        return (-self._height[key], self._position[key])

    def take(self) -> Optional[str]:
        """Return the next ready id, which is then running; None if no id is ready."""
        if not self._ready:
            return None
        key = heapq.heappop(self._ready)[2]
        self._state[key] = State.RUNNING
        return key

    def done(self, key: str) -> None:
        """The running `key` has its outputs: what waited for it alone becomes ready."""
        self._leave(key, State.DONE)
        waiting, self._waiting[key] = self._waiting[key], []
        for dependent in waiting:
            self._missing[dependent] -= 1
            # What was skipped misses what failed for ever.
            if not self._missing[dependent]:
                self._make_ready(dependent)

    def wait(self, key: str, needed: Sequence[str]) -> tuple[str, ...]:
        """The running `key` goes on only when all of `needed`, which were done before it, are done once more.

        Return the ids that are skipped, `key` first: none, unless one of
        `needed` has failed or was skipped itself.
        """
        # spec: build.demand
        if any(self._state[other] in (State.FAILED, State.SKIPPED) for other in needed):
            self._leave(key, State.SKIPPED)
            return (key, *self._skip_for(key))
        self._missing[key] = len(needed)
        self._state[key] = State.WAITING
        for other in needed:
            self._waiting[other].append(key)
            if self._state[other] is State.DONE:
                self._left += 1
                self._make_ready(other)
        return ()

    def again(self, key: str) -> None:
        """What is done, as `key` was, has to be done once more; what needed it has had it and goes on."""
        # spec: build.demand
        self._left += 1
        self._make_ready(key)

    def fail(self, key: str) -> tuple[str, ...]:
        """The running `key` has no outputs. Return the ids that are skipped for it, in `order`.

        An id that was skipped for an earlier failure is not returned again.
        """
        # spec: build.failure.skipped
        self._leave(key, State.FAILED)
        return self._skip_for(key)

    def _skip_for(self, key: str) -> tuple[str, ...]:
        skipped: list[str] = []
        stack = [key]
        while stack:
            for dependent in self._waiting[stack.pop()]:
                if self._state[dependent] is State.WAITING:
                    self._leave(dependent, State.SKIPPED)
                    skipped.append(dependent)
                    stack.append(dependent)
        return tuple(sorted(skipped, key=self._position.__getitem__))

    def unfinished(self) -> tuple[str, ...]:
        """Return the ids that are neither done nor failed, skipped ones included, in `order`."""
        over = (State.DONE, State.FAILED)
        return tuple(key for key in self._position if self._state[key] not in over)

    def _make_ready(self, key: str) -> None:
        self._state[key] = State.READY
        heapq.heappush(self._ready, self._rank(key))

    def _leave(self, key: str, state: State) -> None:
        self._state[key] = state
        self._left -= 1

    def _rank(self, key: str) -> tuple[int, int, str]:
        return (*self.rank(key), key)


def _heights(order: Sequence[str], dependents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return for every id the number of steps of the longest way to an id that nothing needs."""
    heights: dict[str, int] = {}
    for key in reversed(order):
        heights[key] = max((heights[above] + 1 for above in dependents[key]), default=0)
    return heights
