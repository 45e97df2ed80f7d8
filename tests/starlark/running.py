"""Running small programs in tests."""

from __future__ import annotations

from typing import Any

from bramble.starlark import Dialect, Module, Thread, compile_program, execute


def ran(text: str, thread: Thread | None = None, dialect: Dialect | None = None, **given: Any) -> Module:
    """Return the module of a program; `given` are its predeclared names."""
    program = compile_program(text, "test.star", dialect=dialect or Dialect(), predeclared=tuple(given))
    return execute(program, predeclared=given, thread=thread or Thread())


def value(expression: str, **given: Any) -> Any:
    """Return the value of an expression."""
    return ran(f"result = {expression}\n", **given).globals["result"]
