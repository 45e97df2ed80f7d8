"""`bramble update [options] [NAME…]`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

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
from bramble.commands.packages.updating import Updated, update


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `update`."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="DEPENDENCY",
        help="a package that bramble.toml requires (default: all of them)",
    )
    parser.add_argument("--major", action="store_true", help="also to versions of a later MAJOR")
    add_options(parser, changes=True, what="what changed")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Raise what is required, and say what was and is."""
    updated = update(
        arguments.names, setting_of(arguments), heard, major=arguments.major, dry_run=arguments.dry_run
    )
    warn(updated.warnings, surface)
    if arguments.json:
        # spec: packages.update.json
        pairs = {name: {"before": was, "after": now} for name, (was, now) in updated.revisions.items()}
        more = {"revisions": pairs, "later": dict(updated.later)}
        print_json({**change_as_json(updated.change, updated.warnings), **more})
        return 0
    for line in _lines(updated):
        print(on_one_line(line))
    print_steps(updated.change, [*updated.versions, *updated.revisions])
    if arguments.dry_run:
        print(NONE)
    return 0


def _lines(updated: Updated) -> Iterator[str]:
    # spec: packages.update
    for name, (was, now) in updated.versions.items():
        yield f"{name} {was} → {now}"
    for name, (was, now) in updated.revisions.items():
        yield f"{name} commit {was[:12]} → {now[:12]}"
    for name, why in updated.kept.items():
        yield f"{name} stays: {why}"
    if not (updated.versions or updated.revisions or updated.kept):
        yield "everything that bramble.toml requires is up to date"
    for name, version in updated.later.items():
        yield f"  there is {name} {version}: bramble update --major {name}"
