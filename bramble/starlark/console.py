"""Runs a file from the command line: its output, and the report of its errors."""

from __future__ import annotations

import gc
import os
import sys

from .bounds import bounded_memory, bounded_time
from .command import FileLoader
from .dialect import Dialect
from .errors import EvalError, StarlarkError
from .faults import meaning_of_stop
from .startup import late
from .thread import Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Optional, TextIO

    from .cache import ProgramCache

# Of the processor, for one program.
SECONDS = 100


def run_file(
    path: str, options: Mapping[str, bool], cache: Optional[ProgramCache], out: TextIO, ends: bool
) -> int:
    """Run a file, report its error if it has one, and return the exit status.

    With `ends` this process is going to do nothing else, and ends here: to take apart what a program has made
    takes as long as to make it.
    """
    loader = FileLoader(Dialect(**options), cache=cache)
    thread = Thread(load=loader.load, print=lambda text, _position: _write(out, f"{text}\n"))
    # What is there now stays: nothing of it is garbage.
    gc.freeze()
    gc.enable()
    status, made = 0, None
    try:
        with bounded_memory(), bounded_time(SECONDS):
            made = loader.run_last(path, thread)
    except StarlarkError as error:
        _write(out, describe(error, excerpt=out.isatty()))
        status = 130 if error.code == "eval.interrupted" else 1
    except OSError as error:
        _write(out, f"{path}: {error.strerror}\n")
        status = 1
    except (MemoryError, KeyboardInterrupt) as error:
        # While it was compiled: a program that runs is stopped with its place.
        stopped = meaning_of_stop(error)
        _write(out, f"{path}: {stopped.message}\n")
        status = 130 if stopped.code == "eval.interrupted" else 1
    if ends and _flushed():
        os._exit(status)
    del made
    return status


def _flushed() -> bool:
    """Write what is left to be written; return False if that cannot be done: Python says so at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            return False
    return True


def describe(error: StarlarkError, *, excerpt: bool) -> str:
    """Return the lines that report an error, each ending in a newline; `excerpt` adds the source line."""
    # spec: starlark.error.form
    text = ""
    for one in error.errors:
        text += f"{one.traceback() if isinstance(one, EvalError) else one}\n"
        if excerpt:
            # For a user at a terminal: the line, and what to write instead.
            text += "".join(f"{shown}\n" for shown in (one.excerpt(), _instead(one)) if shown)
    return text


def _instead(error: StarlarkError) -> str:
    advice = late("advice", "instead")(error)
    return f"  {advice}" if advice else ""


def _write(out: TextIO, text: str) -> None:
    # A file name may hold bytes that are not UTF-8, and the terminal may not know every character.
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "backslashreplace").decode(encoding))
