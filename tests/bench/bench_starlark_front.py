"""How long it takes to read a program: scan, parse, resolve, print, compile. Run it by hand; it is no test.

    python3 tests/bench/bench_starlark_front.py [LINES]

The text is made up to look like build files: functions, rules, tables, comprehensions. Beside
it stands CPython's own parser, written in C, on the same text. The compiler works on a text of
four lines for each function and its call, and on half of it: twice the lines are twice the time.
"""

from __future__ import annotations

import ast
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bramble.starlark.dialect import Dialect  # noqa: E402
from bramble.starlark.program import compile_program  # noqa: E402
from bramble.starlark.source import Source  # noqa: E402
from bramble.starlark.syntax.formatter import print_file  # noqa: E402
from bramble.starlark.syntax.parse import parse  # noqa: E402
from bramble.starlark.syntax.resolve import resolve  # noqa: E402
from bramble.starlark.syntax.scan import Scanner  # noqa: E402

PACKAGE = '''
def package_{n}(version="1.{n}.0", *, shared=True, **kwargs):
    """Package {n}: builds it."""
    flags = [f for f in ["-O2", "-g", "-Wall"] if f != "-g" or shared]
    if version.startswith("1.") and not kwargs.get("legacy"):
        flags += ["-DVERSION=%s" % version, "-I" + "include/{n}"]
    elif len(flags) > 10:
        return None
    total = 0
    for i, flag in enumerate(flags):
        total += len(flag) * (i + 1) // 2
    return rule(
        name = "package_{n}",
        version = version,
        deps = [dep_of("a{n}"), dep_of("b{n}")],
        size = total,
        **kwargs
    )
'''
ENTRY = '    "key": ("value", {n}, 0xff, [1, 2.5, None, True]),\n'
TABLE = "# Table {n}.\nTABLE_{n} = {{\n" + ENTRY * 8 + "}}\n"
RULE = 'rule_{n} = rule(\n    name = "thing_{n}",\n    srcs = ["a.c", "b.c"],\n)\n\n'
HELPER = """
def helper_{n}(x, y):
    z = x * {n} + y % 7 - (x if x > y else -y)
    names = {{}}
    for k in sorted([x, y, z], key = lambda v: -v):
        names[str(k)] = [a + b for a in range(k % 5) for b in (1, 2, 3) if a != b]
        if k in names and z >= 3:
            continue
        names.pop(str(k), None)
    return struct(x = x, y = y, names = names)["x"][1:-1].foo.bar(1)
"""
CALLED = """def f{n}(x):
    y = x + {n}
    return y
v{n} = f{n}({n})
"""
UNIVERSAL = ["None", "True", "False", "len", "range", "enumerate", "sorted", "str"]


def program(lines: int) -> str:
    """Return a program of about so many lines."""
    chance = random.Random(1)
    parts = ['load("m", "rule", dep_of = "dep")\n']
    count = 1
    while count < lines:
        part = chance.choice([PACKAGE, TABLE, RULE, HELPER]).format(n=len(parts))
        parts.append(part)
        count += part.count("\n")
    return "".join(parts)


def best(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the shortest time that `work` took, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def scan(text: str) -> int:
    """Return the number of tokens."""
    scanner = Scanner(text)
    tokens = 0
    while not tokens or scanner.kinds[-1] != "end of file":
        scanner.next_line()
        tokens += len(scanner.kinds)
    return tokens


def main() -> None:
    text = program(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    dialect = Dialect()
    source = Source.read(text, "bench.star")
    file = parse(source, dialect)
    lines = text.count("\n")
    print(f"{lines} lines, {scan(text)} tokens, Python {sys.version.split()[0]}")

    def resolved() -> object:
        return resolve(source, file, dialect=dialect, predeclared=["struct"], universal=UNIVERSAL)

    rows = [
        ("scan", best(lambda: scan(text))),
        ("scan and parse", best(lambda: parse(source, dialect))),
        ("resolve", best(resolved)),
        ("print", best(lambda: print_file(file, source))),
        ("CPython's ast.parse", best(lambda: ast.parse(text.replace("load(", "load_(")))),
    ]
    for name, seconds in rows:
        print(f"{name:20} {seconds * 1000:8.1f} ms {seconds / lines * 1e6:7.2f} µs a line")
    for count in (lines // 8, lines // 4):
        called = "".join([CALLED.format(n=n) for n in range(count)])
        seconds = best(lambda called=called: compile_program(called, "bench.star"), 3)  # type: ignore[misc]
        name = f"compile {count} calls"
        print(f"{name:20} {seconds * 1000:8.1f} ms {seconds / count / 4 * 1e6:7.2f} µs a line")


if __name__ == "__main__":
    main()
