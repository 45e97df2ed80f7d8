"""`load` statements, in their three forms."""

from __future__ import annotations

from .scan import EOF, KEYWORDS, NAME, RESERVED_WORDS, STRING
from .tree import Literal, Load, LoadModule, LoadSymbol, Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from ..dialect import Dialect
    from .cursor import Cursor

_CODE = "syntax.load"
_FORMS = '"name" or localname="name"'


def load_statement(cursor: Cursor, dialect: Dialect) -> Union[Load, LoadModule]:
    """Read `load(…)`. Raises SyntaxFailure syntax.load when its operands are not as they must be."""
    # spec: starlark.load
    start = cursor.expect("load")
    cursor.expect("(")
    if dialect.load_binds_module and cursor.kind == NAME:
        return _named_module(cursor, start)
    if cursor.kind != STRING:
        message = "first operand of load statement must be a string literal"
        raise cursor.failure(_CODE, message, cursor.start)
    module = _literal(cursor)
    symbols: list[LoadSymbol] = []
    while cursor.kind not in (")", EOF):
        cursor.expect(",")
        if cursor.kind == ")":
            break
        symbols.append(_symbol(cursor))
    cursor.expect(")")
    if symbols:
        return Load(start, cursor.last_end, module, tuple(symbols))
    if not dialect.load_binds_module:
        message = "load statement must import at least 1 symbol"
        raise cursor.source.failure(_CODE, message, start)
    name = module_local_name(str(module.value))
    if not is_identifier(name):
        message = f'"{name}" is not an identifier; write load(localname={module.raw})'
        if not name:
            message = "the name of the module is missing"
        raise cursor.source.failure(_CODE, message, module.start)
    local = Name(module.start + 1, module.end - 1, name)
    return LoadModule(start, cursor.last_end, module, local)


def module_local_name(module: str) -> str:
    """Return the name that `load("module")` binds: its last segment, less what follows a last dot.

    Other dots are left out. "" when nothing remains.
    """
    # spec: starlark.dialect.load
    segment = module.rpartition("/")[2]
    stem, dot, _ = segment.rpartition(".")
    return (stem if dot else segment).replace(".", "")


def is_identifier(name: str) -> bool:
    """Return whether a program can write `name` as the name of a variable."""
    if not name or name[0].isdigit() or name in KEYWORDS or name in RESERVED_WORDS:
        return False
    return all(c == "_" or c.isalpha() or (c.isascii() and c.isdigit()) for c in name)


def _named_module(cursor: Cursor, start: int) -> LoadModule:
    local = _local(cursor)
    module = _literal(cursor)
    cursor.accept(",")
    if cursor.kind not in (")", EOF):
        message = f"load only takes one value, either {_FORMS} (got {cursor.shown_token()})"
        raise cursor.failure(_CODE, message, cursor.start)
    cursor.expect(")")
    return LoadModule(start, cursor.last_end, module, local)


def _symbol(cursor: Cursor) -> LoadSymbol:
    start = cursor.start
    if cursor.kind == STRING:
        remote = _literal(cursor)
        local = Name(remote.start + 1, remote.end - 1, str(remote.value))
    elif cursor.kind == NAME:
        local = _local(cursor)
        remote = _literal(cursor)
    else:
        message = f"load operand must be {_FORMS} (got {cursor.shown_token()})"
        raise cursor.failure(_CODE, message, start)
    name = str(remote.value)
    if name.startswith("_"):
        message = f"load: names with leading underscores are not exported: {name}"
        raise cursor.source.failure(_CODE, message, remote.start)
    if not is_identifier(name):
        raise cursor.source.failure(_CODE, f"load: {remote.raw} is not an identifier", remote.start)
    return LoadSymbol(start, remote.end, local, remote)


def _local(cursor: Cursor) -> Name:
    """Read `name =`, and make sure that a string follows."""
    index = cursor.index
    name = str(cursor.values[index])
    cursor.index += 1
    if not cursor.accept("="):
        message = f'load operand must be "{name}" or {name}="originalname" (want \'=\' after {name})'
        raise cursor.failure(_CODE, message, cursor.ends[index])
    if cursor.kind != STRING:
        message = f'original name of loaded symbol must be quoted: {name}="originalname"'
        raise cursor.failure(_CODE, message, cursor.start)
    return Name(cursor.starts[index], cursor.ends[index], name)


def _literal(cursor: Cursor) -> Literal:
    index = cursor.index
    start, end = cursor.starts[index], cursor.ends[index]
    cursor.index += 1
    return Literal(start, end, str(cursor.values[index]), cursor.text[start:end])
