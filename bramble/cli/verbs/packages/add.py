"""`bramble add [options] NAME[@VERSION]…`."""

from __future__ import annotations

import argparse

from bramble.cli.environment import Surface
from bramble.cli.render import on_one_line, print_json
from bramble.cli.verbs.packages.common import (
    NONE,
    add_options,
    change_as_json,
    entry,
    heard,
    print_steps,
    setting_of,
    warn,
)
from bramble.commands.packages.adding import Added, add
from bramble.commands.packages.changing import requirers


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `add`."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a package; NAME@VERSION for a version, NAME@latest, or a branch, a tag or a commit "
        "(default: its newest version)",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--git", metavar="URL", help="its repository, if NAME is not the address of it")
    place.add_argument("--path", metavar="DIR", help="use the project in DIR, and its name")
    add_options(parser, changes=True, what="what changed")
    parser.set_defaults(refuse=parser.error)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Add packages, and say what that has brought."""
    if not arguments.names and arguments.path is None:
        arguments.refuse("a package is missing, as in: bramble add example.com/lib")
    if len(arguments.names) > 1 and (arguments.path is not None or arguments.git):
        arguments.refuse("--git and --path are for one package at a time")
    added = add(
        arguments.names,
        setting_of(arguments),
        heard,
        git=arguments.git or "",
        path=arguments.path,
        dry_run=arguments.dry_run,
    )
    warn(added.warnings, surface)
    if arguments.json:
        print_json(change_as_json(added.change, added.warnings))
        return 0
    for name in added.names:
        print(on_one_line(_line(added, name)))
    print_steps(added.change, added.names)
    if arguments.dry_run:
        print(NONE)
    return 0


def _line(added: Added, name: str) -> str:
    change = added.change
    before, after = change.before.get(name), change.project.config.dependencies[name]
    used = change.resolution.selection.meant(None, name)
    required = entry(after)
    if before == after:
        said = f"{name} {required} is required already"
    elif before is None:
        said = f"added {name} {required}"
    else:
        said = f"{name} {entry(before)} → {required}"
    count = added.brought(name)
    if count and before != after:
        said += f" (and {count} that it requires)"
    if used is not None and after.version and str(used.version) != after.version:
        said += f"; {used.version} is used, required by {' and '.join(requirers(change.resolution, used))}"
    return said
