"""Kill a build with SIGKILL at random moments, again and again; the store has to stay sound.

    python3 tests/stress/kill_build.py [--kills 20] [--derivations 200] [--seed N] [--rung namespaces]

After each kill everything in the store is read again: each object has the bytes
that its name stands for, its record, and everything that it refers to. In the
end the build finishes, has the names that an undisturbed build gives, and a
collection leaves nothing but its results. Takes about a minute.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bramble.build.engine import BuildOptions, BuildReport, build  # noqa: E402
from bramble.derivation.graph import DerivationGraph  # noqa: E402
from bramble.derivation.model import Derivation  # noqa: E402
from bramble.derivation.template import Template  # noqa: E402
from bramble.sandbox.launch import Launcher  # noqa: E402
from bramble.store.disk import Store  # noqa: E402
from bramble.store.gc.collect import collect  # noqa: E402
from bramble.store.questions.verify import verify  # noqa: E402

parse = Template.parse
SCRIPT = "mkdir $out/d; echo {} $out $below > $out/d/self; echo text > $doc/file; ln -s $doc/file $out/link"
QUIET = ("foreign",)  # names of what is not finished: a collection takes them away


def graph(count: int, seed: int) -> tuple[DerivationGraph, list[str]]:
    """A random graph: each derivation needs up to three earlier ones, and has two outputs."""
    dice = random.Random(seed)
    tools = Derivation("tools", parse("host_tools"), env=(("tools", parse("sh mkdir ln")),))
    made = [tools]
    for number in range(count):
        below = dice.sample(made[1:], min(len(made) - 1, dice.randint(0, 3)))
        made.append(
            Derivation(
                f"part-{number}",
                parse(f"{tools.default_output}/bin/sh"),
                args=(parse("-ec"), parse(SCRIPT.format(number))),
                env=(
                    ("PATH", parse(f"{tools.default_output}/bin")),
                    ("below", parse(" ".join(str(one.default_output) for one in below))),
                ),
                outputs=("out", "doc"),
            )
        )
    return DerivationGraph.of(made), [derivation.id for derivation in made[1:]]


def run(root: str, count: int, seed: int, rung: str) -> BuildReport:
    the_graph, roots = graph(count, seed)
    store = Store.open(root)
    report = build(
        the_graph,
        roots,
        store=store,
        source_roots={},
        pins={},
        options=BuildOptions(platform="linux-amd64", launcher=Launcher, jobs=2, sandbox=rung),
        on_event=lambda event: None,
        cancelled=threading.Event(),
    )
    for failure in report.failures:
        raise failure.error
    store.close()
    return report


def names(report: BuildReport) -> dict[str, str]:
    return {f"{ref.derivation}:{ref.output}": name for ref, name in report.names.items()}


def check(root: str, allowed: set[str], rung: str) -> int:
    """Read the store again; return the number of objects in it."""
    store = Store.open(root)
    report = verify(store)
    for damage in report.damages:
        # In a weaker sandbox a build writes below the store itself, under a name that nobody refers to.
        unfinished = rung != "namespaces" and damage.name not in allowed
        if damage.kind not in QUIET and not unfinished:
            raise SystemExit(f"after a kill: {damage}")
    present = {name for name in store.names() if store.contains(name)}
    if rung == "namespaces" and not present <= allowed:
        raise SystemExit(f"objects that no build makes: {present - allowed}")
    store.close()
    return len(present & allowed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--derivations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rung", default="namespaces")
    parser.add_argument("--child", metavar="ROOT", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        run(chosen.child, chosen.derivations, chosen.seed, chosen.rung)
        return
    print("seed", chosen.seed)
    dice = random.Random(chosen.seed)
    command = [sys.executable, os.path.abspath(__file__), "--rung", chosen.rung]
    command += ["--derivations", str(chosen.derivations), "--seed", str(chosen.seed), "--child"]
    with tempfile.TemporaryDirectory(dir="/tmp") as top:
        started = time.monotonic()
        reference = names(run(os.path.join(top, "a"), chosen.derivations, chosen.seed, chosen.rung))
        whole = time.monotonic() - started
        allowed = set(reference.values())
        root = os.path.join(top, "b")
        Store.open(root).close()
        count = 0
        for kill in range(chosen.kills):
            # Spread over the whole build, wherever the last one stopped.
            left = whole * (1 - count / len(allowed))
            delay = dice.uniform(0.05, max(0.2, min(left, 4 * whole / chosen.kills)))
            process = subprocess.Popen([*command, root], stderr=subprocess.PIPE)
            try:
                process.wait(delay + 0.1)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            said = process.communicate()[1]
            if process.returncode not in (0, -signal.SIGKILL):
                raise SystemExit(f"the build failed: {said.decode()}")
            count = check(root, allowed, chosen.rung)
            print(f"kill {kill + 1:2} after {delay:.2f} s: {count} of {len(allowed)} objects, all sound")
        result = run(root, chosen.derivations, chosen.seed, chosen.rung)
        if names(result) != reference:
            raise SystemExit("the build came out differently")
        store = Store.open(root)
        store.record_roots(top, {"all": sorted(allowed)})
        collect(store)
        work = os.listdir(os.path.join(store.var, "work"))
        if set(store.names()) != allowed or verify(store).damages or work:
            raise SystemExit("the collection left something behind, or took too much")
        store.close()
        print(f"finished: {len(result.built)} built in the end, the same {len(allowed)} objects")
        subprocess.run(["chmod", "-R", "u+w", top], check=False)


if __name__ == "__main__":
    main()
