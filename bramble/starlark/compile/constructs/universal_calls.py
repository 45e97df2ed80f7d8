"""Calls of universal functions, without the detour of a value."""

from __future__ import annotations

from _ast import FormattedValue, IfExp, JoinedStr

from ...runtime.iteration import MOST_ROUNDS
from ...runtime.universe import SHORT_NUMBER
from .. import python_tree as py
from ..facts import kinds
from ..facts.kinds import ANY, DICT, INT, LIST, RAW_LIST, STRING
from .arguments import words_as_dict
from .guards import is_small, is_small_dict
from .joining import dicts
from .short_ints import is_short_int
from .variables import iterated, looked_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Any, Optional

    from ...syntax import tree
    from ..context import Context, Typed

# Universal functions of positional arguments that are called directly, with their least and most arguments.
DIRECT: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("abs", "all", "any", "bool", "chr", "dir", "float", "hash", "int", "len"), (1, 1)),
    **dict.fromkeys(("ord", "repr", "reversed", "str", "type"), (1, 1)),
    **dict.fromkeys(("list", "set", "tuple"), (0, 1)),
    "enumerate": (1, 2),
    "getattr": (2, 3),
    "hasattr": (2, 2),
    "range": (1, 3),
    "zip": (0, 99),
}
# Those that take the thread and the argument list as values.
# Those that take nothing of an argument but its items: their first one, all of `zip`'s.
TAKES_ITEMS = frozenset(
    {"all", "any", "enumerate", "list", "max", "min", "reversed", "set", "sorted", "tuple", "zip"}
)
_BIG = 1 << 63
# Python compares ints of one of its digits sooner than others.
_ONE_DIGIT = (1 << 30) - 1
_FARTHEST = MOST_ROUNDS // 2
# The functions of `sorted`, by the keywords that it is given.
_SORTS: dict[tuple[str, ...], str] = {
    (): ".sorted1",
    ("reverse",): ".sorted1",
    ("key",): ".sorted_by",
    ("key", "reverse"): ".sorted_by",
}
# Functions of a list of Python's own that are Python's own.
_OF_PYTHON = frozenset({"all", "any", "tuple"})
INDIRECT = frozenset({"dict", "fail", "int", "max", "min", "print", "sorted"})


def call_universal(
    ctx: Context, node: tree.Call, name: str, positional: list[tree.Expr], named: list[tree.NamedArgument]
) -> Optional[Typed]:
    """Emit a call of a universal function without the detour of a value, where that is possible."""
    mask = kinds.OF_UNIVERSAL.get(name, ANY)
    count = len(positional)
    least, most = DIRECT.get(name, (1, 0))
    if named or not least <= count <= most:
        return call_indirect(ctx, node, name, positional, named) if name in INDIRECT else None
    args = universal_arguments(ctx, name, positional)
    values = [x for x, _ in args]
    if count == 1:
        x, mx = args[0]
        if name == "len":
            first, x, ref = ctx.bind(x)
            return py.helper(".native_len", [first], ctx.unit.op(node.at, ".len", ref)), INT
        if name == "str":
            if mx == STRING:
                return x, STRING
            if mx == INT:
                return decimal(ctx, x, node.at), STRING
            return string(ctx, x, mx, node.at), STRING
        if name == "list" and hasattr(x, "view"):
            # The list of what a dict gives is a new one.
            return x, mask
        if name == "list" and isinstance(x, IfExp) and hasattr(x.body, "view"):
            x.orelse = py.helper(".list", [x.orelse], ctx.unit.op(node.at, ".list"))
            return x, mask
        if name in ("list", "tuple") and mx & LIST:
            first, x, _ref = ctx.bind(x)
            line = ctx.unit.op(node.at, f".{name}")
            copied = (
                py.helper("c.tuple", [x], line)
                if name == "tuple"
                else py.list_of([py.starred(x, line)], line)
            )
            small = py.boolean(py.AND, [py.is_class(first, ".List", line), is_small(x, line)], line)
            return py.conditional(small, copied, py.helper(f".{name}", [x], line), line), mask
        if mx == RAW_LIST and name in _OF_PYTHON:
            return py.helper(f"c.{name}", [x], ctx.line), mask
        if name == "int":
            return number(ctx, x, mx, node.at), mask
        if name == "type":
            first, x, _ref = ctx.bind(x)
            line = ctx.unit.op(node.at, ".type")
            known = py.method("get", py.load(".type_names", line), [py.class_of(first, line)], line)
            return py.boolean(py.OR, [known, py.helper(".type", [x], line)], line), mask
        if name == "bool":
            return py.unary("not", py.unary("not", x, ctx.line), ctx.line), mask
    if name == "range" and count == 1 and args[0][1] == INT and py.is_simple(values[0]):
        line = ctx.unit.op(node.at, ".range1")
        if values[0].__class__.__name__ == "Constant" and values[0].value < _BIG:  # type: ignore[attr-defined]
            return py.helper("c.range", values, line), mask
        small = py.compare(values[0], py.COMPARE["<"], py.constant(_BIG, line), line)
        native = py.helper("c.range", values, line)
        return py.conditional(small, native, py.helper(".range1", values, line), line), mask
    helper = f".range{count}" if name == "range" else f".{name}"
    return py.helper(helper, values, ctx.unit.op(node.at, helper)), mask


def loop_range(ctx: Context, node: tree.Call, given: list[tree.Expr]) -> expr:
    """Emit `range(…)` for a loop over it, which has only so many rounds.

    Between bounds that are half of the most rounds from 0 no loop has more.
    """
    # spec: starlark.limit.rounds
    typed = [ctx.expr(a) for a in given]
    line = ctx.unit.op(node.at, f".range{len(typed)}")
    name = f".loop_range{len(typed)}"
    if any(is_too_far(value) for value, _kind in typed):
        return py.helper(name, [value for value, _kind in typed], line)
    bound = [ctx.bind(value) for value, _kind in typed]
    values = [again for _first, again, _ref in bound]
    tested = [n for n, value in enumerate(values) if value.__class__.__name__ != "Constant"]
    step = values[2] if len(typed) == 3 else None
    # All are evaluated before a test fails, also those behind it.
    if any(bound[n][0] is not values[n] for n in tested[1:]) or not (step is None or is_number(step)):
        return py.helper(name, [value for value, _kind in typed], line)
    native = py.helper("c.range", values, line)
    no_more = py.COMPARE["<="]
    least, most = py.constant(-_FARTHEST, line), py.constant(_FARTHEST, line)
    tests: list[expr] = []
    for n in tested:
        first = bound[n][0]
        if typed[n][1] != INT:
            tests.append(py.is_class(first, "int", line))
            first = values[n]
        if len(typed) == 1:
            tests.append(py.compare(first, no_more, py.constant(MOST_ROUNDS, line), line))
        else:
            tests.append(py.both(least, no_more, first, no_more, most, line))
    if not tests:
        return native
    test = tests[0] if len(tests) == 1 else py.boolean(py.AND, tests, line)
    return py.conditional(test, native, py.helper(name, values, line), line)


def is_number(step: expr) -> bool:
    """Return whether a step is a literal that goes somewhere."""
    return step.__class__.__name__ == "Constant" and bool(step.value)  # type: ignore[attr-defined]


def is_too_far(value: expr) -> bool:
    """Return whether a bound of a range is a literal, and not a small int."""
    if value.__class__.__name__ != "Constant":
        return False
    number = value.value  # type: ignore[attr-defined]
    return number.__class__ is not int or not -_FARTHEST <= number <= _FARTHEST


def universal_arguments(ctx: Context, name: str, positional: list[tree.Expr]) -> list[Typed]:
    """Emit the arguments of a universal function: as Python lists where it wants the items only."""
    if name == "len":
        return [looked_at(ctx, a) for a in positional]
    if name in ("max", "min") and len(positional) != 1:
        return [ctx.expr(a) for a in positional]
    if name in TAKES_ITEMS:
        return [
            iterated(ctx, a) if n == 0 or name == "zip" else ctx.expr(a) for n, a in enumerate(positional)
        ]
    return [ctx.expr(a) for a in positional]


def mark_view(made: expr, x: expr, name: str) -> None:
    """Note that an expression is a new list of what the dict x gives by the method of this name."""
    made.view = (x, name)  # type: ignore[attr-defined]


def without_list(value: Any) -> Any:
    """Return the dict in the place of the list of its keys, for a function that keeps neither."""
    inner = value.body if isinstance(value, IfExp) and hasattr(value.body, "view") else value
    x, method = getattr(inner, "view", (None, ""))
    if method != "keys":
        return value
    if inner is value:
        return x
    value.body = x
    return value


def decimal(ctx: Context, value: expr, at: int) -> expr:
    """Emit an int as decimal text; Python itself refuses very long ones."""
    if is_short_int(value):
        part = FormattedValue(value, -1, None, lineno=ctx.line, col_offset=0)
        return JoinedStr([part], lineno=ctx.line, col_offset=0)
    first, again, _ref = ctx.bind(value)
    line = ctx.unit.op(at, ".int_text")
    return py.conditional(
        is_digit(first, line), digit(again, line), py.helper(".int_text", [again], line), line
    )


def is_digit(value: expr, line: int) -> expr:
    """Emit the test that an int is one of Python's digits."""
    low, high = py.constant(-_ONE_DIGIT, line), py.constant(_ONE_DIGIT, line)
    return py.both(low, py.COMPARE["<"], value, py.COMPARE["<"], high, line)


def digit(value: expr, line: int) -> expr:
    """Emit the text of a short int."""
    return JoinedStr([FormattedValue(value, -1, None, lineno=line, col_offset=0)], lineno=line, col_offset=0)


def string(ctx: Context, value: expr, mask: int, at: int) -> expr:
    """Emit `str(x)`: strings as they are, short ints by Python."""
    first, x, _ref = ctx.bind(value)
    line = ctx.unit.op(at, ".str")
    made = py.helper(".str", [x], line)
    if mask & INT:
        is_int = py.is_class(x, "int", line)
        short = py.boolean(py.AND, [is_int, is_digit(x, line)], line)
        made = py.conditional(short, digit(x, line), made, line)
    return py.conditional(py.is_class(first, "str", line), x, made, line)


def number(ctx: Context, value: expr, mask: int, at: int) -> expr:
    """Emit `int(x)`: small numerals are looked up, and a string of a few ASCII digits is Python's."""
    # spec: starlark.int.function
    first, x, _ref = ctx.bind(value)
    line = ctx.unit.op(at, ".int")
    found = ctx.temp()
    kept = py.walrus(found, py.helper(".numeral", [first if mask == STRING else x], line), line)
    small = py.compare(kept, py.IS_NOT, py.constant(None, line), line)
    tests = []
    if mask != STRING:
        small = py.boolean(py.AND, [py.is_class(first, "str", line), small], line)
        tests.append(py.is_class(x, "str", line))
    tests += [
        py.method("isdecimal", x, [], line),
        py.method("isascii", x, [], line),
        py.compare(
            py.helper(".native_len", [x], line), py.COMPARE["<="], py.constant(SHORT_NUMBER, line), line
        ),
    ]
    native = py.helper("c.int", [x], line)
    slow = py.conditional(py.boolean(py.AND, tests, line), native, py.helper(".int", [x], line), line)
    return py.conditional(small, py.load(found, line), slow, line)


def call_indirect(
    ctx: Context, node: tree.Call, name: str, positional: list[tree.Expr], named: list[tree.NamedArgument]
) -> Typed:
    """Emit a call of a built-in that takes the thread, a tuple of arguments and a dict of keywords."""
    args = universal_arguments(ctx, name, positional)
    mask = kinds.OF_UNIVERSAL.get(name, ANY)
    if name in ("max", "min") and len(args) == 2 and not named:
        line = ctx.unit.op(node.at, f".{name}2")
        return py.helper(f".{name}2", [x for x, _ in args], line), args[0][1] | args[1][1]
    if name == "dict" and len(args) == 1 and not named:
        first, x, _ref = ctx.bind(args[0][0])
        line = ctx.unit.op(node.at, ".dict1")
        copied, slow = py.dict_of([None], [x], line), py.helper(".dict1", [x], line)
        return py.conditional(is_small_dict(first, x, line), copied, slow, line), DICT
    if name == "sorted" and len(args) == 1:
        helper = _SORTS.get(tuple([a.name for a in named]))
        if helper:
            line = ctx.unit.op(node.at, helper)
            thread = [py.load("$s", line)] if helper == ".sorted_by" else []
            # Where a function is called meanwhile it may change the dict.
            items = args[0][0] if thread else without_list(args[0][0])
            given = [*thread, items, *[ctx.value(a.value) for a in named]]
            return py.helper(helper, given, line), mask
    line = ctx.unit.op(node.at, f".{name}")
    if name == "dict" and len(args) <= 1:
        words = words_as_dict(ctx, named)
        if not args:
            return words, DICT
        if args[0][1] & DICT:
            return dicts(ctx, node.at, args[0], (words, DICT), ".dict_with"), DICT
        return py.helper(".dict_with", [args[0][0], words], line), DICT
    values = py.tuple_of([x for x, _ in args], line)
    return py.helper(f"b.{name}", [py.load("$s", line), values, words_as_dict(ctx, named)], line), mask
