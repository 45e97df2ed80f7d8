"""`bramble star`: runs a Starlark file with `assert`, `json` and `struct`, and nothing of Bramble."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from bramble.errors import BrambleError
from bramble.lang.failure import as_bramble_error
from bramble.starlark import Dialect, Position, StarlarkError, Thread
from bramble.starlark.command import FileLoader
from bramble.starlark.memory import bounded_memory

__all__ = ["Dialect", "run_file"]


def run_file(path: str, dialect: Dialect, on_print: Callable[[str], None]) -> Optional[BrambleError]:
    """Run the Starlark file `path` and return its error, None when it ran to its end.

    spec: cli.star, starlark.command
    """
    loader = FileLoader(dialect)

    def show(text: str, position: Optional[Position]) -> None:
        on_print(text)

    try:
        with bounded_memory():
            loader.run(path, Thread(load=loader.load, print=show))
    except StarlarkError as error:
        return as_bramble_error(error)
    except OSError as error:
        return BrambleError("cli.no-file", f"{path}: {error.strerror}", remedy="name a file to run")
    return None
