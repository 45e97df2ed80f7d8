"""New content for a lock file that leaves what people wrote into it where it is.

Entries are changed line by line: comments, blank lines, the order of entries and
the ends of lines stay. A file that only Bramble has written stays sorted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Optional

from bramble.errors import BrambleError
from bramble.project.toml import TomlDocument, parse_document

Tables = Mapping[str, Mapping[str, str]]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
# A string on one line, after which nothing follows but a comment.
_VALUE = re.compile(r"""("(?!"")(?:[^"\\]|\\.)*"|'(?!'')[^']*')([ \t]*(?:#.*)?\r?)$""")
_ENTRIES, _TABLES = 0, 1  # of what goes to one place: entries of the table before it come first


def lock_text(tables: Tables) -> str:
    """Return the text of a lock file: tables and keys sorted, one entry a line."""
    # spec: project.lock.text
    return "\n".join("\n".join(_block(table, tables[table])) + "\n" for table in sorted(tables))


def edited(text: str, name: str, tables: Tables, known: Optional[Tables] = None) -> str:
    """Return `text`, which is that of a lock file, with the changes that make it say `tables`.

    A table without entries is as if it were not there.

    `name` is the file's; `known` is what the text says, where that has been read. A text that is not
    written one entry per line is written again.
    """
    # spec: project.lock.text
    if known is not None and text == lock_text(known):
        # Nobody has written into it: there is nothing to keep, and a long one is not read again.
        return lock_text({table: entries for table, entries in tables.items() if entries})
    document = parse_document(text, name, code="lock.syntax")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    new = _changed(lines, document, tables)
    if new is not None:
        try:
            said = {table: value for table, value in parse_document(new, name).values.items() if value != {}}
            if said == {table: dict(entries) for table, entries in tables.items() if entries}:
                return new
        except BrambleError:
            pass  # What looked like an entry was part of something else.
    return lock_text(tables)


def _changed(lines: list[str], document: TomlDocument, tables: Tables) -> Optional[str]:
    """Return the text of the lines with the changes; None if entries are not written one a line."""
    kept: list[Optional[str]] = list(lines)
    for table, entries in document.values.items():
        for key, before in entries.items():
            after = tables.get(table, {}).get(key)
            if after == before:
                continue
            place = document.value_place((table, key))
            at, column = (place.line or 1) - 1, (place.column or 1) - 1
            found = _VALUE.match(lines[at], column)
            if found is None:
                return None
            kept[at] = None if after is None else lines[at][:column] + quoted(after) + found[2]
    for table in document.values.keys() - tables.keys():
        drop_header(kept, (document.key_place((table,)).line or 1) - 1)
    added: dict[int, list[tuple[int, str, list[str]]]] = {}
    for table in tables:
        for at, kind, name, new_lines in _additions(table, tables[table], lines, document):
            added.setdefault(at, []).append((kind, name, new_lines))
    end = "\r" if lines and lines[0].endswith("\r") else ""
    out: list[str] = []
    for at in range(len(lines) + 1):
        for kind, _, new in sorted(added.get(at, ())):
            if kind == _TABLES and out and out[-1].strip():
                out.append(end)
            out += [line + end for line in new]
            if kind == _TABLES and at < len(lines):
                out.append(end)
        if at < len(lines) and kept[at] is not None:
            out.append(str(kept[at]))
    return "".join(line + "\n" for line in out)


def drop_header(kept: list[Optional[str]], at: int) -> None:
    """Remove the header of a table that has no entries any more, and the blank lines beside it but for one.

    A table with a comment stays.
    """
    end = at + 1
    while end < len(kept) and not (kept[end] or "").lstrip().startswith("["):
        if (kept[end] or "").strip():
            return
        end += 1
    kept[at] = None
    begin = at
    while begin > 0 and not (kept[begin - 1] or "").strip():
        begin -= 1
    blank = [number for number in range(begin, end) if kept[number] is not None]
    # What follows stays apart from what stands above, and a blank line at the end of the file stays.
    between = begin > 0 and (end < len(kept) or blank[-1:] > [at])
    for number in blank[: len(blank) - between]:
        kept[number] = None


def _additions(
    table: str, entries: Mapping[str, str], lines: list[str], document: TomlDocument
) -> Iterator[tuple[int, int, str, list[str]]]:
    """Yield what is to be put before which line: the line's number, the kind, the name, the new lines."""
    known = document.values.get(table)
    if known is None:
        starts = {other: (document.key_place((other,)).line or 1) - 1 for other in document.values}
        later = [at for other, at in starts.items() if other > table]
        yield _above(min(later), lines, 0) if later else len(lines), _TABLES, table, _block(table, entries)
        return
    start = (document.key_place((table,)).line or 1) - 1
    places = sorted(((document.value_place((table, key)).line or 1) - 1, key) for key in known)
    for key in entries:
        if key in known:
            continue
        following = next((at for at, other in places if other > key), None)
        if following is not None:
            at = _above(following, lines, start + 1)
        elif places:
            at = places[-1][0] + 1
        else:
            at = start + 1
            while at < len(lines) and lines[at].lstrip().startswith("#"):
                at += 1
        yield at, _ENTRIES, key, [_line(key, entries[key])]


def _above(at: int, lines: list[str], first: int) -> int:
    """Return where the comment begins that stands right above a line, not before the line `first`."""
    while at > first and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return at


def _block(table: str, entries: Mapping[str, str]) -> list[str]:
    name = table if _BARE.fullmatch(table) else quoted(table)
    return [f"[{name}]", *(_line(key, entries[key]) for key in sorted(entries))]


def _line(key: str, value: str) -> str:
    return f"  {quoted(key)} = {quoted(value)}"


def quoted(text: str) -> str:
    """Return `text` as a string of TOML on one line."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return (
        '"'
        + re.sub('["\\\\\x00-\x1f\x7f]', lambda found: short.get(found[0]) or f"\\u{ord(found[0]):04X}", text)
        + '"'
    )
