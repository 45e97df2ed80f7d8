"""The tests' own tools: that what they try would work outside, or their failures would prove nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.sandbox import rawcalls
from tests.sandbox.world import World


@pytest.mark.skipif(not rawcalls.AVAILABLE, reason=rawcalls.REASON)
def test_the_raw_program_makes_its_calls_in_order_and_tells_their_results(tmp_path: Path) -> None:
    calls = [
        ("getuid",),
        ("open", str(tmp_path / "made").encode(), os.O_CREAT | os.O_WRONLY, 0o600),
        ("write", rawcalls.Of(1), b"hello", 5),
        ("open", b"/nowhere/at/all", 0),
    ]
    program = tmp_path / "program"
    program.write_bytes(rawcalls.program(calls))
    program.chmod(0o755)
    answer = rawcalls.results(subprocess.run([program], capture_output=True, check=True).stdout)
    assert answer[0] == os.getuid() and answer[2:] == [5, -2]
    assert (tmp_path / "made").read_text() == "hello"


def test_a_program_sees_its_input_and_writes_its_output(here: World) -> None:
    result = here.run("cat /input/file; echo made > /out/made; exit 7")
    assert (result.kind, result.code, result.text) == ("exited", 7, "given\n")
    assert (here.out / "made").read_text() == "made\n"


def test_raw_calls_work_in_a_sandbox(raw: World) -> None:
    assert raw.calls(("getpid",), ("getuid",)) == [2, 1000]
