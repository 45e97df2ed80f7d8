"""Chunks of Starlark, each as two programs: in separate processes, or many in one if that is offered.

A batch has the same verdicts as separate processes: whatever is unusual
about its answer, every chunk of it is run again alone (spec: conformance.contract.batch).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Optional

from conformance.casefile import Chunk
from conformance.claims import Rules
from conformance.outcome import FAILED, PASSED, Mismatch, Outcome
from conformance.printed import check_ending, check_form, error_fits, errors_shown, printed_errors, shown
from conformance.script import Error
from conformance.twins import Program, programs_of
from conformance.words import whole_text
from conformance.world.session import World

BATCH = 64


def run_alone(case: Chunk, world: World, rules: Rules) -> Outcome:
    """Run the two programs of one chunk with `star`. The seed and the chunk's id decide what they are."""
    for program in _programs(case, rules):
        _write(program, world.path(program.name))
        # spec: conformance.contract.star
        ended = world.run(["star", *_options(case), program.name])
        try:
            check_ending(ended, 1 if program.errors else 0)
            lines = ended.stderr.decode("utf-8", "replace").splitlines()
            check(program, printed_errors(ended.stderr), lines, codes=rules.codes)
        except Mismatch as problem:
            return _failed(case, program, problem, shown(ended))
    return Outcome(case, PASSED)


def batches(cases: Sequence[Chunk]) -> Iterator[tuple[Chunk, ...]]:
    """Yield the chunks in groups that can share a process: those with the same options."""
    by_options: dict[tuple[str, ...], list[Chunk]] = {}
    for case in cases:
        by_options.setdefault(case.allow, []).append(case)
    for group in by_options.values():
        for start in range(0, len(group), BATCH):
            yield tuple(group[start : start + BATCH])


def run_together(cases: Sequence[Chunk], world: World, rules: Rules) -> Optional[tuple[Outcome, ...]]:
    """Run chunks with `star --each`; None if that gave no complete answer."""
    given = [_programs(case, rules) for case in cases]
    names = []
    for number, program in enumerate(program for pair in given for program in pair):
        os.mkdir(world.path(str(number)))
        names.append(f"{number}/{program.name}")
        _write(program, world.path(names[-1]))
    started = time.monotonic()
    ended = world.run(["star", "--each", *_options(cases[0]), *names])
    answers = _answers(ended.stdout, names)
    if ended.status != 0 or answers is None:
        return None
    seconds = (time.monotonic() - started) / len(cases)
    pairs = zip(answers[::2], answers[1::2])
    return tuple(_judged(case, both, two, rules, seconds) for case, both, two in zip(cases, given, pairs))


def _answers(stdout: bytes, names: Sequence[str]) -> Optional[list[dict[str, Any]]]:
    """Return the lines of a batch as documents, if they are all there and in order."""
    answers = []
    with contextlib.suppress(ValueError):
        answers = [json.loads(line) for line in stdout.decode("utf-8").splitlines()]
    keys = {"file", "status", "errors", "printed"}
    if [answer.get("file") if isinstance(answer, dict) else None for answer in answers] != list(names):
        return None
    return answers if all(keys <= set(answer) for answer in answers) else None


def _judged(
    case: Chunk,
    programs: Sequence[Program],
    answers: Sequence[Mapping[str, Any]],
    rules: Rules,
    seconds: float,
) -> Outcome:
    for program, answer in zip(programs, answers):
        try:
            status = 1 if program.errors else 0
            if answer["status"] != status:
                raise Mismatch(f"its status is {answer['status']}, not {status}")
            for error in answer["errors"]:
                check_form(error)
            check(program, answer["errors"], answer["printed"], answer["file"], codes=rules.codes)
        except Mismatch as problem:
            printed = json.dumps(answer, ensure_ascii=False, indent=1)
            return _failed(case, program, problem, printed, seconds)
    return Outcome(case, PASSED, seconds)


def _programs(case: Chunk, rules: Rules) -> tuple[Program, Program]:
    return programs_of(case, Random(f"{rules.seed} {case.id}"))


def _options(case: Chunk) -> list[str]:
    return [f"--allow-{option}" for option in case.allow]


def _write(program: Program, path: str) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(program.text)


def check(
    program: Program,
    errors: Sequence[Mapping[str, Any]],
    printed: Sequence[str],
    name: str = "",
    *,
    codes: bool = True,
) -> None:
    """Demand that a program ended with these errors and printed these lines. Raises Mismatch.

    `name` is what the errors call its file, "": its own name.
    """
    _check_errors(program, errors, name or program.name, codes)
    # spec: conformance.star.twins
    for line in program.printed:
        if line not in printed:
            raise Mismatch(f"it has not printed {line}, the value of an expression")
    for line in program.unprinted:
        if line in printed:
            raise Mismatch(f"it has printed {line}, and nothing may run in a file with such an error")


def _check_errors(program: Program, printed: Sequence[Mapping[str, Any]], name: str, codes: bool) -> None:
    # spec: conformance.star.failure
    left = list(printed)
    for one in program.errors:
        wanted = Error(one.code, whole_text(name), one.line, one.column)
        match = next((error for error in left if error_fits(wanted, name, error, codes=codes)), None)
        if match is None:
            column = f"column {one.column} of " if one.column is not None else ""
            line = program.text.split("\n")[one.line - 1]
            place = f"{column}`{line}`, line {one.line} of what was given"
            raise Mismatch(f"no error {one.code} in {place}; printed: {errors_shown(printed)}")
        left.remove(match)
    if left:
        raise Mismatch(f"errors that were not to come: {errors_shown(left)}")


def _failed(case: Chunk, program: Program, problem: Mismatch, printed: str, seconds: float = 0.0) -> Outcome:
    lines = program.text.split("\n")
    expected = ", ".join(f"{one.code} in `{lines[one.line - 1]}`" for one in program.errors)
    given = "\n".join(
        f"{number:4} {line}" for number, line in enumerate(program.text.splitlines(), 1) if line.strip()
    )
    what = f"{printed}\n--- what was given, {program.name} ---\n{given}"
    return Outcome(
        case, FAILED, seconds, case.line, "", expected or "it runs to its end", problem.message, what
    )
