"""Build real software with the library and print a table: `python3 -m tests.real.table MIRROR [NAME…]`.

MIRROR is what `tests.real.fill` filled. For each function of tests/real/project: is it built,
how long does that take, how large is the closure, is it the same under another store path
(`build --check`), and does the program run after the store has moved. Run by hand: it takes
long, and needs what the projects need.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Function → what shows that the result works, run in `bramble run`.
PROGRAMS = {
    "bzip2": ("bzip2", "--help"),
    "xz": ("xz", "--version"),
    "lua": ("lua", "-e", "print(2^10)"),
    "hello": ("hello",),
    "sed": ("sed", "--version"),
    "grep": ("grep", "--version"),
    "make": ("make", "--version"),
    "dash": ("dash", "-c", "echo $((6*7))"),
    "jq": ("jq", "-n", "[1,2]|add"),
    "less": ("less", "--version"),
    "sqlite": ("sqlite3", ":memory:", "select sqlite_version()"),
    "tcc": ("tcc", "-v"),
    "busybox": ("busybox", "echo", "works"),
    "openssl": ("openssl", "version"),
    "curl": ("curl", "--version"),
}


def bramble(project: Path, store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(ROOT / "bramble"), *words]
    return subprocess.run(
        command, cwd=project, env={**os.environ, "BRAMBLE_PATH": str(store)}, capture_output=True, text=True
    )


def row(project: Path, store: Path, name: str) -> str:
    bramble(project, store, "build", "./:toolchain")
    began = time.monotonic()
    done = bramble(project, store, "build", "--json", f"./:{name}")
    seconds = time.monotonic() - began
    if done.returncode:
        return f"| {name} | no: {done.stderr.strip().splitlines()[-2:]} | | | | |"
    path = json.loads(done.stdout)["results"][0]["outputs"]["out"]["path"]
    closure = json.loads(bramble(project, store, "size", "--json", path).stdout)
    check = bramble(project, store, "build", "--check", f"./:{name}")
    moved = store.parent / "m"
    os.rename(store, moved)
    bramble(project, moved, "store", "relocate")
    ran = "library"
    if name in PROGRAMS:
        run = bramble(project, moved, "run", f"./:{name}", *PROGRAMS[name])
        ran = (run.stdout or run.stderr).strip().splitlines()[0][:40] if run.returncode == 0 else "no"
    os.rename(moved, store)
    bramble(project, store, "store", "relocate")
    same = "yes" if check.returncode == 0 else "no: " + check.stderr.strip().splitlines()[-1][:60]
    return f"| {name} | {seconds:.0f} s | {closure['size'] / 2**20:.1f} MiB | {same} | {ran} |"


def main(mirror: str, names: list[str]) -> None:
    base = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    project = base / "p"
    shutil.copytree(ROOT / "tests/real/project", project)
    shutil.copytree(mirror, project / "sources")
    listed = json.loads(bramble(project, base / "s", "ls", "--json").stdout)
    every = [function["name"] for module in listed["modules"] for function in module["functions"]]
    print("| what | built in | closure | the same twice | runs after a move |\n|---|---|---|---|---|")
    for name in names or [name for name in every if name != "toolchain"]:
        print(row(project, base / "s", name), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
