"""The functions that compiled code calls, by the names it knows them under.

They are Python's built-ins to the compiled code: it sees nothing else of the host.
No Starlark program can write these names, for they contain a dot.
"""

from __future__ import annotations

from ..errors import EvalError
from .arguments import want_bool, want_int, wrong_type
from .attributes import attribute, bound_method, call_method, having, lacking, set_attribute
from .collection_methods import (
    DICT_METHODS,
    LIST_METHODS,
    add_in_place,
    key_for_later,
    or_in_place,
    update_from,
)
from .functions import (
    Builtin,
    Function,
    RenamingEntry,
    Struct,
    apply,
    binding_error,
    binding_fault,
    callable_of,
    entry_of,
)
from .integers import int_text
from .interruptible import PART, fill
from .iteration import MOST_ROUNDS, enter, items_of, iterable_of, leave, marked, rounds, unpack
from .operators import (
    add,
    bit_and,
    bit_or,
    bit_xor,
    divide,
    floor_divide,
    greater,
    greater_equal,
    index,
    invert,
    is_in,
    less,
    less_equal,
    modulo,
    multiply,
    negate,
    not_equal,
    not_in,
    plus,
    set_index,
    shift_left,
    shift_right,
    slice_of,
    subtract,
    within,
)
from .order import FEW, first_items_differ, sort_items
from .string_methods import STRING_METHODS, split_at, split_words
from .text import convert, display, to_repr, to_str
from .unboxed import (
    dict_method,
    element,
    get,
    has_key,
    item,
    items,
    keys,
    list_method,
    put_item,
    repeat_raw,
    set_element,
    setdefault,
)
from .universe import NUMERALS, POSITIONAL, UNIVERSE, compared, dict_of, length, make_range, sorted_by, to_int
from .values import (
    DICT_CLASSES,
    LIST_CLASSES,
    SET_CLASSES,
    TYPE_NAMES,
    BusySet,
    Dict,
    FrozenDict,
    FrozenList,
    FrozenSet,
    Key,
    List,
    NoneType,
    Set,
    contains,
    entries,
    equal,
    fail_with,
    has_odd_keys,
    key_of,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from types import FunctionType
    from typing import NoReturn, Optional

    from ..thread import Thread
    from .functions import FunctionInfo
    from .values import Value


class DisplayError(EvalError):
    """A key of a dict display that cannot be one; `entry` is its number, from 0."""

    def __init__(self, code: str, message: str, entry: int) -> None:
        super().__init__(code, message)
        self.entry = entry


def dict_display(*parts: Value) -> dict[Value, Value]:
    """Return the dict of a display whose keys and values are given in turns."""
    # spec: starlark.display
    made: dict[Value, Value] = {}
    for at in range(0, len(parts), 2):
        key = parts[at]
        try:
            k = key_of(key)
        except EvalError as error:
            raise DisplayError(error.code, error.message, at // 2) from None
        if k in made:
            raise DisplayError("eval.duplicate-key", f"duplicate key: {to_repr(key)}", at // 2)
        made[k] = parts[at + 1]
    return Dict(made) if has_odd_keys(made) else made


def new_key(thread: Thread, operation: int, key: Value) -> Value:
    """Return the key of a dict of Python's own that stands for one of the program, as `key_for_later`."""
    if key.__class__ is tuple and len(key) <= FEW:
        for item in key:
            if item.__class__ is not str and item.__class__ is not int:
                break
        else:
            return key
    k = key_for_later(operation, key)
    if k.__class__ is Key:
        thread.odd = True
    return k


def hold(thread: Thread, x: Value) -> Value:
    """Return what the first clause of a comprehension iterates, locked until `release`."""
    if x.__class__ is Set:
        # Noted first: an interruption may come between any two steps. What is locked by its identity is
        # cleared where that is caught (thread.py).
        thread.held.append(x)
        return enter(thread, x)
    held = enter(thread, x)
    thread.held.append(held)
    return held


def release(thread: Thread, made: Value) -> Value:
    """Unlock what `hold` locked last, and return what the comprehension has made."""
    leave(thread, thread.held[-1])
    thread.held.pop()
    return made


def iterate(x: Value) -> Value:
    """Return what a loop over `x` iterates when nothing can change `x` meanwhile."""
    found = iterable_of(x)
    if found is None:
        fail_with("eval.iterate", f"{type_name(x)} value is not iterable")
    return found


def settled(name: str, number: int, x: Value) -> Value:
    """Return the items of an argument, in something that nothing can change."""
    if x.__class__ in _SETTLED:
        return x
    items = items_of(x)
    if items is None:
        if name == "zip":
            fail_with("eval.argument", f"zip: argument #{number} is not iterable: {type_name(x)}")
        wrong_type(name, number, x, "iterable")
    return fill([], items, len(items)) if items is x else items


_SETTLED = frozenset({tuple, range, FrozenList})
# What is equal to no list and no dict.
SCALARS = frozenset({str, int, bool, float, NoneType, bytes, tuple, range})
# What gives `%` more than one operand.
OPERANDS = DICT_CLASSES | {tuple}
# What Python iterates as Starlark does, where nothing can change it meanwhile.
ITERABLE = frozenset({list, FrozenList, tuple, FrozenDict, Set, BusySet, FrozenSet})


def each_enumerate(x: Value, start: Value = 0) -> Value:
    """Return an iterator of what `enumerate(x, start)` has, for a loop over it."""
    first = want_int("enumerate", 2, start)
    return enumerate(settled("enumerate", 1, x), first)


def each_zip(*iterables: Value) -> Value:
    """Return an iterator of what `zip(*iterables)` has, for a loop over it."""
    return zip(*[settled("zip", number, x) for number, x in enumerate(iterables, 1)])


def pairs(found: Iterable[Value]) -> Iterator[Value]:
    """Yield items, each of which must be a pair, as a loop over two variables takes them apart."""
    for one in found:
        yield unpack(one, 2)


def percent_d(x: Value) -> str:
    """Return `"%d" % x`."""
    return int_text(x) if x.__class__ is int else convert("d", x)


def range1(stop: Value) -> range:
    """Return `range(stop)`."""
    return range(stop) if stop.__class__ is int and -_BIG < stop < _BIG else make_range(stop)


def range2(start: Value, stop: Value) -> range:
    """Return `range(start, stop)`."""
    if start.__class__ is int and stop.__class__ is int and -_BIG < start < _BIG and -_BIG < stop < _BIG:
        return range(start, stop)
    return make_range(start, stop)


_BIG = 1 << 62


def loop_range1(stop: Value) -> Value:
    """Return what a loop over `range(stop)` iterates."""
    if stop.__class__ is int and stop <= MOST_ROUNDS:
        return range(stop)
    return rounds(make_range(stop))


def loop_range2(start: Value, stop: Value) -> Value:
    """Return what a loop over `range(start, stop)` iterates."""
    if start.__class__ is int and stop.__class__ is int and start >= 0 and stop <= MOST_ROUNDS:
        return range(start, stop)
    return rounds(make_range(start, stop))


def loop_range3(start: Value, stop: Value, step: Value) -> Value:
    """Return what a loop over `range(start, stop, step)` iterates."""
    return rounds(make_range(start, stop, step))


def max2(a: Value, b: Value) -> Value:
    """Return `max(a, b)`."""
    if a.__class__ is int and b.__class__ is int:
        return b if b > a else a
    return b if compared("max", b, a, ">") > 0 else a


def min2(a: Value, b: Value) -> Value:
    """Return `min(a, b)`."""
    if a.__class__ is int and b.__class__ is int:
        return b if b < a else a
    return b if compared("min", b, a, "<") < 0 else a


def share_defaults(special: FunctionType, function: FunctionType) -> None:
    """Give the second version of a function the defaults of the first one."""
    special.__defaults__ = function.__defaults__
    special.__kwdefaults__ = function.__kwdefaults__


def sorted1(x: Value, reverse: Value = False) -> List:
    """Return `sorted(x, reverse = reverse)`."""
    kind = x.__class__
    if reverse is not False:
        want_bool("sorted", "reverse", reverse)
    if (kind is list or kind is dict or kind is tuple) and len(x) <= FEW:
        for item in x:
            if item.__class__ is not str:
                break
        else:
            return sorted(x, reverse=reverse)
        if item.__class__ is tuple and first_items_differ(x):
            return sorted(x, reverse=reverse)
    items = x if kind is list else items_of(x)
    if items is None:
        wrong_type("sorted", "iterable", x, "iterable")
    return sort_items(items, items, reverse)


def listed(view: Collection[Value]) -> List:
    """Return the list of a view of a dict."""
    return List(view) if len(view) <= PART else fill(List(), view, len(view))


def dict_with(x: Value, words: dict[str, Value]) -> dict[Value, Value]:
    """Return `dict(x, **words)`."""
    made = dict_of(x)
    made.update(words)
    return made


def recursive(info: FunctionInfo) -> NoReturn:
    """Raise the error of a function that is called while it runs."""
    # spec: starlark.recursion
    raise EvalError("eval.recursion", f"function {info.name} called recursively")


def call_with_parts(
    thread: Thread,
    function: Value,
    args: tuple[Value, ...],
    kwargs: dict[str, Value],
    star: Value,
    star_star: Value,
    given: int,
) -> Value:
    """Call `function(*args, **kwargs, *star, **star_star)`; `given` tells which of the last two there are."""
    # spec: starlark.arguments
    if given & 1:
        args = (*args, *star_items(star))
    if given & 2:
        for key, value in entries(star_star_words(star_star)):
            if key.__class__ is not str:
                fail_with("eval.argument", f"keywords must be strings, not {type_name(key)}")
            if key in kwargs:
                repeated(function, key)
            kwargs[key] = value
    return apply(thread, function, args, kwargs)


def star_items(x: Value) -> Value:
    """Return the items of the argument after `*`."""
    items = items_of(x)
    if items is None:
        fail_with("eval.argument", f"argument after * must be iterable, not {type_name(x)}")
    return items


def star_star_words(x: Value) -> Value:
    """Return the argument after `**`, which must be a dict; its keys are looked at by who binds them."""
    if x.__class__ not in DICT_CLASSES:
        fail_with("eval.argument", f"argument after ** must be a mapping, not {type_name(x)}")
    return x


def explain_call(
    function: Value, positional: int, words: Sequence[str], star: Value, star_star: Value
) -> Optional[EvalError]:
    """Return why Python could not make a call, or None; `star` and `star_star` are None where there are none.

    Asked after Python has raised, and before anything that the callee could have done.
    """
    # spec: starlark.arguments, starlark.binding
    given = list(words)
    for key, _value in () if star_star is None else entries(star_star):
        if key.__class__ is not str:
            return EvalError("eval.argument", f"keywords must be strings, not {type_name(key)}")
        if key in words:
            repeated(function, key)
        given.append(key)
    if function.__class__ is not Function:
        return None
    count = positional + (0 if star is None else len(star_items(star)))
    fault = binding_fault(function.info, count, given)
    return None if fault is None else binding_error(function.info, fault)


def repeated(function: Value, word: str) -> NoReturn:
    """Raise the error of a keyword that is given by name and by `**`."""
    if isinstance(function, Function):
        info = function.info
        raise binding_error(info, f'function {info.name} got multiple values for parameter "{word}"')
    name = function.name if isinstance(function, Builtin) else type_name(function)
    fail_with("eval.argument", f'{name}: got multiple values for keyword argument "{word}"')


def load_names(thread: Thread, module: str, names: tuple[str, ...]) -> tuple[Value, ...]:
    """Return the globals of a module that a `load` statement asks for."""
    return thread.load_names(module, names)


def load_module(thread: Thread, module: str) -> Value:
    """Return a module as a value, for dialects whose `load` binds modules."""
    return thread.load_value(module)


BUILTINS: dict[str, Value] = {
    "c.bool": bool,
    "c.int": int,
    "c.str": str,
    "c.range": range,
    "c.tuple": tuple,
    "c.float": float,
    "c.dict": dict,
    ".List": List,
    ".FrozenList": FrozenList,
    ".Dict": dict,
    ".FrozenDict": FrozenDict,
    ".Set": Set,
    ".Function": Function,
    ".Builtin": Builtin,
    ".Struct": Struct,
    ".add": add,
    ".subtract": subtract,
    ".multiply": multiply,
    ".within": within,
    ".divide": divide,
    ".floor_divide": floor_divide,
    ".modulo": modulo,
    ".bit_or": bit_or,
    ".bit_and": bit_and,
    ".bit_xor": bit_xor,
    ".shift_left": shift_left,
    ".shift_right": shift_right,
    ".equal": equal,
    ".not_equal": not_equal,
    ".less": less,
    ".less_equal": less_equal,
    ".greater": greater,
    ".greater_equal": greater_equal,
    ".is_in": is_in,
    ".not_in": not_in,
    ".negate": negate,
    ".plus": plus,
    ".invert": invert,
    ".index": index,
    ".set_index": set_index,
    ".slice_of": slice_of,
    ".attribute": attribute,
    ".set_attribute": set_attribute,
    ".add_in_place": add_in_place,
    ".or_in_place": or_in_place,
    ".dict_display": dict_display,
    ".key_of": key_for_later,
    ".new_key": new_key,
    ".enter": enter,
    ".leave": leave,
    ".marked": marked,
    ".unpack": unpack,
    ".method": call_method,
    ".having": having,
    ".lacking": lacking,
    ".callable_of": callable_of,
    ".entry_of": entry_of,
    ".call": call_with_parts,
    ".star": star_items,
    ".star_star": star_star_words,
    ".renaming": RenamingEntry,
    ".recursive": recursive,
    ".load": load_names,
    ".load_module": load_module,
    ".native_len": len,
    ".id": id,
    ".native_list": list,
    ".len": length,
    ".str": to_str,
    ".int": to_int,
    ".range1": range1,
    ".range2": range2,
    ".range3": make_range,
    ".loop_range1": loop_range1,
    ".loop_range2": loop_range2,
    ".loop_range3": loop_range3,
    ".rounds": rounds,
    ".max2": max2,
    ".min2": min2,
    ".repeat_raw": repeat_raw,
    ".raw_method": list_method,
    ".raw_dict_method": dict_method,
    ".raw_element": element,
    ".raw_set": set_element,
    ".raw_item": item,
    ".raw_put": put_item,
    ".raw_in": has_key,
    ".raw_get": get,
    ".raw_setdefault": setdefault,
    ".raw_keys": keys,
    ".raw_items": items,
    ".contains": contains,
    ".listed": listed,
    ".split_at": split_at,
    ".split_words": split_words,
    ".share_defaults": share_defaults,
    ".sorted1": sorted1,
    ".sorted_by": sorted_by,
    ".dict1": dict_of,
    ".dict_with": dict_with,
    ".int_text": int_text,
    ".numeral": NUMERALS.get,
    ".hold": hold,
    ".release": release,
    ".iterate": iterate,
    ".each_enumerate": each_enumerate,
    ".each_zip": each_zip,
    ".settled": settled,
    ".pairs": pairs,
    ".in_iterable": ITERABLE,
    ".in_scalar": SCALARS,
    ".type_names": TYPE_NAMES,
    "c.enumerate": enumerate,
    "c.zip": zip,
    "c.all": all,
    "c.any": any,
    ".display": display,
    ".percent_d": percent_d,
    ".convert": convert,
    ".bound": bound_method,
    ".NoneType": NoneType,
    ".in_list": LIST_CLASSES,
    ".in_dict": DICT_CLASSES,
    ".in_set": SET_CLASSES,
    ".in_operands": OPERANDS,
    **{f"str.{name}": method[0] for name, method in STRING_METHODS.items()},
    **{f".List.{name}": method[0] for name, method in LIST_METHODS.items()},
    **{f".Dict.{name}": method[0] for name, method in DICT_METHODS.items()},
    ".Dict.update": update_from,
    **{f"b.{name}": builtin.function for name, builtin in UNIVERSE.items() if isinstance(builtin, Builtin)},
    **{
        f".{name}": function
        for name, (function, _least, _most) in POSITIONAL.items()
        if name not in ("len", "str", "int", "range")
    },
    **{f"u.{name}": value for name, value in UNIVERSE.items()},
}
