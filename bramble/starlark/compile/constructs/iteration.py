"""What a loop or a comprehension iterates, and how careful it must be."""

from __future__ import annotations

from _ast import BoolOp, NamedExpr

from ...runtime.seldom import HELD
from ...syntax import tree
from .. import python_tree as py
from ..facts import ownership
from ..facts.collect import strip
from ..facts.kinds import DICT, LIST, RANGE, RAW_DICT, RAW_LIST, STRING, TUPLE
from ..facts.names import FRESH
from .guards import is_plain_dict, is_short_text, own_dict
from .methods import is_short, slow_method
from .universal_calls import loop_range
from .variables import has_plain_keys, iterated, looked_at, may_lack_value, unless_odd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Any, Optional

    from ..context import Context

# Nothing to check; iterable by Python once its class is known; the same, but to be held in a variable, where
# it is found if it is to be locked late (runtime/seldom.py); to be locked while it is iterated; as FREE where
# the first branch of the conditional expression is taken, else to be locked.
FREE, CHECK, HOLD, LOCK, VIEW = "free", "check", "hold", "lock", "view"


def is_fresh(ctx: Context, node: tree.Expr) -> bool:
    """Return whether an expression makes a new value that no other code can change."""
    node = strip(node)
    if isinstance(node, (tree.List, tree.Tuple, tree.Dict, tree.Comprehension, tree.Slice)):
        return True
    return isinstance(node, tree.Call) and ctx.is_universal(node.function) in FRESH


def items_of(ctx: Context, node: tree.Expr, loop: int) -> tuple[expr, str, int]:
    """Return what a loop iterates, how careful it must be, and how many parts each item surely has.

    `loop` is where the loop or the comprehension begins.
    """
    inner = strip(node)
    if isinstance(inner, tree.Call) and not ctx.limited and ctx.is_universal(inner.function) == "range":
        given = [a for a in inner.arguments if isinstance(a, tree.Expr)]
        if len(given) == len(inner.arguments) and 1 <= len(given) <= 3:
            return loop_range(ctx, inner, given), FREE, 0
    if isinstance(inner, tree.Call):
        made = lazy_items(ctx, inner, loop)
        if made is not None:
            return made
    value, mask = iterated(ctx, node)
    parts = ctx.unit.rules.parts(node)
    if mask in (RAW_LIST, RAW_DICT):
        return value, FREE, parts
    if mask == RANGE:
        return bounded_rounds(ctx, value, ctx.unit.op(node.start, ".enter")), FREE, parts
    if mask == TUPLE or (mask == LIST and is_fresh(ctx, node)):
        return value, FREE, parts
    if is_fresh(ctx, node):
        return value, CHECK, parts
    care = _CARE[ctx.unit.ownership.needs_lock(ctx.start, loop, node)]
    # Frozen or not, a list is one of Python's to Python.
    return value, FREE if care == CHECK and not mask & ~(LIST | TUPLE) else care, parts


_CARE = {ownership.NO_LOCK: CHECK, ownership.LATE_LOCK: HOLD, ownership.LOCK: LOCK}


def held_name(ctx: Context) -> str:
    """Return the name of a new variable where what is iterated is found to be locked."""
    return f"{HELD}{ctx.temp()}"


def bounded_rounds(ctx: Context, value: expr, line: int) -> expr:
    """Emit what a loop iterates, which may be a range; where steps are counted nothing more is needed."""
    return value if ctx.limited else py.helper(".rounds", [value], line)


def lazy_items(ctx: Context, node: tree.Call, loop: int) -> Optional[tuple[expr, str, int]]:
    """Return the items of a call that would make a list only for this loop, without the list."""
    given = [a for a in node.arguments if isinstance(a, tree.Expr)]
    count = len(given)
    if count < len(node.arguments):
        return None
    name = ctx.is_universal(node.function)
    if (name == "enumerate" and count in (1, 2)) or (name == "zip" and count):
        args = [iterated(ctx, a)[0] for a in given]
        line = ctx.unit.op(node.at, f".each_{name}")
        plain = count == 1 if name == "enumerate" else True
        if plain and not any(ctx.unit.ownership.needs_lock(ctx.start, loop, a) for a in given):
            # Nothing changes them meanwhile, so they need not be copied.
            numbers = [py.constant(number, line) for number in range(1, count + 1)]
            # All of them are evaluated before the first is looked at.
            bound = [ctx.bind(a)[:2] for a in args] if count > 1 else [(args[0], args[0])]
            made = [
                first
                for (first, again), a in zip(bound, given)
                if first is not again or may_lack_value(ctx, a)
            ]
            sure = [settled(ctx, name, a, number, line) for (_, a), number in zip(bound, numbers)]
            items = py.sequence(made, py.helper(f"c.{name}", sure, line), line)
            return items, FREE, 2 if name == "enumerate" else count
        return py.helper(f".each_{name}", args, line), FREE, 2 if name == "enumerate" else count
    function = strip(node.function)
    if isinstance(function, tree.Dot) and function.name == "split" and count == 1:
        separator = strip(given[0])
        if isinstance(separator, tree.Literal) and is_short_text(ctx.value(separator)) and separator.value:
            return split_items(ctx, node, function, separator)
    if isinstance(function, tree.Dot) and count == 0:
        if function.name in ("items", "keys", "values"):
            return dict_items(ctx, node, function, loop)
        if function.name in ("elems", "codepoints"):
            x, mask = ctx.expr(function.operand)
            if mask == STRING:
                return x, FREE, 0
    return None


def settled(ctx: Context, name: str, value: expr, number: expr, line: int) -> expr:
    """Return an argument of `enumerate` or `zip` as something that Python can iterate."""
    first, again, _ref = ctx.bind(value)
    slow = bounded_rounds(ctx, py.helper(".settled", [py.constant(name, line), number, again], line), line)
    return py.conditional(py.is_class(first, ".List", line), again, slow, line)


def split_items(
    ctx: Context, node: tree.Call, dot: tree.Dot, separator: tree.Literal
) -> tuple[expr, str, int]:
    """Return `x.split("literal")` as a list of Python's own, or of a very long text as any value."""
    value, mask = ctx.expr(dot.operand)
    first, x, _ref = ctx.bind(value)
    line = ctx.unit.op(node.at, "method", (dot.at,))
    literal = py.constant(separator.value, line)
    native = py.method("split", x, [literal], line)
    if mask == STRING:
        made = py.helper(".split_at", [x, literal], line)
        test = is_short(first, line)
        return py.conditional(test, native, made, line), FREE, 0
    test = py.boolean(py.AND, [py.is_class(first, "str", line), is_short(x, line)], line)
    return py.conditional(test, native, slow_method(ctx, node, dot, x, [], [], [literal]), line), VIEW, 0


def dict_items(ctx: Context, node: tree.Call, dot: tree.Dot, loop: int) -> tuple[expr, str, int]:
    """Return `d.items()` and its like as a view or a list of Python's own; VIEW: or as any value."""
    value, mask = looked_at(ctx, dot.operand)
    if mask == RAW_DICT:
        line = ctx.unit.op(node.at, "method")
        parts = 2 if dot.name == "items" else 0
        view = py.method(dot.name, value, [], line)
        if ctx.unit.ownership.needs_lock(ctx.start, loop, dot.operand):
            # What is iterated is a copy of what the dict holds now.
            view = py.helper(".native_list", [view], line)
        if dot.name != "values" and not has_plain_keys(ctx, dot.operand):
            return unless_odd(value, view, f".raw_{dot.name}", line), FREE, parts
        return view, FREE, parts
    first, x, _ref = ctx.bind(value)
    line = ctx.unit.op(node.at, "method", (dot.at,))
    native = py.method(dot.name, x, [], line)
    if ctx.unit.ownership.needs_lock(ctx.start, loop, dot.operand):
        # What is iterated is a copy of what the dict holds now.
        native = py.helper(".native_list", [native], line)
    slow = slow_method(ctx, node, dot, x, [], [], [])
    test = is_plain_dict(first, x, line)
    # A struct may have a field of this name, whose result may be any list.
    care = FREE if mask == DICT else VIEW
    return py.conditional(test, native, slow, line), care, 2 if dot.name == "items" else 0


def without_first(items: expr) -> tuple[list[expr], expr]:
    """Return what a conditional expression of `split_items` or `dict_items` evaluates first, and the rest.

    It has tests of the class of the operand, of which the first evaluates it.
    """
    node: Any = items.test  # type: ignore[attr-defined]
    while isinstance(node.values[0], BoolOp):
        node = node.values[0]
    tested = node.values[0].left
    kept = tested.value
    if not isinstance(kept, NamedExpr):
        return [], items
    tested.value = py.load(kept.target.id, kept.lineno)
    return [kept], items


def any_items(value: expr, target: tree.Expr, parts: int, line: int) -> expr:
    """Emit what is iterated of a value where Python's own view, of items of so many parts, was expected."""
    marked = py.helper(".marked", [py.load("$s", line), value], line)
    pairs = parts == 2 and isinstance(target, (tree.Tuple, tree.List)) and len(target.items) == 2
    return py.helper(".pairs", [marked], line) if pairs else marked


def checked_items(ctx: Context, value: expr, line: int) -> expr:
    """Return an iterable for Python of a value that need not be locked."""
    first, again, _ref = ctx.bind(value)
    plain = py.boolean(
        py.OR,
        [
            py.is_class(first, ".List", line),
            own_dict(again, line),
            py.compare(py.class_of(again, line), py.COMPARE["in"], py.load(".in_iterable", line), line),
        ],
        line,
    )
    slow = bounded_rounds(ctx, py.helper(".iterate", [again], line), line)
    return py.conditional(plain, again, slow, line)


def counted_step(line: int) -> expr:
    """Emit the call that counts a step and is always true."""
    return py.call(py.attribute(py.load("$s", line), "tick", line), [], line)
