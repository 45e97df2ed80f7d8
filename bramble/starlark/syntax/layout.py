"""Laying out text: which groups fit on a line, and where the others are broken.

The printer makes one flat list of pieces: texts, and the marks below. A group
that fits into the line is printed on it; otherwise every LINE and SOFT of the
group (not of groups inside it) becomes a line break. Two passes, no recursion.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Union

    Piece = Union[str, "Mark"]

INDENT = 4
_NEVER = 10**9


class Mark:
    """A piece that is not text."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


OPEN = Mark("open")  # a group begins
OPEN_BROKEN = Mark("open broken")  # a group begins that is broken even if it would fit
CLOSE = Mark("close")
IN = Mark("in")  # lines from here on are indented once more
OUT = Mark("out")
LINE = Mark("line")  # a space, or a line break
SOFT = Mark("soft")  # nothing, or a line break
HARD = Mark("hard")  # a line break; the groups around it do not fit
COMMA = Mark("comma")  # nothing, or a comma where the group is broken


def lay_out(pieces: Sequence[Piece], width: int, indent: int) -> str:
    """Return the text of `pieces`, whose first line starts in the column `indent` (spaces not included)."""
    fits = _group_widths(pieces)
    out: list[str] = []
    broken = [True]
    column = indent
    for position, piece in enumerate(pieces):
        if isinstance(piece, str):
            out.append(piece)
            newline = piece.rfind("\n")
            column = column + len(piece) if newline < 0 else len(piece) - newline - 1
        elif piece is OPEN or piece is OPEN_BROKEN:
            # Inside a group that is on one line, everything is.
            broken.append(broken[-1] and column + fits[position] > width)
        elif piece is CLOSE:
            broken.pop()
        elif piece is IN:
            indent += INDENT
        elif piece is OUT:
            indent -= INDENT
        elif piece is COMMA:
            if broken[-1]:
                out.append(",")
                column += 1
        elif piece is HARD or broken[-1]:
            out.append("\n" + " " * indent)
            column = indent
        elif piece is LINE:
            out.append(" ")
            column += 1
    return "".join(out)


def _group_widths(pieces: Sequence[Piece]) -> dict[int, int]:
    """Return for every opening mark the width of its group on one line, with what follows it there."""
    rest = [0] * (len(pieces) + 1)
    for position in range(len(pieces) - 1, -1, -1):
        piece = pieces[position]
        if isinstance(piece, str):
            newline = piece.find("\n")
            rest[position] = len(piece) + rest[position + 1] if newline < 0 else newline
        elif piece is not LINE and piece is not SOFT and piece is not HARD:
            rest[position] = rest[position + 1]
    widths: dict[int, int] = {}
    opened: list[int] = []
    total = 0
    starts: list[int] = []
    for position, piece in enumerate(pieces):
        if isinstance(piece, str):
            newline = piece.find("\n")
            total += len(piece) if newline < 0 else newline
        elif piece is OPEN or piece is OPEN_BROKEN:
            opened.append(position)
            starts.append(total)
            if piece is OPEN_BROKEN:
                total += _NEVER
        elif piece is CLOSE:
            widths[opened.pop()] = total - starts.pop() + rest[position]
        elif piece is LINE:
            total += 1
        elif piece is HARD:
            total += _NEVER
    return widths
