"""What the commands about packages have in common: options, and how a change of dependencies is printed."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Iterable
from typing import Any, Optional

from bramble.cli.environment import Surface, read_setting
from bramble.cli.quantities import seconds
from bramble.cli.render import BOLD, RED, harmless, on_one_line, paint, say
from bramble.commands.context.setting import Setting
from bramble.commands.packages.changing import Change, Dependency, Release, Step
from bramble.commands.packages.explaining import shown

NONE = "nothing was written (--dry-run)"


def add_options(parser: argparse.ArgumentParser, *, changes: bool, what: str) -> None:
    """Add the options of a command about packages; `changes` if it writes bramble.toml."""
    if changes:
        parser.add_argument(
            "--dry-run", action="store_true", help="print what would change, and change neither file"
        )
    else:
        parser.add_argument("--locked", action="store_true", help="fail if bramble.lock would have to change")
    add_asking(parser, what=what)


def add_asking(parser: argparse.ArgumentParser, *, what: str) -> None:
    """Add the options of a command that asks registries and repositories; `what` is what it prints."""
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="give up on a repository that takes longer (default: 60 for a query, an hour for sources)",
    )
    parser.add_argument("--offline", action="store_true", help="use no network")
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON")


def setting_of(arguments: argparse.Namespace) -> Setting:
    """Return the setting of a command about packages."""
    return read_setting(
        os.environ,
        arguments.directory,
        offline=arguments.offline,
        store_of=arguments.store_of,
        locked=getattr(arguments, "locked", False),
        vendor=arguments.vendor,
        timeout=arguments.timeout,
    )


def heard(line: str) -> None:
    """Say on standard error what is fetched and locked."""
    say(harmless(line))


def warn(warnings: Iterable[str], surface: Surface) -> None:
    """Say warnings on standard error, so that they are seen."""
    for warning in warnings:
        say(f"{paint('warning:', BOLD + RED, surface)} {on_one_line(warning)}")


def entry(one: Optional[Dependency]) -> str:
    """Return what bramble.toml requires of a package, for people."""
    if one is None:
        return "nothing"
    if one.path:
        return one.path
    return f"commit {one.rev[:12]}" if one.rev else str(one.version)


def line(step: Step) -> str:
    """Return what changed of a package that is used."""
    by = f", required by {' and '.join(step.required_by)}" if step.required_by else ""
    if step.after is None:
        return f"{_of(step.before)} is no longer used"
    if step.before is None:
        return f"{shown(step.after)} is used now{by}"
    return f"{shown(step.before)} → {_place(step.after)}{by}"


def print_steps(change: Change, said: Collection[str]) -> None:
    """Print what changed of packages whose names are not in `said`, new ones excepted."""
    for step in change.steps:
        if step.name not in said and step.before is not None:
            print(on_one_line(f"  {line(step)}"))


def change_as_json(change: Change, warnings: Iterable[str]) -> dict[str, Any]:
    """Return what `--json` prints of a change."""
    # spec: packages.change.json
    return {
        "version": 1,
        "written": change.is_written,
        "dependencies": {
            name: {"before": _entry_as_json(before), "after": _entry_as_json(after)}
            for name, (before, after) in change.entries().items()
        },
        "packages": [
            {
                "name": step.name,
                "before": None if step.before is None else str(step.before.version),
                "after": None if step.after is None else str(step.after.version),
                "required_by": list(step.required_by),
            }
            for step in change.steps
        ],
        "warnings": list(warnings),
    }


def _entry_as_json(one: Optional[Dependency]) -> Optional[dict[str, str]]:
    if one is None:
        return None
    said = (("version", one.version), ("path", one.path), ("git", one.git), ("rev", one.rev))
    return {key: value for key, value in said if value}


def _of(release: Optional[Release]) -> str:
    return "" if release is None else shown(release)


def _place(release: Release) -> str:
    return shown(release)[len(release.name) + 1 :]
