"""`bramble star` compiles a file once, unless it is told to keep nothing."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from bramble.cli.main import main
from bramble.starlark import Program


def star(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out):
        status = main(["star", *words])
    return status, out.getvalue()


def test_a_file_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "a.star"
    file.write_text("print(1 + 1)\n")
    read: list[bytes] = []
    original = Program.from_bytes
    monkeypatch.setattr(Program, "from_bytes", lambda data: read.append(data) or original(data))
    assert star("--no-cache", str(file)) == (0, "2\n")
    # Many small files that are run once each, as a test suite has them, are not worth a place.
    assert star("--each", str(file))[0] == 0
    assert not (tmp_path / "cache").exists()
    assert star(str(file)) == (0, "2\n")
    assert read == []
    assert star(str(file)) == (0, "2\n")
    assert len(read) == 1
    file.write_text("print(1 // 0)\n")
    status, shown = star(str(file))
    assert (status, star(str(file))) == (1, (1, shown))
    assert len(read) == 2
