"""Statements but for definitions, loops and assignments."""

from __future__ import annotations

from _ast import Break, Continue, Pass, Return

from ...syntax import tree
from .. import python_tree as py
from .narrowing import both, found_by, leaves
from .variables import condition, store_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr, stmt

    from ..context import Context

# Statements of one `elif` chain that are nested; Python's compiler recurses along it.
_BRANCHES = 40


def pass_statement(ctx: Context, _node: tree.Pass) -> list[stmt]:
    """`pass`: nothing."""
    # spec: starlark.statement.pass
    return [Pass(lineno=ctx.line, col_offset=0)]


def break_statement(ctx: Context, _node: tree.Break) -> list[stmt]:
    """`break`: leave the innermost loop."""
    # spec: starlark.statement.break
    return [Break(lineno=ctx.line, col_offset=0)]


def continue_statement(ctx: Context, _node: tree.Continue) -> list[stmt]:
    """`continue`: begin the next round of the innermost loop."""
    # spec: starlark.statement.break
    return [Continue(lineno=ctx.line, col_offset=0)]


def expression_statement(ctx: Context, node: tree.ExprStmt) -> list[stmt]:
    """An expression alone: evaluated for what it does. A literal does nothing."""
    # spec: starlark.statement.pass
    if isinstance(node.value, tree.Literal):
        return []
    return [py.expression(ctx.value(node.value), ctx.line)]


def return_statement(ctx: Context, node: tree.Return) -> list[stmt]:
    """`return x`: x, then the function is no longer active, then its end."""
    # spec: starlark.statement.return
    value = py.constant(None, ctx.line) if node.value is None else ctx.value(node.value)
    if not ctx.cleanup:
        return [Return(value, lineno=ctx.line, col_offset=0)]
    if value.__class__.__name__ == "Constant":
        return [*ctx.cleanup, Return(value, lineno=ctx.line, col_offset=0)]
    return [
        py.assign(py.store("$r", ctx.line), value, ctx.line),
        *ctx.cleanup,
        Return(py.load("$r", ctx.line), lineno=ctx.line, col_offset=0),
    ]


def if_statement(ctx: Context, node: tree.If) -> list[stmt]:
    """`if c: … elif d: … else: …`: the first body whose condition is true, else the last."""
    # spec: starlark.statement.if
    found = [found_by(ctx, branch.condition) for branch in node.branches]
    narrowed, assigned, ctx.assigned = ctx.narrowed, ctx.assigned, set()
    for _yes, no in found:
        ctx.narrowed = both(ctx.narrowed, no)
    otherwise = ctx.block(node.otherwise) if node.otherwise else []
    ends = [ctx.settled_at_end if node.otherwise else ctx.settled]
    branches = []
    known = narrowed
    for branch, (yes, no) in zip(node.branches, found):
        ctx.narrowed = known
        test = condition(ctx, branch.condition)
        ctx.narrowed = both(known, yes)
        branches.append((test, ctx.block(branch.body)))
        ends.append(ctx.settled_at_end)
        known = both(known, no)
    if not all(leaves(ctx, branch.body) for branch in node.branches):
        known = narrowed
    ctx.narrowed = {declared: mask for declared, mask in known.items() if declared not in ctx.assigned}
    ctx.assigned |= assigned
    reached = [end for end in ends if end is not None]
    if reached:
        ctx.settled |= set.intersection(*reached)
    if len(branches) <= _BRANCHES:
        return nested_branches(ctx, branches, otherwise)
    # A long chain in parts: `pending` says that the parts so far have chosen nothing.
    pending = ctx.temp()
    parts = [branches[at : at + _BRANCHES] for at in range(0, len(branches), _BRANCHES)]
    made: list[stmt] = []
    for number, part in enumerate(parts):
        nothing = otherwise
        if number < len(parts) - 1:
            nothing = [py.assign(py.store(pending, ctx.line), py.constant(True, ctx.line), ctx.line)]
        body = [
            py.assign(py.store(pending, ctx.line), py.constant(False, ctx.line), ctx.line),
            *nested_branches(ctx, part, nothing),
        ]
        made += body if number == 0 else [py.if_statement(py.load(pending, ctx.line), body, [], ctx.line)]
    return made


def nested_branches(
    ctx: Context, branches: list[tuple[expr, list[stmt]]], otherwise: list[stmt]
) -> list[stmt]:
    """Return branches as one `if` statement, each in the `else` of the one before."""
    for test, body in reversed(branches):
        otherwise = [py.if_statement(test, body, otherwise, ctx.line)]
    return otherwise


def load(ctx: Context, node: tree.Load) -> list[stmt]:
    """`load("m", a="b")`: the module, then each of its names to its variable."""
    # spec: starlark.load
    line = ctx.unit.op(node.start, "load")
    names = py.tuple_of([py.constant(s.remote.value, line) for s in node.symbols], line)
    parts = [py.load("$s", line), py.constant(node.module.value, line), names]
    targets = [store_name(ctx, s.local) for s in node.symbols]
    value = py.helper(".load", parts, line)
    return [py.assign(py.tuple_of(targets, line, py.STORE), value, line)]


def load_module(ctx: Context, node: tree.LoadModule) -> list[stmt]:
    """`load("m")` of the dialect that binds modules: the module as a value."""
    # spec: starlark.dialect.load
    line = ctx.unit.op(node.start, "load")
    parts = [py.load("$s", line), py.constant(node.module.value, line)]
    return [py.assign(store_name(ctx, node.local), py.helper(".load_module", parts, line), line)]
