"""The terminal session: reads statements, has them run, and shows the values of expressions."""

from __future__ import annotations

import io
import os
import stat
import sys
from contextlib import suppress

from .advice import instead
from .bounds import bounded_memory
from .command import PREDECLARED, FileLoader
from .errors import EvalError, StarlarkError
from .runtime.text import to_repr
from .session import Session
from .thread import Thread

try:
    import readline
except ImportError:
    # Python may be built without it; lines are then read without history.
    readline = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Optional, Protocol, TextIO

    from .dialect import Dialect

    class Talk(Protocol):
        """What a conversation is held with: a session, in whatever way its answers are shown."""

        def needs_more(self, text: str) -> bool:
            """Return whether an input is the beginning of something longer."""

        def answer(self, text: str, number: int) -> bool:
            """Run an input, whose first line has this number, and show what it gives; False for an error."""


PROMPT, CONTINUATION = ">>> ", "... "
HISTORY = "~/.starlark_history"
HISTORY_LENGTH = 1000
INDENT = "    "
_DELIMITERS = " \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?"


class Lines:
    """The lines of standard input: from a terminal with prompts and an editor, else as they come."""

    def __init__(self, history: Optional[History] = None) -> None:
        self.terminal = sys.stdin.isatty()
        self.edited = self.terminal and sys.stdout.isatty()
        self.history = history
        self.number = 0  # of the last line
        if isinstance(sys.stdin, io.TextIOWrapper):
            # What is not text is refused at its place, like any other error.
            sys.stdin.reconfigure(errors="surrogateescape")

    def read(self, prompt: str) -> Optional[str]:
        """Return the next line without its end, None at the end of the input. Raises KeyboardInterrupt."""
        if self.edited:
            try:
                line = input(prompt)
            except EOFError:
                return None
            if self.history is not None:
                self.history.add(line)
            return line
        if self.terminal:
            sys.stderr.write(prompt)
            sys.stderr.flush()
        line = sys.stdin.readline()
        self.number += 1
        return line.rstrip("\n") if line else None


def converse(talk: Talk, lines: Lines) -> bool:
    """Evaluate every input until the end, and return whether none failed.

    On a terminal the lines of each input are counted from 1, elsewhere those of the whole text.
    """
    good = True
    while True:
        try:
            text, number = _read_input(talk, lines)
            if text is None:
                if lines.terminal:
                    print(file=sys.stdout if lines.edited else sys.stderr, flush=True)
                return good
            if text and not talk.answer(text, 1 if lines.terminal else number):
                good = False
        except KeyboardInterrupt:
            if not lines.terminal:
                raise
            print(file=sys.stdout if lines.edited else sys.stderr, flush=True)


def _read_input(talk: Talk, lines: Lines) -> tuple[Optional[str], int]:
    """Return the next input ("" for nothing, None at the end) and the number of its first line."""
    text, number = "", 0
    while True:
        line = lines.read(CONTINUATION if text else PROMPT)
        if line is None:
            return text or None, number
        number = number or lines.number
        text += f"{line}\n"
        if not text.strip():
            return "", number
        if not talk.needs_more(text):
            return text, number


class History:
    """The history of the prompt, in a file of the user; without such a file it is not kept."""

    def __init__(self, path: str) -> None:
        self.path = path

    def load(self) -> None:
        """Give the editor the lines of earlier sessions."""
        entries = self._read()
        if len(entries) > 2 * HISTORY_LENGTH:
            self._write(os.O_TRUNC, entries[-HISTORY_LENGTH:])
        for entry in entries[-HISTORY_LENGTH:]:
            readline.add_history(entry)

    def add(self, line: str) -> None:
        """Keep a line that was typed."""
        last = readline.get_current_history_length() if readline is not None else 0
        # The editor leaves out what is typed twice and what is empty.
        if last and line.strip() and readline.get_history_item(last) == line:
            self._write(os.O_APPEND, line.split("\n"))

    def _read(self) -> Sequence[str]:
        try:
            with open(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
                text = file.read().decode("utf-8", "replace") if regular else ""
        except OSError:
            return []
        return [line for line in text.split("\n") if line.isprintable() and line]

    def _write(self, how: int, entries: Sequence[str]) -> None:
        # No message if the home directory cannot be written.
        with suppress(OSError):
            os.makedirs(os.path.dirname(self.path), 0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | how
            with open(os.open(self.path, flags, 0o600), "wb") as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    os.fchmod(file.fileno(), 0o600)
                    text = "".join(f"{entry}\n" for entry in entries if entry)
                    file.write(text.encode("utf-8", "backslashreplace"))


def prepare_editor(complete: Callable[[str, str], Sequence[str]], path: Optional[str]) -> Optional[History]:
    """Set up the line editor, where Python has one, and return the history that it keeps.

    `complete(line, word)` returns how the word at the end of the line may go on; `path` is the
    file of the history, None for none.
    """
    if readline is None:
        return None
    found: Sequence[str] = []

    def completer(word: str, number: int) -> Optional[str]:
        nonlocal found
        if number == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            found = complete(line, word) if line.strip() else [INDENT]
        return found[number] if number < len(found) else None

    readline.set_auto_history(True)
    readline.set_history_length(HISTORY_LENGTH)
    readline.set_completer(completer)
    readline.set_completer_delims(_DELIMITERS)
    # Python may be built with another library of the same interface (libedit).
    other = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if other else "tab: complete")
    history = None if path is None else History(path)
    if history is not None:
        history.load()
    return history


def report(error: StarlarkError, out: TextIO, excerpt: bool) -> None:
    """Write an error."""
    lines = []
    for one in error.errors:
        lines.append(one.traceback() if isinstance(one, EvalError) else str(one))
        if excerpt and one.excerpt():
            lines.append(one.excerpt())
        advice = instead(one) if excerpt else None
        if advice:
            lines.append(f"  {advice}")
    out.write("\n".join(lines) + "\n")


class _Plain:
    """Answers on the standard streams."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def needs_more(self, text: str) -> bool:
        return self.session.needs_more(text)

    def answer(self, text: str, number: int) -> bool:
        try:
            with bounded_memory():
                value = self.session.run(text, number)
                shown = "" if value is None else f"{to_repr(value)}\n"
        except StarlarkError as error:
            report(error, sys.stderr, sys.stderr.isatty())
            return False
        sys.stdout.write(shown)
        sys.stdout.flush()
        return True


def new_session(dialect: Dialect) -> Session:
    """Return a session that knows what `python -m bramble.starlark FILE` knows."""
    return Session(dialect, PREDECLARED, Thread(load=FileLoader(dialect).load))


def interact(dialect: Dialect) -> int:
    """Run a session on standard input until its end, and return the exit status."""
    session = new_session(dialect)
    if not sys.stdin.isatty():
        return 0 if converse(_Plain(session), Lines()) else 1
    path = os.path.expanduser(HISTORY)
    # Who has no home directory does not get one for that.
    kept = path if os.path.isdir(os.path.dirname(path)) else None
    history = prepare_editor(lambda _line, word: session.complete(word), kept)
    converse(_Plain(session), Lines(history))
    return 0
