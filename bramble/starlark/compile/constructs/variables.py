"""Names: where each kind of variable lives, and operands that are only looked at."""

from __future__ import annotations

from ...runtime.functions import mangle
from ...syntax import tree
from ...syntax.scopes import FREE, GLOBAL, LOCAL, PREDECLARED, UNIVERSAL
from .. import python_tree as py
from ..facts.collect import strip
from ..facts.kinds import ANY, BOOL, FUNCTION, INT, NONE, RAW_DICT, RAW_LIST
from .short_ints import is_loop_number, mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Optional

    from ...syntax.scopes import Binding
    from ..context import Context, Typed

# Functions that make a list.
MAKES_LIST = frozenset(
    {
        *(".list", ".listed", ".native_list", ".reversed", ".sorted1", ".sorted_by"),
        *(".split_at", ".split_words"),
    }
)
CONSTANT_NAMES: dict[str, Optional[bool]] = {"None": None, "True": True, "False": False}


def variable(ctx: Context, node: tree.Name) -> Typed:
    """`x`: the value of the variable that the name means.

    A global or local variable that has no value yet is an error; a name of the universe always has one. Of
    one that may have none (facts/bound.py) what is read here is kept: what an operator does with its operands
    may read them later, and in another order.
    """
    # spec: starlark.scope.blocks, starlark.scope.unbound
    binding = ctx.unit.uses[node.start]
    scope = binding.scope
    name = node.name
    if scope == UNIVERSAL:
        if name in CONSTANT_NAMES:
            value = CONSTANT_NAMES[name]
            return py.constant(value, ctx.line), NONE if value is None else BOOL
        return py.load(f"u.{name}", ctx.line), FUNCTION
    if scope == PREDECLARED:
        return py.load(mangle(name), ctx.line), ANY
    mask = ctx.unit.masks.get(binding.declared, ANY)
    if node.start in ctx.unit.rules.narrowed:
        mask &= ~NONE
    if scope == GLOBAL:
        line = ctx.unit.op(node.start, "global", (name,))
        loaded = py.load(mangle(name), line)
        if not has_value(ctx, binding):
            loaded = py.walrus(ctx.temp(), loaded, line)
        return loaded, mask
    if ctx.narrowed:
        mask = ctx.kind_here(binding.declared, mask)
    line = ctx.line
    if scope == FREE or binding.index not in ctx.parameters:
        line = ctx.unit.op(node.start, "local", (name,))
    loaded = py.load(mangle(name), line)
    if scope == LOCAL and mask == INT and is_loop_number(ctx, binding):
        mark(loaded)
    if not has_value(ctx, binding):
        return py.walrus(ctx.temp(), loaded, line), mask
    return loaded, mask


def has_value(ctx: Context, binding: Binding) -> bool:
    """Return whether a variable surely has a value here."""
    if binding.scope == GLOBAL and ctx.start < 0:
        return binding.name in ctx.settled
    if binding.scope == FREE and binding.declared in ctx.around:
        return True
    if binding.scope in (GLOBAL, FREE):
        bound = ctx.unit.bound
        return bound is not None and bound.is_sure(ctx.start, binding.declared)
    return binding.index in ctx.settled


def unboxed_variable(ctx: Context, node: tree.Expr) -> tuple[Optional[expr], int]:
    """Return the variable that an expression names, and its kind, if it holds a Python list or dict."""
    name = strip(node)
    kind = unboxed_kind(ctx, name)
    if not kind:
        return None, 0
    line = ctx.unit.op(name.start, "local", (name.name,))  # type: ignore[attr-defined]
    return py.load(mangle(name.name), line), kind  # type: ignore[attr-defined]


def unboxed_kind(ctx: Context, node: tree.Expr) -> int:
    """Return the kind of a variable that holds a Python list or dict; 0 for any other expression."""
    if node.__class__ is not tree.Name:
        return 0
    binding = ctx.unit.uses[node.start]
    return ctx.unit.ownership.raw(ctx.start, binding.declared) if binding.scope == LOCAL else 0


def may_lack_value(ctx: Context, node: tree.Expr) -> bool:
    """Return whether an expression is a variable that is emitted as it is, and may have no value here.

    What comes next may be an error as well, of which this one is the first: so it is to be read before.
    """
    # spec: starlark.expr.order
    name = strip(node)
    if name.__class__ is not tree.Name:
        return False
    return bool(unboxed_kind(ctx, name)) and not has_value(ctx, ctx.unit.uses[name.start])


def looked_at(ctx: Context, node: tree.Expr) -> Typed:
    """Emit an operand that is only looked at: a variable with Python's own list or dict as it is."""
    raw, kind = unboxed_variable(ctx, node)
    return ctx.expr(node) if raw is None else (raw, kind)


def iterated(ctx: Context, node: tree.Expr) -> Typed:
    """Emit an operand of which only the items are wanted."""
    raw, kind = unboxed_variable(ctx, node)
    if raw is None:
        return unwrapped(ctx, node)
    if kind == RAW_DICT and not has_plain_keys(ctx, node):
        return unless_odd(raw, raw, ".raw_keys", ctx.line), RAW_LIST
    return raw, kind


def unless_odd(x: expr, native: expr, helper: str, line: int) -> expr:
    """Emit what Python gives of the keys of a private dict, or a list where some may be odd.

    A display with an odd key makes one of our class; what is put in later is noted in the thread.
    """
    odd = py.attribute(py.load("$s", line), "odd", line)
    test = py.boolean(py.AND, [py.is_class(x, ".Dict", line), py.unary("not", odd, line)], line)
    return py.conditional(test, native, py.helper(helper, [x], line), line)


def unwrapped(ctx: Context, node: tree.Expr) -> Typed:
    """Emit an expression whose list is not kept: as Python's own, if it would be made for this only."""
    node = strip(node)
    if isinstance(node, tree.Comprehension) and not isinstance(node.body, tree.DictEntry):
        return ctx.value(node), RAW_LIST
    value, mask = ctx.expr(node)
    made_by = getattr(getattr(value, "func", None), "id", "")
    return value, RAW_LIST if py.is_new_list(value) or made_by in MAKES_LIST else mask


def has_plain_keys(ctx: Context, node: tree.Expr) -> bool:
    """Return whether the keys of a private dict are all strings and ints."""
    binding = ctx.unit.uses[strip(node).start]
    return ctx.unit.ownership.plain_keys(binding.declared)


def condition(ctx: Context, node: tree.Expr) -> expr:
    """Emit an expression of which only the truth is wanted."""
    return looked_at(ctx, node)[0]


def store_name(ctx: Context, node: tree.Name) -> expr:
    """Emit a name as a target, after the value that it gets."""
    settle(ctx, node)
    return py.store(mangle(node.name), ctx.line)


def settle(ctx: Context, node: tree.Name) -> None:
    """Note that a variable has a value from here on."""
    binding = ctx.unit.uses[node.start]
    ctx.settled.add(binding.name if binding.scope == GLOBAL else binding.index)
    ctx.forget(binding.declared)
