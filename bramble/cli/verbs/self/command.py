"""`bramble self …`: what concerns Bramble's own file and source; a small command line of its own."""

from __future__ import annotations

import argparse
import importlib
import os
from typing import Any

from bramble.cli.environment import Surface

_FILE = "bramble.cli.verbs.self.file"
_DEEDS = "bramble.cli.verbs.self.deeds"
_BUILD = "bramble.cli.verbs.self.build"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `self`."""
    commands = parser.add_subparsers(dest="deed", required=True, metavar="COMMAND")

    def add(name: str, module: str, summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        command.set_defaults(module=module, function=name)
        return command

    add("pack", _FILE, "write this Bramble as one file").add_argument("out", metavar="OUT", help="the file")
    add("extract", _FILE, "lay out the source of this Bramble").add_argument(
        "out", metavar="DIR", help="a directory that is not there yet, or is empty"
    )
    add("verify", _FILE, "compare a file with the digest that it names, and with its source").add_argument(
        "file", nargs="?", metavar="FILE", help="default: the file that runs"
    )
    add(
        "release", _DEEDS, "write the one file, the wheel, the source distribution, and their sums"
    ).add_argument("out", metavar="DIR", help="a directory, which is made if it is not there")
    uninstall = add("uninstall", _DEEDS, "remove the cache, the grants and the history of this user")
    uninstall.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    uninstall.add_argument("--yes", action="store_true", help="remove it without a question")
    uninstall.add_argument("--store", action="store_true", help="the store, too, with all that was built")
    build = add("build", _BUILD, "let Bramble build itself three times, and compare")
    build.add_argument("--nested", action="store_true", help="build the second stage in a sandbox")
    build.add_argument(
        "--python",
        metavar="PATH",
        type=_python3,
        help="the python3 of the first stage's build (default: the machine's)",
    )
    build.add_argument(
        "out", nargs="?", metavar="DIR", help="keep all in a directory that is not there yet, or is empty"
    )


def _python3(word: str) -> str:
    # The later stages find it by this name.
    if not word.startswith("/") or os.path.basename(word) != "python3":
        raise argparse.ArgumentTypeError(f"{word!r} is not an absolute path that ends in /python3")
    return word


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Find the deed and do it."""
    module: Any = importlib.import_module(arguments.module)
    status: int = getattr(module, f"do_{arguments.function}")(arguments, surface)
    return status
