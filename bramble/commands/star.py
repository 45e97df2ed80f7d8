"""`bramble star`: runs a Starlark file with `assert`, `json` and `struct`, and nothing of Bramble."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Optional

from bramble.commands.context.limits import bounded
from bramble.commands.context.setting import EvaluationLimits
from bramble.errors import BrambleError
from bramble.lang.failure import as_bramble_error
from bramble.starlark import Dialect, Position, StarlarkError, Thread
from bramble.starlark.cache import ProgramCache
from bramble.starlark.command import FileLoader
from bramble.starlark.kept import Kept

__all__ = ["Dialect", "run_file"]


def run_file(
    path: str,
    dialect: Dialect,
    on_print: Callable[[str], None],
    limits: EvaluationLimits,
    cache: Optional[str] = None,
) -> Optional[BrambleError]:
    """Run the Starlark file `path` and return its error, None when it ran to its end.

    Compiled files are kept in the directory `cache`, which the user's own is made in.

    spec: cli.star, starlark.command
    """
    kept = None if cache is None else Kept(os.path.dirname(cache), (os.path.basename(cache), "starlark"))
    loader = FileLoader(dialect, cache=None if kept is None else ProgramCache(kept))

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
