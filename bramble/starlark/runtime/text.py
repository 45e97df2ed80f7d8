"""Values as text: `str`, `repr`, the `%` operator and `format`."""

from __future__ import annotations

from _string import formatter_parser  # type: ignore[import-not-found]

from ..errors import EvalError
from ..late import Pattern
from .integers import int_text
from .interruptible import CHARACTERS, parts
from .limits import MAX_DEPTH
from .values import (
    DICT_CLASSES,
    LIST_CLASSES,
    SET_CLASSES,
    entries,
    fail_with,
    keys_of,
    type_name,
)
from .views import Elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import NoReturn, Optional

    from .values import Value

# The longest text that printing a value may make; pieces count as if they had at least so many characters.
MAX_PRINTED = 1 << 25
_PIECE = 8

# Ints whose text Python makes at once.
_SHORT_INT = 1 << 62

_BRACE = Pattern("[{}]")
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def to_str(value: Value) -> str:
    """Return `str(value)`."""
    # spec: starlark.str
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return f"{value}" if -_SHORT_INT < value < _SHORT_INT else int_text(value)
    if kind is bytes:
        return value.decode("utf-8", "replace")  # type: ignore[no-any-return]
    return display(value)


def display(value: Value) -> str:
    """Return a value as `%s` and `format` write it: strings and host values as `str`, others as `repr`."""
    kind = value.__class__
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return int_text(value)
    text = getattr(value, "str_text", None)
    return to_repr(value) if text is None else str(text())


def to_repr(value: Value) -> str:
    """Return `repr(value)`. Raises EvalError when the value is nested too deeply or its text is too long."""
    # spec: starlark.repr.forms
    kind = value.__class__
    if kind is str:
        return quote(value)
    if kind is int:
        return int_text(value)
    short = _short_text(value, _SHORT_DEPTH)
    if short is not None:
        return short
    pieces = Pieces()
    _write(value, pieces, MAX_DEPTH)
    return "".join(pieces)


# What is printed at once: few short strings and ints, in lists, tuples and dicts of so many levels.
_FEW, _SHORT, _SHORT_DEPTH = 32, 256, 2


def _short_text(value: Value, depth: int) -> Optional[str]:
    """Return the text of a small value, which cannot be too long, or None for any other."""
    kind = value.__class__
    if kind is str:
        return quote(value) if len(value) <= _SHORT else None
    if kind is int:
        return f"{value}" if -_SHORT_INT < value < _SHORT_INT else None
    if value is None or kind is bool:
        return str(value)
    if depth <= 0 or (kind is not list and kind is not tuple and kind is not dict) or len(value) > _FEW:
        return None
    found = []
    for item in value:
        text = _short_text(item, depth - 1)
        if text is not None and kind is dict:
            inner = _short_text(value[item], depth - 1)
            text = None if inner is None else f"{text}: {inner}"
        if text is None:
            return None
        found.append(text)
    between = ", ".join(found)
    if kind is tuple:
        return f"({between},)" if len(found) == 1 else f"({between})"
    return f"[{between}]" if kind is list else f"{{{between}}}"


class Pieces(list):  # type: ignore[type-arg]
    """Text in the making, which knows when it becomes absurd, and which lists and dicts are being written."""

    __slots__ = ("size", "open")

    def __init__(self) -> None:
        self.size = 0
        self.open: set[int] = set()

    def put(self, text: str) -> None:
        self.append(text)
        self.size += max(len(text), _PIECE)
        if self.size > MAX_PRINTED:
            fail_with("eval.limit", "text of the value is too long")


def _write(value: Value, out: Pieces, depth: int) -> None:
    kind = value.__class__
    if kind is str:
        out.put(quote(value))
    elif kind is int:
        out.put(int_text(value))
    elif value is None or kind is bool:
        out.put(str(value))
    elif kind is float:
        out.put(float_text(value))
    elif kind is bytes:
        out.put(quote_bytes(value))
    elif kind is range:
        out.put(range_text(value))
    elif depth <= 0:
        fail_with("eval.limit", "value is nested too deeply to be printed")
    elif kind in LIST_CLASSES:
        if id(value) in out.open:
            out.put("[...]")
            return
        out.open.add(id(value))
        _write_items("[", value, "]", out, depth)
        out.open.remove(id(value))
    elif kind is tuple:
        _write_items("(", value, ",)" if len(value) == 1 else ")", out, depth)
    elif kind in DICT_CLASSES:
        if id(value) in out.open:
            out.put("{...}")
            return
        out.open.add(id(value))
        out.put("{")
        separator = ""
        for key, item in entries(value):
            out.put(separator)
            _write(key, out, depth - 1)
            out.put(": ")
            _write(item, out, depth - 1)
            separator = ", "
        out.put("}")
        out.open.remove(id(value))
    elif kind in SET_CLASSES:
        _write_items("set([", keys_of(value), "])", out, depth)
    elif isinstance(value, Elements):
        out.put(f"{to_repr(value.source)}.{value.method}()")
    else:
        _write_other(value, out, depth)


def _write_items(start: str, items: Iterable[Value], end: str, out: Pieces, depth: int) -> None:
    out.put(start)
    separator = ""
    for item in items:
        if separator:
            out.put(separator)
        _write(item, out, depth - 1)
        separator = ", "
    out.put(end)


def _write_other(value: Value, out: Pieces, depth: int) -> None:
    fields = getattr(value, "fields", None)
    if type_name(value) == "struct" and isinstance(fields, dict):
        out.put("struct(")
        separator = ""
        for name in sorted(fields):
            out.put(f"{separator}{name} = ")
            _write(fields[name], out, depth - 1)
            separator = ", "
        out.put(")")
        return
    text = getattr(value, "repr_text", None)
    out.put(str(text()) if text is not None else repr(value))


def quote(text: str) -> str:
    """Return a string as a literal in double quotes."""
    # spec: starlark.repr.string
    if len(text) > CHARACTERS:
        return '"' + "".join([quote(part)[1:-1] for part in parts(text, CHARACTERS)]) + '"'
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return '"' + "".join([_ESCAPES.get(c) or (c if c.isprintable() else _escape(c)) for c in text]) + '"'


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        # A byte that is not UTF-8, as `quote_bytes` decodes it.
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def quote_bytes(value: bytes) -> str:
    """Return bytes as a literal in double quotes."""
    return "b" + quote(value.decode("utf-8", "surrogateescape"))


def range_text(value: range) -> str:
    """Return the shortest call of `range` that makes the range."""
    if value.step != 1:
        return f"range({value.start}, {value.stop}, {value.step})"
    return f"range({value.stop})" if value.start == 0 else f"range({value.start}, {value.stop})"


def float_text(value: float) -> str:
    """Return the shortest digits that read back as the float."""
    # spec: starlark.repr.float
    if value != value:
        return "nan"
    if value in (float("inf"), float("-inf")):
        return "+inf" if value > 0 else "-inf"
    size = abs(value)
    if 1e-4 <= size < 1e6 or size == 0.0:
        return repr(value)
    sign, digits, exponent = _decimal(value)
    point = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{sign}{point}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _decimal(value: float) -> tuple[str, str, int]:
    """Return sign, significant digits and decimal exponent of a finite float below 1e-4 or from 1e6 on."""
    text = repr(abs(value))
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    exponent = int(power or 0) + len(whole) - 1
    return "-" if value < 0 else "", digits.rstrip("0") or "0", exponent


# ---- the % operator


def _bad_format(message: str) -> NoReturn:
    raise EvalError("eval.format", message)


def apply_percent(template: str, operand: Value) -> str:
    """Return `template % operand`."""
    # spec: starlark.percent
    out = Pieces()
    position = 0
    taken = 0
    operands: Sequence[Value] = operand if operand.__class__ is tuple else (operand,)
    while True:
        at = template.find("%", position)
        if at < 0:
            out.put(template[position:])
            break
        out.put(template[position:at])
        at += 1
        if at >= len(template):
            _bad_format("incomplete format")
        if template[at] == "%":
            out.put("%")
            position = at + 1
            continue
        if template[at] == "(":
            end = template.find(")", at)
            if end < 0:
                _bad_format("incomplete format key")
            name = template[at + 1 : end]
            if operand.__class__ not in DICT_CLASSES:
                _bad_format("format requires a mapping")
            if not dict.__contains__(operand, name):
                _bad_format(f"key not found: {name}")
            value = dict.__getitem__(operand, name)
            at = end + 1
            if at >= len(template):
                _bad_format("incomplete format")
        else:
            if taken >= len(operands):
                _bad_format("not enough arguments for format string")
            value = operands[taken]
            taken += 1
        out.put(convert(template[at], value))
        position = at + 1
    # A dict counts as used even by a format that takes nothing of it.
    if taken < len(operands) and operand.__class__ not in DICT_CLASSES:
        _bad_format("too many arguments for format string")
    return "".join(out)


def convert(verb: str, value: Value) -> str:
    """Return one operand of `%` as its verb writes it."""
    # spec: starlark.percent.verbs
    if verb == "s":
        return display(value)
    if verb == "r":
        return to_repr(value)
    if verb in "dioxX":
        return _convert_int(verb, value)
    if verb in "eEfFgG":
        kind = value.__class__
        if kind is not int and kind is not float:
            _bad_format(f"%{verb} format requires float, not {type_name(value)}")
        return _convert_float(verb, value)
    if verb == "c":
        return _convert_char(value)
    return _bad_format(f"unknown conversion %{verb}")


def _convert_int(verb: str, value: Value) -> str:
    kind = value.__class__
    if kind is float:
        if value != value or value in (float("inf"), float("-inf")):
            _bad_format(
                f"%{verb} format requires integer: cannot convert float {float_text(value)} to integer"
            )
        value = int(value)
    elif kind is not int:
        _bad_format(f"%{verb} format requires integer: cannot convert {type_name(value)} to int")
    if verb in "di":
        return int_text(value)
    digits = f"{abs(value):{verb}}"
    return f"-{digits}" if value < 0 else digits


def _convert_float(verb: str, value: Value) -> str:
    try:
        number = float(value)
    except OverflowError:
        fail_with("eval.value", "int too large to convert to float")
    if number != number or number in (float("inf"), float("-inf")):
        return float_text(number)
    if verb == "g":
        return float_text(number)
    if verb == "G":
        return float_text(number).upper()
    return f"{number:{verb}}"


def _convert_char(value: Value) -> str:
    kind = value.__class__
    if kind is int:
        if not 0 <= value <= 0x10FFFF or 0xD800 <= value <= 0xDFFF:
            _bad_format(f"%c format requires a valid Unicode code point, got {int_text(value)}")
        return chr(value)
    if kind is not str:
        _bad_format(f"%c format requires int or single-character string, not {type_name(value)}")
    if len(value) != 1:
        _bad_format("%c format requires a single-character string")
    return value  # type: ignore[no-any-return]


# ---- str.format

_CONVERSIONS = (None, "s", "r")


def parse_format(template: str) -> list[tuple[str, str, str]]:
    """Return the pieces of a format string: (text before a field, field name, conversion).

    The last piece has the conversion "" and is text only. Raises EvalError.
    """
    # spec: starlark.format
    try:
        found = list(formatter_parser(template))
    except ValueError:
        return simply_parsed(template)
    pieces: list[tuple[str, str, str]] = []
    before = ""
    for text, name, spec, conversion in found:
        before += text
        if name is None:
            continue
        if spec or conversion not in _CONVERSIONS or "." in name or "[" in name:
            return simply_parsed(template)
        pieces.append((before, name, conversion or "s"))
        before = ""
    pieces.append((before, "", ""))
    return pieces


def simply_parsed(template: str) -> list[tuple[str, str, str]]:
    """Return what `parse_format` does, or raise; Python's parser, which it asks, knows other rules."""
    pieces: list[tuple[str, str, str]] = []
    literal: list[str] = []
    position = 0
    end = len(template)
    while position < end:
        char = template[position]
        if char == "{":
            if template.startswith("{{", position):
                literal.append("{")
                position += 2
                continue
            close = template.find("}", position)
            if close < 0:
                _bad_format("format: unmatched '{' in format")
            field = template[position + 1 : close]
            if "{" in field:
                _bad_format("format: nested replacement fields not supported")
            name, conversion = _parse_field(field)
            pieces.append(("".join(literal), name, conversion))
            literal = []
            position = close + 1
        elif char == "}":
            if not template.startswith("}}", position):
                _bad_format("format: single '}' in format")
            literal.append("}")
            position += 2
        else:
            brace = _BRACE().search(template, position)
            stop = end if brace is None else brace.start()
            literal.append(template[position:stop])
            position = stop
    pieces.append(("".join(literal), "", ""))
    return pieces


def _parse_field(field: str) -> tuple[str, str]:
    name, conversion, spec = field, "s", ""
    bang = field.find("!")
    colon = field.find(":")
    if bang >= 0 and (colon < 0 or bang < colon):
        name = field[:bang]
        conversion = field[bang + 1 :]
        colon = conversion.find(":")
        if colon >= 0:
            conversion, spec = conversion[:colon], conversion[colon + 1 :]
        if conversion not in ("s", "r"):
            _bad_format(f'format: unknown conversion "{conversion}"')
    elif colon >= 0:
        name, spec = field[:colon], field[colon + 1 :]
    if spec:
        _bad_format(f"format spec features not supported in replacement fields: {spec}")
    if "." in name:
        _bad_format(f"format: attribute syntax x.y is not supported in replacement fields: {name}")
    if "[" in name:
        _bad_format(f"format: element syntax a[i] is not supported in replacement fields: {name}")
    return name, conversion


def apply_format(template: str, args: Sequence[Value], kwargs: Mapping[str, Value]) -> str:
    """Return `template.format(*args, **kwargs)`."""
    # spec: starlark.format.fields
    out: list[str] = []
    size = automatic = 0
    numbered = False
    for literal, name, conversion in parse_format(template):
        out.append(literal)
        size += max(len(literal), _PIECE)
        if not conversion:
            continue
        if not name:
            if numbered:
                _bad_format(
                    "format: cannot switch from manual field specification to automatic field numbering"
                )
            number = automatic
            automatic += 1
            value = _argument(args, number)
        elif name.isascii() and name.isdigit():
            if automatic:
                _bad_format(
                    "format: cannot switch from automatic field numbering to manual field specification"
                )
            numbered = True
            digits = name.lstrip("0") or "0"
            # No call has so many arguments that their numbers have ten digits.
            value = _argument(args, int(digits) if len(digits) < 10 else len(args))
        elif name in kwargs:
            value = kwargs[name]
        else:
            _bad_format(f"format: keyword {name} not found")
        text = to_repr(value) if conversion == "r" else display(value)
        out.append(text)
        size += max(len(text), _PIECE)
        if size > MAX_PRINTED:
            fail_with("eval.limit", "text of the value is too long")
    return "".join(out)


def _argument(args: Sequence[Value], number: int) -> Value:
    if number >= len(args):
        _bad_format("format: tuple index out of range")
    return args[number]
