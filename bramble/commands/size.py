"""`bramble size`: what the closure of something weighs, and who brings it."""

from __future__ import annotations

from collections.abc import Sequence

from bramble.record import dataclass
from bramble.store.disk import Store
from bramble.store.questions.query import labels


@dataclass(frozen=True)
class Weight:
    """One object of a closure. Sizes are bytes in files.

    `brings` is what the closure would lose without it: its own size and that of
    all that is there through it alone. `referrers` are the objects of the closure that refer to it.
    """

    name: str
    label: str
    size: int
    brings: int
    referrers: tuple[str, ...]


def weigh(store: Store, roots: Sequence[str]) -> tuple[Weight, ...]:
    """Return the objects of the closure of `roots`, those that bring most first."""
    # spec: cli.size
    names = store.closure(roots)
    known = labels(store)
    sizes = {name: store.object(name).size for name in names}
    references = {name: store.references(name) for name in names}
    total = sum(sizes.values())
    weights = []
    for name in names:
        left = set(roots) - {name}
        stack = list(left)
        while stack:
            for other in references[stack.pop()]:
                if other != name and other not in left:
                    left.add(other)
                    stack.append(other)
        referrers = tuple(sorted(other for other in names if name in references[other]))
        brings = total - sum(sizes[other] for other in left)
        weights.append(Weight(name, known.get(name, ""), sizes[name], brings, referrers))
    return tuple(sorted(weights, key=lambda weight: (-weight.brings, -weight.size, weight.name)))
