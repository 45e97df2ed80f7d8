"""The universe: the functions that every program has.

What takes values apart, makes collections, or calls back is written here. Functions of single numbers and
strings (`int`, `float`, `chr`, `range` …) are those of `runtime`.
"""

from __future__ import annotations

from functools import cmp_to_key

from ..errors import EvalError, Frame
from ..runtime.arguments import count_between, named_arguments, want_bool, want_int, want_string, wrong_type
from ..runtime.universe import POSITIONAL
from ..runtime.universe import UNIVERSE as RUNTIME
from ..runtime.views import StringElems
from .methods import (
    attribute,
    attribute_names,
    attribute_or_none,
    elements,
    named,
    pairs_of,
    positional,
    put_all,
    want_items,
)
from .values import (
    MOST_ITEMS,
    Builtin,
    Dict,
    Function,
    List,
    Set,
    Struct,
    fail,
    held,
    items_of,
    length_of_range,
    order,
    to_repr,
    to_str,
    truth,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

    from .methods import Args, Kwargs, Row
    from .values import Value


def length(x: Value) -> int:
    # spec: starlark.len
    if isinstance(x, List):
        return len(x.items)
    if isinstance(x, (Dict, Set)):
        return len(x.table)
    if isinstance(x, range):
        count = length_of_range(x)
        return count if count < 1 << 63 else fail("eval.limit", f"len: {count} items are too many")
    if isinstance(x, (str, bytes, tuple, StringElems)):
        return len(x)
    return fail("eval.argument", f"len: value of type {type_name(x)} has no len")


def any_of(x: Value) -> bool:
    # spec: starlark.any
    if isinstance(x, range):
        return length_of_range(x) > (1 if 0 in x else 0)
    return any(map(truth, want_items("any", 1, x)))


def all_of(x: Value) -> bool:
    # spec: starlark.all
    return 0 not in x if isinstance(x, range) else all(map(truth, want_items("all", 1, x)))


def zipped(*iterables: Value) -> List:
    # spec: starlark.zip
    for number, x in enumerate(iterables, 1):
        if not isinstance(x, range) and items_of(x) is None:
            fail("eval.argument", f"zip: argument #{number} is not iterable: {type_name(x)}")
    lengths = [length_of_range(x) if isinstance(x, range) else len(items_of(x) or ()) for x in iterables]
    if lengths and min(lengths) > MOST_ITEMS:
        fail("eval.limit", f"excessive number of elements ({min(lengths)})")
    return List(zip(*[x if isinstance(x, range) else items_of(x) or () for x in iterables]))


def enumerated(x: Value, start: Value = 0) -> List:
    # spec: starlark.enumerate
    first = want_int("enumerate", 2, start)
    return List(enumerate(want_items("enumerate", 1, x), first))


def get_attribute(x: Value, name: Value, *default: Value) -> Value:
    # spec: starlark.getattr
    found = attribute_or_none(x, want_string("getattr", 2, name))
    if found is None and default:
        return default[0]
    return attribute(x, name, "getattr: ")


def has_attribute(x: Value, name: Value) -> bool:
    # spec: starlark.hasattr
    return attribute_or_none(x, want_string("hasattr", 2, name)) is not None


def dict_of(_thread: Any, args: Args, kwargs: Kwargs) -> Dict:
    # spec: starlark.dict.function
    count_between("dict", len(args), 0, 1)
    made = Dict()
    put_all("dict", made, pairs_of("dict", args[0]) if args else [], kwargs)
    return made


def print_line(thread: Any, args: Args, kwargs: Kwargs) -> None:
    # spec: starlark.print
    thread.print(separator("print", kwargs).join(map(to_str, args)))


def fail_line(_thread: Any, args: Args, kwargs: Kwargs) -> NoReturn:
    # spec: starlark.fail
    fail("eval.fail", "fail: " + separator("fail", kwargs).join(map(to_str, args)))


def separator(name: str, kwargs: Kwargs) -> str:
    return want_string(name, "sep", named_arguments(name, ("sep",), (), kwargs).get("sep", " "))


def keys_by(thread: Any, name: str, x: Value, key: Value) -> tuple[list[Value], list[Value]]:
    """Return the items of an iterable and what is compared of each; x is held while `key` is called."""
    # spec: starlark.iteration.locked, starlark.error.traceback
    items = items_of(x) or []
    if key is None:
        return items, items
    with held(x):
        try:
            return items, [thread.call(key, [item]) for item in items]
        except EvalError as error:
            if error.stack:
                error.stack = (Frame(name, None), *error.stack)
            raise


def want_key(name: str, given: Mapping[str, Value]) -> Value:
    """Return the key function among keywords, or None; what cannot be called is refused."""
    if "key" in given and not isinstance(given["key"], (Function, Builtin)):
        wrong_type(name, "key", given["key"], "callable")
    return given.get("key")


def sorted_list(thread: Any, args: Args, kwargs: Kwargs) -> List:
    # spec: starlark.sorted
    given = named_arguments("sorted", ("iterable", "key", "reverse"), args, kwargs, ("iterable",))
    reverse = want_bool("sorted", "reverse", given.get("reverse", False))
    key = want_key("sorted", given)
    want_items("sorted", "iterable", given["iterable"])
    items, keys = keys_by(thread, "sorted", given["iterable"], key)

    def compare(one: tuple[Value, Value], other: tuple[Value, Value]) -> int:
        return order(one[0], other[0], "<")

    pairs = sorted(zip(keys, items), key=cmp_to_key(compare), reverse=reverse)
    return List([item for _key, item in pairs])


def extreme(name: str, op: str) -> Callable[[Any, Args, Kwargs], Value]:
    """Return what `max` or `min` does: of equals the first."""

    def run(thread: Any, args: Args, kwargs: Kwargs) -> Value:
        # spec: starlark.max, starlark.min
        if not args:
            fail("eval.argument", f"{name} requires at least one positional argument")
        given = named_arguments(name, ("key",), (), kwargs)
        source = args[0] if len(args) == 1 else args
        want_items(name, 1, source)
        items, keys = keys_by(thread, name, source, want_key(name, given))
        if not items:
            fail("eval.value", f"{name}: argument is an empty sequence")
        best = 0
        for number in range(1, len(items)):
            try:
                found = order(keys[number], keys[best], op)
            except EvalError as error:
                named(name, error)
            best = number if (found > 0 if op == ">" else found < 0) else best
        return items[best]

    return run


def struct_of(_thread: Any, args: Args, kwargs: Kwargs) -> Struct:
    # spec: starlark.struct
    if args:
        fail("eval.argument", "struct: unexpected positional arguments")
    return Struct(kwargs)


def bytes_of(x: Value) -> bytes:
    # spec: starlark.bytes.function
    made = POSITIONAL["bytes"][0](tuple(items_of(x) or ()) if isinstance(x, (List, Dict, Set)) else x)
    return bytes(made)


# spec: starlark.universe
_POSITIONAL: dict[str, Row] = {
    **{name: POSITIONAL[name] for name in ("abs", "chr", "float", "hash", "ord", "range")},
    "all": (all_of, 1, 1),
    "any": (any_of, 1, 1),
    "bool": (lambda x=False: truth(x), 0, 1),
    "bytes": (bytes_of, 1, 1),
    "dir": (lambda x: List(attribute_names(x)), 1, 1),
    "enumerate": (enumerated, 1, 2),
    "getattr": (get_attribute, 2, 3),
    "hasattr": (has_attribute, 2, 2),
    "len": (length, 1, 1),
    "list": (lambda x=(): List(want_items("list", 1, x)), 0, 1),
    "repr": (to_repr, 1, 1),
    "reversed": (lambda x: List(reversed(want_items("reversed", 1, x))), 1, 1),
    "set": (lambda x=(): Set(elements("set", 1, x).elements), 0, 1),
    "str": (to_str, 1, 1),
    "tuple": (lambda x=(): tuple(want_items("tuple", 1, x)), 0, 1),
    "type": (type_name, 1, 1),
    "zip": (zipped, 0, None),
}
UNIVERSE: dict[str, Value] = {
    "None": None,
    "True": True,
    "False": False,
    **{name: positional(name, row) for name, row in _POSITIONAL.items()},
    "dict": Builtin("dict", dict_of),
    "fail": Builtin("fail", fail_line),
    "int": Builtin("int", RUNTIME["int"].function),
    "max": Builtin("max", extreme("max", ">")),
    "min": Builtin("min", extreme("min", "<")),
    "print": Builtin("print", print_line),
    "sorted": Builtin("sorted", sorted_list),
}
STRUCT = Builtin("struct", struct_of)
