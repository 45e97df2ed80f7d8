"""`bramble init [DIR] [--template NAME] [--module] [--dry-run]`, `bramble init --list`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import print_json, say
from bramble.commands.init import TEMPLATES, Created, init


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    parser.add_argument(
        "where",
        nargs="?",
        default=".",
        metavar="DIR",
        help="where (default: here); existing files are not changed",
    )
    parser.add_argument(
        "--template",
        default="hello",
        metavar="NAME",
        help=f"what to start from (default: hello): {', '.join(sorted(TEMPLATES))}",
    )
    parser.add_argument(
        "--module",
        action="store_true",
        help="add a module to the project around DIR, and make no new project",
    )
    parser.add_argument("--list", action="store_true", help="list the templates, and do nothing else")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be written, and write nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Create the project and say what comes next."""
    if arguments.list:
        _list(as_json=arguments.json)
        return 0
    setting = read_setting(os.environ, arguments.directory, store_of=arguments.store_of)
    directory = os.path.normpath(os.path.join(setting.cwd, arguments.where))
    created = init(directory, arguments.template, module=arguments.module, dry_run=arguments.dry_run)
    if arguments.json:
        print_json(
            {
                "version": 1,
                "template": arguments.template,
                "directory": created.directory,
                "files": list(created.files),
                "left": list(created.left),
                "project": created.project,
                "next": list(created.following),
            }
        )
        return 0
    for name in created.files:
        print(_shown(arguments, name))
    sys.stdout.flush()  # where both go into one file, what comes next is below what was made
    for line in _remarks(created, arguments):
        say(line)
    return 0


def _list(*, as_json: bool) -> None:
    if as_json:
        entries = [
            {"name": name, "summary": template.summary, "files": list(template.files)}
            for name, template in TEMPLATES.items()
        ]
        print_json({"version": 1, "templates": entries})
        return
    for name, template in TEMPLATES.items():
        print(f"{name:8}  {template.summary}")


def _remarks(created: Created, arguments: argparse.Namespace) -> list[str]:
    lines = [f"not changed: {_shown(arguments, name)}" for name in created.left]
    if created.following and arguments.dry_run:
        return [*lines, "nothing was written (--dry-run)"]
    if not created.following:
        tense = "would not be" if arguments.dry_run else "was not"
        lines.append(
            f"the functions of the template are in its default.bramble, which {tense} written: "
            f"to have them, name another directory: init --module --template {arguments.template} DIR"
        )
        return [*lines, "nothing was written (--dry-run)"] if arguments.dry_run else lines
    options = [
        *(["-C", arguments.directory] if arguments.directory and arguments.where == "." else []),
        *(["-C", _joined(arguments)] if arguments.where != "." else []),
    ]
    words = " ".join(shlex.quote(word) for word in (*options, *created.following))
    return [*lines, f"now try: {_own_command()} {words}"]


def _shown(arguments: argparse.Namespace, name: str) -> str:
    return os.path.normpath(os.path.join(arguments.where, name))


def _joined(arguments: argparse.Namespace) -> str:
    return os.path.normpath(os.path.join(arguments.directory or "", arguments.where))


def _own_command() -> str:
    """Return how this program was called, as it can be called again from the same directory."""
    program = sys.argv[0]
    if os.path.basename(program) == "__main__.py":
        return "python3 -m bramble"
    if os.path.basename(program) == "bramble" and not os.path.isdir(program):
        return "bramble"
    runs = os.path.isfile(program) and os.access(program, os.X_OK)
    return shlex.quote(program) if runs else f"python3 -I {shlex.quote(program)}"
