"""`def` and `lambda`: functions of Python's with a hidden first parameter, the thread.

*Recursion.* Every function that may call unknown code notes in `$s.active` that it
is running, and refuses when it finds itself there already. What an error leaves
behind there is cleared where the error is caught (thread.py). One that calls unknown
code only in the place of a built-in method notes nothing: the call does it, in
`$s.noted` (runtime/seldom.py).
"""

from __future__ import annotations

from _ast import Delete, Lambda, Pass, Return, arg

from ...runtime.functions import SPECIAL_NAMES, mangle
from ...runtime.seldom import NOTED
from ...syntax import tree
from .. import python_tree as py
from ..context import Context
from ..facts.kinds import FUNCTION
from .calls import prepare
from .iteration import counted_step
from .loops import tick
from .variables import settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr, stmt
    from collections.abc import Sequence
    from typing import Any, Optional, Union

    from ..context import Typed, Unit


def info_name(node: tree.Node) -> str:
    """Return the name that the code knows a function's `FunctionInfo` under."""
    return f".f{node.start}"


def parameters_of(ctx: Context, parameters: Sequence[tree.Parameter]) -> Any:
    """Return Python's parameters; their defaults are expressions of this, the outer function."""
    positional = []
    defaults: list[expr] = []
    only = []
    only_defaults: list[Optional[expr]] = []
    vararg = kwarg = None
    after_star = False
    for parameter in parameters:
        made = None
        if parameter.name is not None:
            made = arg(mangle(parameter.name.name), lineno=ctx.line, col_offset=0)
        default = None if parameter.default is None else ctx.value(parameter.default)
        if parameter.star == "**":
            kwarg = made
        elif parameter.star == "*":
            vararg = made
            after_star = True
        elif after_star:
            only.append(made)
            only_defaults.append(default)
        else:
            positional.append(made)
            if default is not None:
                defaults.append(default)
    hidden = arg("$s", lineno=ctx.line, col_offset=0)
    return py.parameters(positional, defaults, vararg, only, only_defaults, kwarg, hidden)


def inner_context(ctx: Context, node: tree.Node, unit: Optional[Unit] = None) -> Context:
    """Return the context of a function inside this one, and enter it among those of the program."""
    unit = unit or ctx.unit
    scope = unit.resolution.functions[node.start]
    unit.functions[node.start] = (scope, node)
    inner = Context(unit, scope, node.start, ctx.options)
    # It cannot run before it is made, and a `def` not before it has its name.
    inner.around = ctx.around | {v.declared for v in ctx.scope.locals if v.index in ctx.settled}
    if isinstance(node, tree.Def):
        inner.around.add(ctx.unit.uses[node.name.start].declared)
    inner.line = ctx.unit.op(node.start, "statement")
    return inner


def lambda_expression(ctx: Context, node: tree.Lambda) -> Typed:
    """`lambda p: x`: the defaults, then a new function."""
    # spec: starlark.lambda
    return function_of_lambda(ctx, node), FUNCTION


def function_of_lambda(ctx: Context, node: tree.Lambda) -> expr:
    """Emit the function of a lambda: as Python's own, or as a `def` right before the statement."""
    parameters = parameters_of(ctx, node.parameters)
    inner = inner_context(ctx, node)
    if inner.checked and ctx.hoisting and not parameters.defaults and not any(parameters.kw_defaults):
        # A `def` right before the statement has the cheaper check.
        name = f"$f{node.start}"
        returned = tree.Return(node.body.start, node.body.end, node.body)
        ctx.hoisted.append(py.function(name, parameters, function_body(inner, node, (returned,))))
        return function_value(ctx, node, py.load(name, ctx.line))
    inner.hoisting = False
    body = inner.value(node.body)
    if inner.checked:
        info = info_name(node)
        line = ctx.unit.op(node.start, "recursive")
        active = py.attribute(py.load("$s", line), "active", line)
        key = py.load(info, line)
        check = py.conditional(
            py.compare(key, py.COMPARE["in"], active, line),
            recursive(node, line),
            py.call(py.attribute(active, "__setitem__", line), [key, py.constant(None, line)], line),
            line,
        )
        done = py.call(py.attribute(active, "__delitem__", line), [key], line)
        steps = py.tuple_of([check, body, done], line)
        body = py.subscript(steps, py.constant(1, line), line)
    elif inner.noted:
        line = ctx.unit.op(node.start, "recursive")
        body = py.conditional(is_noted(node, line), recursive(node, line), body, line)
    if ctx.limited:
        body = py.sequence([counted_step(ctx.line)], body, ctx.line)
    made = Lambda(parameters, body, lineno=ctx.line, col_offset=0)
    return function_value(ctx, node, made)


def function_value(ctx: Context, node: Union[tree.Def, tree.Lambda], made: expr) -> expr:
    """Emit the value of the program that a function of Python's becomes."""
    info = py.load(info_name(node), ctx.line)
    if any(p.name is not None and p.name.name in SPECIAL_NAMES for p in node.parameters):
        made = py.helper(".renaming", [made, info], ctx.line)
    return py.helper(".Function", [made, info], ctx.line)


def def_statement(ctx: Context, node: tree.Def) -> list[stmt]:
    """`def f(p=d): body`: the defaults from left to right, then a new function, then f.

    A known function, which is bound once, may have two Python functions: one for anybody, one for calls by
    name whose arguments are known (facts/inference.py says why that is safe).
    """
    # spec: starlark.def, starlark.parameters
    parameters = parameters_of(ctx, node.parameters)
    name = mangle(node.name.name)
    raw = f"{name}!"
    known = ctx.unit.inference.known.get(node.name.name) is node
    inner = inner_context(ctx, node, ctx.unit.generic if known and node.parameters else None)
    made = py.function(raw, parameters, function_body(inner, node, node.body))
    value = function_value(ctx, node, py.load(raw, ctx.line))
    settle(ctx, node.name)
    statements = [made, py.assign(py.store(name, ctx.line), value, ctx.line)]
    if known and node.name.name in ctx.unit.inference.specialised:
        statements += specialised(ctx, node, raw)
    return statements


def specialised(ctx: Context, node: tree.Def, raw: str) -> list[stmt]:
    """Return a second version of a known function, for the calls whose arguments are known."""
    inner = inner_context(ctx, node)
    special = ctx.unit.raw_name(node.name.name)
    made = py.function(special, parameters_without_defaults(node), function_body(inner, node, node.body))
    if not any(p.default for p in node.parameters):
        return [made]
    both = [py.load(special, ctx.line), py.load(raw, ctx.line)]
    return [made, py.expression(py.helper(".share_defaults", both, ctx.line), ctx.line)]


def function_body(
    ctx: Context, node: Union[tree.Def, tree.Lambda], statements: Sequence[tree.Stmt]
) -> list[stmt]:
    """Return the statements of a function: what every call does first, then its own."""
    # spec: starlark.recursion
    start = tick(ctx)
    facts = ctx.unit.inference.facts[node.start]
    for parameter in node.parameters:
        name_node = parameter.name
        if name_node is None or parameter.star or name_node.start in facts.assigned:
            continue
        if name_node.start in facts.called:
            start.append(prepare(ctx, name_node))
    if ctx.checked:
        line = ctx.unit.op(node.start, "recursive")
        key = py.load(info_name(node), line)
        active = py.load("$a", line)
        fetch = py.attribute(py.load("$s", line), "active", line)
        start.append(py.assign(py.store("$a", line), fetch, line))
        start.append(
            py.if_statement(
                py.compare(key, py.COMPARE["in"], active, line),
                [py.expression(recursive(node, line), line)],
                [],
                line,
            )
        )
        mark = py.subscript(active, key, line, py.STORE)
        start.append(py.assign(mark, py.constant(None, line), line))
        ctx.cleanup = [
            Delete([py.subscript(active, key, line, py.DELETE)], lineno=line, col_offset=0),
        ]
    elif ctx.noted:
        line = ctx.unit.op(node.start, "recursive")
        refuse = py.expression(recursive(node, line), line)
        start.append(py.if_statement(is_noted(node, line), [refuse], [], line))
    body = ctx.block(statements)
    if ctx.cleanup and not (body and isinstance(body[-1], Return)):
        body += ctx.cleanup
    return start + (body or [Pass(lineno=ctx.line, col_offset=0)])


def is_noted(node: tree.Node, line: int) -> expr:
    """Emit the test that a function is running already, and has been marked by the code that calls it again.

    That code finds the mark by its name: it is the first that the function looks for in `$s.noted`.
    """
    noted = py.attribute(py.load("$s", line), NOTED, line)
    there = py.compare(py.load(info_name(node), line), py.COMPARE["in"], noted, line)
    return py.boolean(py.AND, [noted, there], line)


def recursive(node: tree.Node, line: int) -> expr:
    """Emit the error of a function that is called while it runs."""
    return py.helper(".recursive", [py.load(info_name(node), line)], line)


def parameters_without_defaults(node: tree.Def) -> Any:
    """Return Python's parameters of a function that gets its defaults from another one."""
    positional = []
    only = []
    vararg = kwarg = None
    after_star = False
    for parameter in node.parameters:
        made = None
        if parameter.name is not None:
            made = arg(mangle(parameter.name.name), lineno=1, col_offset=0)
        if parameter.star == "**":
            kwarg = made
        elif parameter.star == "*":
            vararg = made
            after_star = True
        elif after_star:
            only.append(made)
        else:
            positional.append(made)
    hidden = arg("$s", lineno=1, col_offset=0)
    return py.parameters(positional, [], vararg, only, [None] * len(only), kwarg, hidden)
