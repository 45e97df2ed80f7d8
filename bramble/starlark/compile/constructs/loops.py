"""`for` and `while`."""

from __future__ import annotations

from _ast import For, Try, While

from ...syntax import tree
from .. import python_tree as py
from ..context import TooDeep
from ..facts.collect import strip
from ..facts.kinds import ANY
from .assignments import assign_to
from .guards import own_dict
from .iteration import (
    CHECK,
    HOLD,
    LOCK,
    VIEW,
    any_items,
    bounded_rounds,
    checked_items,
    counted_step,
    held_name,
    items_of,
)
from .narrowing import forget_assigned
from .targets import plain_targets
from .variables import condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr, stmt
    from typing import Union

    from ..context import Context

# Python allows 20 blocks inside one another in a function; a locked loop is two.
_MOST_LOOPS = 18
_LOCKED_LOOPS = 2


def while_loop(ctx: Context, node: tree.While) -> list[stmt]:
    """`while c: body`: the body again and again while c is true."""
    # spec: starlark.statement.while
    forget_assigned(ctx, node)
    test = condition(ctx, node.condition)
    return [While(test, tick(ctx) + loop_body(ctx, node), [], lineno=ctx.line, col_offset=0)]


def loop_body(ctx: Context, node: Union[tree.For, tree.While]) -> list[stmt]:
    """Return the statements of a loop's body. Raises TooDeep when Python allows no more loops."""
    if ctx.loops >= _MOST_LOOPS:
        raise TooDeep(node.start)
    ctx.loops += 1
    made = ctx.block(node.body)
    ctx.loops -= 1
    return made


def tick(ctx: Context) -> list[stmt]:
    """Return the statements that count a step, where steps are counted."""
    return [py.expression(counted_step(ctx.line), ctx.line)] if ctx.limited else []


def for_loop(ctx: Context, node: tree.For) -> list[stmt]:
    """`for t in x: body`: x once, then for each of its items t and the body.

    x is locked meanwhile, unless it is sure that nothing can change it (facts/ownership.py).
    """
    # spec: starlark.statement.for, starlark.iteration.locked
    forget_assigned(ctx, node)
    items, care, parts = items_of(ctx, node.iterable, node.start)
    line = ctx.unit.op(node.start, ".enter")
    start: list[stmt] = []
    target = strip(node.target)
    variable = plain_targets(ctx, target, parts)
    if variable is None:
        name = ctx.temp()
        variable = py.store(name, line)
        start = assign_to(ctx, target, py.load(name, line), ANY, node.start)
    body = tick(ctx) + start + loop_body(ctx, node)
    if care == CHECK:
        items = checked_items(ctx, items, line)
    elif care == VIEW:
        items.orelse = any_items(items.orelse, target, parts, line)  # type: ignore[attr-defined]
    elif care == LOCK and ctx.loops >= _LOCKED_LOOPS:
        items = py.helper(".marked", [py.load("$s", line), items], line)
    elif care == LOCK:
        return locked_loop(ctx, variable, items, body, line)
    elif care == HOLD:
        name = held_name(ctx)
        held = py.load(name, line)
        return [
            py.assign(py.store(name, line), items, line),
            For(variable, checked_items(ctx, held, line), body, [], None, lineno=line, col_offset=0),
            py.assign(py.store(name, line), py.constant(None, line), line),
        ]
    return [For(variable, items, body, [], None, lineno=line, col_offset=0)]


def locked_loop(ctx: Context, variable: expr, items: expr, body: list[stmt], line: int) -> list[stmt]:
    """Return a loop that marks what it iterates as busy, and unmarks it however it ends."""
    # spec: starlark.iteration.locked
    name, identity = ctx.temp(), ctx.temp()
    held, thread, number = py.load(name, line), py.load("$s", line), py.load(identity, line)
    locked = py.attribute(thread, "locked", line)
    entered = bounded_rounds(ctx, py.helper(".enter", [thread, held], line), line)
    is_list = py.is_class(held, ".List", line)
    plain = py.boolean(py.OR, [is_list, own_dict(held, line)], line)
    alone = py.compare(number, py.COMPARE["not in"], locked, line)
    lock = py.if_statement(
        py.boolean(py.AND, [plain, alone], line),
        [py.assign(py.subscript(locked, number, line, py.STORE), held, line)],
        [py.assign(py.store(name, line), entered, line)],
        line,
    )
    other = py.compare(py.class_of(held, line), py.IS_NOT, py.class_named("tuple", line), line)
    leave = py.expression(py.helper(".leave", [thread, held], line), line)
    unlock = py.if_statement(
        py.boolean(py.OR, [is_list, py.is_class(held, ".Dict", line)], line),
        [py.expression(py.method("pop", locked, [number, py.constant(None, line)], line), line)],
        [py.if_statement(other, [leave], [], line)],
        line,
    )
    loop = For(variable, held, body, [], None, lineno=line, col_offset=0)
    return [
        py.assign(py.store(name, line), items, line),
        py.assign(py.store(identity, line), py.helper(".id", [held], line), line),
        # Locked inside: an interruption may come between any two steps.
        Try([lock, loop], [], [], [unlock], lineno=line, col_offset=0),
    ]
