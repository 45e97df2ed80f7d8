"""The binary operators and the index (spec: starlark.arithmetic to starlark.index)."""

from __future__ import annotations

import operator
import re

from conformance.mini.reader import Failure
from conformance.mini.values import (
    Dict,
    List,
    Named,
    Set,
    equal,
    is_number,
    items_of,
    key_of,
    less,
    represent,
    type_name,
)

NUMBERS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod}
NUMBERS["//"] = operator.floordiv
BITS = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": operator.lshift,
    ">>": operator.rshift,
}
LARGEST = 1 << 30


def binary(sign, a, b):
    """Return `a sign b`, but for `and` and `or`."""
    if sign in ("==", "!="):
        return equal(a, b) == (sign == "==")
    if sign in ("<", "<=", ">", ">="):
        return less(a, b, sign)
    if sign in ("in", "not in"):
        return contains(a, b) == (sign == "in")
    kinds = (type_name(a), type_name(b))
    if is_number(a) and is_number(b) and sign in NUMBERS:
        try:
            return NUMBERS[sign](a, b)
        except ZeroDivisionError:
            words = {"//": "floored division", "/": "floating-point division", "%": "integer modulo"}
            raise Failure("eval.division", words[sign] + " by zero") from None
        except OverflowError:
            raise Failure("eval.value", "int too large to convert to float") from None
    if kinds == ("int", "int") and sign in BITS:
        if sign in ("<<", ">>") and b < 0:
            raise Failure("eval.value", f"negative shift count: {b}")
        if sign == "<<" and b >= 512:
            raise Failure("eval.limit", f"shift count too large: {b}")
        return BITS[sign](a, min(b, 1 << 40) if sign == ">>" else b)
    if sign == "+" and kinds[0] == kinds[1] and isinstance(a, (str, bytes, tuple, List)):
        return List(a.items + b.items) if isinstance(a, List) else a + b
    if sign == "+" and kinds == ("struct", "struct"):
        return Named("struct", {**a.fields, **b.fields})
    if sign == "%" and isinstance(a, str):
        return percent(a, b)
    if sign == "|" and kinds[0] == kinds[1] == "dict":
        return Dict.of([*a.items.values(), *b.items.values()])
    if kinds == ("set", "set") and sign in "|&-^":
        return Set(algebra(sign, a.items, b.items))
    if sign == "*" and "int" in kinds:
        a, b = (b, a) if kinds[0] == "int" else (a, b)
        if isinstance(a, (str, bytes, tuple, List)):
            if len(getattr(a, "items", a)) * b >= LARGEST:
                raise Failure(
                    "eval.limit", f"excessive repeat ({len(getattr(a, 'items', a))} * {b} elements)"
                )
            return List(a.items * b) if isinstance(a, List) else a * b
    raise Failure("eval.operand", f"unknown binary op: {kinds[0]} {sign} {kinds[1]}")


def algebra(sign, a, b):
    """spec: starlark.set.operators"""
    left = {key: value for key, value in a.items() if sign == "|" or (key in b) == (sign == "&")}
    return {**left, **{key: value for key, value in b.items() if sign in "|^" and key not in a}}


def contains(item, value):
    """spec: starlark.membership"""
    if isinstance(value, (List, tuple)):
        return any(equal(item, one) for one in items_of(value))
    if isinstance(value, (Dict, Set)):
        try:
            return key_of(item) in value.items
        except Failure:
            if isinstance(value, Set):
                raise
            return False
    if isinstance(value, bytes) and (isinstance(item, bytes) or (type(item) is int and 0 <= item < 256)):
        return item in value
    if isinstance(value, str if isinstance(item, str) else range if is_number(item) else ()):
        return item in value
    raise Failure("eval.operand", f"unknown binary op: {type_name(item)} in {type_name(value)}")


def element(value, index):
    """Return `value[index]` (spec: starlark.index)."""
    if isinstance(value, Dict):
        if key_of(index) not in value.items:
            raise Failure("eval.key", f"key {represent(index)} not in dict")
        return value.get(index)
    if not isinstance(value, (str, bytes, tuple, range, List)) and type_name(value)[-6:] != ".elems":
        raise Failure("eval.type", f"unhandled index operation {type_name(value)}[{type_name(index)}]")
    if type(index) is not int:
        raise Failure("eval.type", f"{type_name(value)} index: got {type_name(index)}, want int")
    items = getattr(value, "items", value)
    if not -len(items) <= index < len(items):
        size = f"{type_name(value)} index {index} out of range [{-len(items)}:{len(items) - 1}]"
        raise Failure(
            "eval.index", size if len(items) else f"index {index} out of range: empty {type_name(value)}"
        )
    return items[index]


def percent(text, operand):
    """Return `text % operand`, for the verbs s, r, d and x (spec: starlark.percent)."""
    operands = list(operand) if isinstance(operand, tuple) else [operand]

    def one(found):
        if found[0] == "%%":
            return "%"
        if found[2] not in tuple("srdx") or (found[1] and not isinstance(operand, Dict)):
            raise Failure("eval.format", f"unknown conversion {found[0]}")
        if not operands:
            raise Failure("eval.format", "not enough arguments for format string")
        value = element(operand, found[1]) if found[1] else operands.pop(0)
        if found[2] in "dx" and not is_number(value):
            raise Failure(
                "eval.format",
                f"%{found[2]} format requires integer: cannot convert {type_name(value)} to int",
            )
        return (
            format(int(value), found[2])
            if found[2] in "dx"
            else value
            if found[2] == "s" and isinstance(value, str)
            else represent(value)
        )

    result = re.sub(r"%(?:\(([^)]*)\))?([\s\S]?)", one, text)
    if operands and not isinstance(operand, Dict):
        raise Failure("eval.format", "too many arguments for format string")
    return result
