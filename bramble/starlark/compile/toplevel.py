"""A file as Python code objects: the functions `<toplevel>`.

A file becomes Python functions called `<toplevel>`, one for every so many of its
statements, that run one after the other; its Starlark globals are their Python
globals. A `def` becomes a Python function with a hidden first parameter `$s`, the
running Thread; the Starlark variable holds a `Function` around it, and `name!` the
Python function itself, for calls that need no checking.

*Why parts.* For every function inside another, Python's compiler copies the set of
the names that the outer one has: in one function for the whole file that took time
quadratic in its length. Nothing but globals outlives a statement, so a file may be
cut between any two, and the body of a long `if` or `for` outside functions as well
(parts.py).
"""

from __future__ import annotations

from ..syntax import tree
from .context import Context, Options, Unit
from .facts.bound import Bound
from .facts.inference import Inference, reachable, read, repeating
from .parts import PART, compiled, outside_functions
from .table import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

    from ..dialect import Dialect
    from ..syntax.scopes import Resolution


def compile_file(
    resolution: Resolution, dialect: Dialect, limited: bool
) -> tuple[tuple[CodeType, ...], Unit]:
    """Return the code of the functions `<toplevel>`, and the tables that belong to it."""
    known, loaded = _toplevel_names(resolution.file.body)
    if dialect.global_reassign:
        known = {}
    facts = read(resolution, known)
    open_view = Inference(resolution, known, facts)
    operations: list[tuple[Any, ...]] = []
    bound = Bound(resolution)
    unit = Unit(resolution, open_view, loaded, operations, TABLE, bound=bound)
    roots = {name for name, node in known.items() if not node.parameters}
    often = repeating(known, reachable(known, facts, roots)[0])
    if often:
        closed_view = Inference(resolution, known, facts, roots=roots, closed=True)
        closed_view.keep_useful(open_view, often)
        unit = Unit(resolution, closed_view, loaded, operations, TABLE, unit, bound)
    return _compile(resolution, unit, dialect, limited)


def compile_input(
    resolution: Resolution, dialect: Dialect, operations: Sequence[tuple[Any, ...]], limited: bool
) -> tuple[tuple[CodeType, ...], Unit]:
    """Return the code of one input of a REPL, whose last part returns the value of a last expression.

    Other inputs may assign its globals. `operations` are those of earlier inputs. `limited`
    code counts its steps.
    """
    loaded = _toplevel_names(resolution.file.body)[1]
    inference = Inference(resolution, {}, read(resolution, {}), open_globals=True)
    return _compile(
        resolution, Unit(resolution, inference, loaded, list(operations), TABLE), dialect, limited
    )


def _compile(
    resolution: Resolution, unit: Unit, dialect: Dialect, limited: bool
) -> tuple[tuple[CodeType, ...], Unit]:
    options = Options(not dialect.recursion, limited)
    ctx = Context(unit, resolution.toplevel, -1, options)
    body: list[tree.Stmt] = list(resolution.file.body)
    if unit.inference.open_globals and body and isinstance(body[-1], tree.ExprStmt):
        last = body[-1]
        body[-1] = tree.Return(last.start, last.end, last.value)
    parts = [body[at : at + PART] for at in range(0, len(body), PART)] or [[]]
    made = [_part(ctx, part) for part in parts]
    return (*unit.inner_parts, *made), unit


def _part(ctx: Context, statements: Sequence[tree.Stmt]) -> CodeType:
    """Return the code of one function `<toplevel>`, whose first line is that of its first operation."""
    ctx.line = len(ctx.unit.operations) + 1
    made = ctx.part("<toplevel>", statements)
    if ctx.settled_at_end is not None:
        # These are more than before: a copy for each part would take time quadratic in their number.
        ctx.settled = ctx.settled_at_end
    return compiled(made)


def _toplevel_names(body: Sequence[tree.Stmt]) -> tuple[dict[str, tree.Def], set[int]]:
    """Return the global functions, and the places where `load` binds names."""
    known: dict[str, tree.Def] = {}
    loaded: set[int] = set()
    for node in outside_functions(body):
        if isinstance(node, tree.Def):
            known[node.name.name] = node
        elif isinstance(node, tree.Load):
            loaded.update(s.local.start for s in node.symbols)
        elif isinstance(node, tree.LoadModule):
            loaded.add(node.local.start)
    return known, loaded
