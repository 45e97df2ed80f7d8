"""What packages cost: choosing them, having them, adding one, evaluating one, vendoring them; in one run.

    python3 tests/bench/bench_packages.py [--packages 50] [--universe 1000] [--python PYTHON] [--rounds 15]

The repositories are of this machine, and a mirror table gives them; the store, the cache and the home are of
this run. What is compared takes turns. Printed is processor time, in milliseconds, of whole processes and all
that they start, as medians; choosing among many packages is measured within this process.
"""

from __future__ import annotations

import argparse
import os
import random
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
sys.path.insert(0, str(ROOT))

from bramble.packages.resolve import Ask, Tree, resolve  # noqa: E402
from bramble.packages.select import Release, Requirements, select  # noqa: E402
from bramble.project.config import load_config  # noqa: E402
from bramble.project.project import find_project  # noqa: E402
from bramble.project.versions import Version  # noqa: E402

HOST, SEED = "example.test", 13
FUNCTION = 'def f(n):\n    """Say n."""\n    return [str(one) + "-%d" for one in range(n) if one %% 3]\n\n'
VERSIONS = ("1.0.0", "1.1.0", "1.2.0")


@dataclass
class Row:
    """A command that is measured; `fresh` are directories that are removed before each run."""

    name: str
    command: Sequence[str]
    cwd: Path
    environ: Mapping[str, str]
    fresh: Sequence[Path] = ()
    processor: list[float] = field(default_factory=list)

    def run(self) -> None:
        for path in self.fresh:
            remove(path)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(self.command, cwd=self.cwd, env=dict(self.environ), capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(f"{self.name}: {done.stderr.decode(errors='replace')}")
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.processor.append(1000 * used)

    @property
    def median(self) -> float:
        return statistics.median(self.processor)


@dataclass(frozen=True)
class Bench:
    """Where everything is, and the interpreter."""

    base: Path
    python: str

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.base / "home"),
            "BRAMBLE_PATH": str(self.base / "s"),
            "BRAMBLE_MIRROR": str(self.base / "mirror.toml"),
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def words(self, *words: str) -> list[str]:
        return [self.python, "-I", "-S", str(ROOT / "bramble"), *words]

    def row(self, name: str, cwd: Path, *words: str, fresh: Sequence[Path] = ()) -> Row:
        return Row(name, self.words(*words), cwd, self.environ, fresh)

    def project(self, name: str, needs: Mapping[str, str], module: str, more: str = "") -> Path:
        path = self.base / name
        path.mkdir()
        (path / "bramble.toml").write_text(toml(f"{HOST}/{name}", needs) + more)
        (path / "default.bramble").write_text(module)
        return path

    def publish(self, name: str, module: str) -> None:
        """Make a repository of a package, with one version."""
        path = self.base / "repositories" / name
        path.mkdir(parents=True)
        (path / "bramble.toml").write_text(toml(f"{HOST}/{name}", {}))
        (path / "default.bramble").write_text(module)
        who = ("-c", "user.name=x", "-c", "user.email=x@example.test")
        for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-qm", "x"), ("tag", "v1.0.0")):
            subprocess.run(["git", *words], cwd=path, env=self.environ, check=True)
        with open(self.base / "mirror.toml", "a", encoding="utf-8") as table:
            table.write("" if table.tell() else "[mirror]\n")
            table.write(f'"https://{HOST}/{name}" = "{path}"\n')


def toml(name: str, needs: Mapping[str, str], version: str = "1.0.0") -> str:
    lines = ["[package]", f'name = "{name}"', f'version = "{version}"', "[dependencies]"]
    return "\n".join([*lines, *(f'"{other}" = "{least}"' for other, least in needs.items())]) + "\n"


def measure(rows: Sequence[Row], rounds: int) -> None:
    """Run each once without counting, wait until what it has read is settled, and let all take turns."""
    for _ in range(2):
        for row in rows:
            row.run()
        time.sleep(0.2)
    for row in rows:
        row.processor.clear()
    for _ in range(rounds):
        for row in rows:
            row.run()


def show(title: str, rows: Sequence[Row], beside: Row) -> None:
    print(f"\n{title}\n\n| command | processor, ms | × {beside.name} |\n|---|---|---|")
    for row in rows:
        print(f"| {row.name} | {row.median:.1f} | {row.median / beside.median:.2f} |")


class Universe:
    """Packages in three versions each, as directories: each requires the next one, and up to four others."""

    def __init__(self, top: Path, count: int) -> None:
        self.top = top
        dice = random.Random(SEED)
        self.needs: dict[tuple[str, str], dict[str, str]] = {}
        for number in range(count):
            for version in VERSIONS:
                later = range(number + 1, count)
                others = {*later[:1], *dice.sample(later, min(4, len(later)))}
                needs = {f"{HOST}/p{other}": dice.choice(VERSIONS) for other in sorted(others)}
                self.needs[f"{HOST}/p{number}", version] = needs
                directory = top / f"p{number}" / version
                directory.mkdir(parents=True)
                (directory / "bramble.toml").write_text(toml(f"{HOST}/p{number}", needs, version))
        self.asked = 0

    def requirements(self, releases: Sequence[Release]) -> list[Requirements]:
        self.asked += len(releases)
        found = (self.needs[one.name, str(one.version)] for one in releases)
        return [{name: Release(name, Version.parse(least)) for name, least in one.items()} for one in found]

    def trees(self, asks: Sequence[Ask]) -> list[Tree]:
        return [
            Tree(str(self.top / ask.name.rpartition("/")[2] / str(ask.version)), "a" * 32, "0" * 40)
            for ask in asks
        ]


def bench_choosing(bench: Bench, count: int, rounds: int) -> None:
    universe = Universe(bench.base / "universe", count)
    roots = {f"{HOST}/p{number}": "1.0.0" for number in range(min(10, count))}
    project = find_project(str(bench.project("chooser", roots, "")))
    pure, whole, reading = [], [], []
    for _ in range(rounds):
        began = time.process_time()
        needs = {name: Release(name, Version.parse(least)) for name, least in roots.items()}
        selection = select(needs, universe.requirements)
        pure.append(1000 * (time.process_time() - began))
        began = time.process_time()
        resolution = resolve(project, universe)
        whole.append(1000 * (time.process_time() - began))
        began = time.process_time()
        for tree in resolution.trees.values():
            load_config(f"{tree.directory}/bramble.toml")
        reading.append(1000 * (time.process_time() - began))
    packages, releases = len(selection.used()), len(resolution.trees)
    print(f"\nchoosing: {packages} packages are used, of {releases} releases that are read\n")
    print("| what | processor, ms |\n|---|---|")
    print(f"| selection alone | {statistics.median(pure):.1f} |")
    print(f"| selection, and every bramble.toml read and checked | {statistics.median(whole):.1f} |")
    print(f"| of that, reading the same bramble.toml files | {statistics.median(reading):.1f} |")


def bench_nothing(bench: Bench, count: int, rounds: int) -> None:
    for number in range(count):
        bench.publish(f"n{number}", f"v = {number}\n")
    module = 'def f():\n    return derivation("f", "host_tools", env={"tools": "sh"})\n'
    needs = {f"{HOST}/n{number}": "1.0.0" for number in range(count)}
    loads = "".join(f'load("{name}")\n' for name in needs)
    none = bench.project("none", {}, module)
    many = bench.project("many", needs, loads + module)
    vendored = bench.project("vendored", needs, loads + module, '[vendor]\npath = "v"\n')
    cold = [
        bench.row("vendor, the first time", many, "vendor", str(bench.base / "v"), fresh=[bench.base / "v"]),
        bench.row("vendor, again", vendored, "vendor"),
    ]
    measure(cold, max(3, rounds // 5))
    rows = [Row("python3 -I -S -c pass", [bench.python, "-I", "-S", "-c", "pass"], none, bench.environ)]
    for words in (["build", "./:f"], ["build", "--no-cache", "./:f"]):
        said = " ".join(words[:-1])
        rows += [
            bench.row(f"{said}, no package", none, *words),
            bench.row(f"{said}, {count} packages", many, *words),
            bench.row(f"{said}, {count} packages and a vendor directory", vendored, *words),
        ]
    measure(rows, rounds)
    show("nothing to build", rows[:4], rows[1])
    show("nothing to build, evaluated anew", rows[4:], rows[4])
    show(f"vendoring {count} packages", [*cold, rows[0]], rows[0])


def bench_adding(bench: Bench, rounds: int) -> None:
    bench.publish("added", "v = 1\n")
    project = bench.project("adder", {}, "")
    config = toml(f"{HOST}/adder", {})
    repository = bench.base / "repositories" / "added"
    store, clone = bench.base / "fresh", bench.base / "clone"
    add = bench.row("bramble add, into an empty store", project, "add", f"{HOST}/added", fresh=[store])
    add.environ = {**bench.environ, "BRAMBLE_PATH": str(store)}
    words = ["git", "clone", "-q", "--depth", "1", f"file://{repository}", str(clone)]
    git = Row("git clone --depth 1", words, bench.base, bench.environ, [clone])
    for counts in (False, *[True] * max(3, rounds // 3)):
        (project / "bramble.toml").write_text(config)
        (project / "bramble.lock").unlink(missing_ok=True)
        for row in (add, git):
            row.run()
            if not counts:
                row.processor.clear()
    show("adding a package", [add, git], git)


def bench_evaluating(bench: Bench, rounds: int) -> None:
    rows, compiled = [], []
    for functions in (0, 100, 1000, 5000):
        text = "".join((FUNCTION % number).replace("f(", f"f{number}(") for number in range(functions))
        bench.publish(f"e{functions}", text + "v = 1\n")
        project = bench.project(
            f"user{functions}",
            {f"{HOST}/e{functions}": "1.0.0"},
            f'load("{HOST}/e{functions}")\ndef f():\n    return derivation("f", "./none")\n',
        )
        name = f"a package of {4 * functions} lines, {len(text) >> 10} KiB"
        rows.append(bench.row(name, project, "build", "--just-parse", "--no-cache", "./:f"))
        (project / "same.py").write_text(text)
        word = "compile(open('same.py').read(), 'same.py', 'exec')"
        compiled.append(Row(f"compile() of CPython, {4 * functions} lines",
            [bench.python, "-I", "-S", "-c", word], project, bench.environ))  # fmt: skip
    measure([*rows, *compiled], max(3, rounds // 3))
    show("evaluating a package, without a cache", rows, rows[0])
    show("the same text", compiled, compiled[0])
    size = 4 * 5000 / 1000
    ours, theirs = (each[-1].median - each[0].median for each in (rows, compiled))
    print(f"\nbeyond an empty one: {ours / size:.2f} ms for 1,000 lines, {ours / theirs:.2f} × compile()")


def remove(top: Path) -> None:
    """Remove a directory, also one in which directories are read-only."""
    for directory, names, _ in os.walk(top):
        for name in names:
            if not os.path.islink(os.path.join(directory, name)):
                os.chmod(os.path.join(directory, name), 0o700)
    shutil.rmtree(top, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packages", type=int, default=50, help="that a project requires")
    parser.add_argument("--universe", type=int, default=1000, help="packages to choose from")
    parser.add_argument("--python", default=sys.executable, help="the interpreter")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    try:
        (base / "home").mkdir()
        bench = Bench(base, options.python)
        bench_choosing(bench, options.universe, options.rounds)
        bench_nothing(bench, options.packages, options.rounds)
        bench_adding(bench, options.rounds)
        bench_evaluating(bench, options.rounds)
    finally:
        remove(base)


if __name__ == "__main__":
    main()
