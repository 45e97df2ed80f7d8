"""Calls: of functions of the same file, of universal functions, of anything."""

from __future__ import annotations

from ...runtime.functions import SPECIAL_NAMES, mangle
from ...syntax import tree
from ...syntax.scopes import GLOBAL, LOCAL
from .. import python_tree as py
from ..facts.inference import binds
from ..facts.kinds import ANY
from .arguments import arguments_of, keyword_arguments, words_as_dict
from .universal_calls import call_universal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr, stmt
    from typing import Any, Optional

    from ..context import Context, Typed


def call_of(ctx: Context, node: tree.Call, made: Optional[Typed]) -> Typed:
    """`f(a, b=c)`: the function, then the arguments from left to right, then the call.

    `made` is the function, where it has been emitted already. Who is called decides how: a universal
    function or one of the same file directly, anything else through what it says can be called.
    """
    # spec: starlark.call, starlark.binding
    positional, named, stars = arguments_of(node)
    if stars or any(a.name in SPECIAL_NAMES for a in named):
        return call_with_stars(ctx, node, made, positional, named, stars)
    universal = ctx.is_universal(node.function) if made is None else ""
    if universal:
        direct = call_universal(ctx, node, universal, positional, named)
        if direct is not None:
            return direct
    if isinstance(node.function, tree.Name) and calls_known(ctx, node):
        return call_known(ctx, node, node.function, positional, named)
    function = made[0] if made is not None else ctx.value(node.function)
    if ctx.no_walrus and not py.is_simple(function):
        return call_with_stars(ctx, node, (function, ANY), positional, named, [])
    first, function, ref = ctx.bind(function)
    shape = (len(positional), tuple(a.name for a in named))
    line = ctx.unit.op(node.at, "call", ref, (shape,))
    if is_prepared(ctx, node.function):
        callee = py.load(f"$c{node.function.name}", line)  # type: ignore[attr-defined]
    else:
        callee = entry_of(ctx, first, function, line)
    args = [py.load("$s", line), *[ctx.value(a) for a in positional]]
    return py.call(callee, args, line, keyword_arguments(ctx, named)), ANY


def calls_known(ctx: Context, node: tree.Call) -> bool:
    """Return whether a call is of a global function that is bound once, whose parameters it fits."""
    known = ctx.unit.known.get(node.function.name)  # type: ignore[attr-defined]
    return known is not None and ctx.unit.uses[node.function.start].scope == GLOBAL and binds(known, node)


def call_known(
    ctx: Context,
    node: tree.Call,
    function: tree.Name,
    positional: list[tree.Expr],
    named: list[tree.NamedArgument],
) -> Typed:
    """Emit a call of a known function: of its Python function, which nothing needs to check."""
    name_line = ctx.unit.op(function.start, "global", (function.name,))
    callee = py.load(ctx.unit.raw_name(function.name), name_line)
    args = [py.load("$s", ctx.line), *[ctx.value(a) for a in positional]]
    words = keyword_arguments(ctx, named)
    line = ctx.unit.op(node.at, "call")
    return py.call(callee, args, line, words), ctx.unit.rules.result_kind(function.name)


def is_prepared(ctx: Context, function: tree.Expr) -> bool:
    """Return whether a callee is a parameter whose Python function is in a variable of its own."""
    if ctx.limited or not isinstance(function, tree.Name):
        return False
    binding = ctx.unit.uses[function.start]
    return binding.scope == LOCAL and binding.declared in ctx.prepared


def prepare(ctx: Context, parameter: tree.Name) -> stmt:
    """Return the statement that prepares a parameter for being called in a loop."""
    name = mangle(parameter.name)
    ctx.prepared.add(parameter.start)
    entry = entry_of(ctx, py.load(name, ctx.line), py.load(name, ctx.line), ctx.line)
    return py.assign(py.store(f"$c{parameter.name}", ctx.line), entry, ctx.line)


def entry_of(ctx: Context, first: expr, function: expr, line: int) -> expr:
    """Emit what Python calls for any callee; `function` is how to get it again."""
    if ctx.limited:
        # The function may be of a file whose code does not count its steps.
        known = py.helper(".entry_of", [py.load("$s", line), function], line)
    else:
        known = py.attribute(function, "entry", line)
    other = py.helper(".callable_of", [function], line)
    return py.conditional(py.is_class(first, ".Function", line), known, other, line)


def call_with_stars(
    ctx: Context,
    node: tree.Call,
    made: Optional[Typed],
    positional: list[tree.Expr],
    named: list[tree.NamedArgument],
    stars: list[Any],
) -> Typed:
    """Emit a call through `.call`, which takes the parts of the argument list as values."""
    function = made[0] if made is not None else ctx.value(node.function)
    args = py.tuple_of([ctx.value(a) for a in positional], ctx.line)
    words = words_as_dict(ctx, named)
    star = py.constant(None, ctx.line)
    star_star = py.constant(None, ctx.line)
    given = 0
    for argument in stars:
        if isinstance(argument, tree.StarArgument):
            star = ctx.value(argument.value)
            given |= 1
        else:
            star_star = ctx.value(argument.value)
            given |= 2
    line = ctx.unit.op(node.at, "call")
    parts = [py.load("$s", line), function, args, words, star, star_star, py.constant(given, line)]
    return py.helper(".call", parts, line), ANY
