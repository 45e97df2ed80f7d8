"""`bramble lock [options] [TARGET…]`."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Mapping
from typing import Any, Optional

from bramble.cli.building import build_shown, downloading, setting_of
from bramble.cli.environment import Surface
from bramble.cli.evaluating import add_evaluation_options
from bramble.cli.quantities import count, seconds
from bramble.cli.render import harmless, print_error, print_json, say
from bramble.commands.build import BuildChoices, BuildResult, Event
from bramble.commands.context.setting import Setting
from bramble.commands.lock import Download, Survey, conflicts, fetch, needing, prune, survey, wanted
from bramble.errors import BrambleError

Pairs = Mapping[str, str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lock`."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="pin what these targets need, in addition to the whole project",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="download and write nothing; exit with status 1 if something would change",
    )
    parser.add_argument(
        "--update",
        action="append",
        nargs="?",
        const="",
        metavar="KEY",
        help="download again what is pinned (all, or a key of the lock, or a URL) and pin it again",
    )
    parser.add_argument("--prune", action="store_true", help="remove entries that nothing uses")
    parser.add_argument("--json", action="store_true", help="print the changes as JSON")
    parser.add_argument("-j", "--jobs", type=count, metavar="N", help="at most N downloads at once")
    parser.add_argument("--offline", action="store_true", help="use no network")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="end a download that takes longer")
    parser.add_argument("-v", "--verbose", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("-q", "--quiet", action="store_true", help="show failures only")
    add_evaluation_options(parser)
    parser.set_defaults(refuse=parser.error)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Find out what is missing, download and pin it, and say what has changed."""
    if arguments.check and (arguments.update is not None or arguments.prune):
        arguments.refuse("--check changes nothing, and --update and --prune do")
    setting = setting_of(arguments)
    seen = survey(arguments.targets, setting, lambda text: say(harmless(text)))
    for warning in seen.evaluated.evaluation.warnings:
        say(f"warning: {harmless(warning)}")
    if arguments.check:
        return _check(seen, arguments.json, surface)
    update = None if arguments.update is None else [word for word in arguments.update if word]
    chosen = wanted(seen, [] if arguments.update and "" in arguments.update else update)
    able = tuple(one for one in chosen if one.alone)
    result, status = _fetched(seen, able, setting, arguments, surface)
    pins = {} if result is None else dict(result.pinned)
    before = seen.lock.url_hashes
    removed = prune(seen) if arguments.prune else {}
    errors = [*conflicts(seen), *needing(seen, (*chosen, *seen.locked.unknown))]
    for error in errors:
        print_error(error, surface)
    if arguments.json:
        print_json(_as_json(seen, before, pins, removed))
    else:
        _print(seen, before, pins, removed, arguments.quiet)
    return status or (1 if errors else 0)


def _fetched(
    seen: Survey,
    able: tuple[Download, ...],
    setting: Setting,
    arguments: argparse.Namespace,
    surface: Surface,
) -> tuple[Optional[BuildResult], int]:
    if not able:
        return None, 0

    def build(
        setting: Setting,
        choices: BuildChoices,
        on_event: Callable[[Event], None],
        cancelled: threading.Event,
    ) -> BuildResult:
        return fetch(seen, able, setting, choices, on_event, cancelled)

    return build_shown(
        seen.evaluated,
        setting,
        downloading(arguments),
        surface,
        name_cached=False,
        name_pins=False,
        build=build,
    )


def _check(seen: Survey, as_json: bool, surface: Surface) -> int:
    # spec: cli.lock.check
    locked = seen.locked
    if as_json:
        print_json(_as_json(seen, seen.lock.url_hashes, {}, {}))
    else:
        for one in locked.missing:
            print(harmless(f"missing   {one.key}  ({seen.place(one.id) or one.name})"))
        for conflict in locked.conflicts:
            print(harmless(f"conflict  {conflict.key}: {' and '.join(conflict.digests)}"))
        for key in locked.unused:
            print(harmless(f"unused    {key}"))
    if locked.is_complete:
        return 0
    parts = [
        f"{len(found)} {word}"
        for found, word in (
            (locked.missing, "missing"),
            (locked.conflicts, "conflicting"),
            (locked.unused, "unused"),
        )
        if found
    ]
    remedies = [
        *(["bramble lock pins what is missing"] if locked.missing else []),
        *(["bramble lock --prune removes unused entries"] if locked.unused else []),
        *(["of entries in conflict, delete the wrong one"] if locked.conflicts else []),
    ]
    _say_unseen(seen)
    print_error(
        BrambleError(
            "lock.outdated",
            f"the lock file and the project do not agree: {', '.join(parts)}",
            remedy="\n".join(remedies),
        ),
        surface,
    )
    return 1


def _say_unseen(seen: Survey) -> None:
    if seen.locked.unused:
        for name in seen.unseen:
            say(harmless(f"warning: not evaluated, so that what only it uses counts as unused: {name}"))


def _print(seen: Survey, before: Pairs, pins: Pairs, removed: Pairs, quiet: bool) -> None:
    added = {key: pin for key, pin in pins.items() if key not in before}
    changed = {key: pin for key, pin in pins.items() if before.get(key, pin) != pin}
    for key, pin in sorted(added.items()):
        print(harmless(f"+ {key} = {pin}"))
    for key, pin in sorted(changed.items()):
        print(harmless(f"~ {key} = {pin}, was {before[key]}"))
    for key in sorted(removed):
        print(harmless(f"- {key}"))
    unused = [key for key in seen.locked.unused if key not in removed]
    if quiet:
        return
    if unused:
        _say_unseen(seen)
        say("unused; bramble lock --prune removes them:")
        for key in unused:
            say(harmless(f"  {key}"))
    if not (added or changed or removed):
        say(f"nothing has changed; pins in use: {len(seen.locked.used)}")


def _as_json(seen: Survey, before: Pairs, pins: Pairs, removed: Pairs) -> dict[str, Any]:
    # spec: cli.lock.json
    return {
        "version": 1,
        "added": {key: pins[key] for key in sorted(pins) if key not in before},
        "changed": {
            key: {"before": before[key], "after": pins[key]}
            for key in sorted(pins)
            if before.get(key, pins[key]) != pins[key]
        },
        "removed": sorted(removed),
        "missing": sorted(one.key for one in seen.locked.missing if one.key not in pins),
        "unused": [key for key in seen.locked.unused if key not in removed],
        "conflicts": {one.key: list(one.digests) for one in seen.locked.conflicts},
    }
