"""A run's outcomes for other programs: JUnit XML, TAP, one JSON document; and the cases themselves as JSON.

Pure: from verdicts to text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from conformance import VERSION
from conformance.casefile import LEVELS, Case, Chunk
from conformance.outcome import BROKEN, FAILED, NOT_RUN, PASSED, UNCLAIMED
from conformance.places import specification_version
from conformance.report import EXPECTED, Verdict, counts

# What XML 1.0 does not let a document hold.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(
    verdict: Verdict, claimed: Sequence[str], capabilities: Collection[str], *, seed: str, codes: bool
) -> dict[str, Any]:
    """Return the report as a document of version 1."""
    # spec: conformance.report
    return {
        "version": 1,
        "suite": VERSION,
        "specification": specification_version(),
        "good": verdict.good,
        "claimed": list(claimed),
        "capabilities": sorted(capabilities),
        "codes": codes,
        "seed": seed,
        "counts": counts(verdict),
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


def as_junit(verdict: Verdict) -> str:
    """Return the report as JUnit XML: a suite for each level, a class for each file of cases."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for level in LEVELS:
        outcomes = [outcome for outcome in verdict.outcomes if outcome.case.level == level]
        if not outcomes:
            continue
        statuses = [verdict.statuses[outcome.case.id] for outcome in outcomes]
        skipped = sum(status in (UNCLAIMED, NOT_RUN, EXPECTED) for status in statuses)
        lines.append(
            f'<testsuite name="{level}" tests="{len(outcomes)}" failures="{statuses.count(FAILED)}" '
            f'errors="{statuses.count(BROKEN)}" skipped="{skipped}">'
        )
        for outcome, status in zip(outcomes, statuses):
            place, _, number = outcome.case.id.partition(":")
            name = f"{number + ': ' if number else ''}{outcome.case.sentence}"
            head = f"<testcase classname={_attribute(place)} name={_attribute(name)}"
            body = _junit_body(status, outcome.message, outcome.shown)
            lines.append(f'{head} time="{outcome.seconds:.4f}">{body}</testcase>')
        lines.append("</testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _junit_body(status: str, message: str, shown: str) -> str:
    if status == PASSED:
        return ""
    if status in (FAILED, BROKEN):
        kind = "failure" if status == FAILED else "error"
        return f"<{kind} message={_attribute(message)}>{escape(_xml(shown))}</{kind}>"
    return f"<skipped message={_attribute(f'{status}: {message}' if message else status)}/>"


def _attribute(text: str) -> str:
    return quoteattr(_xml(text))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def as_tap(verdict: Verdict) -> str:
    """Return the report in the Test Anything Protocol, version 13."""
    lines = ["TAP version 13", f"1..{len(verdict.outcomes)}"]
    for number, outcome in enumerate(verdict.outcomes, 1):
        status = verdict.statuses[outcome.case.id]
        good = status in (PASSED, UNCLAIMED)
        # A `#` in a description would begin a directive.
        name = f"{outcome.case.id} {outcome.case.sentence}".replace("\\", "\\\\").replace("#", "\\#")
        directive = {
            UNCLAIMED: " # SKIP not claimed",
            NOT_RUN: " # SKIP not run",
            EXPECTED: " # todo known to fail",
        }
        lines.append(f"{'ok' if good else 'not ok'} {number} - {name}{directive.get(status, '')}")
        if status in (FAILED, BROKEN):
            lines += [f"# {line}" for line in outcome.message.splitlines()]
    return "\n".join(lines) + "\n"


def cases_as_json(cases: Sequence[Case]) -> dict[str, Any]:
    """Return cases as a document of version 1, for runners of others: what they say, and their files."""
    # spec: conformance.dump
    return {
        "version": 1,
        "suite": VERSION,
        "specification": specification_version(),
        "cases": [_case(case) for case in cases],
    }


def _case(case: Case) -> dict[str, Any]:
    head = {
        "id": case.id,
        "sentence": case.sentence,
        "spec": list(case.spec),
        "level": case.level,
        "need": list(case.need),
    }
    if isinstance(case, Chunk):
        first = len(case.source) - len(case.source.lstrip("\n"))
        errors = [{"line": e.line - first, "column": e.column, "code": e.code} for e in case.errors]
        return {**head, "allow": list(case.allow), "source": case.source.lstrip("\n"), "errors": errors}
    steps = [{"line": step.line, "step": step.source.strip()} for step in case.steps]
    files = {section.name: section.content for section in case.sections}
    return {**head, "audit": case.audit, "steps": steps, "files": files}
