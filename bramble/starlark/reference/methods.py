"""Attributes: the methods of lists, dicts and sets, `format`, and the fields of structs and modules.

A method that changes its receiver calls `change` first: what is before that call and what after it is the
order in which mistakes are found. The methods of strings but `join` and `format` are those of `runtime`,
which know nothing of lists, dicts and functions.
"""

from __future__ import annotations

from ..errors import EvalError
from ..runtime.arguments import (
    bounds,
    count_between,
    no_keywords,
    want_int,
    wrong_type,
)
from ..runtime.string_methods import BYTES_METHODS, STRING_METHODS
from ..spell import suggestion
from .operators import intersection, position, subtract, union
from .values import (
    Builtin,
    Dict,
    List,
    Module,
    Set,
    Struct,
    change,
    equal,
    fail,
    items_of,
    key_of,
    to_display,
    to_repr,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn, Optional

    from .values import Value

    Args = tuple[Value, ...]
    Kwargs = dict[str, Value]
    # The function, and the least and most positional arguments.
    Row = tuple[Callable[..., Value], int, Optional[int]]


def want_items(name: str, parameter: Any, x: Value) -> list[Value]:
    """Return the items of an argument that must be iterable."""
    items = items_of(x)
    return wrong_type(name, parameter, x, "iterable") if items is None else items


def items_or_fail(x: Value, message: str) -> list[Value]:
    items = items_of(x)
    return fail("eval.argument", message) if items is None else items


def named(name: str, error: EvalError) -> NoReturn:
    """Raise an error again, behind the name of the function that it happened in."""
    raise EvalError(error.code, f"{name}: {error.message}") from None


def key_for(method: str, x: Value) -> Value:
    try:
        return key_of(x)
    except EvalError as error:
        named(method, error)


# ---- lists


def append(x: List, v: Value) -> None:
    change(x, "append to", "append")
    x.items.append(v)


def clear(x: Value) -> None:
    change(x, "clear", "" if isinstance(x, Dict) else "clear")
    (x.items if isinstance(x, List) else x.table).clear()


def extend(x: List, v: Value) -> None:
    items = want_items("extend", 1, v)
    change(x, "extend", "extend")
    x.items += items


def index(x: List, v: Value, *span: Value) -> int:
    start, end = bounds("index", 2, span, len(x.items))
    for at in range(start, end):
        if equal(v, x.items[at]):
            return at
    return fail("eval.value", "index: value not in list")


def insert(x: List, at: Value, v: Value) -> None:
    place = want_int("insert", 1, at)
    change(x, "insert into", "insert")
    start = max(0, place + len(x.items) if place < 0 else place)
    x.items[start:start] = [v]


def pop(x: List, at: Value = -1) -> Value:
    place = position(x, x.items, want_int("pop", 1, at), "pop: ")
    change(x, "pop from", "pop")
    return x.items.pop(place)


def remove(x: List, v: Value) -> None:
    change(x, "remove from", "remove")
    for at, item in enumerate(x.items):
        if equal(v, item):
            del x.items[at]
            return
    fail("eval.value", "remove: element not found")


# ---- dicts


def pairs_of(name: str, x: Value) -> list[tuple[Value, Value]]:
    """Return the entries that `dict(x)` and `d.update(x)` take: those of a dict, or pairs."""
    # spec: starlark.dict.function
    if isinstance(x, Dict):
        return list(x.table.values())
    pairs = []
    for number, item in enumerate(want_items(name, 1, x)):
        start = f"{name}: dictionary update sequence element #{number}"
        pair = items_of(item)
        if pair is None:
            fail("eval.value", f"{start} is not iterable ({type_name(item)})")
        if len(pair) != 2:
            fail("eval.value", f"{start} has length {len(pair)}, want 2")
        pairs.append((pair[0], pair[1]))
    return pairs


def put_all(name: str, d: Dict, pairs: list[tuple[Value, Value]], kwargs: Kwargs) -> None:
    for key, value in pairs:
        try:
            d.put(key, value)
        except EvalError as error:
            named(name, error)
    for word, value in kwargs.items():
        d.put(word, value)


def update(d: Dict, args: Args, kwargs: Kwargs) -> None:
    # spec: starlark.dict.update, starlark.iteration.locked
    count_between("update", len(args), 0, 1)
    pairs = pairs_of("update", args[0]) if args else []
    if pairs or kwargs:
        change(d, "insert into", "update")
        put_all("update", d, pairs, kwargs)


def get(d: Dict, k: Value, default: Value = None) -> Value:
    return d.table.get(key_for("get", k), (k, default))[1]


def pop_key(d: Dict, k: Value, *default: Value) -> Value:
    change(d, "delete from", "pop")
    known = key_for("pop", k)
    if known in d.table:
        return d.table.pop(known)[1]
    return default[0] if default else fail("eval.key", "pop: missing key")


def popitem(d: Dict) -> Value:
    change(d, "delete from", "popitem")
    for known in d.table:
        return d.table.pop(known)
    return fail("eval.key", "popitem: empty dict")


def setdefault(d: Dict, k: Value, default: Value = None) -> Value:
    # spec: starlark.dict.setdefault, starlark.iteration.locked
    known = key_for("setdefault", k)
    if known not in d.table:
        change(d, "insert into", "setdefault")
        d.put(k, default)
    return d.table[known][1]


# ---- sets


def elements(name: str, number: int, x: Value) -> Set:
    """Return the items of an argument as a set."""
    if isinstance(x, Set):
        return x
    items = want_items(name, number, x)
    try:
        return Set(items)
    except EvalError as error:
        if error.code != "eval.hash":
            raise
        named(name, error)


def add(s: Set, v: Value) -> None:
    change(s, "insert into", "add")
    s.put(v)


def discard(s: Set, v: Value) -> None:
    change(s, "delete from", "discard")
    s.table.pop(key_for("discard", v), None)


def remove_element(s: Set, v: Value) -> None:
    change(s, "delete from", "remove")
    known = key_for("remove", v)
    if known not in s.table:
        fail("eval.key", "remove: missing key")
    del s.table[known]


def pop_element(s: Set) -> Value:
    change(s, "delete from", "pop")
    for known in s.table:
        return s.table.pop(known)
    return fail("eval.key", "pop: empty set")


def many(name: str, operator: Callable[[Value, Value], Value]) -> Callable[..., Set]:
    """Return a method that applies an operator to the set and each of its arguments in turn."""

    def method(s: Set, *others: Value) -> Set:
        # spec: starlark.set.many
        made = Set(s.elements)
        for other in [elements(name, number, x) for number, x in enumerate(others, 1)]:
            made = operator(made, other)
        return made

    return method


def symmetric_difference(s: Set, x: Value) -> Set:
    other = elements("symmetric_difference", 1, x)
    return Set([*subtract(s, other).elements, *subtract(other, s).elements])


def issubset(s: Set, x: Value) -> bool:
    return s.table.keys() <= elements("issubset", 1, x).table.keys()


def issuperset(s: Set, x: Value) -> bool:
    return elements("issuperset", 1, x).table.keys() <= s.table.keys()


def update_set(s: Set, *others: Value) -> None:
    # spec: starlark.set.many, starlark.iteration.arguments
    if s.table and any(other is s for other in others):
        change(s, "insert into", "update")
        fail("eval.iteration", "update: cannot insert into hash table during iteration")
    for new in [elements("update", number, x).elements for number, x in enumerate(others, 1)]:
        if new:
            change(s, "insert into", "update")
        for element in new:
            s.put(element)


# ---- strings


def join(s: str, x: Value) -> str:
    # spec: starlark.string.join
    items = want_items("join", 1, x)
    for item in items:
        if not isinstance(item, str):
            fail("eval.value", f"join: in list, want string, got {type_name(item)}")
    return s.join(items)


def format_text(template: str, args: Args, kwargs: Kwargs) -> str:
    """`s.format(*args, **kwargs)`."""
    # spec: starlark.format
    made, automatic, numbered = [], 0, False
    for field in parsed_format(template):
        if isinstance(field, str):
            made.append(field)
            continue
        name, conversion = field
        if name == "" and numbered:
            bad_format("cannot switch from manual field specification to automatic field numbering")
        elif name == "":
            value = _numbered(args, automatic)
            automatic += 1
        elif name.isascii() and name.isdigit():
            if automatic:
                bad_format("cannot switch from automatic field numbering to manual field specification")
            numbered = True
            value = _numbered(args, int(name) if len(name) < 1000 else len(args))
        elif name in kwargs:
            value = kwargs[name]
        else:
            bad_format(f"keyword {name} not found")
        made.append(to_repr(value) if conversion == "r" else to_display(value))
    return "".join(made)


def bad_format(message: str) -> NoReturn:
    fail("eval.format", f"format: {message}")


def _numbered(args: Args, number: int) -> Value:
    return args[number] if number < len(args) else bad_format("tuple index out of range")


def parsed_format(template: str) -> list[Any]:
    """Return the pieces of a format: a text as it is, or a field as its name and conversion."""
    pieces: list[Any] = []
    at = 0
    while at < len(template):
        if template[at : at + 2] in ("{{", "}}"):
            pieces.append(template[at])
            at += 2
        elif template[at] == "}":
            bad_format("single '}' in format")
        elif template[at] == "{":
            end = template.find("}", at)
            if end < 0:
                bad_format("unmatched '{' in format")
            pieces.append(parsed_field(template[at + 1 : end]))
            at = end + 1
        else:
            pieces.append(template[at])
            at += 1
    return pieces


def parsed_field(field: str) -> tuple[str, str]:
    """Return the name and the conversion, `s` or `r`, of what stands between braces."""
    # spec: starlark.format.fields
    if "{" in field:
        bad_format("nested replacement fields not supported")
    before, _, spec = field.partition(":")
    name, bang, conversion = before.partition("!")
    if bang and conversion not in ("s", "r"):
        bad_format(f'unknown conversion "{conversion}"')
    if spec:
        fail("eval.format", f"format spec features not supported in replacement fields: {spec}")
    if "." in name:
        bad_format(f"attribute syntax x.y is not supported in replacement fields: {name}")
    if "[" in name:
        bad_format(f"element syntax a[i] is not supported in replacement fields: {name}")
    return name, conversion or "s"


# ---- attributes

METHODS: dict[type, Mapping[str, Row]] = {
    str: {**STRING_METHODS, "join": (join, 1, 1)},
    bytes: BYTES_METHODS,
    # spec: starlark.list.methods
    List: {
        "append": (append, 1, 1),
        "clear": (clear, 0, 0),
        "extend": (extend, 1, 1),
        "index": (index, 1, 3),
        "insert": (insert, 2, 2),
        "pop": (pop, 0, 1),
        "remove": (remove, 1, 1),
    },
    # spec: starlark.dict.methods
    Dict: {
        "clear": (clear, 0, 0),
        "get": (get, 1, 2),
        "items": (lambda d: List(d.table.values()), 0, 0),
        "keys": (lambda d: List(d.keys), 0, 0),
        "pop": (pop_key, 1, 2),
        "popitem": (popitem, 0, 0),
        "setdefault": (setdefault, 1, 2),
        "values": (lambda d: List([value for _key, value in d.table.values()]), 0, 0),
    },
    # spec: starlark.set.methods
    Set: {
        "add": (add, 1, 1),
        "clear": (clear, 0, 0),
        "difference": (many("difference", subtract), 0, None),
        "discard": (discard, 1, 1),
        "intersection": (many("intersection", intersection), 0, None),
        "issubset": (issubset, 1, 1),
        "issuperset": (issuperset, 1, 1),
        "pop": (pop_element, 0, 0),
        "remove": (remove_element, 1, 1),
        "symmetric_difference": (symmetric_difference, 1, 1),
        "union": (many("union", union), 0, None),
        "update": (update_set, 0, None),
    },
}
# The methods that take keywords.
WITH_KEYWORDS: dict[tuple[type, str], Callable[[Any, Args, Kwargs], Value]] = {
    (str, "format"): format_text,
    (Dict, "update"): update,
}


def positional(name: str, row: Row, *receiver: Value) -> Builtin:
    """Return a function or method that takes positional arguments only."""
    function, least, most = row

    def run(_thread: Any, args: Args, kwargs: Kwargs) -> Value:
        # spec: starlark.text.builtin
        no_keywords(name, kwargs)
        if name in ("str", "type") and len(args) != 1:
            fail("eval.argument", f"{name}: got {len(args)} arguments, want exactly 1")
        count_between(name, len(args), least, most)
        return own(function(*receiver, *args))

    return Builtin(name, run, *receiver)


def own(x: Value) -> Value:
    """Return what a function of `runtime` gave as a value of this evaluator."""
    return List(x) if isinstance(x, list) else x


def attribute_or_none(x: Value, name: str) -> Optional[tuple[Value]]:
    """Return the attribute of a name, in a tuple, or None."""
    # spec: starlark.attribute
    if isinstance(x, Struct):
        return (x.fields[name],) if name in x.fields else None
    if isinstance(x, Module):
        return (x.attributes[name],) if name in x.attributes else None
    method = WITH_KEYWORDS.get((type(x), name))
    if method is not None:
        return (Builtin(name, lambda _thread, args, kwargs: method(x, args, kwargs), x),)
    row = METHODS.get(type(x), {}).get(name)
    return None if row is None else (positional(name, row, x),)


def attribute(x: Value, name: str, prefix: str = "") -> Value:
    """Return `x.name`."""
    found = attribute_or_none(x, name)
    if found is None:
        noun = "attribute" if isinstance(x, Struct) else "field or method"
        hint = suggestion(name, attribute_names(x), ".")
        fail("eval.attribute", f"{prefix}{type_name(x)} has no .{name} {noun}{hint}")
    return found[0]


def attribute_names(x: Value) -> list[str]:
    if isinstance(x, Struct):
        return list(x.fields)
    if isinstance(x, Module):
        return sorted(x.attributes)
    return sorted([*METHODS.get(type(x), ()), *(name for kind, name in WITH_KEYWORDS if kind is type(x))])
