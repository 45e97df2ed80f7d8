"""`bramble init [DIR] [--template NAME]`."""

from __future__ import annotations

import argparse
import os

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import print_json, say
from bramble.commands.init import TEMPLATES, init


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    parser.add_argument("where", nargs="?", default=".", metavar="DIR", help="where (default: here)")
    parser.add_argument(
        "--template",
        default="hello",
        metavar="NAME",
        help=f"what to start from: {', '.join(sorted(TEMPLATES))}",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Create the project and say what comes next."""
    setting = read_setting(os.environ, arguments.directory, store_of=arguments.store_of)
    created = init(os.path.normpath(os.path.join(setting.cwd, arguments.where)), arguments.template)
    if arguments.json:
        print_json({"version": 1, "directory": created.directory, "files": list(created.files)})
        return 0
    for name in created.files:
        print(os.path.normpath(os.path.join(arguments.where, name)))
    there = "" if arguments.where == "." else f" -C {arguments.where}"
    say(f"now try: bramble{there} run ./:hello_world say-hello-world")
    return 0
