"""The suite as one file: the same bytes from the same tree, and it runs where nothing else lies."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import pack, runner
from conformance.casefile import LEVELS
from conformance.claims import Rules, claimed_capabilities
from tests.conformance.support import TOP

# Cases of a file, of a table, of a file of the language, and of a chapter: with them documents and their
# schemas, the oracle and the fixture. What more of them would show, they show of the implementation.
ONE_OF_EACH = ("cli/init-run", "derivation/store", "starlark/bool", "spec/conformance")


@pytest.fixture
def scratch() -> Iterator[Path]:
    # A short path, as stores need one.
    with tempfile.TemporaryDirectory(prefix="bk-") as place:
        yield Path(place)


def test_the_packed_suite_runs_anywhere(tmp_path: Path, scratch: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert pack.main([str(one)]) == pack.main([str(two)]) == 0
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_mode & 0o777 == 0o755
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(scratch), "HOME": str(tmp_path)}
    command = [sys.executable, "-I", str(one)]
    listed = subprocess.run(
        [*command, "--list"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    # Root is not asked for what only an ordinary user can show.
    here = runner.claimed(runner.load(), LEVELS, Rules(claimed_capabilities([])))
    assert listed.stdout.count("\n") == len(here)
    implementation = f"{sys.executable} -I {TOP}/bramble"
    done = subprocess.run(
        [*command, "--impl", implementation, *ONE_OF_EACH],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(scratch.iterdir()) == []


def test_where_it_cannot_be_written_it_is_said(tmp_path: Path) -> None:
    assert pack.main([]) == pack.main(["--help"]) == pack.main([str(tmp_path / "no" / "x")]) == 1
