"""Chains: everything that may be deep to the left, emitted without recursion along it.

`a.b(c)[d] + e` is a chain of five links: each has what stands left of it as its first operand. A program may
have a chain of a thousand links, and Python's stack is not ours to use up; so the links are taken apart first
and emitted in a loop from the innermost on.
"""

from __future__ import annotations

from ...syntax import tree
from .. import python_tree as py
from ..facts.kinds import BOOL, LIST, RAW_DICT, RAW_LIST, STRING, TUPLE
from .calls import call_of
from .formatting import percent_format
from .methods import method_call_of
from .operators import ORDERED, binary_operation, logic, sequence_comparison
from .subscripts import attribute_of, index_of, slice_of
from .types import tested_type, type_test
from .unboxed import unboxed_membership
from .variables import looked_at, may_lack_value, unboxed_variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from collections.abc import Callable
    from typing import Any

    from ..context import Context, Typed

# After this many links a chain of operators is continued from a variable: Python's compiler recurses.
CHAIN = 30


def chain(ctx: Context, node: tree.Expr) -> Typed:
    """`x.name`, `x[i]`, `x[a:b]`, `f(…)` and operators: what is left of each, then its own operands.

    Two links are emitted as one where that is faster: the attribute of a call, which is a method, and a run
    of the same `and` or `or`.
    """
    # spec: starlark.expr.order
    links: list[Any] = []
    base: Any = node
    while True:
        left = tree.left_of(base)
        if left is None or (links and tested_type(ctx, base)):
            break
        links.append(base)
        base = left
    made: Any = None
    done: list[expr] = []
    depth = 0
    while links:
        link = links.pop()
        if isinstance(link, tree.Call):
            # `base` is the function itself: its name may be known.
            made = call_of(ctx, link, made)
        else:
            if made is None:
                method = isinstance(link, tree.Dot) and links and isinstance(links[-1], tree.Call)
                part = isinstance(link, (tree.Index, tree.Slice))
                made = looked_at(ctx, base) if method or part else ctx.expr(base)
            if isinstance(link, tree.Dot) and links and isinstance(links[-1], tree.Call):
                made = method_call_of(ctx, links.pop(), link, made)
            elif isinstance(link, tree.Binary) and link.op in ("and", "or"):
                run = [link]
                while links and isinstance(links[-1], tree.Binary) and links[-1].op == link.op:
                    run.append(links.pop())
                made = logic(ctx, made, run)
            else:
                made = _LINKS[link.__class__](ctx, link, made)
        depth += 1
        if depth == CHAIN and links:
            depth = 0
            name = ctx.temp()
            done.append(py.walrus(name, made[0], ctx.line))
            made = py.load(name, ctx.line), made[1]
    return py.sequence(done, made[0], ctx.line), made[1]


def binary(ctx: Context, node: tree.Binary) -> Typed:
    """`a op b`: a, then b, then the operator; `a and b` only what it needs.

    Formatting with a literal text and comparing the name of a type have code of their own.
    """
    # spec: starlark.expr.order
    test = tested_type(ctx, node)
    if test is not None:
        return type_test(ctx, test), BOOL
    formatted = percent_format(ctx, node) if node.op == "%" else None
    return chain(ctx, node) if formatted is None else (formatted, STRING)


def operation(ctx: Context, node: tree.Binary, left: Typed) -> Typed:
    """`left op right`: an operator whose left operand has been emitted already."""
    if node.op in ("in", "not in"):
        raw, kind = unboxed_variable(ctx, node.right)
        if raw is not None:
            return unboxed_membership(ctx, node.op, node.at, left, raw, kind), BOOL
    elif node.op in ORDERED and left[1] in (TUPLE, LIST):
        compared = sequence_comparison(ctx, node, left)
        if compared is not None:
            return compared, BOOL
    return binary_operation(ctx, node.op, node.at, left, ctx.expr(node.right))


def subscript(ctx: Context, node: tree.Index, left: Typed) -> Typed:
    """`x[i]`: x, then i, then the item."""
    # spec: starlark.index
    made, kind = index_of(ctx, node.at, left, ctx.expr(node.index))
    if left[1] in (RAW_LIST, RAW_DICT) and may_lack_value(ctx, node.operand):
        made = py.sequence([left[0]], made, ctx.line)
    return made, kind & ctx.unit.rules.kind(node)


# What emits a link of a chain, when what stands left of it has been emitted. Calls and `and`, `or` are apart.
_LINKS: dict[type, Callable[[Context, Any, Typed], Typed]] = {
    tree.Binary: operation,
    tree.Dot: attribute_of,
    tree.Index: subscript,
    tree.Slice: slice_of,
}
