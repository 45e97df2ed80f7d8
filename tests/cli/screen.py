"""A terminal as far as Bramble uses one: what is written becomes rows of text.

It knows printing with wide characters and combining marks, the wrapping of lines, CR, LF, cursor up,
erase below and colours. Anything else fails: Bramble must not write it.
"""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"\x1b\[(\d*)([AJm])")


def width_of(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


class Screen:
    """`rows` are all that were ever on it, those that have scrolled off included."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._rows: list[list[str]] = [[]]  # a cell is a letter with its marks; "" is the right half of one
        self._row = self._column = 0

    def feed(self, text: str) -> Screen:
        position = 0
        while position < len(text):
            letter = text[position]
            if letter == "\x1b":
                found = _CONTROL.match(text, position)
                assert found is not None, f"an escape sequence: {text[position : position + 12]!r}"
                self._control(int(found.group(1) or 0), found.group(2))
                position = found.end()
                continue
            position += 1
            if letter == "\r":
                self._column = 0
            elif letter == "\n":
                self._column = 0
                self._down()
            else:
                assert letter.isprintable(), f"a control character: {letter!r}"
                self._print(letter)
        return self

    @property
    def text(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self._rows).rstrip("\n")

    def _control(self, number: int, kind: str) -> None:
        if kind == "A":
            # Never above the window.
            self._row = max(self._row - (number or 1), len(self._rows) - self.height, 0)
        elif kind == "J":
            assert number == 0
            del self._rows[self._row + 1 :]
            del self._rows[self._row][self._column :]

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append([])

    def _print(self, letter: str) -> None:
        width = width_of(letter)
        row = self._rows[self._row]
        if width == 0:
            row[self._column - 1] += letter
            return
        if self._column + width > self.width:
            self._column = 0
            self._down()
            row = self._rows[self._row]
        row.extend(" " for _ in range(self._column - len(row)))
        row[self._column : self._column + width] = [letter, *[""] * (width - 1)]
        self._column += width
