"""A line that is being typed in bash: its words, and how one is written so that bash takes it as it is.

bash hands over the line as text and lets a function find the words. The text
is only read here: nothing in it is expanded or run.
"""

from __future__ import annotations

import string
from typing import Optional

from bramble.record import NamedTuple

_PLAIN = frozenset(string.ascii_letters + string.digits + "._/:@%+=,-")
_SEPARATORS = ";|&()\n"


class Line(NamedTuple):
    """The words of the simple command that a line ends in."""

    words: tuple[str, ...]  # before the one that is being written, the program's name included
    current: str  # the word that is being written, unquoted; "" after a blank
    quote: str  # the quote that is open at the end: `'`, `"` or ""
    kept: int  # how many characters of `current` bash does not replace


def split(text: str, breaks: str) -> Optional[Line]:
    """Return the words of `text`, a line up to the cursor; None if the shell would expand something.

    `breaks` are the characters that end a word for bash's completion (COMP_WORDBREAKS): after
    a `:` it replaces only what follows.
    """
    words: list[str] = []
    word, begun, quote, kept = "", False, "", 0
    position = 0
    while position < len(text):
        letter = text[position]
        position += 1
        if quote == "'":
            if letter == "'":
                quote = ""
            else:
                word += letter
        elif letter == "\\" and (not quote or text[position : position + 1] in ('"', "\\", "$", "`")):
            word += text[position : position + 1]
            position, begun = position + 1, True
        elif letter in "$`":
            return None
        elif quote:
            if letter == quote:
                quote = ""
            else:
                word += letter
        elif letter in "'\"":
            quote, begun, kept = letter, True, len(word)
        elif letter in " \t" or letter in _SEPARATORS:
            if begun:
                words.append(word)
            word, begun, kept = "", False, 0
            if letter in _SEPARATORS:
                words = []
        else:
            word, begun = word + letter, True
            if letter in ":=@" and letter in breaks:
                kept = len(word)
    return Line(tuple(words), word, quote, kept)


def quoted(candidate: str, line: Line) -> Optional[str]:
    """Return the replacement of the current word for bash; None for what cannot be written safely.

    With any file name, the shell reads the result as this one word: what
    is not plain has a backslash before it, and control characters do not occur.
    """
    # spec: cli.completion.quoting
    if not candidate.isprintable() or not candidate.startswith(line.current[: line.kept]):
        return None
    rest = candidate[line.kept :]
    if line.quote:
        return rest if all(one in _PLAIN or one == " " for one in rest) else None
    if rest.startswith("~"):
        return None
    return "".join(one if one in _PLAIN or one.isalnum() else f"\\{one}" for one in rest)
