"""The first cases: another one in each run, passed by the reference and by nobody who only repeats."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from conformance import runner
from conformance.casefile import LEVELS
from conformance.claims import Rules, claimed_capabilities
from conformance.smoke import smoke
from conformance.world.session import Ended, Implementation
from tests.conformance.support import REFERENCE, TOP, forked_command

Carry = Callable[..., Ended]


def statuses(seed: str, carry_out: Carry, command: tuple[str, ...] = REFERENCE) -> dict[str, str]:
    implementation = Implementation(command, (("PYTHONPATH", TOP),), 60.0, carry_out)
    rules = Rules(claimed_capabilities(["star-batch"]), seed=seed)
    cases = tuple(smoke(seed).values())
    outcomes = runner.run(cases, implementation, rules, levels=LEVELS, jobs=1)
    return {outcome.case.level: outcome.status for outcome in outcomes}


def saying(stdout: bytes, status: int = 0, stderr: bytes = b"") -> Carry:
    return lambda command, **options: Ended(status, stdout, stderr)


def test_there_is_one_for_each_level_and_another_in_each_run() -> None:
    assert list(smoke("a")) == list(LEVELS)
    assert smoke("a") == smoke("a")
    for level in LEVELS:
        assert smoke("a")[level] != smoke("b")[level]


def test_the_reference_passes_them_and_a_record_of_its_answers_does_not() -> None:
    recorded: list[Ended] = []

    def recording(command: Any, **options: Any) -> Ended:
        recorded.append(forked_command(command, **options))
        return recorded[-1]

    assert statuses("one", recording) == dict.fromkeys(LEVELS, "passed")
    answers = iter(recorded)
    assert statuses("two", lambda command, **options: next(answers)) == dict.fromkeys(LEVELS, "failed")


ANSWER = {
    "version": 1,
    "results": [{"target": "example.test/p:f", "derivations": ["soen6obfffrahna6ojyc2cgxjx7jcmhv"]}],
    "graph": {},
    "built": ["a"],
}


@pytest.mark.parametrize(
    "impostor",
    [
        saying(b""),
        saying(b"", 1),
        saying(b"{}\n"),
        saying(json.dumps(ANSWER).encode() + b"\n"),
        saying(b"5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r\n"),
        saying(b"", 1, b'{"error": "eval.type", "at": null, "message": "m", "remedy": null}\n'),
        lambda command, **options: Ended(0, " ".join(command).encode() + b"\n", b""),
    ],
    ids=["true", "false", "empty document", "one document", "one digest", "one error", "echo"],
)
def test_who_always_says_the_same_passes_none(impostor: Carry) -> None:
    assert statuses("three", impostor) == dict.fromkeys(LEVELS, "failed")
