"""Ints that surely are short: no text of them is too long, and no product of two of them explodes.

What a loop over a range gives is one of 64 bits, for the bounds of a range are; a length is one, and so is
what is left by a short divisor. An operator on short ints makes one that is little longer, and a formula has
only so many operators.
"""

from __future__ import annotations

from _ast import Add, BinOp, Call, Constant, FloorDiv, Mod, Mult, Name, NamedExpr, Sub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr

    from ...syntax.scopes import Binding
    from ..context import Context

# Operators inside one another that are looked at, and bits of a literal.
_DEPTH = 5
_BITS = 64


def is_loop_number(ctx: Context, binding: Binding) -> bool:
    """Return whether a local variable is only ever given items of ranges, or the numbers of `enumerate`."""
    assigned = ctx.unit.inference.facts[ctx.start].assigned.get(binding.declared)
    if not assigned or binding.index in ctx.parameters:
        return False
    universal = ctx.unit.rules.universal
    for how, value in assigned:
        if how == "part":
            how, value, number, count = value
            if (number, count) != (0, 2) or universal(value) != "enumerate" or len(value.arguments) != 1:
                return False
        elif universal(value) != "range" if how == "item" else True:
            return False
        if how != "item":
            return False
    return True


def mark(loaded: expr) -> None:
    """Note that a variable is short where it is loaded."""
    loaded.short = True  # type: ignore[attr-defined]


def is_short_int(value: expr, depth: int = _DEPTH) -> bool:
    """Return whether an expression that gives an int gives a short one."""
    if isinstance(value, Name):
        return hasattr(value, "short")
    if isinstance(value, Constant):
        return value.value.__class__ is int and value.value.bit_length() <= _BITS
    if isinstance(value, NamedExpr):
        return is_short_int(value.value, depth)
    if isinstance(value, Call):
        return isinstance(value.func, Name) and value.func.id == ".native_len"
    if not isinstance(value, BinOp) or not depth:
        return False
    if isinstance(value.op, Mod):
        return is_short_int(value.right, depth - 1)
    if isinstance(value.op, FloorDiv):
        return is_short_int(value.left, depth - 1)
    return (
        isinstance(value.op, (Add, Sub, Mult))
        and is_short_int(value.left, depth - 1)
        and is_short_int(value.right, depth - 1)
    )
