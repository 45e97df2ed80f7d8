"""Calls: of functions of the same file, of universal functions, of anything.

The simple rule of a call is to evaluate the callee and the arguments, to check that they bind, and to call
(`.call`, in runtime/intrinsics.py). Here the check comes afterwards. Python's own call binds as Starlark
does, and where it cannot it raises a TypeError before the callee has done anything.

**Why that is safe.** Such a TypeError has no frame but the caller's in its traceback; one from inside of
the callee has at least one more. Only for the first is the operation looked up (faults.py) and its operands
asked what is wrong (`explain_call`): the callee, how many arguments stand in the text, their names, and what
follows `*` and `**`. Nothing has run since they were evaluated, so they are what they were.

**Where the two differ**, and so what is done before: after `*` Python iterates strings, and host values in
their own way; so everything but a tuple or `List` goes through `.star`. After `**` it takes any mapping; so
everything but Python's own dict goes through `.star_star`. It takes what follows `*` before the named
arguments, which are written before it. And it has names that no variable may have: parameters with such names
are renamed there, and the entry of their function translates the names (`RenamingEntry`).

**Who is called** is known for a global function that is bound once: its Python function is called directly,
without a test of the value. With stars it is the one for anybody (facts/inference.py), since nothing is known
of what they bring.
"""

from __future__ import annotations

from _ast import keyword

from ...runtime.functions import SPECIAL_NAMES, mangle
from ...syntax import tree
from ...syntax.scopes import GLOBAL, LOCAL
from .. import python_tree as py
from ..facts.flow import binds
from ..facts.kinds import ANY, DICT, TUPLE
from .arguments import arguments_of, keyword_arguments, words_as_dict
from .guards import is_small
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
    if any(a.name in SPECIAL_NAMES for a in named):
        return call_by_parts(ctx, node, made, positional, named, stars)
    if stars:
        return call_with_stars(ctx, node, made, positional, named, stars)
    universal = ctx.is_universal(node.function) if made is None else ""
    if universal:
        direct = call_universal(ctx, node, universal, positional, named)
        if direct is not None:
            return direct
    if isinstance(node.function, tree.Name) and calls_known(ctx, node):
        return call_known(ctx, node, node.function, positional, named)
    function = made[0] if made is not None else ctx.value(node.function)
    first, function, ref = ctx.bind(function)
    line = ctx.unit.op(node.at, "call", ref, (shape_of(positional, named),))
    callee = callee_of(ctx, node.function, first, function, line)
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
    if not ctx.limited:
        other = py.conditional(py.is_class(function, ".Builtin", line), known, other, line)
    return py.conditional(py.is_class(first, ".Function", line), known, other, line)


def callee_of(ctx: Context, node: tree.Expr, first: expr, function: expr, line: int) -> expr:
    """Emit what Python calls for a callee that was bound: `first` evaluates it, `function` gets it again."""
    if is_prepared(ctx, node):
        return py.load(f"$c{node.name}", line)  # type: ignore[attr-defined]
    return entry_of(ctx, first, function, line)


def shape_of(positional: list[tree.Expr], named: list[tree.NamedArgument]) -> tuple[int, tuple[str, ...]]:
    """Return what the table of operations keeps of the arguments before any stars."""
    return len(positional), tuple([a.name for a in named])


def call_with_stars(
    ctx: Context,
    node: tree.Call,
    made: Optional[Typed],
    positional: list[tree.Expr],
    named: list[tree.NamedArgument],
    stars: list[Any],
) -> Typed:
    """Emit a call with `*args` or `**kwargs` as one of Python's.

    Python binds as Starlark does, and raises a TypeError in the calling frame itself where it cannot: then
    faults.py asks the operands what was wrong with the call (`explain_call`). Python takes a `*` before the
    named arguments, though it stands behind them: so these are evaluated with it, and kept.
    """
    # spec: starlark.arguments
    if made is None and len(positional) == len(stars) == 1 and not named:
        joined = dict_with_words(ctx, node, positional[0], stars[0])
        if joined is not None:
            return joined, DICT
    line = ctx.unit.op(node.at, "call")
    name = star_called(ctx, node.function) if made is None else ""
    if name:
        ref: Any = mangle(name)
        callee = py.load(f"{ref}!", ctx.unit.op(node.function.start, "global", (name,)))
    else:
        first, function, ref = ctx.bind(made[0] if made is not None else ctx.value(node.function))
        callee = callee_of(ctx, node.function, first, function, line)
    args = [py.load("$s", line), *[ctx.value(a) for a in positional]]
    star = next((a.value for a in stars if isinstance(a, tree.StarArgument)), None)
    star_star = next((a.value for a in stars if isinstance(a, tree.StarStarArgument)), None)
    # What is evaluated before the items after `*` are looked at, and kept.
    before: list[expr] = []
    words: list[keyword] = []
    for argument in named:
        value = ctx.value(argument.value)
        if star is not None:
            first, value, _ref = ctx.bind(value)
            before += [] if first is value else [first]
        words.append(keyword(argument.name, value, lineno=line, col_offset=0))
    refs: list[Any] = [(None,), (None,)]
    if star is not None:
        value, kind = ctx.expr(star)
        first, items, refs[0] = ctx.bind(value)
    if star_star is not None:
        first_words, mapping, refs[1] = ctx.bind(ctx.value(star_star))
        if star is not None and kind != TUPLE and first_words is not mapping:
            before += [first, first_words]
            first, first_words = items, mapping
        known = py.is_class(first_words, ".Dict", line)
        mapping = py.conditional(known, mapping, py.helper(".star_star", [mapping], line), line)
        words.append(keyword(None, mapping, lineno=line, col_offset=0))
    if star is not None:
        items = first if kind == TUPLE else checked_star(first, items, line)
        args.append(py.starred(py.sequence(before, items, line), line))
    ctx.unit.complete(line, ref, (shape_of(positional, named),), *refs)
    return py.call(callee, args, line, words), ctx.unit.rules.result_kind(name) if name else ANY


def dict_with_words(ctx: Context, node: tree.Call, table: tree.Expr, words: Any) -> Optional[expr]:
    """Emit `dict(x, **words)`, or return None for another call: by Python's own for two dicts of its own."""
    if ctx.is_universal(node.function) != "dict" or not isinstance(words, tree.StarStarArgument):
        return None
    first, x, _ref = ctx.bind(ctx.value(table))
    first_words, mapping, ref = ctx.bind(ctx.value(words.value))
    line = ctx.unit.op(node.at, "call", "u.dict", ((1, ()),), (None,), ref)
    tests = [py.is_class(first, ".Dict", line), py.is_class(first_words, ".Dict", line)]
    if first_words is not mapping:
        # Not `and`: the words must be evaluated in any case.
        tests = [py.binary(tests[0], "&", tests[1], line)]
    test = py.boolean(py.AND, [*tests, is_small(x, line), is_small(mapping, line)], line)
    native = py.call(py.load("c.dict", line), [x], line, [keyword(None, mapping, lineno=line, col_offset=0)])
    known = py.conditional(
        py.is_class(mapping, ".Dict", line), mapping, py.helper(".star_star", [mapping], line), line
    )
    entry = py.attribute(py.load("u.dict", line), "entry", line)
    spread = [keyword(None, known, lineno=line, col_offset=0)]
    return py.conditional(test, native, py.call(entry, [py.load("$s", line), x], line, spread), line)


def star_called(ctx: Context, function: tree.Expr) -> str:
    """Return the name of the known function that a call with stars calls straight, or ""."""
    if not isinstance(function, tree.Name) or ctx.unit.uses[function.start].scope != GLOBAL:
        return ""
    known = ctx.unit.known.get(function.name)
    # Such names are not those of Python's parameters: `entry` knows what to do.
    if known is None or any(p.name in SPECIAL_NAMES for p in known.parameters):
        return ""
    return function.name


def checked_star(first: expr, again: expr, line: int) -> expr:
    """Emit the argument after `*` as something that Python iterates as Starlark does."""
    plain = py.boolean(py.OR, [py.is_class(first, "tuple", line), py.is_class(again, ".List", line)], line)
    return py.conditional(plain, again, py.helper(".star", [again], line), line)


def call_by_parts(
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
