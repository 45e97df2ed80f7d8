"""`bramble publish [options] [REF]`."""

from __future__ import annotations

import argparse
import os
import shlex
import threading

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import harmless, on_one_line, print_error, print_json, say
from bramble.cli.verbs.packages.common import warn
from bramble.commands.packages.publishing import (
    Asked,
    Job,
    Wish,
    as_json,
    fetch_options,
    own_registry,
    wish_of,
)
from bramble.errors import BrambleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `publish`."""
    parser.add_argument(
        "reference",
        nargs="?",
        default="",
        metavar="REF",
        help="a version or its tag (default: the version that bramble.toml says)",
    )
    parser.add_argument(
        "--registry",
        metavar="URL",
        default="",
        help="the registry that is asked (default: the first in ~/.config/bramble/config.toml)",
    )
    way = parser.add_mutually_exclusive_group()
    way.add_argument(
        "--dry-run", action="store_true", help="check what can be checked here, and ask no registry"
    )
    way.add_argument(
        "--no-wait", action="store_true", help="print the number of the job, and do not wait for it"
    )
    way.add_argument("--job", metavar="N", help="make no new request; follow the job N")
    parser.add_argument("--offline", action="store_true", help="use no network: only with --dry-run")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(refuse=parser.error)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Check, ask, and follow what the registry does."""
    setting = read_setting(
        os.environ, arguments.directory, offline=arguments.offline, store_of=arguments.store_of
    )
    url = arguments.registry.rstrip("/") or own_registry(setting)
    if not url and not arguments.dry_run:
        arguments.refuse("--registry URL is missing, and ~/.config/bramble/config.toml names no registry")
    asked = Asked(url, fetch_options(setting), threading.Event())
    warnings: tuple[str, ...] = ()
    if arguments.job is not None:
        if arguments.reference or not (arguments.job.isascii() and arguments.job.isalnum()):
            arguments.refuse("--job is the number of a job, and needs no REF")
        job = asked.job(arguments.job)
    else:
        wish = wish_of(arguments.reference, setting)
        warnings = wish.warnings
        warn(warnings, surface)
        if arguments.dry_run:
            _print_wish(wish, url, arguments.json)
            return 0
        job = asked.publish(wish.package, wish.tag)
        say(f"{url}/job/{job.id}" + (f", {job.ahead} jobs before it" if job.ahead else ""))
        if arguments.no_wait:
            _print(url, job, warnings, arguments.json)
            return 0
    try:
        job = asked.follow(job, lambda text: say(harmless(text)))
    except (KeyboardInterrupt, BrambleError):
        again = f"bramble publish --registry {shlex.quote(url)} --job {job.id}"
        say(f"the job continues; to follow it again: {again}")
        raise
    if job.state == "failed":
        error = job.error or BrambleError(
            "registry.failed", "the registry does not publish it", remedy="look at its log"
        )
        if arguments.json:
            print_json(as_json(url, job, warnings))
        # Its details are what was just followed.
        error.detail = ""
        print_error(error, surface)
        return 1
    _print(url, job, warnings, arguments.json)
    return 0


def _print_wish(wish: Wish, url: str, json: bool) -> None:
    if json:
        found = {"package": wish.package, "release": wish.version, "tag": wish.tag, "commit": wish.commit}
        print_json({"version": 1, "registry": url or None, **found, "warnings": list(wish.warnings)})
        return
    print(
        on_one_line(f"{wish.package}@{wish.version} can be asked for: tag {wish.tag}, commit {wish.commit}")
    )


def _print(url: str, job: Job, warnings: tuple[str, ...], json: bool) -> None:
    if json:
        print_json(as_json(url, job, warnings))
    elif job.state != "published":
        print(on_one_line(f"job {job.id} is {job.state}"))
    else:
        already = " already" if job.already else ""
        print(
            on_one_line(
                f"{job.package}@{job.version} is{already} published: {job.digest}, commit {job.commit}"
            )
        )
