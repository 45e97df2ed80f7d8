"""Kill the server of a registry with SIGKILL at random moments while it publishes: no half version is there.

    python3 tests/stress/kill_publish.py [--packages 12] [--kills 25] [--seed N]

After each kill the registry is read as a client reads it: what is signed is in the index, each version of
it has its sources, with their digest, its bramble.toml and its documentation, and the lists say nothing that
the index does not. In the end every package is published, and no process of a job is left. Takes a minute
or two.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bramble.commands.packages.registry.writing import read_registry  # noqa: E402
from bramble.packages.registry.documents import parse_documentation, parse_list, parse_versions  # noqa: E402
from bramble.packages.registry.index import all_entries  # noqa: E402
from bramble.packages.registry.layout import Kind, path_of, versions_path  # noqa: E402
from bramble.store.digest import digest  # noqa: E402
from tests.cli.world import remove_store  # noqa: E402
from tests.packages.published import Published, published  # noqa: E402
from tests.packages.server.conftest import Registry, serve  # noqa: E402

MODULE = (
    'def tools():\n    return derivation("tools", "host_tools", env={{"tools": "sh cat"}})\n'
    "def made():\n    t = tools()\n"
    '    return derivation("made", t.out + "/bin/sh", args=["-c", "echo {} >$out/x"],'
    ' env={{"PATH": t.out + "/bin"}})\n'
)


def wrong(public: Path) -> list[str]:
    """Return what is wrong with a registry: nothing, whenever its server was killed."""
    checkpoint, index = read_registry(str(public))
    found = []
    entries = list(all_entries(index))
    for entry in entries:
        source = (public / path_of(Kind.SOURCE, entry.release)).read_bytes()
        if digest(source) != entry.digest:
            found.append(f"{entry.release}: sources {digest(source)}")
        docs = parse_documentation((public / path_of(Kind.DOCS, entry.release)).read_bytes())
        if (docs.name, docs.version) != tuple(entry.release):
            found.append(f"{entry.release}: documentation of {docs.name}@{docs.version}")
        (public / path_of(Kind.CONFIG, entry.release)).read_bytes()
    listed = parse_list((public / "packages").read_bytes())
    if listed.size > checkpoint.size:
        found.append("the list is ahead of what is signed")
    for name in {one.name for one in listed.packages}:
        versions = parse_versions((public / versions_path(name)).read_bytes())
        found += [f"{one.release} is listed, and not signed" for one in versions if one not in entries]
    names = [entry.release for entry in entries]
    if len(set(names)) != len(names) or hashlib.sha256(index).hexdigest() != checkpoint.sha256:
        found.append("the index is not what it says")
    return found


def left_over(directory: Path) -> list[int]:
    """Return the processes that have to do with a registry's directory."""
    found = []
    for name in os.listdir("/proc"):
        try:
            line = Path("/proc", name, "cmdline").read_bytes() if name.isdigit() else b""
        except OSError:
            continue
        if os.fsencode(directory) in line and int(name) != os.getpid():
            found.append(int(name))
    return found


def near_the_end(registry: Registry, known: int, began: float) -> bool:
    """Tell whether a version is about to be added, or has been, since the server began."""
    logs = [log for log in (registry.directory / "jobs").glob("*.log") if log.stat().st_mtime > began]
    return len(registry.index) > known or any(b"had the same results" in log.read_bytes() for log in logs)


def adding(registry: Registry, known: int) -> bool:
    """Tell whether a version is being added: there are sources of more versions than are in the index."""
    sources = (registry.directory / "public" / "package" / "source").glob("**/*@*")
    return sum(1 for _ in sources) > known


def killed(registry: Registry, names: list[str], dice: random.Random) -> Registry:
    """Ask for what is not published, kill the server at some moment, and start it again."""
    lines = {line.split()[0] for line in registry.index}
    for name in names:
        if name not in lines:
            registry.job(name, wait=False)
    known, began, until = len(registry.index), time.time(), time.monotonic() + 60
    moment = dice.random()
    if moment < 0.2:
        time.sleep(dice.random() * 2)
    elif moment < 0.6:
        while not near_the_end(registry, known, began) and time.monotonic() < until:
            time.sleep(0.002)
        time.sleep(dice.random())
    else:
        while not adding(registry, known) and time.monotonic() < until:
            time.sleep(0.0005)
        time.sleep(dice.choice((0, 0.1)) * dice.random())
    registry.process.kill()
    registry.process.wait()
    found = wrong(registry.directory / "public")
    assert not found, found
    again = serve(registry.market)
    found = wrong(registry.directory / "public")
    assert not found, found
    return again


def stress(market: Published, packages: int, kills: int, seed: int) -> int:
    """Publish packages while the server is killed; return how many were published before the last kill."""
    dice = random.Random(seed)
    names = [f"example.test/p{number}" for number in range(packages)]
    for name in names:
        market.publish(name, "1.0.0", default=MODULE.format(name))
    registry = serve(market)
    for _ in range(kills):
        registry = killed(registry, names, dice)
    during = len(registry.index)
    for name in names:
        if not any(line.startswith(name + " ") for line in registry.index):
            job = registry.job(name)
            assert job["state"] == "published", job
    registry.process.terminate()
    assert registry.process.wait(30) == 0
    assert not wrong(registry.directory / "public")
    assert sorted(line.split()[0] for line in registry.index) == sorted(names)
    kept = sorted(os.listdir(registry.directory))
    assert kept == ["jobs", "key", "key.pub", "lock", "public", "work"], kept
    until = time.monotonic() + 15
    while left_over(registry.directory):
        assert time.monotonic() < until, left_over(registry.directory)
        time.sleep(0.1)
    return during


def main() -> None:
    """Read the command line, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packages", type=int, default=12)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    if shutil.which("ssh-keygen") is None:
        sys.exit("there is no ssh-keygen, which a registry signs with")
    base = Path(tempfile.mkdtemp(prefix="bk", dir="/tmp"))
    try:
        during = stress(published(base), options.packages, options.kills, options.seed)
        print(f"{options.kills} kills, {during} of {options.packages} packages published meanwhile: whole")
    finally:
        remove_store(base)


if __name__ == "__main__":
    main()
