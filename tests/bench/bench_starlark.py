"""Starlark programs beside CPython and other implementations: `python -m tests.bench.bench_starlark`.

For every program the seconds of the processor (user and system) of whole processes: of CPython running the
same text, of `python -m bramble.starlark FILE` with a warm cache, and of the peers that are installed
(`starlark-pyo3`, which is starlark-rust; `starlark-go`), each in a process of Python that imports it. Then
the same of evaluation alone, in processes that evaluate a program again and again. Processes take turns, so
that all see the same machine; what is printed are medians, the ratios of ours to them, and geometric means.

*The same text.* Python's strings are iterable, and its `type` gives a class: `type(x) == "dict"` is `type(x)
is dict` there, any other `type(x)` is `type(x).__name__`; `struct` and `fail` are what a person would write.
The results must be equal. A peer that does not know something that a program uses is left out for that
program, by name, at the end. Programs are what build files are made of; none is written for one
implementation.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bramble.starlark import compile_program, execute
from bramble.starlark.command import PREDECLARED

from .starlark.packages import program as packages
from .starlark_runner import PEERS

HERE = Path(__file__).parent / "starlark"
ROOT = Path(__file__).parents[2]
CLASSES = {"string": "str", "function": "types.FunctionType", "NoneType": "type(None)"}
PRELUDE = {
    "struct": "from types import SimpleNamespace as struct\ndef dir(x):\n    return sorted(vars(x))\n",
    "fail": "def fail(*args):\n    raise ValueError(*args)\n",
}
Row = dict[str, float]
MODULES = {"starlark-rust": "starlark", "starlark-go": "starlark_go"}


def programs(only: list[str]) -> dict[str, str]:
    """Return the programs by name."""
    found = {path.stem: path.read_text() for path in sorted(HERE.glob("*.star"))}
    found["packages"] = packages(1000)
    return {name: text for name, text in found.items() if not only or name in only}


def python_text(text: str) -> str:
    """Return the same program for Python."""

    def test(found: re.Match[str]) -> str:
        value, op, name = found.groups()
        return f"type({value}) {'is' if op == '==' else 'is not'} {CLASSES.get(name, name)}"

    text = text.replace(".elems()", "")
    text = re.sub(r'\btype\(([^()]+)\) (==|!=) "(\w+)"', test, text)
    text = re.sub(r"\btype\(([^()]+)\)(?! is)", r"type(\1).__name__", text)
    return "".join(p for name, p in PRELUDE.items() if re.search(rf"\b{name}\(", text)) + text


class Bench:
    """The files of the programs, and how each peer is run."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.environment["PYTHONPATH"] = str(ROOT)
        self.environment["XDG_CACHE_HOME"] = os.path.join(directory, "cache")

    def file(self, name: str, text: str, peer: str) -> str:
        """Return the path of the text of a program for one peer."""
        path = os.path.join(self.directory, f"{name}.{'py' if peer == 'CPython' else 'star'}")
        Path(path).write_text(python_text(text) if peer == "CPython" else text)
        return path

    def whole(self, peer: str, path: str) -> float:
        """Return the seconds of the processor that one whole process takes. Raises RuntimeError."""
        command = {"CPython": [path], "ours": ["-m", "bramble.starlark", path]}
        runner = ["-m", "tests.bench.starlark_runner", peer, path, "1"]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [sys.executable, *command.get(peer, runner)],
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            _pid, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if status:
                errors.seek(0)
                raise RuntimeError(errors.read().decode("utf-8", "replace").strip().split("\n")[-1])
        return used.ru_utime + used.ru_stime

    def alone(self, peer: str, path: str, runs: int) -> list[float]:
        """Return the seconds of the processor of evaluations in one process."""
        command = [sys.executable, "-m", "tests.bench.starlark_runner", peer, path, str(runs)]
        done = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)
        return [float(line) for line in done.stdout.split()]


def check(name: str, text: str) -> None:
    """Raise ValueError when CPython and bramble.starlark do not agree on what a program gives."""
    theirs: dict[str, object] = {"__name__": "program"}
    exec(compile(python_text(text), name, "exec"), theirs)
    program = compile_program(text, name, predeclared=PREDECLARED)
    result = execute(program, predeclared=PREDECLARED).globals["result"]
    if result != theirs["result"]:
        raise ValueError(f"{name}: {result!r} is not {theirs['result']!r}")


def measure(bench: Bench, name: str, text: str, peers: list[str], runs: int) -> tuple[Row, Row]:
    """Return the medians of one program by peer: of whole processes, and of evaluation alone."""
    paths = {}
    for peer in peers:
        path = bench.file(name, text, peer)
        try:
            bench.whole(peer, path)
            paths[peer] = path
        except RuntimeError as error:
            print(f"  {name}: not with {peer}: {error}", flush=True)
    whole: dict[str, list[float]] = {peer: [] for peer in paths}
    alone: dict[str, list[float]] = {peer: [] for peer in paths}
    for _ in range(runs):
        for peer, path in paths.items():
            whole[peer].append(bench.whole(peer, path))
    for _ in range(2):
        for peer, path in paths.items():
            alone[peer] += bench.alone(peer, path, (runs + 1) // 2)
    return median(whole), median(alone)


def median(times: dict[str, list[float]]) -> Row:
    return {peer: statistics.median(found) for peer, found in times.items()}


def ratios(row: Row, others: list[str]) -> str:
    """Return the milliseconds of one program, and our ratio to each of the others."""
    shown = f"{row['ours'] * 1e3:8.0f}"
    for peer in others:
        shown += f"{row[peer] * 1e3:8.0f}{row['ours'] / row[peer]:6.2f}" if peer in row else f"{'-':>14}"
    return shown


def means(rows: list[Row], others: list[str]) -> str:
    """Return the geometric means of our ratios."""
    shown = " " * 8
    for peer in others:
        found = [row["ours"] / row[peer] for row in rows if peer in row]
        mean = math.exp(sum(map(math.log, found)) / len(found)) if found else math.nan
        shown += f"{len(found):8d}{mean:6.2f}"
    return shown


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", default=",".join(PEERS), help="which to run; ours and CPython always")
    parser.add_argument("only", nargs="*", help="names of programs")
    options = parser.parse_args()
    here = [p for p in PEERS if p in MODULES and importlib.util.find_spec(MODULES[p])]
    others = ["CPython", *(p for p in here if p in options.peers.split(","))]
    print(f"Python {sys.version.split()[0]}; CPU milliseconds, medians of {options.runs}, and ours / theirs")
    heads = "".join(f"{peer:>14}" for peer in others)
    print(f"{'':14}{'whole processes':>22}{'':{len(heads) - 8}}   {'evaluation alone':>22}")
    print(f"{'program':14}{'ours':>8}{heads}   {'ours':>8}{heads}", flush=True)
    rows: list[tuple[Row, Row]] = []
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(directory)
        for name, text in programs(options.only).items():
            check(name, text)
            row = measure(bench, name, text, ["ours", *others], options.runs)
            rows.append(row)
            print(f"{name:14}{ratios(row[0], others)}   {ratios(row[1], others)}", flush=True)
    whole, alone = [row[0] for row in rows], [row[1] for row in rows]
    print(f"{'geom. mean of':14}{means(whole, others)}   {means(alone, others)}")
    worst = max(row["ours"] / row["CPython"] for row in whole)
    print(f"The largest ratio of whole processes to CPython's: {worst:.2f}")


if __name__ == "__main__":
    main()
