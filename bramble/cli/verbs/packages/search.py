"""`bramble search [options] WORD…`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bramble.cli.environment import Surface
from bramble.cli.layout import columns
from bramble.cli.render import DIM, on_one_line, paint, print_json, say
from bramble.cli.verbs.packages.common import add_asking, heard, setting_of
from bramble.commands.packages.searching import Hit, search

_WIDEST = 60  # columns for names; a longer one pushes its description away


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `search`."""
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="part of a name or a description (default: all packages)"
    )
    add_asking(parser, what="what was found")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the packages that were found; the exit status is 0 also if there are none."""
    found = search(arguments.words, setting_of(arguments), heard)
    if arguments.json:
        # spec: registry.search.json
        packages = [{**one.package._asdict(), "registry": one.registry} for one in found]
        print_json({"version": 1, "packages": packages})
    elif found:
        _print(found, surface)
    else:
        say("no package of your registries has all of these words in its name or description")
    return 0


def _print(found: Sequence[Hit], surface: Surface) -> None:
    heads = [on_one_line(f"{one.package.name} {one.package.newest}") for one in found]
    width = min(max(map(columns, heads)), _WIDEST)
    for head, one in zip(heads, found):
        gap = " " * max(width - columns(head), 0)
        told = on_one_line(one.package.description)
        print(f"{head}{gap}  {paint(told, DIM, surface)}" if told else head)
