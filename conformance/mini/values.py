"""What programs calculate with, and how it is compared, ordered and written.

None, bool, int, float, str, tuple and range are Python's, but a bool is not a number (spec: starlark.types).
"""

from __future__ import annotations

import unicodedata

from conformance.mini.reader import Failure

TYPES = {
    type(None): "NoneType",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    bytes: "bytes",
    tuple: "tuple",
}
TYPES[range] = "range"
DEEPEST = 200


class Changeable:
    """A list, dict or set in `items`; `busy` counts loops over it (spec: starlark.iteration.locked)."""

    noun = "hash table"

    def __init__(self, items):
        self.items, self.frozen, self.busy = items, False, 0

    def change(self, verb):
        """Refuse a change that is not allowed now (spec: starlark.text.mutation)."""
        if self.frozen:
            raise Failure("eval.frozen", f"cannot {verb} frozen {self.noun}")
        if self.busy:
            raise Failure("eval.iteration", f"cannot {verb} {self.noun} during iteration")


class List(Changeable):
    """`items` is a Python list."""

    type = noun = "list"


class Dict(Changeable):
    """`items` maps what stands for a key (`key_of`) to the pair of key and value."""

    type = "dict"

    @classmethod
    def of(cls, pairs):
        made = cls({})
        for key, value in pairs:
            made.put(key, value)
        return made

    def get(self, key, default=None):
        return self.items.get(key_of(key), (key, default))[1]

    def put(self, key, value):
        name = key_of(key)
        self.items[name] = (self.items.get(name, (key,))[0], value)


class Set(Changeable):
    """`items` maps what stands for an element to the element."""

    type = "set"


class Named:
    """Values by name: a struct, a module, and what a host adds under another `type`."""

    missing = "eval.attribute"

    def __init__(self, kind, fields, name=""):
        self.type, self.fields, self.name = kind, fields, name

    def text(self):
        fields = ", ".join(f"{name} = {represent(value)}" for name, value in sorted(self.fields.items()))
        return f"struct({fields})" if self.type == "struct" else f'<{self.type} "{self.name}">'


class Elements:
    """What `elems()` and its like give (spec: starlark.string.iteration)."""

    def __init__(self, of, method, items):
        self.of, self.method, self.items = of, method, items
        self.type = type_name(of) + (".codepoints" if method[0] == "c" else ".elems")

    def text(self):
        return f"{represent(self.of)}.{self.method}()"


def type_name(value):
    return TYPES.get(type(value)) or value.type


def truth(value):
    """spec: starlark.truth"""
    return bool(value.items) if isinstance(value, Changeable) else type(value) not in TYPES or bool(value)


def is_number(value):
    return type(value) in (int, float)


def items_of(value, code="eval.iterate", message="{} value is not iterable"):
    """Return the items of an iterable as a sequence (spec: starlark.statement.for)."""
    if isinstance(value, Dict):
        return [key for key, _ in value.items.values()]
    if isinstance(value, Changeable):
        return list(value.items.values() if value.type == "set" else value.items)
    if isinstance(value, (tuple, range, Elements)):
        return value.items if isinstance(value, Elements) else value
    raise Failure(code, message.format(type_name(value)))


def key_of(value):
    """Return what stands for a value as a key: equal for equal values only (spec: starlark.dict.keys)."""
    if isinstance(value, (Changeable, Elements, range)) or type_name(value) == "module":
        raise Failure("eval.hash", f"unhashable{' type' * isinstance(value, Changeable)}: {type_name(value)}")
    if isinstance(value, Named) and value.type == "struct":
        return key_of(("struct", *(part for field in sorted(value.fields.items()) for part in field)))
    return tuple(map(key_of, value)) if isinstance(value, tuple) else (isinstance(value, bool), value)


def equal(a, b, depth=0):
    """spec: starlark.equality, starlark.limit.depth"""
    if depth > DEEPEST:
        raise Failure("eval.limit", "comparison exceeded maximum recursion depth")
    if type_name(a) != type_name(b) or a is b:
        return a is b or (is_number(a) and is_number(b) and a == b)
    if isinstance(a, (List, tuple)):
        a, b = items_of(a), items_of(b)
        return len(a) == len(b) and all(equal(x, y, depth + 1) for x, y in zip(a, b))
    if isinstance(a, (Dict, Set)):
        same = a.items.keys() == b.items.keys()
        return same and (
            a.type == "set" or all(equal(a.items[k][1], b.items[k][1], depth + 1) for k in a.items)
        )
    if isinstance(a, Named) and a.type == "struct":
        same = a.fields.keys() == b.fields.keys()
        return same and all(equal(a.fields[name], b.fields[name], depth + 1) for name in a.fields)
    return a == b


def less(a, b, sign="<", depth=0):
    """Return whether a < b, or another comparison by `sign` (spec: starlark.order)."""
    kinds = {type_name(a), type_name(b)}
    if depth > DEEPEST:
        raise Failure("eval.limit", "comparison exceeded maximum recursion depth")
    if not (
        kinds <= {"int", "float"}
        or (len(kinds) == 1 and kinds <= {"bool", "string", "bytes", "list", "tuple"})
    ):
        raise Failure("eval.operand", f"{type_name(a)} {sign} {type_name(b)} not implemented")
    if kinds <= {"list", "tuple"}:
        a, b = items_of(a), items_of(b)
        for x, y in zip(a, b):
            if not equal(x, y, depth + 1):
                return less(x, y, sign, depth + 1)
        a, b = len(a), len(b)
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]


def quoted(text):
    """spec: starlark.repr.string"""
    short = dict(zip('"\\\a\b\t\n\v\f\r', '"\\abtnvfr'))

    def one(char):
        if "\udc80" <= char <= "\udcff":
            return f"\\x{ord(char) - 0xDC00:02x}"
        if char in short:
            return "\\" + short[char]
        if char == " " or unicodedata.category(char)[0] in "LMNPS":
            return char
        code = ord(char)
        return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return '"' + "".join(map(one, text)) + '"'


def number_text(value):
    """spec: starlark.repr.float"""
    if isinstance(value, int) or value != value or value in (float("inf"), -float("inf")):
        return f"{value:+}" if isinstance(value, float) and value == value else str(value)
    digits, exponent = next(t for t in (f"{value:.{n}e}" for n in range(17)) if float(t) == value).split("e")
    return f"{digits}e{exponent}" if value and not -4 <= int(exponent) < 6 else repr(value)


def represent(value, around=()):
    """Return the text of a value (spec: starlark.repr.forms, starlark.limit.printing)."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bytes):
        return "b" + quoted(value.decode(errors="surrogateescape"))
    if value is None or isinstance(value, (int, float)):
        return str(value) if value is None or isinstance(value, bool) else number_text(value)
    if isinstance(value, range):
        return str(value).replace("(0, ", "(") if value.step == 1 else str(value)
    if any(value is one for one in around):
        return "{...}" if value.type == "dict" else "[...]"
    if len(around) > DEEPEST:
        raise Failure("eval.limit", "the value nests too deep")
    around = (*around, value)
    if isinstance(value, Dict):
        pairs = [f"{represent(key, around)}: {represent(one, around)}" for key, one in value.items.values()]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (Changeable, tuple)):
        inside = ", ".join(represent(item, around) for item in items_of(value))
        if isinstance(value, tuple):
            return f"({inside},)" if len(value) == 1 else f"({inside})"
        return f"[{inside}]" if value.type == "list" else f"set([{inside}])"
    return value.text()


def text_of(value):
    """spec: starlark.str"""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else represent(value)
