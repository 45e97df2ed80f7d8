"""Words of a script line: blanks separate them, single quotes keep them whole, `$NAME` gets a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Optional, Union

_NAME = r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)"
_TOKEN = re.compile(r"'((?:[^']|'')*)'|\$\$|" + _NAME + r"|([^\s'$]+)|(\s+)")
_EXPANSION = re.compile(r"\$\$|" + _NAME)


class BadWords(Exception):
    """A line that does not divide into words."""


@dataclass(frozen=True)
class Name:
    """A place where the value of a name goes."""

    name: str


@dataclass(frozen=True)
class Word:
    """One word, or one text: pieces and names, in order."""

    parts: tuple[Union[str, Name], ...]

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else "$" + part.name for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the word uses, in order."""
        return tuple(part.name for part in self.parts if isinstance(part, Name))

    def only_name(self) -> Optional[str]:
        """Return the name if the word is nothing but one `$NAME`."""
        return self.names[0] if len(self.parts) == 1 and self.names else None

    def expand(self, values: Mapping[str, str]) -> str:
        """Return the text with each name's value in its place. Raises KeyError for a name without one."""
        return "".join(part if isinstance(part, str) else values[part.name] for part in self.parts)


def split_words(line: str) -> tuple[Word, ...]:
    """Return the words of a line. Raises BadWords for an open quote or a lone `$`."""
    # spec: conformance.case.words
    words: list[Word] = []
    parts: Optional[list[Union[str, Name]]] = None
    at = 0
    while at < len(line):
        token = _TOKEN.match(line, at)
        if token is None:
            what = "a quote is never closed" if line[at] == "'" else "a lone '$'; write $$ for the character"
            raise BadWords(what)
        at = token.end()
        quoted, braced, plain, text, blank = token.groups()
        if blank is not None:
            if parts is not None:
                words.append(Word(tuple(parts)))
            parts = None
            continue
        parts = [] if parts is None else parts
        if quoted is not None:
            parts.append(quoted.replace("''", "'"))
        elif text is not None:
            parts.append(text)
        elif token.group() == "$$":
            parts.append("$")
        else:
            parts.append(Name(braced or plain))
    if parts is not None:
        words.append(Word(tuple(parts)))
    return tuple(words)


def whole_text(text: str) -> Word:
    """Return text that is not divided: only `$NAME`, `${NAME}` and `$$` mean something in it."""
    parts: list[Union[str, Name]] = []
    at = 0
    for match in _EXPANSION.finditer(text):
        if match.start() > at:
            parts.append(text[at : match.start()])
        parts.append("$" if match.group() == "$$" else Name(match.group(1) or match.group(2)))
        at = match.end()
    if at < len(text):
        parts.append(text[at:])
    return Word(tuple(parts))


def expand_text(text: str, values: Mapping[str, str]) -> str:
    """Return text with the value of each name in its place. Raises KeyError for a name without one."""
    return whole_text(text).expand(values)


def names_of(words: Iterable[Word]) -> tuple[str, ...]:
    """Return every name that the words use, in order."""
    return tuple(name for word in words for name in word.names)
