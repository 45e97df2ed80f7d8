"""`bramble shell [options] TARGET`."""

from __future__ import annotations

import argparse
import functools

from bramble.cli.building import add_build_options, build_shown, evaluate_words, setting_of
from bramble.cli.environment import Surface
from bramble.cli.render import say
from bramble.commands.shell import build_inputs, open_shell, shell_target


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `shell`."""
    parser.add_argument("target", metavar="TARGET", help="./path:function")
    parser.add_argument("--failed", action="store_true", help="enter what the last failed build left")
    add_build_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Build what the target needs, and open its environment."""
    setting = setting_of(arguments)
    evaluated = evaluate_words([arguments.target], setting)
    target = shell_target(evaluated)
    result, status = build_shown(
        evaluated,
        setting,
        arguments,
        surface,
        name_cached=False,
        build=functools.partial(build_inputs, evaluated, target),
    )
    if status:
        return status
    if arguments.sandbox != "namespaces":
        say(f"warning: a shell with --sandbox={arguments.sandbox}, which protects less than namespaces")
    if surface.attached:
        stays = "what a failed build left; what is written stays there"
        gone = "the environment of the build; what it writes is gone when the shell ends"
        say(stays if arguments.failed else gone)
    return open_shell(
        evaluated,
        target,
        result,
        setting,
        rung=arguments.sandbox,
        terminal=surface.attached,
        failed=arguments.failed,
    )
