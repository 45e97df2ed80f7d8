"""The values of literals: escapes in strings and bytes, and numbers."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

# Reading decimal digits takes more than linear time, so a file must not hold any number of them.
MAX_DIGITS = 100_000
# Longer texts than this are refused by int() from Python 3.11 on, to be safe from just that.
_PIECE = 4000

_ESCAPE = r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r\n|[\s\S]))|\r\n?"
_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "\n": "", "\r": "", "\r\n": "",
}  # fmt: skip


class LiteralFault(Exception):
    """A literal has no value. `offset` counts from the start of what was given."""

    def __init__(self, code: str, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset


def text_value(body: str, raw: bool) -> str:
    """Return the value of the text between the quotes of a string literal. Raises LiteralFault."""
    # spec: starlark.string.escapes
    if raw:
        return _plain_line_ends(body)
    if "\\" not in body and "\r" not in body:
        return body
    return re.sub(_ESCAPE, _text_escape, body)


def bytes_value(body: str, raw: bool) -> bytes:
    """Return the value of the text between the quotes of a bytes literal. Raises LiteralFault."""
    if raw:
        return _plain_line_ends(body).encode()
    parts: list[bytes] = []
    end = 0
    for match in re.finditer(_ESCAPE, body):
        parts.append(body[end : match.start()].encode())
        octal, hexadecimal = match[1], match[2]
        if octal is not None:
            if int(octal, 8) > 255:
                raise LiteralFault("syntax.escape", f"invalid escape sequence \\{octal}", match.start())
            parts.append(bytes((int(octal, 8),)))
        elif hexadecimal is not None:
            parts.append(bytes((int(hexadecimal, 16),)))
        else:
            parts.append(_text_escape(match).encode())
        end = match.end()
    parts.append(body[end:].encode())
    return b"".join(parts)


def number_value(text: str) -> Union[int, float]:
    """Return the value of a number as the scanner's expression matches it. Raises LiteralFault."""
    # spec: starlark.int.literals, starlark.float.literals
    if text.isdigit():
        if text[0] == "0" and len(text) > 1 and text.strip("0"):
            digits = text.lstrip("0")
            if digits.strip("01234567"):
                raise LiteralFault("syntax.number", f"invalid int literal {_short(text)}")
            raise LiteralFault("syntax.number", f"obsolete form of octal literal; use 0o{_short(digits)}")
        return decimal_value(text)
    base = {"x": 16, "o": 8, "b": 2}.get(text[1].lower())
    if text[0] == "0" and base is not None:
        if len(text) == 2:
            kind = {16: "hex", 8: "octal", 2: "binary"}[base]
            raise LiteralFault("syntax.number", f"invalid {kind} literal")
        _check_digits(len(text) - 2)
        return int(text[2:], base)
    if text[-1] in "eE+-":
        raise LiteralFault("syntax.number", "invalid float literal")
    value = float(text)
    if value == float("inf"):
        raise LiteralFault("syntax.number", "floating-point literal too large")
    return value


def decimal_value(digits: str) -> int:
    """Return the value of ASCII decimal digits, at most MAX_DIGITS of them. Raises LiteralFault."""
    if len(digits) <= _PIECE:
        return int(digits)
    _check_digits(len(digits))
    half = len(digits) // 2
    scale: int = 10**half
    return decimal_value(digits[:-half]) * scale + decimal_value(digits[-half:])


def _check_digits(count: int) -> None:
    if count > MAX_DIGITS:
        raise LiteralFault("syntax.number", f"int literal has {count} digits; at most {MAX_DIGITS} are read")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "…"


def _plain_line_ends(text: str) -> str:
    # spec: starlark.source.lines
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _text_escape(match: re.Match[str]) -> str:
    """Return the text of one escape of a string literal, or of one line end in it."""
    octal, hexadecimal, short, long, other = match.groups()
    written = match[0]
    if other is not None:
        value = _SIMPLE.get(other)
        if value is None:
            kind = "truncated" if other in "xuU" else "invalid"
            raise LiteralFault("syntax.escape", f"{kind} escape sequence {written}", match.start())
        return value
    if octal is not None or hexadecimal is not None:
        code = int(octal, 8) if octal is not None else int(hexadecimal, 16)
        if code > 0x7F:
            kind = "octal" if octal is not None else "hex"
            raise LiteralFault(
                "syntax.escape",
                f"non-ASCII {kind} escape {written} (use \\u{code:04X} for U+{code:04X})",
                match.start(),
            )
        return chr(code)
    if short is None and long is None:
        return "\n"
    code = int(short or long, 16)
    if code > 0x10FFFF:
        message = f"code point out of range: {written} (max \\U0010ffff)"
        raise LiteralFault("syntax.escape", message, match.start())
    if 0xD800 <= code <= 0xDFFF:
        raise LiteralFault("syntax.escape", f"invalid Unicode code point U+{code:04X}", match.start())
    return chr(code)


def literal_text(value: Union[int, float, str, bytes], raw: str = "") -> str:
    """Return how a literal is written: as `raw` if that is given, with double quotes where they serve."""
    if raw:
        plain = raw[0] == "'" and raw[:3] != "'''" and "\\" not in raw and '"' not in raw
        return f'"{raw[1:-1]}"' if plain else raw
    if isinstance(value, str):
        return '"' + "".join([_written(c) for c in value]) + '"'
    if isinstance(value, bytes):
        return 'b"' + "".join([_written(chr(b)) if b < 0x80 else f"\\x{b:02x}" for b in value]) + '"'
    # A text of very many decimal digits could take too long to make.
    return hex(value) if isinstance(value, int) and value.bit_length() > 4000 else repr(value)


def _written(character: str) -> str:
    short = _WRITTEN.get(character)
    if short is not None:
        return short
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_WRITTEN = {value: "\\" + name for name, value in _SIMPLE.items() if value and name != "'"}
