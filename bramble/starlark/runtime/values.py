"""The values a Starlark program handles: lists, dicts, sets, their freezing, and keys.

None, bool, int, float, string, bytes, tuple and range are Python's own, and so are a list and a dict that
may be changed: nothing else is made, indexed and iterated at Python's speed. A frozen list is a `FrozenList`,
a frozen dict a `FrozenDict`, which take their place (freezing.py). Which lists and dicts are being iterated,
and may not be changed meanwhile, is noted in the thread (iteration.py).

Sets are a subclass of Python's `dict`. The class of a set, and not a flag, determines what may be done with
it: a `Set` may be changed, a `BusySet` is being iterated, a `FrozenSet` is frozen. An object moves from one
class to another.

*Keys.* To Python `True` and `1` are one key, and NaN is never found again. A key that Python would
misunderstand is kept inside a `Key`, and its dict (or set) is *odd*: where its keys are read, those have to
be taken out again. To look for such a key, and to store one, `key_of` is asked in any case; so only reading
all of the keys has to know which dicts are odd:

- a display and `dict()` make a `Dict` where there is such a key; a frozen odd dict is a `FrozenOddDict`, an
  odd set an `OddSet`;
- a dict of Python's own, whose class cannot change, may get such a key later. That is noted in the thread
  (`Thread.odd`), once and for all: compiled code goes Python's own way over the keys of Python's own dicts
  until then, and looks at the keys afterwards. What has no thread at hand looks in any case (`is_odd`).

What breaks it: a way by which a key gets into a dict of Python's own and is not seen by `put`, or goes around
`key_of`; code that lets Python iterate a dict without a look at `Thread.odd`.
"""

from __future__ import annotations

from ..errors import EvalError
from .integers import int_text
from .interruptible import PART, fill, have_all, put_all, put_keys, types_of
from .limits import MAX_HASHED, Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, NoReturn, Optional, Union

    from ..thread import Thread

    Value = Any

Range = range
NoneType = type(None)


def fail_with(code: str, message: str) -> NoReturn:
    """End the running program with an EvalError; the place is that of the call that runs now."""
    raise EvalError(code, message)


NATIVE_TYPE_NAMES: dict[type, str] = {
    NoneType: "NoneType",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    bytes: "bytes",
    tuple: "tuple",
    range: "range",
}


def type_name(value: Value) -> str:
    """Return what `type(value)` is in Starlark.

    Raises EvalError `eval.host` for an object that is not a Starlark value: a host has put it into one.
    """
    name = TYPE_NAMES.get(value.__class__)
    if name is None:
        name = getattr(value.__class__, "type_name", None)
        if name is None or not isinstance(name, str):
            name = getattr(value, "type_name", None)
            if not isinstance(name, str):
                fail_with("eval.host", f"not a Starlark value: {type(value).__name__}")
    return name


def out_of_range(x: Value, i: int, method: str = "") -> NoReturn:
    """Raise the error of an index beyond a sequence."""
    if len(x) == 0:
        fail_with("eval.index", f"{method}index {int_text(i)} out of range: empty {type_name(x)}")
    fail_with(
        "eval.index", f"{method}{type_name(x)} index {int_text(i)} out of range [{-len(x)}:{len(x) - 1}]"
    )


# ---- lists


if TYPE_CHECKING:
    List = list[Any]
else:
    # A list that may be changed.
    List = list


class FrozenList(list):  # type: ignore[type-arg]
    """A list that will never change. Its Python mutators refuse, for the sake of the host's code."""

    __slots__ = ()
    type_name = "list"
    __hash__ = None

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise EvalError("eval.frozen", "cannot change frozen list")

    append = extend = insert = pop = remove = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse


class BusyList(list):  # type: ignore[type-arg]
    """A copy of a list that is being iterated: a method that would change it says why it may not be."""

    __slots__ = ()
    type_name = "list"


# ---- dicts and sets


class Key:
    """A dict key that Python would take for another one: a bool, NaN, or a tuple or struct with such inside.

    `value` is what the program sees; `norm` is a Python value that is equal for
    equal keys only.
    """

    __slots__ = ("value", "norm")

    def __init__(self, value: Value, norm: Value) -> None:
        self.value = value
        self.norm = norm

    def __eq__(self, other: object) -> bool:
        return other.__class__ is Key and self.norm == other.norm

    def __hash__(self) -> int:
        return hash(self.norm)


TRUE_KEY = Key(True, ("bool", 1))
FALSE_KEY = Key(False, ("bool", 0))
NAN_KEY = Key(float("nan"), ("float", "nan"))

# Python hashes and compares values of these classes as Starlark does, also inside tuples.
PLAIN_KEYS = frozenset({str, int, bytes, NoneType})


class Dict(dict):  # type: ignore[type-arg]
    """A dict that may be changed, of a class of its own: some of its keys may be in a `Key`.

    Host code fills one with `put`; one whose keys are strings may as well be Python's own. Reading with a
    str key is Python's own (`d["x"]`, `d.get("x")`, `"x" in d`); `entries(d)` gives the keys and values
    whatever they are.
    """

    __slots__ = ()
    type_name = "dict"
    __hash__ = None

    def __or__(self, other: Value) -> Value:
        return union(self, other) if is_dict(other) else NotImplemented

    def __ror__(self, other: Value) -> Value:
        return union(other, self) if is_dict(other) else NotImplemented

    def __ior__(self, other: Value) -> Value:
        return NotImplemented

    def __eq__(self, other: object) -> bool:
        return is_dict(other) and equal_dicts(self, other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)


def _refuse_table(_self: object, *_args: object, **_kwargs: object) -> NoReturn:
    raise EvalError("eval.frozen", "cannot change frozen hash table")


class FrozenDict(Dict):
    """A dict that will never change."""

    __slots__ = ()
    pop = popitem = clear = update = setdefault = __setitem__ = __delitem__ = _refuse_table


class FrozenOddDict(Dict):
    """An odd dict that will never change."""

    __slots__ = ()
    pop = popitem = clear = update = setdefault = __setitem__ = __delitem__ = _refuse_table


class BusyDict(dict):  # type: ignore[type-arg]
    """A copy of a dict that is being iterated: a method that would change it says why it may not be."""

    __slots__ = ()
    type_name = "dict"


class Set(dict):  # type: ignore[type-arg]
    """A set that may be changed: a dict of the elements, in their order. Make one with `set_of`."""

    __slots__ = ()
    type_name = "set"
    __hash__ = None

    def __getitem__(self, key: Value) -> NoReturn:
        raise EvalError("eval.type", f"unhandled index operation set[{type_name(key)}]")

    # The results keep the order of the left operand, then that of the right one.
    # spec: starlark.set.operators
    def __or__(self, other: Value) -> Value:
        if not isinstance(other, Set):
            return _no_union(self, other)
        return _set_of_keys(fill(fill([], self, len(self)), other, len(other)))

    def __and__(self, other: Value) -> Value:
        if not isinstance(other, Set):
            return NotImplemented
        return _set_of_keys([key for key in dict.keys(self) if dict.__contains__(other, key)])

    def __sub__(self, other: Value) -> Value:
        if not isinstance(other, Set):
            return NotImplemented
        return _set_of_keys([key for key in dict.keys(self) if not dict.__contains__(other, key)])

    def __xor__(self, other: Value) -> Value:
        if not isinstance(other, Set):
            return NotImplemented
        left = [key for key in dict.keys(self) if not dict.__contains__(other, key)]
        return _set_of_keys(left + [key for key in dict.keys(other) if not dict.__contains__(self, key)])

    def __ror__(self, other: Value) -> Value:
        return _no_union(other, self)

    __ior__ = __or__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Set) or len(self) != len(other):
            return False
        return dict.keys(self) == dict.keys(other) if len(self) <= PART else have_all(self, other)

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)


class BusySet(Set):
    """A set that is being iterated."""

    __slots__ = ()


class OddSet(Set):
    """A set some of whose elements are in a `Key`."""

    __slots__ = ()


class BusyOddSet(OddSet):
    """An odd set that is being iterated."""

    __slots__ = ()


class FrozenSet(Set):
    """A set that will never change."""

    __slots__ = ()
    pop = popitem = clear = update = setdefault = __setitem__ = __delitem__ = _refuse_table


class FrozenOddSet(OddSet):
    """An odd set that will never change."""

    __slots__ = ()
    pop = popitem = clear = update = setdefault = __setitem__ = __delitem__ = _refuse_table


MUTABLE = frozenset({list, dict, Dict, Set, OddSet})
FROZEN = frozenset({FrozenList, FrozenDict, FrozenOddDict, FrozenSet, FrozenOddSet})
BUSY_OF: dict[type, type] = {Set: BusySet, OddSet: BusyOddSet}
FREE_OF: dict[type, type] = {busy: free for free, busy in BUSY_OF.items()}
FROZEN_OF: dict[type, type] = {
    Set: FrozenSet,
    BusySet: FrozenSet,
    OddSet: FrozenOddSet,
    BusyOddSet: FrozenOddSet,
}
LIST_CLASSES = frozenset({list, FrozenList})
DICT_CLASSES = frozenset({dict, Dict, FrozenDict, FrozenOddDict})
SET_CLASSES = frozenset({Set, BusySet, FrozenSet, OddSet, BusyOddSet, FrozenOddSet})
ODD = frozenset({Dict, FrozenOddDict, OddSet, BusyOddSet, FrozenOddSet})


TYPE_NAMES: dict[type, str] = {
    **NATIVE_TYPE_NAMES,
    **dict.fromkeys((*LIST_CLASSES, BusyList), "list"),
    **dict.fromkeys((*DICT_CLASSES, BusyDict), "dict"),
    **dict.fromkeys(SET_CLASSES, "set"),
}


# So few values are looked at in less time than the set of their types is made in.
_SHORT = 16


def key_of(value: Value, walk: Optional[Walk] = None) -> Value:
    """Return the Python dict key that stands for `value`. Raises EvalError when it cannot be hashed."""
    kind = value.__class__
    if kind in PLAIN_KEYS:
        return value
    if kind is tuple:
        if walk is not None or len(value) > MAX_HASHED:
            (walk or Walk()).count(len(value))
        for item in value:
            if item.__class__ is not str and item.__class__ not in PLAIN_KEYS:
                break
        else:
            return value
        walk = walk or Walk()
        walk.down("hashing")
        norm = tuple([key_of(item, walk) for item in value])
        walk.up()
        for item in norm:
            if item.__class__ is Key:
                return Key(value, norm)
            if item.__class__ is tuple:
                # A tuple inside may be plain, and then the whole is as well.
                continue
        return value
    if kind is bool:
        return TRUE_KEY if value else FALSE_KEY
    if kind is float:
        return value if value == value else NAN_KEY
    norm_key = getattr(kind, "starlark_key", None)
    if norm_key is not None:
        return norm_key(value, walk or Walk())
    raise EvalError("eval.hash", unhashable(value))


def is_plain_tuple(value: Value) -> bool:
    """Return whether a value is a short tuple of strings and ints, which is its own key."""
    if value.__class__ is not tuple or len(value) > _SHORT:
        return False
    for item in value:
        if item.__class__ is not str and item.__class__ is not int:
            break
    else:
        return True
    return False


def unhashable(value: Value) -> str:
    """Return the message for a value that cannot be a key."""
    kind = type_name(value)
    return f"unhashable type: {kind}" if kind in ("list", "dict", "set") else f"unhashable: {kind}"


def value_of(key: Value) -> Value:
    """Return the value that a Python dict key stands for: the inverse of `key_of`."""
    return key.value if key.__class__ is Key else key


def has_odd_keys(table: dict[Value, Value]) -> bool:
    """Return whether some keys of a dict are in a `Key`."""
    if len(table) > _SHORT:
        return Key in types_of(table)
    for key in table:
        if key.__class__ is Key:
            break
    else:
        return False
    return True


def is_odd(table: Union[dict[Value, Value], Set]) -> bool:
    """Return whether some keys of a dict or set of any class may be in a `Key`."""
    return table.__class__ in ODD or (table.__class__ is dict and has_odd_keys(table))


def is_dict(value: object) -> bool:
    """Return whether a value is a dict of the language: sets derive from Python's dict as well."""
    return value.__class__ in DICT_CLASSES


def keys_of(table: Union[dict[Value, Value], Set]) -> list[Value]:
    """Return the keys of a dict, or the elements of a set, as the program knows them."""
    if is_odd(table):
        return [key.value if key.__class__ is Key else key for key in dict.keys(table)]
    return fill([], table, len(table))


def entries(table: dict[Value, Value]) -> list[tuple[Value, Value]]:
    """Return the keys and values of a dict as the program knows them."""
    if is_odd(table):
        return [(value_of(key), value) for key, value in dict.items(table)]
    return fill([], dict.items(table), len(table))


def put(
    table: Union[dict[Value, Value], Set], key: Value, value: Value = None, thread: Optional[Thread] = None
) -> None:
    """Insert into a table that may be changed (the caller has made sure).

    Raises EvalError: `eval.hash` for what is no key; `eval.host` without a thread for a key that Python would
    take for another one, such as a bool, and a dict of Python's own: one of the class Dict takes any.
    """
    k = key_of(key)
    if k.__class__ is Key:
        if table.__class__ is Set:
            table.__class__ = OddSet
        elif table.__class__ is dict:
            if thread is None:
                fail_with(
                    "eval.host", f"a dict of Python's own takes no {type_name(key)} as a key: use Dict()"
                )
            thread.odd = True
    dict.__setitem__(table, k, value)


def union(a: dict[Value, Value], b: dict[Value, Value]) -> dict[Value, Value]:
    """Return `a | b` for two dicts."""
    made: dict[Value, Value] = Dict() if a.__class__ in ODD or b.__class__ in ODD else {}
    put_all(made, a)
    put_all(made, b)
    return made


def _no_union(a: Value, b: Value) -> Value:
    """Refuse `a | b` of a set and a dict, which Python would join; leave anything else to the other one."""
    if isinstance(a, dict) and isinstance(b, dict):
        raise EvalError("eval.operand", f"unknown binary op: {type_name(a)} | {type_name(b)}")
    return NotImplemented


def _set_of_keys(keys: list[Value]) -> Set:
    """Return the set of some Python keys."""
    made = Set()
    put_keys(made, keys)
    if Key in types_of(keys):
        made.__class__ = OddSet
    return made


def set_of(elements: Iterable[Value]) -> Set:
    """Return a set of the elements, in their order."""
    items: Any = elements if isinstance(elements, (list, tuple)) else list(elements)
    if PLAIN_KEYS.issuperset(types_of(items)):
        made = Set()
        put_keys(made, items)
        return made
    return _set_of_keys([key_of(element) for element in items])


def refuse_change(container: Union[List, dict[Value, Value], Set], verb: str, method: str = "") -> None:
    """Raise when `container` may not be changed; `verb` is what was tried, `method` by whom."""
    # spec: starlark.freeze, starlark.iteration.locked
    kind = container.__class__
    if kind in MUTABLE:
        return
    noun = "list" if isinstance(container, list) else "hash table"
    prefix = f"{method}: " if method else ""
    if kind in FROZEN:
        raise EvalError("eval.frozen", f"{prefix}cannot {verb} frozen {noun}")
    raise EvalError("eval.iteration", f"{prefix}cannot {verb} {noun} during iteration")


# ---- equality


def equal(a: Value, b: Value, walk: Optional[Walk] = None) -> bool:
    """Return `a == b`. Raises EvalError when they are nested too deeply, as cyclic values are.

    `walk` is that of the comparison which this one is a part of.
    """
    # spec: starlark.equality
    ca, cb = a.__class__, b.__class__
    if ca is str or cb is str:
        # A host's value may be equal to a string; a struct would ask here.
        return bool(a == b) if ca is cb or not hasattr(cb if ca is str else ca, "starlark_equal") else False
    if walk is None and ca is cb and (ca is list or ca is tuple):
        return equal_sequences(a, b)
    if ca is bool or cb is bool:
        return a is b
    if a is None or b is None:
        return a is b
    if ca is int or ca is float:
        if cb is float or cb is int:
            if a == b:
                return True
            return bool(a != a and b != b)
        return cb not in NATIVE_TYPE_NAMES and bool(b == a)
    if ca is tuple:
        return cb is tuple and _contents(equal_sequences, a, b, walk)
    if isinstance(a, list):
        return isinstance(b, list) and _contents(equal_sequences, a, b, walk)
    if ca in DICT_CLASSES:
        return cb in DICT_CLASSES and _contents(equal_dicts, a, b, walk)
    deep = getattr(ca, "starlark_equal", None)
    if deep is not None:
        return _contents(deep, a, b, walk)
    return bool(a == b)


def _contents(
    same: Callable[[Value, Value, Optional[Walk]], bool], a: Value, b: Value, walk: Optional[Walk]
) -> bool:
    """Return whether two values that contain others are equal, by `same`."""
    if walk is None:
        return same(a, b, None)
    pair = (id(a), id(b))
    if pair in walk.equal:
        return True
    walk.down("comparison")
    found = same(a, b, walk)
    walk.up()
    if found:
        walk.equal.add(pair)
    return found


def equal_sequences(a: Value, b: Value, walk: Optional[Walk] = None) -> bool:
    """Return whether two lists, or two tuples, hold equal items."""
    if len(a) != len(b):
        return False
    for x, y in zip(a, b):
        kind = x.__class__
        if kind is str or (kind is int and y.__class__ is int):
            if x != y:
                return False
        elif x is None or kind is bool:
            if x is not y:
                return False
        else:
            walk = walk or Walk()
            if not equal(x, y, walk):
                return False
    return True


_MISSING = object()


def equal_dicts(a: dict[Value, Value], b: dict[Value, Value], walk: Optional[Walk] = None) -> bool:
    """Return whether two dicts hold the same keys with equal values."""
    if len(a) != len(b):
        return False
    for key, x in dict.items(a):
        y = dict.get(b, key, _MISSING)
        kind = x.__class__
        if kind is str or (kind is int and y.__class__ is int):
            if x != y:
                return False
        else:
            walk = walk or Walk()
            if y is _MISSING or not equal(x, y, walk):
                return False
    return True


def contains(items: Sequence[Value], wanted: Value) -> bool:
    """Return whether a list or tuple holds an item equal to `wanted`."""
    if wanted.__class__ is int and wanted not in _LIKE_BOOLS and len(items) <= PART:
        # Of all that Python finds equal to an int only a bool is not, and that is 0 or 1.
        return wanted in items
    return any(equal(wanted, item) for item in items)


_LIKE_BOOLS = (0, 1)
