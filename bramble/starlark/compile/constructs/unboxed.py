"""Indexes and membership of private lists and dicts, which are Python's own."""

from __future__ import annotations

from .. import python_tree as py
from ..facts.kinds import ANY, INT, NONE, RAW_DICT, RAW_LIST, STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr, stmt

    from ..context import Context, Typed

_NATIVE_KEYS = {RAW_LIST: (INT,), RAW_DICT: (STRING, INT)}
_CLASSES = {INT: "int", STRING: "str"}


def key_test(key: expr, first: expr, mask: int, kind: int, line: int) -> expr:
    """Emit the test that a key or index is one that Python takes as Starlark does."""
    tests: list[expr] = []
    for one in _NATIVE_KEYS[kind]:
        if mask & one:
            tests.append(py.is_class(key if tests else first, _CLASSES[one], line))
    return tests[0] if len(tests) == 1 else py.boolean(py.OR, tests, line)


def is_native_key(mask: int, kind: int) -> bool:
    """Return whether a key or index of these kinds surely is one that Python takes as Starlark does."""
    return not mask & ~(sum(_NATIVE_KEYS[kind]) | (NONE if kind == RAW_DICT else 0))


def may_be_native_key(mask: int, kind: int) -> bool:
    """Return whether a key or index of these kinds may be one that Python takes as Starlark does."""
    return bool(mask & sum(_NATIVE_KEYS[kind]))


def unboxed_index(ctx: Context, at: int, x: expr, kind: int, right: Typed) -> Typed:
    """Emit `x[i]`."""
    i, mi = right
    helper = ".raw_item" if kind == RAW_DICT else ".raw_element"
    if not may_be_native_key(mi, kind):
        return py.helper(helper, [x, i], ctx.unit.op(at, helper)), ANY
    if is_native_key(mi, kind):
        i, ref_i = ctx.once(i)
        return py.subscript(x, i, ctx.unit.op(at, ".index", x.id, ref_i)), ANY  # type: ignore[attr-defined]
    first, i, ref_i = ctx.bind(i)
    line = ctx.unit.op(at, ".index", x.id, ref_i)  # type: ignore[attr-defined]
    test = key_test(i, first, mi, kind, line)
    return py.conditional(test, py.subscript(x, i, line), py.helper(helper, [x, i], line), line), ANY


def unboxed_store(ctx: Context, at: int, x: expr, kind: int, right: Typed, value: expr) -> list[stmt]:
    """Emit `x[i] = value`, all of them variables or literals."""
    i, mi = right
    line = ctx.unit.op(at, ".set_index", "$s", x.id, ctx.bind(i)[2], ctx.bind(value)[2])  # type: ignore[attr-defined]
    parts = [py.load("$s", line), x, i, value] if kind == RAW_DICT else [x, i, value]
    helper = ".raw_put" if kind == RAW_DICT else ".raw_set"
    slow: stmt = py.expression(py.helper(helper, parts, line), line)
    if not may_be_native_key(mi, kind):
        return [slow]
    native = py.assign(py.subscript(x, i, line, py.STORE), value, line)
    if is_native_key(mi, kind):
        return [native]
    return [py.if_statement(key_test(i, i, mi, kind, line), [native], [slow], line)]


def unboxed_membership(ctx: Context, op: str, at: int, left: Typed, items: expr, kind: int) -> expr:
    """Emit `left in items` for a list or dict of Python's own."""
    a, mask = left
    helper = ".raw_in" if kind == RAW_DICT else ".contains"
    line = ctx.unit.op(at, helper)
    # Among the items of a list there may be True, which Python takes for 1.
    sure = STRING | INT if kind == RAW_DICT else STRING
    if not mask & ~(sure | NONE):
        return py.compare(a, py.COMPARE[op], items, line)
    first, a, _ref = ctx.bind(a)
    found = py.helper(helper, [items, a], line)
    slow = found if op == "in" else py.unary("not", found, line)
    if not mask & sure:
        return slow if first is a else py.sequence([first], slow, line)
    test = py.is_class(first, "str", line)
    if kind == RAW_DICT and mask & INT:
        test = py.boolean(py.OR, [test, py.is_class(a, "int", line)], line)
    return py.conditional(test, py.compare(a, py.COMPARE[op], items, line), slow, line)
