"""Which objects must stay: a pure question about a graph, answered without a disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

from bramble.record import dataclass


@dataclass(frozen=True)
class Node:
    """What a collector must know of an object.

    Its references, the bytes in its files, and when it was last used (s since 1970).
    """

    references: tuple[str, ...]
    size: int
    used: float


def reachable(nodes: Mapping[str, Node], roots: Iterable[str], seen: Optional[set[str]] = None) -> set[str]:
    """Return all nodes that can be reached from `roots`, those included.

    What is in `seen` is not followed again. Names without a node are passed over: they are gone already.
    """
    found: set[str] = set()
    left = [name for name in roots if name in nodes]
    while left:
        name = left.pop()
        if name in found or (seen is not None and name in seen):
            continue
        found.add(name)
        left.extend(reference for reference in nodes[name].references if reference in nodes)
    return found


def referrers_first(nodes: Mapping[str, Node], names: Iterable[str]) -> list[str]:
    """Return `names` so that each comes before all that it refers to; otherwise in the order of the names."""
    wanted = set(names)
    referrers = dict.fromkeys(wanted, 0)
    for name in wanted:
        for reference in nodes[name].references:
            if reference in wanted and reference != name:
                referrers[reference] += 1
    ready = sorted((name for name, count in referrers.items() if not count), reverse=True)
    order: list[str] = []
    while ready:
        name = ready.pop()
        order.append(name)
        for reference in nodes[name].references:
            if reference in wanted and reference != name:
                referrers[reference] -= 1
                if not referrers[reference]:
                    ready.append(reference)
    if len(order) < len(wanted):
        # Objects cannot refer to one another in a cycle, since a name depends on the content; a damaged
        # record may.
        order.extend(sorted(wanted.difference(order)))
    return order


def last_uses(nodes: Mapping[str, Node], order: Iterable[str]) -> dict[str, float]:
    """Return when each of `order` (referrers first) was last used, by itself or by one that needs it."""
    uses: dict[str, float] = {}
    for name in order:
        node = nodes[name]
        used = max(uses.get(name, 0.0), node.used)
        uses[name] = used
        for reference in node.references:
            uses[reference] = max(uses.get(reference, 0.0), used)
    return uses


def choose(
    nodes: Mapping[str, Node],
    live: set[str],
    *,
    unused_since: Optional[float],
    max_size: Optional[int],
) -> list[str]:
    """Return what is to be removed, in the order of removal: each object before all that it refers to.

    That is what is not `live`; with `unused_since` (s since 1970) only what was
    not used later; with `max_size` (bytes) only as much as brings all that
    stays down to it, least recently used first.
    """
    # spec: store.gc.choice
    order = referrers_first(nodes, (name for name in nodes if name not in live))
    uses = last_uses(nodes, order)
    if unused_since is not None:
        order = [name for name in order if uses[name] <= unused_since]
    if max_size is None:
        return order
    order.sort(key=lambda name: uses[name])
    total = sum(node.size for node in nodes.values())
    chosen: list[str] = []
    for name in order:
        if total <= max_size:
            break
        chosen.append(name)
        total -= nodes[name].size
    return chosen
