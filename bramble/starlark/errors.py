"""Errors for Starlark programmers: positions, call stacks, and the errors of the three phases.

A program fails when it is read (`SyntaxFailure`), when its names are resolved
(`ResolveFailure`, which carries every fault found) or when it runs
(`EvalError`, which carries the call stack). All are `StarlarkError`; any other
exception that leaves this package is a fault of the package or of the host.
"""

from __future__ import annotations

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Optional

# A caret line is for reading on a terminal, and a line of the program may have ten megabytes.
EXCERPT_WIDTH = 100


class Position(Record):
    """A place in a file. Lines and columns count from 1; a column counts code points."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Frame(Record):
    """One active call: the function's name and where it was (None: in a built-in function)."""

    name: str
    position: Optional[Position]

    def __str__(self) -> str:
        where = "<builtin>" if self.position is None else str(self.position)
        return f"{where}: in {self.name}"


class StarlarkError(Exception):
    """An error in a Starlark program.

    `code` is `phase.slug` with the phase `syntax`, `resolve` or `eval`;
    `message` states the fact, with its suggestion when there is one;
    `position` is where; `line_text` is that line of the program when it is known.

    spec: starlark.error.place
    """

    def __init__(
        self,
        code: str,
        message: str,
        position: Optional[Position] = None,
        line_text: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.position = position
        self.line_text = line_text

    @property
    def errors(self) -> Sequence[StarlarkError]:
        """Every fault that this error reports, in the order of the text."""
        return (self,)

    def __str__(self) -> str:
        return self.message if self.position is None else f"{self.position}: {self.message}"

    def excerpt(self) -> str:
        """Return the source line and a caret below the column, or "" when the line is not known."""
        if self.position is None or self.line_text is None:
            return ""
        return excerpt(self.line_text, self.position.column)


class SyntaxFailure(StarlarkError):
    """The text is not a program. Codes `syntax.*`; the first fault ends the reading.

    `incomplete` says that the text is only too short: a REPL asks for another line.
    """

    incomplete = False


class ResolveError(StarlarkError):
    """One use of a name, or one statement, that the static rules forbid. Codes `resolve.*`."""


class ResolveFailure(StarlarkError):
    """All the faults that resolving a program found; code, message and position are the first's."""

    def __init__(self, errors: Iterable[StarlarkError]) -> None:
        self._errors = tuple(errors)
        first = self._errors[0]
        super().__init__(first.code, first.message, first.position, first.line_text)

    @property
    def errors(self) -> Sequence[StarlarkError]:
        return self._errors

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self._errors)


class EvalError(StarlarkError):
    """The program failed while it ran. Codes `eval.*`.

    `stack` holds the active calls, outermost first; it is filled in while the
    error leaves them. `limit` names the bound of the host that was met: `steps`,
    `time` or `memory`, "" for other errors. `parameters` are the names that a
    call which cannot bind might have used.
    """

    def __init__(
        self,
        code: str,
        message: str,
        position: Optional[Position] = None,
        line_text: Optional[str] = None,
        stack: Sequence[Frame] = (),
    ) -> None:
        super().__init__(code, message, position, line_text)
        self.stack: tuple[Frame, ...] = tuple(stack)
        self.limit = ""
        self.parameters: tuple[str, ...] = ()

    def calls(self) -> str:
        """Return the call stack, innermost last, without a final newline."""
        return "\n".join(["Traceback (most recent call last):", *[f"  {frame}" for frame in self.stack]])

    def traceback(self) -> str:
        """Return the call stack, innermost last, and the message, without a final newline."""
        return f"{self.calls()}\nError: {self.message}"


def excerpt(line_text: str, column: int) -> str:
    """Return `line_text` and below it a caret at `column` (from 1), both indented by two spaces.

    Long lines are cut around the column, with `…` where they are; characters that would move the caret
    or the terminal's cursor are shown as a space or as `?`.
    """
    at = max(0, min(column - 1, len(line_text)))
    first = 0 if at < EXCERPT_WIDTH - 1 else at - EXCERPT_WIDTH // 2
    shown = line_text[first : first + EXCERPT_WIDTH]
    clean = "".join(c if c.isprintable() else (" " if c in "\t\f" else "?") for c in shown)
    if first > 0:
        clean = "…" + clean[1:]
    if len(line_text.rstrip()) > first + EXCERPT_WIDTH:
        clean = clean[:-1] + "…"
    return f"  {clean.rstrip()}\n  {' ' * (at - first)}^"
