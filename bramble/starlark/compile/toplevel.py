"""A file as Python code objects: the functions `<toplevel>`.

A file becomes Python functions called `<toplevel>`, one for every so many of its
statements, that run one after the other; its Starlark globals are their Python
globals. A `def` becomes a Python function with a hidden first parameter `$s`, the
running Thread; the Starlark variable holds a `Function` around it, and `name!` the
Python function itself, for calls that need no checking.

*Why parts.* For every function inside another, Python's compiler copies the set of
the names that the outer one has: in one function for the whole file that took time
quadratic in its length. Nothing but globals outlives a statement, so a file may be
cut between any two.
"""

from __future__ import annotations

from _ast import Global, Module, arg

from ..runtime.functions import mangle
from ..syntax import tree
from . import python_tree as py
from .context import Context, Options, Unit
from .facts.collect import strip
from .facts.inference import Inference, read
from .table import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType
    from typing import Any

    from ..dialect import Dialect
    from ..syntax.scopes import Resolution

# Statements of a file that become one Python function.
PART = 32


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
    generic = Unit(resolution, open_view, loaded, operations, TABLE)
    roots = {name for name, node in known.items() if not node.parameters}
    closed_view = Inference(resolution, known, facts, roots=roots, closed=True)
    closed_view.keep_useful(open_view)
    unit = Unit(resolution, closed_view, loaded, operations, TABLE, generic)
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
    return tuple([_part(ctx, part) for part in parts]), unit


def _part(ctx: Context, statements: Sequence[tree.Stmt]) -> CodeType:
    """Return the code of one function `<toplevel>`, whose first line is that of its first operation."""
    ctx.line = len(ctx.unit.operations) + 1
    body = ctx.block(statements)
    names = _assigned(ctx.unit, statements)
    if names:
        body.insert(0, Global(sorted(names), lineno=ctx.line, col_offset=0))
    hidden = arg("$s", lineno=ctx.line, col_offset=0)
    toplevel = py.function("<toplevel>", py.parameters([], [], None, [], [], None, hidden), body)
    toplevel.lineno = ctx.line
    # A module of its own: Python's compiler copies what any function of a module calls global, too.
    module = compile(Module([toplevel], []), "<starlark>", "exec", dont_inherit=True, optimize=0)
    code: CodeType = next(c for c in module.co_consts if hasattr(c, "co_code"))
    return code


def _assigned(unit: Unit, body: Sequence[tree.Stmt]) -> set[str]:
    """Return the Python names of the globals that statements bind. Others that they name need no mention."""
    names: set[str] = set()
    targets: list[tree.Expr] = []
    for node in _outside_functions(body):
        if isinstance(node, tree.Def):
            name = node.name.name
            names |= {mangle(name), f"{mangle(name)}!", unit.raw_name(name)}
        elif isinstance(node, tree.Load):
            targets += [s.local for s in node.symbols]
        elif isinstance(node, tree.LoadModule):
            targets.append(node.local)
        elif isinstance(node, (tree.Assign, tree.AugAssign, tree.For)):
            targets.append(node.target)
    while targets:
        target = strip(targets.pop())
        if isinstance(target, tree.Name):
            names.add(mangle(target.name))
        elif isinstance(target, (tree.Tuple, tree.List)):
            targets += target.items
    return names


def _toplevel_names(body: Sequence[tree.Stmt]) -> tuple[dict[str, tree.Def], set[int]]:
    """Return the global functions, and the places where `load` binds names."""
    known: dict[str, tree.Def] = {}
    loaded: set[int] = set()
    for node in _outside_functions(body):
        if isinstance(node, tree.Def):
            known[node.name.name] = node
        elif isinstance(node, tree.Load):
            loaded.update(s.local.start for s in node.symbols)
        elif isinstance(node, tree.LoadModule):
            loaded.add(node.local.start)
    return known, loaded


def _outside_functions(body: Sequence[tree.Stmt]) -> Iterator[tree.Stmt]:
    """Give every statement outside functions, whatever loops and conditions it stands in; the last first."""
    work: list[tree.Stmt] = list(body)
    while work:
        node = work.pop()
        yield node
        if isinstance(node, (tree.For, tree.While)):
            work += node.body
        elif isinstance(node, tree.If):
            for branch in node.branches:
                work += branch.body
            work += node.otherwise
