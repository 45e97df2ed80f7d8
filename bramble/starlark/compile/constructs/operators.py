"""Unary and binary operators, comparisons, `and` and `or`."""

from __future__ import annotations

from _ast import Constant

from ...runtime.limits import COMPARES_ANEW
from .. import python_tree as py
from ..facts import kinds
from ..facts.kinds import BOOL, DICT, FLOAT, INT, NONE, NUMBER, OTHER, RANGE, STRING
from ..facts.sites import KINDS
from .guards import (
    bounded,
    either,
    guard,
    guard_again,
    guard_test,
    is_short,
    is_short_text,
    is_small,
    same_equality,
    string_or_ints,
    two_ints,
    two_of_a_kind,
)
from .joining import joining
from .narrowing import both, found_by
from .short_ints import is_short_int
from .variables import condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Optional

    from ...syntax import tree
    from ..context import Context, Typed
    from .guards import Operand

HELPERS = {
    "+": ".add",
    "-": ".subtract",
    "*": ".multiply",
    "/": ".divide",
    "//": ".floor_divide",
    "%": ".modulo",
    "|": ".bit_or",
    "&": ".bit_and",
    "^": ".bit_xor",
    "<<": ".shift_left",
    ">>": ".shift_right",
    "==": ".equal",
    "!=": ".not_equal",
    "<": ".less",
    "<=": ".less_equal",
    ">": ".greater",
    ">=": ".greater_equal",
    "in": ".is_in",
    "not in": ".not_in",
}
UNARY_HELPERS = {"-": ".negate", "+": ".plus", "~": ".invert"}
# Those that compare.
ORDERED = frozenset({"==", "!=", "<", "<=", ">", ">="})
# Operators that no two ints can make fail.
_NEVER_FAIL = frozenset({"+", "-", "*", "|", "&", "^"})


def unary(ctx: Context, node: tree.Unary) -> Typed:
    """`not x`, `-x`, `+x`, `~x`: the operand, then the operator.

    Behind a test for an int it is Python's own, for any number where it surely is one.
    """
    # spec: starlark.arithmetic, starlark.bitwise
    if node.op == "not":
        return py.unary("not", condition(ctx, node.operand), ctx.line), BOOL
    operand, mask = ctx.expr(node.operand)
    if node.op == "-" and operand.__class__.__name__ == "Constant" and mask & NUMBER:
        return py.constant(-operand.value, ctx.line), mask  # type: ignore[attr-defined]
    result = kinds.of_unary(node.op, mask)
    if operand.__class__.__name__ == "Constant" and mask & NUMBER and node.op != "~":
        return py.unary(node.op, operand, ctx.line), result
    name = UNARY_HELPERS[node.op]
    if operand.__class__.__name__ == "Constant":
        # Python itself has an opinion on some of these, and prints it.
        return py.helper(name, [operand], ctx.unit.op(node.at, name)), result
    if mask == INT or (mask & ~NUMBER == 0 and node.op != "~"):
        return py.unary(node.op, operand, ctx.line), result
    first, again, ref = ctx.bind(operand)
    line = ctx.unit.op(node.at, name, ref)
    test = py.is_class(first, "int", line)
    native = py.unary(node.op, again, line)
    return py.conditional(test, native, py.helper(name, [again], line), line), result


def binary_operation(ctx: Context, op: str, at: int, left: Typed, right: Typed) -> Typed:
    """Emit `left op right`."""
    a, ma = left
    b, mb = right
    result = kinds.of_binary(op, ma, mb)
    name = HELPERS[op]
    if op in py.COMPARE:
        return comparison(ctx, op, at, left, right), BOOL
    joined = joining(ctx, op, at, left, right)
    if joined is not None:
        return joined, result
    how = guard(op, ma, mb, b)
    grows = op == "*" and ma & INT and mb & INT and not (is_short(a) or is_short(b))
    grows = grows and not (ma == INT and mb == INT and is_short_int(a) and is_short_int(b))
    if how == "never" and ma == INT and mb == INT and op in _NEVER_FAIL:
        made = py.binary(a, op, b, ctx.unit.op(at, name))
        return (bounded(ctx, made, True) if grows else made), result
    if how == "never":
        a, ref_a = ctx.once(a)
        b, ref_b = ctx.once(b)
        made = py.binary(a, op, b, ctx.unit.op(at, name, ref_a, ref_b))
        return (bounded(ctx, made, False) if grows else made), result
    if how == "always":
        return py.helper(name, [a, b], ctx.unit.op(at, name)), result
    first_a, a, ref_a = ctx.bind(a)
    first_b, b, ref_b = ctx.bind(b)
    line = ctx.unit.op(at, name, ref_a, ref_b)
    one, two = (first_a, a, ma), (first_b, b, mb)
    native = py.binary(a, op, b, line)
    slow = py.helper(name, [a, b], line)
    if grows and how != "int":
        # Two ints, then what else Python's operator may be used for.
        others = guard_again(how, a, b, line)
        slow = py.conditional(others, native, slow, line)
        return py.conditional(two_ints(one, two, line), bounded(ctx, native, True), slow, line), result
    fast = bounded(ctx, native, True) if grows else native
    return py.conditional(guard_test(how, one, two, line), fast, slow, line), result


def comparison(ctx: Context, op: str, at: int, left: Typed, right: Typed) -> expr:
    """Emit `left op right` for a comparison or a membership, by Python's operator where it says the same.

    `==` is wrong for bools and NaN, `<` for bools, NaN and containers, `in` for `True` among ints.
    """
    # spec: starlark.equality, starlark.order, starlark.membership
    name = HELPERS[op]
    a, ma = left
    b, mb = right
    if COMPARES_ANEW and op in ("in", "not in") and ma & STRING and mb & STRING and not is_short_text(a):
        return py.helper(name, [a, b], ctx.unit.op(at, name))
    special = against_display(ctx, op, at, left, b)
    if special is not None:
        return special
    exact = (ma == INT and mb == INT) or (ma == STRING and mb == STRING)
    if exact or (op in ("in", "not in") and ma == STRING and not mb & (RANGE | OTHER)):
        a, ref_a = ctx.once(a)
        b, ref_b = ctx.once(b)
        return py.compare(a, py.COMPARE[op], b, ctx.unit.op(at, name, ref_a, ref_b))
    first_a, a, ref_a = ctx.bind(a)
    first_b, b, ref_b = ctx.bind(b)
    line = ctx.unit.op(at, name, ref_a, ref_b)
    one, two = (first_a, a, ma), (first_b, b, mb)
    if op in ("in", "not in"):
        return membership(op, one, two, line)
    if op in ("==", "!="):
        made = equality(op, one, two, line)
        test = string_or_ints
    else:
        made = ordering(op, one, two, line)
        test = two_of_a_kind
    if made is None and not ma & mb & (INT | STRING):
        return py.helper(name, [first_a, first_b], line)
    return either(test(one, two, line), op, a, b, name, line) if made is None else made


def sequence_comparison(ctx: Context, node: tree.Binary, left: Typed) -> Optional[expr]:
    """Emit the comparison of two tuples or lists by Python's operator, where nothing in them differs.

    That is where all in them are strings or ints: among others may be a bool or NaN. Long ones are left to
    the function, which can be interrupted. None: it is not known.
    """
    sites, rules = ctx.unit.rules.sites, ctx.unit.rules
    one, two = rules.value(node.left), rules.value(node.right)
    # None can be compared by `==` and `!=`, but has no order.
    scalars = INT | STRING | (NONE if node.op in ("==", "!=") else 0)
    known = min(sites.plain(one, scalars), sites.plain(two, scalars))
    if not known or one & KINDS != two & KINDS:
        return None
    name = HELPERS[node.op]
    first_a, a, ref_a = ctx.bind(left[0])
    first_b, b, ref_b = ctx.bind(ctx.expr(node.right)[0])
    line = ctx.unit.op(node.at, name, ref_a, ref_b)
    if known == 2:
        return py.compare(first_a, py.COMPARE[node.op], first_b, line)
    return either(is_small(first_a, line), node.op, a, first_b, name, line)


def against_display(ctx: Context, op: str, at: int, left: Typed, b: expr) -> Optional[expr]:
    """Emit `x == []`, `x == {}`, `x in ("a", "b")` by a look at x alone, or return None for anything else."""
    name = HELPERS[op]
    display = py.is_new_list(b) and hasattr(b, "elts")
    made_by = ".List" if display else ".Dict"
    empty_dict = py.is_new_dict(b) and not getattr(b, "values", True)
    if op in ("==", "!=") and (empty_dict or (display and not b.elts)):  # type: ignore[attr-defined]
        first, a, _ref = ctx.bind(left[0])
        line = ctx.unit.op(at, name)
        empty = py.unary("not", a, line)
        native = empty if op == "==" else py.unary("not", empty, line)
        scalar = py.COMPARE["not in" if op == "==" else "in"]
        other = py.boolean(
            py.AND if op == "==" else py.OR,
            [
                py.compare(py.class_of(a, line), scalar, py.load(".in_scalar", line), line),
                py.helper(name, [a, b], line),
            ],
            line,
        )
        return py.conditional(py.is_class(first, made_by, line), native, other, line)
    if op not in ("in", "not in"):
        return None
    if display:
        b = py.tuple_of(b.elts, ctx.line)  # type: ignore[attr-defined]
    items = getattr(b, "elts", ()) if b.__class__.__name__ == "Tuple" else ()
    classes = {item.value.__class__ if item.__class__.__name__ == "Constant" else None for item in items}
    if not classes or not classes <= {str, int}:
        return None
    if int not in classes or not left[1] & BOOL:
        return py.compare(left[0], py.COMPARE[op], b, ctx.line)
    # Python takes True for 1.
    first, a, _ref = ctx.bind(left[0])
    line = ctx.unit.op(at, name)
    test = py.compare(py.class_of(first, line), py.IS_NOT, py.class_named("bool", line), line)
    return either(test, op, a, b, name, line)


def membership(op: str, left: Operand, right: Operand, line: int) -> expr:
    """Emit `in` or `not in`, by Python's for a string in what is no range, or an int in a dict."""
    first_a, a, ma = left
    first_b, b, mb = right
    if first_a is not a and first_b is not b:
        return py.helper(HELPERS[op], [first_a, first_b], line)
    not_range = py.compare(py.class_of(first_b, line), py.IS_NOT, py.class_named("range", line), line)
    plain = py.is_class(first_a if first_b is b else a, "str", line)
    if ma == STRING and first_a is a:
        return either(not_range, op, a, b, HELPERS[op], line)
    if ma & INT:
        # Among the elements of a list there may be True, which Python takes for 1.
        table = py.is_class(b, ".Dict", line)
        number = py.is_class(a, "int", line)
        if mb & ~DICT:
            number = py.boolean(py.AND, [number, table], line)
        plain = py.boolean(py.OR, [plain, number], line)
    tests = [plain, not_range] if first_b is b else [not_range, plain]
    test = py.boolean(py.AND, tests, line) if mb & (RANGE | OTHER) or first_b is not b else plain
    return either(test, op, a, b, HELPERS[op], line)


def ordering(op: str, left: Operand, right: Operand, line: int) -> Optional[expr]:
    """Emit `<` and its like where one operand is known to be a number, or return None."""
    first_a, a, ma = left
    first_b, b, mb = right
    name = HELPERS[op]
    literal = b.__class__.__name__ == "Constant"
    if not ma & ~NUMBER and not mb & ~NUMBER and literal:
        return with_literal(op, first_a, first_b, line)
    if mb & ~NUMBER == 0 and ma & FLOAT and not ma & INT and literal:
        direct = with_literal(op, a, b, line)
        return py.conditional(
            py.is_class(first_a, "float", line), direct, py.helper(name, [a, b], line), line
        )
    if mb == INT and first_b is b:
        return either(py.is_class(first_a, "int", line), op, a, b, name, line)
    if ma == INT and first_a is a:
        return either(py.is_class(first_b, "int", line), op, a, b, name, line)
    return None


def with_literal(op: str, number: expr, literal: expr, line: int) -> expr:
    """Emit the order of a number, which may be NaN, and a literal, which is not.

    NaN is greater than all other numbers, and Python finds it neither less nor greater.
    """
    # spec: starlark.order
    if op in ("<", "<="):
        return py.compare(number, py.COMPARE[op], literal, line)
    return py.unary("not", py.compare(number, py.COMPARE["<=" if op == ">" else "<"], literal, line), line)


def is_text_or_number(node: expr) -> bool:
    """Return whether an operand is a literal, and not None or a bool."""
    return isinstance(node, Constant) and node.value.__class__ is not bool and node.value is not None


def equality(op: str, left: Operand, right: Operand, line: int) -> Optional[expr]:
    """Emit `==` or `!=` without a test of classes, or return None when one is needed."""
    first_a, a, ma = left
    first_b, b, mb = right
    direct = py.compare(first_a, py.COMPARE[op], first_b, line)
    identical = py.IS if op == "==" else py.IS_NOT
    literals = first_a.__class__.__name__ == first_b.__class__.__name__ == "Constant"
    if not literals and (NONE in (ma, mb) or (mb == BOOL and ma & BOOL) or (ma == BOOL and mb & BOOL)):
        # None and the bools are equal to themselves only.
        if is_text_or_number(first_a) or is_text_or_number(first_b):
            # Python warns of `is` beside a literal, and beside None the other operator says the same.
            return direct
        return py.compare(first_a, identical, first_b, line)
    if same_equality(ma, mb):
        return direct
    if b.__class__.__name__ != "Constant" or mb != INT:
        return None
    value = b.value  # type: ignore[attr-defined]
    if value not in (0, 1) or not ma & BOOL:
        return direct
    lookalike = py.constant(bool(value), line)
    if op == "==":
        return py.boolean(py.AND, [direct, py.compare(a, py.IS_NOT, lookalike, line)], line)
    return py.boolean(py.OR, [direct, py.compare(a, py.IS, lookalike, line)], line)


def logic(ctx: Context, first: Typed, run: list[tree.Binary]) -> Typed:
    """`a and b and c`: up to the first one that decides; `run` are the links after the first operand."""
    # spec: starlark.expr.logic
    values = [first[0]]
    mask = first[1]
    holds = 0 if run[0].op == "and" else 1
    narrowed, before = ctx.narrowed, run[0].left
    for node in run:
        ctx.narrowed = both(ctx.narrowed, found_by(ctx, before)[holds])
        value, kind = ctx.expr(node.right)
        values.append(value)
        mask |= kind
        before = node.right
    ctx.narrowed = narrowed
    return py.boolean(py.AND if run[0].op == "and" else py.OR, values, ctx.line), mask
