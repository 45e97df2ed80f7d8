"""What `python -m bramble.starlark` reads, what it does not wait for, and how it ends where nothing runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bramble.starlark
from bramble.starlark.command import LARGEST, read_file, read_regular_file

ROOT = Path(bramble.starlark.__file__).parents[2]


def start(where: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bramble.starlark", "--no-cache", *words],
        cwd=where,
        env={"PYTHONPATH": str(ROOT), "HOME": str(where)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(where: Path, *words: str, stdin: str = "") -> tuple[int, str]:
    process = start(where, *words)
    _, said = process.communicate(stdin, timeout=60)
    return process.returncode, said


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "a.star").write_text('load("fifo", "x")\n')
    assert run(tmp_path, "fifo") == (1, "fifo: it is not a regular file\n")
    status, said = run(tmp_path, "a.star")
    assert (status, said.splitlines()[-1]) == (1, "Error: cannot load fifo: it is not a regular file")


def test_what_is_open_already_can_be_run_and_not_loaded(tmp_path: Path) -> None:
    assert run(tmp_path, "/dev/stdin", stdin="print(1 + 1)\n") == (0, "2\n")
    assert run(tmp_path, "/dev/null") == (0, "")
    (tmp_path / "a.star").write_text('load("/dev/stdin", "x")\n')
    assert run(tmp_path, "a.star", stdin="x = 1\n")[0] == 1


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(OSError, match="larger than 64 MiB"):
        read_file(str(tmp_path / "huge"))
    with pytest.raises(OSError, match="larger than 64 MiB"):
        read_file("/dev/zero")
    os.truncate(tmp_path / "huge", LARGEST)
    assert len(read_regular_file(str(tmp_path / "huge"))) == LARGEST


def test_a_file_that_cannot_be_compiled_in_memory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("x = [" + "1," * 500_000 + "]\n")
    script = (
        "from bramble.starlark import bounds\n"
        "free = int(open('/proc/self/statm').read().split()[0]) * 4096 + (16 << 20)\n"
        "bounds.sensible_bound = lambda: free\n"
        "from bramble.starlark.__main__ import main\n"
        "print(main(['--no-cache', 'a.star']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "a.star: out of memory\n")


def test_the_compilation_of_a_file_can_be_interrupted(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("x = 1\n" * 5_000_000)
    process = start(tmp_path, "a.star")
    # It has the file when it is so large.
    while int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096 < 100 << 20:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "a.star: interrupted\n")
