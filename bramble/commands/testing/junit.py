"""The report of a test run as JUnit XML, which CI systems read. Pure.

The form is the one that they agree on: `testsuites`, one `testsuite` for the project, a `testcase` for each
test with `failure`, `error` (what it needs could not be built) or `skipped` in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from bramble.commands.testing.tests import FAILED, NOT_RUN, Outcome

# What XML 1.0 cannot hold in any form (section 2.2).
_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(project: str, outcomes: Sequence[Outcome]) -> str:
    """Return the document for the tests of one project, in their order; times are in seconds."""
    # spec: cli.test.junit
    failures = sum(one.result == FAILED and one.own for one in outcomes)
    errors = sum(one.result == FAILED and not one.own for one in outcomes)
    skipped = sum(one.result == NOT_RUN for one in outcomes)
    total = sum(one.seconds for one in outcomes)
    counts = f'tests="{len(outcomes)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    counts += f' time="{total:.3f}"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>"]
    lines.append(f"  <testsuite name={_quoted(project)} {counts}>")
    for one in outcomes:
        lines += _case(one)
    return "\n".join([*lines, "  </testsuite>", "</testsuites>", ""])


def _case(outcome: Outcome) -> list[str]:
    test = outcome.test
    module, _, function = test.target.rpartition(":")
    name = f"{function} {test.name.partition(' ')[2]}"
    head = f'    <testcase classname={_quoted(module)} name={_quoted(name)} time="{outcome.seconds:.3f}"'
    place = test.request.place
    if place is not None:
        head += f' file={_quoted(place.file)} line="{place.line or 1}"'
    if outcome.error is not None:
        kind = "failure" if outcome.own else "error"
        error = outcome.error
        attributes = f"message={_quoted(error.message)} type={_quoted(error.code)}"
        log = escape(_held(outcome.log.decode("utf-8", "backslashreplace")))
        return [f"{head}>", f"      <{kind} {attributes}>{log}</{kind}>", "    </testcase>"]
    if outcome.result == NOT_RUN:
        return [f"{head}>", "      <skipped/>", "    </testcase>"]
    return [f"{head}/>"]


def _held(text: str) -> str:
    return _NO_CHARACTER.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _quoted(text: str) -> str:
    return quoteattr(_held(text))
