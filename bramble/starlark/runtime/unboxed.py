"""Private lists and dicts of compiled code, which are Python's own: the uncommon cases.

A dict here has the keys that `key_of` gives (values.py), so some may be a `Key`.
"""

from __future__ import annotations

from ..errors import EvalError
from .arguments import want_sized
from .attributes import run_method
from .interruptible import PART, fill
from .operators import index, missing_key, multiply
from .values import entries, is_plain_tuple, key_of, keys_of, put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..thread import Thread
    from .values import Value


def repeat_raw(items: list[Value], count: Value) -> list[Value]:
    """Return `items * count`."""
    if count.__class__ is int and count >= 0 and len(items) * count <= PART:
        return items * count
    return multiply(items, count)  # type: ignore[no-any-return]


def list_method(x: list[Value], name: str, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
    """Return `x.name(*args, **kwargs)`, which may change the list."""
    if name == "extend" and len(args) == 1 and not kwargs:
        items = want_sized("extend", 1, args[0])
        fill(x, items, len(items))
        return None
    return run_method(x, name, args, kwargs)


def dict_method(
    thread: Thread, x: dict[Value, Value], name: str, args: tuple[Value, ...], kwargs: dict[str, Value]
) -> Value:
    """Return `x.name(*args, **kwargs)`, which may change the dict."""
    return run_method(x, name, args, kwargs, thread)


def element(x: list[Value], i: Value) -> Value:
    """Return `x[i]` for an index that is no int: raise the error."""
    return index(x, i)


def set_element(x: list[Value], i: Value, value: Value) -> None:
    """Execute `x[i] = value` for an index that is no int: raise the error."""
    index(x, i)


def item(x: dict[Value, Value], key: Value) -> Value:
    """Return `x[key]` for any key."""
    try:
        return x[key if is_plain_tuple(key) else key_of(key)]
    except KeyError:
        return missing_key(key)


def put_item(thread: Thread, x: dict[Value, Value], key: Value, value: Value) -> None:
    """Execute `x[key] = value` for any key."""
    if is_plain_tuple(key):
        x[key] = value
    else:
        put(x, key, value, thread)


def has_key(x: dict[Value, Value], key: Value) -> bool:
    """Return `key in x` for any key."""
    try:
        return (key if is_plain_tuple(key) else key_of(key)) in x
    except EvalError as error:
        if error.code != "eval.hash":
            raise
        return False


def get(thread: Thread, x: dict[Value, Value], key: Value, default: Value = None) -> Value:
    """Return `x.get(key, default)` for any key."""
    if is_plain_tuple(key):
        return x.get(key, default)
    return run_method(x, "get", (key, default), {}, thread)


def setdefault(thread: Thread, x: dict[Value, Value], key: Value, default: Value = None) -> Value:
    """Return `x.setdefault(key, default)` for any key."""
    if is_plain_tuple(key):
        return x.setdefault(key, default)
    return run_method(x, "setdefault", (key, default), {}, thread)


def keys(x: dict[Value, Value]) -> list[Value]:
    """Return the keys as the program knows them."""
    return keys_of(x)


def items(x: dict[Value, Value]) -> list[tuple[Value, Value]]:
    """Return the entries as the program knows them."""
    return entries(x)
