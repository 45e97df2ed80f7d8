"""A validator for the part of JSON Schema (draft 2020-12) that describes the documents of Bramble. Pure.

The keywords are those of `_KEYWORDS`; `$ref` leads to `#/$defs/NAME` or `FILE#/$defs/NAME`. Titles and
descriptions have no effect. A keyword that is not known is an error of the schema's author, since a check
that is skipped in silence would be no check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
Look = Callable[[str], Schema]  # the name of a file beside this one → its schema

_SILENT = frozenset({"$schema", "title", "description", "$comment", "$defs"})
_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


class BadSchema(Exception):
    """A schema that this validator does not know how to apply."""


def problems(document: object, schema: Schema, look: Look) -> Iterator[str]:
    """Yield what in a document is not as its schema says, each with the place as a path of keys and indexes.

    `look` returns the schema in another file, for `$ref`. Raises BadSchema.
    """
    yield from _Check(schema, look).problems(document, schema, "$")


class _Check:
    """One schema file, against which values are validated."""

    def __init__(self, whole: Schema, look: Look) -> None:
        self.whole = whole
        self.look = look

    def problems(self, value: object, schema: Schema, place: str) -> Iterator[str]:
        for keyword, argument in schema.items():
            if keyword in _SILENT:
                continue
            check = _KEYWORDS.get(keyword)
            if check is None:
                raise BadSchema(f"the keyword {keyword!r} at {place}")
            yield from check(self, value, argument, place, schema)


_Found = Iterator[str]


def _type(_check: _Check, value: object, wanted: Any, place: str, _schema: Schema) -> _Found:
    names = [wanted] if isinstance(wanted, str) else wanted
    if not any(_TYPES[name](value) for name in names):
        yield f"{place}: {_short(value)} is not of type {' or '.join(names)}"


def _enum(_check: _Check, value: object, wanted: Any, place: str, _schema: Schema) -> _Found:
    if not any(_same(value, one) for one in wanted):
        yield f"{place}: {_short(value)} is not one of {', '.join(map(_short, wanted))}"


def _const(_check: _Check, value: object, wanted: Any, place: str, _schema: Schema) -> _Found:
    if not _same(value, wanted):
        yield f"{place}: {_short(value)} is not {_short(wanted)}"


def _properties(check: _Check, value: object, known: Any, place: str, _schema: Schema) -> _Found:
    if isinstance(value, dict):
        for name, schema in known.items():
            if name in value:
                yield from check.problems(value[name], schema, f"{place}.{name}")


def _required(_check: _Check, value: object, names: Any, place: str, _schema: Schema) -> _Found:
    if isinstance(value, dict):
        yield from (f"{place}: there is no {name}" for name in names if name not in value)


def _additional(check: _Check, value: object, allowed: Any, place: str, schema: Schema) -> _Found:
    if not isinstance(value, dict):
        return
    for name in value.keys() - schema.get("properties", {}).keys():
        if allowed is False:
            yield f"{place}: {name} is unknown"
        elif allowed is not True:
            yield from check.problems(value[name], allowed, f"{place}.{name}")


def _property_names(check: _Check, value: object, wanted: Any, place: str, _schema: Schema) -> _Found:
    if isinstance(value, dict):
        for name in value:
            yield from check.problems(name, wanted, f"{place}: the key {name}")


def _items(check: _Check, value: object, wanted: Any, place: str, schema: Schema) -> _Found:
    if isinstance(value, list):
        first = len(schema.get("prefixItems", ()))
        for index, one in enumerate(value[first:], first):
            if wanted is False:
                yield f"{place}: there are more than {first} items"
                return
            yield from check.problems(one, wanted, f"{place}[{index}]")


def _prefix_items(check: _Check, value: object, wanted: Any, place: str, _schema: Schema) -> _Found:
    if isinstance(value, list):
        for index, (one, schema) in enumerate(zip(value, wanted)):
            yield from check.problems(one, schema, f"{place}[{index}]")


def _min_items(_check: _Check, value: object, least: Any, place: str, _schema: Schema) -> _Found:
    if isinstance(value, list) and len(value) < least:
        yield f"{place}: there are {len(value)} items, and {least} at least"


def _max_items(_check: _Check, value: object, most: Any, place: str, _schema: Schema) -> _Found:
    if isinstance(value, list) and len(value) > most:
        yield f"{place}: there are {len(value)} items, and {most} at most"


def _minimum(_check: _Check, value: object, least: Any, place: str, _schema: Schema) -> _Found:
    if _TYPES["number"](value) and value < least:  # type: ignore[operator]
        yield f"{place}: {value} is less than {least}"


def _pattern(_check: _Check, value: object, pattern: Any, place: str, _schema: Schema) -> _Found:
    if isinstance(value, str) and re.search(pattern, value) is None:
        yield f"{place}: {_short(value)} does not match {pattern}"


def _any_of(check: _Check, value: object, choices: Any, place: str, _schema: Schema) -> _Found:
    found = [list(check.problems(value, one, place)) for one in choices]
    if all(found):
        nearest = min(found, key=len)[0]
        yield f"{place}: {_short(value)} matches none of {len(choices)} forms; of the nearest: {nearest}"


def _ref(check: _Check, value: object, target: Any, place: str, _schema: Schema) -> _Found:
    file, _, name = target.partition("#/$defs/")
    within = _Check(check.look(file), check.look) if file else check
    try:
        schema = within.whole["$defs"][name] if name else within.whole
    except KeyError:
        raise BadSchema(f"there is no {target}") from None
    yield from within.problems(value, schema, place)


_KEYWORDS: Mapping[str, Callable[[_Check, object, Any, str, Schema], _Found]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "properties": _properties,
    "required": _required,
    "additionalProperties": _additional,
    "propertyNames": _property_names,
    "items": _items,
    "prefixItems": _prefix_items,
    "minItems": _min_items,
    "maxItems": _max_items,
    "minimum": _minimum,
    "pattern": _pattern,
    "anyOf": _any_of,
    "$ref": _ref,
}


def _same(one: object, other: object) -> bool:
    """Compare as JSON does: true is not 1."""
    return type(one) is type(other) and one == other


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
