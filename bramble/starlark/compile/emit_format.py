"""`"text" % operands` and `"text".format(…)` with literal texts, as Python's formatted strings."""

from __future__ import annotations

from _ast import FormattedValue, JoinedStr, expr

from ..errors import EvalError
from ..runtime.text import parse_format
from ..syntax import tree
from . import python_tree as py
from .emit_calls import CallEmitter
from .facts import strip
from .kinds import DICT, INT, STRING, TUPLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from .emit import Typed

# What `%` verbs do that need no more than the value.
_VERBS = {"s": ".display", "d": ".percent_d", "r": ".repr"}


class FormatEmitter(CallEmitter):
    """Makes Python expressions for formatting with literal texts."""

    def formatted(self, node: tree.Binary) -> Optional[expr]:
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
            operands = [self.expr(item) for item in right.items]
            return self.joined(node.at, texts, verbs, operands)
        value, mask = self.expr(right)
        if len(verbs) != 1:
            return None
        if not mask & (TUPLE | DICT):
            return self.joined(node.at, texts, verbs, [(value, mask)])
        # A tuple gives its items as operands, so the kind of the value must be known.
        first, again, ref = self.bind(value)
        line = self.unit.op(node.at, ".modulo", (left.value,), ref)
        simple = py.boolean(py.OR, [py.is_class(first, "str", line), py.is_class(again, "int", line)], line)
        fast = self.joined(node.at, texts, verbs, [(again, mask)])
        slow = py.helper(".modulo", [py.constant(left.value, line), again], line)
        return py.conditional(simple, fast, slow, line)

    def joined(self, at: int, texts: list[str], verbs: list[str], operands: list[Typed]) -> expr:
        """Emit texts with formatted operands between them."""
        parts: list[expr] = []
        for text, verb, operand in zip(texts, verbs, operands):
            if text:
                parts.append(py.constant(text, self.line))
            parts.append(
                FormattedValue(self.text_of(at, verb, operand), -1, None, lineno=self.line, col_offset=0)
            )
        if texts[-1]:
            parts.append(py.constant(texts[-1], self.line))
        return JoinedStr(parts, lineno=self.line, col_offset=0)

    def text_of(self, at: int, verb: str, operand: Typed) -> expr:
        """Emit the text of one operand."""
        value, mask = operand
        line = self.unit.op(at, _VERBS[verb])
        if mask == INT and verb in "sd":
            return self.decimal(value, at)
        if verb != "s":
            return py.helper(_VERBS[verb], [value], line)
        if mask == STRING:
            return value
        first, again, _ref = self.bind(value)
        slow = py.helper(".display", [again], line)
        return py.conditional(py.is_class(first, "str", line), again, slow, line)

    def formatted_call(
        self, at: int, template: str, positional: list[tree.Expr], named: list[tree.NamedArgument]
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
        operands = [self.expr(a) for a in positional] + [self.expr(a.value) for a in named]
        texts = [text for text, _, _ in pieces]
        verbs = ["r" if conversion == "r" else "s" for _, _, conversion in pieces if conversion]
        return self.joined(at, texts, verbs, operands)


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
