"""`bramble repl`: the language at a prompt, in a project or outside of any."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Optional

from bramble.commands.context.evaluating import module_cache
from bramble.commands.context.evaluation import packages_of
from bramble.commands.context.limits import bounded
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError
from bramble.lang.interactive import Interactive
from bramble.project.config import ProjectConfig
from bramble.project.project import Project, find_project
from bramble.starlark.repl import Lines, converse, prepare_editor

__all__ = ["Lines", "Repl", "converse", "history_path", "open_repl", "prepare_editor"]

HISTORY_NAME = "repl_history"
# The stand-in for a project is named so that no module's name begins with it.
_NO_PROJECT = ".invalid"
_LOADED = re.compile(r"""\bload\s*\(\s*(?:\w+\s*=\s*)?["']([^"']*)$""")


class Repl:
    """A session of a user, within the limits of evaluation; `project` is "" outside of any project."""

    def __init__(self, interactive: Interactive, setting: Setting) -> None:
        self._interactive, self._setting = interactive, setting
        self.project = interactive.project.name if interactive.in_project else ""

    def run(self, text: str, number: int) -> Optional[str]:
        """Run an input whose first line has this number; return its value as text, None if it has none.

        Raises BrambleError of the phases syntax, resolve, eval, load and derivation.
        """
        with bounded(self._setting.limits):
            return self._interactive.run(text, number)

    def needs_more(self, text: str) -> bool:
        """Return whether an input is the beginning of something longer."""
        return self._interactive.needs_more(text)

    def warnings(self) -> list[str]:
        """Return the warnings since the last time that this was asked."""
        return self._interactive.warnings()

    def complete(self, line: str, word: str) -> Sequence[str]:
        """Return how `word`, which ends `line`, may go on: a name, an attribute, the name of a module."""
        # spec: cli.repl.editor
        loaded = _LOADED.search(line)
        if loaded is None:
            return self._interactive.complete(word)
        begun = loaded[1]
        return [
            name[len(begun) - len(word) :] for name in self._interactive.modules() if name.startswith(begun)
        ]


def open_repl(setting: Setting, on_print: Callable[[str], None], texts: Mapping[str, str]) -> Repl:
    """Return a new session in the working directory; `texts` is what `help` says of built-in functions.

    Raises BrambleError config.* for a project that cannot be read.
    """
    # spec: cli.repl
    here = True
    try:
        project = find_project(setting.cwd)
    except BrambleError as error:
        if error.code != "config.no-project":
            raise
        here, project = False, Project(os.path.realpath(setting.cwd), ProjectConfig(_NO_PROJECT, "0.0.0"))
    interactive = Interactive(
        project,
        packages_of(project, setting, on_print),
        in_project=here,
        platform=setting.platform,
        on_print=on_print,
        cache=module_cache(setting.cache),
        max_steps=setting.limits.steps,
        texts=texts,
    )
    return Repl(interactive, setting)


def history_path(state: Optional[str]) -> Optional[str]:
    """Return the file of the history, in the user's state directory; None if there is none."""
    return None if state is None else os.path.join(state, HISTORY_NAME)
