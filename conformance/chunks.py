"""Chunks of Starlark: each in a process of its own, or many in one where the implementation offers that.

A batch decides nothing that a process of its own would not: whatever is odd
about its answer, every chunk of it is run again alone (spec: conformance.contract.batch).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from conformance import oracle
from conformance.casefile import Chunk, ExpectedError
from conformance.outcome import FAILED, PASSED, Mismatch, Outcome
from conformance.printed import check_ending, check_form, error_fits, errors_shown, printed_errors, shown
from conformance.script import Error
from conformance.session import World
from conformance.words import whole_text

BATCH = 64


def run_alone(case: Chunk, world: World) -> Outcome:
    """Run one chunk with `star`."""
    name = _name(case)
    _write(case, world.path(name))
    # spec: conformance.contract.star
    ended = world.run(["star", *_options(case), name])
    try:
        check_ending(ended, 1 if case.errors else 0)
        lines = ended.stderr.decode("utf-8", "replace").splitlines()
        _check(case, name, printed_errors(ended.stderr), lines)
    except Mismatch as problem:
        return _failed(case, problem, shown(ended))
    return Outcome(case, PASSED)


def batches(cases: Sequence[Chunk]) -> Iterator[tuple[Chunk, ...]]:
    """Yield the chunks in groups that can share a process: those with the same options."""
    by_options: dict[tuple[str, ...], list[Chunk]] = {}
    for case in cases:
        by_options.setdefault(case.allow, []).append(case)
    for group in by_options.values():
        for start in range(0, len(group), BATCH):
            yield tuple(group[start : start + BATCH])


def run_together(cases: Sequence[Chunk], world: World) -> Optional[tuple[Outcome, ...]]:
    """Run chunks with `star --each`; None where that gave no complete answer."""
    names = []
    for number, case in enumerate(cases):
        os.mkdir(world.path(str(number)))
        names.append(f"{number}/{_name(case)}")
        _write(case, world.path(names[-1]))
    started = time.monotonic()
    ended = world.run(["star", "--each", *_options(cases[0]), *names])
    answers = _answers(ended.stdout, names)
    if ended.status != 0 or answers is None:
        return None
    seconds = (time.monotonic() - started) / len(cases)
    return tuple(_judged(case, name, answer, seconds) for case, name, answer in zip(cases, names, answers))


def _answers(stdout: bytes, names: Sequence[str]) -> Optional[list[dict[str, Any]]]:
    """Return the lines of a batch as documents, if they are all there and in order."""
    answers = []
    with contextlib.suppress(ValueError):
        answers = [json.loads(line) for line in stdout.decode("utf-8").splitlines()]
    keys = {"file", "status", "errors", "printed"}
    if [answer.get("file") if isinstance(answer, dict) else None for answer in answers] != list(names):
        return None
    return answers if all(keys <= set(answer) for answer in answers) else None


def _judged(case: Chunk, name: str, answer: Mapping[str, Any], seconds: float) -> Outcome:
    try:
        if answer["status"] != (1 if case.errors else 0):
            raise Mismatch(f"its status is {answer['status']}, not {1 if case.errors else 0}")
        for error in answer["errors"]:
            check_form(error)
        _check(case, name, answer["errors"], answer["printed"])
    except Mismatch as problem:
        return _failed(case, problem, json.dumps(answer, ensure_ascii=False, indent=1))
    return Outcome(case, PASSED, seconds)


def _name(case: Chunk) -> str:
    return os.path.splitext(os.path.basename(case.path))[0] + ".star"


def _options(case: Chunk) -> list[str]:
    return [f"--allow-{option}" for option in case.allow]


def _token(case: Chunk) -> str:
    return "reached " + oracle.digest(case.id.encode())


def _write(case: Chunk, path: str) -> None:
    # spec: conformance.star.success
    # What must succeed shows that it ran to its end: an implementation that does nothing exits 0 as well.
    ending = "" if case.errors else f'print("{_token(case)}")\n'
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(case.source + ending)


def _check(case: Chunk, name: str, errors: Sequence[Mapping[str, Any]], printed: Sequence[str]) -> None:
    _check_errors(case.errors, errors, name)
    if not case.errors and _token(case) not in printed:
        raise Mismatch("the chunk's last line, a print, was never reached")


def _check_errors(expected: Sequence[ExpectedError], printed: Sequence[Mapping[str, Any]], name: str) -> None:
    # spec: conformance.star.failure
    left = list(printed)
    for one in expected:
        wanted = Error(one.code, whole_text(name), one.line, one.column)
        match = next((error for error in left if error_fits(wanted, name, error)), None)
        if match is None:
            column = f":{one.column}" if one.column is not None else ""
            place = f"{name}:{one.line}{column}"
            raise Mismatch(f"no error {one.code} at {place}; printed: {errors_shown(printed)}")
        left.remove(match)
    if left:
        raise Mismatch(f"errors that no ### names: {errors_shown(left)}")


def _failed(case: Chunk, problem: Mismatch, printed: str) -> Outcome:
    source = case.source.strip("\n").split("\n")[0]
    return Outcome(case, FAILED, 0.0, case.line, "", source, problem.message, printed)
