"""The syntax tree: one frozen class for every construct of the language.

Positions. `start` and `end` are offsets into the text in code points, `end`
exclusive; a `Source` turns an offset into a line and a column. `at` is the
offset that a failure of this very construct is reported at: the operator, the
`(` of a call, the `[` of an index, the `.` of an attribute, else `start`.
Two `Name` nodes of one file never have the same `start`, nor do two `Def`s or
`Lambda`s: the resolver's tables are keyed by it.

Equality ignores positions and the spelling of literals: two trees are equal
when they mean the same program. It does not recurse, so any tree can be compared.

Depth. A program may have chains of any length, and these are deep *to the left*:
`a + b + c …` is `Binary(Binary(a, b), c)`, `f().g().h()…` likewise. So walk the
left edges with a loop (`left_of` names them all); every other edge nests at most
MAX_NESTING deep, and statements at most MAX_BLOCKS deep. A chain of `elif` is
flat (`If.branches`).
"""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

MAX_NESTING = 200
MAX_BLOCKS = 100


class Node(Record):
    """Any part of the tree."""

    start: int
    end: int

    @property
    def at(self) -> int:
        return self.start

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and same_tree(self, other)

    def __hash__(self) -> int:
        # Children are left out: hashing must not recurse, and equal trees have equal roots.
        return hash(type(self))


class Expr(Node):
    """Anything that has a value."""


class Stmt(Node):
    """Anything that is executed."""


# ---- expressions


class Name(Expr):
    """`x`: a variable, used or bound."""

    name: str


class Literal(Expr):
    """`1`, `2.5`, `"text"`, `b"bytes"`. `raw` is the spelling in the file, quotes and prefix included."""

    value: Union[int, float, str, bytes]
    raw: str


class Paren(Expr):
    """`(x)`. A tuple in parentheses is a `Tuple`, without `Paren`."""

    value: Expr


class Tuple(Expr):
    """`(a, b)`, `()`, `(a,)`, or without parentheses `a, b`."""

    items: tuple[Expr, ...]
    parenthesised: bool


class List(Expr):
    """`[a, b]`."""

    items: tuple[Expr, ...]


class DictEntry(Node):
    """`key: value` in a dict display or a dict comprehension; `at` is the colon."""

    key: Expr
    at: int
    value: Expr


class Dict(Expr):
    """`{k: v, …}`."""

    entries: tuple[DictEntry, ...]


class Unary(Expr):
    """`-x`, `+x`, `~x`, `not x`; `op` is `-`, `+`, `~` or `not`."""

    op: str
    operand: Expr


class Binary(Expr):
    """`left op right`; also `and`, `or`, and `not in` as one operator, whose `at` is its `in`."""

    left: Expr
    op: str
    at: int
    right: Expr


class Conditional(Expr):
    """`then if condition else otherwise`; `at` is the `if`."""

    then: Expr
    at: int
    condition: Expr
    otherwise: Expr


class Parameter(Node):
    """`x`, `x=default`, `*args`, bare `*` (no name), `**kwargs`; `star` is "", "*" or "**"."""

    star: str
    name: Optional[Name]
    default: Optional[Expr]


class Lambda(Expr):
    """`lambda parameters: body`."""

    parameters: tuple[Parameter, ...]
    body: Expr


class ForClause(Node):
    """`for target in iterable` inside a comprehension."""

    target: Expr
    iterable: Expr


class IfClause(Node):
    """`if condition` inside a comprehension."""

    condition: Expr


class Comprehension(Expr):
    """`[body for … if …]`, or `{key: value for …}` whose body is a `DictEntry`.

    The first clause is a `ForClause`.
    """

    body: Union[Expr, DictEntry]
    clauses: tuple[Union[ForClause, IfClause], ...]


class NamedArgument(Node):
    """`name=value` in a call; `start` is the name, `at` the `=`."""

    name: str
    at: int
    value: Expr


class StarArgument(Node):
    """`*value` in a call."""

    value: Expr


class StarStarArgument(Node):
    """`**value` in a call."""

    value: Expr


class Call(Expr):
    """`function(arguments)`; `at` is the `(`.

    A positional argument is its bare expression. In a resolved tree the order is
    positional, named, at most one `*`, at most one `**`, and no name occurs twice.
    """

    function: Expr
    at: int
    arguments: tuple[Union[Expr, NamedArgument, StarArgument, StarStarArgument], ...]


class Dot(Expr):
    """`operand.name`; `at` is the dot, `name_start` the name."""

    operand: Expr
    at: int
    name: str
    name_start: int


class Index(Expr):
    """`operand[index]`; `at` is the `[`. `x[1, 2]` has a `Tuple` as its index."""

    operand: Expr
    at: int
    index: Expr


class Slice(Expr):
    """`operand[lower:upper:step]`, every part optional; `at` is the `[`."""

    operand: Expr
    at: int
    lower: Optional[Expr]
    upper: Optional[Expr]
    step: Optional[Expr]


# ---- statements


class ExprStmt(Stmt):
    """An expression for its effects, or a docstring."""

    value: Expr


class Assign(Stmt):
    """`target = value`; `at` is the `=`. A target is checked: name, `x.f`, `x[i]`, nested displays."""

    target: Expr
    at: int
    value: Expr


class AugAssign(Stmt):
    """`target op= value`; `op` is without the `=`; `at` is the operator. No tuple or list targets."""

    target: Expr
    op: str
    at: int
    value: Expr


class Pass(Stmt):
    """`pass`."""


class Break(Stmt):
    """`break`."""


class Continue(Stmt):
    """`continue`."""


class Return(Stmt):
    """`return` or `return value`."""

    value: Optional[Expr]


class LoadSymbol(Node):
    """`"name"` or `local = "name"` in a `load`; a local without its own text starts inside the quotes."""

    local: Name
    remote: Literal


class Load(Stmt):
    """`load("module", "a", b = "c")`."""

    module: Literal
    symbols: tuple[LoadSymbol, ...]


class LoadModule(Stmt):
    """`load("a/b")`, which binds `b`, or `load(x = "a/b")`: only in a dialect with `load_binds_module`."""

    module: Literal
    local: Name


class Def(Stmt):
    """`def name(parameters): body`."""

    name: Name
    parameters: tuple[Parameter, ...]
    body: tuple[Stmt, ...]


class For(Stmt):
    """`for target in iterable: body`."""

    target: Expr
    iterable: Expr
    body: tuple[Stmt, ...]


class While(Stmt):
    """`while condition: body`."""

    condition: Expr
    body: tuple[Stmt, ...]


class Branch(Node):
    """`if condition: body` or `elif condition: body`; `start` is the keyword."""

    condition: Expr
    body: tuple[Stmt, ...]


class If(Stmt):
    """A chain of `if` and `elif` branches; `otherwise` is the `else` part, empty if there is none."""

    branches: tuple[Branch, ...]
    otherwise: tuple[Stmt, ...]


class Comment(Node):
    """`# …`, without its line end. `own_line` is false behind other text of the line."""

    text: str
    own_line: bool


class File(Node):
    """A whole program; `comments` are all its comments, in order. They are not part of its meaning."""

    body: tuple[Stmt, ...]
    comments: tuple[Comment, ...]


LEFT_EDGES = {Binary: "left", Call: "function", Dot: "operand", Index: "operand", Slice: "operand"}

_NOT_MEANING = {"start", "end", "at", "name_start", "raw", "comments"}
_MEANING: dict[type, tuple[str, ...]] = {}


def docstring_of(body: tuple[Stmt, ...]) -> Optional[str]:
    """Return the value of the string literal that is the first statement, if it is one."""
    # spec: starlark.def
    first = body[0] if body else None
    if isinstance(first, ExprStmt) and isinstance(first.value, Literal):
        value = first.value.value
        return value if isinstance(value, str) else None
    return None


def left_of(node: Node) -> Optional[Expr]:
    """Return the child on the edge of `node` along which chains may be of any length, if it has one."""
    edge = LEFT_EDGES.get(type(node))
    if edge is None:
        return None
    child: Expr = getattr(node, edge)
    return child


def meaning_fields(kind: type[Node]) -> tuple[str, ...]:
    """Return the fields of a node class that equality looks at: everything but positions and spelling."""
    return tuple(field for field in kind._fields if field not in _NOT_MEANING)


def same_tree(one: Node, other: Node) -> bool:
    """Return whether two trees mean the same program."""
    work: list[tuple[object, object]] = [(one, other)]
    while work:
        a, b = work.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, Node):
            work += [(getattr(a, field), getattr(b, field)) for field in meaning_fields(type(a))]
        elif isinstance(a, tuple) and isinstance(b, tuple):
            if len(a) != len(b):
                return False
            work += zip(a, b)
        elif a != b:
            return False
    return True
