"""Sandboxes looked at while they run, so that none takes the machine down. Runs in the helper."""

from __future__ import annotations

import os
import time

from bramble.sandbox.limits import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# A look takes at most a fiftieth of one processor, but they are not rarer than:
EVERY, SHARE, RAREST = 0.2, 50, 5.0  # seconds, part of the time, seconds
ANY = 1 << 62


class Watch:
    """What one sandbox may use, and what it used at the last look; `hit` is the limit that it went beyond."""

    def __init__(
        self, memory: int | None, processes: int | None, together: int | None, disks: Sequence[str]
    ) -> None:
        self.memory = ANY if memory is None else memory
        self.processes = ANY if processes is None else processes
        self.together = ANY if together is None else together
        self.rooms = [(path, usage.room(path)) for path in disks]
        self.fds: list[int] = []  # of its file systems in memory
        self.size = 0
        self.hit = ""

    def look(self, pid: int) -> None:
        """Look at the sandbox of pid 1, by its number outside."""
        size, tasks = usage.of_processes(pid, self.processes)
        self.size = size + usage.of_file_systems(self.fds)
        if self.size > self.memory:
            self.hit = "memory"
        elif tasks > self.processes:
            self.hit = "processes"
        elif any(usage.is_full(path, least) for path, least in self.rooms):
            self.hit = "disk"

    def close(self) -> None:
        """Let go of the file systems in memory."""
        for fd in self.fds:
            os.close(fd)
        self.fds = []


class Clock:
    """When to look again."""

    def __init__(self) -> None:
        self.next = 0.0

    def patience(self) -> float:
        """Return the seconds until the next look, at least 0."""
        return max(0.0, self.next - time.monotonic())

    def look(self, running: Sequence[tuple[int, Watch]]) -> list[Watch]:
        """Look at all, (pid, watch), if it is time; return those that have to end."""
        # spec: sandbox.limits.share
        if time.monotonic() < self.next:
            return []
        # Of a processor, not by the clock: a bomb that takes all processors would make looks rare.
        began = time.process_time()
        for pid, watch in running:
            watch.look(pid)
        over = [watch for _, watch in running if watch.hit]
        left = [watch for _, watch in running if not watch.hit]
        if left and sum(watch.size for watch in left) > max(watch.together for watch in left):
            largest = max(left, key=lambda watch: watch.size)
            largest.hit = "memory"
            over.append(largest)
        spent = time.process_time() - began
        self.next = time.monotonic() + min(max(spent * SHARE, EVERY), RAREST)
        return over
