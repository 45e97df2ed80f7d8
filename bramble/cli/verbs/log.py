"""`bramble log [TARGET]`."""

from __future__ import annotations

import argparse
import codecs
import os
import sys

from bramble.cli.environment import Surface, read_setting
from bramble.cli.render import DIM, duration, harmless, moment, on_one_line, paint, print_json, say
from bramble.commands.recorded.log import Log, find_logs
from bramble.errors import BrambleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `log`."""
    parser.add_argument(
        "target",
        nargs="?",
        metavar="TARGET",
        help="./path:function, as it was built (default: what failed in the last build)",
    )
    parser.add_argument("--of", default="", metavar="NAME", help="the log of a derivation that TARGET needs")
    parser.add_argument("--previous", action="store_true", help="the log of the build before the last one")
    parser.add_argument("--json", action="store_true", help="print the logs as JSON")


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Print what builds wrote: byte for byte, on a terminal with control characters written out."""
    setting = read_setting(os.environ, arguments.directory, store_of=arguments.store_of)
    if arguments.target is None and (arguments.of or arguments.previous):
        option = "--of" if arguments.of else "--previous"
        raise BrambleError(
            "cli.usage", f"{option} needs a target", remedy=f"bramble log {option} … ./path:function"
        )
    logs = find_logs(arguments.target, arguments.of, arguments.previous, setting)
    if arguments.json:
        print_json({"version": 1, "logs": [_as_json(log) for log in logs]})
        return 0
    for log in logs:
        sys.stdout.flush()
        say(paint(_heading(log), DIM, surface))
        if log.path is None:
            say("it printed nothing, or its output is no longer kept")
        _copy(log, surface)
    return 0


def _heading(log: Log) -> str:
    name, build = on_one_line(log.facts.name), log.build
    if log.ended is None:
        return f"{name}, found built in build {build.number}, {moment(build.began / 1000)}"
    how = f"failed ({on_one_line(log.ended.code)})" if log.ended.code else "built"
    took = duration(log.ended.milliseconds / 1000)
    return f"{name}, {how} in build {build.number}, {moment(build.began / 1000)}, in {took}"


def _copy(log: Log, surface: Surface) -> None:
    # spec: cli.log, cli.harmless-output
    if not sys.stdout.isatty():
        for data in log.blocks():
            sys.stdout.buffer.write(data)
        return
    # A line is never cut within a character, nor CR from LF.
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    rest = ""
    for data in log.blocks():
        text = rest + decoder.decode(data)
        whole, newline, rest = text.rpartition("\n")
        sys.stdout.write(harmless(whole + newline))
    sys.stdout.write(harmless(rest + decoder.decode(b"", final=True)))
    if rest:
        sys.stdout.write("\n")


def _as_json(log: Log) -> dict[str, object]:
    text = b"".join(log.blocks()).decode("utf-8", "backslashreplace")
    return {
        "name": log.facts.name,
        "derivation": log.facts.id,
        "build": log.build.number,
        "cached": log.ended is None,
        "error": log.ended.code or None if log.ended else None,
        "seconds": log.ended.milliseconds / 1000 if log.ended else None,
        "path": log.path,
        "text": text,
    }
