"""Finds the cases, chooses among them, and runs them side by side."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Optional, TypeVar

from conformance import chunks
from conformance.casefile import (
    Case,
    CaseError,
    Chunk,
    parse_case_file,
    parse_chapter,
    parse_star_file,
    parse_table_file,
)
from conformance.claims import BadSuite, Rules
from conformance.expect import carry_out
from conformance.outcome import BROKEN, FAILED, NOT_RUN, UNCLAIMED, Edit, Outcome
from conformance.places import CASES, SPEC
from conformance.world.following import ignore_nothing
from conformance.world.session import Implementation, World, Worlds

_T = TypeVar("_T")


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
            found.extend(parse_chapter(path, _read(path)))
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
    if path.endswith(".table"):
        return parse_table_file(path, _read(path), case_id)
    # A file with another ending would be a case that never runs.
    raise CaseError(path, 1, "a case is a .txt, a .table or a .star file")


def _read(path: str) -> str:
    try:
        # newline="": a carriage return in a case is part of the case.
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as problem:
        raise CaseError(path, 1, f"it is not UTF-8 ({problem})") from None


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
            if case.id == name or case.id.startswith((name.rstrip("/") + "/", name + ":", name + "."))
        ]
        # A chapter may be called like a directory here.
        wanted = by_id or [case for case in cases if case.path == path or case.path.startswith(path + os.sep)]
        chosen.update((case.id, case) for case in wanted)
        if not wanted:
            empty.append(f"no case is called {name}")
    if empty:
        raise BadSuite(empty)
    return tuple(case for case in cases if case.id in chosen)


def run(
    cases: Sequence[Case],
    impl: Implementation,
    rules: Rules,
    *,
    levels: Collection[str],
    jobs: int,
    parent: Optional[str] = None,
    first: Optional[Mapping[str, Case]] = None,
    fail_fast: bool = False,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> tuple[Outcome, ...]:
    """Run the cases, `jobs` at a time, and return their outcomes in the order of the cases.

    `first` has a case for each level that is run before all others of that level, which are not run if it
    fails; its outcome is among the others then. With `fail_fast` no case begins after one that failed.
    `parent` is the directory to work in, None: that of temporary files. A KeyboardInterrupt, too, lets no
    case begin after it; a second one ends the run.
    """
    ignore_nothing()
    # Why no case is to begin any more.
    ends: list[str] = []

    def alone(case: Case) -> Outcome:
        if ends:
            return Outcome(case, NOT_RUN, message=ends[0])
        with worlds.new() as world:
            outcome = _carried_out(case, world, rules)
            world.kept = rules.keep and outcome.status in (FAILED, BROKEN)
            return replace(outcome, kept=world.top) if world.kept else outcome

    def together(group: Sequence[Case]) -> tuple[Outcome, ...]:
        outcomes = None
        if len(group) > 1 and not ends:
            with worlds.new() as world:
                outcomes = chunks.run_together(
                    [case for case in group if isinstance(case, Chunk)], world, rules
                )
        if outcomes is None:
            outcomes = tuple(alone(case) for case in group)
        for outcome in outcomes:
            on_outcome(outcome)
            if fail_fast and outcome.status in (FAILED, BROKEN):
                ends.append("another case failed before")
        return outcomes

    def results(begun: Sequence[Future[_T]]) -> list[_T]:
        try:
            wait(begun)
        except KeyboardInterrupt:
            ends.append("the run was interrupted before")
        return [one.result() for one in begun]

    done = [outcome for case in cases if (outcome := _unclaimed(case, levels, rules.capabilities))]
    left = [case for case in cases if case.id not in {outcome.case.id for outcome in done}]
    with Worlds(impl, parent) as worlds, ThreadPoolExecutor(jobs) as pool:
        wanted = _first_of(left, first or {}, rules)
        firsts = results([pool.submit(alone, case) for case in wanted])
        failed = {one.case.level: one for one in firsts if one.status in (FAILED, BROKEN)}
        done += [
            Outcome(case, NOT_RUN, message=f"the first case of the level {case.level} failed")
            for case in left
            if case.level in failed
        ]
        groups = _groups([case for case in left if case.level not in failed], rules)
        begun = [pool.submit(together, group) for group in groups]
        done += [outcome for outcomes in results(begun) for outcome in outcomes]
    by_id = {outcome.case.id: outcome for outcome in done}
    return (*failed.values(), *(by_id[case.id] for case in cases))


def _first_of(cases: Sequence[Case], first: Mapping[str, Case], rules: Rules) -> list[Case]:
    """Return the first case of each level that has cases."""
    # spec: conformance.smoke
    levels = {case.level for case in cases}
    wanted = [case for level, case in first.items() if level in levels]
    return [case for case in wanted if not _unclaimed(case, levels, rules.capabilities)]


def _groups(cases: Sequence[Case], rules: Rules) -> list[Sequence[Case]]:
    """Return the cases in groups that are run one after the other; chunks share a process where they may."""
    # Each failing case that is kept has a separate directory.
    share = "star-batch" in rules.capabilities and not rules.keep
    shared = [case for case in cases if isinstance(case, Chunk)] if share else []
    together = {case.id for case in shared}
    return [*chunks.batches(shared), *([case] for case in cases if case.id not in together)]


def _unclaimed(case: Case, levels: Collection[str], capabilities: Collection[str]) -> Optional[Outcome]:
    missing = [name for name in case.need if name not in capabilities]
    # spec: conformance.levels
    if case.level not in levels:
        return Outcome(case, UNCLAIMED, message=f"the level {case.level}")
    return Outcome(case, UNCLAIMED, message=", ".join(missing)) if missing else None


def claimed(cases: Sequence[Case], levels: Collection[str], rules: Rules) -> tuple[Case, ...]:
    """Return the cases that a run with these claims would run."""
    return tuple(case for case in cases if _unclaimed(case, levels, rules.capabilities) is None)


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
