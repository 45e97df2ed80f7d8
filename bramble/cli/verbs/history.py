"""`bramble history [-n N]`."""

from __future__ import annotations

import argparse
import os
import time

from bramble.cli.environment import Surface, read_setting
from bramble.cli.quantities import count
from bramble.cli.render import RED, duration, harmless, moment, on_one_line, paint, print_json, say
from bramble.commands.recorded.history import Build, Ended, list_builds

_SHOWN = 3  # targets of a build, and what failed in it, that are named in its line


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `history`."""
    parser.add_argument(
        "-n", dest="most", type=count, default=20, metavar="N", help="at most N builds (default: 20)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the builds as JSON, with all that was built"
    )


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print a line for each of the last builds, the newest first."""
    setting = read_setting(os.environ, arguments.directory, store_of=arguments.store_of)
    project, builds = list_builds(setting, arguments.most)
    if arguments.json:
        print_json({"version": 1, "project": project, "builds": [_as_json(build) for build in builds]})
        return 0
    if not builds:
        say(f"no build of {harmless(project)} is recorded")
    for build in builds:
        words = f"{build.number:>4}  {moment(build.began / 1000)}  {duration(build.milliseconds / 1000):>7}"
        print(f"{words}  {_outcome(build, surface)}  {_targets(project, build)}")
    return 0


def _outcome(build: Build, surface: Surface) -> str:
    parts = [f"{len(build.built)} built"] if build.built else []
    if build.failed:
        names = [on_one_line(f"{one.name} ({one.code})") for one in build.failed]
        parts.append(paint(f"failed: {_listed(names)}", RED, surface))
    if build.skipped:
        # Of those that an interruption left some were running.
        parts.append(f"{build.skipped} not {'finished' if build.interrupted else 'tried'}")
    if build.interrupted:
        parts.append("interrupted")
    return ", ".join(parts)


def _targets(project: str, build: Build) -> str:
    return _listed([on_one_line(_short(project, target)) for target in build.targets])


def _short(project: str, target: str) -> str:
    """Return a target as a user would write it at the root of the project."""
    module, _, function = target.rpartition(":")
    if module == project:
        return f"./:{function}"
    return f"./{target[len(project) + 1 :]}" if target.startswith(project + "/") else target


def _listed(words: list[str]) -> str:
    more = len(words) - _SHOWN
    return ", ".join(words[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _as_json(build: Build) -> dict[str, object]:
    return {
        "number": build.number,
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(build.began / 1000)),
        "seconds": build.milliseconds / 1000,
        "targets": list(build.targets),
        "built": [_ended(one) for one in build.built],
        "failed": [{**_ended(one), "error": one.code, "message": one.message} for one in build.failed],
        "cached": build.cached,
        "skipped": build.skipped,
        "interrupted": build.interrupted,
    }


def _ended(one: Ended) -> dict[str, object]:
    return {"name": one.name, "derivation": one.id, "seconds": one.milliseconds / 1000}
