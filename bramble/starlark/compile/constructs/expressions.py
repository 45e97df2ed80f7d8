"""Literals, displays and the conditional expression."""

from __future__ import annotations

from _ast import Dict as PyDict

from .. import python_tree as py
from ..facts import kinds
from ..facts.kinds import DICT, LIST, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    if not node.items:
        return py.helper(".List", [], ctx.line), LIST
    items = [ctx.value(item) for item in node.items]
    return py.helper(".List", [py.tuple_of(items, ctx.line)], ctx.line), LIST


def dict_display(ctx: Context, node: tree.Dict) -> Typed:
    """`{k: v}`: a new dict; each key, then its value, from left to right, and no key twice.

    Where all keys are different literals, none can be there twice, and Python's own display does.
    """
    # spec: starlark.display
    if not node.entries:
        return py.helper(".Dict", [], ctx.line), DICT
    pairs = [(ctx.value(entry.key), ctx.value(entry.value)) for entry in node.entries]
    keys = [k.value for k, _ in pairs if k.__class__.__name__ == "Constant"]  # type: ignore[attr-defined]
    plain = all(key.__class__ in (str, int) for key in keys)
    if len(keys) == len(pairs) and plain and len(set(keys)) == len(keys):
        display = PyDict([k for k, _ in pairs], [v for _, v in pairs], lineno=ctx.line, col_offset=0)
        return py.helper(".Dict", [display], ctx.line), DICT
    line = ctx.unit.op(node.start, "display", (tuple(entry.at for entry in node.entries),))
    return py.helper(".dict_display", [part for pair in pairs for part in pair], line), DICT


def conditional(ctx: Context, node: tree.Conditional) -> Typed:
    """`a if c else b`: c, then only the one of the two that it gives."""
    # spec: starlark.expr.logic
    test = ctx.value(node.condition)
    then, a = ctx.expr(node.then)
    otherwise, b = ctx.expr(node.otherwise)
    return py.conditional(test, then, otherwise, ctx.line), a | b
