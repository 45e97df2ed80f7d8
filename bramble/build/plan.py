"""The state of a build: what is ready, running, done, failed, or cannot be reached any more.

Nothing here knows what a derivation is or how it is built. A plan is made from
ids in dependency order; the one who builds takes ids out and says what became of
them. All steps together take time proportional to the graph, apart from the
heap that holds what is ready.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Mapping, Sequence
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

    def __init__(
        self, order: Sequence[str], dependencies: Mapping[str, Sequence[str]], done: Container[str] = ()
    ) -> None:
        """Plan to build all of `order`, where every id comes after its `dependencies`.

        Of these ids some are `done` already, with all their dependencies.
        """
        # Inside a number stands for an id, its place in `order`: a large graph has ten times as many
        # dependencies as ids, and each is looked up here once.
        self._order = order
        self._place = place = {key: at for at, key in enumerate(order)}
        self._waiting: list[list[int]] = [[] for _ in order]  # for each
        self._missing: list[int] = []  # how many it waits for
        for at, key in enumerate(order):
            needed = dependencies[key]
            self._missing.append(len(needed))
            for dependency in needed:
                self._waiting[place[dependency]].append(at)
        self._state = [State.WAITING] * len(order)
        self._rank = _ranks(self._waiting)
        self._ready: list[int] = []
        self._left = len(order)
        for at, key in enumerate(order):
            if key in done:
                self._leave(at, State.DONE)
                self._release(at)
            elif not self._missing[at]:
                self._make_ready(at)

    @property
    def finished(self) -> bool:
        """True when every id is done, failed or skipped."""
        return self._left == 0

    def state(self, key: str) -> State:
        """Return where the derivation `key` stands."""
        return self._state[self._place[key]]

    def rank(self, key: str) -> int:
        """Return the place of `key` in the order of taking: the smallest is taken first."""
        return self._rank[self._place[key]]

    def take(self) -> Optional[str]:
        """Return the next ready id, which is then running; None if no id is ready."""
        if not self._ready:
            return None
        at = heapq.heappop(self._ready) % len(self._order)
        self._state[at] = State.RUNNING
        return self._order[at]

    def done(self, key: str) -> None:
        """The running `key` has its outputs: what waited for it alone becomes ready."""
        at = self._place[key]
        self._leave(at, State.DONE)
        for dependent in self._release(at):
            self._make_ready(dependent)

    def wait(self, key: str, needed: Sequence[str]) -> tuple[str, ...]:
        """The running `key` goes on only when all of `needed`, which were done before it, are done once more.

        Return the ids that are skipped, `key` first: none, unless one of
        `needed` has failed or was skipped itself.
        """
        # spec: build.demand
        at, places = self._place[key], [self._place[other] for other in needed]
        if any(self._state[other] in (State.FAILED, State.SKIPPED) for other in places):
            self._leave(at, State.SKIPPED)
            return (key, *self._skip_for(at))
        self._missing[at] = len(places)
        self._state[at] = State.WAITING
        for other in places:
            self._waiting[other].append(at)
            if self._state[other] is State.DONE:
                self._left += 1
                self._make_ready(other)
        return ()

    def again(self, key: str) -> None:
        """What is done, as `key` was, has to be done once more; what needed it has had it and goes on."""
        # spec: build.demand
        self._left += 1
        self._make_ready(self._place[key])

    def fail(self, key: str) -> tuple[str, ...]:
        """The running `key` has no outputs. Return the ids that are skipped for it, in `order`.

        An id that was skipped for an earlier failure is not returned again.
        """
        # spec: build.failure.skipped
        at = self._place[key]
        self._leave(at, State.FAILED)
        return self._skip_for(at)

    def _skip_for(self, failed: int) -> tuple[str, ...]:
        skipped: list[int] = []
        stack = [failed]
        while stack:
            for dependent in self._waiting[stack.pop()]:
                if self._state[dependent] is State.WAITING:
                    self._leave(dependent, State.SKIPPED)
                    skipped.append(dependent)
                    stack.append(dependent)
        return tuple([self._order[at] for at in sorted(skipped)])

    def unfinished(self) -> tuple[str, ...]:
        """Return the ids that are neither done nor failed, skipped ones included, in `order`."""
        over = (State.DONE, State.FAILED)
        return tuple([key for key, state in zip(self._order, self._state) if state not in over])

    def _release(self, at: int) -> list[int]:
        """Let nothing wait for this place any more; return those that wait for nothing now."""
        missing, waiting = self._missing, self._waiting[at]
        self._waiting[at] = []
        for dependent in waiting:
            missing[dependent] -= 1
        # What was skipped misses what failed for ever.
        return [dependent for dependent in waiting if not missing[dependent]]

    def _make_ready(self, at: int) -> None:
        self._state[at] = State.READY
        heapq.heappush(self._ready, self._rank[at])

    def _leave(self, at: int, state: State) -> None:
        self._state[at] = state
        self._left -= 1


def _ranks(dependents: Sequence[Sequence[int]]) -> list[int]:
    """Return the rank of each place: the smaller, the more steps lead from it to one that nothing needs.

    Among those with as many steps it grows with the place, which is the rank modulo their number.
    """
    # spec: build.plan.order
    size = len(dependents)
    ranks = list(range(size))
    for at in range(size - 1, -1, -1):
        if dependents[at]:
            # The smallest of its dependents is the one with the most steps.
            ranks[at] = (min([ranks[above] for above in dependents[at]]) // size - 1) * size + at
    return ranks
