"""Control groups: limits of memory and processes for a whole sandbox, where a v2 subtree is delegated to us."""

from __future__ import annotations


class Group:
    """A control group of one sandbox."""

    def add(self, pid: int) -> None:
        """Move a process in."""

    def remove(self) -> tuple[str, ...]:
        """Kill what is left, remove the group, and return which limits were hit: "memory", "processes"."""
        return ()


def make(memory: int | None, processes: int | None) -> Group | None:
    """Make a group with these limits; None where no subtree is delegated."""
    return None
