"""Private lists and dicts of compiled code, which are Python's own: the uncommon cases.

A dict here has the Python keys of a `Dict` (values.py: `key_of`), so some may be a `Key`.
"""

from __future__ import annotations

from ..errors import EvalError
from .arguments import want_sized
from .attributes import run_method
from .interruptible import PART, fill, put_all, types_of
from .operators import index, missing_key, multiply
from .values import Dict, Key, OddDict, key_of, value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .values import Value


# So few keys are looked at in less time than the set of their types is made in.
_SHORT = 16


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


def dict_method(x: dict[Value, Value], name: str, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
    """Return `x.name(*args, **kwargs)`, which may change the dict."""
    boxed = boxed_dict(x)
    made = run_method(boxed, name, args, kwargs)
    x.clear()
    x.update(boxed)
    return made


def boxed_dict(x: dict[Value, Value]) -> Dict:
    """Return a copy that a program may see."""
    if len(x) <= _SHORT:
        boxed = Dict(x)
        for key in x:
            if key.__class__ is Key:
                boxed.__class__ = OddDict
                break
        return boxed
    boxed = Dict()
    put_all(boxed, x)
    if Key in types_of(x):
        boxed.__class__ = OddDict
    return boxed


def element(x: list[Value], i: Value) -> Value:
    """Return `x[i]` for an index that is no int: raise the error."""
    return index(x, i)


def set_element(x: list[Value], i: Value, value: Value) -> None:
    """Execute `x[i] = value` for an index that is no int: raise the error."""
    index(x, i)


def item(x: dict[Value, Value], key: Value) -> Value:
    """Return `x[key]` for any key."""
    try:
        return x[key_of(key)]
    except KeyError:
        return missing_key(key)


def put_item(x: dict[Value, Value], key: Value, value: Value) -> None:
    """Execute `x[key] = value` for any key."""
    x[key_of(key)] = value


def has_key(x: dict[Value, Value], key: Value) -> bool:
    """Return `key in x` for any key."""
    try:
        return key_of(key) in x
    except EvalError as error:
        if error.code != "eval.hash":
            raise
        return False


def get(x: dict[Value, Value], key: Value, default: Value = None) -> Value:
    """Return `x.get(key, default)` for any key."""
    return dict_method(x, "get", (key, default), {})


def setdefault(x: dict[Value, Value], key: Value, default: Value = None) -> Value:
    """Return `x.setdefault(key, default)` for any key."""
    return dict_method(x, "setdefault", (key, default), {})


def keys(x: dict[Value, Value]) -> list[Value]:
    """Return the keys as the program knows them."""
    if Key not in types_of(x):
        return list(x)
    return [key.value if key.__class__ is Key else key for key in x]


def items(x: dict[Value, Value]) -> list[tuple[Value, Value]]:
    """Return the entries as the program knows them."""
    if Key not in types_of(x):
        return list(x.items())
    return [(value_of(key), value) for key, value in x.items()]
