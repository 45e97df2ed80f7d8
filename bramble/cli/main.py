"""`bramble VERB …`: finds the verb, runs it, and turns what went wrong into words and an exit status."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Optional, Protocol, cast

from bramble import __version__
from bramble.cli.environment import Surface, read_surface
from bramble.cli.render import print_error, unwritten
from bramble.cli.verbs import VERBS, Verb
from bramble.errors import BrambleError

_COLLECT_AFTER = 100_000
# spec: cli.exit-status
SUCCESS, FAILURE, USAGE, OUR_FAULT, INTERRUPTED = 0, 1, 2, 70, 130


class VerbModule(Protocol):
    """What the module of a verb offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's options and operands."""

    def execute(self, arguments: argparse.Namespace, surface: Surface) -> int:
        """Do it and return the exit status."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command line and return the exit status (spec: cli.exit-status)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # A large graph is a million small values that all stay: looking for circles among them again and
    # again makes the cost of an evaluation grow faster than the graph.
    gc.set_threshold(_COLLECT_AFTER, 20, 100)
    _open_closed_streams()
    surface = read_surface(os.environ)
    try:
        status = _dispatch(words, surface)
        sys.stdout.flush()
    except BrambleError as error:
        print_error(error, surface)
        if not _output_can_be_written():
            _give_up_output()
        status = FAILURE
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left, as `head` does: nobody is there to be told.
        _give_up_output()
        status = FAILURE
    except Exception as fault:
        if isinstance(fault, OSError) and not _output_can_be_written():
            print_error(unwritten(fault), surface)
            _give_up_output()
            return FAILURE
        traceback.print_exc()
        print(
            "bramble: a fault of Bramble itself, not yours; please report the lines above",
            file=sys.stderr,
        )
        status = OUR_FAULT
    return status


def _open_closed_streams() -> None:
    """Open what the caller closed: else a file of the store could get its number, and what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _output_can_be_written() -> bool:
    try:
        sys.stdout.flush()
    except OSError:
        return False
    return True


def _give_up_output() -> None:
    # What is still held back would fail once more at the end of the process.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _dispatch(words: Sequence[str], surface: Surface) -> int:
    parser = _global_parser()
    known = parser.parse_args(words)
    if known.version:
        print(f"bramble {__version__}")
        return SUCCESS
    if known.verb is None:
        parser.print_help()
        return USAGE if words else SUCCESS
    if known.verb == "help":
        return _help(known.rest)
    verb = _find_verb(known.verb)
    if verb is None:
        parser.error(f"there is no command {known.verb!r}{_suggestion(known.verb)}")
    if known.colour != "auto":
        surface = read_surface(os.environ, known.colour)
    module = _load(verb)
    # `start` has held it back until here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    options = _verb_parser(verb, module).parse_args(known.rest)
    options.directory = known.directory
    return module.execute(options, surface)


def _load(verb: Verb) -> VerbModule:
    # Each verb's module is imported when it is asked for: what `build` needs, `init` need not wait for.
    return cast(VerbModule, importlib.import_module(verb.module))


def _find_verb(name: str) -> Optional[Verb]:
    return next((verb for verb in VERBS if verb.name == name), None)


def _global_parser() -> argparse.ArgumentParser:
    width = max(len(verb.name) for verb in VERBS)
    listing = "\n".join(f"  {verb.name:<{width}}  {verb.summary}" for verb in VERBS)
    parser = argparse.ArgumentParser(
        prog="bramble",
        usage="bramble [-C DIR] [--color WHEN] COMMAND …",
        description="A functional build system and package manager.",
        epilog=f"commands:\n{listing}\n\n`bramble COMMAND --help` explains one of them.",
        formatter_class=_Formatter,
        add_help=True,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("-C", dest="directory", metavar="DIR", help="work as if started in DIR")
    parser.add_argument(
        "--color",
        dest="colour",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour on standard error",
    )
    parser.add_argument("verb", nargs="?", metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _verb_parser(verb: Verb, module: VerbModule) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"bramble {verb.name}",
        description=verb.summary,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    module.configure(parser)
    return parser


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Knows the width from the start: argparse would import a module of archivers to find it out."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=read_surface(os.environ).width - 2)


def _help(rest: Sequence[str]) -> int:
    parser = _global_parser()
    if not rest:
        parser.print_help()
        return SUCCESS
    verb = _find_verb(rest[0])
    if verb is None:
        parser.error(f"there is no command {rest[0]!r}{_suggestion(rest[0])}")
    _verb_parser(verb, _load(verb)).print_help()
    return SUCCESS


def _suggestion(name: str) -> str:
    close = [verb.name for verb in VERBS if verb.name.startswith(name[:2])]
    return f" (did you mean {close[0]}?)" if close else ""
