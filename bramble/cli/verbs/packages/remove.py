"""`bramble remove [options] NAME…`."""

from __future__ import annotations

import argparse

from bramble.cli.environment import Surface
from bramble.cli.render import on_one_line, print_json
from bramble.cli.verbs.packages.common import (
    NONE,
    add_options,
    change_as_json,
    heard,
    print_steps,
    setting_of,
    warn,
)
from bramble.commands.packages.removing import Removed, remove


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `remove`."""
    parser.add_argument("names", nargs="+", metavar="DEPENDENCY", help="a package that bramble.toml requires")
    add_options(parser, changes=True, what="what changed")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Remove packages, and say who still loads them."""
    removed = remove(arguments.names, setting_of(arguments), heard, dry_run=arguments.dry_run)
    warnings = _warnings(removed)
    warn(warnings, surface)
    if arguments.json:
        print_json(change_as_json(removed.change, warnings))
        return 0
    for name in removed.names:
        still = removed.still_used(name)
        used = f"; {' and '.join(still)} is still used: see bramble deps --why {name}" if still else ""
        print(on_one_line(f"removed {name}{used}"))
    print_steps(removed.change, removed.names)
    if arguments.dry_run:
        print(NONE)
    return 0


def _warnings(removed: Removed) -> list[str]:
    # spec: packages.remove
    return [
        f'{load.place}: "{load.module}" is still loaded, which fails from now on' for load in removed.loads
    ]
