"""Trivial builds by the hundred, beside a bare fork and exec of the same program, and beside nix-build.

    python3 tests/bench/bench_build.py [--numbers 300,1000] [--shape wide|chain] [--no-nix]

Prints, for each number of derivations, milliseconds per build and the ratios to
the others of the same run. The program is a static busybox where there is one,
else the machine's sh. To be run by hand on a quiet machine; nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bramble.build.engine import BuildOptions, build  # noqa: E402
from bramble.build.events import Event, Failed  # noqa: E402
from bramble.derivation.graph import DerivationGraph  # noqa: E402
from bramble.derivation.model import Derivation  # noqa: E402
from bramble.derivation.template import Template  # noqa: E402
from bramble.sandbox.launch import Launcher  # noqa: E402
from bramble.store.disk import Store  # noqa: E402

parse = Template.parse
SCRIPT = "echo {} > $out/file"


def program() -> tuple[str, tuple[str, ...]]:
    """The name of a small shell of this machine, and the arguments that make it one."""
    return ("busybox", ("sh",)) if shutil.which("busybox") else ("sh", ())


def graph(count: int, shape: str) -> tuple[DerivationGraph, list[str]]:
    """`count` derivations above one host_tools, beside or on top of each other."""
    name, first = program()
    tools = Derivation("tools", parse("host_tools"), env=(("tools", parse(name)),))
    made = [tools]
    for number in range(count):
        below = (("below", parse(str(made[-1].default_output))),) if shape == "chain" else ()
        made.append(
            Derivation(
                f"trivial-{number}",
                parse(f"{tools.default_output}/bin/{name}"),
                args=tuple(parse(arg) for arg in (*first, "-c", SCRIPT.format(number))),
                env=below,
            )
        )
    roots = made[-1:] if shape == "chain" else made[1:]
    return DerivationGraph.of(made), [derivation.id for derivation in roots]


def bramble(store: Store, the_graph: DerivationGraph, roots: list[str], jobs: int) -> float:
    def on_event(event: Event) -> None:
        if isinstance(event, Failed):
            raise event.error

    options = BuildOptions(platform="linux-amd64", launcher=Launcher, jobs=jobs)
    started = time.perf_counter()
    report = build(
        the_graph,
        roots,
        store=store,
        source_roots={},
        pins={},
        options=options,
        on_event=on_event,
        cancelled=threading.Event(),
    )
    assert not report.failures
    return time.perf_counter() - started


def bare(top: str, count: int, jobs: int) -> float:
    """The same program as often, in `jobs` loops of fork and exec."""
    name, first = program()
    path = shutil.which(name)
    assert path is not None

    def loop(numbers: Iterator[int]) -> None:
        for number in numbers:
            out = os.path.join(top, f"bare-{number}")
            os.mkdir(out)
            pid = os.posix_spawn(path, [name, *first, "-c", SCRIPT.format(number)], {"out": out})
            os.waitpid(pid, 0)

    started = time.perf_counter()
    threads = [threading.Thread(target=loop, args=(iter(range(at, count, jobs)),)) for at in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def nix_expression(count: int, shape: str) -> str:
    name, first = program()
    arguments = " ".join(f'"{arg}"' for arg in (*first, "-c"))
    below = " below = if n == 0 then null else (make (n - 1));" if shape == "chain" else ""
    return f"""
let
  tools = ./tools;
  make = n: derivation {{
    name = "trivial-${{toString n}}"; system = builtins.currentSystem; builder = "${{tools}}/{name}";
    args = [ {arguments} "echo ${{toString n}} > $out" ];{below}
  }};
in {f"make {count - 1}" if shape == "chain" else f"builtins.genList make {count}"}
"""


def nix(top: str, expression: str, jobs: int, root: str) -> float:
    name, _ = program()
    path = shutil.which(name)
    assert path is not None
    os.makedirs(os.path.join(top, "tools"), exist_ok=True)
    shutil.copy(path, os.path.join(top, "tools", name))
    file = os.path.join(top, "default.nix")
    with open(file, "w") as out:
        out.write(expression)
    command = ["nix-build", file, "--no-out-link", "--store", root, "--option", "sandbox", "true"]
    command += ["--option", "build-users-group", "", "--option", "substitute", "false", "-j", str(jobs)]
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr[:2000])
        raise SystemExit("nix-build failed")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", default="300,1000")
    parser.add_argument("--shape", default="wide", choices=("wide", "chain"))
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--no-nix", action="store_true")
    chosen = parser.parse_args()
    with_nix = shutil.which("nix-build") is not None and not chosen.no_nix
    print(f"{chosen.jobs} jobs, shape {chosen.shape}; milliseconds per build")
    for count in (int(number) for number in chosen.numbers.split(",")):
        with tempfile.TemporaryDirectory() as top:
            store = Store.open(os.path.join(top, "s"))
            the_graph, roots = graph(count, chosen.shape)
            bramble(store, *graph(1, "wide"), chosen.jobs)  # the tools, once
            ours = bramble(store, the_graph, roots, chosen.jobs)
            again = bramble(store, the_graph, roots, chosen.jobs)
            plain = bare(top, count, chosen.jobs)
            line = f"{count:5}: build {ours / count * 1000:.2f}  nothing to do {again * 1000:.0f} ms in all"
            line += f"  fork+exec {plain / count * 1000:.2f}"
            if with_nix:
                root = os.path.join(top, "nix")
                expression = nix_expression(count, chosen.shape)
                theirs = nix(top, expression, chosen.jobs, root)
                theirs_again = nix(top, expression, chosen.jobs, root)
                line += f"  nix-build {theirs / count * 1000:.2f} (ours is {ours / theirs:.2f} of it)"
                line += f", nothing to do {theirs_again * 1000:.0f} ms (ours is {again / theirs_again:.2f})"
                subprocess.run(["chmod", "-R", "u+w", root], check=False)
            print(line, flush=True)
            subprocess.run(["chmod", "-R", "u+w", top], check=False)


if __name__ == "__main__":
    main()
