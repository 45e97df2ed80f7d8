"""The `toml` module of the dialect: TOML 1.0 text as values of the language."""

from __future__ import annotations

from typing import Any

from bramble.errors import BrambleError
from bramble.lang.arguments import Checker, bind
from bramble.lang.failure import refuse
from bramble.project.toml import Moment, parse
from bramble.starlark import Builtin, List, ModuleValue, Thread

_DECODE: dict[str, Any] = {"text": None}


def _decode(_thread: Thread, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # spec: dialect.toml
    given = bind("toml.decode", _DECODE, args, kwargs, required=1)
    text = Checker("toml.decode", "eval.argument").string("text", given["text"])
    try:
        return value_of(parse(text, "text", code="eval.toml"))
    except BrambleError as error:
        at = f" (line {error.place.line}, column {error.place.column})" if error.place else ""
        refuse("eval.toml", f"toml.decode: {error.message}{at}", error.remedy)


def value_of(found: Any) -> Any:
    """Return what a TOML reader found as a value of the language; dates and times become strings."""
    if isinstance(found, dict):
        return {key: value_of(value) for key, value in found.items()}
    if isinstance(found, list):
        return List([value_of(value) for value in found])
    return written(found) if isinstance(found, Moment) else found


def written(moment: Moment) -> str:
    """Return a date or a time as RFC 3339 writes it."""
    date = time = offset = ""
    if moment.year is not None:
        date = f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
    if moment.hour is not None:
        time = f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"
        time += f".{moment.microsecond:06}" if moment.microsecond else ""
    if moment.offset is not None:
        hours, minutes = divmod(abs(moment.offset), 60)
        offset = f"{'-' if moment.offset < 0 else '+'}{hours:02}:{minutes:02}" if moment.offset else "Z"
    return f"{date}T{time}{offset}" if date and time else date + time


TOML = ModuleValue("toml", {"decode": Builtin("toml.decode", _decode)})
