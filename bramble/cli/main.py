"""`bramble VERB …`: finds the verb, runs it, and turns what went wrong into words and an exit status."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn, Optional, Protocol, cast

from bramble import __version__
from bramble.cli.environment import Surface, read_surface
from bramble.cli.first import say_interrupted
from bramble.cli.recording import Recording
from bramble.cli.render import print_error
from bramble.cli.streams import Unwritten, flush_output, give_up_output, give_up_unwritten, prepare_streams
from bramble.cli.surroundings import out_of_memory, understood, unwritten
from bramble.cli.table import VERBS, Verb
from bramble.errors import BrambleError

_COLLECT_AFTER = 100_000
_LARGE = 128 << 20  # bytes
# spec: cli.exit-status
SUCCESS, FAILURE, USAGE, OUR_FAULT, INTERRUPTED = 0, 1, 2, 70, 130
OPTIONS_BEFORE_COMMANDS = ("-V", "--version", "-C", "--store-of", "--vendor", "--color")


class VerbModule(Protocol):
    """What the module of a verb offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's options and operands."""

    def execute(self, arguments: argparse.Namespace, surface: Surface) -> int:
        """Do it and return the exit status."""


class ListingModule(Protocol):
    """What `listing.py` offers."""

    def overview(self) -> str:
        """Return the commands by group, and the topics."""

    def examples(self, verb: Verb) -> str:
        """Return the examples of a command."""

    def usage(self, program: str, actions: Iterable[argparse.Action]) -> str:
        """Return how a command is called, in one line."""


class WrongCommandLine(Exception):
    """A command line that cannot be understood. `error` says why."""

    def __init__(self, error: BrambleError) -> None:
        super().__init__(error.message)
        self.error = error


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command line and return the exit status (spec: cli.exit-status)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # A large graph is a million small values that all stay. To look through all of them for cycles takes
    # a time that grows with the graph and that Ctrl-C cannot end: only what is new is looked through.
    gc.set_threshold(_COLLECT_AFTER, 5, 1_000_000)
    _keep_own_rights()
    prepare_streams()
    surface = read_surface(os.environ)
    try:
        with _quick_interrupt():
            status = _ended(words, surface)
    except KeyboardInterrupt:
        status = say_interrupted()
    except OSError:
        # Standard error takes nothing either: the exit status is all that is left to say.
        status = FAILURE
    give_up_unwritten()
    return status


@contextlib.contextmanager
def _quick_interrupt() -> Iterator[None]:
    """Let Ctrl-C end this process immediately if it is so large that freeing its memory takes seconds.

    Nothing is lost by that: files get their names only when they are complete. A build ends in
    another way, since it has child processes.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(_number: int, _frame: Optional[FrameType]) -> None:
    if _resident() > _LARGE:
        os._exit(say_interrupted())
    raise KeyboardInterrupt


def _resident() -> int:
    """Return how many bytes of memory this process has now, 0 if nothing says so (proc(5), statm).

    The maximum that the system reports (getrusage(2)) is that of the parent process, if
    that was larger.
    """
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _ended(words: Sequence[str], surface: Surface) -> int:
    """Run a command line, say what went wrong, and return the exit status."""
    try:
        recording = Recording(words, os.environ)
        status = _dispatch(words, surface, recording)
        flush_output()
        if status == SUCCESS:
            recording.finish()
        return status
    except SystemExit as end:
        # How argparse ends. What it printed may still be held back.
        return _flushed(end.code if isinstance(end.code, int) else USAGE, surface)
    except WrongCommandLine as wrong:
        with contextlib.suppress(OSError):
            print_error(wrong.error, surface)
        return USAGE
    except BrambleError as error:
        status = _flushed(FAILURE, surface)
        print_error(error, surface)
        return status
    except KeyboardInterrupt:
        return _flushed(say_interrupted(), surface)
    except BrokenPipeError:
        # The reader of our output has ended, as `head` does: a message would reach nobody.
        give_up_output()
        return FAILURE
    except Unwritten as fault:
        print_error(unwritten(fault), surface)
        give_up_output()
        return FAILURE
    except MemoryError:
        status = _flushed(FAILURE, surface)
    except Exception as fault:
        _flushed(FAILURE, surface)
        known = understood(fault)
        if known is not None:
            print_error(known, surface)
            return FAILURE
        importlib.import_module("traceback").print_exc()
        print(
            "bramble: internal error (this is a bug in Bramble); please report the lines above",
            file=sys.stderr,
        )
        return OUR_FAULT
    # Said here, where the frames that took the memory are gone.
    print_error(out_of_memory(), surface)
    return status


def not_written(fault: OSError, number: int) -> int:
    """Say that an answer could not be written to stream `number`, and return the exit status."""
    if number == 1 and not isinstance(fault, BrokenPipeError):
        with contextlib.suppress(OSError):
            prepare_streams()
            print_error(unwritten(fault), read_surface(os.environ))
        give_up_unwritten()
    return FAILURE


def not_run(fault: Exception) -> int:
    """Say why a program could not be run again, and return the exit status. Raises what is our own fault."""
    if isinstance(fault, BrokenPipeError):
        # As in `_ended`: a message would reach nobody.
        give_up_unwritten()
        return FAILURE
    if isinstance(fault, MemoryError):
        fault = out_of_memory()
    error = fault if isinstance(fault, BrambleError) else understood(fault)
    if error is None:
        raise fault
    with contextlib.suppress(OSError):
        prepare_streams()
        print_error(error, read_surface(os.environ))
    give_up_unwritten()
    return FAILURE


def _flushed(status: int, surface: Surface) -> int:
    """Write what is held back, and return the exit status: FAILURE when that cannot be written."""
    try:
        flush_output()
    except BrokenPipeError:
        give_up_output()
    except OSError as fault:
        print_error(unwritten(fault), surface)
        give_up_output()
        return status or FAILURE
    return status


def _keep_own_rights() -> None:
    """Let no umask make a new file one that its owner cannot read, or that others can write to."""
    # spec: store.modes
    given = os.umask(0o077)
    os.umask(given & 0o077 | 0o022)


def _dispatch(words: Sequence[str], surface: Surface, recording: Recording) -> int:
    parser = _global_parser()
    known = parser.parse_args(words)
    if known.version:
        print(f"bramble {__version__}")
        return SUCCESS
    if known.verb is None:
        parser.print_help()
        return USAGE if words else SUCCESS
    verb = _find_verb(known.verb)
    if verb is None:
        names = [entry.name for entry in VERBS]
        raise WrongCommandLine(_usage().unknown_command("bramble", known.verb, names))
    if known.colour != "auto":
        surface = read_surface(os.environ, known.colour)
    module = _load(verb)
    # `first` has held it back until here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    options = _verb_parser(verb, module).parse_args(known.rest)
    options.directory = known.directory
    options.store_of = known.store_of
    options.vendor = known.vendor
    options.parser_of = _parser_of
    options.recording = recording
    return module.execute(options, surface)


def _load(verb: Verb) -> VerbModule:
    # Each verb's module is imported when it is asked for: what `build` needs, `init` need not wait for.
    return cast(VerbModule, importlib.import_module(verb.module))


def _find_verb(name: str) -> Optional[Verb]:
    return next((verb for verb in VERBS if verb.name == name), None)


def _parser_of(name: Optional[str]) -> Optional[_Parser]:
    """Return the parser of a command, or of the whole command line for None; None for another word.

    For commands that speak of others: help, completion, manual pages.
    """
    if name is None:
        return _global_parser()
    verb = _find_verb(name)
    return None if verb is None else _verb_parser(verb, _load(verb))


def _global_parser() -> _Parser:
    parser = _Parser(
        prog="bramble",
        usage="bramble [-C DIR] [--store-of USER] [--vendor DIR] [--color WHEN] COMMAND …",
        description="A functional build system and package manager.",
        formatter_class=_Formatter,
        add_help=True,
        allow_abbrev=False,
    )
    parser.appendix = lambda listing: listing.overview()
    parser.add_argument("-V", "--version", action="store_true", help="print the version")
    parser.add_argument("-C", dest="directory", metavar="DIR", help="work as if started in DIR")
    parser.add_argument(
        "--store-of",
        metavar="USER",
        help="only read the store of USER, at BRAMBLE_PATH or in the home of USER",
    )
    parser.add_argument(
        "--vendor", metavar="DIR", help="take pinned packages and downloads from DIR if it has them"
    )
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


def _verb_parser(verb: Verb, module: VerbModule) -> _Parser:
    parser = _Parser(
        prog=f"bramble {verb.name}",
        description=verb.summary,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.appendix = lambda listing: listing.examples(verb)
    module.configure(parser)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that reports a wrong command line like every other error, without the usage lines."""

    appendix: Optional[Callable[[ListingModule], str]] = None  # what a help text ends with

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, left = super().parse_known_args(args, namespace)
        if left:
            raise WrongCommandLine(_usage().unrecognised(self, left, OPTIONS_BEFORE_COMMANDS))
        return found, left

    def error(self, message: str) -> NoReturn:
        self.refuse(_usage().misused(self, message))

    def refuse(self, error: BrambleError) -> NoReturn:
        """End with an error of the command line."""
        raise WrongCommandLine(error)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise WrongCommandLine(_usage().not_a_choice(self, action, value))

    def format_help(self) -> str:
        """Return the help text, for which alone the listing of commands and examples is loaded."""
        listing = cast(ListingModule, importlib.import_module("bramble.cli.listing"))
        self.usage = self.usage or listing.usage(self.prog, self._actions)
        self.epilog = self.appendix and self.appendix(listing)
        return super().format_help()


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Knows the width from the start: argparse would import a module of archivers to find it out."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=read_surface(os.environ).width - 2)


def _usage() -> Any:
    # What is wrong with a command line is found out where something is.
    return importlib.import_module("bramble.cli.usage")
