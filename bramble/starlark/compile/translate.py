"""From the text of a program to what is kept of it: read, names resolved, compiled.

Apart from `program`, which imports it by name: a program that comes from a cache needs none of it,
nor the thirty modules that it stands on.
"""

from __future__ import annotations

import gc
import sys

from ..runtime.universe import UNIVERSE
from ..source import Source
from ..syntax.parse import parse
from ..syntax.resolve import resolve
from ..syntax.tree import Def, Load, LoadModule
from .context import TooDeep
from .toplevel import compile_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from ..dialect import Dialect
    from ..syntax.scopes import FunctionScope, Resolution
    from .context import Unit

# Python frames that compiling the most deeply nested program takes.
_DEEP = 4000


def translate(text: Source, dialect: Dialect, names: tuple[str, ...]) -> tuple[dict[str, Any], Any]:
    """Return the tables of a program, and its code without counted steps.

    `names` are those that the host will give. Raises SyntaxFailure, ResolveFailure.
    """
    collecting = gc.isenabled()
    # Trees are no garbage until the end, and have no cycles: to look for such takes a third of the time.
    gc.disable()
    try:
        return tables_and_code(text, _resolve(text, parse(text, dialect), dialect, names), dialect, names)
    finally:
        if collecting:
            gc.enable()


def code_of(text: Source, dialect: Dialect, names: tuple[str, ...], limited: bool) -> Any:
    """Return the code of a text that was translated before."""
    return _code(text, _resolve(text, parse(text, dialect), dialect, names), dialect, limited)[0]


def _resolve(text: Source, tree: Any, dialect: Dialect, names: Collection[str]) -> Resolution:
    return resolve(text, tree, dialect=dialect, predeclared=names, universal=UNIVERSE)


def tables_and_code(
    text: Source, resolution: Resolution, dialect: Dialect, names: tuple[str, ...], limited: bool = False
) -> tuple[dict[str, Any], Any]:
    """Return the tables and the code of a tree whose names are resolved."""
    code, unit = _code(text, resolution, dialect, limited)
    body = resolution.file.body
    public = {s.start for s in body if isinstance(s, Def) and not s.name.name.startswith("_")}
    loads = [s.module.value for s in body if isinstance(s, (Load, LoadModule))]
    tables = {
        "docstring": resolution.toplevel.docstring,
        "globals": tuple(resolution.globals),
        "predeclared": tuple(sorted(resolution.predeclared)),
        "names": tuple(names),
        "loads": tuple(dict.fromkeys(loads)),
        "functions": tuple(
            function_row(text, scope, node, start in public)
            for start, (scope, node) in sorted(unit.functions.items())
        ),
    }
    return tables, code


def _code(text: Source, resolution: Resolution, dialect: Dialect, limited: bool) -> tuple[Any, Unit]:
    try:
        try:
            code, unit = compile_file(resolution, dialect, limited)
        except RecursionError:
            limit = sys.getrecursionlimit()
            # Rare enough to ask for more of Python's stack, and to do the work twice.
            sys.setrecursionlimit(limit + _DEEP)
            try:
                code, unit = compile_file(resolution, dialect, limited)
            finally:
                sys.setrecursionlimit(limit)
    except TooDeep as error:
        raise text.failure(
            "syntax.nesting", "blocks or operators are nested too deeply", error.offset
        ) from None
    except RecursionError:
        raise text.failure("syntax.nesting", "the program is nested too deeply", 0) from None
    return (code, tuple(unit.operations)), unit


def function_row(text: Source, scope: FunctionScope, node: Any, public: bool) -> tuple[Any, ...]:
    """Return what a program keeps of a function.

    That is: start, name, parameters, docstring, text of the parameters, whether public.
    """
    parameters = tuple((p.name, p.kind, p.has_default) for p in scope.parameters)
    written = ""
    if node.parameters:
        written = text.text[node.parameters[0].start : node.parameters[-1].end]
    return (scope.start, scope.name, parameters, scope.docstring, written, public)
