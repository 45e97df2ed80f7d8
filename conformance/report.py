"""What a run of the suite says at its end, for people.

An exit status is 0 or 1 and never a count; what was not claimed is named and
counted apart, and never as passed (spec: conformance.report).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from conformance.casefile import LEVELS
from conformance.outcome import ACCEPTED, BROKEN, FAILED, NOT_RUN, PASSED, UNCLAIMED, Outcome

EXPECTED = "expected failure"
_ORDER = (PASSED, EXPECTED, UNCLAIMED, ACCEPTED, FAILED, BROKEN, NOT_RUN)
_SHOWN_RULES = 3  # paragraphs of which a failure shows the text


@dataclass(frozen=True)
class Verdict:
    """The outcomes of a run beside what was expected of it."""

    outcomes: tuple[Outcome, ...]
    statuses: Mapping[str, str]  # case id → status, expected failures counted as such
    unexpected_passes: tuple[str, ...]
    unmatched: tuple[str, ...]  # lines of --expect-fail that name no case of the run

    @property
    def good(self) -> bool:
        """Whether everything that was claimed was shown, and nothing had to be accepted."""
        bad = {FAILED, BROKEN, ACCEPTED, NOT_RUN}
        # A run in which everything was left unclaimed has shown nothing.
        return (
            not bad & set(self.statuses.values())
            and not self.unexpected_passes
            and not self.unmatched
            and any(status in (PASSED, EXPECTED) for status in self.statuses.values())
        )


@dataclass(frozen=True)
class Surroundings:
    """What a report for people shows besides the outcomes."""

    command: Sequence[str]  # the words that run the suite as it was run, without cases
    rules: Mapping[str, str]  # the text of each paragraph by its id
    versions: str  # of suite and specification


def judge(outcomes: Sequence[Outcome], expected_failures: Collection[str]) -> Verdict:
    """Return the verdict on a run."""
    # spec: conformance.results
    statuses = {}
    for outcome in outcomes:
        expected = outcome.case.id in expected_failures and outcome.status == FAILED
        statuses[outcome.case.id] = EXPECTED if expected else outcome.status
    passed = {outcome.case.id for outcome in outcomes if outcome.status == PASSED}
    return Verdict(
        outcomes=tuple(outcomes),
        statuses=statuses,
        unexpected_passes=tuple(sorted(set(expected_failures) & passed)),
        unmatched=tuple(sorted(set(expected_failures) - set(statuses))),
    )


def as_text(verdict: Verdict, around: Surroundings, *, verbose: bool = False) -> str:
    """Return the report: every case that did not pass, a table of the levels, and the levels in one line."""
    lines: list[str] = []
    for outcome in verdict.outcomes:
        status = verdict.statuses[outcome.case.id]
        if status in (FAILED, BROKEN):
            lines += _failure(status, outcome, around)
        elif status in (UNCLAIMED, NOT_RUN) and verbose:
            what = "it needs " if status == UNCLAIMED else ""
            lines.append(f"{status:12} {outcome.case.id}: {what}{outcome.message}")
        elif status == ACCEPTED:
            lines.append(f"accepted     {outcome.case.id}: {len(outcome.edits)} expectations rewritten")
        elif verbose:
            lines.append(f"{status:12} {outcome.case.id} ({outcome.seconds:.2f} s)")
    lines += [
        f"unexpected pass: {name} is in the list of expected failures" for name in verdict.unexpected_passes
    ]
    lines += [f"unmatched: no case of this run is called {name}" for name in verdict.unmatched]
    lines += [*_table(verdict), around.versions, summary(verdict)]
    return "\n".join(lines) + "\n"


def summary(verdict: Verdict) -> str:
    """Return the levels in one line, as a badge shows them: passed of claimed, `-` for none."""
    # spec: conformance.summary
    rows = counts(verdict)
    return " · ".join(f"{level} {_share(rows[level])}" for level in LEVELS)


def counts(verdict: Verdict) -> dict[str, dict[str, int]]:
    """Return how many cases of each level have each status."""
    found = {level: dict.fromkeys(_ORDER, 0) for level in LEVELS}
    for outcome in verdict.outcomes:
        found[outcome.case.level][verdict.statuses[outcome.case.id]] += 1
    return found


def _share(row: Mapping[str, int]) -> str:
    claimed = sum(row.values()) - row[UNCLAIMED]
    return f"{row[PASSED]}/{claimed}" if claimed else "-"


def _failure(status: str, outcome: Outcome, around: Surroundings) -> list[str]:
    case = outcome.case
    lines = [f"{status.upper()} {case.id}", f"  {case.sentence}"]
    for name in case.spec[:_SHOWN_RULES]:
        text = around.rules.get(name, "").splitlines()
        lines += [f"  {name}", *(f"    > {line}" for line in text)]
    lines += [f"  {name}" for name in case.spec[_SHOWN_RULES:]]
    if outcome.phase:
        lines.append(f"  # {outcome.phase}")
    lines.append(f"  {os.path.relpath(case.path)}:{outcome.line}")
    message = outcome.message.splitlines() or [""]
    lines += [f"    expected  {outcome.source}", f"    got       {message[0]}"]
    lines += [f"              {line}" for line in message[1:]]
    lines += [f"    | {line}" for line in outcome.shown.splitlines()]
    if outcome.kept:
        lines.append(f"  kept: {outcome.kept}")
    if not case.id.startswith("smoke/"):
        lines.append(f"  alone: {shlex.join([*around.command, case.id])}")
    return [*lines, ""]


def _table(verdict: Verdict) -> list[str]:
    found = counts(verdict)
    lines = []
    for level in LEVELS:
        row = found[level]
        if any(row.values()):
            lines.append(
                f"{level:10}" + ", ".join(f"{row[status]} {status}" for status in _ORDER if row[status])
            )
    total = {status: sum(found[level][status] for level in LEVELS) for status in _ORDER}
    shown = ", ".join(f"{total[status]} {status}" for status in _ORDER if total[status])
    return [*lines, f"{'total':10}{shown or 'nothing'}"]
