"""What the commands that evaluate have in common: the options that limit evaluation."""

from __future__ import annotations

import argparse
import os

from bramble.cli.environment import read_limits, read_setting
from bramble.cli.invocation import NO_CACHE
from bramble.cli.quantities import count, memory_bytes, seconds, target_name
from bramble.commands.context.setting import EvaluationLimits, Setting


def add_evaluation_options(parser: argparse.ArgumentParser, *, cached: bool = True) -> None:
    """Add the options of evaluation: what is built for, and its limits (spec: cli.target, cli.limits).

    `cached` commands keep something for the next time.
    """
    parser.add_argument(
        "--target",
        dest="built_for",
        type=target_name,
        metavar="X",
        help="let build files see X as sys.target (default: this machine's platform)",
    )
    if cached:
        parser.add_argument(
            NO_CACHE,
            action="store_true",
            help="do not read or write the cache of evaluation",
        )
    group = parser.add_argument_group("limits of evaluation")
    group.add_argument(
        "--eval-steps",
        type=count,
        metavar="N",
        help="end evaluation after N loop rounds and calls (slower)",
    )
    group.add_argument(
        "--eval-memory",
        type=memory_bytes,
        metavar="SIZE",
        help="end evaluation when the process is larger, such as 8G",
    )
    group.add_argument(
        "--eval-time",
        type=seconds,
        metavar="SECONDS",
        help="end evaluation after this processor time (default: 100)",
    )


def limits_of(arguments: argparse.Namespace) -> EvaluationLimits:
    """Return the limits that the options and the environment give."""
    return read_limits(os.environ, arguments.eval_steps, arguments.eval_memory, arguments.eval_time)


def evaluation_setting(arguments: argparse.Namespace) -> Setting:
    """Return the setting of a command that evaluates and does not build."""
    return read_setting(
        os.environ,
        arguments.directory,
        limits=limits_of(arguments),
        store_of=arguments.store_of,
        target=arguments.built_for or "",
        offline=getattr(arguments, "offline", False),
        cached=not arguments.no_cache,
        vendor=arguments.vendor,
    )
