"""`bramble test [options] [TARGET…]`."""

from __future__ import annotations

import argparse
import functools
import importlib
import os
from typing import Any

from bramble.cli.building import (
    add_build_options,
    build_shown,
    evaluate_words,
    print_passed_over,
    setting_of,
)
from bramble.cli.environment import Surface
from bramble.cli.render import harmless, print_json, say
from bramble.commands.context.evaluation import Evaluated, refuse_other_projects
from bramble.commands.context.written import check_writable, write_file
from bramble.commands.testing.junit import junit
from bramble.commands.testing.tests import (
    FAILED,
    Heard,
    Outcome,
    Test,
    as_targets,
    demand_tests,
    outcome_json,
    outcomes,
    registered,
    run_tests,
    selected,
    summary,
    test_json,
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `test`."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="./path:function, ./path or ./path/... (default: ./...)",
    )
    parser.add_argument(
        "-k",
        dest="patterns",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only tests whose names contain PATTERN, or match it if it has *, ? or [; repeatable",
    )
    parser.add_argument("--list", action="store_true", help="list the tests, without running them")
    parser.add_argument("--force", action="store_true", help="also run tests again that have passed before")
    parser.add_argument(
        "--fail-fast", action="store_true", help="start no test after one has failed (default: run all)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--junit", metavar="FILE", help="also write the result as JUnit XML")
    add_build_options(parser, tests=True)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Evaluate, run the tests, and print what became of them."""
    setting = setting_of(arguments)
    arguments.keep_going = not arguments.fail_fast
    report = None if arguments.junit is None else os.path.join(setting.cwd, arguments.junit)
    if report is not None:
        check_writable(report, within=setting.cwd)
    recording = arguments.recording
    evaluated = evaluate_words(
        arguments.targets or ["./..."], setting, keep_going=True, reads=recording.reads
    )
    refuse_other_projects(evaluated)
    tests = registered(evaluated)
    demand_tests(evaluated, tests, arguments.targets)
    tests = selected(tests, arguments.patterns)
    if arguments.list:
        _print_list(tests, arguments.json)
        return print_passed_over(evaluated, surface)
    if not tests and evaluated.evaluation.errors and not arguments.json:
        return print_passed_over(evaluated, surface)
    # It is for tests, and not for what they need.
    seconds, arguments.timeout = arguments.timeout, None
    heard = Heard()
    asked = as_targets(evaluated, tests)
    build = functools.partial(run_tests, asked, tests, heard, seconds=seconds, force=arguments.force)
    result, status = build_shown(asked, setting, arguments, surface, build=build)
    found = outcomes(tests, heard, result)
    for outcome in found:
        if outcome.result == FAILED and not outcome.own and not arguments.quiet:
            say(f"✘ {harmless(outcome.test.name)} (what it needs could not be built)")
    if not tests and not evaluated.evaluation.errors and not arguments.quiet:
        say("there are no tests: no function calls test(derivation, args)")
        say("  call it in a function: test(std.check(…)); see: bramble help builtins")
    if report is not None:
        write_file(report, junit(evaluated.project.name, found).encode("utf-8"), within=setting.cwd)
    _print_outcomes(evaluated, found, arguments.json)
    if status == 0 and not result.built and _only_looked(arguments):
        # Loaded where there may be something to record.
        witnesses: Any = importlib.import_module("bramble.commands.context.witnesses")
        recording.changed_nothing(witnesses.note_build(recording.reads, asked, result, setting))
    return status


def _only_looked(arguments: argparse.Namespace) -> bool:
    """Return whether a run of tests that had all passed before has done nothing besides printing."""
    # spec: recall.commands
    return not any(
        (arguments.junit, arguments.force, arguments.trace, arguments.refresh, arguments.keep_failed)
    )


def _print_list(tests: tuple[Test, ...], as_json: bool) -> None:
    if as_json:
        print_json({"version": 1, "tests": [test_json(test) for test in tests]})
        return
    for test in tests:
        print(harmless(test.name))


def _print_outcomes(evaluated: Evaluated, found: tuple[Outcome, ...], as_json: bool) -> None:
    # spec: cli.test.summary
    if not as_json:
        print(summary(found))
        return
    results = [outcome.result for outcome in found]
    print_json(
        {
            "version": 1,
            "tests": [outcome_json(outcome) for outcome in found],
            **{name.replace("-", "_"): results.count(name) for name in ("passed", "failed", "not-run")},
            "errors": [error.to_json() for error in evaluated.evaluation.errors],
        }
    )
    say(summary(found))
