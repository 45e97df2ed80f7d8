"""Operators that make a container of two: `a + b` of lists, `a | b` of dicts, `x * n` of a display or text.

`+` of a list wants tests of both; a display of Python's own is made in less time. So where an operand is
known to be a list, or both are tested to be dicts, the whole is emitted as one display: `[*a, *b]` or
`{**a, **b}`.

What keeps it safe: only a list and a dict of Python's own pass the tests (what is odd of these is known to
the thread, and so it is of what is made of them), no more items than can be copied without looking for an
interruption (runtime/interruptible.py), and each operand is evaluated once, in its place: where the test of
the other one comes first, that is a variable.
"""

from __future__ import annotations

from _ast import Constant, Dict, Starred
from _ast import List as ListDisplay

from .. import python_tree as py
from ..facts.kinds import DICT, INT, LIST, SET, STRING
from .guards import guard_again, is_small

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Any, Optional

    from ..context import Context, Typed

# The most that a literal is repeated without looking at the length of what is made.
_MOST_TIMES = 1 << 10
_MOST_TEXT = 64


def joining(ctx: Context, op: str, at: int, left: Typed, right: Typed) -> Optional[expr]:
    """Emit `left op right` as a display, or return None where none of the cases below applies."""
    if op == "+" and LIST in (left[1], right[1]):
        return lists(ctx, at, left, right)
    if op == "|" and left[1] & DICT and right[1] & DICT:
        return dicts(ctx, at, left, right)
    if op == "*" and right[1] & INT and not is_number(right[0]):
        return repeated(ctx, at, left, right)
    return None


def is_number(node: expr) -> bool:
    """Return whether a factor is a literal."""
    return isinstance(node, Constant)


def is_plain(node: expr) -> bool:
    """Return whether an expression is a display of literals and variables, which may be written twice."""
    if isinstance(node, ListDisplay):
        return all(map(py.is_simple, node.elts))
    keys = node.keys if isinstance(node, Dict) else [None]
    return all(isinstance(key, Constant) for key in keys) and all(map(py.is_simple, node.values))  # type: ignore[attr-defined]


class Part:
    """One operand: its test, which evaluates it; and how it is spread into the display, or is a value."""

    def __init__(self, ctx: Context, typed: Typed, made_by: str, line: int) -> None:
        node = typed[0]
        self.new = py.is_new_list(node) if made_by == ".List" else py.is_new_dict(node)
        if is_plain(node):
            first = again = node
            self.reference: Any = ""
        else:
            first, again, self.reference = ctx.bind(node)
        self.value = again
        self.evaluates = first is not again
        self.tests: list[expr] = []
        # Whether it surely is spread as it should be.
        self.sure = self.new or typed[1] == LIST
        if not self.sure:
            self.tests.append(py.is_class(first, made_by, line))
        elif self.evaluates:
            self.tests.append(py.compare(first, py.IS_NOT, py.constant(None, line), line))


def all_of(parts: list[Part], sizes: list[expr], line: int) -> expr:
    """Emit the tests of two operands, which evaluate both in their order, and those of their sizes."""
    one, two = parts
    tests = [*one.tests, *two.tests]
    if two.evaluates and not one.sure:
        # Not `and`: the right operand must be evaluated in any case.
        tests = [py.binary(one.tests[0], "&", two.tests[0], line)]
    tests += sizes
    if not tests:
        return py.constant(True, line)
    return tests[0] if len(tests) == 1 else py.boolean(py.AND, tests, line)


def lists(ctx: Context, at: int, left: Typed, right: Typed) -> Optional[expr]:
    """`[a, b] + x`, `x + [a, b]`: one list of all items."""
    # spec: starlark.concatenation
    if not (left[1] & LIST and right[1] & LIST):
        return None
    line = ctx.unit.op(at, ".add")
    parts = [Part(ctx, operand, ".List", line) for operand in (left, right)]
    line = ctx.unit.op(at, ".add")
    spread: list[expr] = []
    for part in parts:
        if isinstance(part.value, ListDisplay):
            spread += part.value.elts
        else:
            spread.append(Starred(part.value, py.LOAD, lineno=line, col_offset=0))
    made = ListDisplay(spread, py.LOAD, lineno=line, col_offset=0)
    test = all_of(parts, [is_small(part.value, line) for part in parts if not part.new], line)
    return py.conditional(test, made, py.helper(".add", [part.value for part in parts], line), line)


def dicts(ctx: Context, at: int, left: Typed, right: Typed, helper: str = ".bit_or") -> expr:
    """`a | b`: one dict of all entries; with the helper `.dict_with` it is `dict(a, **b)`."""
    # spec: starlark.set.operators, starlark.dict.function
    line = ctx.unit.op(at, helper)
    parts = [Part(ctx, operand, ".Dict", line) for operand in (left, right)]
    line = ctx.unit.op(at, helper, *[part.reference for part in parts])
    keys: list[Optional[expr]] = []
    values: list[expr] = []
    for part in parts:
        if isinstance(part.value, Dict):
            keys += part.value.keys
            values += part.value.values
        else:
            keys.append(None)
            values.append(part.value)
    made = py.dict_of(keys, values, line)
    test = all_of(parts, [is_small(part.value, line) for part in parts if not part.new], line)
    a, b = parts[0].value, parts[1].value
    slow = py.helper(helper, [a, b], line)
    if left[1] & right[1] & (INT | SET):
        slow = py.conditional(guard_again("bool", a, b, line), py.binary(a, "|", b, line), slow, line)
    return py.conditional(test, made, slow, line)


def repeated(ctx: Context, at: int, left: Typed, right: Typed) -> Optional[expr]:
    """`[a] * n`, `"text" * n`: Python's own for a few times."""
    # spec: starlark.repetition
    node: Any = left[0]
    if left[1] == STRING and isinstance(node, Constant) and len(str(node.value)) <= _MOST_TEXT:
        inner, made_by = left[0], ""
    elif isinstance(node, ListDisplay) and len(node.elts) == 1:
        inner, made_by = node.elts[0], ".List"
    else:
        return None
    first, again, _ = ctx.bind(inner)
    count_first, count, _ = ctx.bind(right[0])
    line = ctx.unit.op(at, ".multiply")
    no_more = py.COMPARE["<="]
    few = py.both(py.constant(0, line), no_more, count, no_more, py.constant(_MOST_TIMES, line), line)
    tests = [py.is_class(count_first, "int", line), few]
    if first is not again:
        tests.insert(0, py.compare(first, py.IS, again, line))
    if made_by:
        native = py.binary(py.list_of([again], line), "*", count, line)
        slow = py.list_of([again], line)
    else:
        native = py.binary(again, "*", count, line)
        slow = again
    return py.conditional(
        py.boolean(py.AND, tests, line), native, py.helper(".multiply", [slow, count], line), line
    )
