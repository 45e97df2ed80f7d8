"""Parts of values: indexes, slices, attributes."""

from __future__ import annotations

from .. import python_tree as py
from ..facts.kind_rules import index_kind, slice_kind
from ..facts.kinds import ANY, DICT, INT, LIST, RAW_DICT, RAW_LIST, STRING
from .unboxed import unboxed_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr

    from ...syntax import tree
    from ..context import Context, Typed


def index_of(ctx: Context, at: int, left: Typed, right: Typed) -> Typed:
    """Emit `x[i]`: by Python where the index is an int or a string, which Python takes as Starlark does."""
    x, mx = left
    i, mi = right
    if mx in (RAW_LIST, RAW_DICT):
        return unboxed_index(ctx, at, x, mx, right)
    result = index_kind(mx)
    if py.is_literal(x) and (mx != STRING or mi != INT):
        # Python has an opinion on it, and prints it.
        return py.helper(".index", [x, i], ctx.unit.op(at, ".index")), result
    if mi in (INT, STRING, INT | STRING):
        x, ref_x = ctx.once(x)
        i, ref_i = ctx.once(i)
        return py.subscript(x, i, ctx.unit.op(at, ".index", ref_x, ref_i)), result
    first_x, x, ref_x = ctx.bind(x)
    first_i, i, ref_i = ctx.bind(i)
    line = ctx.unit.op(at, ".index", ref_x, ref_i)
    names = ("str", "int") if mx & DICT else ("int", "str")
    tests = [py.is_class(i, kind, line) for kind in names]
    if first_x is x:
        tests[0] = py.is_class(first_i, names[0], line)
        test = py.boolean(py.OR, tests, line)
    else:
        kinds_differ = py.compare(py.class_of(first_x, line), py.IS_NOT, py.class_of(first_i, line), line)
        test = py.boolean(py.AND, [kinds_differ, py.boolean(py.OR, tests, line)], line)
    slow = py.helper(".index", [x, i], line)
    return py.conditional(test, py.subscript(x, i, line), slow, line), result


def slice_of(ctx: Context, node: tree.Slice, left: Typed) -> Typed:
    """`x[a:b:c]`: x, then its bounds and the step, then a new value of the same type.

    Python's slices of lists and strings are right.
    """
    # spec: starlark.slice
    x, mask = left
    raw = mask == RAW_LIST
    if raw:
        mask = LIST
    result = slice_kind(mask)
    nothing = py.constant(None, ctx.line), INT
    parts = [nothing if part is None else ctx.expr(part) for part in (node.lower, node.upper)]
    line = ctx.unit.op(node.at, ".slice_of", (node.operand.start,))
    literal = x.__class__.__name__ == "Constant" and mask != STRING
    possible = all(kind & INT for _part, kind in parts) and node.step is None and not raw and not literal
    if possible and not all(py.is_simple(part) for part, _ in parts):
        return evaluated_slice(ctx, node, left, parts), result
    plain = all(kind & INT and py.is_simple(part) for part, kind in parts)
    if raw and node.step is None and plain and all(kind == INT for _, kind in parts):
        return py.subscript(x, py.slice_between(parts[0][0], parts[1][0], line), line), LIST
    if node.step is not None or not plain or literal:
        step = py.constant(None, ctx.line) if node.step is None else ctx.value(node.step)
        return py.helper(".slice_of", [x, parts[0][0], parts[1][0], step], line), result
    tests = [py.is_class(part, "int", line) for part, kind in parts if kind != INT]
    lower, upper = parts[0][0], parts[1][0]
    if is_native(mask) and not tests:
        return py.subscript(x, py.slice_between(lower, upper, line), line), result
    first, x, _ref = ctx.bind(x)
    native = py.subscript(x, py.slice_between(lower, upper, line), line)
    slow = py.helper(".slice_of", [x, lower, upper, py.constant(None, line)], line)
    if tests:
        # The bounds are variables: looking at them first changes nothing.
        slow = py.helper(".slice_of", [first, lower, upper, py.constant(None, line)], line)
    either = py.boolean(py.OR, [py.is_class(first, ".List", line), py.is_class(x, "str", line)], line)
    made = py.conditional(
        either, native, py.helper(".slice_of", [x, lower, upper, py.constant(None, line)], line), line
    )
    if not tests:
        return made, result
    test = py.boolean(py.AND, tests, line) if len(tests) > 1 else tests[0]
    return py.conditional(test, made, slow, line), result


def is_native(mask: int) -> bool:
    """Return whether values are strings or lists, whose slices Python makes as Starlark does."""
    return bool(mask) and not mask & ~(STRING | LIST)


def evaluated_slice(ctx: Context, node: tree.Slice, left: Typed, parts: list[Typed]) -> expr:
    """Emit `x[a:b]` whose bounds are evaluated: all operands before the first test that fails."""
    if is_native(left[1]) and all(kind == INT for _part, kind in parts):
        return py.subscript(left[0], py.slice_between(parts[0][0], parts[1][0], ctx.line), ctx.line)
    first, x, _ref = ctx.bind(left[0])
    line = ctx.unit.op(node.at, ".slice_of", (node.operand.start,))
    bounds: list[expr] = []
    tests: list[expr] = []
    again: list[expr] = []
    for part, kind in parts:
        one, other, _ref = ctx.bind(part)
        bounds.append(other)
        if one is not other or kind != INT:
            tests.append(py.is_class(one, "int", line))
            again.append(py.is_class(other, "int", line))
    made = py.subscript(x, py.slice_between(bounds[0], bounds[1], line), line)
    whole = py.is_class(first, ".List", line)
    for test in tests:
        whole = py.binary(whole, "&", test, line)
    text = py.boolean(py.AND, [py.is_class(x, "str", line), *again], line)
    slow = py.helper(".slice_of", [x, *bounds, py.constant(None, line)], line)
    if left[1] == STRING:
        text_first = py.is_class(first, "str", line)
        for test in tests:
            text_first = py.binary(text_first, "&", test, line)
        return py.conditional(text_first, made, slow, line)
    return py.conditional(whole, made, py.conditional(text, made, slow, line), line)


def attribute_of(ctx: Context, node: tree.Dot, left: Typed) -> Typed:
    """`x.name`: the field of a struct directly, anything else by `.attribute`."""
    # spec: starlark.attribute
    x, _mask = left
    first, x, ref = ctx.bind(x)
    line = ctx.unit.op(node.at, ".attribute", ref, (node.name,))
    name = py.constant(node.name, line)
    native = py.subscript(py.attribute(x, "fields", line), name, line)
    slow = py.helper(".attribute", [x, name], line)
    return py.conditional(py.is_class(first, ".Struct", line), native, slow, line), ANY
