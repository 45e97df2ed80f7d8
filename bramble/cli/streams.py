"""The standard streams: whatever is printed can be written, or ends the command with an error of one line.

What a character set lacks is written as an escape, bytes that were no text when
they were read come out as they were, and a write that fails is known from every
other fault of an operating system.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import Any, Optional

_SUBSTITUTES = "bramble-substitutes"
_LONGEST = 8 << 20  # bytes of an answer that is said again


class Unwritten(OSError):
    """Standard output takes nothing more: the disk is full, or it cannot be written to."""


class _Heard(io.FileIO):
    """A standard stream that remembers what was written to it, as long as that is little."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self.said: list[bytes] = []
        self.complete = True
        self._room = _LONGEST

    def write(self, data: Any) -> int:
        written = super().write(data) or 0
        self._room -= written
        if self._room < 0:
            self.forget()
        if self.complete:
            self.said.append(bytes(data[:written]))
        return written

    def forget(self) -> None:
        """Remember nothing: what was said cannot be said again."""
        self.complete = False
        self.said.clear()


class _Output(_Heard):
    """Standard output. A closed pipe is a BrokenPipeError, as everywhere; any other failure is Unwritten."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Unwritten(error.errno, error.strerror) from None


class _Errors(_Heard):
    """Standard error. What is written to it after standard output has been cannot be said again in order."""

    def __init__(self, output: _Output) -> None:
        super().__init__(2)
        self._output = output

    def write(self, data: Any) -> int:
        if self._output.said:
            self._output.forget()
        return super().write(data)


def prepare_streams() -> None:
    """Make the streams fit for anything that may be printed (spec: cli.output, cli.charset)."""
    _open_closed_streams()
    codecs.register_error(_SUBSTITUTES, _substitute)
    output = _Output(1)
    if _is_plain(sys.stdout, 1):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(output),
            encoding=sys.stdout.encoding,
            errors=_SUBSTITUTES,
            line_buffering=bool(sys.stdout.line_buffering or getattr(sys.stdout, "write_through", False)),
        )
    if _is_plain(sys.stderr, 2):
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(_Errors(output)),
            encoding=sys.stderr.encoding,
            errors="backslashreplace",
            line_buffering=True,
        )
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def heard() -> Optional[tuple[bytes, bytes]]:
    """Return what was written to standard error, and after that to standard output.

    None if that is not known. What is still held back is not part of it.
    """
    said = []
    for stream in (sys.stderr, sys.stdout):
        raw = getattr(getattr(stream, "buffer", None), "raw", None)
        if not isinstance(raw, _Heard) or not raw.complete:
            return None
        said.append(b"".join(raw.said))
    return said[0], said[1]


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
