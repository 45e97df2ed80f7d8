"""`bramble man DIR`."""

from __future__ import annotations

import argparse
import os

from bramble import __version__
from bramble.cli.environment import Surface
from bramble.cli.manual import pages
from bramble.cli.render import harmless, print_json
from bramble.commands.man import write_pages


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the operands of `man`."""
    parser.add_argument(
        "where", metavar="DIR", help="a directory for the pages; it is created if it does not exist"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Write the pages, and print where they are (spec: cli.man)."""
    directory = os.path.join(os.getcwd(), arguments.directory or "", arguments.where)
    written = write_pages(os.path.normpath(directory), pages(arguments.parser_of, __version__))
    if arguments.json:
        print_json({"version": 1, "files": written})
    else:
        for path in written:
            print(harmless(path))
    return 0
