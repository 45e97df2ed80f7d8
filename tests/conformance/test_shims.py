"""The shims that people copy pass what the program behind them passes."""

from __future__ import annotations

import os
import sys

import pytest

from conformance import runner
from conformance.casefile import Chunk
from conformance.claims import Rules, claimed_capabilities
from conformance.world.session import implementation
from tests.conformance.support import TOP

SHIMS = os.path.join(TOP, "conformance", "shims")
PROGRAM = f"{sys.executable} -m bramble.starlark"


@pytest.mark.parametrize(
    "command", [f"sh {SHIMS}/shim.sh", f"{sys.executable} {SHIMS}/shim.py {PROGRAM}"], ids=["sh", "py"]
)
def test_a_program_with_another_command_line_is_checked_through_a_shim(command: str) -> None:
    chunks = [case for case in runner.load() if isinstance(case, Chunk)]
    outcomes = runner.run(
        [case for case in chunks if "bool:" in case.id][:3] + chunks[:: len(chunks) // 9],
        implementation(command, [("PYTHONPATH", TOP), ("STARLARK", PROGRAM)], 60.0),
        Rules(claimed_capabilities(["star-batch"]), codes=False),
        levels=["language"],
        jobs=os.cpu_count() or 1,
    )
    assert {outcome.case.id: outcome.message for outcome in outcomes if outcome.status != "passed"} == {}
    assert len(outcomes) > 10


@pytest.mark.parametrize(("which", "package"), [("rust", "starlark"), ("go", "starlark_go")])
def test_public_implementations_are_checked_through_a_shim(which: str, package: str) -> None:
    pytest.importorskip(package, reason=f"the package {package} is a peer for comparison, and is not here")
    chunks = [case for case in runner.load() if isinstance(case, Chunk) and case.id.startswith("starlark/")]
    names = ("starlark/list:", "starlark/string-trim:", "starlark/control:", "starlark/dict:")
    outcomes = runner.run(
        [case for case in chunks if case.id.startswith(names)][::8],
        implementation(f"{sys.executable} {SHIMS}/peers.py {which}", [], 60.0),
        Rules(claimed_capabilities([]), codes=False),
        levels=["language"],
        jobs=os.cpu_count() or 1,
    )
    passed = [outcome for outcome in outcomes if outcome.status == "passed"]
    # Programs that must fail are among them: who accepts all of them, or none, passes nothing.
    assert len(passed) > 0.7 * len(outcomes) and len(outcomes) > 15
