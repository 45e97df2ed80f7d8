"""Many chunks in one process say what each says alone, and an odd answer counts for nothing."""

from __future__ import annotations

import pytest

from conformance import chunks, runner
from conformance.casefile import LEVELS, Chunk, parse_star_file
from conformance.claims import Rules, claimed_capabilities
from conformance.world.session import Implementation
from tests.conformance.support import FAKE

# The runner itself: with the oldest Python and the newest it runs the whole suite.
pytestmark = pytest.mark.once

TEXT = """# Sentence.
# spec: starlark.list

print("a")
---
boom eval.fail:3 ### eval.fail
---
boom eval.fail:3 ### eval.fail:4
---
boom eval.key
---
stop
---
x ### eval.fail
---
boom eval.fail eval.key ### eval.key
---
# allow: while
print("b")
"""
EXPECTED = ["passed", "passed", "failed", "failed", "failed", "failed", "failed", "passed"]


def results(mode: str, *without: str) -> list[tuple[str, str]]:
    outcomes = runner.run(
        parse_star_file("l.star", TEXT, "l"),
        Implementation(FAKE, (("EACH", mode),), 30.0),
        Rules(claimed_capabilities(without)),
        levels=LEVELS,
        jobs=2,
    )
    assert [outcome.case.line for outcome in outcomes] == [4, 6, 8, 10, 12, 14, 16, 18]
    return [(outcome.status, outcome.message) for outcome in outcomes]


def test_each_chunk_has_its_own_result_without_batches() -> None:
    assert [status for status, _ in results("good", "star-batch")] == EXPECTED


@pytest.mark.parametrize("mode", ["", "short", "shuffled", "crashed"])
def test_an_answer_that_is_not_whole_counts_for_nothing(mode: str) -> None:
    assert results(mode) == results("good", "star-batch")


def test_a_batch_has_the_same_results() -> None:
    assert [status for status, _ in results("good")] == EXPECTED


def test_a_batch_that_says_too_little_fails_its_chunks() -> None:
    found = results("lying")
    # The last has options of its own, and so runs alone.
    assert [status for status, _ in found[:-1]] == ["failed"] * 7
    assert all("it has not printed" in one or "its status is 0, not 1" in one for _, one in found[:-1])


def test_chunks_share_a_process_only_with_chunks_of_the_same_options() -> None:
    cases = [case for case in parse_star_file("l.star", TEXT, "l") if isinstance(case, Chunk)]
    assert [len(group) for group in chunks.batches(cases)] == [7, 1]
    assert [len(group) for group in chunks.batches(cases[:7] * 20)] == [64, 64, 12]
