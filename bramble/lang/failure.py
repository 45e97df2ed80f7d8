"""From errors of a program to errors of a user: code, place, remedy, call stack."""

from __future__ import annotations

from importlib import import_module
from typing import NoReturn, Optional

from bramble.errors import BrambleError, Place
from bramble.starlark import EvalError, Position, StarlarkError


class DialectError(EvalError):
    """A fault in a program that a built-in of the dialect found. The code may be of any phase."""

    def __init__(self, code: str, message: str, remedy: Optional[str] = None) -> None:
        super().__init__(code, message)
        self.remedy = remedy


def refuse(code: str, message: str, remedy: Optional[str] = None) -> NoReturn:
    """Let the call that is being made fail."""
    raise DialectError(code, message, remedy)


def refuse_as(error: BrambleError) -> NoReturn:
    """Let the call that is being made fail as `error` says; the place becomes that of the call."""
    raise DialectError(error.code, error.message, error.remedy) from error


def place_of(position: Optional[Position]) -> Optional[Place]:
    """Return a position in a program as a place."""
    return None if position is None else Place(position.file, position.line, position.column)


def as_bramble_error(error: StarlarkError) -> BrambleError:
    """Return an error of a program as an error for its author; several static ones travel together."""
    # spec: dialect.errors
    if error.code == "eval.host" and error.__cause__ is not None:
        # A fault of a built-in itself: ours, and not the program's.
        raise error.__cause__
    if error.code == "eval.interrupted":
        raise KeyboardInterrupt
    first, *others = [_converted(one) for one in error.errors]
    if not others:
        return first
    return BrambleError(
        first.code,
        first.message,
        place=first.place,
        remedy=first.remedy,
        detail=first.detail,
        others=others,
    )


def _converted(error: StarlarkError) -> BrambleError:
    # The message is printed once; if only this place was active, by the error itself.
    # spec: dialect.errors
    detail = error.excerpt()
    if isinstance(error, EvalError) and len(error.stack) > 1:
        detail = "\n".join([error.calls(), *([detail] if detail else [])])
    return BrambleError(
        error.code,
        error.message,
        place=place_of(error.position),
        remedy=error.remedy if isinstance(error, DialectError) else _remedy_of(error),
        detail=detail,
    )


def _remedy_of(error: StarlarkError) -> Optional[str]:
    # What to write instead is looked up where something is wrong.
    found: Optional[str] = import_module("bramble.lang.remedies").remedy_of(error)
    return found
