"""`bramble self …`: commands for Bramble's own file and source."""

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

    add("pack", _FILE, "pack this Bramble into one file").add_argument("out", metavar="OUT", help="the file")
    add("extract", _FILE, "write the source of this Bramble into a directory").add_argument(
        "out", metavar="DIR", help="a new or empty directory"
    )
    add("verify", _FILE, "compare a file with the digest that it names and with its source").add_argument(
        "file", nargs="?", metavar="FILE", help="default: the file that is running"
    )
    add(
        "release", _DEEDS, "write the one file, the wheel, the source distribution, and their checksums"
    ).add_argument("out", metavar="DIR", help="a directory; it is created if it does not exist")
    uninstall = add("uninstall", _DEEDS, "remove the cache, the grants and the history of this user")
    uninstall.add_argument(
        "--dry-run", action="store_true", help="print what would be removed, and remove nothing"
    )
    uninstall.add_argument("--yes", action="store_true", help="do not ask")
    uninstall.add_argument(
        "--store", action="store_true", help="also remove the store, with all results of builds"
    )
    build = add("build", _BUILD, "build Bramble with itself three times, and compare the results")
    build.add_argument("--nested", action="store_true", help="build the second stage in a sandbox")
    build.add_argument(
        "--python",
        metavar="PATH",
        type=_python3,
        help="the python3 of the first stage's build (default: the machine's)",
    )
    build.add_argument("out", nargs="?", metavar="DIR", help="keep everything in this new or empty directory")


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
