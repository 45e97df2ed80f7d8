"""What a program defines and loads, found without running it: for listings and documentation."""

from __future__ import annotations

from ..record import Record
from .printer import print_parameters
from .tree import Def, Load, LoadModule, docstring_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ..errors import Position
    from ..source import Source
    from .tree import File


class FunctionOutline(Record):
    """A public function at the top level: `parameters` is the text between the brackets of its `def`."""

    name: str
    parameters: str
    docstring: Optional[str]
    position: Position


class LoadOutline(Record):
    """A `load` statement: which module, and where."""

    module: str
    position: Position


class Outline(Record):
    """A program's docstring, public functions and loads, in the order of the text."""

    docstring: Optional[str]
    functions: tuple[FunctionOutline, ...]
    loads: tuple[LoadOutline, ...]


def outline(source: Source, file: File) -> Outline:
    """Return the outline of a program. A function is public when its name has no leading underscore."""
    # spec: starlark.def
    functions: list[FunctionOutline] = []
    loads: list[LoadOutline] = []
    for statement in file.body:
        if isinstance(statement, Def) and not statement.name.name.startswith("_"):
            functions.append(
                FunctionOutline(
                    statement.name.name,
                    print_parameters(statement.parameters),
                    docstring_of(statement.body),
                    source.position(statement.start),
                )
            )
        elif isinstance(statement, (Load, LoadModule)):
            module = statement.module
            loads.append(LoadOutline(str(module.value), source.position(module.start)))
    return Outline(docstring_of(file.body), tuple(functions), tuple(loads))


def clean_docstring(text: str) -> str:
    """Return a docstring without the indentation of its block and without blank lines around it."""
    lines = [line.rstrip() for line in text.split("\n")]
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line), default=0)
    cleaned = [lines[0].lstrip(), *[line[margin:] for line in lines[1:]]]
    while cleaned and not cleaned[0]:
        del cleaned[0]
    while cleaned and not cleaned[-1]:
        cleaned.pop()
    return "\n".join(cleaned)
