"""`bramble outdated [options]`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bramble.cli.environment import Surface
from bramble.cli.layout import columns
from bramble.cli.render import on_one_line, print_json
from bramble.cli.verbs.packages.common import add_options, heard, setting_of, warn
from bramble.commands.packages.updating import Outdated, outdated

_HEAD = ("package", "required", "used", "newest of its MAJOR", "newest")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `outdated`."""
    parser.add_argument("--all", action="store_true", help="also list what is up to date")
    add_options(parser, changes=False, what="all packages that bramble.toml requires")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print the newer versions of each package; the exit status is 0 also if there are some."""
    rows, warnings = outdated(setting_of(arguments), heard)
    warn(warnings, surface)
    if arguments.json:
        # spec: packages.outdated
        packages = []
        for one in rows:
            fields = {**one._asdict(), "commit": one.commit or None}
            fields["from"] = fields.pop("source")
            packages.append(fields)
        print_json({"version": 1, "packages": packages, "warnings": list(warnings)})
        return 0
    shown = [one for one in rows if arguments.all or one.is_outdated]
    if shown:
        for line in _table([_HEAD, *map(_cells, shown)]):
            print(line)
    if not any(one.is_outdated for one in rows):
        print(f"everything that bramble.toml requires is up to date ({len(rows)} packages)")
    return 0


def _cells(one: Outdated) -> tuple[str, ...]:
    if not one.commit:
        return one.name, one.required, one.used, one.newest, one.newest_of_all
    return one.name, one.required[:12], one.commit[:12], one.newest[:12], one.newest_of_all


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    cells = [[on_one_line(cell) for cell in row] for row in rows]
    widths = [max(columns(row[at]) for row in cells) for at in range(len(cells[0]))]
    return [
        "  ".join(cell + " " * (width - columns(cell)) for cell, width in zip(row, widths)).rstrip()
        for row in cells
    ]
