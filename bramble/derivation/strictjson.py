"""JSON from anybody, read without trust: every value has the one type that is expected.

Unlike `json.loads` alone, this refuses repeated keys, numbers (no document of
this chapter has one that matters), text that is not Unicode, and depth without end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, Optional

from bramble.errors import BrambleError

_SURROGATE = re.compile("[\ud800-\udfff]")


def broken(where: str, fact: str) -> BrambleError:
    """Return the error for a document that breaks a rule at the path `where`."""
    return BrambleError(
        "derivation.encoding",
        f"{where}: {fact}" if where else fact,
        remedy="write derivations in the form of chapter 4 of the specification, or let bramble write them",
    )


def parse(
    data: bytes,
    *,
    pairs: Optional[Callable[[list[tuple[str, Any]]], dict[str, Any]]] = None,
    whole: Optional[Callable[[str], int]] = None,
) -> Any:
    """Return the JSON value in `data`. Raises derivation.encoding.

    `pairs` makes an object of its keys and values (None: each key may occur once), `whole` reads a whole
    number (None: no number is allowed).
    """
    # spec: derivation.json.reading
    try:
        decoded = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise broken("", f"byte {error.start} is not UTF-8") from error
    try:
        return json.loads(
            decoded,
            object_pairs_hook=pairs or _object,
            parse_int=whole or _number,
            parse_float=_number,
            parse_constant=_number,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise broken(where, f"this is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise broken("", "the values are nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise broken("", f"the key {ascii(key)} occurs twice")
        found[key] = value
    return found


def _number(value: str) -> NoReturn:
    raise broken("", f"a number is not expected, but there is {value[:20]}")


def fields(value: Any, where: str, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """Return `value`, an object that has every required key and no key but these."""
    found = mapping(value, where)
    for key in required:
        if key not in found:
            raise broken(where, f'"{key}" is missing')
    known = {*required, *optional}
    for key in found:
        if key not in known:
            raise broken(where, f"{ascii(key)} is not a valid key here")
    return found


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Return `value`, an object whose keys are Unicode."""
    if not isinstance(value, dict):
        raise broken(where, f"an object is expected, but there is {kind(value)}")
    for key in value:
        text(key, where)
    return value


def text(value: Any, where: str) -> str:
    """Return `value`, a string of Unicode text."""
    if not isinstance(value, str):
        raise broken(where, f"a string is expected, but there is {kind(value)}")
    if _SURROGATE.search(value):
        raise broken(where, f"the string {ascii(value)} is not Unicode")
    return value


def items(value: Any, where: str) -> list[Any]:
    """Return `value`, an array; `null` is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise broken(where, f"an array or null is expected, but there is {kind(value)}")
    return value


def texts(value: Any, where: str) -> tuple[str, ...]:
    """Return `value`, an array of strings; `null` is an empty one."""
    return tuple([text(item, f"{where}[{number}]") for number, item in enumerate(items(value, where))])


def text_mapping(value: Any, where: str) -> dict[str, str]:
    """Return `value`, an object from strings to strings; `null` is an empty one."""
    if value is None:
        return {}
    return {key: text(item, f"{where}.{key}") for key, item in mapping(value, where).items()}


def truth(value: Any, where: str) -> bool:
    """Return `value`, which is true or false."""
    if not isinstance(value, bool):
        raise broken(where, f"true or false is expected, but there is {kind(value)}")
    return value


def kind(value: Any) -> str:
    """Return what a JSON value is, in words."""
    if value is None:
        return "null"
    return {dict: "an object", list: "an array", str: "a string", bool: "true or false"}.get(
        type(value), "something else"
    )
