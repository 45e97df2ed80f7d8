"""`bramble vendor [options] [DIR]`."""

from __future__ import annotations

import argparse
import os
import shlex
import threading
from collections.abc import Callable
from typing import Any

from bramble.cli.building import build_shown, choices_of, downloading, setting_of
from bramble.cli.environment import Surface
from bramble.cli.evaluating import add_evaluation_options
from bramble.cli.quantities import count, seconds
from bramble.cli.render import on_one_line, print_error, print_json, size
from bramble.cli.verbs.packages.common import NONE, heard, warn
from bramble.commands.build import BuildChoices, BuildResult, Event, build_derivations
from bramble.commands.context.setting import Setting
from bramble.commands.packages.vendoring import Needs, Vendored, gather, target_directory, vendor
from bramble.errors import BrambleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `vendor`."""
    parser.add_argument(
        "out",
        nargs="?",
        metavar="DIR",
        help="a vendor directory, an empty directory or a new one (default: the one of bramble.toml)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would change, and write nothing")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with status 1 if something would change"
    )
    parser.add_argument("--locked", action="store_true", help="fail if bramble.lock would have to change")
    parser.add_argument("-j", "--jobs", type=count, metavar="N", help="at most N downloads at once")
    parser.add_argument("--offline", action="store_true", help="use no network")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="end a download that takes longer")
    parser.add_argument("--json", action="store_true", help="print its content as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("-q", "--quiet", action="store_true", help="show failures only")
    add_evaluation_options(parser)
    parser.set_defaults(refuse=parser.error)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Download what is missing, write the directory, and say what cannot be in it."""
    only_looks = arguments.dry_run or arguments.check
    # Then no lock is written either.
    arguments.locked = arguments.locked or only_looks
    setting = setting_of(arguments)
    directory = target_directory(arguments.out, setting)
    if not directory:
        arguments.refuse("a directory is missing, as in: bramble vendor vendor")
    needs = gather(setting, heard)
    shown = os.path.relpath(directory, setting.cwd)
    warn((f"not in {shown}: {one}" for one in needs.absent), surface)
    building = downloading(arguments)
    result, status = build_shown(
        needs.evaluated, setting, building, surface, name_cached=False, build=_downloading(needs)
    )
    if status:
        return status
    choices = choices_of(building)
    done = vendor(needs, result.report, directory, setting, choices, heard, dry_run=only_looks)
    if arguments.json:
        print_json(_as_json(needs, done))
    else:
        _print(needs, done, setting, quiet=arguments.quiet, dry_run=arguments.dry_run)
    if arguments.check and any(done.steps):
        print_error(_outdated(done), surface)
        return 1
    return 0


def _outdated(done: Vendored) -> BrambleError:
    # spec: vendor.check
    return BrambleError(
        "vendor.outdated",
        f"{done.directory} does not contain what the project needs: "
        f"{len(done.steps.written)} missing or changed, {len(done.steps.removed)} unused",
        remedy=f"bramble vendor {shlex.quote(done.directory)} writes it",
    )


def _downloading(
    needs: Needs,
) -> Callable[[Setting, BuildChoices, Callable[[Event], None], threading.Event], BuildResult]:
    def build(
        setting: Setting,
        choices: BuildChoices,
        on_event: Callable[[Event], None],
        cancelled: threading.Event,
    ) -> BuildResult:
        return build_derivations(needs.evaluated, list(needs.fetched), setting, choices, on_event, cancelled)

    return build


def _as_json(needs: Needs, done: Vendored) -> dict[str, Any]:
    # spec: vendor.json
    return {
        "version": 1,
        "directory": done.directory,
        "written": done.is_written,
        "bramble": {"version": done.manifest.bramble, "sha256": done.manifest.sha256},
        "files": {path: list(keys) for path, keys in done.manifest.files.items()},
        "added": list(done.steps.written),
        "removed": list(done.steps.removed),
        "absent": list(needs.absent),
    }


def _print(needs: Needs, done: Vendored, setting: Setting, *, quiet: bool, dry_run: bool) -> None:
    shown = os.path.relpath(done.directory, setting.cwd)
    for sign, paths in (("+", done.steps.written), ("-", done.steps.removed)):
        for path in paths:
            keys = ", ".join(done.manifest.files.get(path, ()))
            print(on_one_line(f"{sign} {shown}/{path}" + (f"  {keys}" if keys else "")))
    if dry_run and any(done.steps):
        print(NONE)
    if quiet:
        return
    packages, downloads = len(set(needs.packages)), len(needs.fetched) + len(needs.bodies)
    held = f", {size(done.size)}" if done.is_written else ""
    heard(f"{shown}: packages: {packages}, downloads: {downloads}{held}")
    if needs.evaluated.project.config.vendor == "" and done.is_written:
        heard(f"to use it: bramble --vendor {shlex.quote(shown)} build")
