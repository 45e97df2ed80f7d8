"""The reference implementation passes its own suite, whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from conformance import runner
from conformance.casefile import LEVELS
from conformance.claims import Rules, claimed_capabilities
from conformance.outcome import PASSED, UNCLAIMED
from conformance.world.session import Implementation
from tests.conformance.support import REFERENCE, TOP, forked_command


def suite(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conformance", *options],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_every_case_passes_and_none_is_left_out() -> None:
    # Forked; `python3 -m conformance --impl "python3 -I bramble"` starts an interpreter for each command.
    outcomes = runner.run(
        runner.load(),
        Implementation(REFERENCE, (("PYTHONPATH", TOP),), carry_out=forked_command),
        Rules(claimed_capabilities([])),
        levels=LEVELS,
        jobs=os.cpu_count() or 1,
    )
    wrong = {outcome.case.id: outcome.message for outcome in outcomes if outcome.status != PASSED}
    # A case for ordinary users is not for root, nor the other way round; nothing else may be missing here.
    other = "ordinary-user" if os.geteuid() == 0 else "root"
    missing = [outcome.case for outcome in outcomes if outcome.status == UNCLAIMED]
    assert [case.id for case in missing if other not in case.need] == []
    for case in missing:
        del wrong[case.id]
    assert wrong == {}


def test_the_command_runs_cases_of_the_reference() -> None:
    implementation = f"{sys.executable} -m bramble"
    done = suite(
        "--impl", implementation, "--env", f"PYTHONPATH={TOP}", "--json", "cli/init-run", "starlark/bool"
    )
    report = json.loads(done.stdout)
    assert {case["status"] for case in report["cases"]} == {"passed"}
    assert {case["id"].partition(":")[0] for case in report["cases"]} == {"cli/init-run", "starlark/bool"}
    assert done.returncode == 0


def test_every_paragraph_has_a_case_or_a_reason() -> None:
    done = suite("--trace")
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem:")]
    assert problems == []
    assert done.returncode == 0
