"""What a derivation costs before anything is built: evaluation, and planning where all is known. By hand:

    python3 tests/bench/bench_evaluate.py [--counts 1,100,1000,10000,30000] [--shapes chain,fan]

Each line is one graph of one shape, in a process of its own: microseconds of
processor time for each derivation, the best of several runs, and how much the
process grew for each. Beside it stand the microseconds of SHA-256 over texts
of the size of a derivation, since a busy machine is busy for both.

    evaluate    from a target to the graph, its programs compiled before
    plan        from the graph to the report of a build in which every realisation is known
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import NoReturn

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bramble.build.engine import BuildOptions, build  # noqa: E402
from bramble.build.sources import add_sources  # noqa: E402
from bramble.derivation.canonical import canonical_bytes  # noqa: E402
from bramble.derivation.graph import DerivationGraph  # noqa: E402
from bramble.derivation.resolve import resolve  # noqa: E402
from bramble.derivation.template import OutputRef  # noqa: E402
from bramble.lang.evaluate import evaluate  # noqa: E402
from bramble.lang.results import Evaluation  # noqa: E402
from bramble.project.modules import parse_target  # noqa: E402
from bramble.project.project import find_project  # noqa: E402
from bramble.starlark.kept import Kept  # noqa: E402
from bramble.store.digest import digest  # noqa: E402
from bramble.store.disk import Store  # noqa: E402

PLATFORM = "linux-amd64"
_HEAD = """
def step(name, needs):
    return derivation(
        name, needs[0].out + "/bin/sh" if needs else "./x.sh", ["-c", "echo " + name],
        sources=files(["./x.sh"]), env={"PATH": ":".join([n.out + "/bin" for n in needs]), "NAME": name})
"""
# Shapes by name: the body of a function that makes COUNT derivations and returns its roots.
SHAPES = {
    # nothing refers to anything
    "loose": """
    return [derivation("d%d" % i, "fetch_url", env={"url": "https://a.test/%d" % i}) for i in range(COUNT)]
""",
    # each needs the one before it, in args
    "chain": """
    made = derivation("d", "fetch_url", env={"url": "https://a.test/"})
    for i in range(COUNT - 1):
        made = derivation("d%d" % i, made.out + "/bin/sh", args=["-c", made.out + "/x"])
    return made
""",
    # all need one, and one needs all, in args
    "fan": """
    base = derivation("d", "fetch_url", env={"url": "https://a.test/"})
    made = [derivation("d%d" % i, base.out + "/bin/sh", args=["-c", "%d" % i]) for i in range(COUNT - 2)]
    return derivation("all", base.out + "/bin/sh", args=[m.out for m in made]) if made else base
""",
    # two need two, in env
    "diamonds": """
    made = []
    for i in range(COUNT):
        env = {"L": made[i // 2 * 2 - 2], "R": made[i // 2 * 2 - 1]} if i > 1 else {"url": "https://a.test/"}
        made.append(derivation("d%d" % i, made[i // 2 * 2 - 2].out + "/x" if i > 1 else "fetch_url", env=env))
    return made[-2:]
""",
    # layers of a hundred, each of which needs ten of the layer before it, in env
    "wide": """
    below, layer = [], []
    for i in range(COUNT):
        needs = [below[(i + 7 * j) % 100].out for j in range(10)] if below else []
        builder = needs[0] + "/bin/sh" if needs else "fetch_url"
        env = {"url": "https://a.test/%d" % i}
        if needs:
            env["PATH"] = ":".join([n + "/bin" for n in needs])
        layer.append(derivation("d%d" % i, builder, args=["-c", "make"], env=env))
        if len(layer) == 100:
            below, layer = layer, []
    return below + layer
""",
    # what a build file does: a function of its own, sources, the last three in PATH
    "steps": """
    made = []
    for i in range(COUNT):
        made.append(step("d%d" % i, made[-3:]))
    return made
""",
}


def best(work: Callable[[], object], runs: int) -> float:
    """Return the processor seconds of the fastest of several runs."""
    times = []
    for _ in range(runs):
        gc.collect()
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def resident() -> int:
    """Return the bytes of memory that this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def project(root: str, **modules: str) -> Callable[..., Evaluation]:
    """Write a project and return a function that evaluates targets in it, with a cache of programs."""
    for name, text in {
        "bramble.toml": '[package]\nname = "bench.test/p"\nversion = "0.0.1"\n',
        "x.sh": "",
        **{f"{name}.bramble": text for name, text in modules.items()},
    }.items():
        with open(os.path.join(root, name), "w", encoding="utf-8") as file:
            file.write(text)
    kept = Kept(root, ("cache",))

    def run(*targets: str) -> Evaluation:
        found = find_project(root)
        parsed = [parse_target(target) for target in targets]
        return evaluate(found, parsed, platform=PLATFORM, on_print=print, cache=kept)

    return run


def know(graph: DerivationGraph, root: str, project: str) -> Store:
    """Return a store in which every derivation of the graph came to an object, which is a directory only."""
    store = Store.open(root)
    outputs: dict[OutputRef, str] = {}
    filenames: dict[str, str] = {}
    for key in graph.order():
        derivation = graph.get(key)
        resolved = resolve(
            derivation,
            inputs=outputs,
            filenames=filenames,
            source=add_sources(derivation.sources, store, {"": project}),
            platform=PLATFORM,
        )
        filenames[key] = resolved.filename
        name = outputs[OutputRef(key, "out")] = digest(resolved.digest.encode())
        known(store, resolved.digest, resolved.filename, resolved.encode({"out": (name, ())}), name)
    store.close()
    return Store.open(root)


def known(store: Store, resolved: str, filename: str, data: bytes, name: str) -> None:
    """Write what a build of one output would leave."""
    os.mkdir(store.object_path(name), 0o555)
    realisation = {
        "version": 1,
        "derivation": filename,
        "outputs": [["out", name]],
        "sandbox": "namespaces",
        "stamps": [],
    }
    for path, content in (
        (f"{store.directory}/{filename}", data),
        (f"{store.var}/objects/{name}", b'{"version": 1, "references": [], "size": 0}'),
        (f"{store.var}/realisations/{resolved}", json.dumps(realisation).encode()),
    ):
        with open(path, "wb") as file:
            file.write(content)


def never() -> NoReturn:
    """Start no sandbox."""
    raise AssertionError("nothing has to be built")


def plan(graph: DerivationGraph, roots: list[str], store: Store, root: str) -> None:
    """Build a graph of which everything is known."""
    report = build(
        graph,
        roots,
        store=store,
        source_roots={"": root},
        pins={},
        options=BuildOptions(launcher=never, jobs=1, platform=PLATFORM),
        on_event=lambda event: None,
        cancelled=threading.Event(),
    )
    assert not report.built and not report.failures, report.failures
    assert len(report.cached) == len(graph)


def hashing(texts: list[bytes], runs: int) -> float:
    """Return the processor seconds of SHA-256 over these texts."""
    return best(lambda: [hashlib.sha256(text).digest() for text in texts], runs)


def measure(shape: str, count: int) -> str:
    """Return one line about graphs of one shape and size."""
    runs = 5 if count <= 1000 else 3
    body = SHAPES[shape].replace("COUNT", str(count))
    with tempfile.TemporaryDirectory() as root:
        run = project(root, default=f"{_HEAD}def f():{body}", small="def f():\n    pass\n")
        run("./small:f")
        gc.collect()
        before = resident()
        made = run("./:f")
        grown = resident() - before
        graph = made.graph
        made_count = len(graph)
        bare = hashing([canonical_bytes(one) for one in graph.derivations.values()], runs)
        took = best(lambda: run("./:f"), runs)
        roots = [ref.derivation for result in made.results for ref in result.roots]
        store = know(graph, os.path.join(root, "s"), root)
        gc.collect()
        before = resident()
        planned = best(lambda: plan(graph, roots, store, root), 1)
        planned_grown = resident() - before
        store.close()

        def again() -> None:
            fresh = Store.open(os.path.join(root, "s"))
            plan(graph, roots, fresh, root)
            fresh.close()

        planned = min(planned, best(again, runs))
    each = 1e6 / made_count
    return (
        f"{shape:10}{made_count:7}   evaluate {took * each:7.1f} us {grown / made_count / 1024:7.1f} KiB"
        f"   plan {planned * each:7.1f} us {planned_grown / made_count / 1024:7.1f} KiB"
        f"   (SHA-256 {bare * each:.1f} us)"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="cost per derivation")
    parser.add_argument("--counts", default="1,100,1000,10000,30000")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    options = parser.parse_args()
    # As `bramble.cli.main` has it.
    gc.set_threshold(100_000, 5, 1_000_000)
    print(f"Python {sys.version.split()[0]}")
    for shape in options.shapes.split(","):
        for count in map(int, options.counts.split(",")):
            sys.stdout.flush()
            child = os.fork()
            if not child:
                print(measure(shape, count), flush=True)
                os._exit(0)
            if os.waitpid(child, 0)[1]:
                sys.exit(f"{shape} {count} failed")


if __name__ == "__main__":
    main()
