"""A session in the dialect: inputs of a user, run one after another, with what a `.bramble` file knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Optional

from bramble.errors import BrambleError
from bramble.lang.builtins import predeclared
from bramble.lang.failure import place_of
from bramble.lang.loader import DIALECT, Loader
from bramble.lang.session import Session
from bramble.library import modules as library
from bramble.project.modules import ModuleFile, ModuleRoots
from bramble.project.packages import Packages
from bramble.project.project import Project
from bramble.starlark import Module, Position, StarlarkError, Thread, to_repr
from bramble.starlark.kept import Kept
from bramble.starlark.session import STDIN
from bramble.starlark.session import Session as Inputs

_ENDS = ("exit", "quit")
_PLACE = re.compile(rf"^{STDIN}:(\d+):(\d+)")


class Interactive:
    """The state of a session: what inputs have defined, and the derivations that they made.

    `files` and sources are relative to the project's `location`. `in_project` is False for
    a stand-in of a project, from which nothing can be loaded. `texts` is what `help` says of
    built-in functions, by their names; the others are as for `evaluate`.
    """

    def __init__(
        self,
        project: Project,
        packages: Packages,
        *,
        in_project: bool,
        platform: str,
        on_print: Callable[[str], None],
        cache: Optional[Kept],
        max_steps: Optional[int],
        texts: Mapping[str, str],
    ) -> None:
        self.project, self.packages, self.in_project = project, packages, in_project
        self.session = Session(ModuleRoots(project, packages), platform)
        self._loader = Loader(self.session, on_print, cache, max_steps)
        path = f"{project.location}/{STDIN}" if project.location else STDIN
        self.session.files[STDIN] = ModuleFile(STDIN, project.name, project.root, path)

        def show(text: str, _position: Optional[Position]) -> None:
            on_print(text)

        thread = Thread(print=show, load=self._load, host=self.session, max_steps=max_steps)
        self._inputs = Inputs(DIALECT, predeclared(platform), thread, texts)

    def run(self, text: str, number: int) -> Optional[str]:
        """Run an input whose first line has this number; return its value as text, None if it has none.

        Raises BrambleError of the phases syntax, resolve, eval, load and derivation; what the
        input has done before that stays done.
        """
        # spec: cli.repl
        try:
            value = self._inputs.run(text, number)
            return None if value is None else to_repr(value)
        except StarlarkError as error:
            raise self._error_of(error) from error

    def needs_more(self, text: str) -> bool:
        """Return whether an input is the beginning of something longer."""
        return self._inputs.needs_more(text)

    def complete(self, word: str) -> list[str]:
        """Return how a name, or a dotted name, may go on."""
        return self._inputs.complete(word)

    def modules(self) -> list[str]:
        """Return the names of all modules that can be loaded, sorted."""
        names = set(library.MODULES)
        for name in (*([self.project.name] if self.in_project else []), *self.packages.directories):
            try:
                names |= {module.name for module in self.session.roots.below_module(name)}
            except BrambleError:
                continue
        return sorted(names)

    def warnings(self) -> list[str]:
        """Return the warnings since the last time that this was asked."""
        found = [_PLACE.sub(self._typed, warning) for warning in self.session.warnings]
        self.session.warnings.clear()
        return found

    def _typed(self, place: re.Match[str]) -> str:
        return str(self._inputs.typed(Position(STDIN, int(place[1]), int(place[2]))))

    def _load(self, _thread: Thread, module: str, _position: Optional[Position]) -> Module:
        # spec: dialect.load
        try:
            return self._loader.load(self.session.roots.locate(module)).module
        except BrambleError as error:
            if self.in_project or error.code not in ("load.unknown-package", "load.relative"):
                raise
            raise BrambleError(
                error.code,
                f'the module "{module}" cannot be loaded: there is no project here',
                remedy="only the library (std, std/c, …) can be loaded here; for other modules go to a "
                "project, "
                "or make one here with: bramble init",
            ) from error

    def _error_of(self, error: StarlarkError) -> BrambleError:
        cause = error.__cause__
        if error.code == "eval.load" and isinstance(cause, BrambleError):
            if cause.place is None:
                cause.place = place_of(error.position)
            return cause
        found = self.session.error_of(error)
        for one in (found, *found.others):
            if one.code == "resolve.undefined" and one.message.split()[1:2] in ([word] for word in _ENDS):
                one.remedy = "Ctrl-D ends the session"
        return found
