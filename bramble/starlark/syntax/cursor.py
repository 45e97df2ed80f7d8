"""The parser's place in the tokens, and the errors it raises there."""

from __future__ import annotations

from .scan import EOF, ERROR, PUNCTUATION, RESERVED, ScanFault, Scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from ..errors import SyntaxFailure
    from ..source import Source
    from .scan import Value

_QUOTED = frozenset(PUNCTUATION) | frozenset("()[]{}")


class Cursor:
    """A place in one logical line. `index` counts in the four token lists of the scanner.

    The last token of a line is never passed except by `next_line`, so looking
    one token ahead of any other is safe.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.scanner = Scanner(source.text)
        self.index = 0
        self.kinds: list[str] = []
        self.values: list[Value] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def next_line(self) -> int:
        """Go to the next logical line and return its indentation in columns."""
        scanner = self.scanner
        column = scanner.next_line()
        self.index = 0
        self.kinds, self.values = scanner.kinds, scanner.values
        self.starts, self.ends = scanner.starts, scanner.ends
        return column

    @property
    def kind(self) -> str:
        return self.kinds[self.index]

    @property
    def start(self) -> int:
        return self.starts[self.index]

    @property
    def last_end(self) -> int:
        """The end of the token before this one."""
        return self.ends[self.index - 1]

    def accept(self, kind: str) -> bool:
        """Pass the token if it is of this kind; return whether it was."""
        if self.kinds[self.index] == kind:
            self.index += 1
            return True
        return False

    def expect(self, kind: str) -> int:
        """Pass a token of this kind and return where it starts. Raises SyntaxFailure for any other."""
        if self.kinds[self.index] != kind:
            raise self.unexpected(shown(kind))
        self.index += 1
        return self.starts[self.index - 1]

    def unexpected(self, want: str, *, at_start: bool = False) -> SyntaxFailure:
        """Return the error that the present token is not what was wanted."""
        # spec: starlark.error.static-columns
        self.raise_scan_fault()
        # The end of a token, as in starlark-go: a missing bracket is reported where reading stopped.
        offset = self.start if at_start else self.ends[self.index]
        return self.failure("syntax.unexpected", f"got {self.shown_token()}, want {want}", offset)

    def failure(self, code: str, message: str, offset: int) -> SyntaxFailure:
        """Return a SyntaxFailure at an offset, marked incomplete if the text ended too early."""
        self.raise_scan_fault()
        error = self.source.failure(code, message, offset)
        error.incomplete = self.kinds[self.index] == EOF and self.scanner.depth > 0
        return error

    def shown_token(self) -> str:
        """Return what an error calls the present token."""
        kind = self.kind
        return f"reserved word {self.values[self.index]!s}" if kind == RESERVED else shown(kind)

    def raise_scan_fault(self) -> None:
        """Raise the fault of the text itself if that is what stands here."""
        fault = self.values[self.index]
        if self.kinds[self.index] == ERROR and isinstance(fault, ScanFault):
            self.raise_fault(fault)

    def raise_fault(self, fault: ScanFault) -> NoReturn:
        error = self.source.failure(fault.code, fault.message, fault.offset)
        error.incomplete = fault.incomplete
        raise error


def shown(kind: str) -> str:
    """Return the name of a kind of token for errors: punctuation is in quotes."""
    return f"'{kind}'" if kind in _QUOTED else kind
