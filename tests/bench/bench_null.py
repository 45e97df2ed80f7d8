"""How long nothing to do takes: whole processes, beside the bare interpreter and `nix-build`, in one run.

    python3 tests/bench/bench_null.py [--sizes 1,300,3000] [--python PYTHON] [--rounds 21] [--references]

A tree of derivations, of which each reads what two others wrote, is built once by each, in a store of its
own; with `--references` each output also names those two, so that the closure of the root is the whole tree.
Then commands that have nothing to do take turns, so that whatever else the machine does falls on all alike.
Printed are medians in milliseconds of processor time and of time on the clock, what that is beyond
`python3 -I -S -c pass`, and the ratio to `nix-build`, where that is installed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = """
def tree():
    tools = derivation("tools", builder="host_tools", env={{"tools": "sh cat mkdir"}})
    made = {{}}
    for number in range({size} - 1, -1, -1):
        below = [made[child] for child in (2 * number + 1, 2 * number + 2) if child in made]
        path = {{"PATH": tools.out + "/bin"}}
        if {references}:
            path["below"] = " ".join([one.out for one in below])
            text = "mkdir -p $out; echo $below > $out/x"
        else:
            path["read"] = " ".join([one.out + "/x" for one in below])
            text = "mkdir -p $out; cat $read /dev/null > /tmp/x; echo {{}} > $out/x".format(number)
        made[number] = derivation(
            "d{{}}".format(number), builder=tools.out + "/bin/sh", args=["-c", text], env=path)
    return made[0]
"""
NIX = """
let
  node = number: derivation {{
    name = "d${{toString number}}";
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo ${{toString number}} ${{if {references} then "$below" else ""}} > $out" ];
    below = map (child: builtins.elemAt nodes child)
      (builtins.filter (child: child < {size}) [ (2 * number + 1) (2 * number + 2) ]);
  }};
  nodes = builtins.genList node {size};
in builtins.elemAt nodes 0
"""


@dataclass
class Row:
    """A command that is measured."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    cwd: Path
    processor: list[float] = field(default_factory=list)  # milliseconds
    clock: list[float] = field(default_factory=list)

    def run(self) -> None:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(self.command, env=dict(self.environ), cwd=self.cwd, capture_output=True)
        after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        if done.returncode:
            sys.exit(f"{self.name}: {done.stderr.decode(errors='replace')}")
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.processor.append(1000 * used)
        self.clock.append(1000 * (ended - began))


def rows_of(base: Path, size: int, python: str, references: bool) -> list[Row]:
    """Return what is compared, after everything was built once."""
    project = base / "p"
    project.mkdir(parents=True)
    (project / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')
    (project / "default.bramble").write_text(MODULE.format(size=size, references=references))
    environ = {"PATH": os.environ["PATH"], "HOME": str(base / "h"), "BRAMBLE_PATH": str(base / "s")}
    ours = [python, "-I", "-S", str(ROOT / "bramble"), "build", "./:tree"]
    rows = [
        Row("python3 -I -S -c pass", [python, "-I", "-S", "-c", "pass"], environ, project),
        Row("bramble build", ours, environ, project),
        Row("bramble build --no-cache", [*ours, "--no-cache"], environ, project),
    ]
    if shutil.which("nix-build"):
        nix = base / "n"
        (nix / "conf").mkdir(parents=True)
        (nix / "conf" / "nix.conf").write_text("build-users-group =\nsandbox = false\nsubstitute = false\n")
        (nix / "tree.nix").write_text(NIX.format(size=size, references=str(references).lower()))
        places = {"STORE": "store", "STATE": "state", "LOG": "log", "CONF": "conf", "LOCALSTATE": "local"}
        environ = {**environ, "HOME": str(nix), **{f"NIX_{k}_DIR": str(nix / v) for k, v in places.items()}}
        rows.append(Row("nix-build", ["nix-build", "--no-out-link", "tree.nix"], environ, nix))
    for row in rows:
        # Once to build, and what a record needs: that all was let alone for a moment.
        row.run()
        time.sleep(0.2)
        row.run()
        row.processor.clear()
        row.clock.clear()
    return rows


def measure(rows: Sequence[Row], rounds: int) -> None:
    for _ in range(rounds):
        for row in rows:
            row.run()


def report(size: int, rows: Sequence[Row]) -> None:
    def median(row: Row) -> tuple[float, float]:
        return statistics.median(row.processor), statistics.median(row.clock)

    bare = median(rows[0])[0]
    nix = next((median(row) for row in rows if row.name == "nix-build"), None)
    print(f"\n{size} derivations\n")
    print("| command | processor, ms | beyond bare | × nix-build | clock, ms | × nix-build |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        processor, clock = median(row)
        beside = [f"{one / other:.2f}" for one, other in zip((processor, clock), nix)] if nix else ["", ""]
        beyond = f"{processor - bare:+.1f}"
        print(f"| {row.name} | {processor:.1f} | {beyond} | {beside[0]} | {clock:.1f} | {beside[1]} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1,300,3000", help="numbers of derivations")
    parser.add_argument("--python", default=sys.executable, help="the interpreter")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--references", action="store_true", help="let each output refer to those below it")
    options = parser.parse_args()
    for size in map(int, options.sizes.split(",")):
        base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
        try:
            rows = rows_of(base, size, options.python, options.references)
            measure(rows, options.rounds)
            report(size, rows)
        finally:
            subprocess.run(["chmod", "-R", "u+w", str(base)], check=False)
            shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
