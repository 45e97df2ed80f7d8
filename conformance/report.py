"""What a run of the suite says at its end: for people, and as one JSON document.

An exit status is 0 or 1 and never a count; what was not claimed is named and
counted apart, and never as passed (spec: conformance.report).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.casefile import LEVELS
from conformance.outcome import ACCEPTED, BROKEN, FAILED, PASSED, UNCLAIMED, Outcome

EXPECTED = "expected failure"
_ORDER = (PASSED, EXPECTED, UNCLAIMED, ACCEPTED, FAILED, BROKEN)


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
        bad = {FAILED, BROKEN, ACCEPTED}
        # A run in which everything was left unclaimed has shown nothing.
        return (
            not bad & set(self.statuses.values())
            and not self.unexpected_passes
            and not self.unmatched
            and any(status in (PASSED, EXPECTED) for status in self.statuses.values())
        )


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


def as_text(verdict: Verdict, *, verbose: bool = False) -> str:
    """Return the report for people: every case that did not pass, then a table of the levels."""
    lines: list[str] = []
    for outcome in verdict.outcomes:
        status = verdict.statuses[outcome.case.id]
        if status in (FAILED, BROKEN):
            lines += _failure(status, outcome)
        elif status == UNCLAIMED and verbose:
            lines.append(f"not claimed  {outcome.case.id}: it needs {outcome.message}")
        elif status == ACCEPTED:
            lines.append(f"accepted     {outcome.case.id}: {len(outcome.edits)} expectations rewritten")
        elif verbose:
            lines.append(f"{status:12} {outcome.case.id} ({outcome.seconds:.2f} s)")
    lines += [
        f"unexpected pass: {name} stands in the list of expected failures"
        for name in verdict.unexpected_passes
    ]
    lines += [f"unmatched: no case of this run is called {name}" for name in verdict.unmatched]
    lines += _table(verdict)
    return "\n".join(lines) + "\n"


def _failure(status: str, outcome: Outcome) -> list[str]:
    case = outcome.case
    lines = [f"{status.upper()} {case.id}", f"  {case.sentence}", f"  {', '.join(case.spec)}"]
    if outcome.phase:
        lines.append(f"  # {outcome.phase}")
    lines.append(f"  {os.path.relpath(case.path)}:{outcome.line}: {outcome.source}")
    lines += [f"    {line}" for line in outcome.message.splitlines()]
    lines += [f"    | {line}" for line in outcome.shown.splitlines()]
    return [*lines, ""]


def _table(verdict: Verdict) -> list[str]:
    counts = _counts(verdict)
    lines = []
    for level in LEVELS:
        row = counts[level]
        if any(row.values()):
            lines.append(
                f"{level:10}" + ", ".join(f"{row[status]} {status}" for status in _ORDER if row[status])
            )
    total = {status: sum(counts[level][status] for level in LEVELS) for status in _ORDER}
    shown = ", ".join(f"{total[status]} {status}" for status in _ORDER if total[status])
    return [*lines, f"{'total':10}{shown or 'nothing'}"]


def _counts(verdict: Verdict) -> dict[str, dict[str, int]]:
    counts = {level: dict.fromkeys(_ORDER, 0) for level in LEVELS}
    for outcome in verdict.outcomes:
        counts[outcome.case.level][verdict.statuses[outcome.case.id]] += 1
    return counts


def as_json(verdict: Verdict, claimed: Sequence[str], capabilities: Collection[str]) -> dict[str, Any]:
    """Return the report as a document of version 1."""
    return {
        "version": 1,
        "good": verdict.good,
        "claimed": list(claimed),
        "capabilities": sorted(capabilities),
        "counts": _counts(verdict),
        "unexpected_passes": list(verdict.unexpected_passes),
        "unmatched": list(verdict.unmatched),
        "cases": [
            {
                "id": outcome.case.id,
                "sentence": outcome.case.sentence,
                "spec": list(outcome.case.spec),
                "level": outcome.case.level,
                "status": verdict.statuses[outcome.case.id],
                "seconds": round(outcome.seconds, 4),
                "at": f"{outcome.case.path}:{outcome.line or outcome.case.line}",
                "message": outcome.message,
            }
            for outcome in verdict.outcomes
        ],
    }
