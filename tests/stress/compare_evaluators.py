"""Run random programs with the compiler and with the reference evaluator of the language, and compare.

    python3 tests/stress/compare_evaluators.py [--seed N] [--count 100000] [--jobs 2]

A finding is printed with the seed that makes it again, reduced to few lines, with what differs: what was
printed, the globals, or the error with its code, words, place and calls. The exit status is 1 when there is
one. A program that takes longer than a minute is a finding, too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
from collections import Counter
from typing import Any

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from tests.starlark.reference.both import difference, referred  # noqa: E402
from tests.starlark.reference.programs import random_case, reduced  # noqa: E402

SECONDS = 60


def too_long(*_signal: object) -> None:
    raise TimeoutError("takes too long")


def found(seed: int) -> tuple[int, str, str]:
    """Return a seed, how its program ended, and what differs."""
    case = random_case(seed)

    def differs(files: dict[str, str]) -> str:
        signal.alarm(SECONDS)
        try:
            return difference(files, case.dialect)
        except Exception as error:
            return f"{error!r} {error.__cause__!r}\n{files['main.star']}"
        finally:
            signal.alarm(0)

    signal.signal(signal.SIGALRM, too_long)
    text = differs(case.files)
    if text:
        return seed, "differs", f"{case.dialect}\n{differs(reduced(case.files, differs))}"
    return seed, ending(case), ""


def ending(case: Any) -> str:
    """Return the code of a program's error, or how else it ended."""
    outcome = referred(*case)
    if outcome.limited:
        return "limit"
    error = outcome.error
    return "ok" if error is None else str(error[0] if isinstance(error[0], str) else error[0][0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    endings: Counter[str] = Counter()
    seeds = range(options.seed, options.seed + options.count)
    with multiprocessing.Pool(options.jobs) as pool:
        for seed, how, text in pool.imap_unordered(found, seeds, chunksize=50):
            endings[how] += 1
            if text:
                print(f"==== seed {seed}\n{text}", flush=True)
    print(", ".join(f"{how}: {count}" for how, count in endings.most_common()))
    return 1 if endings["differs"] else 0


if __name__ == "__main__":
    sys.exit(main())
