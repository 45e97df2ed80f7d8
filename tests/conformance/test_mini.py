"""The second implementation passes what it claims, and nothing that it says it does not follow."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from conformance import runner
from conformance.casefile import Case
from conformance.claims import Rules, claimed_capabilities, options_of
from conformance.smoke import smoke
from conformance.world.session import Implementation
from tests.conformance.support import MINI as COMMAND
from tests.conformance.support import TOP, forked_command

# It knows nothing of the implementation, and of the machine only that a Python starts.
pytestmark = pytest.mark.once

MINI = os.path.join(TOP, "conformance", "mini")
LEVELS = ("language", "evaluate", "store")


def listed(name: str) -> list[str]:
    with open(os.path.join(MINI, name), encoding="utf-8") as file:
        return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


def divided() -> tuple[Sequence[Case], Sequence[Case]]:
    """Return the cases that are claimed, and those of the same names that `left-out` takes away."""
    names, left_out = listed("cases"), set(listed("left-out"))
    every = [case for case in runner.load() if case.level in LEVELS]
    chosen = [case for case in every if case.level in names]
    chosen += runner.choose(
        [case for case in every if case not in chosen], [n for n in names if n not in LEVELS]
    )
    return (
        [case for case in chosen if left_out.isdisjoint(case.spec)],
        [case for case in chosen if not left_out.isdisjoint(case.spec)],
    )


def statuses(cases: Sequence[Case]) -> dict[str, tuple[str, str]]:
    outcomes = runner.run(
        cases,
        # Forked: most of the time of a command is the start of an interpreter.
        Implementation(COMMAND, (("PYTHONPATH", TOP),), carry_out=forked_command),
        Rules(claimed_capabilities([])),
        levels=LEVELS,
        jobs=os.cpu_count() or 1,
        first={level: case for level, case in smoke("mini").items() if level in LEVELS},
    )
    return {outcome.case.id: (outcome.status, outcome.message) for outcome in outcomes}


def test_what_is_claimed_passes() -> None:
    claimed, _ = divided()
    wrong = {name: found for name, found in statuses(claimed).items() if found[0] != "passed"}
    known = set(listed("known-to-fail"))
    assert {name: found for name, found in wrong.items() if name not in known} == {}
    assert known - set(wrong) == set()
    assert len(claimed) > 1000


def test_each_paragraph_that_is_left_out_has_a_case_that_fails() -> None:
    _, left_out = divided()
    found = statuses(left_out)
    failing = {paragraph for case in left_out if found[case.id][0] == "failed" for paragraph in case.spec}
    assert set(listed("left-out")) - failing == set()


def test_its_claims_are_those_of_its_file() -> None:
    assert options_of(os.path.join(MINI, "claims")) == [
        f"--expect-fail={os.path.join(MINI, 'known-to-fail')}",
        "--impl=python3 -I conformance/mini",
        "--level=language, evaluate, store",
    ]


def test_it_shares_nothing_with_the_reference() -> None:
    for name in os.listdir(MINI):
        if name.endswith(".py"):
            with open(os.path.join(MINI, name), encoding="utf-8") as file:
                imports = [line for line in file if line.startswith(("import ", "from "))]
            assert not [line for line in imports if "bramble" in line]
