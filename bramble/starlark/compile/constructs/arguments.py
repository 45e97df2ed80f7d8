"""The argument list of a call, taken apart."""

from __future__ import annotations

from _ast import Dict as PyDict
from _ast import keyword

from ...syntax import tree
from .. import python_tree as py

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from typing import Any

    from ..context import Context


def arguments_of(
    node: tree.Call,
) -> tuple[list[tree.Expr], list[tree.NamedArgument], list[Any]]:
    """Return the positional, the named and the starred arguments of a call."""
    positional: list[tree.Expr] = []
    named: list[tree.NamedArgument] = []
    stars: list[Any] = []
    for argument in node.arguments:
        if isinstance(argument, tree.NamedArgument):
            named.append(argument)
        elif isinstance(argument, (tree.StarArgument, tree.StarStarArgument)):
            stars.append(argument)
        else:
            positional.append(argument)
    return positional, named, stars


def keyword_arguments(ctx: Context, named: list[tree.NamedArgument]) -> list[keyword]:
    """Emit keyword arguments as Python's."""
    return [keyword(a.name, ctx.value(a.value), lineno=ctx.line, col_offset=0) for a in named]


def words_as_dict(ctx: Context, named: list[tree.NamedArgument]) -> expr:
    """Emit keyword arguments as a dict."""
    keys: list[Any] = [py.constant(a.name, ctx.line) for a in named]
    return PyDict(keys, [ctx.value(a.value) for a in named], lineno=ctx.line, col_offset=0)
