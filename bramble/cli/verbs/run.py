"""`bramble run [options] TARGET [ARGUMENT…]`."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import termios
from collections.abc import Sequence
from typing import Any

from bramble.cli.building import add_build_options, build_shown, evaluate_words, setting_of
from bramble.cli.environment import Surface
from bramble.cli.recording import Recording
from bramble.cli.render import on_one_line, say, say_changed
from bramble.commands.build import BuildResult, Limits
from bramble.commands.context.consent import (
    Asked,
    asked,
    asked_to_run,
    can_be_asked,
    nothing_shown,
    question,
    refusal,
)
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.guarded import Guarded, guarded
from bramble.commands.context.setting import Setting
from bramble.commands.run import RunChoices, explain, prepare, run_request
from bramble.commands.running import Prepared, packed, run, sandbox_of
from bramble.commands.trust import grant, granted, note_grants
from bramble.errors import BrambleError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="./path:function, module:function, or of a package: NAME:function or NAME@VERSION:function",
    )
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="ARGUMENT",
        help="the program, which may be left out where the output has one only, and its arguments",
    )
    for name, effect in (
        ("paths", "the program may write here (default: the project)"),
        ("read_only_paths", "the program may read here"),
        ("hidden_paths", "the program sees nothing here"),
    ):
        parser.add_argument(
            *dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}")),
            action="append",
            metavar="PATH",
            help=f"{effect}; repeatable",
        )
    parser.add_argument(
        "-y",
        "--yes",
        action="store_true",
        help="do not ask before a package from the internet is run for the first time",
    )
    parser.add_argument("--network", action="store_true", help="let the program use the network")
    parser.add_argument("--nesting", action="store_true", help="let the program create sandboxes itself")
    parser.add_argument(
        "--unprotected",
        action="store_true",
        help="also let the program write .git, bramble.toml, bramble.lock and modules",
    )
    parser.add_argument("--explain", action="store_true", help="print the sandbox in words and run nothing")
    parser.add_argument("--json", action="store_true", help="with --explain: as JSON")
    parser.set_defaults(misused=parser.error)
    add_build_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Build, run, and return the program's exit status."""
    if arguments.json and not arguments.explain:
        # spec: cli.explain
        arguments.misused("--json is for --explain; what a program prints is its own")
    setting = setting_of(arguments)
    evaluated = evaluate_words([arguments.target], setting, reads=arguments.recording.reads)
    request = run_request(evaluated)
    project = evaluated.project
    to_run = asked_to_run(project)
    wish = asked(
        evaluated,
        request,
        paths=_given(arguments.paths),
        read_only_paths=_given(arguments.read_only_paths),
        network=arguments.network,
    )
    agreed = granted(wish, setting)
    if not arguments.explain:
        if to_run.items and arguments.yes:
            _remember(to_run, setting)
        known = arguments.yes or granted(to_run, setting)
        open_ = [one for one, given in ((to_run, known), (wish, agreed)) if not given]
        if open_ and not _answered(open_, evaluated, setting, surface):
            raise refusal(open_[0], arguments.target)
    result, status = build_shown(evaluated, setting, arguments, surface, name_cached=False)
    if status:
        return status
    choices = RunChoices(
        arguments=tuple(arguments.arguments),
        paths=_given(arguments.paths),
        read_only_paths=_given(arguments.read_only_paths),
        hidden_paths=_given(arguments.hidden_paths),
        network=arguments.network,
        nesting=arguments.nesting,
        rung=arguments.sandbox,
        terminal=surface.attached,
        limits=Limits(memory=arguments.memory, processes=arguments.processes),
        unprotected=arguments.unprotected,
    )
    if project.fetched is not None and not project.ground and arguments.paths is None:
        say(on_one_line(nothing_shown(project)))
    before = guarded(project.ground) if project.ground else Guarded()
    prepared = prepare(evaluated, result, request, choices, setting, wish)
    if arguments.explain:
        spec = sandbox_of(prepared, before)
        requests = [{**one.to_json(), "granted": agreed, "text": str(one)} for one in wish.items]
        # Loaded for that alone.
        explaining: Any = importlib.import_module("bramble.cli.explaining")
        explaining.print_explanation(explain(spec), as_json=arguments.json, asked=requests)
        return 0
    if choices.rung != "namespaces":
        say(f"warning: running with --sandbox={choices.rung}, which protects less than the mode namespaces")
    if to_run.items:
        # A user who revokes the grant is asked again.
        note_grants(setting, arguments.recording.reads)
    if not wish.items and granted(to_run, setting) and _only_looked(arguments) and not result.built:
        _record(prepared, evaluated, result, setting, arguments.recording)
    ran = run(prepared, before)
    for path in ran.changed:
        say_changed(path)
    return ran.status


def _only_looked(arguments: argparse.Namespace) -> bool:
    """Return whether nothing but the program itself has an effect, where nothing had to be built."""
    # spec: recall.run
    more = (arguments.trace, arguments.check, arguments.rounds, arguments.refresh, arguments.keep_failed)
    return not any(more)


def _record(
    prepared: Prepared, evaluated: Evaluated, result: BuildResult, setting: Setting, recording: Recording
) -> None:
    """Keep what was found out about this run, for the next one with the same words."""
    witnesses: Any = importlib.import_module("bramble.commands.context.witnesses")
    until = witnesses.note_build(recording.reads, evaluated, result, setting)
    witnesses.note_run(recording.reads, result, prepared)
    recording.keep_run(packed(prepared), until)


def _answered(wishes: Sequence[Asked], evaluated: Evaluated, setting: Setting, surface: Surface) -> bool:
    """Ask on the terminal; remember the answer if that is wanted. Without a terminal the answer is no."""
    # spec: cli.run.requests, internet.granted
    if not (surface.attached and sys.stderr.isatty() and all(map(can_be_asked, wishes))):
        return False
    for line in question(wishes, evaluated.project):
        say(on_one_line(line))
    # What was typed before the question was printed is not an answer to it.
    with contextlib.suppress(termios.error):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    say("allow it? y: this once, a: always, anything else: no")
    answer = sys.stdin.readline().strip().lower()
    if answer in ("a", "always"):
        for wish in wishes:
            grant(wish, setting)
    return answer in ("y", "yes", "a", "always")


def _remember(wish: Asked, setting: Setting) -> None:
    """Remember what --yes has granted, where that is possible."""
    with contextlib.suppress(BrambleError):
        if not granted(wish, setting):
            grant(wish, setting)


def _given(paths: list[str] | None) -> tuple[str, ...] | None:
    return None if paths is None else tuple(paths)
