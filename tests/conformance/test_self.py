"""A suite is as good as its power to fail: wrong implementations fail every case that could notice."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from conformance import runner
from conformance.casefile import LEVELS, Case, Chunk, Script
from conformance.claims import Rules, claimed_capabilities
from conformance.outcome import UNCLAIMED, Outcome
from conformance.script import DIGEST, Error, Json, Text, Tree
from conformance.world.session import Ended, Implementation, run_command
from tests.conformance.support import REFERENCE, TOP, forked_command

# The runner itself: with the oldest Python and the newest it runs the whole suite.
pytestmark = pytest.mark.once


def outcomes(
    cases: Sequence[Case], command: Sequence[str], carry_out: Callable[..., Ended]
) -> Sequence[Outcome]:
    return runner.run(
        cases,
        Implementation(tuple(command), (("PYTHONPATH", TOP),), 60.0, carry_out),
        # In a batch errors come by standard output: there the faults of a wrapper would not be seen.
        Rules(claimed_capabilities(["star-batch"])),
        levels=LEVELS,
        jobs=os.cpu_count() or 1,
    )


def not_failed(
    cases: Sequence[Case], command: Sequence[str], carry_out: Callable[..., Ended] = run_command
) -> list[str]:
    return [
        f"{outcome.case.id}: {outcome.status} {outcome.message}"
        for outcome in outcomes(cases, command, carry_out)
        if outcome.status not in ("failed", UNCLAIMED)
    ]


def with_other_digests(command: Sequence[str], **options: Any) -> Ended:
    """Run the reference, and change the last character of every digest on standard output."""

    def changed(found: re.Match[bytes]) -> bytes:
        return found.group(1) + (b"a" if found.group(2) != b"a" else b"b")

    ended = forked_command(command, **options)
    digest = rb"(?<![a-z2-7])([a-z2-7]{31})([a-z2-7])(?![a-z2-7])"
    return dataclasses.replace(ended, stdout=re.sub(digest, changed, ended.stdout))


def without_standard_error(command: Sequence[str], **options: Any) -> Ended:
    """Run the reference, and drop what it prints to standard error."""
    return dataclasses.replace(forked_command(command, **options), stderr=b"")


@pytest.mark.parametrize("program", ["true", "false", "echo"])
def test_programs_that_do_nothing_fail_every_case(program: str) -> None:
    path = shutil.which(program)
    assert path is not None
    cases = runner.load()
    # What is true of every script and of every chunk is judged below and in test_twins without processes;
    # here some of both are run.
    chunks = [case for case in cases if isinstance(case, Chunk)]
    assert not_failed([*sampled(scripts(cases), 60), *sampled(chunks, 60)], [path]) == []


def answering(status: int, stdout: bytes = b"", stderr: bytes = b"") -> Callable[..., Ended]:
    """Return the program that ends every command in the same way."""
    return lambda command, **options: Ended(status, stdout, stderr)


def showing_files(command: Sequence[str], **options: Any) -> Ended:
    """Print what is read from standard input, and every file that is named (cat)."""
    found = b""
    names = [os.path.join(options["directory"], word) for word in command[1:]]
    for path in (options.get("standard_input"), *names):
        if path is not None and os.path.isfile(path):
            with open(path, "rb") as file:
                found += file.read()
    return Ended(0, found, b"")


def showing_words(command: Sequence[str], **options: Any) -> Ended:
    """Print the arguments (echo)."""
    return Ended(0, " ".join(command[1:]).encode() + b"\n", b"")


A_NAME = "a2b3c4d5e6f7g2h3i4j5k6l7m2n3o4p5"
A_DOCUMENT = {
    "ok": True,
    "error": None,
    "id": A_NAME,
    "digest": A_NAME,
    "value": None,
    "results": [],
    "outputs": {"out": {"name": A_NAME, "path": f"/{A_NAME}"}},
    "imported": [],
    "damages": [],
}


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(answering(0), id="nothing"),
        pytest.param(answering(1), id="nothing, failing"),
        pytest.param(answering(2), id="nothing, misused"),
        pytest.param(answering(0, b"{}\n"), id="an empty object"),
        pytest.param(answering(1, b"{}\n", b"{}\n"), id="an empty object, failing"),
        pytest.param(answering(0, b"[]\n"), id="an empty list"),
        pytest.param(answering(0, A_NAME.encode() + b"\n"), id="one digest"),
        pytest.param(answering(0, json.dumps(A_DOCUMENT).encode() + b"\n"), id="one document"),
        pytest.param(showing_files, id="its files"),
        pytest.param(showing_words, id="its arguments"),
    ],
)
def test_one_answer_to_everything_passes_no_script(program: Callable[..., Ended]) -> None:
    assert not_failed(scripts(runner.load()), ["program"], program) == []


def test_one_error_for_everything_passes_no_script() -> None:
    """The error has even the code that the script expects, but no place, since that is in the program."""
    found = []
    for script in scripts(runner.load()):
        for code in sorted({step.action.code for step in script.steps if isinstance(step.action, Error)}):
            document = {"error": code, "at": "default.bramble:1:1", "message": "m", "remedy": None}
            line = json.dumps(document).encode() + b"\n"
            found += not_failed([script], ["program"], answering(1, line, line))
    assert found == []


def scripts(cases: Sequence[Case]) -> list[Script]:
    return [case for case in cases if isinstance(case, Script)]


# One that stands alone: the hash of a commit is longer, and can hold one.
A_DIGEST = re.compile(r"(?<![a-z0-9])[a-z2-7]{32}(?![a-z0-9])")


def has_golden_digest(case: Case) -> bool:
    if isinstance(case, Chunk):
        return False
    for step in case.steps:
        if isinstance(step.action, Json) and A_DIGEST.search(step.action.text):
            return True
        if (
            isinstance(step.action, Text)
            and step.action.how == "is"
            and A_DIGEST.search(str(step.action.expected))
        ):
            return str(step.action.subject) == "stdout"
    return False


def names_an_error(case: Case) -> bool:
    if isinstance(case, Chunk):
        return bool(case.errors)
    return any(isinstance(step.action, Error) for step in case.steps)


def sampled(cases: Sequence[Case], count: int) -> Sequence[Case]:
    """Return about `count` of the cases, spread over all of them: each is a run."""
    return cases[:: max(1, len(cases) // count)]


def test_changing_one_character_of_each_digest_fails_every_golden_value() -> None:
    golden = [case for case in runner.load() if has_golden_digest(case)]
    assert len(golden) >= 10
    assert not_failed(sampled(golden, 40), REFERENCE, with_other_digests) == []


def test_dropping_standard_error_fails_every_case_with_an_error() -> None:
    failing = [case for case in runner.load() if names_an_error(case)]
    assert len(failing) >= 20
    assert not_failed(sampled(failing, 60), REFERENCE, without_standard_error) == []


def test_a_tree_whose_digest_is_given_is_a_golden_value_too() -> None:
    trees = [
        step
        for case in runner.load()
        if not isinstance(case, Chunk)
        for step in case.steps
        if isinstance(step.action, Tree) and step.action.how == "digest"
    ]
    assert trees
    for step in trees:
        # Given whole, or by the name of what the implementation itself has said: the oracle judges that.
        assert isinstance(step.action, Tree)
        expected = str(step.action.expected)
        assert DIGEST.fullmatch(expected) or expected.startswith("$")
