"""Values: what they are, when they are equal, which comes first, what may change them, how they are written.

Lists, dicts and sets are three small classes with two marks, `frozen` and `loops`; whatever changes one
asks `change` first. None, bools, ints, floats, strings, bytes, tuples and ranges are Python's own, but what
Python thinks of their equality and order is not asked where it differs: `equal`, `key_of` and `order` are the
rules of the language.
"""

from __future__ import annotations

from contextlib import contextmanager

from ..errors import EvalError
from ..runtime.integers import int_text
from ..runtime.limits import Walk
from ..runtime.text import float_text, quote, quote_bytes
from ..runtime.views import Elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, NoReturn, Optional, Union

    from ..syntax.scopes import FunctionScope
    from ..syntax.tree import Def, Lambda

    Value = Any
    Collection = Union["List", "Dict", "Set"]

# How deep a text goes into a value, and how many pieces it has; how many items a range is turned into.
MOST_LEVELS = 200
MOST_PIECES = 1 << 18
MOST_ITEMS = 1 << 24


def fail(code: str, message: str) -> NoReturn:
    """End the program with an error; its place is that of the operation that runs now."""
    raise EvalError(code, message)


# ---- what there is


class List:
    """Items that can be changed. `loops` counts the loops that go through it."""

    type_name = "list"

    def __init__(self, items: Iterable[Value] = ()) -> None:
        self.items = list(items)
        self.frozen = False
        self.loops = 0


class Dict:
    """Entries in order: `table` has the key and the value of each, by what `key_of` makes of the key."""

    type_name = "dict"

    def __init__(self, entries: Iterable[tuple[Value, Value]] = ()) -> None:
        self.table: dict[Value, tuple[Value, Value]] = {}
        self.frozen = False
        self.loops = 0
        for key, value in entries:
            self.put(key, value)

    def put(self, key: Value, value: Value) -> None:
        """Enter a value; a key that is there already stays what and where it is."""
        # spec: starlark.dict.order, starlark.assign.element
        known = key_of(key)
        self.table[known] = (self.table[known][0] if known in self.table else key, value)

    @property
    def keys(self) -> list[Value]:
        return [key for key, _value in self.table.values()]


class Set:
    """Elements in order: `table` has each by what `key_of` makes of it."""

    type_name = "set"

    def __init__(self, elements: Iterable[Value] = ()) -> None:
        self.table: dict[Value, Value] = {}
        self.frozen = False
        self.loops = 0
        for element in elements:
            self.put(element)

    def put(self, element: Value) -> None:
        """Put an element in; one that is there already stays what and where it is."""
        self.table.setdefault(key_of(element), element)

    @property
    def elements(self) -> list[Value]:
        return list(self.table.values())


class Struct:
    """Named fields, in the order of their names."""

    type_name = "struct"

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self.fields = dict(sorted(fields.items()))


class Module:
    """A module as a value: `attributes` are what `x.name` gives."""

    type_name = "module"

    def __init__(self, name: str, attributes: Mapping[str, Value]) -> None:
        self.name = name
        self.attributes = attributes


class Variable:
    """A place for one value. Closures share them with the functions around."""

    value: Value

    def __init__(self, *value: Value) -> None:
        if value:
            self.value = value[0]

    @property
    def bound(self) -> bool:
        return hasattr(self, "value")


class Function:
    """What a `def` or `lambda` makes: its text, the file it is of, its defaults, the variables around it."""

    type_name = "function"

    def __init__(
        self,
        node: Union[Def, Lambda],
        scope: FunctionScope,
        home: Any,
        defaults: dict[str, Value],
        captured: list[Variable],
    ) -> None:
        self.node = node
        self.scope = scope
        self.home = home
        self.defaults = defaults
        self.captured = captured

    @property
    def name(self) -> str:
        return self.scope.name


class Builtin:
    """A function of the language or the host; a method has the value before its dot as `receiver`."""

    type_name = "builtin_function_or_method"

    def __init__(
        self,
        name: str,
        function: Callable[[Any, tuple[Value, ...], dict[str, Value]], Value],
        receiver: Value = None,
    ) -> None:
        self.name = name
        self.function = function
        self.receiver = receiver


_NATIVE = {
    type(None): "NoneType",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    bytes: "bytes",
    tuple: "tuple",
    range: "range",
}


def type_name(x: Value) -> str:
    """Return `type(x)`."""
    # spec: starlark.types
    return _NATIVE.get(type(x)) or str(x.type_name)


def is_number(x: Value) -> bool:
    # spec: starlark.bool
    return type(x) is int or type(x) is float


def truth(x: Value) -> bool:
    """Return `bool(x)`."""
    # spec: starlark.truth
    if isinstance(x, List):
        return bool(x.items)
    if isinstance(x, (Dict, Set)):
        return bool(x.table)
    return bool(x) if type(x) in _NATIVE or isinstance(x, Elements) else True


# ---- what may be changed


def change(x: Collection, verb: str, method: str = "") -> None:
    """Raise unless a list, dict or set may be changed now; `verb` is what is tried."""
    # spec: starlark.iteration.locked, starlark.freeze
    noun = "list" if isinstance(x, List) else "hash table"
    prefix = f"{method}: " if method else ""
    if x.frozen:
        fail("eval.frozen", f"{prefix}cannot {verb} frozen {noun}")
    if x.loops:
        fail("eval.iteration", f"{prefix}cannot {verb} {noun} during iteration")


@contextmanager
def held(x: Value) -> Iterator[None]:
    """Go through a value: until the end, however it comes, nobody can change it."""
    # spec: starlark.iteration.locked
    if not isinstance(x, (List, Dict, Set)):
        yield
        return
    x.loops += 1
    try:
        yield
    finally:
        x.loops -= 1


def items_of(x: Value) -> Optional[list[Value]]:
    """Return the items of an iterable as they are now, or None for what cannot be iterated."""
    # spec: starlark.statement.for
    if isinstance(x, List):
        return list(x.items)
    if isinstance(x, Dict):
        return x.keys
    if isinstance(x, Set):
        return x.elements
    if isinstance(x, range) and length_of_range(x) > MOST_ITEMS:
        # spec: starlark.limit.size
        fail("eval.limit", f"excessive number of elements ({length_of_range(x)})")
    return list(x) if isinstance(x, (tuple, range, Elements)) else None


def length_of_range(x: range) -> int:
    # Python's own length ends at 63 bits.
    return max(0, -((x.start - x.stop) // x.step))


def freeze(root: Value) -> None:
    """Freeze everything that can be reached from a value."""
    # spec: starlark.freeze
    work, seen = [root], set()
    while work:
        x = work.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, (List, Dict, Set)):
            x.frozen = True
        work += _reached(x)


def _reached(x: Value) -> list[Value]:
    """Return the values directly within a value."""
    if isinstance(x, List):
        return x.items
    if isinstance(x, Dict):
        return [part for entry in x.table.values() for part in entry]
    if isinstance(x, Set):
        return x.elements
    if isinstance(x, tuple):
        return list(x)
    if isinstance(x, Struct):
        return list(x.fields.values())
    if isinstance(x, Module):
        return list(x.attributes.values())
    if isinstance(x, Builtin):
        return [x.receiver]
    if isinstance(x, Function):
        return [*x.defaults.values(), *(variable.value for variable in x.captured if variable.bound)]
    return []


# ---- equality, keys, order


def equal(a: Value, b: Value, walk: Optional[Walk] = None) -> bool:
    """Return `a == b`; what is shared within two values is compared once."""
    # spec: starlark.equality, starlark.limit.depth
    if is_number(a) and is_number(b):
        return bool(a == b or (a != a and b != b))
    if type(a) is not type(b):
        return False
    if not isinstance(a, (List, tuple, Dict, Set, Struct)):
        return bool(a == b)
    walk = walk or Walk()
    if (id(a), id(b)) not in walk.equal:
        pairs = _parts_to_compare(a, b)
        walk.down("comparison")
        if pairs is None or not all(equal(x, y, walk) for x, y in pairs):
            walk.up()
            return False
        walk.up()
        walk.equal.add((id(a), id(b)))
    return True


def _parts_to_compare(a: Value, b: Value) -> Optional[list[tuple[Value, Value]]]:
    """Return what must be equal in two containers of one type, or None when they differ already."""
    if isinstance(a, Struct):
        return list(zip(a.fields.values(), b.fields.values())) if list(a.fields) == list(b.fields) else None
    if isinstance(a, (Dict, Set)):
        if a.table.keys() != b.table.keys():
            return None
        return [(a.table[key][1], b.table[key][1]) for key in a.table] if isinstance(a, Dict) else []
    x, y = (a, b) if isinstance(a, tuple) else (a.items, b.items)
    return list(zip(x, y)) if len(x) == len(y) else None


def key_of(x: Value, walk: Optional[Walk] = None) -> Value:
    """Return a hashable value of Python's that is equal for equal keys only."""
    # spec: starlark.dict.keys, starlark.limit.hash
    if type(x) is bool:
        return ("bool", x)
    if type(x) is float and x != x:
        return ("nan",)
    if type(x) in (int, float, str, bytes, type(None)) or isinstance(x, (Function, Builtin)):
        return x
    if not isinstance(x, (tuple, Struct)):
        kind = " type" if isinstance(x, (List, Dict, Set)) else ""
        fail("eval.hash", f"unhashable{kind}: {type_name(x)}")
    walk = walk or Walk()
    walk.down("hashing")
    parts = list(x) if isinstance(x, tuple) else list(x.fields.values())
    walk.count(len(parts))
    known = tuple([key_of(part, walk) for part in parts])
    walk.up()
    return ("tuple", *known) if isinstance(x, tuple) else ("struct", *x.fields, *known)


def order(a: Value, b: Value, op: str, walk: Optional[Walk] = None) -> int:
    """Return a number below, equal to or above 0, as a is less than, equal to or greater than b."""
    # spec: starlark.order
    if is_number(a) and is_number(b):
        if a != a or b != b:
            return int(a != a) - int(b != b)
        return int(a > b) - int(a < b)
    if type(a) is type(b) and type(a) in (bool, str, bytes):
        return int(a > b) - int(a < b)
    if type(a) is type(b) and isinstance(a, (tuple, List)):
        x, y = (a, b) if isinstance(a, tuple) else (a.items, b.items)
        walk = walk or Walk()
        for one, other in zip(x, y):
            if not equal(one, other, walk):
                walk.down("comparison")
                return order(one, other, op, walk)
        return len(x) - len(y)
    return fail("eval.operand", f"{type_name(a)} {op} {type_name(b)} not implemented")


# ---- text


def to_str(x: Value) -> str:
    """Return `str(x)`."""
    # spec: starlark.str
    return x.decode("utf-8", "replace") if isinstance(x, bytes) else to_display(x)


def to_display(x: Value) -> str:
    """Return a value as `%s` and `format` write it."""
    return x if isinstance(x, str) else to_repr(x)


def to_repr(x: Value) -> str:
    """Return `repr(x)`."""
    # spec: starlark.repr.forms, starlark.limit.printing
    made = []
    for piece in written(x, ()):
        made.append(piece)
        if len(made) > MOST_PIECES:
            fail("eval.limit", "text of the value is too long")
    return "".join(made)


def written(x: Value, around: tuple[Value, ...]) -> Iterator[str]:
    """Yield the text of a value in pieces; `around` are the values that are being written around it."""
    # spec: starlark.repr.cycle
    if not isinstance(x, (List, tuple, Dict, Set, Struct)):
        yield plain_text(x)
    elif isinstance(x, (List, Dict)) and any(x is outer for outer in around):
        yield "[...]" if isinstance(x, List) else "{...}"
    elif len(around) >= MOST_LEVELS:
        fail("eval.limit", "value is nested too deeply to be printed")
    else:
        start, end = _BRACKETS[type(x)]
        yield start
        separator = ""
        for before, part in _labelled(x):
            yield separator
            if isinstance(x, Dict):
                yield from written(before, (*around, x))
                yield ": "
            elif isinstance(x, Struct):
                yield f"{before} = "
            yield from written(part, (*around, x))
            separator = ", "
        yield ",)" if isinstance(x, tuple) and len(x) == 1 else end


_BRACKETS = {
    List: ("[", "]"),
    tuple: ("(", ")"),
    Dict: ("{", "}"),
    Set: ("set([", "])"),
    Struct: ("struct(", ")"),
}


def _labelled(x: Value) -> Iterable[tuple[Value, Value]]:
    """Return the parts of a container, each behind its key, its name, or nothing."""
    if isinstance(x, Dict):
        return x.table.values()
    if isinstance(x, Struct):
        return x.fields.items()
    return [(None, item) for item in (x if isinstance(x, tuple) else items_of(x) or ())]


def plain_text(x: Value) -> str:
    """Return the text of a value that is written in one piece."""
    # spec: starlark.repr.float, starlark.repr.string
    if isinstance(x, str):
        return quote(x)
    if isinstance(x, bytes):
        return quote_bytes(x)
    if type(x) is int:
        return int_text(x)
    if isinstance(x, float):
        return float_text(x)
    if isinstance(x, range):
        start = f"{x.start}, " if x.start or x.step != 1 else ""
        step = f", {x.step}" if x.step != 1 else ""
        return f"range({start}{x.stop}{step})"
    if isinstance(x, Function):
        return f"<function {x.name}>"
    if isinstance(x, Builtin) and x.receiver is not None:
        return f"<built-in method {x.name} of {type_name(x.receiver)} value>"
    if isinstance(x, Builtin):
        return f"<built-in function {x.name}>"
    if isinstance(x, Module):
        return f'<module "{x.name}">'
    if isinstance(x, Elements):
        return f"{plain_text(x.source)}.{x.method}()"
    return str(x)  # None, True, False
