"""`bramble help [NAME [COMMAND…]]`."""

from __future__ import annotations

import argparse

from bramble.cli.completion.described import inner_parsers
from bramble.cli.environment import Surface
from bramble.cli.table import TOPICS, VERBS
from bramble.cli.topics.texts import text
from bramble.cli.usage import unknown_command, unknown_subject


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the operands of `help`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a command or a topic (default: list them)")
    parser.add_argument("inner", nargs="*", metavar="COMMAND", help="a command of that command")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the help text of a command, the text of a topic, or what there is (spec: cli.help)."""
    if any(topic.name == arguments.name for topic in TOPICS):
        print(text(arguments.name), end="")
        return 0
    parser = arguments.parser_of(arguments.name)
    if parser is None:
        names = [entry.name for entry in (*VERBS, *TOPICS)]
        arguments.parser_of(None).refuse(unknown_subject(arguments.name, names))
    for word in arguments.inner:
        commands = inner_parsers(parser)
        if word not in commands:
            parser.refuse(unknown_command(parser.prog, word, commands))
        parser = commands[word]
    parser.print_help()
    return 0
