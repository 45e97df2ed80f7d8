"""The command: `python3 -m conformance --impl "COMMAND" [options] [CASE…]`."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn, Optional

from conformance import VERSION, claims, formats, pack, places, report, runner
from conformance.book import trace
from conformance.casefile import LEVELS, Case
from conformance.claims import BadSuite, Rules
from conformance.outcome import FAILED, PASSED, Outcome
from conformance.smoke import smoke
from conformance.world.session import CannotRun, implementation

_RULE_LINES = 8  # of a paragraph that a failure shows


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # Statuses are 0 and 1 here, nothing else.
        raise BadSuite([f"{message}; see --help"])


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the suite, or show what is in it; return 0 if all is well and 1 otherwise."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _carry_out(words)
        sys.stdout.flush()
        return status
    except BadSuite as problem:
        for line in problem.problems:
            print(f"conformance: {line}", file=sys.stderr)
    except CannotRun as problem:
        print(f"conformance: {problem}", file=sys.stderr)
    except KeyboardInterrupt:
        print("conformance: interrupted", file=sys.stderr)
    except BrokenPipeError:
        # The reader has seen enough. What is left in the buffer must not fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _carry_out(words: Sequence[str]) -> int:
    if words[:1] == ["pack"]:
        return pack.main(words[1:])
    options = _options(words)
    if options.trace:
        return trace.main(options.json)
    rules = Rules(
        claims.claimed_capabilities(options.without),
        accept=options.accept,
        seed=options.seed or secrets.token_hex(4),
        codes=options.codes == "on",
        keep=options.keep,
    )
    levels = claims.claimed_levels(options.level)
    cases = runner.choose(runner.load(), [*options.case, *options.only])
    if options.list or options.dump:
        return _show(runner.claimed(cases, levels, rules), options.dump)
    return _run(cases, levels, rules, options)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(words)
    if options.claims is None:
        return options
    # What the command line says holds over the file.
    return parser.parse_args([*claims.options_of(options.claims), *words])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python3 -m conformance",
        description="Check an implementation against the specification. `pack FILE` packs the suite.",
    )
    parser.add_argument("--version", action="version", version=_versions())
    asked = parser.add_argument_group("what to check")
    asked.add_argument("--impl", metavar="COMMAND", help="how to call the implementation")
    asked.add_argument(
        "--env", metavar="NAME=VALUE", action="append", default=[], help="add a variable to its environment"
    )
    asked.add_argument(
        "--claims", metavar="FILE", help="read options of this group from FILE, in lines KEY: VALUE"
    )
    asked.add_argument(
        "--level",
        metavar="LEVELS",
        default=",".join(LEVELS),
        help="the levels that are claimed (default: all)",
    )
    asked.add_argument("--without", metavar="CAPABILITY", action="append", default=[], help="not claimed")
    asked.add_argument(
        "--codes", choices=claims.CODES, default="on", help="off: compare phases and lines of errors only"
    )
    asked.add_argument(
        "--expect-fail", metavar="FILE", help="a file with the ids of cases that are known to fail"
    )
    asked.add_argument("--only", metavar="CASE", action="append", default=[], help="the same as CASE")
    asked.add_argument("case", nargs="*", metavar="CASE", help="an id, the beginning of one, or a path")
    how = parser.add_argument_group("how to run it")
    how.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count() or 1, help="run JOBS cases at the same time"
    )
    how.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=120.0, help="time limit of one command"
    )
    how.add_argument("--fail-fast", action="store_true", help="stop after the first failing case")
    how.add_argument(
        "--seed", metavar="TEXT", help="repeat the random choices of the run that printed this seed"
    )
    how.add_argument("--keep", action="store_true", help="keep the directories of failing cases")
    how.add_argument("--tmp", metavar="DIR", help="the working directory; a short path")
    how.add_argument("--accept", action="store_true", help="rewrite expected values; reported as accepted")
    shown = parser.add_argument_group("what to print")
    shown.add_argument("-v", "--verbose", action="store_true", help="name every case")
    shown.add_argument("--json", action="store_true", help="print the report as a JSON document")
    shown.add_argument("--tap", action="store_true", help="print the report as TAP")
    shown.add_argument("--junit", metavar="FILE", help="also write the report as JUnit XML")
    shown.add_argument("--list", action="store_true", help="list the chosen cases and run nothing")
    shown.add_argument("--dump", action="store_true", help="print the chosen cases as JSON and run nothing")
    shown.add_argument("--trace", action="store_true", help="show which paragraphs have cases")
    return parser


def _show(cases: Sequence[Case], dump: bool) -> int:
    if dump:
        print(json.dumps(formats.cases_as_json(cases), indent=1, ensure_ascii=False))
    else:
        for case in cases:
            print(f"{case.id}  {case.level}  {case.sentence}")
    return 0


def _run(cases: Sequence[Case], levels: Sequence[str], rules: Rules, options: argparse.Namespace) -> int:
    if options.impl is None:
        raise BadSuite(["--impl COMMAND names the implementation; see --help"])
    if options.jobs < 1:
        raise BadSuite(["--jobs is at least 1"])
    if not options.timeout > 0:
        raise BadSuite(["--timeout is more than 0 seconds"])
    if options.junit:
        _write(options.junit, "")  # before a long run, and not after it
    environment = [_variable(text) for text in options.env]
    expected = _expected_failures(options.expect_fail)
    quiet = options.json or options.tap or not sys.stderr.isatty()
    outcomes = runner.run(
        cases,
        implementation(options.impl, environment, options.timeout),
        rules,
        levels=levels,
        jobs=options.jobs,
        parent=options.tmp,
        first=smoke(rules.seed),
        fail_fast=options.fail_fast,
        on_outcome=_silent if quiet else _dot,
    )
    if rules.accept:
        runner.apply_edits(edit for outcome in outcomes for edit in outcome.edits)
    verdict = report.judge(outcomes, expected)
    if options.junit:
        _write(options.junit, formats.as_junit(verdict))
    if options.json:
        document = formats.as_json(verdict, levels, rules.capabilities, seed=rules.seed, codes=rules.codes)
        print(json.dumps(document, indent=1))
    elif options.tap:
        print(formats.as_tap(verdict), end="")
    else:
        if not quiet:
            print(file=sys.stderr)
        around = report.Surroundings(
            _command(options, rules), _rules(verdict), f"{_versions()}, seed {rules.seed}"
        )
        print(report.as_text(verdict, around, verbose=options.verbose), end="")
    return 0 if verdict.good else 1


def _command(options: argparse.Namespace, rules: Rules) -> list[str]:
    """Return the words that run the suite with the same claims and the same choices."""
    words = ["python3", "-m", "conformance", "--impl", options.impl, "--seed", rules.seed]
    for name in ("env", "without"):
        words += [word for value in getattr(options, name) for word in (f"--{name}", value)]
    return words if rules.codes else [*words, "--codes", "off"]


def _rules(verdict: report.Verdict) -> Mapping[str, str]:
    """Return the text of paragraphs, if one is to be shown."""
    if verdict.good or not os.path.isdir(places.SPEC):
        return {}
    return trace.texts(places.SPEC, _RULE_LINES)


def _versions() -> str:
    return f"suite {VERSION}, specification {places.specification_version() or 'not here'}"


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise BadSuite([f"{path}: {problem.strerror}"]) from None


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise BadSuite([f"--env takes NAME=VALUE, not {text!r}"])
    return name, value


def _expected_failures(path: Optional[str]) -> frozenset[str]:
    if path is None:
        return frozenset()
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.partition("#")[0].strip() for line in file]
    except OSError as problem:
        raise BadSuite([f"--expect-fail: {path}: {problem.strerror}"]) from None
    return frozenset(line for line in lines if line)


def _dot(outcome: Outcome) -> None:
    mark = {PASSED: ".", FAILED: "F"}.get(outcome.status, "-")
    print(mark, end="", file=sys.stderr, flush=True)


def _silent(outcome: Outcome) -> None:
    return


if __name__ == "__main__":
    # Whoever ends a run wants to see what it has found, and no directories that stay.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
