"""Comprehensions."""

from __future__ import annotations

from _ast import DictComp, Lambda, ListComp, Name
from _ast import comprehension as Clause

from ...syntax import tree
from .. import python_tree as py
from ..facts.collect import strip
from ..facts.kinds import DICT, INT, LIST, STRING
from .iteration import (
    CHECK,
    HOLD,
    LOCK,
    VIEW,
    any_items,
    checked_items,
    counted_step,
    held_name,
    items_of,
    without_first,
)
from .narrowing import both, found_by
from .targets import plain_targets, store_call, unpackable
from .variables import condition, store_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr

    from ..context import Context, Typed

# Of comprehensions inside one another, every one at a multiple of this depth becomes a separate function.
_NESTED = 8


def comprehension(ctx: Context, node: tree.Comprehension) -> Typed:
    """`[body for x in items if test]`, or `{key: value for …}`: a new list or dict.

    The first iterable is evaluated in the scope around it, before anything else; everything else for
    every item, in the order in which it is written, in a scope of its own.
    """
    # spec: starlark.comprehension
    hoisting, ctx.hoisting = ctx.hoisting, False
    lost, narrowed = ctx.lost, ctx.narrowed
    ctx.comprehensions += 1
    ctx.narrowed = dict(narrowed)
    value, mask = comprehension_of(ctx, node)
    ctx.comprehensions -= 1
    ctx.lost, ctx.narrowed = lost, narrowed
    ctx.hoisting = hoisting
    if ctx.comprehensions % _NESTED == _NESTED - 1:
        # Python 3.12 and 3.13 crash on too many of them within one function.
        hidden = py.parameters([], [], None, [], [], None, None)
        inner = Lambda(hidden, value, lineno=ctx.line, col_offset=0)
        value = py.call(inner, [], ctx.line)
    return value, mask


def comprehension_of(ctx: Context, node: tree.Comprehension) -> Typed:
    """Emit a comprehension."""
    generators: list[Clause] = []
    first: list[expr] = []
    locked = False
    held = ""
    for number, clause in enumerate(node.clauses):
        if isinstance(clause, tree.IfClause):
            generators[-1].ifs.append(condition(ctx, clause.condition))
            ctx.narrowed = both(ctx.narrowed, found_by(ctx, clause.condition)[0])
            continue
        outermost = number == 0
        items, care, parts = items_of(ctx, clause.iterable, node.start)
        line = ctx.unit.op(clause.start, ".enter")
        if care == CHECK:
            items = checked_items(ctx, items, line)
        elif care == HOLD and outermost:
            held = held_name(ctx)
            first.append(py.walrus(held, items, line))
            items = checked_items(ctx, py.load(held, line), line)
        elif care == LOCK and outermost:
            items = py.helper(".hold", [py.load("$s", line), items], line)
            locked = True
        elif care == VIEW:
            before, items = without_first(items)
            if outermost:
                first += before
            else:
                generators[-1].ifs += [py.compare(one, py.IS, ctx.bind(one)[1], line) for one in before]
            items.orelse = any_items(items.orelse, strip(clause.target), parts, line)  # type: ignore[attr-defined]
            items.lineno = line
        if (care == VIEW and not outermost) or (not py.is_simple(items) and py.has_walrus(items)):
            # Python allows no `:=` in what a clause iterates: the first one is evaluated before the
            # comprehension, outside its scope, another one by a condition of the clause before. That also
            # has a line, where the clause itself has none for what cannot be unpacked.
            name = ctx.temp()
            made = py.walrus(name, items, line)
            items = py.load(name, line)
            if outermost:
                first.append(made)
            else:
                generators[-1].ifs.append(py.compare(made, py.IS, items, line))
        # Not kept in a variable: what marks ends when the loop does.
        if care in (HOLD, LOCK) and not outermost:
            items = any_items(items, clause.target, 0, line)
        made_clauses = clauses_for(ctx, clause, items, parts, line)
        generators += made_clauses
        if py.COMPREHENSIONS_ARE_INLINE:
            ctx.lost = ctx.lost.union(*[names_of(one.target) for one in made_clauses])
        if ctx.limited and generators:
            generators[-1].ifs.insert(0, counted_step(line))
    made, mask = comprehension_body(ctx, node, generators)
    if locked:
        made = py.helper(".release", [py.load("$s", ctx.line), made], ctx.line)
    if held:
        return py.after(first, made, py.walrus(held, py.constant(None, ctx.line), ctx.line), ctx.line), mask
    return py.sequence(first, made, ctx.line), mask


def names_of(target: expr) -> set[str]:
    """Return the names of the variables that a target of Python's gives a value."""
    if isinstance(target, Name):
        return {target.id}
    return set().union(*map(names_of, getattr(target, "elts", ())))


def comprehension_body(ctx: Context, node: tree.Comprehension, generators: list[Clause]) -> Typed:
    """Emit what a comprehension makes of its clauses."""
    body = node.body
    if not isinstance(body, tree.DictEntry):
        return ListComp(ctx.value(body), generators, lineno=ctx.line, col_offset=0), LIST
    key, mask = ctx.expr(body.key)
    value = ctx.value(body.value)
    line = ctx.unit.op(body.at, ".new_key")
    plain = not mask & ~(STRING | INT)
    if not plain and mask & STRING:
        first, again, _ref = ctx.bind(key)
        key = py.conditional(py.is_class(first, "str", line), again, new_key(again, line), line)
    elif not plain:
        key = new_key(key, line)
    return DictComp(key, value, generators, lineno=line, col_offset=0), DICT


def new_key(key: expr, line: int) -> expr:
    """Emit a key of a dict of Python's own."""
    return py.helper(".new_key", [py.load("$s", line), py.constant(line, line), key], line)


def clauses_for(ctx: Context, clause: tree.ForClause, items: expr, parts: int, line: int) -> list[Clause]:
    """Return the Python clause for a `for`, followed by those that unpack its target."""
    target = strip(clause.target)
    names = plain_targets(ctx, target, parts)
    if names is not None:
        return [Clause(names, items, [], 0)]
    name = ctx.temp()
    clauses = [Clause(py.store(name, line), items, [], 0)]
    unpack_clauses(ctx, target, py.load(name, line), line, clauses)
    return clauses


def unpack_clauses(ctx: Context, target: tree.Expr, value: expr, line: int, clauses: list[Clause]) -> None:
    """Add clauses `for (a, b) in [unpacked value]`, which Python runs as plain assignments."""
    if not isinstance(target, (tree.Tuple, tree.List)):
        # An element or field as a target: assigned by a condition that always holds.
        clauses[-1].ifs.append(py.unary("not", store_call(ctx, target, value), line))
        return
    if py.COMPREHENSIONS_ARE_INLINE:
        # The variable is taken away when an error leaves, and what could not be unpacked is to be named.
        kept = ctx.temp()
        clauses[-1].ifs.append(py.compare(py.walrus(kept, value, line), py.IS, value, line))
        value = py.load(kept, line)
    names = []
    later = []
    for item in map(strip, target.items):
        if isinstance(item, tree.Name):
            names.append(store_name(ctx, item))
        else:
            temp = ctx.temp()
            names.append(py.store(temp, line))
            later.append((item, temp))
    count = len(target.items)
    line = ctx.unit.op(ctx.unit.operations[line - 1][0], ".unpack", value.id, (count,))  # type: ignore[attr-defined]
    parts = unpackable(value, count, line)
    clauses.append(Clause(py.tuple_of(names, line, py.STORE), py.list_of([parts], line), [], 0))
    for item, temp in later:
        unpack_clauses(ctx, item, py.load(temp, line), line, clauses)
