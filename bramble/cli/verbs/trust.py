"""`bramble trust list|grant|revoke`."""

from __future__ import annotations

import argparse
import os

from bramble.cli.building import evaluate_words
from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import on_one_line, print_json, say
from bramble.commands.run import wishes_of
from bramble.commands.trust import grant, grant_here, grants, revoke
from bramble.errors import BrambleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the deeds of `trust`."""
    parser.set_defaults(deed="list")
    parser.add_argument("--json", action="store_true", help="show what was granted as JSON")
    deeds = parser.add_subparsers(dest="deed", metavar="DEED")
    listing = deeds.add_parser("list", help="show what was granted")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as JSON")
    giving = deeds.add_parser("grant", help="allow what a target asks for from now on")
    giving.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="a target of `run`, or one that needs derivation_output builders",
    )
    giving.add_argument(
        "--path", metavar="DIR", help="allow the project to take a package from DIR, and nothing else"
    )
    taking = deeds.add_parser("revoke", help="revoke all grants of a project")
    taking.add_argument(
        "project",
        metavar="DIR",
        nargs="?",
        default=".",
        help="the directory of a project (default: .), or the name of a package or NAME@VERSION",
    )


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Do it and return the exit status."""
    setting = read_setting(os.environ, arguments.directory)
    if arguments.deed == "grant" and (arguments.target is None) == (arguments.path is None):
        raise BrambleError(
            "cli.usage",
            "trust grant needs either a TARGET or --path DIR",
            remedy="bramble trust grant ./:app",
        )
    if arguments.deed == "grant" and arguments.path is not None:
        wish = grant_here(arguments.path, setting)
        print(on_one_line(f"{wish.name} is allowed {', '.join(map(str, wish.items))}"))
    elif arguments.deed == "grant":
        evaluated = evaluate_words([arguments.target], setting)
        wishes = [wish for wish in wishes_of(evaluated) if wish.items]
        for wish in wishes:
            grant(wish, setting)
            for item in wish.items:
                print(on_one_line(f"{wish.owner or wish.name} is allowed {item}"))
        if not wishes:
            say(f"{arguments.target} asks for nothing that has to be granted")
    elif arguments.deed == "revoke":
        count = revoke(arguments.project, setting)
        print(f"{count} revoked")
        if not count:
            say(f"nothing is granted to {arguments.project}: bramble trust lists what is")
    elif arguments.json:
        print_json({"version": 1, "grants": [one.to_json() for one in grants(setting)]})
    else:
        for one in grants(setting):
            asker = f" (package {one.owner})" if one.owner else ""
            print(on_one_line(f"{one.directory} {one.name}{asker}: {', '.join(map(str, one.items))}"))
    return 0
