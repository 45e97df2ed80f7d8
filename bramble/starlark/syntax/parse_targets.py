"""What may be on the left of an assignment."""

from __future__ import annotations

from .tree import (
    Binary,
    Call,
    Comprehension,
    Conditional,
    Dict,
    Dot,
    Index,
    Lambda,
    List,
    Literal,
    Name,
    Paren,
    Slice,
    Tuple,
    Unary,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .cursor import Cursor
    from .tree import Expr

_CALLED = {
    Binary: "binaryexpr",
    Call: "callexpr",
    Comprehension: "comprehension",
    Conditional: "condexpr",
    Dict: "dictexpr",
    Lambda: "lambdaexpr",
    Literal: "literal",
    Slice: "sliceexpr",
    Unary: "unaryexpr",
}


def check_target(cursor: Cursor, target: Expr, augmented: bool = False) -> None:
    """Raise SyntaxFailure syntax.target unless `target` can be assigned to."""
    # spec: starlark.assign
    work = [target]
    while work:
        node = work.pop()
        if isinstance(node, (Name, Dot, Index)):
            continue
        if isinstance(node, Paren):
            work.append(node.value)
        elif isinstance(node, (Tuple, List)):
            if augmented:
                kind = "tuple" if isinstance(node, Tuple) else "list"
                message = f"can't use {kind} expression in augmented assignment"
                raise cursor.source.failure("syntax.target", message, node.start)
            work += reversed(node.items)
        else:
            message = f"can't assign to {_CALLED[type(node)]}"
            raise cursor.source.failure("syntax.target", message, node.start)
