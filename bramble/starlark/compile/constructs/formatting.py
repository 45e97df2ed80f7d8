"""`"text" % operands` and `"text".format(…)` with literal texts, as Python's formatted strings."""

from __future__ import annotations

from _ast import FormattedValue, JoinedStr

from ...errors import EvalError
from ...runtime.text import parse_format
from ...syntax import tree
from .. import python_tree as py
from ..facts.collect import strip
from ..facts.kinds import DICT, INT, STRING, TUPLE
from .universal_calls import decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Optional

    from ..context import Context, Typed

# What `%` verbs do that need no more than the value.
_VERBS = {"s": ".display", "d": ".percent_d", "r": ".repr"}


def percent_format(ctx: Context, node: tree.Binary) -> Optional[expr]:
    """Emit `"text" % operands` as one formatted string, or return None for what is unusual."""
    left = strip(node.left)
    if not isinstance(left, tree.Literal) or not isinstance(left.value, str):
        return None
    pieces = parse_percent(left.value)
    if pieces is None:
        return None
    texts, verbs = pieces
    right = strip(node.right)
    if isinstance(right, tree.Tuple):
        if len(right.items) != len(verbs):
            return None
        operands = [ctx.expr(item) for item in right.items]
        return joined(ctx, node.at, texts, verbs, operands)
    value, mask = ctx.expr(right)
    if len(verbs) != 1:
        return None
    if not mask & (TUPLE | DICT):
        return joined(ctx, node.at, texts, verbs, [(value, mask)])
    # A tuple gives its items as operands, so the kind of the value must be known.
    first, again, ref = ctx.bind(value)
    line = ctx.unit.op(node.at, ".modulo", (left.value,), ref)
    simple = py.boolean(py.OR, [py.is_class(first, "str", line), py.is_class(again, "int", line)], line)
    fast = joined(ctx, node.at, texts, verbs, [(again, mask)])
    slow = py.helper(".modulo", [py.constant(left.value, line), again], line)
    return py.conditional(simple, fast, slow, line)


def joined(ctx: Context, at: int, texts: list[str], verbs: list[str], operands: list[Typed]) -> expr:
    """Emit texts with formatted operands between them."""
    parts: list[expr] = []
    for text, verb, operand in zip(texts, verbs, operands):
        if text:
            parts.append(py.constant(text, ctx.line))
        parts.append(FormattedValue(text_of(ctx, at, verb, operand), -1, None, lineno=ctx.line, col_offset=0))
    if texts[-1]:
        parts.append(py.constant(texts[-1], ctx.line))
    return JoinedStr(parts, lineno=ctx.line, col_offset=0)


def text_of(ctx: Context, at: int, verb: str, operand: Typed) -> expr:
    """Emit the text of one operand."""
    value, mask = operand
    line = ctx.unit.op(at, _VERBS[verb])
    if mask == INT and verb in "sd":
        return decimal(ctx, value, at)
    if verb != "s":
        return py.helper(_VERBS[verb], [value], line)
    if mask == STRING:
        return value
    first, again, _ref = ctx.bind(value)
    slow = py.helper(".display", [again], line)
    return py.conditional(py.is_class(first, "str", line), again, slow, line)


def formatted_call(
    ctx: Context, at: int, template: str, positional: list[tree.Expr], named: list[tree.NamedArgument]
) -> Optional[expr]:
    """Emit `"literal".format(…)`, or return None when something about it is wrong or unusual."""
    try:
        pieces = parse_format(template)
    except EvalError:
        return None
    fields = [name for _, name, conversion in pieces if conversion]
    places = [str(number) for number in range(len(positional))] + [a.name for a in named]
    if any(not name for name in fields):
        if any(name.isdigit() for name in fields):
            return None
        numbers = iter(range(len(fields)))
        fields = [name or str(next(numbers)) for name in fields]
    if fields != places:
        # An argument is used twice, in another order, not at all, or is missing.
        return None
    operands = [ctx.expr(a) for a in positional] + [ctx.expr(a.value) for a in named]
    texts = [text for text, _, _ in pieces]
    verbs = ["r" if conversion == "r" else "s" for _, _, conversion in pieces if conversion]
    return joined(ctx, at, texts, verbs, operands)


def parse_percent(template: str) -> Optional[tuple[list[str], list[str]]]:
    """Return the texts and verbs of a `%` format, or None when it has others than %s, %d, %r, %%."""
    texts: list[str] = []
    verbs: list[str] = []
    text = ""
    position = 0
    while True:
        at = template.find("%", position)
        if at < 0:
            texts.append(text + template[position:])
            return texts, verbs
        text += template[position:at]
        verb = template[at + 1 : at + 2]
        position = at + 2
        if verb == "%":
            text += "%"
        elif verb in _VERBS and verb:
            texts.append(text)
            verbs.append(verb)
            text = ""
        else:
            return None
