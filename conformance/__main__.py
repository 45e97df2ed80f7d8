"""The command: `python3 -m conformance --impl "COMMAND" [options] [CASE…]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Optional

from conformance import report, runner, trace
from conformance.casefile import LEVELS
from conformance.outcome import FAILED, PASSED, Outcome
from conformance.session import CannotRun, implementation


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # Statuses are 0 and 1 here, nothing else.
        raise runner.BadSuite([f"{message}; see --help"])


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the suite, or show its traceability; return 0 where all is well and 1 otherwise."""
    try:
        options = _options(arguments)
        if options.trace:
            return trace.main(options.json)
        if options.list:
            for case in runner.choose(runner.load(), options.case):
                print(f"{case.id}  {case.level}  {case.sentence}")
            return 0
        return _run(options)
    except runner.BadSuite as problem:
        for line in problem.problems:
            print(f"conformance: {line}", file=sys.stderr)
    except CannotRun as problem:
        print(f"conformance: {problem}", file=sys.stderr)
    return 1


def _options(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = _Parser(
        prog="python3 -m conformance", description="Check an implementation against the specification."
    )
    parser.add_argument("--impl", metavar="COMMAND", help="how to call the implementation")
    parser.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="add to the environment"
    )
    parser.add_argument(
        "--level", metavar="LEVELS", default=",".join(LEVELS), help="what is claimed (default: all)"
    )
    parser.add_argument("--without", metavar="CAPABILITY", action="append", default=[], help="not claimed")
    parser.add_argument("--expect-fail", metavar="FILE", help="ids of cases that are known to fail")
    parser.add_argument("--accept", action="store_true", help="rewrite expected values; reported as accepted")
    parser.add_argument("--json", action="store_true", help="print the report as a JSON document")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=120.0, help="for one command")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1, help="cases at a time")
    parser.add_argument("--tmp", metavar="DIR", help="where to work; a short path")
    parser.add_argument("-v", "--verbose", action="store_true", help="name every case")
    parser.add_argument("--list", action="store_true", help="list the cases and run nothing")
    parser.add_argument("--trace", action="store_true", help="show which paragraphs have cases")
    parser.add_argument("case", nargs="*", metavar="CASE", help="an id, the beginning of one, or a path")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    if options.impl is None:
        raise runner.BadSuite(["--impl COMMAND names the implementation; see --help"])
    levels = [level.strip() for level in options.level.split(",") if level.strip()]
    unknown = [level for level in levels if level not in LEVELS]
    if unknown or not levels:
        raise runner.BadSuite([f"--level takes some of {', '.join(LEVELS)}; not {options.level!r}"])
    if options.jobs < 1:
        raise runner.BadSuite(["--jobs is at least 1"])
    environment = [_variable(text) for text in options.env]
    impl = implementation(options.impl, environment, options.timeout)
    capabilities = runner.claimed_capabilities(options.without)
    cases = runner.choose(runner.load(), options.case)
    expected = _expected_failures(options.expect_fail)
    outcomes = runner.run(
        cases,
        impl,
        levels=levels,
        capabilities=capabilities,
        accept=options.accept,
        jobs=options.jobs,
        parent=options.tmp,
        on_outcome=_dot if sys.stderr.isatty() and not options.json else _silent,
    )
    if options.accept:
        runner.apply_edits(edit for outcome in outcomes for edit in outcome.edits)
    verdict = report.judge(outcomes, expected)
    if options.json:
        print(json.dumps(report.as_json(verdict, levels, capabilities), indent=1))
    else:
        print(report.as_text(verdict, verbose=options.verbose), end="")
    return 0 if verdict.good else 1


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise runner.BadSuite([f"--env takes NAME=VALUE, not {text!r}"])
    return name, value


def _expected_failures(path: Optional[str]) -> frozenset[str]:
    if path is None:
        return frozenset()
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.partition("#")[0].strip() for line in file]
    except OSError as problem:
        raise runner.BadSuite([f"--expect-fail: {problem}"]) from None
    return frozenset(line for line in lines if line)


def _dot(outcome: Outcome) -> None:
    mark = {PASSED: ".", FAILED: "F"}.get(outcome.status, "-")
    print(mark, end="", file=sys.stderr, flush=True)


def _silent(outcome: Outcome) -> None:
    return


if __name__ == "__main__":
    sys.exit(main())
