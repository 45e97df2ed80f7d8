"""Literals, displays and the conditional expression."""

from __future__ import annotations

from .. import python_tree as py
from ..facts import kinds
from ..facts.kinds import DICT, LIST, TUPLE
from .narrowing import both, found_by
from .variables import may_lack_value

# Displays of more entries are left to a function.
_FEW_ENTRIES = 8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr

    from ...syntax import tree
    from ..context import Context, Typed


def literal(ctx: Context, node: tree.Literal) -> Typed:
    """`1`, `"a"`: the value itself."""
    return py.constant(node.value, ctx.line), kinds.of_constant(node.value)


def parenthesised(ctx: Context, node: tree.Paren) -> Typed:
    """`(x)`: what is inside."""
    return ctx.expr(node.value)


def tuple_display(ctx: Context, node: tree.Tuple) -> Typed:
    """`(a, b)`: a new tuple of the items, from left to right."""
    # spec: starlark.display
    return py.tuple_of([ctx.value(item) for item in node.items], ctx.line), TUPLE


def list_display(ctx: Context, node: tree.List) -> Typed:
    """`[a, b]`: a new list of the items, from left to right."""
    # spec: starlark.display
    return py.list_of([ctx.value(item) for item in node.items], ctx.line), LIST


def dict_display(ctx: Context, node: tree.Dict) -> Typed:
    """`{k: v}`: a new dict; each key, then its value, from left to right, and no key twice.

    Where all keys are different literals, none can be there twice, and Python's own display does.
    """
    # spec: starlark.display
    if not node.entries:
        return py.dict_of([], [], ctx.line), DICT
    pairs = [(ctx.value(entry.key), ctx.value(entry.value)) for entry in node.entries]
    keys = [k.value for k, _ in pairs if k.__class__.__name__ == "Constant"]  # type: ignore[attr-defined]
    plain = all(key.__class__ in (str, int) for key in keys)
    if len(keys) == len(pairs) and plain and len(set(keys)) == len(keys):
        return py.dict_of([k for k, _ in pairs], [v for _, v in pairs], ctx.line), DICT
    if len(pairs) <= _FEW_ENTRIES:
        return tested_display(ctx, node, pairs), DICT
    line = ctx.unit.op(node.start, "display", (tuple(entry.at for entry in node.entries),))
    return py.helper(".dict_display", [part for pair in pairs for part in pair], line), DICT


def tested_display(ctx: Context, node: tree.Dict, pairs: list[tuple[expr, expr]]) -> expr:
    """Emit a display of few entries as Python's own where all keys turn out to be different strings."""
    first: list[expr] = []
    bound: list[tuple[expr, expr]] = []
    for entry, pair in zip(node.entries, pairs):
        again = []
        for part, written in zip(pair, (entry.key, entry.value)):
            one, other, _ = ctx.bind(part)
            again.append(other)
            if one is not other or may_lack_value(ctx, written):
                first.append(one)
        bound.append((again[0], again[1]))
    while first and py.is_simple(first[-1]):
        # Nothing else is done before the display reads it.
        first.pop()
    line = ctx.unit.op(node.start, "display", (tuple(entry.at for entry in node.entries),))
    display = py.dict_of([k for k, _ in bound], [v for _, v in bound], line)
    tests = [py.is_class(key, "str", line) for key, _ in bound if key.__class__.__name__ != "Constant"]
    if any(k.__class__.__name__ == "Constant" and k.value.__class__ is not str for k, _ in bound):  # type: ignore[attr-defined]
        tests.append(py.constant(False, line))
    if len(bound) > 1:
        name = ctx.temp()
        size = py.helper(".native_len", [py.walrus(name, display, line)], line)
        tests.append(py.compare(size, py.COMPARE["=="], py.constant(len(bound), line), line))
        display = py.load(name, line)
    test = tests[0] if len(tests) == 1 else py.boolean(py.AND, tests, line)
    slow = py.helper(".dict_display", [part for pair in bound for part in pair], line)
    return py.sequence(first, py.conditional(test, display, slow, line), line)


def conditional(ctx: Context, node: tree.Conditional) -> Typed:
    """`a if c else b`: c, then only the one of the two that it gives."""
    # spec: starlark.expr.logic
    test = ctx.value(node.condition)
    narrowed = ctx.narrowed
    yes, no = found_by(ctx, node.condition)
    ctx.narrowed = both(narrowed, yes)
    then, a = ctx.expr(node.then)
    ctx.narrowed = both(narrowed, no)
    otherwise, b = ctx.expr(node.otherwise)
    ctx.narrowed = narrowed
    return py.conditional(test, then, otherwise, ctx.line), a | b
