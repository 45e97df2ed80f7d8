"""The standard streams: whatever is printed can be written, or ends the command with an error of one line.

What a character set lacks is written as an escape, bytes that were no text when
they were read are written unchanged, and a write that fails is reported for every
other fault of an operating system.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Any, Optional

_SUBSTITUTES = "bramble-substitutes"
_LONGEST = 8 << 20  # the most bytes of a recorded answer


class Unwritten(OSError):
    """Standard output takes nothing more: the disk is full, or it cannot be written to."""


class _Output(io.FileIO):
    """Standard output. A closed pipe is a BrokenPipeError, as everywhere; any other failure is Unwritten."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Unwritten(error.errno, error.strerror) from None


class _Heard(io.TextIOWrapper):
    """A standard stream that remembers what was written to it, as long as that is little.

    It remembers texts: an interruption may come between writing and remembering, and what is written again
    because the layers below could not know that it was written would be shown twice.
    """

    said: Optional[list[str]] = None  # None: not remembered
    room = _LONGEST
    before: Optional[_Heard] = None  # a stream that must not be written to before this one

    def write(self, text: str) -> int:
        written = super().write(text)
        self.room -= written
        if self.room < 0 or (self.before is not None and self.before.said):
            self.said = None
        if self.said is not None:
            self.said.append(text)
        return written


def prepare_streams() -> None:
    """Make the streams fit for anything that may be printed (spec: cli.output, cli.charset)."""
    _open_closed_streams()
    codecs.register_error(_SUBSTITUTES, _substitute)
    if _is_plain(sys.stdout, 1):
        heard = _Heard(
            io.BufferedWriter(_Output(1, "wb", closefd=False)),
            encoding=sys.stdout.encoding,
            errors=_SUBSTITUTES,
            line_buffering=bool(sys.stdout.line_buffering or getattr(sys.stdout, "write_through", False)),
        )
        heard.said = []
        sys.stdout = heard
    if _is_plain(sys.stderr, 2) and isinstance(sys.stdout, _Heard):
        errors = _Heard(
            io.BufferedWriter(io.FileIO(2, "wb", closefd=False)),
            encoding=sys.stderr.encoding,
            errors="backslashreplace",
            line_buffering=True,
        )
        errors.said, errors.before = [], sys.stdout
        sys.stderr = errors
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def heard() -> Optional[tuple[bytes, bytes]]:
    """Return what was written to standard error and to standard output.

    None if that is not known, or was about the moment: who had to wait for another process need not again.
    """
    said = []
    for stream in (sys.stderr, sys.stdout):
        if not isinstance(stream, _Heard) or stream.said is None:
            return None
        said.append("".join(stream.said).encode(stream.encoding, stream.errors or "strict"))
    # spec: store.locks.told
    return None if b"\nwaiting: " in b"\n" + said[0] else (said[0], said[1])


def flush_output() -> None:
    """Write what is still held back. Raises Unwritten, BrokenPipeError."""
    sys.stdout.flush()


def give_up_output() -> None:
    """Write nothing more: what is still held back would fail once more at the end of the process."""
    _to_nowhere(1)


def give_up_unwritten() -> None:
    """Give up a stream that takes nothing: Python would try again at its end, and exit with 120."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            _to_nowhere(number)


def _to_nowhere(number: int) -> None:
    handle = os.open(os.devnull, os.O_WRONLY)
    os.dup2(handle, number)
    os.close(handle)


def _is_plain(stream: Any, number: int) -> bool:
    """Return whether a stream is the process's own, and not what a test or a program has put in its place."""
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    except (OSError, ValueError):
        return False


def _open_closed_streams() -> None:
    """Open what the caller closed: else a file of the store could get its number, and what is printed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            os.set_inheritable(number, True)
            stream = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
            buffered = io.BufferedReader(stream) if number == 0 else io.BufferedWriter(stream)
            setattr(sys, name, io.TextIOWrapper(buffered, encoding="utf-8", errors="backslashreplace"))


def _substitute(error: UnicodeError) -> tuple[Any, int]:
    """Return what is written for what an encoding lacks: an escape; for a byte that was no text, itself."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    made = b""
    for character in error.object[error.start : error.end]:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            made += bytes([code - 0xDC00])
        else:
            made += character.encode("ascii", "backslashreplace")
    return made, error.end
