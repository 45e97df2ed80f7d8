"""What the tests of the runner share: one case carried out against the fake implementation."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Optional

from conformance.casefile import Case, parse_case_file, parse_star_file
from conformance.claims import Rules, claimed_capabilities
from conformance.expect import carry_out
from conformance.outcome import Outcome
from conformance.world.following import Signal
from conformance.world.session import Ended, Implementation, Worlds, run_command
from tests import forked

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAKE = (sys.executable, "-S", os.path.join(os.path.dirname(os.path.abspath(__file__)), "fake.py"))

REFERENCE = (sys.executable, "-m", "bramble")


MINI = (sys.executable, "-I", os.path.join(TOP, forked.MINI, "__main__.py"))


def forked_command(
    command: Sequence[str],
    *,
    directory: str,
    environment: Mapping[str, str],
    seconds: float,
    standard_input: Optional[str] = None,
    signals: Optional[list[Signal]] = None,
) -> Ended:
    """Run a command of the reference or of MINI as `run_command` does, forked where that is the same."""
    first, program = (MINI, forked.MINI) if tuple(command[:3]) == MINI else (REFERENCE, forked.BRAMBLE)
    assert tuple(command[: len(first)]) == first
    words = command[len(first) :]
    if not forked.possible(directory, environment):
        return run_command(
            command,
            directory=directory,
            environment=environment,
            seconds=seconds,
            standard_input=standard_input,
            signals=signals,
        )
    with open(standard_input or os.devnull, "rb") as source:
        try:
            done = forked.run(
                words,
                directory=directory,
                environment=environment,
                stdin=source.fileno(),
                seconds=seconds,
                leader=True,
                program=program,
                signals=signals,
            )
        except subprocess.TimeoutExpired as late:
            return Ended(-signal.SIGKILL, late.stdout or b"", late.stderr or b"", timed_out=True)
    return Ended(done.returncode, done.stdout, done.stderr)


HEADER = "# A sentence.\nspec: store.padding\nlevel: store\n\n"


def case_of(script: str, path: str = "x.txt") -> Case:
    """Return a case with a usual header and this script."""
    return parse_case_file(path, HEADER + script, "x")


def chunk_of(body: str, allow: str = "") -> Case:
    """Return the only chunk of a file with a usual header and this body, which begins at line 4."""
    text = f"# A sentence.\n# spec: starlark.list\n# allow: {allow}\n{body}"
    return parse_star_file("x.star", text, "x")[0]


def outcome_of(
    case: Case,
    *,
    command: Sequence[str] = FAKE,
    seconds: float = 20.0,
    accept: bool = False,
    without: str = "",
) -> Outcome:
    """Carry one case out in a world of its own."""
    implementation = Implementation(tuple(command), seconds=seconds)
    rules = Rules(claimed_capabilities([without] if without else []), accept)
    with Worlds(implementation) as worlds, worlds.new() as world:
        return carry_out(case, world, rules)


def passes(script: str) -> None:
    """Demand that a script passes."""
    outcome = outcome_of(case_of(script))
    assert outcome.status == "passed", (outcome.status, outcome.source, outcome.message)


def fails(script: str, message: str, status: str = "failed") -> None:
    """Demand that a script fails, with this in the message."""
    outcome = outcome_of(case_of(script))
    assert outcome.status == status, (outcome.status, outcome.message)
    assert message in outcome.message, outcome.message
