"""What it costs to use many objects of a store, alone and beside another process that uses as many.

    python tests/bench/bench_uses.py [--bramble DIR] [COUNT …]

`--bramble` is a directory with another version of the package. Printed is the CPU time (user and system) of
a process that protects COUNT names, one by one as a build does and all at once, the locks that it holds, and
the CPU time of `collect(dry_run=True)` in the same store meanwhile.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from bramble.store.disk import Store
from bramble.store.digest import digest
store = Store.open(sys.argv[2])
names = [digest(b"%s%d" % (sys.argv[4].encode(), number)) for number in range(int(sys.argv[3]))]
start = time.process_time()
if sys.argv[5] == "each":
    for name in names:
        store.protect([name])
else:
    store.protect(names)
spent = time.process_time() - start
held = 0
for fd in os.listdir("/proc/self/fdinfo"):
    try:
        with open(f"/proc/self/fdinfo/{fd}") as text:
            held += sum(line.startswith("lock:") for line in text)
    except OSError:
        pass
print(spent, held, flush=True)
sys.stdin.read()
"""

COLLECT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from bramble.store.disk import Store
from bramble.store.gc.collect import collect
store = Store.open(sys.argv[2])
start = time.process_time()
collect(store, dry_run=True)
print(time.process_time() - start)
"""


def user(top: str, root: str, count: int, mark: str, how: str) -> tuple[subprocess.Popen[str], float, int]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, top, root, str(count), mark, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    spent, held = process.stdout.readline().split()
    return process, float(spent), int(held)


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("")


def fill(top: str, root: str, count: int) -> None:
    """Make objects that nobody needs: a file each, and its record."""
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from bramble.store.disk import Store; from bramble.store.digest import digest\n"
        "store = Store.open(sys.argv[2])\n"
        "from bramble.store.records.files import write_object\n"
        "from bramble.store.model import StoreObject\n"
        "for number in range(int(sys.argv[3])):\n"
        "    name = digest(b'g%d' % number); os.mkdir(store.object_path(name))\n"
        "    write_object(store.var, StoreObject(name, (), 0), sync=False)\n"
    )
    subprocess.run([sys.executable, "-c", script, top, root, str(count)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bramble", default=str(Path(__file__).resolve().parents[2]))
    parser.add_argument("counts", nargs="*", type=int, default=[3000, 10000, 20000])
    arguments = parser.parse_args()
    print("   names  one by one   beside as many   at once   locks   gc --dry-run of 2,000 beside it")
    for count in arguments.counts:
        with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="u") as place:
            root, top = place + "/s", arguments.bramble
            fill(top, root, 2000)
            first, alone, held = user(top, root, count, "a", "each")
            second, beside, _ = user(top, root, count, "b", "each")
            end(second)
            gc = subprocess.run(
                [sys.executable, "-c", COLLECT, top, root], capture_output=True, text=True, check=True
            )
            end(first)
            third, at_once, _ = user(top, root, count, "c", "all")
            end(third)
            times = f"{alone:9.3f} s {beside:14.3f} s {at_once:7.3f} s"
            print(f"{count:8d} {times} {held:7d} {float(gc.stdout):12.3f} s", flush=True)


if __name__ == "__main__":
    main()
