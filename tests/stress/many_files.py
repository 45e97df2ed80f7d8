"""A package whose repository has very many files, added from git over http on the loopback and by file.

    python3 -m tests.stress.many_files [--files 50000] [--keep DIR]

Each is done in a store of its own: `add` with everything that it fetches, `deps` when all is there, and a
build from nothing but the lock in a third store. Printed are seconds of processor time (of Bramble and of
the git that it starts; that of the server is not counted), seconds on the clock, the most memory that one
process has had, and beside them what `git clone --depth 1` and writing the files with `tar` take. The exit
status is 1 when an object does not come out the same, or when a command fails.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cli.world import remove_store
from tests.packages.published import Published, published
from tests.packages.web import git_web

NAME = "example.test/many"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--keep", help="make everything in this directory, and leave it")
    options = parser.parse_args()
    base = Path(options.keep or tempfile.mkdtemp(prefix="bm", dir="/tmp"))
    try:
        return _measured(base, options.files)
    finally:
        if not options.keep:
            remove_store(base)


def _measured(base: Path, files: int) -> int:
    market = published(base)
    path = market.repository(NAME)
    # With a commit before it, so that there is a history that nobody needs.
    market.publish(NAME, "0.1.0", default="v = 0\n")
    for number in range(files):
        file = path / f"d{number % 250:03}" / f"e{number % 13:02}" / f"file-{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"the file {number}\n" * (1 + number % 40))
    (path / "bramble.toml").write_text((path / "bramble.toml").read_text().replace("0.1.0", "1.0.0"))
    for words in (("add", "-A"), ("commit", "-qm", "many"), ("tag", "v1.0.0")):
        market.git(*words, cwd=path)
    market.write(default=f'load("{NAME}")\ndef f():\n    return derivation("f", "x")\n')
    locks = set()
    with git_web(market.repositories) as web:
        for kind, url in (("http", f"{web.url}/{NAME}"), ("file", f"file://{path}")):
            market.needs()
            (market.project / "bramble.lock").unlink(missing_ok=True)
            store = str(base / f"s{kind}")
            print(f"\n{files} files by {kind}")
            told(f"add {kind}", market.command("add", "--git", url, NAME), market, store)
            told("deps, all there", market.command("deps", "--json"), market, store)
            told("parse, all there", market.command("build", "--just-parse", "./:f"), market, store)
            told("parse, empty store", market.command("build", "--just-parse", "./:f"), market, f"{store}2")
            locks.add(market.lock.split("[Dependencies]")[1])
            clone = [
                "git",
                "clone",
                "--quiet",
                "--depth=1",
                "--branch=v1.0.0",
                url,
                str(base / f"clone{kind}"),
            ]
            told("git clone --depth=1", clone, market, store)
    whole = ["sh", "-c", f"mkdir {base}/out && tar -C {base}/clonefile -cf - . | tar -C {base}/out -xf -"]
    told("tar | tar", whole, market, "")
    if len(locks) != 1:
        print("the two did not come out the same")
    return int(len(locks) != 1)


def told(name: str, command: list[str], market: Published, store: str) -> None:
    """Run a command in a process of its own, and print what it took."""
    environment = market.environment(BRAMBLE_PATH=store)
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss)\n"
        "sys.stderr.buffer.write(done.stderr)\n"
        "sys.exit(done.returncode)\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=market.project,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    seconds, memory = done.stdout.split()
    clock = time.monotonic() - began
    print(f"  {name:22} {float(seconds):7.2f} s CPU {clock:7.2f} s {int(memory) // 1024:6} MiB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
