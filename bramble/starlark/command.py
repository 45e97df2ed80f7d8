"""Running files: what `python -m bramble.starlark FILE` does, without printing."""

from __future__ import annotations

import os

from .dialect import Dialect
from .errors import EvalError
from .program import compile_program
from .startup import LateValues
from .thread import Thread, execute, run_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Optional

    from .cache import ProgramCache
    from .errors import Position
    from .runtime.values import Value
    from .thread import Module

# spec: starlark.command
PREDECLARED: Mapping[str, Value] = LateValues(
    {
        "assert": ("assertions", "ASSERT"),
        "json": ("runtime.json", "JSON"),
        "struct": ("runtime.struct", "STRUCT"),
    }
)


class FileLoader:
    """Runs files, each once, and serves `load` statements with paths relative to the loading file.

    Give its method `load` to a Thread. With a `cache` a file is compiled again only when it has changed.
    """

    def __init__(
        self,
        dialect: Dialect,
        predeclared: Mapping[str, Value] = PREDECLARED,
        cache: Optional[ProgramCache] = None,
    ) -> None:
        self.dialect = dialect
        self.compile = compile_program if cache is None else cache.compile
        self.predeclared = predeclared
        # None while the file runs: to load it again then is a cycle.
        self.modules: dict[str, Optional[Module]] = {}

    def run(self, path: str, thread: Thread) -> Module:
        """Run a file and return its module. Raises StarlarkError, and OSError when it cannot be read."""
        module: Module = self._run(path, thread, execute)
        return module

    def run_last(self, path: str, thread: Thread) -> object:
        """Run a file for what it does, and return what keeps its values alive; as `run` otherwise."""
        return self._run(path, thread, run_program)

    def _run(self, path: str, thread: Thread, how: Callable[..., Any]) -> Any:
        # spec: starlark.load.command
        key = os.path.realpath(path)
        if key in self.modules:
            done = self.modules[key]
            if done is None:
                raise EvalError("eval.load", "cycle in load graph")
            return done
        with open(path, "rb") as file:
            text = file.read()
        self.modules[key] = None
        try:
            program = self.compile(text, path, dialect=self.dialect, predeclared=self.predeclared)
            module = how(program, predeclared=self.predeclared, thread=thread)
        except BaseException:
            del self.modules[key]
            raise
        self.modules[key] = module
        return module

    def load(self, thread: Thread, module: str, position: Optional[Position]) -> Module:
        """Return the module at a path relative to the file at `position`."""
        directory = "" if position is None else os.path.dirname(position.file)
        try:
            return self.run(os.path.join(directory, module), thread)
        except OSError as error:
            raise EvalError("eval.load", error.strerror or str(error)) from error
