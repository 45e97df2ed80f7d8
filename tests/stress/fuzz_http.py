"""Download from a server that answers oddly, again and again: the right bytes, or an error, in time.

    python3 -m tests.stress.fuzz_http [--count 3000] [--seed N] [--waits 200] [--only NUMBER]

The answers are those of `tests/build/fetch/odd_answers.py`, of which CI tries a few. In `--waits` more rounds
the server is also silent or slow. A finding is printed with what makes it again; the exit status is 1 when
there is one.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import time

from tests.build.fetch.odd_answers import one_round


def main() -> int:
    """Run the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--waits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="one round")
    options = parser.parse_args()
    found, begin = 0, time.monotonic()
    ends: collections.Counter[str] = collections.Counter()
    numbers = range(options.count + options.waits) if options.only is None else [options.only]
    with tempfile.TemporaryDirectory(prefix="bh") as directory:
        for number in numbers:
            dice = random.Random(f"{options.seed} {number}")
            wrong, happened = one_round(dice, directory, waits=number >= options.count)
            ends[happened.rpartition(": ")[2] if ": fetch." in happened else "the right bytes"] += 1
            if wrong:
                found += 1
                waits = f"--count {options.count} --waits {options.waits} "
                print(f"--seed {options.seed} {waits}--only {number}: {wrong}: {happened}", flush=True)
    for end, times in ends.most_common():
        print(f"{times:6} {end}")
    print(f"{len(numbers)} rounds, {found} findings, {time.monotonic() - begin:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
