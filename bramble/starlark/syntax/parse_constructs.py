"""The constructs of expressions while they are being read: what each may hold, and when it is complete.

`parse_expressions.py` reads operands and operators. Whenever an expression has ended,
the innermost open construct *takes* it, looks at the token that ended it, and
answers with a node, when that completes the construct, or with the construct
that the next operand belongs to.
"""

from __future__ import annotations

from .parse_targets import check_target
from .scan import EOF, NAME, NEWLINE, nesting_fault
from .tree import (
    MAX_NESTING,
    Call,
    Comprehension,
    Conditional,
    Dict,
    DictEntry,
    ForClause,
    IfClause,
    Index,
    Lambda,
    List,
    Name,
    NamedArgument,
    Parameter,
    Paren,
    Slice,
    StarArgument,
    StarStarArgument,
    Tuple,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

    from .cursor import Cursor
    from .tree import Expr

# A comma before one of these is a trailing comma.
_AFTER_LAST_ITEM = frozenset([EOF, NEWLINE, "=", "}", "]", ")", ";"])


class Construct:
    """An open construct. The class attributes say what an operand directly in it may be."""

    __slots__ = ()

    operators: bool = True  # binary operators and `not`
    conditional: bool = True  # `a if b else c`
    lambdas: bool = True  # a bare `lambda`

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        """Accept the expression that ended before the present token; with no more to it, it is the whole."""
        return node


class WholeTest(Construct):
    """One expression that is not a bare tuple."""

    __slots__ = ()


class WholeExpression(Construct):
    """One expression, or several with commas between them: a tuple without parentheses."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[Expr] = []

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        if cursor.kind != ",":
            return _bare_tuple(self.items, node)
        _pass_tuple_comma(cursor)
        self.items.append(node)
        return self


class WholeTargets(Construct):
    """The variables of a `for`: operands with their suffixes, and commas between them."""

    __slots__ = ("items",)
    operators = conditional = lambdas = False

    def __init__(self) -> None:
        self.items: list[Expr] = []

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        if not cursor.accept(","):
            return _bare_tuple(self.items, node)
        self.items.append(node)
        return self


class OpenParen(Construct):
    """`(`: an expression in parentheses, or a tuple."""

    __slots__ = ("start", "items")

    def __init__(self, start: int) -> None:
        self.start = start
        self.items: list[Expr] = []

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        comma = cursor.accept(",")
        if comma:
            self.items.append(node)
            if cursor.kind not in _AFTER_LAST_ITEM:
                return self
        cursor.expect(")")
        if comma or self.items:
            if not comma:
                self.items.append(node)
            return Tuple(self.start, cursor.last_end, tuple(self.items), True)
        return Paren(self.start, cursor.last_end, node)


class OpenList(Construct):
    """`[`: a list, or a list comprehension."""

    __slots__ = ("start", "items")

    def __init__(self, start: int) -> None:
        self.start = start
        self.items: list[Expr] = []

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        items = self.items
        if cursor.kind == "for" and not items:
            return OpenComprehension(self.start, node, "]").begin(cursor)
        items.append(node)
        if cursor.accept(",") and cursor.kind not in _AFTER_LAST_ITEM:
            return self
        cursor.expect("]")
        return List(self.start, cursor.last_end, tuple(items))


class OpenDict(Construct):
    """`{`: a dict, or a dict comprehension. Holds the key while the value is read."""

    __slots__ = ("start", "entries", "key", "colon")

    def __init__(self, start: int) -> None:
        self.start = start
        self.entries: list[DictEntry] = []
        self.key: Optional[Expr] = None
        self.colon = 0

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        key = self.key
        if key is None:
            self.colon = cursor.expect(":")
            self.key = node
            return self
        self.key = None
        entry = DictEntry(key.start, node.end, key, self.colon, node)
        if cursor.kind == "for" and not self.entries:
            return OpenComprehension(self.start, entry, "}").begin(cursor)
        self.entries.append(entry)
        if cursor.accept(",") and cursor.kind != "}":
            return self
        cursor.expect("}")
        return Dict(self.start, cursor.last_end, tuple(self.entries))


class OpenComprehension(Construct):
    """A comprehension from its first `for` on. Reads targets, operands of `in`, and conditions."""

    __slots__ = ("start", "body", "closer", "clauses", "clause", "targets", "target", "operators", "lambdas")
    conditional = False

    def __init__(self, start: int, body: Union[Expr, DictEntry], closer: str) -> None:
        self.start = start
        self.body = body
        self.closer = closer
        self.clauses: list[Union[ForClause, IfClause]] = []
        self.clause = 0  # where the present clause starts
        self.targets: Optional[WholeTargets] = None  # while the variables are read
        self.target: Optional[Expr] = None  # while the operand of `in` is read
        self.operators = True
        self.lambdas = True

    def begin(self, cursor: Cursor) -> Union[Expr, Construct]:
        """Read the start of the next clause, or the closing bracket."""
        if cursor.kind == self.closer:
            cursor.index += 1
            return Comprehension(self.start, cursor.last_end, self.body, tuple(self.clauses))
        self.clause = cursor.start
        if len(self.clauses) >= MAX_NESTING:
            # Clauses nest, and CPython's compiler would recurse once for each.
            cursor.raise_fault(nesting_fault(self.clause))
        if cursor.accept("for"):
            self.targets = WholeTargets()
            self.operators = self.lambdas = False
        elif cursor.accept("if"):
            self.operators = self.lambdas = True
        else:
            raise cursor.unexpected(f"'{self.closer}', for, or if")
        return self

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        if self.targets is not None:
            target = self.targets.take(cursor, node)
            if not isinstance(target, Construct):
                cursor.expect("in")
                check_target(cursor, target)
                self.target, self.targets = target, None
                # spec: starlark.grammar.conditional
                self.operators = True
            return self
        if self.target is not None:
            self.clauses.append(ForClause(self.clause, node.end, self.target, node))
            self.target = None
        else:
            self.clauses.append(IfClause(self.clause, node.end, node))
        return self.begin(cursor)


class OpenCall(Construct):
    """`f(`: the arguments of a call."""

    __slots__ = ("function", "at", "arguments", "star", "name", "start", "equals")

    def __init__(self, function: Expr, at: int) -> None:
        self.function = function
        self.at = at
        self.arguments: list[Union[Expr, NamedArgument, StarArgument, StarStarArgument]] = []
        self.star = ""
        self.name = ""
        self.start = 0  # of the present argument
        self.equals = 0

    def begin(self, cursor: Cursor) -> Construct:
        """Read what is before the value of an argument: stars, or a name and `=`."""
        kinds, index = cursor.kinds, cursor.index
        kind = kinds[index]
        if kind == NAME and kinds[index + 1] == "=":
            self.start, self.equals = cursor.starts[index], cursor.starts[index + 1]
            self.name = str(cursor.values[index])
            cursor.index += 2
        elif kind in ("*", "**"):
            self.start, self.star = cursor.starts[index], kind
            cursor.index += 1
        return self

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        if self.name:
            self.arguments.append(NamedArgument(self.start, node.end, self.name, self.equals, node))
            self.name = ""
        elif self.star:
            kind = StarArgument if self.star == "*" else StarStarArgument
            self.arguments.append(kind(self.start, node.end, node))
            self.star = ""
        else:
            self.arguments.append(node)
        end = cursor.kind
        if end == ",":
            cursor.index += 1
            end = cursor.kind
            if end != ")":
                return self.begin(cursor)
        if end == ")":
            cursor.index += 1
            return Call(self.function.start, cursor.last_end, self.function, self.at, tuple(self.arguments))
        if end == "=":
            # spec: starlark.grammar
            raise cursor.failure("syntax.argument", "keyword argument must have form name=expr", node.start)
        raise cursor.unexpected("')'" if end == EOF else "','")


class OpenSubscript(Construct):
    """`x[`: an index or a slice. `parts` are the parts of a slice that are complete."""

    __slots__ = ("operand", "at", "items", "parts")

    def __init__(self, operand: Expr, at: int) -> None:
        self.operand = operand
        self.at = at
        self.items: list[Expr] = []
        self.parts: list[Optional[Expr]] = []

    def begin(self, cursor: Cursor) -> Union[Expr, Construct]:
        return self._next(cursor, None) if cursor.kind == ":" else self

    def take(self, cursor: Cursor, node: Expr) -> Union[Expr, Construct]:
        if not self.parts:
            if cursor.kind == ",":
                _pass_tuple_comma(cursor)
                self.items.append(node)
                return self
            node = _bare_tuple(self.items, node)
            if cursor.accept("]"):
                return Index(self.operand.start, cursor.last_end, self.operand, self.at, node)
        return self._next(cursor, node)

    def _next(self, cursor: Cursor, part: Optional[Expr]) -> Union[Expr, Construct]:
        """Store a part of the slice, and empty parts behind it."""
        parts = self.parts
        parts.append(part)
        while len(parts) < 3 and cursor.accept(":"):
            if cursor.kind not in (":", "]") or (len(parts) == 2 and cursor.kind != "]"):
                return self
            parts.append(None)
        cursor.expect("]")
        lower, upper, step = (*parts, None, None)[:3]
        return Slice(self.operand.start, cursor.last_end, self.operand, self.at, lower, upper, step)


class OpenLambda(Construct):
    """`lambda`: its parameters, and their default values."""

    __slots__ = ("start", "parameters", "name", "allowed")

    def __init__(self, start: int, allowed: bool) -> None:
        self.start = start
        self.parameters: list[Parameter] = []
        self.name: Optional[Name] = None  # whose default value is read
        self.allowed = allowed  # whether the body may be a conditional

    def begin(self, cursor: Cursor) -> Construct:
        """Read parameters up to a default value, or to the colon."""
        while True:
            if cursor.kind == ":" and not self.parameters:
                cursor.index += 1
                break
            head = parameter_head(cursor)
            if isinstance(head, Name):
                self.name = head
                return self
            self.parameters.append(head)
            if self._ends(cursor):
                break
        return OpenLambdaBody(self.start, self.parameters, self.allowed)

    def take(self, cursor: Cursor, node: Expr) -> Construct:
        assert self.name is not None
        self.parameters.append(Parameter(self.name.start, node.end, "", self.name, node))
        if self._ends(cursor):
            return OpenLambdaBody(self.start, self.parameters, self.allowed)
        return self.begin(cursor)

    def _ends(self, cursor: Cursor) -> bool:
        if cursor.kind in (":", ")", EOF):
            cursor.expect(":")
            return True
        cursor.expect(",")
        return False


class OpenLambdaBody(Construct):
    """`lambda …:`: the body."""

    __slots__ = ("start", "parameters", "conditional")

    def __init__(self, start: int, parameters: list[Parameter], conditional: bool) -> None:
        self.start = start
        self.parameters = parameters
        self.conditional = conditional

    def take(self, cursor: Cursor, node: Expr) -> Expr:
        return Lambda(self.start, node.end, tuple(self.parameters), node)


class OpenCondition(Construct):
    """`a if`: the condition."""

    __slots__ = ("then", "at")
    conditional = lambdas = False

    def __init__(self, then: Expr, at: int) -> None:
        self.then = then
        self.at = at

    def take(self, cursor: Cursor, node: Expr) -> Construct:
        if not cursor.accept("else"):
            # spec: starlark.grammar.conditional
            message = "conditional expression without else clause"
            raise cursor.failure("syntax.conditional", message, self.at)
        return OpenOtherwise(self.then, self.at, node)


class OpenOtherwise(Construct):
    """`a if b else`: what is left."""

    __slots__ = ("then", "at", "condition")

    def __init__(self, then: Expr, at: int, condition: Expr) -> None:
        self.then = then
        self.at = at
        self.condition = condition

    def take(self, cursor: Cursor, node: Expr) -> Expr:
        return Conditional(self.then.start, node.end, self.then, self.at, self.condition, node)


def parameter_head(cursor: Cursor) -> Union[Parameter, Name]:
    """Read one parameter of a `def` or `lambda`; a name whose `=` was passed still needs its default."""
    start = cursor.start
    if cursor.accept("**"):
        name = identifier(cursor, "syntax.parameter")
        return Parameter(start, name.end, "**", name, None)
    if cursor.accept("*"):
        if cursor.kind != NAME:
            return Parameter(start, cursor.last_end, "*", None, None)
        name = identifier(cursor, "syntax.parameter")
        return Parameter(start, name.end, "*", name, None)
    name = identifier(cursor, "syntax.parameter")
    return name if cursor.accept("=") else Parameter(start, name.end, "", name, None)


def identifier(cursor: Cursor, code: str = "syntax.unexpected") -> Name:
    """Pass a name. Raises SyntaxFailure with this code if the next token is something else."""
    index = cursor.index
    if cursor.kinds[index] != NAME:
        raise cursor.failure(code, "not an identifier", cursor.ends[index])
    cursor.index += 1
    return Name(cursor.starts[index], cursor.ends[index], str(cursor.values[index]))


def _bare_tuple(items: list[Expr], last: Expr) -> Expr:
    if not items:
        return last
    items.append(last)
    return Tuple(items[0].start, last.end, tuple(items), False)


def _pass_tuple_comma(cursor: Cursor) -> None:
    comma = cursor.expect(",")
    if cursor.kind in _AFTER_LAST_ITEM:
        # spec: starlark.grammar.tuple
        raise cursor.failure("syntax.tuple", "unparenthesized tuple with trailing comma", comma)
