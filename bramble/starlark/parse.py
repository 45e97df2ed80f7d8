"""From text to the syntax tree."""

from __future__ import annotations

from .dialect import Dialect
from .source import Source
from .syntax import File


def parse(source: Source, dialect: Dialect) -> File:
    """Return the tree of a program. Raises SyntaxFailure at the first fault."""
    raise NotImplementedError
