"""What the tests of the runner share: one case carried out against the fake implementation."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from conformance.casefile import Case, parse_case_file, parse_star_file
from conformance.expect import Rules, carry_out
from conformance.outcome import Outcome
from conformance.runner import claimed_capabilities
from conformance.session import Implementation, Worlds

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAKE = (sys.executable, "-S", os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake.py"))

HEADER = "# A sentence.\nspec: store.padding\nlevel: store\n\n"


def case_of(script: str, path: str = "x.txt") -> Case:
    """Return a case with a usual header and this script."""
    return parse_case_file(path, HEADER + script, "x")


def chunk_of(body: str, allow: str = "") -> Case:
    """Return the only chunk of a file with a usual header and this body, which begins at line 4."""
    text = f"# A sentence.\n# spec: starlark.list\n# allow: {allow}\n{body}"
    return parse_star_file("x.star", text, "x")[0]


def outcome_of(
    case: Case,
    *,
    command: Sequence[str] = FAKE,
    seconds: float = 20.0,
    accept: bool = False,
    without: str = "",
) -> Outcome:
    """Carry one case out in a world of its own."""
    implementation = Implementation(tuple(command), seconds=seconds)
    rules = Rules(claimed_capabilities([without] if without else []), accept)
    with Worlds(implementation) as worlds, worlds.new() as world:
        return carry_out(case, world, rules)


def passes(script: str) -> None:
    """Demand that a script passes."""
    outcome = outcome_of(case_of(script))
    assert outcome.status == "passed", (outcome.status, outcome.source, outcome.message)


def fails(script: str, message: str, status: str = "failed") -> None:
    """Demand that a script fails, with this in the message."""
    outcome = outcome_of(case_of(script))
    assert outcome.status == status, (outcome.status, outcome.message)
    assert message in outcome.message, outcome.message
