"""What stands left of `=` and behind `for`, as targets of Python's."""

from __future__ import annotations

from ...syntax import tree
from .. import python_tree as py
from ..facts.collect import strip
from .variables import store_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Optional

    from ..context import Context


def plain_targets(ctx: Context, target: tree.Expr, parts: int) -> Optional[expr]:
    """Return a target that Python assigns to as Starlark does, or None.

    That is one name, or several for items that surely have so many parts.
    """
    if isinstance(target, tree.Name):
        return store_name(ctx, target)
    if not isinstance(target, (tree.Tuple, tree.List)) or len(target.items) != parts:
        return None
    items = [strip(item) for item in target.items]
    if not all(isinstance(item, tree.Name) for item in items):
        return None
    return py.tuple_of([store_name(ctx, item) for item in items], ctx.line, py.STORE)  # type: ignore[arg-type]


def unpackable(value: expr, count: int, line: int) -> expr:
    """Return the parts of a value, which is a variable, for Python to unpack."""
    plain = py.boolean(py.OR, [py.is_class(value, "tuple", line), py.is_class(value, ".List", line)], line)
    slow = py.helper(".unpack", [value, py.constant(count, line)], line)
    return py.conditional(plain, value, slow, line)


def store_call(ctx: Context, target: tree.Expr, value: expr) -> expr:
    """Return a call that assigns to an element or a field and returns None."""
    if isinstance(target, tree.Index):
        line = ctx.unit.op(target.at, ".set_index")
        parts = [py.load("$s", line), ctx.value(target.operand), ctx.value(target.index), value]
        return py.helper(".set_index", parts, line)
    if isinstance(target, tree.Dot):
        line = ctx.unit.op(target.at, ".set_attribute")
        name = py.constant(target.name, line)
        return py.helper(".set_attribute", [ctx.value(target.operand), name, value], line)
    raise AssertionError("the parser has checked the targets")
