"""`python -m bramble.starlark [OPTIONS] [FILE]`: run a file, or read one statement after another."""

from __future__ import annotations

import gc
import os
import sys

from .kept import user_cache
from .startup import PACKAGE, late, package_stamp, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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
# New objects after which Python looks for cycles among them. Its own number suits programs that live long.
COLLECT_AFTER = 400_000


def main(arguments: Sequence[str], *, ends: bool = False) -> int:
    """Do what the command line says and return the exit status; with `ends` the process may end here."""
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
    if not files:
        return late("repl", "interact")(late("dialect", "Dialect")(**options))  # type: ignore[no-any-return]
    # What is loaded stays: to look for garbage in it takes longer than to load it.
    gc.disable()
    kept = user_cache(os.environ) if cached else None
    stamp = None if kept is None else package_stamp(PACKAGE)
    if kept is not None and stamp is not None:
        prepare(kept, stamp)
    cache = None if kept is None else late("cache", "ProgramCache")(kept, stamp)
    return late("console", "run_file")(files[0], options, cache, sys.stderr, ends)  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], ends=True))
