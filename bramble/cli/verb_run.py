"""`bramble run [options] TARGET [ARGUMENT…]`."""

from __future__ import annotations

import argparse

from bramble.cli.building import add_build_options, build_shown, evaluate_words, setting_of
from bramble.cli.environment import Surface
from bramble.cli.explaining import print_explanation
from bramble.cli.render import say
from bramble.commands.build import Limits
from bramble.commands.run import RunChoices, explain, run_attached, run_request, run_spec


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.add_argument("target", metavar="TARGET", help="./path:function or module:function")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="the program and its arguments"
    )
    for name, effect in (
        ("paths", "the program may write here (default: the project)"),
        ("read_only_paths", "the program may read here"),
        ("hidden_paths", "the program sees nothing here"),
    ):
        parser.add_argument(
            f"--{name}",
            f"--{name.replace('_', '-')}",
            action="append",
            metavar="PATH",
            help=f"{effect}; repeatable",
        )
    parser.add_argument("--network", action="store_true", help="let the program use the network")
    parser.add_argument("--nesting", action="store_true", help="let the program make sandboxes of its own")
    parser.add_argument("--explain", action="store_true", help="print the sandbox in words and run nothing")
    parser.add_argument("--json", action="store_true", help="with --explain: as JSON")
    add_build_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Build, run, and return the program's exit status."""
    setting = setting_of(arguments)
    evaluated = evaluate_words([arguments.target], setting)
    request = run_request(evaluated)
    result, status = build_shown(evaluated, setting, arguments, surface, name_cached=False)
    if status:
        return status
    choices = RunChoices(
        arguments=tuple(arguments.arguments),
        paths=_given(arguments.paths),
        read_only_paths=_given(arguments.read_only_paths),
        hidden_paths=_given(arguments.hidden_paths),
        network=arguments.network,
        nesting=arguments.nesting,
        rung=arguments.sandbox,
        terminal=surface.attached,
        limits=Limits(memory=arguments.memory, processes=arguments.processes),
    )
    spec = run_spec(evaluated, result, request, choices, setting)
    if arguments.explain:
        print_explanation(explain(spec), as_json=arguments.json)
        return 0
    if spec.rung != "namespaces":
        say(f"warning: running with --sandbox={spec.rung}, which protects less than namespaces")
    return run_attached(spec)


def _given(paths: list[str] | None) -> tuple[str, ...] | None:
    return None if paths is None else tuple(paths)
