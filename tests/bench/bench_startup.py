"""How long nothing takes: whole processes with nothing to do, beside the bare interpreter, in one run.

    python3 tests/bench/bench_startup.py [--python /usr/bin/python3] [--rounds 31]

Prints medians and minima in milliseconds; the ratio is to `python3 -c pass`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = """
def nothing():
    return derivation("tools", builder="host_tools", env={"tools": "sh"})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    try:
        project = base / "p"
        project.mkdir()
        (project / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')
        (project / "default.bramble").write_text(DEFAULT)
        (project / "empty.star").write_text("")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(base),
            "BRAMBLE_PATH": str(base / "s"),
            "PYTHONPATH": str(ROOT),
        }
        commands = {
            "python -c pass": ["-c", "pass"],
            "bramble --version": ["-m", "bramble", "--version"],
            "bramble.starlark, empty file": ["-m", "bramble.starlark", "empty.star"],
            "bramble build, nothing to do": ["-m", "bramble", "build", "./:nothing"],
        }
        found: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(options.rounds + 2):
            # Taken in turns, so that whatever else the machine does falls on all alike.
            for name, words in commands.items():
                start = time.perf_counter()
                subprocess.run(
                    [options.python, *words], cwd=project, env=environ, capture_output=True, check=True
                )
                if turn >= 2:
                    found[name].append((time.perf_counter() - start) * 1000)
        bare = statistics.median(found["python -c pass"])
        print(f"{'median':>8} {'least':>8} {'ratio':>6}")
        for name, times in found.items():
            median = statistics.median(times)
            print(f"{median:8.1f} {min(times):8.1f} {median / bare:6.1f}  {name}")
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
