"""Operators: arithmetic, comparison, membership, parts of values, and `%` on strings.

Each function is one operator, as a list of the cases in which it means something. What no case takes is an
error that names the types.
"""

from __future__ import annotations

import math

from ..errors import EvalError
from ..runtime.integers import MAX_INT_BITS, checked, int_text, too_large
from ..runtime.text import float_text
from ..runtime.views import StringElems
from .values import (
    MOST_ITEMS,
    Dict,
    List,
    Set,
    Struct,
    change,
    equal,
    fail,
    is_number,
    items_of,
    key_of,
    order,
    to_display,
    to_repr,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from .values import Value


MOST_CHARACTERS = 1 << 26
MOST_SHIFT = 512


def both(kind: object, a: Value, b: Value) -> bool:
    """Return whether two values are of one type, which for an int is not bool."""
    return type(a) is kind and type(b) is kind


def unknown(op: str, a: Value, b: Value) -> NoReturn:
    fail("eval.operand", f"unknown binary op: {type_name(a)} {op} {type_name(b)}")


def as_float(x: Value) -> float:
    # spec: starlark.arithmetic
    try:
        return float(x)
    except OverflowError:
        return fail("eval.value", "int too large to convert to float")


# ---- arithmetic and what shares its signs


def add(a: Value, b: Value) -> Value:
    """`a + b`."""
    # spec: starlark.arithmetic, starlark.concatenation, starlark.struct.merge
    if both(int, a, b):
        return a + b
    if is_number(a) and is_number(b):
        return as_float(a) + as_float(b)
    if both(str, a, b) or both(bytes, a, b) or both(tuple, a, b):
        return a + b
    if both(List, a, b):
        return List(a.items + b.items)
    if both(Struct, a, b):
        return Struct({**a.fields, **b.fields})
    return unknown("+", a, b)


def subtract(a: Value, b: Value) -> Value:
    """`a - b`."""
    # spec: starlark.arithmetic, starlark.set.operators
    if both(int, a, b):
        return a - b
    if is_number(a) and is_number(b):
        return as_float(a) - as_float(b)
    if both(Set, a, b):
        return Set([x for x in a.elements if key_of(x) not in b.table])
    return unknown("-", a, b)


def multiply(a: Value, b: Value) -> Value:
    """`a * b`."""
    # spec: starlark.arithmetic, starlark.repetition, starlark.limit.int
    if both(int, a, b):
        return too_large() if a.bit_length() + b.bit_length() > 2 * MAX_INT_BITS else checked(a * b)
    if is_number(a) and is_number(b):
        return as_float(a) * as_float(b)
    if type(b) is int and isinstance(a, (str, bytes, tuple, List)):
        return repeat(a, b)
    if type(a) is int and isinstance(b, (str, bytes, tuple, List)):
        return repeat(b, a)
    return unknown("*", a, b)


def repeat(x: Value, count: int) -> Value:
    """Return a sequence so many times."""
    # spec: starlark.limit.size
    items = x.items if isinstance(x, List) else x
    most = MOST_CHARACTERS if isinstance(x, (str, bytes)) else MOST_ITEMS
    if items and count >= 1 << 31:
        fail("eval.limit", f"repeat count {int_text(count)} too large")
    if items and count > 0 and len(items) * count >= most:
        fail("eval.limit", f"excessive repeat ({len(items)} * {count} elements)")
    repeated = items * (max(count, 0) if items else 0)
    return List(repeated) if isinstance(x, List) else repeated


def divide(a: Value, b: Value) -> Value:
    """`a / b`."""
    # spec: starlark.arithmetic
    if not (is_number(a) and is_number(b)):
        unknown("/", a, b)
    y, x = as_float(b), as_float(a)
    return x / y if y else fail("eval.division", "floating-point division by zero")


def floor_divide(a: Value, b: Value) -> Value:
    """`a // b`."""
    # spec: starlark.arithmetic
    if not (is_number(a) and is_number(b)):
        unknown("//", a, b)
    if both(int, a, b):
        return a // b if b else fail("eval.division", "floored division by zero")
    x, y = as_float(a), as_float(b)
    if y == 0.0:
        fail("eval.division", "floored division by zero")
    quotient = x / y
    return float(math.floor(quotient)) if 0.0 < abs(quotient) < 1e300 else quotient


def modulo(a: Value, b: Value) -> Value:
    """`a % b`."""
    # spec: starlark.arithmetic, starlark.percent
    if isinstance(a, str):
        return percent(a, b)
    if not (is_number(a) and is_number(b)):
        unknown("%", a, b)
    if both(int, a, b):
        return a % b if b else fail("eval.division", "integer modulo by zero")
    x, y = as_float(a), as_float(b)
    if y == 0.0:
        fail("eval.division", "floating-point modulo by zero")
    if math.isinf(x):
        return float("nan")
    remainder = math.fmod(x, y)
    return remainder + y if remainder and (remainder < 0.0) != (y < 0.0) else remainder


def union(a: Value, b: Value) -> Value:
    """`a | b`."""
    # spec: starlark.bitwise, starlark.set.operators
    if both(int, a, b):
        return a | b
    if both(Set, a, b):
        return Set([*a.elements, *b.elements])
    if both(Dict, a, b):
        return Dict([*a.table.values(), *b.table.values()])
    return unknown("|", a, b)


def intersection(a: Value, b: Value) -> Value:
    """`a & b`."""
    # spec: starlark.bitwise, starlark.set.operators
    if both(int, a, b):
        return a & b
    if both(Set, a, b):
        return Set([x for x in a.elements if key_of(x) in b.table])
    return unknown("&", a, b)


def difference(a: Value, b: Value) -> Value:
    """`a ^ b`."""
    # spec: starlark.bitwise, starlark.set.operators
    if both(int, a, b):
        return a ^ b
    if both(Set, a, b):
        return union(subtract(a, b), subtract(b, a))
    return unknown("^", a, b)


def shift_left(a: Value, b: Value) -> Value:
    """`a << b`."""
    # spec: starlark.bitwise
    if not both(int, a, b):
        unknown("<<", a, b)
    if b < 0:
        fail("eval.value", f"negative shift count: {int_text(b)}")
    if b >= MOST_SHIFT:
        fail("eval.limit", f"shift count too large: {int_text(b)}")
    return checked(a << b)


def shift_right(a: Value, b: Value) -> Value:
    """`a >> b`."""
    # spec: starlark.bitwise
    if not both(int, a, b):
        unknown(">>", a, b)
    if b < 0:
        fail("eval.value", f"negative shift count: {int_text(b)}")
    return a >> min(b, a.bit_length() + 1)


def unary(op: str, x: Value) -> Value:
    """`-x`, `+x`, `~x`."""
    # spec: starlark.arithmetic, starlark.bitwise
    if op == "~" and type(x) is int:
        return ~x
    if op != "~" and is_number(x):
        return -x if op == "-" else x
    return fail("eval.operand", f"unknown unary op: {op} {type_name(x)}")


# ---- comparison and membership


def ordered(op: str) -> Callable[[Value, Value], bool]:
    """Return what `<`, `<=`, `>` or `>=` does: an order, of sets the test for a subset."""

    def compare(a: Value, b: Value) -> bool:
        # spec: starlark.order
        if both(Set, a, b):
            small, large = (a, b) if op[0] == "<" else (b, a)
            within = all(key in large.table for key in small.table)
            return within and (op[1:] == "=" or len(small.table) < len(large.table))
        found = order(a, b, op)
        return {"<": found < 0, "<=": found <= 0, ">": found > 0, ">=": found >= 0}[op]

    return compare


def is_in(a: Value, b: Value) -> bool:
    """`a in b`."""
    # spec: starlark.membership
    if isinstance(b, (List, tuple)):
        return any(equal(a, item) for item in items_of(b) or ())
    if isinstance(b, Dict):
        try:
            return key_of(a) in b.table
        except EvalError as error:
            # A value that is not hashable is not in it.
            if error.code == "eval.hash":
                return False
            raise
    if isinstance(b, Set):
        return key_of(a) in b.table
    if isinstance(b, str):
        if not isinstance(a, str):
            fail("eval.operand", f"'in <string>' requires string as left operand, not {type_name(a)}")
        return a in b
    if isinstance(b, range):
        if not is_number(a):
            fail("eval.operand", f"'in <range>' requires integer as left operand, not {type_name(a)}")
        return math.isfinite(a) and a == int(a) and int(a) in b if isinstance(a, float) else a in b
    if isinstance(b, bytes):
        if isinstance(a, bytes):
            return a in b
        if type(a) is not int:
            fail("eval.operand", f"'in bytes' requires bytes or int as left operand, not {type_name(a)}")
        return a in b if 0 <= a <= 255 else fail("eval.value", f"int in bytes: {a} out of range")
    return unknown("in", a, b)


BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "//": floor_divide,
    "%": modulo,
    "|": union,
    "&": intersection,
    "^": difference,
    "<<": shift_left,
    ">>": shift_right,
    "==": equal,
    "!=": lambda a, b: not equal(a, b),
    **{op: ordered(op) for op in ("<", "<=", ">", ">=")},
    "in": is_in,
    "not in": lambda a, b: not is_in(a, b),
}


def augmented(op: str, a: Value, b: Value) -> Value:
    """Return what `a op= b` binds: `a op b`, but a list, dict or set is changed in place."""
    # spec: starlark.assign.augmented
    if op == "+" and isinstance(a, List):
        items = items_of(b)
        if items is None:
            unknown("+", a, b)
        change(a, "apply += to")
        a.items += items
        return a
    if op == "|" and (both(Dict, a, b) or both(Set, a, b)):
        change(a, "apply |= to")
        for entry in list(b.table.values()):
            a.put(*entry) if isinstance(a, Dict) else a.put(entry)
        return a
    return BINARY[op](a, b)


# ---- parts of values


def index(x: Value, i: Value) -> Value:
    """`x[i]`."""
    # spec: starlark.index
    if isinstance(x, Dict):
        known = key_of(i)
        return x.table[known][1] if known in x.table else fail("eval.key", f"key {to_repr(i)} not in dict")
    if not isinstance(x, (List, str, bytes, tuple, range, StringElems)):
        fail("eval.type", f"unhandled index operation {type_name(x)}[{type_name(i)}]")
    items = x.items if isinstance(x, (List, StringElems)) else x
    return items[position(x, items, i)]


def position(x: Value, items: Value, i: Value, method: str = "") -> int:
    """Return the place that an index means, from 0."""
    # spec: starlark.text.subscript
    if type(i) is not int:
        fail("eval.type", f"{type_name(x)} index: got {type_name(i)}, want int")
    if not items:
        fail("eval.index", f"{method}index {int_text(i)} out of range: empty {type_name(x)}")
    if not -len(items) <= i < len(items):
        span = f"[{-len(items)}:{len(items) - 1}]"
        fail("eval.index", f"{method}{type_name(x)} index {int_text(i)} out of range {span}")
    return i + len(items) if i < 0 else i


def set_index(x: Value, i: Value, value: Value) -> None:
    """`x[i] = value`."""
    # spec: starlark.assign.element, starlark.iteration.order-of-checks
    if isinstance(x, Dict):
        change(x, "insert into")
        x.put(i, value)
    elif isinstance(x, List):
        place = position(x, x.items, i)
        change(x, "assign to element of")
        x.items[place] = value
    else:
        fail("eval.type", f"{type_name(x)} value does not support item assignment")


def can_be_sliced(x: Value) -> bool:
    return isinstance(x, (str, bytes, List, tuple, range))


def slice_of(x: Value, lower: Value, upper: Value, step: Value) -> Value:
    """`x[lower:upper:step]`; what is not written is None."""
    # spec: starlark.slice
    if not can_be_sliced(x):
        fail("eval.type", f"invalid slice operand {type_name(x)}")
    for bound, what in ((lower, "start index"), (upper, "end index"), (step, "slice step")):
        if bound is not None and type(bound) is not int:
            fail("eval.type", f"invalid {what}: got {type_name(bound)}, want int")
    if step == 0:
        fail("eval.value", "zero is not a valid slice step")
    return List(x.items[lower:upper:step]) if isinstance(x, List) else x[lower:upper:step]


# ---- formatting


def percent(template: str, operand: Value) -> str:
    """`template % operand`."""
    # spec: starlark.percent, starlark.percent.names, starlark.percent.mixed
    waiting = list(operand) if isinstance(operand, tuple) else [operand]
    made = ""
    while "%" in template:
        before, _, rest = template.partition("%")
        made += before
        if rest[:1] == "%":
            made, template = made + "%", rest[1:]
            continue
        if rest[:1] == "(":
            name, closed, rest = rest[1:].partition(")")
            if not closed:
                fail("eval.format", "incomplete format key")
            if not isinstance(operand, Dict):
                fail("eval.format", "format requires a mapping")
            if name not in operand.table:
                fail("eval.format", f"key not found: {name}")
            value = operand.table[name][1]
        elif rest and not waiting:
            fail("eval.format", "not enough arguments for format string")
        else:
            value = waiting.pop(0) if rest else None
        if not rest:
            fail("eval.format", "incomplete format")
        made += converted(rest[0], value)
        template = rest[1:]
    if waiting and not isinstance(operand, Dict):
        fail("eval.format", "too many arguments for format string")
    return made + template


def converted(verb: str, x: Value) -> str:
    """Return one operand of `%` as its verb writes it."""
    # spec: starlark.percent.verbs
    if verb == "s":
        return to_display(x)
    if verb == "r":
        return to_repr(x)
    if verb in "dioxX":
        return _whole_number(verb, x)
    if verb in "eEfFgG":
        if not is_number(x):
            fail("eval.format", f"%{verb} format requires float, not {type_name(x)}")
        number = as_float(x)
        if not math.isfinite(number) or verb == "g":
            return float_text(number)
        return float_text(number).upper() if verb == "G" else f"{number:{verb}}"
    if verb == "c":
        return _one_character(x)
    return fail("eval.format", f"unknown conversion %{verb}")


def _whole_number(verb: str, x: Value) -> str:
    wrong = f"%{verb} format requires integer: cannot convert"
    if not is_number(x):
        fail("eval.format", f"{wrong} {type_name(x)} to int")
    if isinstance(x, float) and not math.isfinite(x):
        fail("eval.format", f"{wrong} float {float_text(x)} to integer")
    number = int(x)
    if verb in "di":
        return int_text(number)
    return ("-" if number < 0 else "") + f"{abs(number):{verb}}"


def _one_character(x: Value) -> str:
    if type(x) is int:
        if not 0 <= x <= 0x10FFFF or 0xD800 <= x <= 0xDFFF:
            fail("eval.format", f"%c format requires a valid Unicode code point, got {int_text(x)}")
        return chr(x)
    if not isinstance(x, str):
        fail("eval.format", f"%c format requires int or single-character string, not {type_name(x)}")
    return x if len(x) == 1 else fail("eval.format", "%c format requires a single-character string")
