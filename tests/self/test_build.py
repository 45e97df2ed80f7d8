"""Bramble builds itself, and what it built builds it again: the real thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.self.stages import difference, project_of
from bramble.self.tree import source_tree
from bramble.store.files.remove import remove_tree

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory of a short path: that of a store has an end."""
    made = tempfile.mkdtemp(prefix="b-", dir="/tmp")
    yield Path(made)
    remove_tree(made)


def build(top: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environ}
    command = [sys.executable, "-I", str(top / "bramble"), "self", "build", *words]
    return subprocess.run(command, env=given, capture_output=True, text=True)


def test_three_stages_are_identical_and_the_last_one_conforms(short: Path, packed: bytes) -> None:
    done = build(TOP, "--nested", "--json", str(short / "b"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    stages = told["stages"]
    assert [(stage["number"], stage["nested"]) for stage in stages] == [(1, False), (2, True), (3, False)]
    assert told["identical"] and len({stage["name"] for stage in stages}) == 1
    # The tools of a stage are copies of those before, in a sandbox where no others are: nothing was added.
    assert len({stage["tools"] for stage in stages}) == 1
    assert len({os.path.dirname(stage["path"]) for stage in stages}) == 3
    last = stages[-1]
    assert (Path(last["path"]) / "bin" / "bramble").read_bytes() == packed
    (wheel,) = (Path(last["path"]) / "wheel").iterdir()
    assert wheel.name.endswith("-py3-none-any.whl") and zipfile.is_zipfile(wheel)
    for stage in stages:
        store = Path(stage["path"]).parent
        # Also root, who may write there, has left no bytecode in an object.
        assert not list(store.rglob("__pycache__"))
    python = short / "python"
    tools = last["tools_path"]
    python.write_text(f'#!{tools}/bin/sh\nexec {tools}/bin/python3 -X pycache_prefix={short}/bytecode "$@"\n')
    python.chmod(0o755)
    suite = subprocess.run(
        [sys.executable, "-m", "conformance", "--env", f"BRAMBLE_PYTHON={python}", "--impl"]
        + [f"{tools}/bin/sh {last['path']}/bin/bramble"]
        + ["derivation/document", "build/host-tools", "build/identity"],
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert suite.returncode == 0, suite.stdout + suite.stderr


# The build of stage 2 has its Python below DIR/2.
_MARKED = b"""
import sys

_whole = pack


def pack(files):
    return _whole(files) + (b"2" if "/2/bramble/" in sys.executable else b"")
"""


# Three stages are built by everybody in the test before.
@pytest.mark.once
def test_a_result_that_depends_on_its_stage_is_not_identical(short: Path) -> None:
    files = source_tree()
    name = "bramble/self/pack.py"
    broken = files[name] + _MARKED
    for path, data in {**files, name: broken}.items():
        (short / "s" / path).parent.mkdir(parents=True, exist_ok=True)
        (short / "s" / path).write_bytes(data)
    done = build(short / "s", str(short / "b"), BRAMBLE_ERROR_FORMAT="json")
    assert done.returncode == 1 and done.stdout == ""
    error = json.loads(done.stderr.splitlines()[-1])
    assert error["error"] == "self.not-identical"
    assert error["message"].startswith("stage 2 differs from stage 1: bin/bramble, byte ")


def test_what_cannot_be_built_is_said(short: Path) -> None:
    done = build(TOP, "--python", "/no/such/python3", str(short / "b"))
    assert (done.returncode, "build.host-tool-missing" in done.stderr) == (1, True)
    assert "self.stage-failed" in done.stderr and "Traceback" not in done.stderr
    assert build(TOP, "--python", "/usr/bin/python3.9").returncode == 2
    again = build(TOP, str(short / "b"))
    assert (again.returncode, "self.not-empty" in again.stderr) == (1, True)


def test_the_first_difference_is_named() -> None:
    one = {"a": b"x" * 1000, "b": b"12345"}
    assert difference(one, dict(one)) == ""
    assert difference(one, {**one, "b": b"12x45"}) == "b, byte 2"
    assert difference(one, {**one, "b": b"123"}) == "b, byte 3"
    assert difference(one, {"a": one["a"]}) == "b is only in one of them"


def test_the_project_holds_the_whole_source_and_other_tools_where_it_is_told() -> None:
    source = source_tree()
    project = project_of(source)
    assert {name[len("source/") :] for name in project if name.startswith("source/")} == set(source)
    assert {name for name in project if not name.startswith("source/")} == {
        *("bramble.toml", "default.bramble", "tools")
    }
    changed = project_of(source, "/a/python3 /a/sh")
    assert changed["tools"] == b"/a/python3 /a/sh\n"
    assert {**changed, "tools": project["tools"]} == project
