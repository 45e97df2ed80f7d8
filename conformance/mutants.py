"""Deliberate faults of the reference implementation, each of which some case must catch.

`python3 -m conformance.mutants [PARAGRAPH…]` copies the implementation, puts one fault into
the copy, runs the cases of the paragraphs that it breaks, and demands that one of them fails.
A fault that no longer fits the source is an error too: the list cannot rot. It is run by hand, since it
follows the text of the implementation, which the rest of the suite does not know.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from conformance import runner
from conformance.casefile import LEVELS, Case
from conformance.outcome import FAILED
from conformance.session import Implementation

TOP = os.path.dirname(runner.HOME)


@dataclass(frozen=True)
class Mutant:
    """One fault: the paragraph that it breaks, and the text in its place; the old one stands once."""

    paragraph: str
    path: str
    old: str
    new: str


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "derivation.json.empty",
        "bramble/derivation/gojson.py",
        'return "[" + ",".join(items) + "]" if items else NULL',
        'return "[" + ",".join(items) + "]"',
    ),
    Mutant(
        "derivation.json.strings",
        "bramble/derivation/gojson.py",
        "\\\\<>&",
        "\\\\<>",
    ),
    Mutant(
        "derivation.dependencies",
        "bramble/derivation/model.py",
        "return tuple(sorted(found))",
        "return tuple(sorted(found, reverse=True))",
    ),
    Mutant(
        "derivation.store.digest",
        "bramble/derivation/resolve.py",
        '"" if d.output else d.filename',
        "d.filename",
    ),
    Mutant(
        "objects.archive.split",
        "bramble/store/archive.py",
        "PREFIX_FIELD + 1)",
        "PREFIX_FIELD - 80)",
    ),
    Mutant(
        "objects.archive.extended",
        "bramble/store/archive.py",
        "return len(text) > NAME_FIELD or not text.isascii()",
        "return len(text) > NAME_FIELD",
    ),
    Mutant(
        "objects.identity.positions",
        "bramble/store/identity.py",
        'batch.append(b"|%d" % place)',
        'batch.append(b"|")',
    ),
    Mutant(
        "build.sources.object",
        "bramble/store/sources.py",
        "mode = 0o755 if before.st_mode & stat.S_IXUSR else 0o644",
        "mode = 0o644",
    ),
    Mutant(
        "build.environment",
        "bramble/build/naming.py",
        "return tuple(sorted(variables.items()))",
        'return tuple(sorted({"HOME": "/", **variables}.items()))',
    ),
    Mutant(
        "build.directory",
        "bramble/build/naming.py",
        'start += "/" + resolved.source.relative_build_path',
        "pass",
    ),
    Mutant(
        "build.sandbox",
        "bramble/build/naming.py",
        "mounts = [Mount(directories.build,",
        'mounts = [Mount("/usr", "/usr"), Mount(directories.build,',
    ),
)


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
            shutil.copytree(os.path.join(source, "bramble"), os.path.join(copy, "bramble"))
            path = os.path.join(copy, mutant.path)
            with open(path, encoding="utf-8") as file:
                text = mutated(file.read(), mutant)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            outcomes = runner.run(
                chosen,
                Implementation((sys.executable, "-m", "bramble"), (("PYTHONPATH", copy),)),
                levels=LEVELS,
                capabilities=runner.claimed_capabilities([]),
                accept=False,
                jobs=os.cpu_count() or 1,
                parent=None,
            )
        if not any(outcome.status == FAILED for outcome in outcomes):
            found.append(
                f"{mutant.paragraph}: none of {len(chosen)} cases notices {mutant.new!r} in {mutant.path}"
            )
    return found


def main(paragraphs: Sequence[str]) -> int:
    """Run the faults of the paragraphs named, or all; return 1 when one survives or is stale."""
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
