"""`bramble star`: runs a Starlark file with `assert`, `json` and `struct`, and nothing of Bramble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from bramble.commands.context.limits import bounded
from bramble.commands.context.setting import EvaluationLimits
from bramble.errors import BrambleError
from bramble.lang.failure import as_bramble_error
from bramble.starlark import Dialect, Position, StarlarkError, Thread
from bramble.starlark.command import FileLoader

__all__ = ["Dialect", "run_file"]


def run_file(
    path: str, dialect: Dialect, on_print: Callable[[str], None], limits: EvaluationLimits
) -> Optional[BrambleError]:
    """Run the Starlark file `path` and return its error, None when it ran to its end.

    spec: cli.star, starlark.command
    """
    loader = FileLoader(dialect)

    def show(text: str, position: Optional[Position]) -> None:
        on_print(text)

    thread = Thread(load=loader.load, print=show, max_steps=limits.steps)
    try:
        with bounded(limits):
            _run(loader, path, thread)
    except BrambleError as error:
        return error
    return None


def _run(loader: FileLoader, path: str, thread: Thread) -> None:
    try:
        loader.run(path, thread)
    except StarlarkError as error:
        raise as_bramble_error(error) from error
    except OSError as error:
        raise BrambleError("cli.no-file", f"{path}: {error.strerror}", remedy="name a file to run") from error
