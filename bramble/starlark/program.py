"""A compiled program: what `compile_program` returns and a cache can keep."""

from __future__ import annotations

import gc
import marshal
import sys

from .compile import compile_file
from .dialect import Dialect
from .emit import TooDeep
from .errors import Position
from .functions import FunctionInfo
from .parse import parse
from .record import Record
from .resolve import resolve
from .source import Source
from .syntax import Def, Load, LoadModule
from .universe import UNIVERSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from types import CodeType
    from typing import Any, Optional, Union

    from .emit import Unit
    from .scopes import FunctionScope, Resolution

# Changes whenever the generated code or its tables do, so that cached programs of before are not run.
FORMAT = 2
# Python frames that compiling the most deeply nested program takes.
_DEEP = 4000
_STANDARD = Dialect()


class FunctionSummary(Record):
    """A public function of a file: for listings and documentation.

    `parameters` is the text between its parentheses, as written.
    """

    name: str
    parameters: str
    docstring: Optional[str]
    position: Position


class ProgramFormatError(ValueError):
    """Bytes that are no program of this version of the package and of Python."""


class Program:
    """A program that has been read, checked and compiled, and can be run any number of times.

    `filename` is what positions say; `docstring` and `functions` (its public
    top-level functions) are for tools; `loads` are the names of the modules that
    it loads, in order; `globals` the names it defines; `predeclared` the names
    that the host must give when it runs.
    """

    __slots__ = ("source", "dialect", "_tables", "_codes")

    def __init__(self, source: Source, dialect: Dialect, tables: dict[str, Any], codes: dict[bool, Any]):
        self.source = source
        self.dialect = dialect
        self._tables = tables
        self._codes = codes

    @property
    def filename(self) -> str:
        return self.source.filename

    @property
    def docstring(self) -> Optional[str]:
        return self._tables["docstring"]  # type: ignore[no-any-return]

    @property
    def globals(self) -> tuple[str, ...]:
        return self._tables["globals"]  # type: ignore[no-any-return]

    @property
    def predeclared(self) -> tuple[str, ...]:
        return self._tables["predeclared"]  # type: ignore[no-any-return]

    @property
    def loads(self) -> tuple[str, ...]:
        return self._tables["loads"]  # type: ignore[no-any-return]

    @property
    def functions(self) -> tuple[FunctionSummary, ...]:
        return tuple(
            FunctionSummary(name, text, docstring, self.source.position(start))
            for start, name, _parameters, docstring, text, public in self._tables["functions"]
            if public
        )

    def function_infos(self) -> dict[str, FunctionInfo]:
        """Return what is known of every function, by the name that the code knows it under."""
        position = self.source.position
        return {f".f{row[0]}": FunctionInfo(row, position) for row in self._tables["functions"]}

    def code(self, limited: bool) -> tuple[CodeType, tuple[Any, ...]]:
        """Return the code of the file and the table of its operations, with counted steps or without."""
        found = self._codes.get(limited)
        if found is None:
            tree = parse(self.source, self.dialect)
            made = _resolve(self.source, tree, self.dialect, self._tables["names"])
            found = self._codes[limited] = _code(self.source, made, self.dialect, limited)[0]
        return found  # type: ignore[no-any-return]

    def position(self, offset: int) -> Position:
        return self.source.position(offset)

    def to_bytes(self) -> bytes:
        """Return the program as bytes for a cache, which `from_bytes` of the same versions reads."""
        dialect = tuple(getattr(self.dialect, field) for field in Dialect._fields)
        parts = (self.source.filename, self.source.text, self.source.line_starts, dialect)
        return marshal.dumps((_version(), *parts, self._tables, self._codes))

    @classmethod
    def from_bytes(cls, data: bytes) -> Program:
        """Return the program that `to_bytes` wrote.

        The bytes are trusted: they hold code. Raises ProgramFormatError when another
        version of the package or of Python wrote them.
        """
        try:
            version, filename, text, starts, dialect, tables, codes = marshal.loads(data)
        except (ValueError, EOFError, TypeError):
            raise ProgramFormatError("not a compiled program") from None
        if version != _version():
            raise ProgramFormatError("compiled by another version")
        return cls(Source(filename, text, starts), Dialect(*dialect), tables, codes)


def _version() -> str:
    return f"bramble.starlark {FORMAT} {sys.implementation.cache_tag} {sys.hexversion:x}"


def compile_program(
    source: Union[str, bytes],
    filename: str,
    *,
    dialect: Dialect = _STANDARD,
    predeclared: Collection[str] = (),
) -> Program:
    """Return the program that a text means.

    `predeclared` are the names that the host will give. Raises SyntaxFailure at
    the first syntax error, ResolveFailure with all errors of names and places.
    """
    # spec: starlark.error.phases
    text = Source.read(source, filename)
    collecting = gc.isenabled()
    # Trees are no garbage until the end, and have no cycles: to look for such takes a third of the time.
    gc.disable()
    try:
        tree = parse(text, dialect)
        return program_of(
            text, _resolve(text, tree, dialect, tuple(predeclared)), dialect, tuple(predeclared)
        )
    finally:
        if collecting:
            gc.enable()


def _resolve(text: Source, tree: Any, dialect: Dialect, names: Collection[str]) -> Resolution:
    return resolve(text, tree, dialect=dialect, predeclared=names, universal=UNIVERSE)


def program_of(
    text: Source, resolution: Resolution, dialect: Dialect, names: tuple[str, ...], limited: bool = False
) -> Program:
    """Return the program of a tree whose names are resolved."""
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
    return Program(text, dialect, tables, {limited: code})


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
