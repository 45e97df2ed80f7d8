"""How long evaluation takes: whole calls of `evaluate`.

Run by hand: python3 tests/bench/bench_evaluate.py. Prints milliseconds of
processor time, the best of several runs, beside a yardstick of the same run:
SHA-256 over as many texts of the size of a derivation.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bramble.lang.evaluate import Evaluation, evaluate  # noqa: E402
from bramble.project.modules import parse_target  # noqa: E402
from bramble.project.project import find_project  # noqa: E402

RUNS = 5
CHAIN = """
def step(name, needs):
    return derivation(
        name, needs[0].out + "/bin/sh" if needs else "./x.sh", ["-c", "echo " + name],
        sources=files(["./x.sh"]), env={"PATH": ":".join([n.out + "/bin" for n in needs]), "NAME": name})
def f():
    made = []
    for i in range(%d):
        made.append(step("d%%d" %% i, made[-3:]))
    return made
"""


def best(work: Callable[[], object]) -> float:
    """Return the processor milliseconds of the fastest of several runs."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times) * 1000


def project(root: str, **modules: str) -> Callable[..., Evaluation]:
    """Write a project and return a function that evaluates targets in it."""
    with open(os.path.join(root, "bramble.toml"), "w", encoding="utf-8") as file:
        file.write('[package]\nname = "bench.test/p"\nversion = "0.0.1"\n')
    with open(os.path.join(root, "x.sh"), "w", encoding="utf-8"):
        pass
    for name, text in modules.items():
        with open(os.path.join(root, f"{name}.bramble"), "w", encoding="utf-8") as file:
            file.write(text)

    def run(*targets: str, cache: str | None = None) -> Evaluation:
        return evaluate(
            find_project(root),
            [parse_target(target) for target in targets],
            platform="linux-amd64",
            on_print=print,
            cache=cache,
        )

    return run


def derivations(count: int) -> None:
    """Measure one module that makes `count` derivations, each needing three others and a source."""
    with tempfile.TemporaryDirectory() as root:
        run = project(root, default=CHAIN % count)
        size = sum(len(str(d)) for d in run("./:f").graph.derivations.values()) // count
        texts = [b"%d" % n + b"x" * size for n in range(count)]
        took = best(lambda: run("./:f"))
        cached = best(lambda: run("./:f", cache=os.path.join(root, "cache")))
        bare = best(lambda: [hashlib.sha256(text).digest() for text in texts])
    print(f"{count:6} derivations  {took:8.1f} ms  {took / count * 1000:7.0f} us each", end="")
    print(f"  (compiled before: {cached:.1f} ms; bare SHA-256: {bare:.2f} ms)")


def modules(count: int) -> None:
    """Measure `./...` over many small modules."""
    with tempfile.TemporaryDirectory() as root:
        run = project(root, **{f"m{n}": CHAIN % 2 + f"# {n}\n" for n in range(count)})
        took = best(lambda: run("./..."))
        cached = best(lambda: run("./...", cache=os.path.join(root, "cache")))
    print(f"{count:6} modules      {took:8.1f} ms  {took / count * 1000:7.0f} us each", end="")
    print(f"  (compiled before: {cached:.1f} ms)")


def main() -> None:
    print(f"Python {sys.version.split()[0]}")
    for count in (1, 300, 1000, 10_000):
        derivations(count)
    modules(300)


if __name__ == "__main__":
    main()
