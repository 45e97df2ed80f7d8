"""`bramble shell [options] TARGET`."""

from __future__ import annotations

import argparse
import functools
import os
import shlex

from bramble.cli.building import add_build_options, build_shown, evaluate_words, setting_of
from bramble.cli.environment import Surface
from bramble.cli.render import on_one_line, say
from bramble.commands.shell import Opened, Wish, build_inputs, open_shell, shell_target, store_of
from bramble.errors import BrambleError

_SHOWN = 6  # names of inputs


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `shell`."""
    parser.add_argument("target", metavar="TARGET", help="./path:function")
    parser.add_argument(
        "--of", default="", metavar="NAME", help="a derivation that TARGET needs, by name or id"
    )
    parser.add_argument("-c", dest="command", metavar="COMMAND", help="run COMMAND there, and exit")
    parser.add_argument(
        "--with",
        dest="tools",
        action="append",
        default=[],
        metavar="TOOLS",
        help="programs of this machine at the end of PATH, such as 'ls less vi'",
    )
    parser.add_argument(
        "--failed", action="store_true", help="enter the directory that the last failed build left"
    )
    add_build_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Build what the target needs, and open its environment."""
    setting = setting_of(arguments)
    evaluated = evaluate_words([arguments.target], setting)
    tools = tuple(name for words in arguments.tools for name in words.replace(",", " ").split())
    if arguments.tools and not tools:
        raise BrambleError(
            "cli.usage", "--with names no program", remedy="bramble shell --with 'ls less' TARGET"
        )
    target = shell_target(evaluated, arguments.of, store_of(setting) if arguments.failed else None)
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
        say(
            f"warning: a shell with --sandbox={arguments.sandbox}, which protects less than the mode "
            "namespaces"
        )
    wish = Wish(
        rung=arguments.sandbox,
        terminal=surface.attached,
        failed=arguments.failed,
        command=arguments.command,
        tools=tools,
        pure=arguments.pure,
        network=arguments.build_network,
    )
    with open_shell(evaluated, target, result, setting, wish) as opened:
        if surface.attached and arguments.command is None:
            for line in _greeting(opened, arguments.failed, surface.width):
                say(line)
        return opened.run()


def _greeting(opened: Opened, failed: bool, width: int) -> list[str]:
    """Return the lines that are printed at the start: what this is, what is where, what the build runs."""
    # spec: cli.shell.greeting
    if failed:
        what = "what its failed build left; what you write stays"
    else:
        what = "the environment of its build; your changes are lost when you leave"
    outputs = " ".join(f"${output}" for output in opened.outputs)
    names = [on_one_line(name) for name in opened.inputs]
    inputs = ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
    runs = " ".join(map(shlex.quote, (os.path.basename(opened.runs[0]), *opened.runs[1:])))
    return [
        f"{on_one_line(opened.name)}: {what}{_guests(opened)}",
        f"  here: a copy of the sources; to be written: {outputs}; read-only: {inputs or 'nothing'}",
        f"  the build runs: {on_one_line(runs)}"[: max(width - 1, 40)],
    ]


def _guests(opened: Opened) -> str:
    """Return what of this machine is there beside what the build sees, in words."""
    guests = [on_one_line(name) for name in (opened.typed_in, *opened.brought) if name]
    return f" ({', '.join(dict.fromkeys(guests))}: of this machine, no part of the build)" if guests else ""
