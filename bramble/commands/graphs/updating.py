"""`build --update`: builders `derivation_output` run again, and what they write goes into the lock."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Callable

from bramble.commands.build import BuildChoices, BuildResult, Event, build_evaluated
from bramble.commands.context.evaluation import Evaluated, evaluate_targets
from bramble.commands.context.setting import Setting
from bramble.derivation.model import GENERATOR
from bramble.errors import BrambleError
from bramble.record import replace


def generators(words: Sequence[str], setting: Setting) -> frozenset[str]:
    """Return the ids of all generators that the targets `words` need.

    Raises graph.no-generator if a target needs none, and what evaluation raises.
    """
    # spec: build.generated.update
    found: set[str] = set()
    for word in words:
        graph = evaluate_targets([word], setting, lambda line: None).evaluation.graph
        ids = {key for key, one in graph.derivations.items() if one.builtin == GENERATOR}
        if not ids:
            raise BrambleError(
                "graph.no-generator",
                f"nothing that {word} needs is written by {GENERATOR}",
                remedy="for downloads: bramble lock --update, or build --refresh for files of this machine",
            )
        found |= ids
    return frozenset(found)


def build_updated(
    evaluated: Evaluated,
    renew: frozenset[str],
    setting: Setting,
    choices: BuildChoices,
    on_event: Callable[[Event], None],
    cancelled: threading.Event,
) -> BuildResult:
    """Build all that the targets returned, the generators `renew` whatever is known of them."""
    return build_evaluated(
        evaluated, setting, replace(choices, renew=choices.renew | renew), on_event, cancelled
    )
