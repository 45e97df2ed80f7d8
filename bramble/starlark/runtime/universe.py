"""The names that exist in every program: `len`, `range`, `sorted` and the others."""

from __future__ import annotations

from _functools import partial  # type: ignore[import-not-found]

from ..errors import EvalError
from .arguments import (
    count_between,
    named_arguments,
    no_keywords,
    want_bool,
    want_int,
    want_items,
    want_sized,
    want_small_int,
    want_string,
    wrong_type,
)
from .attributes import attribute_names, find_attribute, no_attribute
from .collection_methods import elements_of, pairs_of, put_pairs
from .functions import Builtin, Function, HostValue, Struct, apply, entry_of
from .integers import int_from_digits, int_text
from .interruptible import PART, fill, is_long, parts, put_all
from .iteration import BY_IDENTITY, enter, items_of, iterable_of, leave, range_length
from .operators import MAX_ITEMS, to_float
from .order import FEW, compare, python_orders, run_length, sort_items
from .text import to_repr, to_str
from .values import (
    DICT_CLASSES,
    LIST_CLASSES,
    MUTABLE,
    SET_CLASSES,
    Dict,
    FrozenDict,
    List,
    Set,
    fail_with,
    has_odd_keys,
    type_name,
)
from .views import StringElems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn, Optional

    from ..thread import Thread
    from .values import Value

    Implementation = Callable[[Thread, tuple[Value, ...], dict[str, Value]], Value]


def _abs(x: Value) -> Value:
    if x.__class__ is not int and x.__class__ is not float:
        fail_with("eval.argument", f"abs: got {type_name(x)}, want int or float")
    return abs(x)


def _any(x: Value) -> bool:
    if x.__class__ is range:
        # Python would look at all the items; only 0 is false.
        return range_length(x) > 1 or (range_length(x) == 1 and x[0] != 0)
    found = _iterable("any", x)
    return any(map(any, parts(found))) if is_long(found) else any(found)


def _all(x: Value) -> bool:
    if x.__class__ is range:
        return 0 not in x
    found = _iterable("all", x)
    return all(map(all, parts(found))) if is_long(found) else all(found)


def _iterable(name: str, x: Value) -> Value:
    found = iterable_of(x)
    if found is None:
        wrong_type(name, 1, x, "iterable")
    return found


def _bool(x: Value = False) -> bool:
    return bool(x)


def _bytes(x: Value) -> bytes:
    kind = x.__class__
    if kind is bytes:
        return x  # type: ignore[no-any-return]
    if kind is str:
        return x.encode("utf-8", "replace")  # type: ignore[no-any-return]
    items = items_of(x)
    if items is None:
        fail_with("eval.argument", f"bytes: got {type_name(x)}, want string, bytes, or iterable of ints")
    for number, item in enumerate(items):
        if item.__class__ is not int:
            fail_with("eval.value", f"bytes: at index {number}, got {type_name(item)}, want int")
        if not 0 <= item <= 255:
            fail_with(
                "eval.value",
                f"bytes: at index {number}, {int_text(item)} out of range "
                "(want value in unsigned 8-bit range)",
            )
    return b"".join(map(bytes, parts(items)))


def _chr(x: Value) -> str:
    code = x
    if code.__class__ is not int:
        fail_with("eval.argument", f"chr: got {type_name(x)}, want int")
    if code < 0:
        fail_with("eval.value", f"chr: Unicode code point {int_text(code)} out of range (<0)")
    if code > 0x10FFFF:
        fail_with("eval.value", f"chr: Unicode code point U+{code:X} out of range (>0x10FFFF)")
    if 0xD800 <= code <= 0xDFFF:
        # spec: starlark.string.model
        fail_with("eval.value", f"chr: Unicode code point U+{code:X} is a surrogate")
    return chr(code)


def _dict(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> dict[Value, Value]:
    count_between("dict", len(args), 0, 1)
    made = dict_of(args[0]) if args else {}
    dict.update(made, kwargs)
    return made


def dict_of(x: Value) -> dict[Value, Value]:
    """Return `dict(x)`."""
    made: dict[Value, Value] = {}
    if x.__class__ is dict or x.__class__ is FrozenDict:
        # What is odd of Python's own is known to be so already.
        put_all(made, x)
        return made
    if x.__class__ is list:
        for pair in x:
            if pair.__class__ is not tuple or len(pair) != 2:
                break
            key, value = pair
            if key.__class__ is not str and key.__class__ is not int:
                break
            made[key] = value
        else:
            return made
        made = {}
    boxed = Dict()
    put_pairs("dict", boxed, pairs_of("dict", x))
    if has_odd_keys(boxed):
        return boxed
    put_all(made, boxed)
    return made


def _dir(x: Value) -> List:
    return attribute_names(x)


def _enumerate(x: Value, start: Value = 0) -> List:
    first = want_int("enumerate", 2, start)
    items = want_sized("enumerate", 1, x)
    return fill(List(), enumerate(items, first), len(items))


def _fail(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> NoReturn:
    separator = _separator("fail", kwargs)
    raise EvalError("eval.fail", "fail: " + separator.join(map(to_str, args)))


def _separator(name: str, kwargs: Mapping[str, Value]) -> str:
    bound = named_arguments(name, ("sep",), (), kwargs)
    return want_string(name, "sep", bound.get("sep", " "))


def _float(x: Value = 0.0) -> float:
    kind = x.__class__
    if kind is float:
        return x  # type: ignore[no-any-return]
    if kind is int:
        return to_float(x)
    if kind is bool:
        return 1.0 if x else 0.0
    if kind is str:
        return _float_of_text(x)
    return fail_with("eval.argument", f"float got {type_name(x)}, want number or string")


_FLOAT_CHARS = frozenset("0123456789+-.eE")
_FLOAT_WORDS = ("inf", "infinity", "nan")


def _float_of_text(text: str) -> float:
    # spec: starlark.float.function
    if not text:
        fail_with("eval.value", "float: empty string")
    word = text[1:] if text[0] in "+-" else text
    if word.lower() in _FLOAT_WORDS and word.isascii():
        return float(text)
    if _FLOAT_CHARS.issuperset(text):
        try:
            value = float(text)
        except ValueError:
            value = None
        if value is not None:
            if value in (float("inf"), float("-inf")):
                fail_with("eval.value", "floating-point number too large")
            return value
    return fail_with("eval.value", f"invalid float literal: {text}")


def _getattr(x: Value, name: Value, *default: Value) -> Value:
    if x.__class__ is Struct and name.__class__ is str:
        if name in x.fields:
            return x.fields[name]
        if default:
            return default[0]
    found = find_attribute(x, want_string("getattr", 2, name))
    if found is not NotImplemented:
        return found
    return default[0] if default else no_attribute(x, name, "getattr: ")


def _hasattr(x: Value, name: Value) -> bool:
    if x.__class__ is Struct and name.__class__ is str:
        return name in x.fields
    return find_attribute(x, want_string("hasattr", 2, name)) is not NotImplemented


def _hash(x: Value) -> int:
    # spec: starlark.hash
    value = 0
    if x.__class__ is str:
        for char in x:
            value = (value * 31 + ord(char)) & 0xFFFFFFFF
        return value - (1 << 32) if value >= 1 << 31 else value
    if x.__class__ is bytes:
        value = 2166136261
        for byte in x:
            value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
        return value
    return fail_with("eval.argument", f"hash: got {type_name(x)}, want string or bytes")


def _int(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> int:
    bound = named_arguments("int", ("x", "base"), args, kwargs, ("x",))
    x = bound["x"]
    if x.__class__ is str:
        return _int_of_text(x, want_int("int", "base", bound.get("base", 10)))
    if "base" in bound:
        fail_with("eval.argument", "int: can't convert non-string with explicit base")
    return to_int(x)


def to_int(x: Value) -> int:
    """Return `int(x)`."""
    # spec: starlark.int.function
    kind = x.__class__
    if kind is str and len(x) <= SHORT_NUMBER and x.isascii() and x.isdigit():
        return int(x)
    if kind is int:
        return x  # type: ignore[no-any-return]
    if kind is bool:
        return 1 if x else 0
    if kind is str:
        return _int_of_text(x, 10)
    if kind is float:
        if x != x:
            fail_with("eval.value", "int: cannot convert float NaN to integer")
        if x in (float("inf"), float("-inf")):
            fail_with("eval.value", "int: cannot convert float infinity to integer")
        return int(x)
    return fail_with("eval.argument", f"int: cannot convert {type_name(x)} to int")


# So many digits make an int of 64 bits.
SHORT_NUMBER = 18
# The texts of those ints that Python has once and keeps: most numbers in texts are among them.
NUMERALS = {str(number): number for number in range(257)}
_PREFIXES = {"0x": 16, "0o": 8, "0b": 2}


def _int_of_text(text: str, base: int) -> int:
    if base != 0 and not 2 <= base <= 36:
        fail_with("eval.value", "int: base must be an integer >= 2 && <= 36")
    digits = text[1:] if text[:1] in ("+", "-") and text else text
    prefix = _PREFIXES.get(digits[:2].lower())
    actual = base
    if prefix is not None and base in (0, prefix):
        actual = prefix
        digits = digits[2:]
    elif base == 0:
        actual = 10
        if digits[:1] == "0" and digits.strip("0"):
            digits = ""
    if not digits.isascii() or not digits.isalnum():
        return _bad_int(text, base)
    try:
        value = int_from_digits(digits, actual)
    except ValueError:
        return _bad_int(text, base)
    return -value if text[0] == "-" else value


def _bad_int(text: str, base: int) -> NoReturn:
    fail_with("eval.value", f"int: invalid literal with base {base}: {text}")


def length(x: Value) -> int:
    """Return `len(x)`."""
    kind = x.__class__
    if kind is range:
        count = range_length(x)
        return count if count < 1 << 63 else fail_with("eval.limit", f"len: {count} items are too many")
    if (
        kind in (str, bytes, tuple)
        or kind in LIST_CLASSES
        or kind in DICT_CLASSES
        or kind in SET_CLASSES
        or isinstance(x, StringElems)
        or (isinstance(x, HostValue) and hasattr(kind, "__len__"))
    ):
        return len(x)
    return fail_with("eval.argument", f"len: value of type {type_name(x)} has no len")


def _list(x: Value = ()) -> List:
    kind = x.__class__
    if (kind is tuple or kind is list or (kind is dict and not has_odd_keys(x))) and len(x) <= PART:
        return List(x)
    items = want_sized("list", 1, x)
    return fill(List(), items, len(items))


def _extreme(name: str, thread: Thread, args: tuple[Value, ...], kwargs: Mapping[str, Value]) -> Value:
    # spec: starlark.max, starlark.min
    if not kwargs and len(args) == 1 and args[0].__class__ is list and 0 < len(args[0]) <= FEW:
        for item in args[0]:
            if item.__class__ is not int:
                break
        else:
            return max(args[0]) if name == "max" else min(args[0])
    if not args:
        fail_with("eval.argument", f"{name} requires at least one positional argument")
    bound = named_arguments(name, ("key",), (), kwargs)
    source = args[0] if len(args) == 1 else args
    if iterable_of(source) is None:
        wrong_type(name, 1, source, "iterable")
    key = bound.get("key")
    if "key" in bound and not is_callable(key):
        wrong_type(name, "key", key, "callable")
    if key is None:
        items = items_of(source)
        keyed = items
    else:
        items, keyed = _keyed(thread, key, source)
    if not items:
        fail_with("eval.value", f"{name}: argument is an empty sequence")
    if python_orders(keyed):
        # Of equals Python takes the first as well.
        choose = max if name == "max" else min
        if key is None:
            if len(items) <= FEW or len(items) <= (part := run_length(items, True)):
                return choose(items)
            return choose(map(choose, parts(items, part)))
        numbers = map(
            partial(choose, key=keyed.__getitem__), parts(range(len(items)), run_length(keyed, True))
        )
        return items[choose(numbers, key=keyed.__getitem__)]
    best = 0
    op = ">" if name == "max" else "<"
    for number in range(1, len(items)):
        order = compared(name, keyed[number], keyed[best], op)
        if (order > 0) if name == "max" else (order < 0):
            best = number
    return items[best]


def compared(name: str, a: Value, b: Value, op: str) -> int:
    """Return how two arguments of `max` or `min` compare; an error begins with the function's name."""
    try:
        return compare(a, b, op)
    except EvalError as error:
        raise EvalError(error.code, f"{name}: {error.message}") from None


def _keyed(thread: Thread, key: Value, source: Value) -> tuple[list[Value], list[Value]]:
    """Return the items of an iterable and the key of each; the iterable is held while keys are computed."""
    # spec: starlark.iteration.locked
    locked = source.__class__ in BY_IDENTITY and id(source) in thread.locked
    lockable = source if source.__class__ in MUTABLE and not locked else None
    try:
        # Locked inside: an interruption may come between any two steps.
        enter(thread, source)
        found = items_of(source)
        items = found if found.__class__ is list and found is not source else fill([], found, len(found))
        if key.__class__ is Function and takes_one(key):
            counted = entry_of(thread, key)
            return items, [counted(thread, item) for item in items]
        if key.__class__ is Builtin:
            called = key.function
            return items, [called(thread, (item,), {}) for item in items]
        return items, [apply(thread, key, (item,), {}) for item in items]
    finally:
        leave(thread, lockable)


def takes_one(function: Function) -> bool:
    """Return whether a call with one positional argument surely binds."""
    code = function.entry.__code__
    return code.co_argcount == 2 and not code.co_kwonlyargcount


def is_callable(x: Value) -> bool:
    """Return whether a value looks like a function to built-ins that take one."""
    kind = x.__class__
    return kind is Function or kind is Builtin or isinstance(x, HostValue)


def builtin_max(thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
    return _extreme("max", thread, args, kwargs)


def builtin_min(thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
    return _extreme("min", thread, args, kwargs)


def _ord(x: Value) -> int:
    if x.__class__ is str:
        if len(x) != 1:
            fail_with("eval.value", f"ord: string encodes {len(x)} Unicode code points, want 1")
        return ord(x)
    if x.__class__ is bytes:
        if len(x) != 1:
            fail_with("eval.value", f"ord: bytes has length {len(x)}, want 1")
        return x[0]
    return fail_with("eval.argument", f"ord: got {type_name(x)}, want string or bytes")


def _print(thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> None:
    text = _separator("print", kwargs).join(map(to_str, args))
    thread.emit(text)


def make_range(*args: Value) -> range:
    """Return `range(*args)` for one to three arguments."""
    numbers = [want_small_int("range", number, arg) for number, arg in enumerate(args, 1)]
    if len(numbers) == 3 and numbers[2] == 0:
        fail_with("eval.value", "range: step argument must not be zero")
    return range(*numbers)


def _repr(x: Value) -> str:
    return to_repr(x)


def _reversed(x: Value) -> List:
    if x.__class__ is list and len(x) <= PART:
        return x[::-1]
    items = want_sized("reversed", 1, x)
    return fill([], reversed(items), len(items))


def _set(x: Value = ()) -> Set:
    return elements_of("set", x)


_SORTED_WORDS = frozenset({"key", "reverse"})


def builtin_sorted(thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> List:
    # spec: starlark.sorted
    bound: Mapping[str, Value] = kwargs
    if len(args) == 1 and kwargs.keys() <= _SORTED_WORDS:
        source = args[0]
    else:
        bound = named_arguments("sorted", ("iterable", "key", "reverse"), args, kwargs, ("iterable",))
        source = bound["iterable"]
    reverse = want_bool("sorted", "reverse", bound.get("reverse", False))
    key = bound.get("key")
    if "key" in bound and not is_callable(key):
        wrong_type("sorted", "key", key, "callable")
    if "key" not in bound:
        items = keys = items_of(source)
        if items is None:
            wrong_type("sorted", "iterable", source, "iterable")
    elif iterable_of(source) is None:
        wrong_type("sorted", "iterable", source, "iterable")
    else:
        items, keys = _keyed(thread, key, source)
    return sort_items(items, keys, reverse)


def sorted_by(thread: Thread, x: Value, key: Value, reverse: Value = False) -> List:
    """Return `sorted(x, key = key, reverse = reverse)`."""
    kind = x.__class__
    plain = key.__class__ is Function and reverse.__class__ is bool and not thread.limited
    if not (plain and kind is list and len(x) <= PART and id(x) not in thread.locked and takes_one(key)):
        return builtin_sorted(thread, (x,), {"key": key, "reverse": reverse})
    entry = key.entry
    try:
        thread.locked[id(x)] = x
        keys = [entry(thread, item) for item in x]
    finally:
        thread.locked.pop(id(x), None)
    return sort_items(x, keys, reverse)


def _str(x: Value) -> str:
    return to_str(x)


def _tuple(x: Value = ()) -> tuple[Value, ...]:
    if x.__class__ is list and len(x) <= PART:
        return tuple(x)
    return tuple(want_items("tuple", 1, x))


def _zip(*iterables: Value) -> List:
    for x in iterables:
        if x.__class__ is not list or len(x) > PART:
            break
    else:
        return list(zip(*iterables))
    found = []
    for number, x in enumerate(iterables, 1):
        items = iterable_of(x)
        if items is None:
            fail_with("eval.argument", f"zip: argument #{number} is not iterable: {type_name(x)}")
        found.append(items)
    shortest = min((range_length(x) if x.__class__ is range else len(x) for x in found), default=0)
    if shortest > MAX_ITEMS:
        fail_with("eval.limit", f"excessive number of elements ({shortest})")
    return fill(List(), zip(*found), shortest)


def _positional(
    name: str, function: Callable[..., Value], least: int, most: Optional[int]
) -> tuple[str, Builtin]:
    def implementation(_thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
        if kwargs:
            no_keywords(name, kwargs)
        if len(args) < least or (most is not None and len(args) > most):
            if name in ("str", "type"):
                fail_with("eval.argument", f"{name}: got {len(args)} arguments, want exactly 1")
            count_between(name, len(args), least, most)
        return function(*args)

    return name, Builtin(name, implementation)


# Those that take positional arguments only, with the least and most of them.
# spec: starlark.universe
POSITIONAL: dict[str, tuple[Callable[..., Value], int, Optional[int]]] = {
    "abs": (_abs, 1, 1),
    "all": (_all, 1, 1),
    "any": (_any, 1, 1),
    "bool": (_bool, 0, 1),
    "bytes": (_bytes, 1, 1),
    "chr": (_chr, 1, 1),
    "dir": (_dir, 1, 1),
    "enumerate": (_enumerate, 1, 2),
    "float": (_float, 0, 1),
    "getattr": (_getattr, 2, 3),
    "hasattr": (_hasattr, 2, 2),
    "hash": (_hash, 1, 1),
    "len": (length, 1, 1),
    "list": (_list, 0, 1),
    "ord": (_ord, 1, 1),
    "range": (make_range, 1, 3),
    "repr": (_repr, 1, 1),
    "reversed": (_reversed, 1, 1),
    "set": (_set, 0, 1),
    "str": (_str, 1, 1),
    "tuple": (_tuple, 0, 1),
    "type": (type_name, 1, 1),
    "zip": (_zip, 0, None),
}
_WITH_KEYWORDS: dict[str, Implementation] = {
    "dict": _dict,
    "fail": _fail,
    "int": _int,
    "max": builtin_max,
    "min": builtin_min,
    "print": _print,
    "sorted": builtin_sorted,
}

UNIVERSE: dict[str, Value] = {
    "None": None,
    "True": True,
    "False": False,
    **dict(_positional(name, *spec) for name, spec in POSITIONAL.items()),
    **{name: Builtin(name, function) for name, function in _WITH_KEYWORDS.items()},
}
