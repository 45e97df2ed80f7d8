"""Expressions: one loop over the tokens, with explicit stacks.

Why not a function for every rule of the grammar: calls are the slowest thing in
Python, and their depth is not ours to use up. The loop is in one of two states.
*Wanting an operand*, it meets a name, a literal, a prefix operator or an opening
bracket. *Having one*, it meets a suffix, a binary operator, or the end of the
expression.

Two stacks grow together. `waiting` holds what waits for its right operand, as
(precedence, left operand, operator, offset), with a BARRIER for every open
construct. `opens` holds those constructs: a bracket, a lambda, a conditional.
When an expression ends, the innermost construct takes it (parse_constructs.py).
"""

from __future__ import annotations

from .parse_constructs import (
    Construct,
    OpenCall,
    OpenCondition,
    OpenDict,
    OpenLambda,
    OpenList,
    OpenParen,
    OpenSubscript,
    identifier,
)
from .scan import BYTES, FLOAT, INT, NAME, STRING, nesting_fault
from .tree import MAX_NESTING, Binary, Call, Dict, Dot, List, Literal, Name, Tuple, Unary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Union

    from .cursor import Cursor
    from .tree import Expr

    Waiting = tuple[int, Optional[Expr], str, int]

# spec: starlark.grammar
_NOT = 2
_COMPARISON = 3
_UNARY = 10
_BARRIER = -1
_AFTER_OPERAND = {
    "or": 0,
    "and": 1,
    **dict.fromkeys(("==", "!=", "<", ">", "<=", ">=", "in", "not"), _COMPARISON),
    "|": 4,
    "^": 5,
    "&": 6,
    **dict.fromkeys(("<<", ">>"), 7),
    **dict.fromkeys(("+", "-"), 8),
    **dict.fromkeys(("*", "/", "//", "%"), 9),
    **dict.fromkeys((".", "(", "["), 100),
}
_LITERALS = frozenset([STRING, INT, FLOAT, BYTES])


def expression(cursor: Cursor, whole: Construct) -> Expr:
    """Read the expression that starts at the cursor; `whole` says what it may be and takes it."""
    kinds, values, starts, ends = cursor.kinds, cursor.values, cursor.starts, cursor.ends
    text = cursor.text
    after_operand = _AFTER_OPERAND.get
    waiting: list[Waiting] = [(_BARRIER, None, "", 0)]
    opens = [whole]
    top = whole
    index = cursor.index
    node: Expr
    step: Union[Expr, Construct]
    while True:
        # An operand is wanted.
        kind = kinds[index]
        start = starts[index]
        if kind == NAME:
            node = Name(start, ends[index], values[index])  # type: ignore[arg-type]
            index += 1
        elif kind in _LITERALS:
            end = ends[index]
            node = Literal(start, end, values[index], text[start:end])  # type: ignore[arg-type]
            index += 1
        else:
            cursor.index = index
            found = _empty_display(cursor) if kind in "([{" else _prefix(cursor, top, waiting)
            index = cursor.index
            if isinstance(found, Construct):
                waiting.append((_BARRIER, None, "", 0))
                opens.append(found)
                top = found
            if found is None or isinstance(found, Construct):
                if len(waiting) > MAX_NESTING:
                    cursor.raise_fault(nesting_fault(start))
                continue
            node = found
        # There is an operand.
        while True:
            kind = kinds[index]
            precedence = after_operand(kind)
            if precedence is not None:
                at = starts[index]
                if precedence == 100:
                    cursor.index = index + 1
                    if kind == ".":
                        name = identifier(cursor)
                        node = Dot(node.start, name.end, node, at, name.name, name.start)
                        index += 2
                        continue
                    if kind == "(":
                        if kinds[index + 1] == ")":
                            node = Call(node.start, ends[index + 1], node, at, ())
                            index += 2
                            continue
                        step = OpenCall(node, at).begin(cursor)
                    else:
                        step = OpenSubscript(node, at).begin(cursor)
                    index = cursor.index
                    if not isinstance(step, Construct):
                        node = step
                        continue
                    waiting.append((_BARRIER, None, "", 0))
                    opens.append(step)
                    top = step
                    if len(waiting) > MAX_NESTING:
                        cursor.raise_fault(nesting_fault(at))
                    break
                if top.operators:
                    index += 1
                    if kind == "not":
                        cursor.index = index
                        cursor.expect("in")
                        kind = "not in"
                        at = starts[index]
                        index += 1
                    while waiting[-1][0] >= precedence:
                        level, left, operator, begin = waiting.pop()
                        if left is None:
                            node = Unary(begin, node.end, operator, node)
                        else:
                            if level == _COMPARISON == precedence:
                                # spec: starlark.grammar.comparison
                                message = f"{operator} does not associate with {kind} (use parens)"
                                raise cursor.source.failure("syntax.operator", message, at)
                            node = Binary(left.start, node.end, left, operator, begin, node)
                    waiting.append((precedence, node, kind, at))
                    if len(waiting) > MAX_NESTING:
                        cursor.raise_fault(nesting_fault(at))
                    break
            # The expression ends here.
            while waiting[-1][0] >= 0:
                _, left, operator, begin = waiting.pop()
                if left is None:
                    node = Unary(begin, node.end, operator, node)
                else:
                    node = Binary(left.start, node.end, left, operator, begin, node)
            if kind == "if" and top.conditional:
                waiting.append((_BARRIER, None, "", 0))
                top = OpenCondition(node, starts[index])
                opens.append(top)
                index += 1
                if len(waiting) > MAX_NESTING:
                    cursor.raise_fault(nesting_fault(node.end))
                break
            cursor.index = index
            step = top.take(cursor, node)
            index = cursor.index
            if isinstance(step, Construct):
                opens[-1] = top = step
                break
            opens.pop()
            if not opens:
                return step
            waiting.pop()
            top = opens[-1]
            node = step


def _empty_display(cursor: Cursor) -> Union[Expr, Construct]:
    """Pass an opening bracket, and its closing one if that follows."""
    index = cursor.index
    opener, closer = cursor.kinds[index], cursor.kinds[index + 1]
    start = cursor.starts[index]
    if opener == "(":
        if closer == ")":
            cursor.index += 2
            return Tuple(start, cursor.last_end, (), True)
        cursor.index += 1
        return OpenParen(start)
    if opener == "[":
        if closer == "]":
            cursor.index += 2
            return List(start, cursor.last_end, ())
        cursor.index += 1
        return OpenList(start)
    if closer == "}":
        cursor.index += 2
        return Dict(start, cursor.last_end, ())
    cursor.index += 1
    return OpenDict(start)


def _prefix(cursor: Cursor, top: Construct, waiting: list[Waiting]) -> Optional[Construct]:
    """Pass a prefix operator, which then waits for its operand (None), or `lambda` and its parameters."""
    kind, start = cursor.kind, cursor.start
    if kind in ("-", "+", "~"):
        waiting.append((_UNARY, None, kind, start))
    elif kind == "not" and top.operators and waiting[-1][0] <= _NOT:
        waiting.append((_NOT, None, kind, start))
    elif kind == "lambda" and top.lambdas and waiting[-1][0] == _BARRIER:
        cursor.index += 1
        return OpenLambda(start, top.conditional).begin(cursor)
    else:
        raise cursor.unexpected("primary expression", at_start=True)
    cursor.index += 1
    return None
