"""A forked command does what one in a new interpreter does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import forked

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(forked.ROOT), "NO_COLOR": "1"}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "said.star").write_text("print('grüße', {'a': 1})\n", "utf-8")
    (tmp_path / "wrong.star").write_text("def f():\n    return 1 // 0\nf()\n")
    return tmp_path


def run(here: Path, *words: str, seconds: float = 60, **more: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**ENVIRONMENT, "BRAMBLE_PATH": str(here / "s"), **more.pop("environment", {})}
    with open(os.devnull, "rb") as nothing:
        return forked.run(
            words,
            directory=str(here),
            environment=environment,
            stdin=nothing.fileno(),
            seconds=seconds,
            **more,
        )


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("help",),
        ("no-such-verb",),
        ("star", "said.star"),
        ("star", "wrong.star"),
        ("star", "no\udcff\n.star"),
        ("store", "--json"),
        ("ls",),
    ],
)
@pytest.mark.parametrize("leader", [False, True])
def test_status_and_output_are_those_of_a_new_interpreter(
    words: tuple[str, ...], leader: bool, here: Path
) -> None:
    started = subprocess.run(
        [sys.executable, "-m", "bramble", *words],
        cwd=here,
        env={**ENVIRONMENT, "BRAMBLE_PATH": str(here / "s")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    done = run(here, *words, leader=leader)
    assert (done.returncode, done.stdout, done.stderr) == (started.returncode, started.stdout, started.stderr)


@pytest.mark.parametrize(
    ("program", "output"),
    [
        ("forked._end(3)", ""),
        ("forked._end(256 + 5)", ">&-"),
        ("sys.stdout.write('said'); forked._end(0)", ""),
        ("sys.stdout.write('said'); forked._end(0)", ">/dev/full"),
        ("sys.stdout.close(); forked._end(1)", "2>/dev/full"),
        ("atexit.register(print, 'done'); forked._end(1)", ""),
        ("threading.Timer(0.1, print, ['late']).start(); forked._end(0)", ""),
    ],
)
def test_the_end_is_that_of_an_interpreter(program: str, output: str) -> None:
    found = []
    for end in ("forked._end", "sys.exit"):
        text = f"import atexit, sys, threading; from tests import forked; {program}"
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" -c "$1" {output}', sys.executable, text.replace("forked._end", end)],
            cwd=forked.ROOT,
            env=ENVIRONMENT,
            capture_output=True,
            check=False,
        )
        found.append((done.returncode, done.stdout, done.stderr))
    assert found[0] == found[1]


def test_environment_directory_and_umask_are_the_commands_own(here: Path) -> None:
    told = run(here, "star", "wrong.star", environment={"BRAMBLE_ERROR_FORMAT": "json"}).stderr
    assert told.startswith(b'{"error"')
    assert not run(here, "star", "wrong.star").stderr.startswith(b'{"error"')
    before = os.umask(0o077)
    try:
        assert run(here, "init", "made").returncode == 0
    finally:
        os.umask(before)
    assert (here / "made").stat().st_mode & 0o777 == 0o700


def test_what_takes_too_long_is_killed_and_the_next_command_is_not(here: Path) -> None:
    (here / "long.star").write_text("def f():\n    for i in range(1 << 40):\n        pass\nf()\n")
    began = time.monotonic()
    for leader in (False, True):
        with pytest.raises(subprocess.TimeoutExpired):
            run(here, "star", "long.star", seconds=0.2, leader=leader)
    assert time.monotonic() - began < 60
    assert run(here, "--version").returncode == 0


def test_commands_in_turn_have_different_parents_so_different_seeds(here: Path) -> None:
    forked.end()
    idle = forked._starters(os.getpid(), forked.BRAMBLE).idle
    parents = [idle[-1] for _ in range(4) if run(here, "--version")]
    assert parents[0] is parents[2] is not parents[1] is parents[3]


@pytest.mark.parametrize(
    ("name", "value", "same"),
    [
        ("BRAMBLE_PATH", "/s", True),
        ("LC_ALL", "C.UTF-8", True),
        ("LC_ALL", "C", False),
        ("LANG", "C", False),
        ("PYTHONPATH", str(forked.ROOT), True),
        ("PYTHONPATH", "/elsewhere", False),
        ("PYTHONUTF8", "0", False),
        ("LD_PRELOAD", "x.so", False),
    ],
)
def test_what_an_interpreter_reads_at_its_start_needs_a_start(
    name: str, value: str, same: bool, tmp_path: Path
) -> None:
    assert forked.possible(str(tmp_path), {**ENVIRONMENT, name: value}) is same


@pytest.mark.parametrize("name", ["json.py", "bramble", "_json.so"])
def test_what_an_interpreter_may_import_needs_a_start(name: str, tmp_path: Path) -> None:
    assert forked.possible(str(tmp_path), ENVIRONMENT)
    (tmp_path / name).mkdir()
    assert not forked.possible(str(tmp_path), ENVIRONMENT)
