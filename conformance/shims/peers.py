"""A shim for two public implementations of Starlark, as Python's packages have them.

    python3 -m conformance --impl "python3 conformance/shims/peers.py rust" --level language --codes off
    python3 -m conformance --impl "python3 conformance/shims/peers.py go" --level language --codes off

`rust` is starlark-rust (the package starlark-pyo3), `go` is starlark-go (the package of that name). What a
host has to add is written in Starlark here: `assert.eq` and its like become functions of the same length. A
function that catches errors cannot be written so, and the package for Go offers neither `struct` nor `json`:
cases that need these fail. Each file is run in a separate process, since one of them ends its process on
some errors. Neither bounds what a program may use: give `--timeout 8`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, Optional

PRELUDE = """
def assert_eq(x, y):
    if x != y:
        fail("assert.eq: %r is not %r" % (x, y))
def assert_ne(x, y):
    if x == y:
        fail("assert.ne: both are %r" % (x,))
def assert_lt(x, y):
    if not x < y:
        fail("assert.lt: %r and %r" % (x, y))
def assert_true(x, msg = "assertion failed"):
    if not x:
        fail(msg)
def assert_contains(x, y):
    if y not in x:
        fail("assert.contains: %r in %r" % (y, x))
def assert_fail(msg):
    fail(msg)
"""
_ASSERT = re.compile(r"\bassert\.(?=(?:eq|ne|lt|true|contains|fail)\b)")
# What starlark-rust says of a program before anything runs.
_STATIC = re.compile(
    r"error: (?:Parse error|Variable `|Cannot assign|.*(?:not allowed|redeclared|reserved|outside|duplicate))"
)


class Failed(Exception):
    """A program that failed: `phase`, the innermost line in its file, and the message."""

    def __init__(self, phase: str, line: Optional[str], message: str) -> None:
        super().__init__(message)
        self.phase, self.line = phase, line


def run_rust(text: str, file: str, options: Sequence[str]) -> None:
    """Run a program by starlark-rust. Raises Failed."""
    rust: Any = import_module("starlark")
    library = rust.LibraryExtension
    known = rust.Globals.extended_by(
        [library.StructType, library.Json, library.Print, library.Map, library.Filter, library.Partial]
    )
    module = rust.Module()
    dialect = rust.Dialect.extended()
    rust.eval(module, rust.parse("prelude", PRELUDE, dialect), known)
    try:
        rust.eval(module, rust.parse(file, text, dialect), known)
    except rust.StarlarkError as error:
        said = str(error)
        places = re.findall(re.escape(file) + r":(\d+)", said)
        static = _STATIC.search(said) and "Traceback" not in said
        # The arrow names the innermost place, which may be in the prelude.
        raise Failed("syntax" if static else "eval", places[-1] if places else None, said) from None


def run_go(text: str, file: str, options: Sequence[str]) -> None:
    """Run a program by starlark-go. Raises Failed."""
    go: Any = import_module("starlark_go")
    go.configure_starlark(
        allow_set=True,
        allow_recursion="--allow-recursion" in options or "--allow-while" in options,
        allow_global_reassign="--allow-global-reassign" in options or "--allow-toplevel-control" in options,
    )
    state = go.Starlark(print=lambda line: print(line, file=sys.stderr))
    state.exec(PRELUDE, filename="prelude")
    try:
        state.exec(text, filename=file)
    except (go.SyntaxError, go.ResolveError) as error:
        places = re.findall(re.escape(file) + r":(\d+)", str(error))
        raise Failed("syntax", places[0] if places else None, str(error)) from None
    except go.EvalError as error:
        places = re.findall(re.escape(file) + r":(\d+)", error.backtrace)
        raise Failed("eval", places[-1] if places else None, error.backtrace) from None


RUN = {"rust": run_rust, "go": run_go}


class Ran(NamedTuple):
    """What became of a file: its exit status, its errors in the form of the suite, the lines it printed."""

    status: int
    errors: list[dict[str, object]]
    printed: list[str]


def run(which: str, file: str, options: Sequence[str]) -> Ran:
    """Run one file in a separate process."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as answer:
        process = os.fork()
        if process == 0:
            os.dup2(said.fileno(), 2)
            os.write(answer.fileno(), json.dumps(_attempt(which, file, options)).encode())
            sys.stderr.flush()
            os._exit(0)
        _, status = os.waitpid(process, 0)
        printed, found = (_text(one).split("\n") for one in (said, answer))
    if status or not found[0]:
        return Ran(1, [_error("eval", f"{file}", f"it ended with the status {status}")], [])
    error = json.loads(found[0])
    return Ran(1 if error else 0, [error] if error else [], printed[:-1])


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode("utf-8", "replace"))


def _attempt(which: str, file: str, options: Sequence[str]) -> Optional[dict[str, object]]:
    try:
        with open(file, encoding="utf-8", newline="") as opened:
            text = opened.read()
    except ValueError as error:
        return _error("syntax", file, str(error))
    try:
        RUN[which](_ASSERT.sub("assert_", text), file, options)
    except Failed as failure:
        return _error(failure.phase, f"{file}:{failure.line}" if failure.line else file, str(failure))
    return None


def _error(phase: str, at: str, message: str) -> dict[str, object]:
    return {"error": f"{phase}.unknown", "at": at, "message": message, "remedy": None, "detail": ""}


def main(words: Sequence[str]) -> int:
    """Carry out `rust|go star [--each] [OPTIONS] FILE…`; return the exit status."""
    if len(words) < 3 or words[0] not in RUN or words[1] != "star":
        return 2
    options = [word for word in words[2:] if word.startswith("--")]
    files = [word for word in words[2:] if not word.startswith("--")]
    if "--each" in options:
        for file in files:
            ran = run(words[0], file, options)
            print(json.dumps({"file": file, **ran._asdict()}), flush=True)
        return 0
    ran = run(words[0], files[-1], options)
    for line in ran.printed:
        print(line, file=sys.stderr)
    for error in ran.errors:
        print(json.dumps(error), file=sys.stderr)
    return ran.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
