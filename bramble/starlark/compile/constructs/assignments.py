"""Assignments: plain, to elements, to several targets at once, and augmented."""

from __future__ import annotations

from _ast import IfExp

from ...syntax import tree
from .. import python_tree as py
from ..facts import kinds
from ..facts.collect import strip
from ..facts.kinds import ANY, INT, LIST, RAW_DICT, RAW_LIST, STRING, TUPLE
from .guards import is_free, is_free_list
from .operators import binary_operation
from .subscripts import attribute_of, index_of
from .targets import store_call, unpackable
from .unboxed import unboxed_store
from .variables import may_lack_value, store_name, unboxed_variable, variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr, stmt
    from collections.abc import Sequence
    from typing import Any

    from ..context import Context, Typed

# What Python unpacks as Starlark does, or refuses as well.
_UNPACKED = LIST | TUPLE | kinds.NONE | kinds.BOOL | INT | kinds.FLOAT
# Methods of strings that give three parts.
_THREE = frozenset({"partition", "rpartition"})


def assign(ctx: Context, node: tree.Assign) -> list[stmt]:
    """`target = value`: the value, then the target; several targets from left to right.

    Where as many values are written as targets, no tuple is made that could be unpacked in vain.
    """
    # spec: starlark.assign
    target = strip(node.target)
    given = strip(node.value)
    if (
        isinstance(target, (tree.Tuple, tree.List))
        and isinstance(given, (tree.Tuple, tree.List))
        and len(target.items) == len(given.items)
        and target.items
    ):
        pairs = zip(target.items, given.items)
        values = py.tuple_of([value_for(ctx, t, item) for t, item in pairs], ctx.line)
        targets, later = targets_of(ctx, target.items, node.at)
        return [py.assign(py.tuple_of(targets, ctx.line, py.STORE), values, ctx.line), *later]
    if isinstance(target, tree.Name):
        value = value_for(ctx, target, node.value)
        return [py.assign(store_name(ctx, target), value, ctx.line)]
    value, mask = ctx.expr(node.value)
    if isinstance(target, (tree.Tuple, tree.List)) and target.items:
        rules = ctx.unit.rules
        if rules.sites.length(rules.value(given)) == len(target.items):
            targets, later = targets_of(ctx, target.items, node.at)
            return [py.assign(py.tuple_of(targets, ctx.line, py.STORE), value, ctx.line), *later]
    return assign_to(ctx, target, value, mask, node.at)


def value_for(ctx: Context, target: tree.Expr, node: tree.Expr) -> expr:
    """Emit what is assigned to a target: Python's own list or dict for a variable that holds such."""
    kind = unboxed_variable(ctx, target)[1]
    if not kind:
        return ctx.value(node)
    node = strip(node)
    raw, _kind = unboxed_variable(ctx, node)
    if raw is not None:
        return raw
    if isinstance(node, tree.Binary) and node.op == "*" and isinstance(strip(node.left), tree.List):
        return repeated(ctx, node)
    return ctx.value(node)


def repeated(ctx: Context, node: tree.Binary) -> expr:
    """Emit `[…] * n` as a list of Python's own."""
    left: Any = strip(node.left)
    items = py.list_of([ctx.value(item) for item in left.items], ctx.line)
    count = ctx.value(node.right)
    return py.helper(".repeat_raw", [items, count], ctx.unit.op(node.at, ".repeat_raw"))


def assign_to(ctx: Context, target: tree.Expr, value: expr, mask: int, at: int) -> list[stmt]:
    """Return the statements that assign a value, which is evaluated first, to a target."""
    if isinstance(target, tree.Name):
        return [py.assign(store_name(ctx, target), value, ctx.line)]
    if isinstance(target, (tree.Tuple, tree.List)):
        return unpack_to(ctx, target.items, value, mask, at)
    first: list[stmt] = []
    if not py.is_simple(value):
        name = ctx.temp()
        first.append(py.assign(py.store(name, ctx.line), value, ctx.line))
        value = py.load(name, ctx.line)
    if isinstance(target, tree.Index):
        return first + set_index(ctx, target, value)
    return [*first, py.expression(store_call(ctx, target, value), ctx.line)]


def set_index(ctx: Context, target: tree.Index, value: expr) -> list[stmt]:
    """Return the statements of `x[i] = value`, for a value that is evaluated already."""
    made: list[stmt] = []
    x = hold_operand(ctx, target.operand, made)
    i = hold(ctx, target.index, made)
    return made + set_element(ctx, target, x, i, value)


def set_element(ctx: Context, target: tree.Index, x: Typed, i: Typed, value: expr) -> list[stmt]:
    """Return the statement of `x[i] = value` for three variables or literals."""
    xs, mx = x
    key, mask = i
    if mx in (RAW_LIST, RAW_DICT):
        return unboxed_store(ctx, target.at, xs, mx, i, value)
    refs = [ctx.bind(part)[2] for part in (xs, key, value)]
    line = ctx.unit.op(target.at, ".set_index", "$s", *refs)
    slow = py.expression(py.helper(".set_index", [py.load("$s", line), xs, key, value], line), line)
    if not mask & (INT | STRING) or xs.__class__.__name__ == "Constant":
        return [slow]
    classes = []
    if mx & kinds.DICT:
        classes.append(is_free(xs, xs, ".Dict", line))
    if mx & LIST and mask & INT:
        # What is likely comes first.
        classes.insert(0 if mask == INT else 1, is_free_list(xs, xs, line))
    sure = ctx.unit.ownership.changeable(ctx.start, target.operand)
    if not classes:
        return [slow]
    native = py.assign(py.subscript(xs, key, line, py.STORE), value, line)
    tests = [classes[0] if len(classes) == 1 else py.boolean(py.OR, classes, line)]
    if sure and (mx == kinds.DICT or (mx == LIST and mask == INT)):
        tests = []
    if mask & ~(INT | STRING):
        keys = []
        if mask & STRING:
            keys.append(py.is_class(key, "str", line))
        if mask & INT:
            keys.append(py.is_class(key, "int", line))
        tests.append(keys[0] if len(keys) == 1 else py.boolean(py.OR, keys, line))
    if not tests:
        return [native]
    test = tests[0] if len(tests) == 1 else py.boolean(py.AND, tests, line)
    return [py.if_statement(test, [native], [slow], line)]


def unpack_to(ctx: Context, items: Sequence[tree.Expr], value: expr, mask: int, at: int) -> list[stmt]:
    """Return the statements that take a value apart: exactly as many items as targets."""
    # spec: starlark.assign.unpack
    made: list[stmt] = []
    if makes_three(value) and len(items) == 3:
        line = ctx.unit.op(at, ".unpack")
        slow: Any = value
        slow.orelse = py.helper(".unpack", [slow.orelse, py.constant(len(items), line)], line)
        targets, later = targets_of(ctx, items, at)
        return [py.assign(py.tuple_of(targets, line, py.STORE), value, line), *later]
    if not py.is_simple(value):
        name = ctx.temp()
        made.append(py.assign(py.store(name, ctx.line), value, ctx.line))
        value = py.load(name, ctx.line)
    count = len(items)
    if not count or value.__class__.__name__ == "Constant":
        line = ctx.unit.op(at, ".unpack")
        unpacked = py.helper(".unpack", [value, py.constant(count, line)], line)
    else:
        line = ctx.unit.op(at, ".unpack", value.id, (count,))  # type: ignore[attr-defined]
        unpacked = value if not mask & ~_UNPACKED else unpackable(value, count, line)
    if not count:
        return [*made, py.expression(unpacked, line)]
    targets, later = targets_of(ctx, items, at)
    return [*made, py.assign(py.tuple_of(targets, line, py.STORE), unpacked, line), *later]


def makes_three(value: expr) -> bool:
    """Return whether an expression is Python's `partition` or its like, behind a test for a string."""
    call: Any = value.body if isinstance(value, IfExp) else None
    name = getattr(getattr(call, "func", None), "attr", "")
    return name in _THREE


def targets_of(ctx: Context, items: Sequence[tree.Expr], at: int) -> tuple[list[expr], list[stmt]]:
    """Return Python targets for the parts of a value, and what is to be assigned from them after that."""
    targets: list[expr] = []
    later: list[stmt] = []
    stripped = [strip(item) for item in items]
    simple = all(isinstance(item, tree.Name) for item in stripped)
    for item in stripped:
        if simple and isinstance(item, tree.Name):
            targets.append(store_name(ctx, item))
        else:
            name = ctx.temp()
            targets.append(py.store(name, ctx.line))
            later += assign_to(ctx, item, py.load(name, ctx.line), ANY, at)
    return targets, later


def assign_augmented(ctx: Context, node: tree.AugAssign) -> list[stmt]:
    """`x op= y`: as `x = x op y`, with the operands of `x` evaluated once, before y.

    `+=` changes a list in place, `|=` a dict or a set.
    """
    # spec: starlark.assign.augmented
    target = strip(node.target)
    if isinstance(target, tree.Name):
        raw, _kind = unboxed_variable(ctx, target)
        if raw is not None:
            added = ctx.value(node.value)
            return [py.expression(py.method("extend", raw, [added], ctx.line), ctx.line)]
        old = variable(ctx, target)
        if node.op == "+" and old[1] == LIST and ctx.unit.ownership.changeable(ctx.start, target):
            value, mask = ctx.expr(node.value)
            if not mask & ~(LIST | TUPLE):
                return [py.expression(py.method("extend", old[0], [value], ctx.line), ctx.line)]
            if py.is_simple(old[0]) and mask & LIST:
                return extended(ctx, node, target, old[0], value)
            return [py.assign(store_name(ctx, target), augmented_by(ctx, node, old, (value, mask)), ctx.line)]
        return [py.assign(store_name(ctx, target), augmented(ctx, node, old), ctx.line)]
    made: list[stmt] = []
    if isinstance(target, tree.Index):
        operand = hold_operand(ctx, target.operand, made)
        key = hold(ctx, target.index, made)
        element, kind = index_of(ctx, target.at, operand, key)
        old = element, kind & ctx.unit.rules.kind(target)
        name = ctx.temp()
        made.append(py.assign(py.store(name, ctx.line), augmented(ctx, node, old), ctx.line))
        return made + set_element(ctx, target, operand, key, py.load(name, ctx.line))
    if isinstance(target, tree.Dot):
        operand = hold(ctx, target.operand, made)
        new = augmented(ctx, node, attribute_of(ctx, target, operand))
        line = ctx.unit.op(target.at, ".set_attribute")
        store = py.helper(".set_attribute", [operand[0], py.constant(target.name, line), new], line)
        return [*made, py.expression(store, line)]
    raise AssertionError("the parser has checked the target")


def extended(ctx: Context, node: tree.AugAssign, target: tree.Name, old: expr, added: expr) -> list[stmt]:
    """Return the statements of `x += y` for a list that may be changed: by Python's own for another list."""
    name = ctx.temp()
    value = py.load(name, ctx.line)
    line = ctx.unit.op(node.at, ".add_in_place", "$s", *[ctx.bind(part)[2] for part in (old, value)])
    made = py.helper(".add_in_place", [py.load("$s", line), old, value], line)
    slow = py.assign(store_name(ctx, target), made, ctx.line)
    native = py.expression(py.method("extend", old, [value], ctx.line), ctx.line)
    return [
        py.assign(py.store(name, ctx.line), added, ctx.line),
        py.if_statement(py.is_class(value, ".List", ctx.line), [native], [slow], ctx.line),
    ]


def hold(ctx: Context, node: tree.Expr, made: list[stmt]) -> Typed:
    """Evaluate an expression once, before anything else, and return how to get its value again."""
    value, mask = ctx.expr(node)
    if py.is_simple(value):
        return value, mask
    name = ctx.temp()
    made.append(py.assign(py.store(name, ctx.line), value, ctx.line))
    return py.load(name, ctx.line), mask


def hold_operand(ctx: Context, node: tree.Expr, made: list[stmt]) -> Typed:
    """Evaluate what has elements as `hold` does, but a variable with Python's own list or dict as it is."""
    raw, kind = unboxed_variable(ctx, node)
    if raw is None:
        return hold(ctx, node, made)
    if may_lack_value(ctx, node):
        made.append(py.expression(raw, raw.lineno))
    return raw, kind


def augmented(ctx: Context, node: tree.AugAssign, old: Typed) -> expr:
    """Return the new value of an augmented assignment's target."""
    return augmented_by(ctx, node, old, ctx.expr(node.value))


def augmented_by(ctx: Context, node: tree.AugAssign, old: Typed, right: Typed) -> expr:
    """Return the new value of a target: in place for a list, dict or set, else by the operator."""
    in_place = LIST if node.op == "+" else (kinds.DICT | kinds.SET if node.op == "|" else 0)
    if not old[1] & in_place:
        return binary_operation(ctx, node.op, node.at, old, right)[0]
    helper = ".add_in_place" if node.op == "+" else ".or_in_place"
    first_a, a, ref_a = ctx.bind(old[0])
    first_b, b, ref_b = ctx.bind(right[0])
    line = ctx.unit.op(node.at, helper, "$s", ref_a, ref_b)
    slow = py.helper(helper, [py.load("$s", line), a, b], line)
    native = py.binary(a, node.op, b, line)
    if right[1] == INT and first_b is b:
        test = py.is_class(first_a, "int", line)
    else:
        integer, string = py.class_named("int", line), py.class_named("str", line)
        class_a, class_b = py.class_of(first_a, line), py.class_of(first_b, line)
        test = py.both(class_a, py.IS, class_b, py.IS, integer, line)
        if node.op == "+" and old[1] & right[1] & STRING:
            strings = py.both(py.class_of(a, line), py.IS, py.class_of(b, line), py.IS, string, line)
            test = py.boolean(py.OR, [test, strings], line)
    return py.conditional(test, native, slow, line)
