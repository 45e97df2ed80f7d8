"""What the commands that build have in common: their options, the display, Ctrl-C, the report of failures."""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Optional

from bramble.cli.environment import Surface, read_setting
from bramble.cli.evaluating import add_evaluation_options, limits_of
from bramble.cli.progress import Display
from bramble.cli.quantities import byte_count, count, log_bytes, memory_bytes, rounds, seconds
from bramble.cli.render import harmless, print_error, say
from bramble.commands.build import (
    LOG_SIZE,
    BuildChoices,
    BuildResult,
    Event,
    Limits,
    build_evaluated,
    earlier_durations,
)
from bramble.commands.context.evaluation import Evaluated, evaluate_targets
from bramble.commands.context.setting import Setting
from bramble.recall.reads import NOT_NOTED, Reads

Build = Callable[[Setting, BuildChoices, Callable[[Event], None], threading.Event], BuildResult]
MOST_FILES = 1 << 20  # spec: build.limits.output
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT)
RUNGS = ("namespaces", "landlock", "none")


def add_build_options(parser: argparse.ArgumentParser, *, tests: bool = False) -> None:
    """Add the options that say how to build; for `tests` without those that mean something else there."""
    group = parser.add_argument_group("how to build")
    group.add_argument(
        "-j",
        "--jobs",
        type=count,
        metavar="N",
        help="run at most N builds at the same time (default: the number of cores)",
    )
    if not tests:
        group.add_argument("-k", "--keep-going", action="store_true", help="after a failure, build the rest")
    group.add_argument(
        "--trace",
        metavar="FILE",
        help="write the times of all steps to FILE, as a trace that browsers can show",
    )
    group.add_argument("--keep-failed", action="store_true", help="keep the directory of a failed build")
    if not tests:
        group.add_argument("--check", action="store_true", help="build once more and compare")
        group.add_argument(
            "--rounds", type=rounds, metavar="N", help="build N times in total and compare (--check: 2)"
        )
    group.add_argument(
        "--refresh",
        action="store_true",
        help="fetch files of this machine again if they have changed, and pin the new content",
    )
    group.add_argument("--locked", action="store_true", help="fail if bramble.lock would have to change")
    group.add_argument("--pure", action="store_true", help="refuse builds that depend on this machine")
    group.add_argument(
        "--build-network",
        action="store_true",
        help="let a derivation_output builder use the network if it asks for it",
    )
    group.add_argument("--offline", action="store_true", help="use no network")
    what = "a test" if tests else "a build"
    group.add_argument("--timeout", type=seconds, metavar="SECONDS", help=f"end {what} that takes longer")
    group.add_argument(
        "--silence", type=seconds, metavar="SECONDS", help="end a build that prints nothing for this time"
    )
    group.add_argument(
        "--memory", type=memory_bytes, metavar="SIZE", help="end a build that uses more memory, such as 2G"
    )
    group.add_argument(
        "--processes", type=count, metavar="N", help="let a build have at most N processes at the same time"
    )
    group.add_argument(
        "--output-size", type=byte_count, metavar="SIZE", help="end a build that writes more, such as 2G"
    )
    group.add_argument(
        "--log-size",
        type=log_bytes,
        metavar="SIZE",
        default=LOG_SIZE,
        help="keep only the last SIZE bytes of what a build prints; at least 4K (default: 64M)",
    )
    group.add_argument(
        "--output-files",
        type=count,
        metavar="N",
        default=MOST_FILES,
        help=f"end a build that makes more files (default: {MOST_FILES})",
    )
    group.add_argument(
        "--sandbox",
        choices=RUNGS,
        default="namespaces",
        help="the mode of the sandbox; a weaker one is named in every report",
    )
    group.add_argument(
        "-v", "--verbose", action="store_true", help="show the output of builds while they run"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="show failures only")
    add_evaluation_options(parser)


def downloading(arguments: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments of a command that downloads, as those of a build that goes on after a failure.

    `--check` has another meaning there.
    """
    parser = argparse.ArgumentParser()
    add_build_options(parser)
    usual = parser.parse_args([])
    return argparse.Namespace(**{**vars(usual), **vars(arguments), "check": False, "keep_going": True})


def setting_of(arguments: argparse.Namespace) -> Setting:
    """Return the setting that the environment and the build options give."""
    return read_setting(
        os.environ,
        arguments.directory,
        jobs=arguments.jobs,
        offline=arguments.offline,
        limits=limits_of(arguments),
        store_of=arguments.store_of,
        target=arguments.built_for or "",
        cached=not arguments.no_cache,
        locked=getattr(arguments, "locked", False),
        vendor=arguments.vendor,
    )


def evaluate_words(
    words: Sequence[str], setting: Setting, *, keep_going: bool = False, reads: Reads = NOT_NOTED
) -> Evaluated:
    """Evaluate targets; what programs print, and warnings, go to standard error."""
    evaluated = evaluate_targets(
        words, setting, lambda text: say(harmless(text)), keep_going=keep_going, reads=reads
    )
    for warning in evaluated.evaluation.warnings:
        say(f"warning: {harmless(warning)}")
    return evaluated


def print_passed_over(evaluated: Evaluated, surface: Surface) -> int:
    """Show what could not be evaluated and was passed over; return the exit status that this asks for."""
    for error in evaluated.evaluation.errors:
        print_error(error, surface)
    return 1 if evaluated.evaluation.errors else 0


def choices_of(arguments: argparse.Namespace) -> BuildChoices:
    """Return what the build options say about how to build."""
    return BuildChoices(
        keep_going=arguments.keep_going,
        keep_failed=arguments.keep_failed,
        timed=arguments.trace is not None,
        check=getattr(arguments, "check", False) or bool(getattr(arguments, "rounds", None)),
        rounds=getattr(arguments, "rounds", None) or 2,
        refresh=arguments.refresh,
        locked=arguments.locked,
        network=arguments.build_network,
        pure=arguments.pure,
        log_size=arguments.log_size,
        sandbox=arguments.sandbox,
        limits=Limits(
            seconds=arguments.timeout,
            silence=arguments.silence,
            memory=arguments.memory,
            processes=arguments.processes,
            output_size=arguments.output_size,
            output_files=arguments.output_files,
        ),
    )


def build_shown(
    evaluated: Evaluated,
    setting: Setting,
    arguments: argparse.Namespace,
    surface: Surface,
    *,
    name_cached: bool = True,
    name_pins: bool = True,
    build: Optional[Build] = None,
) -> tuple[BuildResult, int]:
    """Build with a display; return the result and the exit status that its failures ask for.

    With `name_cached` a target that had been built before gets a line, too; with `name_pins` what was added
    to the lock.
    `build` does it, all that the targets returned if None.
    """
    choices = choices_of(arguments)
    roots = frozenset(ref.derivation for result in evaluated.evaluation.results for ref in result.roots)
    shown = roots if name_cached else frozenset[str]()
    graph = evaluated.evaluation.graph
    display = Display(
        surface,
        verbose=arguments.verbose,
        quiet=arguments.quiet,
        roots=shown,
        graph=(
            roots,
            graph.dependencies,
            lambda id: graph.get(id).name,
            functools.partial(earlier_durations, setting),
            setting.jobs,
        ),
    )
    trace = None
    if arguments.trace is not None:
        # Loaded for those who ask for it.
        tracing: Any = importlib.import_module("bramble.cli.trace")
        path = os.path.join(setting.cwd, arguments.trace)
        trace = tracing.Trace(path, setting.cwd, evaluated.took, display)
    with Interrupts() as interrupts:
        try:
            result = (build or functools.partial(build_evaluated, evaluated))(
                setting, choices, trace or display, interrupts.cancelled
            )
        finally:
            display.close()
            if trace is not None:
                trace.write()
    unevaluated = print_passed_over(evaluated, surface)
    for failure in result.failures:
        print_error(failure, surface)
    # Also when all was built by then: what was to come after it is not wanted any more.
    if result.cancelled or interrupts.cancelled.is_set():
        say("interrupted")
        return result, 128 + interrupts.signal
    if name_pins and not arguments.quiet and evaluated.project.fetched is None:
        # spec: cli.build.pinned
        for key, pin in sorted(result.pinned.items()):
            say(harmless(f"bramble.lock: added {key} = {pin}"))
    for name in result.networked:
        # spec: build.generated.network
        say(f"! {harmless(name)} ran with the network")
    if result.sandbox != "namespaces":
        say(f"warning: built with --sandbox={result.sandbox}, which protects less than the mode namespaces")
    if result.failures and result.skipped:
        say(_skipped(result.skipped, arguments.keep_going))
    return result, 1 if result.failures else unevaluated


def _skipped(count: int, keep_going: bool) -> str:
    if keep_going:
        return f"{count} more could not be built because of these"
    verb = "was" if count == 1 else "were"
    return f"{count} more {verb} not built; --keep-going builds what does not need these"


class Interrupts:
    """While it is open signals that end a process cancel the build; a second one ends the program.

    A signal that the program was started to ignore, as with nohup(1) or in the background, is ignored.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.signal = int(signal.SIGINT)
        self._previous: list[tuple[int, object]] = []

    def __enter__(self) -> Interrupts:
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._previous.append((number, signal.signal(number, self._cancel)))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous:
            # None: it was not set by Python's own means.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]

    def _cancel(self, number: int, frame: Optional[FrameType]) -> None:
        if self.cancelled.is_set():
            sys.stderr.flush()
            os._exit(128 + number)
        self.signal = number
        self.cancelled.set()
