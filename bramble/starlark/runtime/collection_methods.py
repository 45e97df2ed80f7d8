"""The methods of lists, dicts and sets. Each takes the receiver, then the arguments.

Those that change the receiver ask `refuse_change` first; what comes before that
call and what after it is the order in which mistakes are found.
"""

from __future__ import annotations

import sys
from _functools import reduce  # type: ignore[import-not-found]
from _operator import and_, or_, sub

from ..errors import EvalError
from .arguments import bounds, want_int, want_items, want_sized
from .interruptible import PART, fill, have_all, put_all
from .iteration import items_of, sized_of
from .operators import add as add_values
from .operators import bit_or
from .values import (
    DICT_CLASSES,
    BusyDict,
    BusyList,
    FrozenDict,
    FrozenList,
    List,
    Set,
    entries,
    equal,
    fail_with,
    is_dict,
    key_of,
    keys_of,
    out_of_range,
    put,
    refuse_change,
    set_of,
    type_name,
    value_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Optional

    from ..thread import Thread
    from .values import Value

    Dict = dict[Value, Value]


# ---- lists


def append(x: List, value: Value) -> None:
    refuse_change(x, "append to", "append")
    list.append(x, value)


def clear_list(x: List) -> None:
    refuse_change(x, "clear", "clear")
    list.clear(x)


def extend(x: List, values: Value) -> None:
    items = want_sized("extend", 1, values)
    refuse_change(x, "extend", "extend")
    fill(x, items, len(items))


def extend_in_place(x: List, values: Value) -> None:
    """Execute `x += values` on a list."""
    items = sized_of(values)
    if items is None:
        fail_with("eval.operand", f"unknown binary op: list + {type_name(values)}")
    refuse_change(x, "apply += to")
    fill(x, items, len(items))


def add_in_place(thread: Thread, x: Value, other: Value) -> Value:
    """Return what `x += other` binds; a list is changed in place."""
    if x.__class__ is list:
        if thread.locked and id(x) in thread.locked:
            extend_in_place(BusyList(x), other)
        elif other.__class__ is list and len(other) <= PART:
            x.extend(other)
        else:
            extend_in_place(x, other)
        return x
    if x.__class__ is FrozenList:
        extend_in_place(x, other)
    return add_values(x, other)


def index(x: List, *args: Value) -> int:
    start, end = bounds("index", 2, args[1:], len(x))
    wanted = args[0]
    for at in range(start, min(end, len(x))):
        if equal(wanted, x[at]):
            return at
    return fail_with("eval.value", "index: value not in list")


def insert(x: List, at: Value, value: Value) -> None:
    place = want_int("insert", 1, at)
    refuse_change(x, "insert into", "insert")
    list.insert(x, max(min(place, len(x)), -len(x)), value)


def pop(x: List, *args: Value) -> Value:
    at = want_int("pop", 1, args[0]) if args else -1
    if not -len(x) <= at < len(x):
        out_of_range(x, at, "pop: ")
    refuse_change(x, "pop from", "pop")
    return list.pop(x, at)


def remove(x: List, value: Value) -> None:
    refuse_change(x, "remove from", "remove")
    for at, item in enumerate(x):
        if equal(value, item):
            del x[at]
            return
    fail_with("eval.value", "remove: element not found")


# ---- dicts

_MISSING = object()


def unless_iterated(thread: Optional[Thread], d: Dict) -> Dict:
    """Return a dict; for one that is being iterated, what refuses to change."""
    # spec: starlark.iteration.locked
    return BusyDict(d) if thread is not None and thread.locked and id(d) in thread.locked else d


def _key(method: str, key: Value) -> Value:
    try:
        return key_of(key)
    except EvalError as error:
        raise EvalError(error.code, f"{method}: {error.message}") from None


class RefusedKey(EvalError):
    """A key that cannot be one, where it is used; `operation` is the number of the one that it belongs to."""

    def __init__(self, code: str, message: str, operation: int) -> None:
        super().__init__(code, message)
        self.operation = operation


class Refused:
    """What stands for a key that cannot be one: an error for the dict that is asked for it."""

    __slots__ = ("error",)

    def __init__(self, error: RefusedKey) -> None:
        self.error = error

    def __hash__(self) -> int:
        raise self.error


def key_for_later(operation: int, key: Value, method: str = "") -> Value:
    """Return the Python key of a value; of an invalid one an object that fails when it is used."""
    # spec: starlark.expr.order
    try:
        return _key(method, key) if method else key_of(key)
    except EvalError as error:
        return Refused(RefusedKey(error.code, error.message, operation))


def clear_dict(d: Dict) -> None:
    refuse_change(d, "clear")
    dict.clear(d)


def get(d: Dict, key: Value, default: Value = None) -> Value:
    return dict.get(d, _key("get", key), default)


def keys(d: Dict) -> List:
    return keys_of(d)


def values(d: Dict) -> List:
    return fill([], dict.values(d), len(d))


def items(d: Dict) -> List:
    return entries(d)


def pop_key(d: Dict, key: Value, default: Value = _MISSING) -> Value:
    refuse_change(d, "delete from", "pop")
    value = dict.pop(d, _key("pop", key), default)
    return value if value is not _MISSING else fail_with("eval.key", "pop: missing key")


def popitem(d: Dict) -> tuple[Value, Value]:
    refuse_change(d, "delete from", "popitem")
    for key in dict.keys(d):
        return value_of(key), dict.pop(d, key)
    return fail_with("eval.key", "popitem: empty dict")


def setdefault(d: Dict, key: Value, default: Value = None, thread: Optional[Thread] = None) -> Value:
    # spec: starlark.iteration.locked
    found = dict.get(d, _key("setdefault", key), _MISSING)
    if found is not _MISSING:
        return found
    refuse_change(unless_iterated(thread, d), "insert into", "setdefault")
    put(d, key, default, thread)
    return default


def pairs_of(name: str, source: Value) -> list[tuple[Value, Value]]:
    """Return the entries that `dict(source)` and `d.update(source)` read: of a dict, or of pairs."""
    # spec: starlark.dict.function
    if source.__class__ in DICT_CLASSES:
        return entries(source)
    pairs = []
    for number, item in enumerate(want_items(name, 1, source)):
        pair = items_of(item)
        if pair is None:
            fail_with(
                "eval.value",
                f"{name}: dictionary update sequence element #{number} is not iterable ({type_name(item)})",
            )
        if len(pair) != 2:
            fail_with(
                "eval.value",
                f"{name}: dictionary update sequence element #{number} has length {len(pair)}, want 2",
            )
        pairs.append((pair[0], pair[1]))
    return pairs


def put_pairs(name: str, d: Dict, pairs: list[tuple[Value, Value]], thread: Optional[Thread] = None) -> None:
    """Insert entries into a dict that may be changed; errors begin with the method's name."""
    for key, value in pairs:
        try:
            put(d, key, value, thread)
        except EvalError as error:
            raise EvalError(error.code, f"{name}: {error.message}") from None


def update(
    d: Dict, args: tuple[Value, ...], kwargs: Mapping[str, Value], thread: Optional[Thread] = None
) -> None:
    pairs = pairs_of("update", args[0]) if args else []
    if pairs or kwargs:
        refuse_change(unless_iterated(thread, d), "insert into", "update")
        put_pairs("update", d, pairs, thread)
        dict.update(d, kwargs)


def update_from(thread: Thread, d: Dict, source: Value) -> None:
    """Execute `d.update(source)`, for a dict of Python's own that is not being iterated."""
    kind = source.__class__
    if kind is dict or kind is FrozenDict:
        # What is odd of Python's own is known to be so already.
        put_all(d, source)
    else:
        update(d, (source,), {}, thread)


def or_in_place(thread: Thread, d: Value, other: Value) -> Value:
    """Return what `d |= other` binds; a dict or set is changed in place."""
    if is_dict(d) and is_dict(other):
        refuse_change(unless_iterated(thread, d), "apply |= to")
        if d.__class__ is dict and (other.__class__ is dict or other.__class__ is FrozenDict):
            put_all(d, other)
            return d
        for key, value in entries(other):
            put(d, key, value, thread)
        return d
    if isinstance(d, Set) and isinstance(other, Set):
        refuse_change(d, "apply |= to")
        for element in keys_of(other):
            put(d, element)
        return d
    return bit_or(d, other)


# ---- sets


def _as_set(method: str, iterable: Value, parameter: int = 1) -> Set:
    return iterable if isinstance(iterable, Set) else elements_of(method, iterable, parameter)


def _as_sets(method: str, iterables: tuple[Value, ...]) -> list[Set]:
    return [_as_set(method, iterable, number) for number, iterable in enumerate(iterables, 1)]


def elements_of(method: str, iterable: Value, parameter: int = 1) -> Set:
    """Return the elements of an iterable argument as a new set."""
    try:
        return set_of(want_items(method, parameter, iterable))
    except EvalError as error:
        if error.code != "eval.hash":
            raise
        raise EvalError(error.code, f"{method}: {error.message}") from None


def add(s: Set, value: Value) -> None:
    refuse_change(s, "insert into", "add")
    put(s, value)


def clear_set(s: Set) -> None:
    refuse_change(s, "clear", "clear")
    dict.clear(s)


def discard(s: Set, value: Value) -> None:
    refuse_change(s, "delete from", "discard")
    dict.pop(s, _key("discard", value), None)


def remove_element(s: Set, value: Value) -> None:
    refuse_change(s, "delete from", "remove")
    if dict.pop(s, _key("remove", value), _MISSING) is _MISSING:
        fail_with("eval.key", "remove: missing key")


def pop_element(s: Set) -> Value:
    refuse_change(s, "delete from", "pop")
    for key in dict.keys(s):
        dict.pop(s, key)
        return value_of(key)
    return fail_with("eval.key", "pop: empty set")


def _combined(s: Set, operator: Callable[[Set, Set], Set], others: list[Set]) -> Set:
    return reduce(operator, others, s) if others else set_of(keys_of(s))


def union(s: Set, *others: Value) -> Set:
    # spec: starlark.set.many
    return _combined(s, or_, _as_sets("union", others))


def intersection(s: Set, *others: Value) -> Set:
    return _combined(s, and_, _as_sets("intersection", others))


def difference(s: Set, *others: Value) -> Set:
    return _combined(s, sub, _as_sets("difference", others))


def symmetric_difference(s: Set, other: Value) -> Set:
    return s ^ _as_set("symmetric_difference", other)  # type: ignore[no-any-return]


def issubset(s: Set, other: Value) -> bool:
    wider = _as_set("issubset", other)
    return have_all(wider, s)


def issuperset(s: Set, other: Value) -> bool:
    return have_all(s, _as_set("issuperset", other))


def update_set(s: Set, *others: Value) -> None:
    # spec: starlark.iteration.arguments
    if s and any(other is s for other in others):
        refuse_change(s, "insert into", "update")
        fail_with("eval.iteration", "update: cannot insert into hash table during iteration")
    # All of them are read before anything is put in.
    for new in [keys_of(other) for other in _as_sets("update", others) if other]:
        refuse_change(s, "insert into", "update")
        for element in new:
            put(s, element)


# As many arguments as a call can have.
_ANY = sys.maxsize

# Name: the function, and the least and most arguments. `update` of a dict takes keywords: see attributes.py.
# spec: starlark.list.methods
LIST_METHODS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "append": (append, 1, 1),
    "clear": (clear_list, 0, 0),
    "extend": (extend, 1, 1),
    "index": (index, 1, 3),
    "insert": (insert, 2, 2),
    "pop": (pop, 0, 1),
    "remove": (remove, 1, 1),
}
LIST_CHANGES = frozenset(LIST_METHODS) - {"index"}
# spec: starlark.dict.methods
DICT_METHODS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "clear": (clear_dict, 0, 0),
    "get": (get, 1, 2),
    "items": (items, 0, 0),
    "keys": (keys, 0, 0),
    "pop": (pop_key, 1, 2),
    "popitem": (popitem, 0, 0),
    "setdefault": (setdefault, 1, 2),
    "values": (values, 0, 0),
}
# Those that change a dict; the last two, which take a thread, not always.
DICT_CHANGES = frozenset({"clear", "pop", "popitem"})
DICT_PUTS = frozenset({"setdefault", "update"})
# spec: starlark.set.methods
SET_METHODS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "add": (add, 1, 1),
    "clear": (clear_set, 0, 0),
    "difference": (difference, 0, _ANY),
    "discard": (discard, 1, 1),
    "intersection": (intersection, 0, _ANY),
    "issubset": (issubset, 1, 1),
    "issuperset": (issuperset, 1, 1),
    "pop": (pop_element, 0, 0),
    "remove": (remove_element, 1, 1),
    "symmetric_difference": (symmetric_difference, 1, 1),
    "union": (union, 0, _ANY),
    "update": (update_set, 0, _ANY),
}
