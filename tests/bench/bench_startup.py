"""How long nothing takes: whole processes with nothing to do, beside the bare interpreter, in one run.

    python3 tests/bench/bench_startup.py [--python PYTHON] [--file BRAMBLE] [--wheel PYTHON] [--rounds 31]

Measured are the forms that are given: always this checkout, run by PYTHON; `--file`, the one file; `--wheel`,
the interpreter of an environment in which Bramble is installed. A first run is one whose copy or bytecode is
not there yet. The commands take turns, so that whatever else the machine does falls on all alike. Printed are
medians in milliseconds of processor time and of time on the clock, what that is beyond `python3 -I -c pass`
(`-I -S` for a form that is started so), and how many times as long.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = """
def nothing():
    return derivation("tools", builder="host_tools", env={"tools": "sh"})
"""
BARE, PLAIN = "python3 -I -c pass", "python3 -I -S -c pass"
WORDS = {
    "--version": ("--version",),
    "ls": ("ls",),
    "build, nothing to do": ("build", "./:nothing"),
}
FIRST_ROUNDS = 5


@dataclass
class Row:
    """A command that is measured.

    It is compared with the row `beside`. `fresh` makes its next run a first one, and is called before each.
    """

    name: str
    command: Sequence[str]
    beside: str
    fresh: Optional[Callable[[], None]] = None
    processor: list[float] = field(default_factory=list)  # milliseconds
    clock: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable, help="the interpreter")
    parser.add_argument("--file", metavar="BRAMBLE", help="the one file")
    parser.add_argument("--wheel", metavar="PYTHON", help="an interpreter where Bramble is installed")
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    try:
        project = base / "p"
        project.mkdir()
        (project / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')
        (project / "default.bramble").write_text(DEFAULT)
        # The one file looks for `python3`; BRAMBLE_PYTHON would be started once more, to ask how old it is.
        (base / "bin").mkdir()
        (base / "bin" / "python3").symlink_to(os.path.realpath(options.python))
        environ = {
            "PATH": f"{base}/bin:{os.environ['PATH']}",
            "HOME": str(base / "home"),
            "BRAMBLE_PATH": str(base / "s"),
        }
        rows = [
            Row(BARE, [options.python, "-I", "-c", "pass"], BARE),
            Row(PLAIN, [options.python, "-I", "-S", "-c", "pass"], PLAIN),
            *forms(options, base),
        ]
        for turn in range(options.rounds + 1):
            for row in rows:
                if row.fresh is None:
                    measure(row, project, environ, counts=turn > 0)
        # Last, since they take away what the others have made.
        for row in rows:
            for _ in range(FIRST_ROUNDS if row.fresh is not None else 0):
                measure(row, project, environ, counts=True)
        show(rows)
    finally:
        remove(base)


def forms(options: argparse.Namespace, base: Path) -> list[Row]:
    """Return the rows of every form that is there."""
    copy, cache = base / "checkout", base / "home" / ".cache"
    shutil.copytree(ROOT / "bramble", copy / "bramble", ignore=shutil.ignore_patterns("__pycache__"))
    checkout = [options.python, "-I", str(copy / "bramble")]
    found = form("checkout", checkout, BARE, lambda: forget(copy, "__pycache__"))
    if options.file:
        program = [os.path.abspath(options.file)]
        found += form("file", program, PLAIN, lambda: remove(cache))
    if options.wheel:
        program = [os.path.join(os.path.dirname(options.wheel), "bramble")]
        found += form("wheel", program, BARE)
    return found


def form(
    name: str,
    program: Sequence[str],
    beside: str,
    fresh: Optional[Callable[[], None]] = None,
) -> list[Row]:
    """Return the rows of one form; `fresh` makes its next run the first one."""
    found = [Row(f"{name}: {what}", [*program, *words], beside) for what, words in WORDS.items()]
    if fresh is not None:
        command = [*program, *WORDS["--version"]]
        found.append(Row(f"{name}: --version, first run", command, beside, fresh))
    return found


def measure(row: Row, project: Path, environ: dict[str, str], *, counts: bool) -> None:
    """Run the command of a row once."""
    if row.fresh is not None:
        row.fresh()
    begun, used = time.perf_counter(), processor_time()
    done = subprocess.run(row.command, cwd=project, env=environ, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(row.command)}: {done.stderr}")
    if counts:
        row.clock.append((time.perf_counter() - begun) * 1000)
        row.processor.append((processor_time() - used) * 1000)


def processor_time() -> float:
    """Return the seconds that all children of this process have used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def show(rows: Sequence[Row]) -> None:
    by_name = {row.name: row for row in rows}
    print(f"{'processor':>18} {'ratio':>12} {'clock':>8} {'ratio':>12}")
    for row in rows:
        text = ""
        for mine, bare in (
            (row.processor, by_name[row.beside].processor),
            (row.clock, by_name[row.beside].clock),
        ):
            middle, least = statistics.median(mine), statistics.median(bare)
            text += f"{middle:9.1f} {middle - least:+9.1f} {middle / least:5.1f}"
        print(f"{text}  {row.name}")


def forget(top: Path, name: str) -> None:
    """Remove all directories of a name below `top`."""
    for directory in list(top.rglob(name)):
        shutil.rmtree(directory, ignore_errors=True)


def remove(base: Path) -> None:
    """Remove a directory, also one in which directories are read-only."""
    for directory, names, _ in os.walk(base):
        for name in names:
            if not os.path.islink(os.path.join(directory, name)):
                os.chmod(os.path.join(directory, name), 0o700)
    shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
