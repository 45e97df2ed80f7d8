"""`bramble repl`."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Mapping

from bramble.cli.environment import Surface
from bramble.cli.evaluating import add_evaluation_options, evaluation_setting
from bramble.cli.render import harmless, print_error, say
from bramble.cli.topics.texts import text as topic_text
from bramble.commands.repl import Lines, Repl, converse, history_path, open_repl, prepare_editor
from bramble.errors import BrambleError

CALLS, STDIN = "Traceback (most recent call last):", "<stdin>"
_LEAVE = "help(x) explains x, Tab completes, Ctrl-D ends"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `repl`."""
    add_evaluation_options(parser)


def execute(arguments: argparse.Namespace, surface: Surface) -> int:
    """Evaluate what is typed, or the lines of standard input, until its end."""
    # spec: cli.repl
    setting = evaluation_setting(arguments)
    repl = open_repl(setting, lambda text: say(harmless(text)), _texts())
    talk = _Talk(repl, surface)
    # A large process ends at Ctrl-C at once; here it ends what is running, and the session goes on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lines = Lines()
    if lines.edited:
        lines.history = prepare_editor(repl.complete, history_path(setting.state))
        say(f"{harmless(repl.project) or 'no project'} · {_LEAVE}")
    good = converse(talk, lines)
    return 0 if good or lines.terminal else 1


class _Talk:
    """Answers on the standard streams, on a terminal as Starlark's own prompt does."""

    def __init__(self, repl: Repl, surface: Surface) -> None:
        self.repl, self.surface = repl, surface
        self.terminal = sys.stdin.isatty() and not surface.json_errors

    def needs_more(self, text: str) -> bool:
        return self.repl.needs_more(text)

    def answer(self, text: str, number: int) -> bool:
        try:
            shown = self.repl.run(text, number)
        except BrambleError as error:
            self._warn()
            self._report(error)
            return False
        self._warn()
        if shown is not None:
            print(harmless(shown), flush=True)
        return True

    def _warn(self) -> None:
        for warning in self.repl.warnings():
            say(f"warning: {harmless(warning)}")

    def _report(self, error: BrambleError) -> None:
        if not self.terminal:
            print_error(error, self.surface)
            return
        # spec: cli.repl.errors
        for one in (error, *error.others):
            say(harmless(_as_typed(one)))
            if one.remedy:
                say("  " + harmless(one.remedy).replace("\n", "\n  "))


def _as_typed(error: BrambleError) -> str:
    """Return an error in the form that Starlark's own prompt gives it."""
    ran = error.code.partition(".")[0] not in ("syntax", "resolve")
    if error.detail.startswith(CALLS):
        return f"{error.detail}\nError: {error.message}"
    if ran and error.place is not None and error.place.file == STDIN:
        return f"{CALLS}\n  {error.place}: in <expr>\nError: {error.message}"
    where = f"{error.place}: " if error.place is not None else ""
    return "\n".join([f"{where}{error.message}", *([error.detail] if error.detail else [])])


def _texts() -> Mapping[str, str]:
    """Return what the topic `builtins` says of each name."""
    texts = {}
    for section in re.split(r"^## ", topic_text("builtins"), flags=re.M)[1:]:
        heading, _, body = section.partition("\n")
        for name in heading.split(", "):
            texts[name] = body.strip("\n")
    return texts
