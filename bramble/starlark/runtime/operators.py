"""What every operator does when its operands are not the common case.

Compiled code handles the common operand types itself, in Python's own operators,
and comes here for the rest: the other type combinations, and every error.
"""

from __future__ import annotations

import _operator
from _operator import inv, neg, pos

from ..errors import EvalError
from .functions import Builtin, Function, ModuleValue
from .integers import MAX_INT_BITS, checked, int_text, too_large
from .interruptible import PART, parts
from .limits import search
from .order import compare
from .text import apply_percent, to_repr
from .values import (
    DICT_CLASSES,
    LIST_CLASSES,
    NATIVE_TYPE_NAMES,
    SET_CLASSES,
    BusyDict,
    BusyList,
    Key,
    List,
    Set,
    contains,
    equal,
    fail_with,
    is_dict,
    is_plain_tuple,
    key_of,
    out_of_range,
    refuse_change,
    type_name,
    union,
)
from .views import BytesElems, StringCodepoints, StringElems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from ..thread import Thread
    from .values import Value

# The most elements, and the most characters, that one operation may make.
MAX_ITEMS = 1 << 24
MAX_TEXT = 1 << 26

MAX_SHIFT = 512
_INFINITY = float("inf")
# A text of one part that is repeated less often is not too long.
_FEW = MAX_TEXT // PART


def _unknown(op: str, a: Value, b: Value) -> NoReturn:
    raise EvalError("eval.operand", f"unknown binary op: {type_name(a)} {op} {type_name(b)}")


def is_number(value: Value) -> bool:
    """Return whether a value is an int or a float; a bool is neither."""
    kind = value.__class__
    return kind is int or kind is float


def _host(op: str, a: Value, b: Value) -> Value:
    """Apply Python's operator when one operand is of a type of the host's."""
    if not (own_type(a) and own_type(b)):
        try:
            return _PYTHON[op](a, b)
        except TypeError as error:
            # With frames below this one it is the host's own operator that failed.
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise
    return _unknown(op, a, b)


def own_type(value: Value) -> bool:
    """Return whether the value is of a type of the language without operators of its own."""
    return value.__class__ in _OWN


def to_float(value: Value) -> float:
    """Return a number as a float. Raises EvalError when it is too large."""
    try:
        return float(value)
    except OverflowError:
        return fail_with("eval.value", "int too large to convert to float")


def add(a: Value, b: Value) -> Value:
    """Return `a + b`."""
    # spec: starlark.arithmetic, starlark.concatenation
    ca, cb = a.__class__, b.__class__
    if is_number(a) and is_number(b):
        return a + b if ca is cb else to_float(a) + to_float(b)
    if ca is cb and (ca is str or ca is bytes or ca is tuple):
        return a + b
    if ca in LIST_CLASSES and cb in LIST_CLASSES:
        return a + b
    return _host("+", a, b)


def subtract(a: Value, b: Value) -> Value:
    """Return `a - b`."""
    if is_number(a) and is_number(b):
        return a - b if a.__class__ is b.__class__ else to_float(a) - to_float(b)
    if isinstance(a, Set) and isinstance(b, Set):
        return a - b
    return _host("-", a, b)


def multiply(a: Value, b: Value) -> Value:
    """Return `a * b`."""
    # spec: starlark.repetition, starlark.limit.int
    if b.__class__ is int and 0 <= b < _FEW:
        kind = a.__class__
        if kind is str and len(a) <= PART:
            return a * b
        if kind is list and len(a) * b <= PART:
            return a * b
    if a.__class__ is int and b.__class__ is int:
        if a.bit_length() + b.bit_length() > 2 * MAX_INT_BITS:
            too_large()
        return checked(a * b)
    if is_number(a) and is_number(b):
        return to_float(a) * to_float(b)
    if b.__class__ is int:
        made = repeat(a, b)
        if made is not NotImplemented:
            return made
    if a.__class__ is int:
        made = repeat(b, a)
        if made is not NotImplemented:
            return made
    if is_sequence(a) or is_sequence(b):
        _unknown("*", a, b)
    return _host("*", a, b)


def within(product: Value) -> Value:
    """Return the product of two numbers. Raises EvalError for an int that is too large."""
    return checked(product) if product.__class__ is int else product


def is_sequence(value: Value) -> bool:
    """Return whether a value can be repeated."""
    kind = value.__class__
    return kind is str or kind is bytes or kind is tuple or kind in LIST_CLASSES


def repeat(sequence: Value, count: int) -> Value:
    """Return the sequence repeated, or NotImplemented when it is not one."""
    kind = sequence.__class__
    if kind is str or kind is bytes:
        most = MAX_TEXT
    elif kind is tuple or kind in LIST_CLASSES:
        most = MAX_ITEMS
    else:
        return NotImplemented
    if count >= 1 << 31 and sequence:
        fail_with("eval.limit", f"repeat count {int_text(count)} too large")
    if count > 0 and len(sequence) * count >= most:
        fail_with("eval.limit", f"excessive repeat ({len(sequence)} * {count} elements)")
    if count < 0 or not sequence:
        count = 0
    if kind not in LIST_CLASSES:
        return sequence * count
    if len(sequence) * count <= PART:
        return List(list.__mul__(sequence, count))
    many = PART // len(sequence) or 1
    part = list.__mul__(sequence, many)
    made = List()
    for _ in range(count // many):
        list.extend(made, part)
    list.extend(made, list.__mul__(sequence, count % many))
    return made


def divide(a: Value, b: Value) -> Value:
    """Return `a / b`, always a float."""
    if is_number(a) and is_number(b):
        y = to_float(b)
        x = to_float(a)
        if y == 0.0:
            fail_with("eval.division", "floating-point division by zero")
        return x / y
    return _host("/", a, b)


def floor_divide(a: Value, b: Value) -> Value:
    """Return `a // b`, rounded towards minus infinity."""
    if a.__class__ is int and b.__class__ is int:
        if b == 0:
            fail_with("eval.division", "floored division by zero")
        return a // b
    if is_number(a) and is_number(b):
        x, y = to_float(a), to_float(b)
        if y == 0.0:
            fail_with("eval.division", "floored division by zero")
        quotient = x / y
        return quotient // 1.0 if 0.0 < abs(quotient) < 1e300 else quotient
    return _host("//", a, b)


def modulo(a: Value, b: Value) -> Value:
    """Return `a % b`: the remainder with the divisor's sign, or a formatted string."""
    if a.__class__ is int and b.__class__ is int:
        if b == 0:
            fail_with("eval.division", "integer modulo by zero")
        return a % b
    if is_number(a) and is_number(b):
        x, y = to_float(a), to_float(b)
        if y == 0.0:
            fail_with("eval.division", "floating-point modulo by zero")
        # Python's own, but that a zero has the sign of the dividend, as in C.
        remainder = x % y
        return remainder if remainder else x * 0.0
    if a.__class__ is str:
        return apply_percent(a, b)
    return _host("%", a, b)


def bit_or(a: Value, b: Value) -> Value:
    """Return `a | b`: of ints, or the union of dicts or sets."""
    # spec: starlark.bitwise, starlark.set.operators
    if a.__class__ is int and b.__class__ is int:
        return a | b
    if is_dict(a) and is_dict(b):
        return union(a, b)
    if isinstance(a, Set) and isinstance(b, Set):
        return a | b
    return _host("|", a, b)


def bit_and(a: Value, b: Value) -> Value:
    """Return `a & b`: of ints, or the intersection of sets."""
    if a.__class__ is int and b.__class__ is int:
        return a & b
    if isinstance(a, Set) and isinstance(b, Set):
        return a & b
    return _host("&", a, b)


def bit_xor(a: Value, b: Value) -> Value:
    """Return `a ^ b`: of ints, or the symmetric difference of sets."""
    if a.__class__ is int and b.__class__ is int:
        return a ^ b
    if isinstance(a, Set) and isinstance(b, Set):
        return a ^ b
    return _host("^", a, b)


def shift_left(a: Value, b: Value) -> Value:
    """Return `a << b`; the count is at least 0 and below 512."""
    if a.__class__ is int and b.__class__ is int:
        if b < 0:
            fail_with("eval.value", f"negative shift count: {int_text(b)}")
        if b >= MAX_SHIFT:
            fail_with("eval.limit", f"shift count too large: {int_text(b)}")
        return checked(a << b)
    return _host("<<", a, b)


def shift_right(a: Value, b: Value) -> Value:
    """Return `a >> b`; the count is at least 0."""
    if a.__class__ is int and b.__class__ is int:
        if b < 0:
            fail_with("eval.value", f"negative shift count: {int_text(b)}")
        return a >> min(b, a.bit_length() + 1)
    return _host(">>", a, b)


def negate(a: Value) -> Value:
    """Return `-a`."""
    return -a if is_number(a) else _unary("-", a, neg)


def plus(a: Value) -> Value:
    """Return `+a`."""
    return +a if is_number(a) else _unary("+", a, pos)


def invert(a: Value) -> Value:
    """Return `~a`."""
    return ~a if a.__class__ is int else _unary("~", a, inv)


def _unary(op: str, a: Value, operation: Callable[[Value], Value]) -> Value:
    if not own_type(a):
        try:
            return operation(a)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise
    return fail_with("eval.operand", f"unknown unary op: {op} {type_name(a)}")


# ---- comparisons


def not_equal(a: Value, b: Value) -> bool:
    """Return `a != b`."""
    return not equal(a, b)


def _ordered(a: Value, b: Value, op: str) -> int:
    return compare(a, b, op)


def less(a: Value, b: Value) -> bool:
    """Return `a < b`."""
    if a.__class__ is tuple and b.__class__ is tuple:
        for x, y in zip(a, b):
            if x.__class__ is not y.__class__ or (x.__class__ is not int and x.__class__ is not str):
                return compare(a, b, "<") < 0
            if x != y:
                return bool(x < y)
        return len(a) < len(b)
    if a.__class__ in SET_CLASSES and b.__class__ in SET_CLASSES:
        return len(a) < len(b) and all(dict.__contains__(b, key) for key in a)
    if not (own_type(a) and own_type(b)):
        return _host_order(a, b, "<")
    return _ordered(a, b, "<") < 0


def less_equal(a: Value, b: Value) -> bool:
    """Return `a <= b`."""
    if a.__class__ is tuple and b.__class__ is tuple:
        return compare(a, b, "<=") <= 0
    if a.__class__ in SET_CLASSES and b.__class__ in SET_CLASSES:
        return len(a) <= len(b) and all(dict.__contains__(b, key) for key in a)
    if not (own_type(a) and own_type(b)):
        return _host_order(a, b, "<=")
    return _ordered(a, b, "<=") <= 0


def greater(a: Value, b: Value) -> bool:
    """Return `a > b`."""
    if a.__class__ is tuple and b.__class__ is tuple:
        return compare(a, b, ">") > 0
    if a.__class__ in SET_CLASSES and b.__class__ in SET_CLASSES:
        return less(b, a)
    if not (own_type(a) and own_type(b)):
        return _host_order(a, b, ">")
    return _ordered(a, b, ">") > 0


def greater_equal(a: Value, b: Value) -> bool:
    """Return `a >= b`."""
    if a.__class__ is tuple and b.__class__ is tuple:
        return compare(a, b, ">=") >= 0
    if a.__class__ in SET_CLASSES and b.__class__ in SET_CLASSES:
        return less_equal(b, a)
    if not (own_type(a) and own_type(b)):
        return _host_order(a, b, ">=")
    return _ordered(a, b, ">=") >= 0


def _host_order(a: Value, b: Value, op: str) -> bool:
    try:
        return bool(_PYTHON[op](a, b))
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
            raise
        return fail_with("eval.operand", f"{type_name(a)} {op} {type_name(b)} not implemented")


def is_in(a: Value, b: Value) -> bool:
    """Return `a in b`."""
    # spec: starlark.membership
    kind = b.__class__
    if kind is str:
        if a.__class__ is not str:
            fail_with("eval.operand", f"'in <string>' requires string as left operand, not {type_name(a)}")
        search("in", b, a)
        return a in b
    if kind in DICT_CLASSES:
        try:
            return (a if is_plain_tuple(a) else key_of(a)) in b
        except EvalError as error:
            if error.code != "eval.hash":
                raise
            return False
    if kind in SET_CLASSES:
        return dict.__contains__(b, key_of(a))
    if kind is tuple or kind in LIST_CLASSES:
        return contains(b, a)
    if kind is range:
        if not is_number(a):
            fail_with("eval.operand", f"'in <range>' requires integer as left operand, not {type_name(a)}")
        # Python looks for a float among all the items of a range.
        return -_INFINITY < a < _INFINITY and a == int(a) and int(a) in b
    if kind is bytes:
        if a.__class__ is bytes:
            return a in b
        if a.__class__ is int:
            if not 0 <= a <= 255:
                fail_with("eval.value", f"int in bytes: {a} out of range")
            return a in b
        fail_with("eval.operand", f"'in bytes' requires bytes or int as left operand, not {type_name(a)}")
    if not own_type(b):
        try:
            return bool(a in b)
        except TypeError:
            pass
    return _unknown("in", a, b)


def not_in(a: Value, b: Value) -> bool:
    """Return `a not in b`."""
    return not is_in(a, b)


# ---- indexing


def index(x: Value, i: Value) -> Value:
    """Return `x[i]`."""
    # spec: starlark.index
    kind = x.__class__
    if kind in DICT_CLASSES:
        try:
            return x[i if is_plain_tuple(i) else key_of(i)]
        except KeyError:
            return missing_key(i)
    if kind in LIST_CLASSES or kind in INDEXABLE:
        if i.__class__ is not int:
            fail_with("eval.type", f"{type_name(x)} index: got {type_name(i)}, want int")
        try:
            return x[i]
        except IndexError:
            return out_of_range(x, i)
    if not own_type(x) and hasattr(kind, "__getitem__"):
        try:
            return x[i]
        except KeyError:
            return missing_key(i)
        except IndexError:
            return out_of_range(x, i)
    return fail_with("eval.type", f"unhandled index operation {type_name(x)}[{type_name(i)}]")


def missing_key(key: Value) -> NoReturn:
    """Raise the error of a key that a dict lacks."""
    raise EvalError("eval.key", f"key {to_repr(key)} not in dict")


def set_index(thread: Thread, x: Value, i: Value, value: Value) -> None:
    """Execute `x[i] = value`."""
    # spec: starlark.assign.element, starlark.iteration.order-of-checks
    kind = x.__class__
    if kind in DICT_CLASSES:
        locked = thread.locked and id(x) in thread.locked
        if locked or kind is not dict:
            refuse_change(BusyDict(x) if locked else x, "insert into")
        k = i if is_plain_tuple(i) else key_of(i)
        if k.__class__ is Key and kind is dict:
            thread.odd = True
        dict.__setitem__(x, k, value)
    elif kind in LIST_CLASSES:
        if i.__class__ is not int:
            fail_with("eval.type", f"list index: got {type_name(i)}, want int")
        if not -len(x) <= i < len(x):
            out_of_range(x, i)
        locked = thread.locked and id(x) in thread.locked
        refuse_change(BusyList(x) if locked else x, "assign to element of")
        list.__setitem__(x, i, value)
    elif not own_type(x) and hasattr(kind, "__setitem__"):
        x[i] = value
    else:
        fail_with("eval.type", f"{type_name(x)} value does not support item assignment")


def slice_of(x: Value, lower: Value, upper: Value, step: Value) -> Value:
    """Return `x[lower:upper:step]`; a part that is left out is None."""
    # spec: starlark.slice
    kind = x.__class__
    if kind not in SLICEABLE and kind not in LIST_CLASSES:
        raise NotSliceable(f"invalid slice operand {type_name(x)}")
    for part, what in ((lower, "start index"), (upper, "end index"), (step, "slice step")):
        if part is not None and part.__class__ is not int:
            fail_with("eval.type", f"invalid {what}: got {type_name(part)}, want int")
    if step == 0:
        fail_with("eval.value", "zero is not a valid slice step")
    if kind not in LIST_CLASSES:
        return x[lower:upper:step]
    if len(x) <= PART:
        return List(x[lower:upper:step])
    made = List()
    for places in parts(range(len(x))[lower:upper:step]):
        # From the end on a slice would have to stop before 0.
        list.extend(made, x[places.start : places.stop] if step in (None, 1) else [x[at] for at in places])
    return made


class NotSliceable(EvalError):
    """A slice of a value that has none: reported where the operand starts and not at the bracket."""

    def __init__(self, message: str) -> None:
        super().__init__("eval.type", message)


INDEXABLE: frozenset[type] = frozenset({str, bytes, tuple, range, StringElems, BytesElems})
SLICEABLE: frozenset[type] = frozenset({str, bytes, tuple, range})
_OWN: frozenset[type] = frozenset(
    {
        *NATIVE_TYPE_NAMES,
        *LIST_CLASSES,
        *DICT_CLASSES,
        *SET_CLASSES,
        StringElems,
        StringCodepoints,
        BytesElems,
        Function,
        Builtin,
        ModuleValue,
    }
)
_PYTHON: dict[str, Callable[[Value, Value], Value]] = {
    "+": _operator.add,
    "-": _operator.sub,
    "*": _operator.mul,
    "/": _operator.truediv,
    "//": _operator.floordiv,
    "%": _operator.mod,
    "|": _operator.or_,
    "&": _operator.and_,
    "^": _operator.xor,
    "<<": _operator.lshift,
    ">>": _operator.rshift,
    "<": _operator.lt,
    "<=": _operator.le,
    ">": _operator.gt,
    ">=": _operator.ge,
}
