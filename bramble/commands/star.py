"""`bramble star`: runs a Starlark file with `assert`, `json` and `struct`, and nothing of Bramble."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from bramble.errors import BrambleError
from bramble.lang.failure import as_bramble_error
from bramble.starlark import Dialect, Position, StarlarkError, Thread, compile_program, execute
from bramble.starlark.assertions import ASSERT
from bramble.starlark.json_module import JSON
from bramble.starlark.struct_builtin import STRUCT

__all__ = ["Dialect", "StarOutcome", "run_file"]

_PREDECLARED = {"assert": ASSERT, "json": JSON, "struct": STRUCT}


@dataclass(frozen=True)
class StarOutcome:
    """What became of one file: `errors` is empty when the program ran to its end."""

    file: str
    errors: tuple[BrambleError, ...]


def run_file(path: str, dialect: Dialect, on_print: Callable[[str], None]) -> StarOutcome:
    """Run the Starlark file `path`; errors are in the outcome (spec: cli.star, starlark.program)."""
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        return StarOutcome(
            path, (BrambleError("cli.no-file", f"{path}: {error.strerror}", remedy="name a file to run"),)
        )

    def show(text: str, position: Optional[Position]) -> None:
        on_print(text)

    try:
        program = compile_program(source, path, dialect=dialect, predeclared=_PREDECLARED)
        execute(program, predeclared=_PREDECLARED, thread=Thread(print=show))
    except StarlarkError as error:
        failure = as_bramble_error(error)
        return StarOutcome(path, (failure, *failure.others))
    return StarOutcome(path, ())
