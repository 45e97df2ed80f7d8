"""Every call of gc, repair, optimise, import and relocate fails once, with each error.

    python3 -m tests.stress.fault_store [--only ACTION,…] [--step 1]

Prints what is wrong, and how many were tried. `--step N` tries every Nth call.
"""

from __future__ import annotations

import argparse
import collections
import errno
import shutil
import sys
import tempfile
import time
import traceback

from tests.store.test_faults import ACTIONS, ERRORS, Bench, fail


def main() -> int:
    """Run the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--only", default=",".join(ACTIONS))
    parser.add_argument("--step", type=int, default=1)
    options = parser.parse_args()
    memory = tempfile.mkdtemp(prefix="b", dir="/dev/shm")
    wrong = 0
    try:
        bench = Bench(memory)
        for action in options.only.split(","):
            started, tried = time.time(), 0
            seen: collections.Counter[str] = collections.Counter()
            for error in ERRORS:
                at = 1
                while True:
                    try:
                        if fail(bench, action, at, error) is None:
                            break
                    except Exception as found:
                        wrong += 1
                        frames = traceback.extract_tb(found.__traceback__)
                        place = next((f for f in reversed(frames) if "/bramble/" in f.filename), frames[-1])
                        kind = f"{type(found).__name__} {place.filename.split('/')[-1]}:{place.lineno}"
                        seen[kind] += 1
                        if seen[kind] <= 3:
                            print(action, at, errno.errorcode[error], kind, str(found)[:300], flush=True)
                    tried += 1
                    at += options.step
            print(f"{action}: {tried} tried, {dict(seen)}, {time.time() - started:.0f} s", flush=True)
    finally:
        shutil.rmtree(memory, ignore_errors=True)
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
