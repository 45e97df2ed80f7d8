"""Derivations that depend on one another, and the order in which they can be built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError, Place, nearest
from bramble.record import dataclass

_UNPLACED: Mapping[str, Place] = {}


@dataclass(frozen=True)
class DerivationGraph:
    """Derivations by id. Every walk is iterative and visits each derivation once."""

    derivations: Mapping[str, Derivation]

    @staticmethod
    def of(derivations: Iterable[Derivation]) -> DerivationGraph:
        """Return the graph of these derivations; equal ones are one."""
        return DerivationGraph({derivation.id: derivation for derivation in derivations})

    def __contains__(self, derivation_id: str) -> bool:
        return derivation_id in self.derivations

    def __len__(self) -> int:
        return len(self.derivations)

    def get(self, derivation_id: str) -> Derivation:
        """Return the derivation with this id. Raises derivation.unknown-reference."""
        found = self.derivations.get(derivation_id)
        if found is None:
            raise unknown_reference(f"{derivation_id}", None, None)
        return found

    def dependencies(self, derivation_id: str) -> tuple[str, ...]:
        """Return the ids that this derivation refers to directly: sorted, each once."""
        # Dependencies are sorted by id first, so equal ids are neighbours and dict keeps the order.
        return tuple(dict.fromkeys([ref[0] for ref in self.get(derivation_id).dependencies]))

    def order(self, roots: Optional[Iterable[str]] = None) -> tuple[str, ...]:
        """Return `roots` (None: all) and all that they need, dependencies before dependents.

        The order is a function of the graph and of the order of `roots`: depth
        first, dependencies by id. Raises derivation.unknown-reference and
        derivation.cycle.
        """
        return tuple(self.walk(roots))

    def walk(self, roots: Optional[Iterable[str]] = None) -> dict[str, tuple[str, ...]]:
        """Return what `order` does, and for each what `dependencies` returns. Raises as `order`."""
        # spec: derivation.graph.order
        done: dict[str, tuple[str, ...]] = {}
        begun: set[str] = set()  # what is not done of it stands on the way from a root to what is looked at
        for root in self.derivations if roots is None else roots:
            if root in done:
                continue
            needed = self.dependencies(root)
            begun.add(root)
            stack = [(root, needed, iter(needed))]
            while stack:
                current, needed, left = stack[-1]
                for following in left:
                    if following in done:
                        continue
                    if following in begun:
                        raise self._cycle([key for key, _, _ in stack], following)
                    begun.add(following)
                    needed = self.dependencies(following)
                    stack.append((following, needed, iter(needed)))
                    break
                else:
                    stack.pop()
                    done[current] = needed
        return done

    def closure(self, roots: Iterable[str]) -> DerivationGraph:
        """Return the part of the graph that `roots` need, in the order of `order`."""
        return DerivationGraph({key: self.derivations[key] for key in self.order(roots)})

    def check(self, places: Mapping[str, Place] = _UNPLACED) -> None:
        """Raise an error unless every reference is to an output of the graph, without a cycle.

        `places` says where each derivation was made. Raises
        derivation.unknown-reference, derivation.unknown-output, derivation.cycle.
        """
        # spec: derivation.graph.references
        for key, derivation in self.derivations.items():
            for ref in derivation.dependencies:
                found = self.derivations.get(ref.derivation)
                if found is None:
                    raise unknown_reference(str(ref), derivation, places.get(key))
                if ref.output not in found.outputs:
                    raise unknown_output(found, ref, derivation.name, places.get(key))
        self.order()

    def _cycle(self, path: list[str], again: str) -> BrambleError:
        # spec: derivation.graph.cycle
        names = [self.derivations[key].name for key in path[path.index(again) :]]
        return BrambleError(
            "derivation.cycle",
            "derivations depend on one another in a cycle: " + " → ".join([*names, names[0]]),
            remedy="no derivation can need its own result: remove one reference of the cycle",
        )


def unknown_reference(
    reference: str, derivation: Optional[Derivation], place: Optional[Place]
) -> BrambleError:
    """Return the error for a reference to a derivation that the graph does not have."""
    if derivation is None:
        fact = f"there is no derivation {reference} in this graph"
    else:
        fact = (
            f'derivation "{derivation.name}" refers to {reference}, which is not a derivation of this graph'
        )
    return BrambleError(
        "derivation.unknown-reference",
        fact,
        place=place,
        remedy="refer to a derivation by its value, such as busybox().out; a copied id is stale "
        "as soon as anything changes",
    )


def unknown_output(
    derivation: Derivation, ref: OutputRef, owner: Optional[str], place: Optional[Place]
) -> BrambleError:
    """Return the error for an output that `derivation` does not have."""
    has = ", ".join(derivation.outputs)
    meant = nearest(ref.output, derivation.outputs)
    hint = f'write "{meant}", or' if meant else f"use one of {has}, or"
    by = f' (named by "{owner}")' if owner else ""
    return BrambleError(
        "derivation.unknown-output",
        f'derivation "{derivation.name}" has no output "{ref.output}"{by}; it has: {has}',
        place=place,
        remedy=f'{hint} declare it with outputs=[…, "{ref.output}"]',
    )
