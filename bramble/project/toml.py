"""A reader of TOML 1.0 that knows where everything stood.

The standard library has one from Python 3.11 on, without positions; this one
serves every version, so that an error is the same everywhere.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any, Union

from bramble.errors import BrambleError, Place
from bramble.project.toml_scalars import Broken, Moment, control_character, scalar, short_string
from bramble.record import dataclass, field

__all__ = ["Moment", "TomlDocument", "decode", "parse", "parse_document"]

Path = tuple[Union[str, int], ...]

NESTING_LIMIT = 100
_BLANK = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LINE_END = re.compile(r"[^\n]*")


@dataclass(frozen=True)
class TomlDocument:
    """What a TOML text says, and where.

    `values` holds dict, list, str, int, float, bool and Moment. A path is the
    keys from the top, with a number for an element of an array.
    """

    filename: str
    values: dict[str, Any]
    _keys: dict[Path, int] = field(repr=False)  # path → offset of the key's last part
    _values: dict[Path, int] = field(repr=False)  # path → offset of the value
    _lines: tuple[int, ...] = field(repr=False)  # offset of the start of each line

    def key_place(self, path: Path) -> Place:
        """Return where the key stands; the top of the file for what is not written in it."""
        return self._place(self._keys.get(path))

    def value_place(self, path: Path) -> Place:
        """Return where the value stands; a table stands where its header does."""
        return self._place(self._values.get(path, self._keys.get(path)))

    def _place(self, offset: Union[int, None]) -> Place:
        if offset is None:
            return Place(self.filename, 1, 1)
        return _place(self.filename, self._lines, offset)


def decode(data: bytes, filename: str, *, code: str = "config.syntax") -> str:
    """Return the text of a TOML file, which is UTF-8. Raises `code` with a line."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # spec: project.toml.utf8
        line = data.count(b"\n", 0, error.start) + 1
        before = data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")
        raise BrambleError(
            code,
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            place=Place(filename, line, len(before) + 1),
            remedy="save the file as UTF-8",
        ) from error


def parse(text: str, filename: str, *, code: str = "config.syntax") -> dict[str, Any]:
    """Return what the TOML text says as nested dicts and lists. Raises `code` with line and column."""
    return parse_document(text, filename, code=code).values


def parse_document(text: str, filename: str, *, code: str = "config.syntax") -> TomlDocument:
    """Return what the TOML text says, with places. Raises `code` with line and column."""
    # spec: project.toml
    normal = text.replace("\r\n", "\n")
    lines = (0, *(found.end() for found in re.finditer("\n", normal)))
    reader = _Reader(normal)
    try:
        reader.document()
    except Broken as error:
        raise BrambleError(
            code, error.message, place=_place(filename, lines, error.offset), remedy=error.remedy
        ) from error
    return TomlDocument(filename, reader.root, reader.keys, reader.values, lines)


def _place(filename: str, lines: tuple[int, ...], offset: int) -> Place:
    line = bisect_right(lines, offset)
    return Place(filename, line, offset - lines[line - 1] + 1)


# What git begins the lines with that show where two branches differ.
CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")

# How a table was created, which decides what may still be added to it.
_IMPLIED = "implied"  # named on the way to another header: may get its own header once
_HEADER = "header"  # has its header: may get new tables, and no second header
_DOTTED = "dotted"  # made by dotted keys: only more dotted keys of the same table
_INLINE = "inline"  # written with braces: complete
_LISTED = "listed"  # an array made by [[headers]]: gets more of them


class _Reader:
    """One pass over a text. `kind` records how each table was created, by identity."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.root: dict[str, Any] = {}
        self.kind: dict[int, str] = {id(self.root): _HEADER}
        self.keys: dict[Path, int] = {}
        self.values: dict[Path, int] = {}

    def document(self) -> None:
        if self.text.startswith("\ufeff"):
            raise Broken(0, "the file begins with a byte order mark", "save it as UTF-8 without one")
        table, path = self.root, ()  # type: tuple[dict[str, Any], Path]
        while self._next_line():
            if self.text.startswith("[", self.at):
                table, path = self._header()
            else:
                self._pair(table, path, depth=0)
            self._line_is_over()

    # --- lines -----------------------------------------------------------------

    def _blank(self) -> None:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _comment(self) -> None:
        if self.text.startswith("#", self.at):
            found = _LINE_END.match(self.text, self.at)
            end = found.end() if found else self.at
            wrong = control_character(self.text, self.at, end)
            if wrong is not None:
                raise Broken(
                    wrong, f"the control character U+{ord(self.text[wrong]):04X} is not allowed in a comment"
                )
            self.at = end

    def _next_line(self) -> bool:
        """Go to the next thing that is not blank; False at the end of the text."""
        while True:
            self._blank()
            self._comment()
            if not self.text.startswith("\n", self.at):
                return self.at < len(self.text)
            self.at += 1

    def _line_is_over(self) -> None:
        self._blank()
        self._comment()
        if self.at < len(self.text) and not self.text.startswith("\n", self.at):
            raise Broken(
                self.at,
                f"the line should end here, and {self._shown()} follows",
                "write one key and one value on a line",
            )

    def _shown(self) -> str:
        if self.at >= len(self.text):
            return "the end of the file"
        character = self.text[self.at]
        if character == "\n":
            return "the end of the line"
        return f'"{character}"' if character.isprintable() else f"U+{ord(character):04X}"

    def _expect(self, token: str, what: str) -> None:
        if not self.text.startswith(token, self.at):
            raise Broken(self.at, f'"{token}" is missing {what}; there is {self._shown()}')
        self.at += len(token)

    # --- keys ------------------------------------------------------------------

    def _key(self) -> list[tuple[str, int]]:
        """Read a key; return its parts, each with the offset at which it stands."""
        parts = []
        while True:
            self._blank()
            start = self.at
            if self.text.startswith(('"""', "'''"), start):
                raise Broken(start, "a key is written on one line, in one pair of quotes")
            if self.text.startswith(('"', "'"), start):
                word, self.at = short_string(self.text, start)
            else:
                found = _BARE_KEY.match(self.text, start)
                if self.text.startswith(CONFLICT, start):
                    raise Broken(
                        start,
                        "there is a merge conflict in this file",
                        "choose the lines to keep; delete those that begin with <<<<<<<, =======, >>>>>>>",
                    )
                if found is None:
                    raise Broken(
                        start,
                        f"a key is missing here; there is {self._shown()}",
                        "a key has letters, digits, - and _; put anything else in quotes",
                    )
                word, self.at = found[0], found.end()
            parts.append((word, start))
            if len(parts) > NESTING_LIMIT:
                raise Broken(start, "the key has too many parts")
            self._blank()
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    # --- headers ---------------------------------------------------------------

    def _header(self) -> tuple[dict[str, Any], Path]:
        start = self.at
        listed = self.text.startswith("[[", start)
        self.at += 2 if listed else 1
        parts = self._key()
        self._expect("]]" if listed else "]", "after the name of the table")
        node, path = self.root, ()  # type: tuple[dict[str, Any], Path]
        for word, offset in parts[:-1]:
            node, path = self._through(node, path, word, offset)
        word, offset = parts[-1]
        path = (*path, word)
        self.keys.setdefault(path, offset)
        if listed:
            return self._listed_table(node, path, word, offset)
        if word not in node:
            node[word] = {}
        table = node[word]
        if not isinstance(table, dict) or self.kind.get(id(table), _IMPLIED) != _IMPLIED:
            raise self._again(path, offset)
        self.kind[id(table)] = _HEADER
        self.keys[path] = offset
        return table, path

    def _listed_table(
        self, node: dict[str, Any], path: Path, word: str, offset: int
    ) -> tuple[dict[str, Any], Path]:
        if word not in node:
            node[word] = []
            self.kind[id(node[word])] = _LISTED
        tables = node[word]
        if self.kind.get(id(tables)) != _LISTED:
            raise self._again(path, offset)
        table: dict[str, Any] = {}
        self.kind[id(table)] = _HEADER
        tables.append(table)
        path = (*path, len(tables) - 1)
        self.keys[path] = offset
        return table, path

    def _through(
        self, node: dict[str, Any], path: Path, word: str, offset: int
    ) -> tuple[dict[str, Any], Path]:
        """Return the table `word` of `node` on the way to a deeper header."""
        path = (*path, word)
        self.keys.setdefault(path, offset)
        if word not in node:
            node[word] = {}
            self.kind[id(node[word])] = _IMPLIED
        inner = node[word]
        kind = self.kind.get(id(inner))
        if kind == _LISTED:
            return inner[-1], (*path, len(inner) - 1)
        if not isinstance(inner, dict) or kind == _INLINE:
            raise self._again(path, offset)
        return inner, path

    def _again(self, path: Path, offset: int) -> Broken:
        """Return the error for a name that is taken by something that cannot be added to."""
        name = ".".join(str(part) for part in path if isinstance(part, str))
        first = self.keys.get(path, offset)
        line = self.text.count("\n", 0, first) + 1
        where = f" in line {line}" if first != offset else ""
        return Broken(offset, f'"{name}" is already there{where}', "write each key and each table once")

    # --- keys and values -------------------------------------------------------

    def _pair(self, table: dict[str, Any], path: Path, *, depth: int) -> None:
        parts = self._key()
        self._expect("=", "after the key")
        node = table
        for word, offset in parts[:-1]:
            path = (*path, word)
            self.keys.setdefault(path, offset)
            if word not in node:
                node[word] = {}
                self.kind[id(node[word])] = _DOTTED
            inner = node[word]
            if not isinstance(inner, dict) or self.kind[id(inner)] not in (_DOTTED, _IMPLIED):
                raise self._again(path, offset)
            self.kind[id(inner)] = _DOTTED
            node = inner
        word, offset = parts[-1]
        path = (*path, word)
        if word in node:
            raise self._again(path, offset)
        self.keys.setdefault(path, offset)
        self._blank()
        node[word] = self._value(path, depth)

    def _value(self, path: Path, depth: int) -> Any:
        if depth > NESTING_LIMIT:
            raise Broken(self.at, "the values are nested too deeply")
        self.values[path] = self.at
        if self.text.startswith("[", self.at):
            return self._array(path, depth)
        if self.text.startswith("{", self.at):
            return self._inline_table(path, depth)
        value, self.at = scalar(self.text, self.at)
        return value

    def _array(self, path: Path, depth: int) -> list[Any]:
        start = self.at
        self.at += 1
        items: list[Any] = []
        while True:
            if not self._next_line():
                raise Broken(start, 'this array has no closing "]"')
            if self.text.startswith("]", self.at):
                break
            items.append(self._value((*path, len(items)), depth + 1))
            if not self._next_line():
                raise Broken(start, 'this array has no closing "]"')
            if self.text.startswith("]", self.at):
                break
            self._expect(",", "between two values of an array")
        self.at += 1
        return items

    def _inline_table(self, path: Path, depth: int) -> dict[str, Any]:
        self.at += 1
        table: dict[str, Any] = {}
        # The table is complete only at its brace; until then dotted keys may add to it.
        self.kind[id(table)] = _HEADER
        self._blank()
        if not self.text.startswith("}", self.at):
            while True:
                self._pair(table, path, depth=depth + 1)
                self._blank()
                if self.text.startswith("}", self.at):
                    break
                self._expect(",", "between two keys of a table in braces")
        self.at += 1
        self.kind[id(table)] = _INLINE
        return table
