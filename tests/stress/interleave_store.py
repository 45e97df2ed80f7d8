"""Two or three processes on one store in orders thrown by the dice, and with one of them killed somewhere.

    python3 -m tests.stress.interleave_store [--count 200] [--seed N]

First two records of one project in every order (about 1,100), then `--count` orders of each pair without a
death, as many with one, and as many of three at a time. Prints how many there were; ends at the first that
is wrong, with its seed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time

from tests.store.interleave import exhaust, sample
from tests.store.races import Scene
from tests.store.test_interleavings import PAIRS


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    memory = tempfile.mkdtemp(prefix="b", dir="/dev/shm")
    started, total = time.time(), 0
    scene = Scene(memory)
    try:
        total += exhaust(scene.root, scene.scene(scene.record("m:a"), scene.record("m:b")), scene.check)
        print(f"{total} orders of two records", flush=True)
        for name, pair in PAIRS.items():
            parts = pair(scene)
            for programs, kill in ((parts, False), (parts, True), ((*parts, scene.collect()), False)):
                prepare = scene.scene(*programs)
                total += sample(
                    scene.root, prepare, scene.check, count=options.count, seed=options.seed, kill=kill
                )
            print(f"{name}: {total} so far, {time.time() - started:.0f} s", flush=True)
    finally:
        shutil.rmtree(memory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
