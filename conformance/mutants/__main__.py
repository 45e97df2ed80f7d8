"""Deliberate faults of the reference implementation, each of which some case must catch.

`python3 -m conformance.mutants [PARAGRAPH…]` copies the implementation, puts one fault into
the copy, runs the cases of the paragraphs that it breaks, and demands that one of them fails.
Where two barriers protect the same (a read-only root and Landlock, a process 1 that hides and one that
Landlock hides) a fault in one is caught by the tests of the package and by no case.
A fault that no longer fits the source is an error too, so that the list stays valid. It is run manually,
since it follows the text of the implementation, which the rest of the suite does not know.

With `--random N` it chooses N faults by chance instead (`chance`); this needs Python 3.12.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from conformance import runner
from conformance.casefile import LEVELS, Case
from conformance.claims import Rules, claimed_capabilities
from conformance.mutants import chance, fetching, language, others, packages, registries
from conformance.outcome import FAILED
from conformance.places import HOME
from conformance.world.session import Implementation

TOP = os.path.dirname(HOME)


@dataclass(frozen=True)
class Mutant:
    """One fault: the paragraph that it breaks, and the replacing text; the old text occurs once."""

    paragraph: str
    path: str
    old: str
    new: str


_FAULTS = (*language.FAULTS, *fetching.FAULTS, *packages.FAULTS, *registries.FAULTS, *others.FAULTS)
MUTANTS = tuple(Mutant(*fault) for fault in _FAULTS)


class Stale(Exception):
    """A fault that does not fit the source any more."""


def mutated(text: str, mutant: Mutant) -> str:
    """Return the text with the fault in it. Raises Stale."""
    if text.count(mutant.old) != 1:
        raise Stale(f"{mutant.paragraph}: {mutant.path} holds {text.count(mutant.old)} times: {mutant.old}")
    return text.replace(mutant.old, mutant.new)


def cases_of(mutant: Mutant, cases: Sequence[Case]) -> Sequence[Case]:
    """Return the cases that check the paragraph which a fault breaks."""
    return [case for case in cases if mutant.paragraph in case.spec]


def survivors(mutants: Sequence[Mutant], cases: Sequence[Case], source: str) -> list[str]:
    """Return, one line each, the faults that no case catches. Raises Stale."""
    found = []
    for mutant in mutants:
        chosen = cases_of(mutant, cases)
        with tempfile.TemporaryDirectory(prefix="bm-") as copy:
            for name in chance.SOURCE:
                put = shutil.copytree if os.path.isdir(os.path.join(source, name)) else shutil.copy
                put(os.path.join(source, name), os.path.join(copy, name))
            path = os.path.join(copy, mutant.path)
            with open(path, encoding="utf-8") as file:
                text = mutated(file.read(), mutant)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            outcomes = runner.run(
                chosen,
                Implementation((sys.executable, "-m", "bramble"), (("PYTHONPATH", copy),)),
                Rules(claimed_capabilities([])),
                levels=LEVELS,
                jobs=os.cpu_count() or 1,
            )
        if not any(outcome.status == FAILED for outcome in outcomes):
            found.append(
                f"{mutant.paragraph}: none of {len(chosen)} cases detects {mutant.new!r} in {mutant.path}"
            )
    return found


def main(words: Sequence[str]) -> int:
    """Run the faults of the paragraphs named, or all, or some by chance; return 1 when one is not caught."""
    parser = argparse.ArgumentParser(
        prog="python3 -m conformance.mutants", description="Faults for the cases."
    )
    parser.add_argument("paragraph", nargs="*", help="faults of this paragraph only")
    parser.add_argument("--random", metavar="N", type=int, help="N faults by chance instead of those listed")
    parser.add_argument("--seed", metavar="TEXT", default="0", help="which ones")
    parser.add_argument("--room", choices=chance.ROOMS, action="append", help="those of this room only")
    parser.add_argument("--only", metavar="NAME", action="append", default=[], help="this fault instead")
    parser.add_argument("--map", metavar="FILE", help="keep there which lines each case runs")
    parser.add_argument(
        "--most", metavar="N", type=int, help="a fault that the N best cases do not find has survived"
    )
    parser.add_argument("--also-as", metavar="USER", help="run what is not caught again as this user")
    options = parser.parse_args(words)
    if options.random is not None or options.only:
        return chance.main(
            options.random or 0,
            options.seed,
            TOP,
            map_file=options.map,
            most=options.most,
            only=options.only,
            rooms=options.room or chance.ROOMS,
            also_as=options.also_as,
        )
    paragraphs = options.paragraph
    chosen = [mutant for mutant in MUTANTS if not paragraphs or mutant.paragraph in paragraphs]
    try:
        alive = survivors(chosen, runner.load(), TOP)
    except Stale as problem:
        print(f"stale: {problem}")
        return 1
    for line in alive:
        print(f"survives: {line}")
    print(f"{len(chosen) - len(alive)} of {len(chosen)} faults caught")
    return 1 if alive or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
