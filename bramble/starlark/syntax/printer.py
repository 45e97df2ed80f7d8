"""From expressions back to text, in the one form that a formatter gives them.

`formatter.py` does the same for statements and files. A tree becomes a list of
pieces (layout.py) by a walk with an explicit stack, so any tree can be printed.
"""

from __future__ import annotations

from .layout import CLOSE, COMMA, HARD, IN, LINE, OPEN, OPEN_BROKEN, OUT, SOFT, Mark, lay_out
from .literals import literal_text
from .tree import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Dict,
    DictEntry,
    Dot,
    ForClause,
    IfClause,
    Index,
    Lambda,
    List,
    Literal,
    LoadSymbol,
    Name,
    NamedArgument,
    Node,
    Parameter,
    Paren,
    Slice,
    StarArgument,
    StarStarArgument,
    Tuple,
    Unary,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Callable, Optional, Union

    from ..source import Source
    from .layout import Piece
    from .tree import Comment, Expr

    Work = Union[str, Mark, Node, "Spot"]

WIDTH = 100
_ENDLESS = 10**8
_DISPLAYS = (List, Dict, Comprehension, Tuple)


def print_expression(node: Expr) -> str:
    """Return the text of an expression, on one line but for the line ends in its string literals."""
    return lay_out(Printer(None).pieces([node]), _ENDLESS, 0)


def print_parameters(parameters: Sequence[Parameter]) -> str:
    """Return the text between the brackets of a `def`, on one line."""
    work: list[Work] = []
    for parameter in parameters:
        work += [", ", parameter] if work else [parameter]
    return lay_out(Printer(None).pieces(work), _ENDLESS, 0)


class Spot:
    """A place where comments may be printed: those before `offset` in the text."""

    __slots__ = ("offset", "kind")

    def __init__(self, offset: int, kind: str) -> None:
        self.offset = offset
        self.kind = kind  # "first" item of a bracket, "next" item, or "last": the closing bracket


class Printer:
    """Turns expressions into pieces. With a source, takes the comments in them."""

    def __init__(self, source: Optional[Source], comments: Sequence[Comment] = ()) -> None:
        self.source = source
        self.comments = comments
        self.next_comment = 0
        self.depth = 0  # of the groups around the present piece; outside brackets no line may break

    def take_comments(self, before: int) -> list[Comment]:
        """Return the comments before an offset that have not been taken yet."""
        first = self.next_comment
        while self.next_comment < len(self.comments) and self.comments[self.next_comment].start < before:
            self.next_comment += 1
        return list(self.comments[first : self.next_comment])

    def pieces(self, work: list[Work]) -> list[Piece]:
        """Return the pieces of texts, marks and nodes, in order."""
        out: list[Piece] = []
        work.reverse()
        while work:
            item = work.pop()
            if isinstance(item, str):
                out.append(item)
            elif isinstance(item, Mark):
                self.depth += (item is OPEN or item is OPEN_BROKEN) - (item is CLOSE)
                out.append(item)
            elif isinstance(item, Spot):
                out += self._spot(item)
            else:
                work += reversed(_WRITE[type(item)](self, item))
        return out

    def _spot(self, spot: Spot) -> list[Piece]:
        comments = self.take_comments(spot.offset)
        last = spot.kind == "last"
        if not comments:
            return [OUT, SOFT] if last else [LINE if spot.kind == "next" else SOFT]
        out: list[Piece] = []
        for comment in comments:
            if comment.own_line or out:
                out += [HARD, comment.text.rstrip()]
            else:
                out += ["  ", comment.text.rstrip()]
        return [*out, OUT, HARD] if last else [*out, HARD]

    # ---- nodes: what each is made of

    def bracket(self, opener: str, items: Sequence[Node], closer: str, start: int, end: int) -> list[Work]:
        """Return `items` with commas between them, in brackets at `start` and before `end`."""
        if not items:
            return [opener, closer]
        begin = OPEN
        if self.source is not None:
            line = self.source.position
            if line(start).line < line(items[0].start).line:
                begin = OPEN_BROKEN
        work: list[Work] = [begin, opener, IN, Spot(items[0].start, "first"), items[0]]
        for item in items[1:]:
            work += [",", Spot(item.start, "next"), item]
        return [*work, *_ending(closer, end, comma=True)]

    def _name(self, node: Name) -> list[Work]:
        return [node.name]

    def _literal(self, node: Literal) -> list[Work]:
        return [literal_text(node.value, node.raw)]

    def _paren(self, node: Paren) -> list[Work]:
        return [OPEN, "(", IN, Spot(node.value.start, "first"), node.value, *_ending(")", node.end)]

    def _tuple(self, node: Tuple) -> list[Work]:
        if node.parenthesised and len(node.items) == 1:
            item = node.items[0]
            return [OPEN, "(", IN, Spot(item.start, "first"), item, ",", *_ending(")", node.end)]
        if node.parenthesised:
            return self.bracket("(", node.items, ")", node.start, node.end)
        work: list[Work] = [node.items[0]]
        for item in node.items[1:]:
            work += [", ", item]
        return work

    def _list(self, node: List) -> list[Work]:
        return self.bracket("[", node.items, "]", node.start, node.end)

    def _dict(self, node: Dict) -> list[Work]:
        return self.bracket("{", node.entries, "}", node.start, node.end)

    def _entry(self, node: DictEntry) -> list[Work]:
        return [node.key, ": ", node.value]

    def _unary(self, node: Unary) -> list[Work]:
        return ["not " if node.op == "not" else node.op, node.operand]

    def _binary(self, node: Binary) -> list[Work]:
        # One group for a whole chain: each of its operators breaks the line, or none does.
        links: list[Binary] = [node]
        left = node.left
        level = _level(node.op)
        while isinstance(left, Binary) and _level(left.op) == level:
            links.append(left)
            left = left.left
        inside = self.depth > 0
        space: Work = LINE if inside else " "
        work: list[Work] = [OPEN, left] if inside else [left]
        for link in reversed(links):
            work += [space, link.op, " ", link.right]
        if inside:
            work.append(CLOSE)
        return work

    def _conditional(self, node: Conditional) -> list[Work]:
        space: Work = LINE if self.depth else " "
        work: list[Work] = [node.then, space, "if ", node.condition, space, "else ", node.otherwise]
        return [OPEN, *work, CLOSE] if self.depth else work

    def _parameter(self, node: Parameter) -> list[Work]:
        work: list[Work] = [node.star]
        if node.name is not None:
            work.append(node.name)
        if node.default is not None:
            work += ["=", node.default]
        return work

    def _lambda(self, node: Lambda) -> list[Work]:
        work: list[Work] = ["lambda"]
        for parameter in node.parameters:
            work += [" " if len(work) == 1 else ", ", parameter]
        return [*work, ": ", node.body]

    def _comprehension(self, node: Comprehension) -> list[Work]:
        opener, closer = "{}" if isinstance(node.body, DictEntry) else "[]"
        work: list[Work] = [OPEN, opener, IN, Spot(node.body.start, "first"), node.body]
        for clause in node.clauses:
            work += [Spot(clause.start, "next"), clause]
        return [*work, *_ending(closer, node.end)]

    def _for_clause(self, node: ForClause) -> list[Work]:
        return ["for ", node.target, " in ", node.iterable]

    def _if_clause(self, node: IfClause) -> list[Work]:
        return ["if ", node.condition]

    def _named(self, node: NamedArgument) -> list[Work]:
        return [node.name, "=", node.value]

    def _star(self, node: StarArgument) -> list[Work]:
        return ["*", node.value]

    def _star_star(self, node: StarStarArgument) -> list[Work]:
        return ["**", node.value]

    def _call(self, node: Call) -> list[Work]:
        arguments = node.arguments
        if len(arguments) == 1 and isinstance(arguments[0], _DISPLAYS) and not self._comment_in(node):
            # The brackets of the only argument are enough to break the line at.
            return [node.function, "(", arguments[0], ")"]
        return [node.function, *self.bracket("(", arguments, ")", node.at, node.end)]

    def _comment_in(self, node: Call) -> bool:
        """Return whether the next comment stands between a call's brackets and those of its argument."""
        if self.next_comment == len(self.comments):
            return False
        start = self.comments[self.next_comment].start
        return start < node.end

    def _dot(self, node: Dot) -> list[Work]:
        # The dot behind an int would make it a float.
        whole = isinstance(node.operand, Literal) and isinstance(node.operand.value, int)
        return [node.operand, " ." if whole else ".", node.name]

    def _index(self, node: Index) -> list[Work]:
        return [node.operand, "[", node.index, "]"]

    def _slice(self, node: Slice) -> list[Work]:
        work: list[Work] = [node.operand, "["]
        if node.lower is not None:
            work.append(node.lower)
        work.append(":")
        if node.upper is not None:
            work.append(node.upper)
        if node.step is not None:
            work += [":", node.step]
        return [*work, "]"]

    def _load_symbol(self, node: LoadSymbol) -> list[Work]:
        if node.local.name == node.remote.value:
            return [node.remote]
        return [node.local.name, "=", node.remote]


def _ending(closer: str, end: int, comma: bool = False) -> list[Work]:
    """Return the end of a bracket whose closing one is before `end`."""
    maybe: list[Work] = [COMMA] if comma else []
    return [*maybe, Spot(end, "last"), closer, CLOSE]


def _level(op: str) -> int:
    """Return a number that operators share when a chain of them needs no brackets."""
    for level, operators in enumerate(_LEVELS):
        if op in operators:
            return level
    return -1


_LEVELS = (("or",), ("and",), ("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "//", "%"))

# The methods are chosen by the exact class, which a checker cannot follow.
_WRITE: dict[type, Callable[[Printer, Any], list[Work]]] = {
    Binary: Printer._binary,
    Call: Printer._call,
    Comprehension: Printer._comprehension,
    Conditional: Printer._conditional,
    Dict: Printer._dict,
    DictEntry: Printer._entry,
    Dot: Printer._dot,
    ForClause: Printer._for_clause,
    IfClause: Printer._if_clause,
    Index: Printer._index,
    Lambda: Printer._lambda,
    List: Printer._list,
    Literal: Printer._literal,
    LoadSymbol: Printer._load_symbol,
    Name: Printer._name,
    NamedArgument: Printer._named,
    Parameter: Printer._parameter,
    Paren: Printer._paren,
    Slice: Printer._slice,
    StarArgument: Printer._star,
    StarStarArgument: Printer._star_star,
    Tuple: Printer._tuple,
    Unary: Printer._unary,
}
