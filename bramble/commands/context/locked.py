"""What `--locked` refuses: a build that would have to change the lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from bramble.build.downloads import compare, downloads
from bramble.commands.context.evaluation import Evaluated
from bramble.errors import BrambleError, Place
from bramble.project.names import LOCK_NAME


def refuse_unpinned(evaluated: Evaluated, roots: Sequence[str], pins: Mapping[str, str]) -> None:
    """Raise lock.locked for each download that `roots` need and that has no pin, before any is made.

    A download whose key depends on the result of another derivation is not known yet.
    """
    # spec: cli.build.locked
    evaluation = evaluated.evaluation
    found = downloads(evaluation.graph.get(id) for id in evaluation.graph.order(roots))
    missing = compare(found, pins).missing
    errors = [_unpinned(one.key, evaluation.places.get(one.id)) for one in missing]
    if errors:
        errors[0].others = tuple(errors[1:])
        raise errors[0]


def unwritten_pins(pins: Mapping[str, str]) -> tuple[BrambleError, ...]:
    """Return the errors for pins that a build has found, and that may not be added or replaced."""
    # spec: cli.build.locked
    return tuple(_unpinned(f"{key} = {pins[key]}", Place(LOCK_NAME)) for key in sorted(pins))


def _unpinned(entry: str, place: Optional[Place]) -> BrambleError:
    return BrambleError(
        "lock.locked",
        f"{LOCK_NAME} may not change, but would get the entry {entry}",
        place=place,
        remedy=f"pin it with `bramble lock`, and keep {LOCK_NAME} in version control",
    )
