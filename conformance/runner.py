"""Finds the cases, chooses among them, and runs them side by side."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from conformance import chunks
from conformance.casefile import (
    Case,
    CaseError,
    Chunk,
    parse_case_file,
    parse_chapter,
    parse_star_file,
)
from conformance.changes import fixture_path
from conformance.expect import Rules, carry_out
from conformance.outcome import BROKEN, UNCLAIMED, Edit, Outcome
from conformance.script import CAPABILITIES, IMPLEMENTATION_CAPABILITIES
from conformance.session import Implementation, World, Worlds

HOME = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HOME, "cases")
SPEC = os.path.join(os.path.dirname(HOME), "spec")


class BadSuite(Exception):
    """The suite cannot be run: cases that cannot be read, or a choice that chooses nothing."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(cases: str = CASES, spec: Optional[str] = SPEC) -> tuple[Case, ...]:
    """Return every case below `cases` and in the chapters of `spec`, in order.

    Every problem of every file is collected. Raises BadSuite.
    """
    found: list[Case] = []
    problems: list[str] = []
    for path, case_id in _files(cases):
        try:
            found.extend(_parse(path, case_id))
        except CaseError as problem:
            problems.append(str(problem))
    for path in _chapters(spec):
        try:
            chapter_id = "spec/" + os.path.basename(path)[: -len(".md")]
            found.extend(parse_chapter(path, _read(path), chapter_id))
        except CaseError as problem:
            problems.append(str(problem))
    if not found and not problems:
        problems.append("there are no cases")
    for case_id, count in Counter(case.id for case in found).items():
        if count > 1:
            problems.append(f"{count} cases are called {case_id}")
    if problems:
        raise BadSuite(problems)
    return tuple(found)


def _chapters(spec: Optional[str]) -> list[str]:
    if spec is None or not os.path.isdir(spec):
        return []
    return [os.path.join(spec, name) for name in sorted(os.listdir(spec)) if name.endswith(".md")]


def _files(top: str) -> Iterable[tuple[str, str]]:
    for directory, names, files in os.walk(top):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            yield path, os.path.splitext(os.path.relpath(path, top))[0]


def _parse(path: str, case_id: str) -> Sequence[Case]:
    if path.endswith(".txt"):
        return (parse_case_file(path, _read(path), case_id),)
    if path.endswith(".star"):
        return parse_star_file(path, _read(path), case_id)
    # A file with another ending would be a case that never runs.
    raise CaseError(path, 1, "a case is a .txt or a .star file")


def _read(path: str) -> str:
    try:
        # newline="": a carriage return in a case is part of the case.
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as problem:
        raise CaseError(path, 1, f"it is no UTF-8 ({problem})") from None


def choose(cases: Sequence[Case], names: Sequence[str]) -> tuple[Case, ...]:
    """Return the cases that the names mean: ids, what ids begin with, or paths. Raises BadSuite."""
    if not names:
        return tuple(cases)
    chosen: dict[str, Case] = {}
    empty = []
    for name in names:
        path = os.path.abspath(name)
        by_id = [
            case
            for case in cases
            if case.id == name or case.id.startswith((name.rstrip("/") + "/", name + ":"))
        ]
        # A chapter may be called like a directory here.
        wanted = by_id or [case for case in cases if case.path == path or case.path.startswith(path + os.sep)]
        chosen.update((case.id, case) for case in wanted)
        if not wanted:
            empty.append(f"no case is called {name}")
    if empty:
        raise BadSuite(empty)
    return tuple(case for case in cases if case.id in chosen)


def capabilities_of_machine() -> frozenset[str]:
    """Return which of the machine's capabilities are here."""
    found = set()
    if os.path.exists(fixture_path("builder")):
        found.add("fixture")
    if shutil.which("git") is not None:
        found.add("git")
    if os.getuid() != 0:
        found.add("ordinary-user")
    return frozenset(found)


def claimed_capabilities(without: Collection[str]) -> frozenset[str]:
    """Return the capabilities of a run. Raises BadSuite for a name that is none."""
    # spec: conformance.capabilities
    unknown = sorted(set(without) - set(CAPABILITIES))
    if unknown:
        raise BadSuite([f"unknown capability {name!r}; known: {', '.join(CAPABILITIES)}" for name in unknown])
    return (frozenset(IMPLEMENTATION_CAPABILITIES) | capabilities_of_machine()) - set(without)


def run(
    cases: Sequence[Case],
    impl: Implementation,
    *,
    levels: Collection[str],
    capabilities: frozenset[str],
    accept: bool,
    jobs: int,
    parent: Optional[str],
    seed: str = "",
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> tuple[Outcome, ...]:
    """Run the cases, `jobs` at a time, and return their outcomes in the order of the cases.

    What is chosen by chance follows from `seed`: two runs with the same one give the same.
    """
    rules = Rules(capabilities, accept, seed)

    def alone(case: Case) -> Outcome:
        with worlds.new() as world:
            return _carried_out(case, world, rules)

    def together(group: Sequence[Case]) -> tuple[Outcome, ...]:
        outcomes = None
        if len(group) > 1:
            with worlds.new() as world:
                outcomes = chunks.run_together(
                    [case for case in group if isinstance(case, Chunk)], world, seed
                )
        if outcomes is None:
            outcomes = tuple(alone(case) for case in group)
        for outcome in outcomes:
            on_outcome(outcome)
        return outcomes

    done = [outcome for case in cases if (outcome := _unclaimed(case, levels, capabilities))]
    unclaimed = {outcome.case.id for outcome in done}
    groups = _groups([case for case in cases if case.id not in unclaimed], capabilities)
    with Worlds(impl, parent) as worlds, ThreadPoolExecutor(jobs) as pool:
        done += [outcome for outcomes in pool.map(together, groups) for outcome in outcomes]
    by_id = {outcome.case.id: outcome for outcome in done}
    return tuple(by_id[case.id] for case in cases)


def _groups(cases: Sequence[Case], capabilities: Collection[str]) -> list[Sequence[Case]]:
    """Return the cases in groups that are run one after the other; chunks share a process where they may."""
    shared = [case for case in cases if isinstance(case, Chunk)] if "star-batch" in capabilities else []
    together = {case.id for case in shared}
    return [*chunks.batches(shared), *([case] for case in cases if case.id not in together)]


def _unclaimed(case: Case, levels: Collection[str], capabilities: Collection[str]) -> Optional[Outcome]:
    missing = [name for name in case.need if name not in capabilities]
    # spec: conformance.levels
    if case.level not in levels:
        return Outcome(case, UNCLAIMED, message=f"the level {case.level}")
    return Outcome(case, UNCLAIMED, message=", ".join(missing)) if missing else None


def _carried_out(case: Case, world: World, rules: Rules) -> Outcome:
    try:
        return carry_out(case, world, rules)
    except OSError as problem:
        return Outcome(case, BROKEN, line=case.line, message=f"{type(problem).__name__}: {problem}")


def apply_edits(edits: Iterable[Edit]) -> None:
    """Rewrite the lines of case files that --accept replaces."""
    # spec: conformance.accept
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.path, []).append(edit)
    for path, several in by_path.items():
        lines = _read(path).split("\n")
        # From the end, so that the numbers of earlier lines stay right.
        for edit in sorted(several, key=lambda one: one.line, reverse=True):
            start = edit.line - 1
            lines[start : start + edit.count] = edit.new
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write("\n".join(lines))
