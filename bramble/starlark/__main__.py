"""`python -m bramble.starlark [OPTIONS] [FILE]`: run a file, or read one statement after another."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

from .bounds import bounded_memory, bounded_time
from .cache import user_cache
from .command import FileLoader
from .dialect import Dialect
from .errors import EvalError, StarlarkError
from .thread import Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional, TextIO

    from .cache import ProgramCache

USAGE = """usage: python -m bramble.starlark [OPTIONS] [FILE]

Run a Starlark file, or without one read statements from the terminal.

  --allow-recursion         functions may call themselves
  --allow-while             while statements
  --allow-global-reassign   globals may be assigned again
  --allow-toplevel-control  if, for and while outside functions
  --no-cache                compile FILE again, and keep nothing of it for the next time
  --help                    show this text
"""
OPTIONS = {
    "--allow-recursion": "recursion",
    "--allow-while": "while_loops",
    "--allow-global-reassign": "global_reassign",
    "--allow-toplevel-control": "toplevel_control",
}
# Python frames that one program may use; a call in the program takes one or two.
STACK = 12000
# Of the processor, for one program.
SECONDS = 100
# New objects after which Python looks for cycles among them. Its own number suits programs that live long.
COLLECT_AFTER = 50_000


def describe(error: StarlarkError, *, excerpt: bool) -> str:
    """Return the lines that report an error, each ending in a newline; `excerpt` adds the source line."""
    # spec: starlark.error.form
    text = ""
    for one in error.errors:
        text += f"{one.traceback() if isinstance(one, EvalError) else one}\n"
        if excerpt:
            # For a person at a terminal: the line, and what to write instead.
            text += "".join(f"{shown}\n" for shown in (one.excerpt(), _instead(one)) if shown)
    return text


def _instead(error: StarlarkError) -> str:
    advice = import_module(".advice", __package__).instead(error)
    return f"  {advice}" if advice else ""


def run_file(path: str, dialect: Dialect, out: TextIO, cache: Optional[ProgramCache] = None) -> int:
    """Run a file, report its error if it has one, and return the exit status."""
    loader = FileLoader(dialect, cache=cache)
    thread = Thread(load=loader.load, print=lambda text, _position: _write(out, f"{text}\n"))
    try:
        with bounded_memory(), bounded_time(SECONDS):
            loader.run(path, thread)
    except StarlarkError as error:
        _write(out, describe(error, excerpt=out.isatty()))
        return 130 if error.code == "eval.interrupted" else 1
    except OSError as error:
        _write(out, f"{path}: {error.strerror}\n")
        return 1
    return 0


def _write(out: TextIO, text: str) -> None:
    # A file name may hold bytes that are not UTF-8, and the terminal may not know every character.
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "backslashreplace").decode(encoding))


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says and return the exit status."""
    options = {}
    files = []
    cached = True
    for argument in arguments:
        if argument in OPTIONS:
            options[OPTIONS[argument]] = True
        elif argument == "--no-cache":
            cached = False
        elif argument in ("--help", "-h"):
            sys.stdout.write(USAGE)
            return 0
        elif argument.startswith("-"):
            sys.stderr.write(f"unknown option {argument}\n{USAGE}")
            return 2
        else:
            files.append(argument)
    if len(files) > 1:
        sys.stderr.write(USAGE)
        return 2
    gc.set_threshold(COLLECT_AFTER, 20, 100)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), STACK))
    if files:
        cache = user_cache(os.environ) if cached else None
        return run_file(files[0], Dialect(**options), sys.stderr, cache)
    # Only a terminal session pays for what it needs.
    return import_module(".repl", __package__).interact(Dialect(**options))  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
