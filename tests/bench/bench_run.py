"""How long `run` of a program takes that is built already, beside bubblewrap with the same binds, in one run.

    python3 tests/bench/bench_run.py [--rounds 21] [--python PYTHON]

Whole processes, which take turns, so that whatever else the machine does falls on all alike. Printed are
medians in milliseconds of processor time (of the process and all that it waited for) and of time on the
clock, and what that is beyond bubblewrap and beyond bare Python. The program is the `true` of a `host_tools`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MODULE = """
def tools():
    return derivation("tools", "host_tools", env={"tools": "sh true"})
def hello():
    return run(tools(), "true")
"""
ISOLATED = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--unshare-cgroup",
    "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL",
    "--tmpfs", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
)  # fmt: skip
# The modules of a program that has just been changed are not believed yet.
SETTLED = 12.0


class Took(NamedTuple):
    """What one process took, in milliseconds."""

    processor: float
    clock: float


def took(argv: list[str], cwd: str, environ: dict[str, str]) -> Took:
    """Run a command that has to succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, cwd=cwd, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    ended = time.perf_counter()
    if status:
        sys.exit(f"{' '.join(argv)} failed: {said.decode()}")
    return Took((usage.ru_utime + usage.ru_stime) * 1000, (ended - began) * 1000)


def bubblewrap(program: str, steps: list[dict[str, object]], project: str) -> list[str]:
    """Return a command line with the binds of a sandbox, as `--explain` tells them."""
    argv = [program, *ISOLATED]
    for step in steps:
        given = step["arguments"]
        assert isinstance(given, dict)
        if step["action"] in ("bind", "bind-within", "attach", "attach-within"):
            source, target, *_ = given.values()
            writable = target == project
            argv += ["--bind" if writable else "--ro-bind", str(source), str(target)]
        elif step["action"] == "execute":
            argv += ["--chdir", project, *given["argv"]]
    return argv


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="time of a run")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--python", default=os.path.realpath(sys.executable))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o755)
        project = os.path.join(base, "p")
        os.mkdir(project)
        Path(project, "bramble.toml").write_text('[package]\nname = "bench.test/p"\nversion = "0.0.1"\n')
        Path(project, "default.bramble").write_text(MODULE)
        environ = {"HOME": base, "PATH": os.environ["PATH"], "BRAMBLE_PATH": os.path.join(base, "s")}
        # As a clone is started. The one file is spared `runpy`, which Python loads to run a directory.
        ours = [options.python, "-I", "-S", str(ROOT / "bramble"), "run"]
        explained = subprocess.run(
            [*ours, "--explain", "--json", "./:hello"],
            cwd=project, env=environ, check=True, capture_output=True, text=True,
        )  # fmt: skip
        rows = {
            "python -I -S -c pass": [options.python, "-I", "-S", "-c", "pass"],
            "run": [*ours, "./:hello"],
            "run --no-cache": [*ours, "--no-cache", "./:hello"],
        }
        if found := shutil.which("bwrap"):
            steps = json.loads(explained.stdout)["steps"]
            rows = {"bwrap": bubblewrap(found, steps, project), **rows}
        youngest = max(path.stat().st_ctime for path in (ROOT / "bramble").rglob("*.py"))
        time.sleep(max(0.0, youngest + SETTLED - time.time()))
        for _ in range(3):
            took(rows["run"], project, environ)
        measured: dict[str, list[Took]] = {name: [] for name in rows}
        for _ in range(options.rounds):
            for name, argv in rows.items():
                measured[name].append(took(argv, project, environ))
        shown(measured)


def shown(measured: dict[str, list[Took]]) -> None:
    """Print what was measured."""
    print(f"Python {sys.version.split()[0]}; medians in ms of processor time, and on the clock")
    middle = {name: Took(*map(statistics.median, zip(*every))) for name, every in measured.items()}
    for name, one in middle.items():
        beside = "".join(
            f"   beyond {other}: {one.processor - middle[other].processor:6.1f}"
            f" {one.clock - middle[other].clock:6.1f}"
            for other in ("bwrap", "python -I -S -c pass")
            if other in middle and other != name and name.startswith("run")
        )
        print(f"{name:22}{one.processor:8.1f}{one.clock:8.1f}{beside}")


if __name__ == "__main__":
    main()
