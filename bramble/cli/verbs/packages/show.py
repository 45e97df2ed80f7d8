"""`bramble show [options] NAME[@VERSION]`."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Sequence

from bramble.cli.environment import Surface
from bramble.cli.render import BOLD, harmless, on_one_line, paint, print_json
from bramble.cli.verbs.packages.common import add_asking, heard, setting_of
from bramble.commands.packages.showing import Function, Shown, show
from bramble.errors import BrambleError

_MOST = 8  # versions and dependents that are printed


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `show`."""
    parser.add_argument(
        "name", metavar="NAME", help="a package; NAME@VERSION for a version (default: its newest)"
    )
    add_asking(parser, what="all that is known of it")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print what a package is."""
    name, at, version = arguments.name.partition("@")
    if at and not version:
        raise BrambleError(
            "config.version",
            f"there is no version after the @ of {ascii(arguments.name)}",
            remedy="write it as in example.com/lib@1.2.0, or omit the @",
        )
    found = show(name, version[1:] if version.startswith("v") else version, setting_of(arguments), heard)
    if arguments.json:
        print_json(found.to_json())
        return 0
    for line in _lines(found, surface):
        print(line)
    return 0


def _lines(found: Shown, surface: Surface) -> Iterator[str]:
    # spec: registry.show
    told = found.documentation
    yield paint(on_one_line(f"{told.name} {told.version}"), BOLD, surface)
    if told.description:
        yield on_one_line(told.description)
    yield ""
    commit = next((one.commit for one in found.versions if one.version == told.version), "")
    rows = [
        ("registry" if found.is_registry else "repository", found.place),
        ("commit", commit),
        ("versions", _some([one.version for one in found.versions])),
        ("requires", ", ".join(f"{one.name} {one.version or one.rev}" for one in told.requires)),
        ("required by", _some(found.dependents)),
        ("host tools", ", ".join(told.impure)),
    ]
    for label, value in rows:
        if value:
            yield on_one_line(f"{label + ':':<12} {value}")
    for module in told.modules:
        yield ""
        yield harmless(f'load("{on_one_line(module.name)}")')
        if module.documentation:
            yield textwrap.indent(harmless(module.documentation), "  ")
        for function in module.functions:
            yield from _function(function)


def _function(function: Function) -> Iterator[str]:
    yield ""
    yield "  " + on_one_line(f"{function.name}({' '.join(function.parameters.split())})")
    if function.documentation:
        yield textwrap.indent(harmless(function.documentation), "      ")


def _some(words: Sequence[str]) -> str:
    more = len(words) - _MOST
    return ", ".join(words[:_MOST]) + (f" and {more} more" if more > 0 else "")
