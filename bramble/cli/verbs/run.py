"""`bramble run [options] TARGET [ARGUMENT…]`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import termios

from bramble.cli.building import add_build_options, build_shown, evaluate_words, setting_of
from bramble.cli.environment import Surface
from bramble.cli.explaining import print_explanation
from bramble.cli.render import on_one_line, say
from bramble.commands.build import Limits
from bramble.commands.context.consent import Asked, asked, can_be_asked, refusal
from bramble.commands.context.guarded import changed, guarded
from bramble.commands.context.setting import Setting
from bramble.commands.run import RunChoices, explain, run_attached, run_request, run_spec
from bramble.commands.trust import grant, granted


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    parser.add_argument("target", metavar="TARGET", help="./path:function or module:function")
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
    parser.add_argument("--network", action="store_true", help="let the program use the network")
    parser.add_argument("--nesting", action="store_true", help="let the program make sandboxes of its own")
    parser.add_argument(
        "--unprotected",
        action="store_true",
        help="let the program write .git, bramble.toml, bramble.lock and modules, too",
    )
    parser.add_argument("--explain", action="store_true", help="print the sandbox in words and run nothing")
    parser.add_argument("--json", action="store_true", help="with --explain: as JSON")
    add_build_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Build, run, and return the program's exit status."""
    setting = setting_of(arguments)
    evaluated = evaluate_words([arguments.target], setting)
    request = run_request(evaluated)
    wish = asked(
        evaluated,
        request,
        paths=_given(arguments.paths),
        read_only_paths=_given(arguments.read_only_paths),
        network=arguments.network,
    )
    agreed = granted(wish, setting)
    if not agreed and not arguments.explain and not _answered(wish, setting, surface):
        raise refusal(wish, arguments.target)
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
    before = guarded(evaluated.project.root)
    spec = run_spec(evaluated, result, request, choices, setting, before, wish)
    if arguments.explain:
        requests = [{**one.to_json(), "granted": agreed, "text": str(one)} for one in wish.items]
        print_explanation(explain(spec), as_json=arguments.json, asked=requests)
        return 0
    if spec.rung != "namespaces":
        say(f"warning: running with --sandbox={spec.rung}, which protects less than namespaces")
    status = run_attached(spec)
    if not arguments.unprotected:
        # spec: cli.run.guarded
        for path in changed(before, guarded(evaluated.project.root)):
            say(f"warning: while the program ran, {on_one_line(path)} was made, changed or removed")
    return status


def _answered(wish: Asked, setting: Setting, surface: Surface) -> bool:
    """Ask on the terminal; remember the answer if that is wanted. Without a terminal the answer is no."""
    # spec: cli.run.requests
    if not (surface.attached and sys.stderr.isatty() and can_be_asked(wish)):
        return False
    say(f"{on_one_line(wish.owner or wish.name)} asks, beyond its directory {on_one_line(wish.directory)},")
    for item in wish.items:
        say(f"  {on_one_line(str(item))}")
    # What was typed before the question was seen is no answer to it.
    with contextlib.suppress(termios.error):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    say("allow it? y: this once, a: always, anything else: no")
    answer = sys.stdin.readline().strip().lower()
    if answer in ("a", "always"):
        grant(wish, setting)
    return answer in ("y", "yes", "a", "always")


def _given(paths: list[str] | None) -> tuple[str, ...] | None:
    return None if paths is None else tuple(paths)
