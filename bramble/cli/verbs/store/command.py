"""`bramble store …`: a command with subcommands."""

from __future__ import annotations

import argparse
import importlib
import os
from typing import Any

from bramble.cli.environment import Surface, read_setting
from bramble.commands.context.setting import Setting

_QUESTIONS = "bramble.cli.verbs.store.questions"
_DEEDS = "bramble.cli.verbs.store.deeds"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the commands of `store`."""
    commands = parser.add_subparsers(dest="deed", required=True, metavar="COMMAND")

    def add(name: str, module: str, summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_argument("--json", action="store_true", help="print the result as JSON")
        command.set_defaults(module=module, function=name.replace("-", "_"))
        return command

    objects = "an object: a path, a name, the beginning of one, or a target that was built"
    add("path", _QUESTIONS, "print where the store is, or where an object is").add_argument(
        "object", nargs="?", metavar="OBJECT", help=objects
    )
    add(
        "hash", _QUESTIONS, "print the digest of the archive of a directory, with its modes as they are"
    ).add_argument("tree", metavar="DIR")
    for name, summary in (
        ("references", "print what an object refers to"),
        ("referrers", "print what refers to an object"),
    ):
        add(name, _QUESTIONS, summary).add_argument("object", metavar="OBJECT", help=objects)
    closure = add("closure", _QUESTIONS, "print objects and everything that they need")
    closure.add_argument("objects", nargs="+", metavar="OBJECT", help=objects)
    closure.add_argument("--size", action="store_true", help="print the size of each object and the total")
    closure.add_argument("--tree", action="store_true", help="print a tree of references")
    why = add("why", _QUESTIONS, "show the file and the bytes in which one object refers to another")
    why.add_argument("holder", metavar="A", help=objects)
    why.add_argument("held", metavar="B", help=objects)
    difference = add("diff", _QUESTIONS, "show the differences between two closures")
    difference.add_argument("before", metavar="A", help=objects)
    difference.add_argument("after", metavar="B", help=objects)
    verify = add("verify", _DEEDS, "read objects and compare their content with their names")
    verify.add_argument("objects", nargs="*", metavar="OBJECT", help=objects + " (default: everything)")
    verify.add_argument("--repair", action="store_true", help="build damaged objects again")
    export = add("export", _DEEDS, "write objects and everything that they need to standard output")
    export.add_argument("objects", nargs="+", metavar="OBJECT", help=objects)
    export.add_argument(
        "--alone", action="store_true", help="write only these objects, without what they need"
    )
    add("import", _DEEDS, "read objects from standard input")
    add("optimise", _DEEDS, "replace equal files by hard links, to save space")
    delete = add("delete", _DEEDS, "delete objects that nothing needs")
    delete.add_argument("objects", nargs="+", metavar="OBJECT", help=objects)
    summary = "keep objects from garbage collection"
    root = commands.add_parser("root", help=summary, description=summary, allow_abbrev=False)
    root.set_defaults(module=_DEEDS, function="root", action="list")
    root.add_argument("--json", action="store_true", help="print what is kept as JSON")
    actions = root.add_subparsers(dest="action", metavar="ACTION")
    for name, summary in (
        ("add", "keep objects under a label"),
        ("remove", "forget a label"),
        ("list", "print what is kept"),
    ):
        action = actions.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        # Without a default here, which would override an option before the action.
        action.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="print what is kept afterwards as JSON",
        )
        if name != "list":
            action.add_argument("label", metavar="LABEL", help="any text")
        if name == "add":
            action.add_argument("objects", nargs="+", metavar="OBJECT", help=objects)
    add("relocate", _DEEDS, "make a moved store valid at its new path")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Find the deed and do it."""
    module: Any = importlib.import_module(arguments.module)
    setting: Setting = read_setting(
        os.environ, arguments.directory, store_of=arguments.store_of, vendor=arguments.vendor
    )
    # `import` cannot be the name of a function.
    status: int = getattr(module, f"do_{arguments.function}")(arguments, setting, surface)
    return status
