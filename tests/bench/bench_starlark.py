"""Starlark programs beside plain CPython running the same text: `python -m tests.bench.bench_starlark`.

For every program: the time of evaluation alone (compiled once, run again and
again in one process) and of the whole process (start, read, compile, run), as
medians, and their ratios to CPython's. Where the package `starlark-pyo3` is
installed its times are given as well. One run, by hand, on a quiet machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

from bramble.starlark import Thread, compile_program, execute

from .starlark.packages import program as packages

HERE = Path(__file__).parent / "starlark"
ROOT = Path(__file__).parents[2]


def programs(only: list[str]) -> dict[str, str]:
    """Return the programs by name."""
    found = {path.stem: path.read_text() for path in sorted(HERE.glob("*.star"))}
    found["packages"] = packages(400)
    return {name: text for name, text in found.items() if not only or name in only}


def python_text(text: str) -> str:
    """Return the same program for Python, whose strings are iterable and need no `elems()`."""
    return text.replace(".elems()", "")


def medians(runs: int, *actions: Callable[[], object]) -> list[float]:
    """Return the median seconds of each action; they take turns, so that all see the same machine."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(runs):
        for number, action in enumerate(actions):
            start = time.perf_counter()
            action()
            times[number].append(time.perf_counter() - start)
    return [statistics.median(one) for one in times]


def evaluation(text: str, runs: int) -> list[float]:
    """Return the seconds of CPython, of bramble.starlark and of starlark-pyo3 (NaN without it)."""
    code = compile(python_text(text), "program", "exec")
    ours = compile_program(text, "program.star")
    actions: list[Callable[[], object]] = [
        lambda: exec(code, {"__name__": "program"}),
        lambda: execute(ours, thread=Thread()),
    ]
    rust = rust_runner(text)
    found = medians(runs, *actions, *([rust] if rust else []))
    return found if rust else [*found, math.nan]


def rust_runner(text: str) -> Callable[[], object] | None:
    """Return how to run a program with starlark-pyo3, or None when it is not installed or cannot."""
    if importlib.util.find_spec("starlark") is None:
        return None
    import starlark

    # Evaluation consumes the tree, so reading is timed with it; it is a small part.
    def run() -> object:
        tree = starlark.parse("program.star", text.replace("{}/lib", "{}/lib"))
        return starlark.eval(starlark.Module(), tree, starlark.Globals.extended_by([]))

    try:
        run()
    except Exception as error:
        print(f"starlark-pyo3: {str(error).splitlines()[0]}", file=sys.stderr)
        return None
    return run


def whole_process(text: str, runs: int, directory: str) -> list[float]:
    """Return the seconds of a whole process of CPython and of `python -m bramble.starlark`."""
    plain = os.path.join(directory, "program.py")
    star = os.path.join(directory, "program.star")
    Path(plain).write_text(python_text(text))
    Path(star).write_text(text)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(ROOT)

    def command(*arguments: str) -> Callable[[], object]:
        command = [sys.executable, *arguments]
        return lambda: subprocess.run(command, check=True, env=environment, cwd=directory)

    return medians(runs, command(plain), command("-m", "bramble.starlark", star))


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--evaluation-only", action="store_true")
    parser.add_argument("only", nargs="*", help="names of programs")
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}; milliseconds, medians of {options.runs}")
    print(
        f"{'program':16}{'CPython':>9}{'ours':>9}{'ratio':>7}{'rust':>9}{'ratio':>7}{'process':>10}{'ours':>9}{'ratio':>7}"
    )
    ratios: list[float] = []
    rust_ratios: list[float] = []
    process_ratios: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        for name, text in programs(options.only).items():
            plain, ours, rust = evaluation(text, options.runs)
            ratios.append(ours / plain)
            row = f"{name:16}{plain * 1e3:9.1f}{ours * 1e3:9.1f}{ours / plain:7.2f}"
            if not math.isnan(rust):
                rust_ratios.append(ours / rust)
                row += f"{rust * 1e3:9.1f}{ours / rust:7.2f}"
            else:
                row += f"{'-':>9}{'-':>7}"
            if not options.evaluation_only:
                alone, process = whole_process(text, options.runs, directory)
                process_ratios.append(process / alone)
                row += f"{alone * 1e3:10.1f}{process * 1e3:9.1f}{process / alone:7.2f}"
            print(row, flush=True)
    print(f"geometric mean of the ratio to CPython, evaluation alone: {geometric_mean(ratios):.2f}")
    if process_ratios:
        print(f"geometric mean of the ratio to CPython, whole process: {geometric_mean(process_ratios):.2f}")
    if rust_ratios:
        print(f"geometric mean of the ratio to starlark-rust: {geometric_mean(rust_ratios):.2f}")


if __name__ == "__main__":
    main()
