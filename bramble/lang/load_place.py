"""Where a program loads a module: looked up in its text when that went wrong, and only then."""

from __future__ import annotations

from typing import Optional

from bramble.errors import Place
from bramble.lang.failure import place_of
from bramble.starlark import Program
from bramble.starlark.source import Source
from bramble.starlark.syntax.outline import outline
from bramble.starlark.syntax.parse import parse


def load_place(program: Program, module: str) -> Optional[Place]:
    """Return where `program` first loads `module`."""
    source = Source.read(program.source.text, program.filename)
    found = outline(source, parse(source, program.dialect))
    return next((place_of(load.position) for load in found.loads if load.module == module), None)
