"""Runs one Starlark program in one implementation: `python -m tests.bench.starlark_runner PEER FILE RUNS`.

Prints the seconds of the processor that each evaluation took, one a line. A process of its own, so that
nothing of one peer (its collector, its threads, its caches) is in the figures of another. What is read
and compiled once is not counted, where the peer can keep it: starlark-rust and starlark-go read the text
each time, which is a small part.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PEERS = ("CPython", "ours", "starlark-rust", "starlark-go")


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def cpython(path: str) -> Callable[[], object]:
    """Return how to evaluate a program that has been written for Python."""
    code = compile(_read(path), path, "exec")
    return lambda: exec(code, {"__name__": "program"})


def ours(path: str) -> Callable[[], object]:
    """Return how to evaluate a program with bramble.starlark."""
    from bramble.starlark import Thread, compile_program, execute
    from bramble.starlark.command import PREDECLARED

    program = compile_program(_read(path), path, predeclared=PREDECLARED)
    return lambda: execute(program, predeclared=PREDECLARED, thread=Thread())


def rust(path: str) -> Callable[[], object]:
    """Return how to evaluate a program with starlark-pyo3, which has structs and JSON as extensions."""
    import starlark

    text = _read(path)
    extensions = [starlark.LibraryExtension.StructType, starlark.LibraryExtension.Json]
    names = starlark.Globals.extended_by(extensions)
    dialect = starlark.Dialect.extended()
    dialect.enable_keyword_only_arguments = True
    # Evaluation consumes the tree.
    return lambda: starlark.eval(starlark.Module(), starlark.parse(path, text, dialect), names)


def go(path: str) -> Callable[[], object]:
    """Return how to evaluate a program with starlark-go, whose package has no structs."""
    import starlark_go

    text = _read(path)
    return lambda: starlark_go.Starlark().exec(text, filename=path)


RUNNERS = dict(zip(PEERS, (cpython, ours, rust, go)))


def main(peer: str, path: str, runs: str) -> None:
    run = RUNNERS[peer](path)
    for _ in range(int(runs)):
        start = time.process_time()
        run()
        print(time.process_time() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
