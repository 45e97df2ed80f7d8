"""`"text" % operands` and `"text".format(…)` with texts that are known, as Python's formatted strings.

A text is known if it is a literal, or a variable that is only ever assigned one literal. All operands are
evaluated before the first is written: a verb may refuse its operand, and then the others have been evaluated.
"""

from __future__ import annotations

from _ast import FormattedValue, JoinedStr

from ...errors import EvalError
from ...runtime.text import parse_format
from ...syntax import tree
from ...syntax.scopes import GLOBAL, LOCAL
from .. import python_tree as py
from ..facts.collect import strip
from ..facts.kinds import DICT, INT, STRING, TUPLE
from .short_ints import is_short_int, mark
from .universal_calls import decimal, digit, is_digit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Optional

    from ..context import Context, Typed

# What writes an operand for each verb of `%`; `.convert` is told which verb.
_VERBS = {"s": ".display", "d": ".percent_d", "r": ".repr", **dict.fromkeys("xXoci", ".convert")}
# Verbs that write an int in another base than ten.
_OTHER_BASES = "xXo"
# Verbs that take any operand.
_EASY = "sr"


def percent_format(ctx: Context, node: tree.Binary) -> Optional[expr]:
    """Emit `"text" % operands` as one formatted string, or return None for what is unusual."""
    template = known_text(ctx, node.left)
    pieces = None if template is None else parse_percent(template)
    if pieces is None:
        return None
    made = percent_of(ctx, node, template or "", *pieces)
    return None if made is None else after_text(ctx, node.left, made)


def known_text(ctx: Context, node: tree.Expr) -> Optional[str]:
    """Return the string that an expression surely is when it has a value, or None."""
    node = strip(node)
    if isinstance(node, tree.Name):
        binding = ctx.unit.uses[node.start]
        inference = ctx.unit.inference
        if binding.scope not in (LOCAL, GLOBAL) or binding.declared in inference.ownership.parameters:
            return None
        facts = inference.facts.get(ctx.start if binding.scope == LOCAL else -1)
        assigned = [] if facts is None else facts.assigned.get(binding.declared, [])
        if len(assigned) != 1 or assigned[0][0] != "is" or inference.open_globals:
            return None
        node = strip(assigned[0][1])
    return node.value if isinstance(node, tree.Literal) and isinstance(node.value, str) else None


def after_text(ctx: Context, template: tree.Expr, made: expr) -> expr:
    """Emit an expression after the text that it is made with, which may be a variable without a value."""
    if isinstance(strip(template), tree.Literal):
        return made
    return py.sequence([ctx.value(template)], made, ctx.line)


def percent_of(
    ctx: Context, node: tree.Binary, template: str, texts: list[str], verbs: list[str]
) -> Optional[expr]:
    """Emit a text with operands in the places of its verbs, or return None for what is unusual."""
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
    line = ctx.unit.op(node.at, ".modulo", (template,), ref)
    several = py.load(".in_operands", line)
    simple = py.boolean(
        py.OR,
        [
            py.is_class(first, "str", line),
            py.compare(py.class_of(again, line), py.COMPARE["not in"], several, line),
        ],
        line,
    )
    fast = joined(ctx, node.at, texts, verbs, [(again, mask)])
    slow = py.helper(".modulo", [py.constant(template, line), again], line)
    return py.conditional(simple, fast, slow, line)


def joined(ctx: Context, at: int, texts: list[str], verbs: list[str], operands: list[Typed]) -> expr:
    """Emit texts with formatted operands between them."""
    hard = next((n for n, verb in enumerate(verbs) if verb not in _EASY), len(verbs))
    before: list[expr] = []
    if not all(py.is_simple(value) for value, _mask in operands[hard + 1 :]):
        # One may be refused before another one has been evaluated.
        before, operands = evaluated(ctx, operands)
    parts: list[expr] = []
    for text, verb, operand in zip(texts, verbs, operands):
        if text:
            parts.append(py.constant(text, ctx.line))
        parts.append(FormattedValue(text_of(ctx, at, verb, operand), -1, None, lineno=ctx.line, col_offset=0))
    if texts[-1]:
        parts.append(py.constant(texts[-1], ctx.line))
    return py.sequence(before, JoinedStr(parts, lineno=ctx.line, col_offset=0), ctx.line)


def evaluated(ctx: Context, operands: list[Typed]) -> tuple[list[expr], list[Typed]]:
    """Return how to evaluate operands in their order, and then how to get each again."""
    bound = [ctx.bind(value) for value, _mask in operands]
    before = [first for first, again, _ref in bound if first is not again]
    for (first, again, _ref), (_value, mask) in zip(bound, operands):
        if mask == INT and first is not again and is_short_int(first):
            mark(again)
    return before, [(again, mask) for (_first, again, _ref), (_value, mask) in zip(bound, operands)]


def text_of(ctx: Context, at: int, verb: str, operand: Typed) -> expr:
    """Emit the text of one operand."""
    value, mask = operand
    line = ctx.unit.op(at, _VERBS[verb])
    if mask == INT and verb in "sdi":
        return decimal(ctx, value, at)
    if verb in _OTHER_BASES:
        if mask == INT:
            return in_base(verb, value, line)
        first, again, _ref = ctx.bind(value)
        slow = py.helper(".convert", [py.constant(verb, line), again], line)
        return py.conditional(py.is_class(first, "int", line), in_base(verb, again, line), slow, line)
    if _VERBS[verb] == ".convert":
        return py.helper(".convert", [py.constant(verb, line), value], line)
    if verb in "di":
        first, again, _ref = ctx.bind(value)
        short = py.boolean(py.AND, [py.is_class(first, "int", line), is_digit(again, line)], line)
        return py.conditional(short, digit(again, line), py.helper(_VERBS[verb], [again], line), line)
    if verb != "s":
        return py.helper(_VERBS[verb], [value], line)
    if mask == STRING:
        return value
    first, again, _ref = ctx.bind(value)
    slow = py.helper(".display", [again], line)
    return py.conditional(py.is_class(first, "str", line), again, slow, line)


def in_base(verb: str, value: expr, line: int) -> expr:
    """Emit the text of an int in the base of a verb: these Python writes however long they are."""
    base = JoinedStr([py.constant(verb, line)], lineno=line, col_offset=0)
    return JoinedStr([FormattedValue(value, -1, base, lineno=line, col_offset=0)], lineno=line, col_offset=0)


def formatted_call(
    ctx: Context, at: int, template: str, positional: list[tree.Expr], named: list[tree.NamedArgument]
) -> Optional[expr]:
    """Emit `"text".format(…)`, or return None when something about it is wrong or unusual."""
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
    if not set(fields) <= set(places):
        return None
    operands = [ctx.expr(a) for a in positional] + [ctx.expr(a.value) for a in named]
    before: list[expr] = []
    if fields != places:
        # An argument is used twice, in another order, or not at all.
        before, operands = evaluated(ctx, operands)
        operands = [operands[places.index(name)] for name in fields]
    texts = [text for text, _, _ in pieces]
    verbs = ["r" if conversion == "r" else "s" for _, _, conversion in pieces if conversion]
    return py.sequence(before, joined(ctx, at, texts, verbs, operands), ctx.line)


def parse_percent(template: str) -> Optional[tuple[list[str], list[str]]]:
    """Return the texts and verbs of a `%` format, or None when it has others than these and `%%`."""
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
