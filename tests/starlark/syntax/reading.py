"""How the tests of the front half read programs."""

from __future__ import annotations

from typing import Optional, Union

import pytest

from bramble.starlark.dialect import Dialect
from bramble.starlark.errors import ResolveFailure, SyntaxFailure
from bramble.starlark.source import Source
from bramble.starlark.syntax.parse import parse
from bramble.starlark.syntax.resolve import resolve
from bramble.starlark.syntax.scopes import Resolution
from bramble.starlark.syntax.tree import Expr, ExprStmt, File, Name, Node

UNIVERSAL = ("None", "True", "False", "len", "print", "range", "list", "enumerate")
EVERYTHING = Dialect(True, True, True, True, False)


def tree(text: Union[str, bytes], dialect: Optional[Dialect] = None) -> File:
    """Return the tree of a program that is right."""
    return parse(Source.read(text, "f.star"), dialect or Dialect())


def expr(text: str) -> Expr:
    """Return the tree of one expression."""
    (statement,) = tree(text).body
    assert isinstance(statement, ExprStmt)
    return statement.value


def syntax_failure(text: Union[str, bytes], dialect: Optional[Dialect] = None) -> SyntaxFailure:
    """Return the error of a text that is no program."""
    with pytest.raises(SyntaxFailure) as caught:
        tree(text, dialect)
    assert caught.value.errors == (caught.value,)
    return caught.value


def told(text: Union[str, bytes], dialect: Optional[Dialect] = None) -> str:
    """Return `CODE LINE:COLUMN MESSAGE` of the error of a text that is no program."""
    error = syntax_failure(text, dialect)
    assert error.position is not None
    return f"{error.code} {error.position.line}:{error.position.column} {error.message}"


def resolution(
    text: str,
    dialect: Optional[Dialect] = None,
    globals: tuple[str, ...] = (),
    load_globally: bool = False,
) -> Resolution:
    """Return what the names of a right program mean; `host` is the one predeclared name."""
    source = Source.read(text, "f.star")
    dialect = dialect or Dialect()
    return resolve(
        source,
        parse(source, dialect),
        dialect=dialect,
        predeclared=["host"],
        universal=UNIVERSAL,
        globals=globals,
        load_globally=load_globally,
    )


def faults(text: str, dialect: Optional[Dialect] = None) -> list[str]:
    """Return `CODE LINE:COLUMN MESSAGE` of every fault that resolving finds."""
    with pytest.raises(ResolveFailure) as caught:
        resolution(text, dialect)
    return [
        f"{e.code} {e.position.line}:{e.position.column} {e.message}"
        for e in caught.value.errors
        if e.position is not None
    ]


def scopes(text: str, dialect: Optional[Dialect] = None) -> dict[str, list[str]]:
    """Return for every name the scopes of its uses, in the order of the text."""
    result = resolution(text, dialect)
    found: dict[str, list[str]] = {}
    for _, binding in sorted(result.uses.items()):
        found.setdefault(binding.name, []).append(binding.scope)
    return found


def names(node: Node) -> list[Name]:
    """Return every name in a tree."""
    found: list[Name] = []
    work: list[object] = [node]
    while work:
        item = work.pop()
        if isinstance(item, Name):
            found.append(item)
        if isinstance(item, Node):
            work += [getattr(item, field) for field in item._fields]
        elif isinstance(item, tuple):
            work += item
    return found
