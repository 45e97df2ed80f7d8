"""The values of TOML 1.0 that hold no others: strings, numbers, truth and moments.

Each reader takes the whole text and an offset at which a value begins, and
returns the value and the offset after it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Optional, Union

from bramble.record import dataclass

Scalar = Union[str, int, float, bool, "Moment"]


class Broken(Exception):
    """The text is not TOML from `offset` on; `remedy` says what might have been meant."""

    def __init__(self, offset: int, message: str, remedy: Optional[str] = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class Moment:
    """A date, a time, or both. TOML 1.0: offset date-time, local date-time, date, time.

    A part that is not written is None. `microsecond` is cut, not rounded; `offset` counts
    minutes east of UTC.
    """

    year: Optional[int] = None
    month: Optional[int] = None
    day: Optional[int] = None
    hour: Optional[int] = None
    minute: Optional[int] = None
    second: Optional[int] = None
    microsecond: Optional[int] = None
    offset: Optional[int] = None


_TIME = r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9])(?:\.(?P<fraction>[0-9]+))?"
_LIKE_MOMENT = re.compile(r"[0-9]{4}-|[0-9]{2}:")
_DIGITS = r"[0-9](?:_?[0-9])*"


# The two big expressions are made when they are needed: most files have no number and no date,
# and compiling them takes longer than reading such a file.
@cache
def _moment_pattern() -> re.Pattern[str]:
    return re.compile(
        r"(?P<year>[0-9]{4})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])"
        r"(?:[Tt ]" + _TIME + r"(?P<offset>[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?)?"
    )


@cache
def _number_pattern() -> re.Pattern[str]:
    return re.compile(
        r"0x(?P<hex>[0-9A-Fa-f](?:_?[0-9A-Fa-f])*)"
        r"|0o(?P<octal>[0-7](?:_?[0-7])*)"
        r"|0b(?P<binary>[01](?:_?[01])*)"
        r"|(?P<whole>[+-]?(?:0|[1-9](?:_?[0-9])*))"
        rf"(?P<part>(?:\.{_DIGITS})?(?:[eE][+-]?{_DIGITS})?)"
        r"|(?P<special>[+-]?(?:inf|nan))"
    )


_BASES = {"hex": 16, "octal": 8, "binary": 2}
# A number with more digits is a mistake or an attack: conversion takes quadratic time.
_DIGIT_LIMIT = 4300
_WORD = re.compile(r"[^\s#,\[\]{}=\"']+")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def scalar(text: str, start: int) -> tuple[Scalar, int]:
    """Read one value that is not an array or an inline table. Raises Broken."""
    if text.startswith('"""', start):
        return _long(text, start, '"""', _BASIC_LONG)
    if text.startswith("'''", start):
        return _long(text, start, "'''", _LITERAL_LONG)
    first = text[start : start + 1]
    if first in ('"', "'") and first:
        return short_string(text, start)
    for word, value in (("true", True), ("false", False)):
        if text.startswith(word, start):
            return value, start + len(word)
    if _LIKE_MOMENT.match(text, start) is not None:
        moment = _moment(text, start)
        if moment is not None:
            return moment
    found = _number_pattern().match(text, start)
    if found is not None:
        return _number(found), found.end()
    raise _no_value(text, start)


def _no_value(text: str, start: int) -> Broken:
    word = _WORD.match(text, start)
    if word is None:
        return Broken(start, "a value is missing here", 'a string is written in quotes: name = "value"')
    if word[0].lower() in ("true", "false"):
        return Broken(start, f"{word[0]} is not a value", f"write {word[0].lower()}")
    return Broken(start, f"{word[0]} is not a value", f'if it is meant as a string, write "{word[0]}"')


def _number(found: re.Match[str]) -> Union[int, float]:
    if found["special"]:
        return float(found["special"])
    if len(found[0]) > _DIGIT_LIMIT:
        raise Broken(found.start(), "the number has too many digits")
    for name, base in _BASES.items():
        if found[name]:
            return int(found[name], base)
    if found["part"]:
        return float(found[0].replace("_", ""))
    return int(found["whole"].replace("_", ""))


def _moment(text: str, start: int) -> Optional[tuple[Moment, int]]:
    found = _moment_pattern().match(text, start)
    if found is None:
        found = re.compile(_TIME).match(text, start)
        return None if found is None else (Moment(**_clock(found)), found.end())
    year, month, day = int(found["year"]), int(found["month"]), int(found["day"])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year == 0 or day > _DAYS[month - 1] or (month == 2 and day == 29 and not leap):
        raise Broken(start, f"there is no day {found[0][:10]}")
    clock = _clock(found) if found["hour"] else {}
    return Moment(year, month, day, **clock, offset=_offset(found["offset"])), found.end()


def _clock(found: re.Match[str]) -> dict[str, int]:
    return {
        "hour": int(found["hour"]),
        "minute": int(found["minute"]),
        "second": int(found["second"]),
        "microsecond": int((found["fraction"] or "0")[:6].ljust(6, "0")),
    }


def _offset(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    if text in ("Z", "z"):
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


# What may be in a string without being escaped. Control characters but tab are never allowed.
_BASIC = re.compile(r'[^"\\\x00-\x08\x0a-\x1f\x7f]*')
_LITERAL = re.compile(r"[^'\x00-\x08\x0a-\x1f\x7f]*")
_BASIC_LONG = re.compile(r'[^"\\\x00-\x08\x0b-\x1f\x7f]*')
_LITERAL_LONG = re.compile(r"[^'\x00-\x08\x0b-\x1f\x7f]*")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_LINE_ENDING = re.compile(r"\\[ \t]*\n[ \t\n]*")


def short_string(text: str, start: int) -> tuple[str, int]:
    """Read a string of one line, basic or literal; it begins with its quote. Raises Broken."""
    quote = text[start]
    plain = _BASIC if quote == '"' else _LITERAL
    pieces: list[str] = []
    at = start + 1
    while True:
        found = plain.match(text, at)
        at = found.end() if found else at
        pieces.append(found[0] if found else "")
        if text.startswith(quote, at):
            return "".join(pieces), at + 1
        if not text.startswith("\\", at):
            raise _unclosed(text, start, at, quote)
        piece, at = _escape(text, at)
        pieces.append(piece)


def _long(text: str, start: int, quotes: str, plain: re.Pattern[str]) -> tuple[str, int]:
    pieces: list[str] = []
    at = start + 3
    if text.startswith("\n", at):
        at += 1
    while True:
        found = plain.match(text, at)
        at = found.end() if found else at
        pieces.append(found[0] if found else "")
        if text.startswith(quotes, at):
            # One or two quotes may stand right before the closing three.
            extra = 0
            while extra < 2 and text.startswith(quotes[0], at + 3 + extra):
                extra += 1
            return "".join(pieces) + quotes[0] * extra, at + 3 + extra
        if text.startswith(quotes[0], at):
            pieces.append(quotes[0])
            at += 1
            continue
        if not text.startswith("\\", at):
            raise _unclosed(text, start, at, quotes)
        ending = _LINE_ENDING.match(text, at)
        if ending is not None:
            at = ending.end()
            continue
        piece, at = _escape(text, at)
        pieces.append(piece)


def _unclosed(text: str, start: int, at: int, quotes: str) -> Broken:
    if at >= len(text) or text[at] == "\n":
        remedy = 'use """ for a string of several lines' if len(quotes) == 1 else None
        return Broken(start, f"this string has no closing {quotes}", remedy)
    return Broken(at, f"the control character U+{ord(text[at]):04X} is not allowed in a string")


def _escape(text: str, at: int) -> tuple[str, int]:
    kind = text[at + 1 : at + 2]
    if kind in _ESCAPES:
        return _ESCAPES[kind], at + 2
    size = {"u": 4, "U": 8}.get(kind)
    if size is None:
        raise Broken(
            at,
            f"\\{kind} is not an escape",
            r"write \\ for a backslash, or use a string in single quotes",
        )
    digits = text[at + 2 : at + 2 + size]
    if re.fullmatch(f"[0-9A-Fa-f]{{{size}}}", digits) is None:
        raise Broken(at, f"\\{kind} needs {size} hexadecimal digits")
    code = int(digits, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise Broken(at, f"\\{kind}{digits} is not a character")
    return chr(code), at + 2 + size


def control_character(text: str, start: int, end: int) -> Optional[int]:
    """Return the offset of the first character that a comment may not hold, or None."""
    found = _CONTROL.search(text, start, end)
    return found.start() if found else None


_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
