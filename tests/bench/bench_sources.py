"""What many source files cost, for one derivation and for many of the same files: whole processes.

    python3 tests/bench/bench_sources.py [--sizes 1x20000,20x20000,20x200] [--python PYTHON] [--in DIRECTORY]

For each size, DERIVATIONSxFILES, a project is built for the first time; with nothing to do; after one file
was touched; with nothing to do again; and after one file was changed. Printed are seconds of processor time,
and the ratios to `cp -r` of the same files and to `find -printf`, which looks at each of them once. A build
has a copy of its own, which is removed: `copies` is the time of as many `cp -r` and `rm -r` as there are
builds. To be run by hand; nothing is asserted.

Some file systems make files more slowly after others were removed (ext4 without a journal, ten times and
more): `--in` a directory of a tmpfs of your own shows what is ours. (Not /dev/shm: no sandbox is given that.)
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[2]
MODULE = """
def tools():
    return derivation("tools", builder="host_tools", env={{"tools": "sh"}})

def one(number):
    return derivation(
        "d{{}}".format(number), builder=tools().out + "/bin/sh",
        args=["-c", "echo {{}} > $out/x".format(number)], sources=files(["src/**"]))

def every():
    return [one(number) for number in range({count})]
"""
_IN_DIRECTORY = 100
_SETTLED = 0.2  # seconds after which a stamp is trusted


class World:
    """A project with many files, and a store."""

    def __init__(self, top: Path, count: int, files: int, python: str) -> None:
        self.top = top
        self.project = top / "p"
        self._command = [python, "-I", str(ROOT / "bramble"), "build", "./:every"]
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(top),
            "BRAMBLE_PATH": str(top / "s"),
            "XDG_CACHE_HOME": str(top / "c"),
        }
        for number in range(files):
            directory = (
                self.project / "src" / f"{number // (20 * _IN_DIRECTORY)}" / f"{number // _IN_DIRECTORY}"
            )
            if number % _IN_DIRECTORY == 0:
                directory.mkdir(parents=True)
            (directory / f"{number}.c").write_text(f"int number_{number};\n" * 80)
        (self.project / "bramble.toml").write_text('[package]\nname = "example.test/p"\nversion = "0.0.1"\n')
        (self.project / "default.bramble").write_text(MODULE.format(count=count))
        self.file = self.project / "src" / "0" / "0" / "0.c"

    def run(self, command: Optional[Sequence[str]] = None) -> float:
        """Return the seconds of processor time that a command has used; without one, those of the build."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            command or self._command, env=self._environ, cwd=self.project, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(done.stderr.decode(errors="replace"))
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(count: int, files: int, python: str, inside: Optional[str]) -> None:
    """Measure and print one size."""
    top = Path(tempfile.mkdtemp(prefix="b", dir=inside))
    try:
        world = World(top, count, files, python)
        copy = world.run(["cp", "-r", str(world.project / "src"), str(top / "copy")])
        remove = world.run(["rm", "-r", str(top / "copy")])
        find = world.run(["find", str(world.project), "-printf", "%p %s %T@\n"])
        copies = count * (copy + remove)
        print(f"{count} derivations of {files} files", end=": ")
        print(f"cp -r {copy:.2f} s, find {find:.3f} s, copies {copies:.2f} s")

        def row(what: str) -> None:
            seconds = world.run()
            ratios = (seconds / max(other, 0.001) for other in (copy, find, copies))
            print(
                "  {:<24}{:8.2f} s {:8.1f} × cp {:8.1f} × find {:8.2f} × copies".format(
                    what, seconds, *ratios
                )
            )

        time.sleep(_SETTLED)
        row("first")
        row("nothing, not recorded")
        row("nothing")
        os.utime(world.file)
        time.sleep(_SETTLED)
        row("touched")
        row("nothing")
        with open(world.file, "a") as out:
            out.write("int more;\n")
        time.sleep(_SETTLED)
        row("changed")
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(top)], check=True)
        shutil.rmtree(top)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes", default="1x20000,20x20000,20x200", help="DERIVATIONSxFILES, separated by commas"
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--in", dest="inside", help="where the projects and the stores are made")
    options = parser.parse_args()
    for size in options.sizes.split(","):
        count, files = map(int, size.split("x"))
        measure(count, files, options.python, options.inside)


if __name__ == "__main__":
    main()
