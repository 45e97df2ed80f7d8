"""`bramble star [options] FILE…`."""

from __future__ import annotations

import argparse
import json
import os

from bramble.cli.environment import Surface, read_cache
from bramble.cli.evaluating import add_evaluation_options, limits_of
from bramble.cli.render import print_error, say
from bramble.commands.context.setting import EvaluationLimits
from bramble.commands.star import Dialect, run_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `star`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a Starlark file")
    parser.add_argument(
        "--each", action="store_true", help="run each file alone and print one JSON line for each"
    )
    parser.add_argument("--allow-recursion", action="store_true", help="functions may call themselves")
    parser.add_argument("--allow-while", action="store_true", help="while loops")
    parser.add_argument("--allow-global-reassign", action="store_true", help="globals may be assigned again")
    parser.add_argument(
        "--allow-toplevel-control", action="store_true", help="if, for and while outside functions"
    )
    add_evaluation_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Run the files; the exit status is 1 when one failed, but 0 with --each."""
    dialect = Dialect(
        recursion=arguments.allow_recursion,
        while_loops=arguments.allow_while,
        global_reassign=arguments.allow_global_reassign,
        toplevel_control=arguments.allow_toplevel_control,
    )
    limits = limits_of(arguments)
    cache = None if arguments.no_cache else read_cache(os.environ)
    status = 0
    for path in arguments.files:
        if arguments.each:
            _each(path, dialect, limits)
            continue
        error = run_file(path, dialect, say, limits, cache)
        if error is not None:
            print_error(error, surface)
            status = 1
    return status


def _each(path: str, dialect: Dialect, limits: EvaluationLimits) -> None:
    # spec: conformance.contract.batch
    printed: list[str] = []
    error = run_file(path, dialect, printed.append, limits)
    errors = () if error is None else (error, *error.others)
    line = {
        "file": path,
        "status": 1 if errors else 0,
        "errors": [one.to_json() for one in errors],
        "printed": printed,
    }
    print(json.dumps(line), flush=True)
