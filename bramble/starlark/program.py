"""A compiled program: what `compile_program` returns and a cache can keep."""

from __future__ import annotations

import marshal
import sys

from .dialect import Dialect
from .errors import Position
from .record import Record
from .runtime.functions import FunctionInfo
from .source import Source
from .startup import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from types import CodeType
    from typing import Any, Optional, Union

# Changes whenever the generated code or its tables do, so that cached programs of before are not run.
FORMAT = 9
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
    """Bytes that are not a program of this version of the package and of Python."""


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

    def code(self, limited: bool) -> tuple[tuple[CodeType, ...], tuple[Any, ...]]:
        """Return the code of the file, part by part, and the table of its operations.

        It counts its steps or not.
        """
        found = self._codes.get(limited)
        if found is None:
            names = self._tables["names"]
            found = _translator().code_of(self.source, self.dialect, names, limited)
            self._codes[limited] = found
        return found  # type: ignore[no-any-return]

    def position(self, offset: int) -> Position:
        return self.source.position(offset)

    def to_bytes(self) -> bytes:
        """Return the program as bytes for a cache, which `from_bytes` of the same versions reads."""
        dialect = tuple(getattr(self.dialect, field) for field in Dialect._fields)
        parts = (self.source.filename, self.source.text, self.source.line_starts, dialect)
        return marshal.dumps((format_version(), *parts, self._tables, self._codes))

    @classmethod
    def from_bytes(cls, data: Union[bytes, memoryview]) -> Program:
        """Return the program that `to_bytes` wrote.

        The bytes are trusted: they hold code. Raises ProgramFormatError if another
        version of the package or of Python wrote them.
        """
        try:
            version, filename, text, starts, dialect, tables, codes = marshal.loads(data)
        except (ValueError, EOFError, TypeError):
            raise ProgramFormatError("not a compiled program") from None
        if version != format_version():
            raise ProgramFormatError("compiled by another version")
        return cls(Source(filename, text, starts), Dialect(*dialect), tables, codes)


def format_version() -> str:
    """Return what must be the same for bytes of a program to be read."""
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
    tables, code = _translator().translate(text, dialect, tuple(predeclared))
    return Program(text, dialect, tables, {False: code})


def _translator() -> Any:
    """Return the module that translates, loaded with the first program that does not come from a cache."""
    return load(f"{__package__}.compile.translate")
