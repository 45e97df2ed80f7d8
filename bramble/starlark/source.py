"""The text of one file: decoding, and offsets turned into lines and columns."""

from __future__ import annotations

from .errors import Position, SyntaxFailure
from .late import LateFunction, Pattern
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

_LINE_END = Pattern(r"\r\n?|\n")
_bisect_right = LateFunction("bisect", "bisect_right")
_SURROGATE = Pattern("[\ud800-\udfff]")


class Source(Record):
    """A file's name, its text, and the offset of the first character of every line."""

    filename: str
    text: str
    line_starts: tuple[int, ...]

    @classmethod
    def read(cls, source: Union[str, bytes], filename: str) -> Source:
        """Return the text of `source`, which is UTF-8 when it is bytes.

        Raises SyntaxFailure syntax.encoding at the first byte that is not UTF-8, or
        at a surrogate, which no UTF-8 text can hold.
        """
        # spec: starlark.source.encoding
        bad = ""
        if isinstance(source, str):
            text = source
        else:
            try:
                text = str(source, "utf-8")
            except UnicodeDecodeError as error:
                text = str(source[: error.start], "utf-8")
                bad = f"invalid UTF-8: byte 0x{source[error.start]:02x}"
                end = len(text)
        if not bad and not text.isascii():
            surrogate = _SURROGATE().search(text)
            if surrogate is not None:
                bad = f"invalid character U+{ord(surrogate.group()):04X}: surrogates are not text"
                end = surrogate.start()
        made = cls(filename, text, _line_starts(text))
        if bad:
            raise made.failure("syntax.encoding", bad, end)
        return made

    def position(self, offset: int) -> Position:
        """Return the line and column of an offset into the text."""
        line: int = _bisect_right(self.line_starts, offset)
        return Position(self.filename, line, offset - self.line_starts[line - 1] + 1)

    def line_text(self, line: int) -> str:
        """Return a line, counted from 1, without its end."""
        starts = self.line_starts
        end = starts[line] if line < len(starts) else len(self.text)
        return self.text[starts[line - 1] : end].rstrip("\r\n")

    def failure(self, code: str, message: str, offset: int) -> SyntaxFailure:
        """Return a syntax error at an offset."""
        position = self.position(offset)
        return SyntaxFailure(code, message, position, self.line_text(position.line))


def _line_starts(text: str) -> tuple[int, ...]:
    return (0, *(end.end() for end in _LINE_END().finditer(text)))
