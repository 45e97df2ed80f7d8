"""Changes of the dependencies in a bramble.toml that leave all else as people wrote it. All pure.

Every change is made to the lines that hold an entry and then checked: the new text is read, and must
say what the old one did with that one change. Where entries are written in a way in which no line can
be changed alone, nothing is guessed, and the user is asked to make the change.
"""

from __future__ import annotations

import re
from typing import Any, Optional

from bramble.errors import BrambleError
from bramble.project.lockedit import drop_header, quoted
from bramble.project.toml import TomlDocument, parse_document

CONFIG_NAME, _TABLE = "bramble.toml", "dependencies"
_STRING = re.compile(r"""("(?!"")(?:[^"\\]|\\.)*"|'(?!'')[^']*')""")


def with_dependency(text: str, name: str, needs: dict[str, str]) -> str:
    """Return the text of a bramble.toml in which the dependency `name` says `needs`.

    `needs` maps `version`, `rev`, `git` and `path` to text. One that is only a version is written as a
    string where it is new, and a value that is there is changed in its place. Raises config.* if
    `text` is not TOML, packages.edit if its entry must be changed manually.
    """
    # spec: packages.edit
    document = parse_document(text, CONFIG_NAME)
    before = document.values.get(_TABLE, {}).get(name)
    if before == _value(needs) or before == needs:
        return text
    new: Optional[str]
    if before is None:
        new = _added(text, document, name, needs)
    elif isinstance(before, dict) and before.keys() == needs.keys():
        new = _replaced_each(text, name, before, needs)
    elif isinstance(before, str) and needs.keys() == {"version"}:
        new = _replaced(text, document, (_TABLE, name), needs["version"])
    else:
        new = _rewritten(text, document, name, needs)
    kept = needs if isinstance(before, dict) and before.keys() == needs.keys() else _value(needs)
    return _checked(new, document, name, kept)


def without_dependency(text: str, name: str) -> str:
    """Return the text of a bramble.toml without the dependency `name`, which it has.

    Raises config.* if `text` is not TOML, packages.edit if its entry must be removed manually.
    """
    # spec: packages.edit
    document = parse_document(text, CONFIG_NAME)
    lines = text.splitlines(keepends=True)
    first, last = _lines_of(document, name, len(lines))
    kept: list[Optional[str]] = [*lines[:first], *lines[last:]]
    if len(document.values[_TABLE]) == 1:
        at = (document.key_place((_TABLE,)).line or 1) - 1
        if at < first and kept[at] is not None and str(kept[at]).strip() == f"[{_TABLE}]":
            drop_header(kept, at)
    return _checked("".join(line for line in kept if line is not None), document, name, None)


def _value(needs: dict[str, str]) -> Any:
    return needs["version"] if needs.keys() == {"version"} else needs


def _checked(new: Optional[str], document: TomlDocument, name: str, value: Any) -> str:
    wanted = {**document.values, _TABLE: {**document.values.get(_TABLE, {}), name: value}}
    if value is None:
        del wanted[_TABLE][name]
    try:
        # An empty table means what none does.
        said = {} if new is None else {_TABLE: {}, **parse_document(new, CONFIG_NAME).values}
        if new is not None and said == {_TABLE: {}, **wanted}:
            return new
    except BrambleError:
        pass  # What looked like an entry was part of something else.
    entry = f"the line {_entry(name, value)}" if value is not None else f'the entry "{name}" away'
    raise BrambleError(
        "packages.edit",
        f"the dependencies are not written one a line below [{_TABLE}], and are not changed",
        place=document.key_place((_TABLE,)),
        remedy=f"write {entry} yourself" if value is not None else f"take {entry} yourself",
    )


def _replaced_each(text: str, name: str, before: dict[str, str], needs: dict[str, str]) -> Optional[str]:
    """Return the text with the strings of a table replaced."""
    new: Optional[str] = text
    for key in needs:
        if new is not None and before[key] != needs[key]:
            new = _replaced(new, parse_document(new, CONFIG_NAME), (_TABLE, name, key), needs[key])
    return new


def _replaced(text: str, document: TomlDocument, path: tuple[str, ...], value: str) -> Optional[str]:
    """Return the text with another string in the place of one."""
    place = document.value_place(path)
    lines = text.split("\n")
    at, column = (place.line or 1) - 1, (place.column or 1) - 1
    found = _STRING.match(lines[at], column)
    if found is None:
        return None
    lines[at] = lines[at][:column] + quoted(value) + lines[at][found.end() :]
    return "\n".join(lines)


def _rewritten(text: str, document: TomlDocument, name: str, needs: dict[str, str]) -> str:
    """Return the text with an entry of another form in the place of one."""
    lines = text.splitlines(keepends=True)
    first, last = _lines_of(document, name, len(lines))
    lines[first:last] = [_entry(name, _value(needs)) + _ending(text)]
    return "".join(lines)


def _added(text: str, document: TomlDocument, name: str, needs: dict[str, str]) -> str:
    """Return the text with a new entry: in its place where entries are sorted, else after the last one."""
    end = _ending(text)
    line = _entry(name, _value(needs)) + end
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r\n")):
        lines[-1] += end
    known = document.values.get(_TABLE)
    if known is None:
        space = [end] if lines and lines[-1].strip() else []
        return "".join([*lines, *space, f"[{_TABLE}]{end}", line])
    starts = [((document.key_place((_TABLE, key)).line or 1) - 1, key) for key in known]
    if not starts:
        at = document.key_place((_TABLE,)).line or 1
    elif [key for _, key in starts] == sorted(known) and name < starts[-1][1]:
        at = next(at for at, key in starts if key > name)
        while at and lines[at - 1].lstrip().startswith("#"):
            at -= 1
    else:
        at = _lines_of(document, starts[-1][1], len(lines))[1]
    return "".join([*lines[:at], line, *lines[at:]])


def _lines_of(document: TomlDocument, name: str, count: int) -> tuple[int, int]:
    """Return the first line of an entry and the one behind it, counted from 0, where it is on one line."""
    at = (document.key_place((_TABLE, name)).line or 1) - 1
    return at, min(at + 1, count)


def _entry(name: str, value: Any) -> str:
    if isinstance(value, str):
        return f"{quoted(name)} = {quoted(value)}"
    inner = ", ".join(f"{key} = {quoted(one)}" for key, one in value.items())
    return f"{quoted(name)} = {{ {inner} }}"


def _ending(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
