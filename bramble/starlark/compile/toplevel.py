"""A file as a Python code object: the function `<toplevel>`.

A file becomes one Python function, `<toplevel>`, whose Starlark globals are its
Python globals. A `def` becomes a Python function with a hidden first parameter
`$s`, the running Thread; the Starlark variable holds a `Function` around it, and
`name!` the Python function itself, for calls that need no checking.
"""

from __future__ import annotations

from _ast import Global, Module, Return, arg

from ..runtime.functions import mangle
from ..syntax import tree
from . import python_tree as py
from .context import Context, Options, Unit
from .facts.inference import Inference, read
from .table import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

    from ..dialect import Dialect
    from ..syntax.scopes import Resolution


def compile_file(resolution: Resolution, dialect: Dialect, limited: bool) -> tuple[CodeType, Unit]:
    """Return the code of the function `<toplevel>`, and the tables that belong to it."""
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
) -> tuple[CodeType, Unit]:
    """Return the code of one input of a REPL, which returns the value of a last expression.

    Other inputs may assign its globals. `operations` are those of earlier inputs. `limited`
    code counts its steps.
    """
    loaded = _toplevel_names(resolution.file.body)[1]
    inference = Inference(resolution, {}, read(resolution, {}), open_globals=True)
    return _compile(
        resolution, Unit(resolution, inference, loaded, list(operations), TABLE), dialect, limited
    )


def _compile(resolution: Resolution, unit: Unit, dialect: Dialect, limited: bool) -> tuple[CodeType, Unit]:
    options = Options(not dialect.recursion, limited)
    ctx = Context(unit, resolution.toplevel, -1, options)
    body = ctx.block(resolution.file.body)
    names = {mangle(name) for name in resolution.globals}
    names.update([f"{name}!" for name in names])
    names.update([f"{mangle(name)}!!" for name in unit.inference.specialised])
    names.update(mangle(b.name) for b in resolution.toplevel.locals if b.declared in unit.loaded)
    last = resolution.file.body[-1] if unit.inference.open_globals and resolution.file.body else None
    if isinstance(last, tree.ExprStmt):
        body[-1:] = [Return(ctx.value(last.value), lineno=ctx.line, col_offset=0)]
    if names:
        body.insert(0, Global(sorted(names), lineno=1, col_offset=0))
    hidden = arg("$s", lineno=1, col_offset=0)
    parameters = py.parameters([], [], None, [], [], None, hidden)
    toplevel = py.function("<toplevel>", parameters, body)
    module = compile(Module([toplevel], []), "<starlark>", "exec", dont_inherit=True, optimize=0)
    code: CodeType = next(c for c in module.co_consts if hasattr(c, "co_code"))
    return code, unit


def _toplevel_names(body: Sequence[tree.Stmt]) -> tuple[dict[str, tree.Def], set[int]]:
    """Return the global functions, and the places where `load` binds names."""
    known: dict[str, tree.Def] = {}
    loaded: set[int] = set()
    work: list[tree.Stmt] = list(body)
    while work:
        node = work.pop()
        if isinstance(node, tree.Def):
            known[node.name.name] = node
        elif isinstance(node, tree.Load):
            loaded.update(s.local.start for s in node.symbols)
        elif isinstance(node, tree.LoadModule):
            loaded.add(node.local.start)
        elif isinstance(node, (tree.For, tree.While)):
            work += node.body
        elif isinstance(node, tree.If):
            for branch in node.branches:
                work += branch.body
            work += node.otherwise
    return known, loaded
