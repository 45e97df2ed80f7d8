"""The `json` module: JSON text (RFC 8259) from values and back."""

from __future__ import annotations

from ..errors import EvalError
from ..late import Pattern
from .arguments import count_between, named_arguments, no_keywords, want_string
from .functions import Builtin, HostValue, ModuleValue, Struct
from .integers import MAX_DIGITS, int_from_digits, int_text
from .interruptible import CHARACTERS, parts
from .iteration import items_of
from .limits import MAX_DEPTH
from .text import Pieces, float_text, to_repr
from .values import DICT_CLASSES, List, entries, fail_with, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Union

    from ..thread import Thread
    from .values import Value

    # How a value is reached, for an error: how what holds it is reached, the words of the last step, and what
    # they name; () for the whole. To write it out for every value takes more than to encode the value.
    Path = tuple[Any, ...]

_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_UNESCAPED = {'"': '"', "\\": "\\", "/": "/", "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_BLANK = " \t\n\r"
_DIGITS = Pattern("[0-9]+")
# What stands for itself in a string.
_PLAIN = Pattern(r'[^"\\\x00-\x1f]+')


# ---- encoding


def encode(value: Value) -> str:
    """Return a value as JSON text. Raises EvalError for a value that has none."""
    # spec: starlark.json.encode
    out = Pieces()
    _encode(value, out, (), MAX_DEPTH)
    return "".join(out)


def _encode(value: Value, out: Pieces, path: Path, depth: int) -> None:
    kind = value.__class__
    if value is None:
        out.put("null")
    elif kind is bool:
        out.put("true" if value else "false")
    elif kind is int:
        out.put(int_text(value))
    elif kind is float:
        if value != value or value in (float("inf"), float("-inf")):
            _refuse(path, f"cannot encode non-finite float {float_text(value)}")
        out.put(float_text(value))
    elif kind is str:
        out.put(quote(value))
    elif depth <= 0:
        fail_with("eval.limit", "json.encode: value is nested too deeply")
    elif id(value) in out.open:
        # spec: starlark.json.cycle
        _refuse(path, "cycle in JSON structure")
    else:
        # What is shared is no cycle: it is open only while its own items are written.
        out.open.add(id(value))
        if kind in DICT_CLASSES:
            pairs = entries(value)
            for key, _ in pairs:
                if key.__class__ is not str:
                    _refuse(path, f"dict has {type_name(key)} key, want string")
            _encode_object(sorted(pairs), out, path, "in dict key {}: ", depth)
        elif kind is Struct:
            _encode_object(value.sorted_fields(), out, path, "in field .{}: ", depth)
        else:
            _encode_array(value, out, path, depth)
        out.open.remove(id(value))


def _encode_array(value: Value, out: Pieces, path: Path, depth: int) -> None:
    host = isinstance(value, HostValue) and not hasattr(value.__class__, "__iter__")
    items = None if host else items_of(value)
    if items is None:
        _refuse(path, f"cannot encode {type_name(value)} as JSON")
    out.put("[")
    for number, item in enumerate(items):
        if number:
            out.put(",")
        _encode(item, out, (path, "at list index {}: ", number), depth - 1)
    out.put("]")


def _encode_object(pairs: list[tuple[str, Value]], out: Pieces, path: Path, step: str, depth: int) -> None:
    separator = "{"
    for key, value in pairs:
        out.put(f"{separator}{quote(key)}:")
        _encode(value, out, (path, step, key), depth - 1)
        separator = ","
    out.put("}" if pairs else "{}")


def _refuse(path: Path, message: str) -> NoReturn:
    while path:
        path, step, name = path
        message = step.format(to_repr(name) if "dict" in step else name) + message
    raise EvalError("eval.value", f"json.encode: {message}")


def quote(text: str) -> str:
    """Return a string as JSON."""
    if len(text) > CHARACTERS:
        return '"' + "".join([quote(part)[1:-1] for part in parts(text, CHARACTERS)]) + '"'
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    out = []
    for char in text:
        if char in _ESCAPED:
            out.append(_ESCAPED[char])
        elif char < " " or char in "\x7f\u2028\u2029":
            out.append(f"\\u{ord(char):04x}")
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


# ---- decoding


class _Bad(Exception):
    """The text is no JSON at `offset`."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


class _Decoder:
    """Reads one JSON text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Value:
        value = self.value(MAX_DEPTH * 4)
        self.blanks()
        if self.at < len(self.text):
            raise _Bad(self.at, f"unexpected character {to_repr(self.text[self.at])} after value")
        return value

    def blanks(self) -> None:
        text, at = self.text, self.at
        while at < len(text) and text[at] in _BLANK:
            at += 1
        self.at = at

    def peek(self) -> str:
        self.blanks()
        if self.at >= len(self.text):
            raise _Bad(self.at, "unexpected end of file")
        return self.text[self.at]

    def value(self, depth: int) -> Value:
        char = self.peek()
        if char == '"':
            return self.string()
        if char in "-0123456789":
            return self.number()
        if depth <= 0:
            fail_with("eval.limit", "json.decode: text is nested too deeply")
        if char == "[":
            return self.array(depth - 1)
        if char == "{":
            return self.object(depth - 1)
        for word, value in (("null", None), ("true", True), ("false", False)):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        raise _Bad(self.at, f"unexpected character {to_repr(char)}")

    def array(self, depth: int) -> List:
        self.at += 1
        items = List()
        if self.peek() == "]":
            self.at += 1
            return items
        while True:
            items.append(self.value(depth))
            char = self.peek()
            self.at += 1
            if char == "]":
                return items
            if char != ",":
                raise _Bad(self.at - 1, f"got {to_repr(char)}, want ',' or ']'")

    def object(self, depth: int) -> dict[str, Value]:
        self.at += 1
        table: dict[str, Value] = {}
        if self.peek() == "}":
            self.at += 1
            return table
        while True:
            if self.peek() != '"':
                raise _Bad(self.at, f"got {to_repr(self.text[self.at])} for object key, want string")
            key = self.string()
            if self.peek() != ":":
                raise _Bad(self.at, f"after object key, got {to_repr(self.text[self.at])}, want ':'")
            self.at += 1
            table[key] = self.value(depth)
            char = self.peek()
            self.at += 1
            if char == "}":
                return table
            if char != ",":
                raise _Bad(self.at - 1, f"in object, got {to_repr(char)}, want ',' or '}}'")

    def string(self) -> str:
        text = self.text
        out: list[str] = []
        start = self.at
        at = start + 1
        while True:
            if at >= len(text):
                raise _Bad(start, "unclosed string literal")
            char = text[at]
            if char == '"':
                self.at = at + 1
                return "".join(out)
            if char == "\\":
                made, at = self.escape(at)
                out.append(made)
            elif char < " ":
                raise _Bad(at, f"invalid character {to_repr(char)} in string literal")
            else:
                plain = _PLAIN().match(text, at, at + CHARACTERS)
                assert plain is not None  # at least this character is
                out.append(plain[0])
                at = plain.end()

    def escape(self, at: int) -> tuple[str, int]:
        """Return the character that the escape at `at` means, and where it ends."""
        char = self.text[at + 1 : at + 2]
        if char in _UNESCAPED and char:
            return _UNESCAPED[char], at + 2
        if char != "u":
            raise _Bad(at, "invalid escape in string literal")
        code = self.unit(at)
        if 0xD800 <= code <= 0xDBFF and self.text.startswith("\\u", at + 6):
            low = self.unit(at + 6)
            if 0xDC00 <= low <= 0xDFFF:
                return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), at + 12
        if 0xD800 <= code <= 0xDFFF:
            return "\ufffd", at + 6
        return chr(code), at + 6

    def unit(self, at: int) -> int:
        digits = self.text[at + 2 : at + 6]
        if len(digits) != 4 or not all(c in "0123456789abcdefABCDEF" for c in digits):
            raise _Bad(at, "invalid \\u escape in string literal")
        return int(digits, 16)

    def number(self) -> Union[int, float]:
        text, start = self.text, self.at
        at = start + (text[start] == "-")
        whole = self.digits(at)
        if whole == at or (text[at] == "0" and whole > at + 1):
            raise _Bad(start, f"invalid number: {text[start:whole]}")
        end = whole
        if text[end : end + 1] == ".":
            end = self.digits(whole + 1)
            if end == whole + 1:
                raise _Bad(start, f"invalid number: {text[start:end]}")
        if text[end : end + 1] in ("e", "E"):
            sign = end + 1 + (text[end + 1 : end + 2] in ("+", "-"))
            end = self.digits(sign)
            if end == sign:
                raise _Bad(start, f"invalid number: {text[start:end]}")
        self.at = end
        if end == whole:
            value = int_from_digits(text[at:end], 10)
            return -value if text[start] == "-" else value
        number = float(text[start:end])
        if number in (float("inf"), float("-inf")):
            raise _Bad(start, f"floating-point number too large: {text[start:end]}")
        return number

    def digits(self, at: int) -> int:
        found = _DIGITS().match(self.text, at, at + MAX_DIGITS + 1)
        end = at if found is None else found.end()
        if end > at + MAX_DIGITS:
            # spec: starlark.limit.int
            fail_with("eval.limit", f"json.decode: number has more than {MAX_DIGITS} digits")
        return end


_MISSING = object()


def _decode(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
    # spec: starlark.json.decode
    count_between("json.decode", len(args), 1, 2)
    # The default may be given by name; the text only by its place.
    bound = named_arguments("json.decode", ("default",), args[1:], kwargs)
    text = want_string("json.decode", "x", args[0])
    try:
        return _Decoder(text).whole()
    except _Bad as bad:
        if "default" in bound:
            return bound["default"]
        message = f"json.decode: at offset {bad.offset}, {bad.message}"
    return fail_with("eval.value", message)


# ---- indenting


def indent(text: str, prefix: str, step: str) -> str:
    """Return JSON text with each item on a line of its own."""
    # spec: starlark.json.indent
    try:
        _Decoder(text).whole()
    except _Bad as bad:
        fail_with("eval.value", f"json.indent: at offset {bad.offset}, {bad.message}")
    out: list[str] = []
    level = 0
    at = 0
    end = len(text)
    while at < end:
        char = text[at]
        if char == '"':
            close = at + 1
            while text[close] != '"':
                close += 2 if text[close] == "\\" else 1
            out.append(text[at : close + 1])
            at = close
        elif char in "[{":
            inner = at + 1
            while text[inner] in _BLANK:
                inner += 1
            if text[inner] in "]}":
                out.append(char + text[inner])
                at = inner
            else:
                level += 1
                out.append(f"{char}\n{prefix}{step * level}")
        elif char in "]}":
            level -= 1
            out.append(f"\n{prefix}{step * level}{char}")
        elif char == ",":
            out.append(f",\n{prefix}{step * level}")
        elif char == ":":
            out.append(": ")
        elif char not in _BLANK:
            out.append(char)
        at += 1
    return "".join(out)


def _indent_arguments(name: str, args: tuple[Value, ...], kwargs: dict[str, Value]) -> tuple[Value, str, str]:
    count_between(name, len(args), 1, 1)
    bound = named_arguments(name, ("prefix", "indent"), (), kwargs)
    prefix = want_string(name, "prefix", bound.get("prefix", ""))
    return args[0], prefix, want_string(name, "indent", bound.get("indent", "\t"))


def _indent(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> str:
    text, prefix, step = _indent_arguments("json.indent", args, kwargs)
    return indent(want_string("json.indent", 1, text), prefix, step)


def _encode_builtin(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> str:
    no_keywords("json.encode", kwargs)
    count_between("json.encode", len(args), 1, 1)
    return encode(args[0])


def _encode_indent(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> str:
    value, prefix, step = _indent_arguments("json.encode_indent", args, kwargs)
    return indent(encode(value), prefix, step)


# spec: starlark.json
JSON = ModuleValue(
    "json",
    {
        "decode": Builtin("json.decode", _decode),
        "encode": Builtin("json.encode", _encode_builtin),
        "encode_indent": Builtin("json.encode_indent", _encode_indent),
        "indent": Builtin("json.indent", _indent),
    },
)
