"""Python syntax trees in the shape that the compiler needs.

A node's line number is no line of any file: it is the number of an operation in
the program's table, from which an error finds its place and its operands (see
intrinsics.py). So no node needs anything else of a position.
"""

from __future__ import annotations

from _ast import (
    AST,
    Add,
    And,
    Assign,
    Attribute,
    BinOp,
    BitAnd,
    BitOr,
    BitXor,
    BoolOp,
    Call,
    Compare,
    Constant,
    Del,
    Dict,
    DictComp,
    Div,
    Eq,
    Expr,
    FloorDiv,
    FunctionDef,
    Gt,
    GtE,
    If,
    IfExp,
    In,
    Invert,
    Is,
    IsNot,
    Lambda,
    List,
    ListComp,
    Load,
    LShift,
    Lt,
    LtE,
    Mod,
    Mult,
    Name,
    NamedExpr,
    Not,
    NotEq,
    NotIn,
    Or,
    RShift,
    Slice,
    Starred,
    Store,
    Sub,
    Subscript,
    Tuple,
    UAdd,
    UnaryOp,
    USub,
    arguments,
    expr,
    keyword,
    stmt,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Optional

LOAD = Load()
STORE = Store()
DELETE = Del()
IS = Is()
IS_NOT = IsNot()
OR = Or()
AND = And()
NOT = Not()

BINARY: dict[str, Any] = {
    "+": Add(),
    "-": Sub(),
    "*": Mult(),
    "/": Div(),
    "//": FloorDiv(),
    "%": Mod(),
    "|": BitOr(),
    "&": BitAnd(),
    "^": BitXor(),
    "<<": LShift(),
    ">>": RShift(),
}
COMPARE: dict[str, Any] = {
    "==": Eq(),
    "!=": NotEq(),
    "<": Lt(),
    "<=": LtE(),
    ">": Gt(),
    ">=": GtE(),
    "in": In(),
    "not in": NotIn(),
}
UNARY: dict[str, Any] = {"-": USub(), "+": UAdd(), "~": Invert(), "not": NOT}


def load(name: str, line: int) -> expr:
    """`name`"""
    return Name(name, LOAD, lineno=line, col_offset=0)


def store(name: str, line: int) -> expr:
    """`name`, as a target."""
    return Name(name, STORE, lineno=line, col_offset=0)


def constant(value: object, line: int) -> expr:
    """A literal."""
    return Constant(value, None, lineno=line, col_offset=0)  # type: ignore[arg-type]


def attribute(value: expr, name: str, line: int, ctx: Any = LOAD) -> expr:
    """`value.name`"""
    return Attribute(value, name, ctx, lineno=line, col_offset=0, end_lineno=line, end_col_offset=0)


def class_of(value: expr, line: int) -> expr:
    """`value.__class__`"""
    return attribute(value, "__class__", line)


def call(function: expr, args: list[expr], line: int, keywords: Optional[list[keyword]] = None) -> expr:
    """`function(*args, **keywords)`"""
    return Call(function, args, keywords or [], lineno=line, col_offset=0)


def starred(value: expr, line: int) -> expr:
    """`*value`, as an argument."""
    return Starred(value, LOAD, lineno=line, col_offset=0)


def method(name: str, value: expr, args: list[expr], line: int) -> expr:
    """`value.name(*args)`"""
    return call(attribute(value, name, line), args, line)


def helper(name: str, args: list[expr], line: int) -> expr:
    """A call of one of the functions of intrinsics.py."""
    return Call(Name(name, LOAD, lineno=line, col_offset=0), args, [], lineno=line, col_offset=0)


def assign(target: expr, value: expr, line: int) -> stmt:
    """`target = value`"""
    return Assign([target], value, None, lineno=line, col_offset=0)


def is_kept(node: expr) -> bool:
    """Return whether an expression leaves its value in a variable that no program can name."""
    return node.__class__ is NamedExpr and node.target.id[0] == "$"


def walrus(name: str, value: expr, line: int) -> expr:
    """`(name := value)`"""
    return NamedExpr(Name(name, STORE, lineno=line, col_offset=0), value, lineno=line, col_offset=0)


def conditional(test: expr, then: expr, otherwise: expr, line: int) -> expr:
    """`then if test else otherwise`"""
    return IfExp(test, then, otherwise, lineno=line, col_offset=0)


def compare(left: expr, op: Any, right: expr, line: int) -> expr:
    """`left op right`"""
    return Compare(left, [op], [right], lineno=line, col_offset=0)


def both(left: expr, first: Any, middle: expr, second: Any, right: expr, line: int) -> expr:
    """`left first middle second right`, a chain of two comparisons."""
    return Compare(left, [first, second], [middle, right], lineno=line, col_offset=0)


def binary(left: expr, op: str, right: expr, line: int) -> expr:
    """`left op right` for an arithmetic operator."""
    return BinOp(left, BINARY[op], right, lineno=line, col_offset=0)


def boolean(op: Any, values: list[expr], line: int) -> expr:
    """`a and b and …` or `a or b or …`"""
    return BoolOp(op, values, lineno=line, col_offset=0)


def unary(op: str, operand: expr, line: int) -> expr:
    """`op operand`"""
    return UnaryOp(UNARY[op], operand, lineno=line, col_offset=0)


def tuple_of(items: list[expr], line: int, ctx: Any = LOAD) -> expr:
    """`(a, b)`"""
    return Tuple(items, ctx, lineno=line, col_offset=0)


def list_of(items: list[expr], line: int) -> expr:
    """`[a, b]`"""
    return List(items, LOAD, lineno=line, col_offset=0)


def is_new_list(value: expr) -> bool:
    """Return whether an expression is a display or a comprehension that makes a list."""
    return isinstance(value, (List, ListComp))


def is_new_dict(value: expr) -> bool:
    """Return whether an expression is a display or a comprehension that makes a dict."""
    return isinstance(value, (Dict, DictComp))


def dict_of(keys: list[Any], values: list[expr], line: int) -> expr:
    """`{k: v}`; a key that is None stands for `**v`."""
    return Dict(keys, values, lineno=line, col_offset=0)


def subscript(value: expr, index: expr, line: int, ctx: Any = LOAD) -> expr:
    """`value[index]`"""
    return Subscript(value, index, ctx, lineno=line, col_offset=0)


def slice_between(lower: expr, upper: expr, line: int) -> expr:
    """`lower:upper`, as an index."""
    return Slice(lower, upper, None, lineno=line, col_offset=0)


def is_class(value: expr, name: str, line: int) -> expr:
    """`value.__class__ is name`, where names without a dot are Python's own classes."""
    return compare(class_of(value, line), IS, class_named(name, line), line)


def class_named(name: str, line: int) -> expr:
    """A class of the values: one of Python's own, or `.Function` and its like."""
    return load(name if name[0] == "." else f"c.{name}", line)


def expression(value: expr, line: int) -> stmt:
    """An expression as a statement."""
    return Expr(value, lineno=line, col_offset=0)


def if_statement(test: expr, body: list[stmt], otherwise: list[stmt], line: int) -> stmt:
    """`if test: body else: otherwise`"""
    return If(test, body, otherwise, lineno=line, col_offset=0)


def sequence(first: Sequence[expr], last: expr, line: int) -> expr:
    """An expression that evaluates `first` in order and has the value of `last`."""
    if not first:
        return last
    # Python finds an item of a tuple sooner from the front.
    return subscript(tuple_of([*first, last], line), constant(len(first), line), line)


def after(first: Sequence[expr], value: expr, last: expr, line: int) -> expr:
    """An expression that evaluates `first`, `value` and `last` in order and has the value of `value`."""
    return subscript(tuple_of([*first, value, last], line), constant(len(first), line), line)


def parameters(
    positional: list[Any],
    defaults: list[expr],
    vararg: Any,
    keyword_only: list[Any],
    keyword_defaults: list[Optional[expr]],
    kwarg: Any,
    hidden: Any,
) -> arguments:
    """The parameters of a function; `hidden`, if any, comes before all and cannot be given by name."""
    return arguments(
        posonlyargs=[] if hidden is None else [hidden],
        args=positional,
        vararg=vararg,
        kwonlyargs=keyword_only,
        kw_defaults=keyword_defaults,
        kwarg=kwarg,
        defaults=defaults,
    )


# Since Python 3.12, which also gave functions parameters of types.
COMPREHENSIONS_ARE_INLINE = "type_params" in FunctionDef._fields


def function(name: str, parameters: arguments, body: list[stmt]) -> stmt:
    """`def name(parameters): body`"""
    made = FunctionDef(name, parameters, body, [], None, lineno=1, col_offset=0)
    if COMPREHENSIONS_ARE_INLINE:
        made.type_params = []  # type: ignore[attr-defined]
    return made


def has_walrus(node: AST) -> bool:
    """Return whether an expression has a `:=` inside, or what has variables of its own, where one may be."""
    if node.__class__ in _WITH_VARIABLES:
        return True
    for field in node._fields:
        value = getattr(node, field)
        if value.__class__ is list:
            if any(has_walrus(item) for item in value if item is not None):
                return True
        elif isinstance(value, AST) and has_walrus(value):
            return True
    return False


_WITH_VARIABLES = frozenset({NamedExpr, Lambda, ListComp, DictComp})


def is_simple(node: AST) -> bool:
    """Return whether evaluating a node again costs nothing and changes nothing."""
    kind = node.__class__
    return kind is Name or kind is Constant


def is_literal(node: Any) -> bool:
    """Return whether a node is a constant, also one that Python calculates while it compiles."""
    kind = node.__class__
    if kind is BinOp:
        return is_literal(node.left) and is_literal(node.right)
    return kind is Constant or (kind is UnaryOp and is_literal(node.operand))
