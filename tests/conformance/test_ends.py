"""How a run of the suite ends that does not come to its own end, and what it says before it begins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.__main__ import main
from tests.conformance.support import TOP

pytestmark = pytest.mark.once


def suite(words: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "conformance", *words],
        cwd=TOP,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("words", [["--list"], ["--dump"]], ids=lambda words: words[0])
def test_a_reader_who_leaves_early_is_no_error(words: list[str]) -> None:
    process = suite(words)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(100)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--impl", 'bramble "'], "--impl 'bramble \"': No closing quotation"),
        (["--impl", "true", "--tmp", "/no/such/place"], "there is no place to work in: "),
        (["--impl", "true", "--junit", "/no/such/place"], "/no/such/place: No such file or directory"),
        (["--impl", f"{TOP}/README.md"], f"'{TOP}/README.md' is not executable"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "store/archive-one"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"conformance: {problem}") and shown.err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_reports_what_it_has_found(number: signal.Signals, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\ntouch {begun}\nsleep 0.5\nexit 3\n")
    slow.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="bk-") as place:
        words = ["--impl", str(slow), "--tmp", place, "-j", "1", "--level", "store", "--json", "store"]
        process = suite(words)
        while not begun.exists():
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate()
        assert (process.returncode, err) == (1, b"")
        assert os.listdir(place) == []
    statuses = Counter(case["status"] for case in json.loads(out)["cases"])
    assert statuses["not run"] > 10
