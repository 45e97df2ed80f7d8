"""The package works where nothing else of its project is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bramble.starlark
from bramble.starlark import compile_program

PACKAGE = Path(bramble.starlark.__file__).parent


def alone(tmp_path: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    copied = tmp_path / "bramble" / "starlark"
    if not copied.exists():
        shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**environ, "PYTHONPATH": str(tmp_path)},
        input=text,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_package_alone_runs_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text('assert.eq(json.decode("[1]"), [1])\nprint(struct(a = 1))\n')
    done = alone(tmp_path, "-m", "bramble.starlark", "a.star")
    assert (done.returncode, done.stderr) == (0, "struct(a = 1)\n")


def test_an_error_ends_the_command_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("x = 1\ny = z\n")
    done = alone(tmp_path, "-m", "bramble.starlark", "a.star")
    assert (done.returncode, done.stderr) == (1, "a.star:2:5: undefined: z\n")
    (tmp_path / "b.star").write_text("def f(x):\n    return x + 1\nf('a')\n")
    done = alone(tmp_path, "-m", "bramble.starlark", "b.star")
    assert done.returncode == 1
    assert done.stderr == (
        "Traceback (most recent call last):\n  b.star:3:2: in <toplevel>\n  b.star:2:14: in f\n"
        "Error: unknown binary op: string + int\n"
    )


def test_statements_are_read_one_after_another_and_errors_end_nothing(tmp_path: Path) -> None:
    text = 'x = [1]\nx\nx + "a"\ndef f(a):\n    return a + 1\n\nf(2)\nfor i in [1]:\n    print(i)\n\nx\n'
    done = alone(tmp_path, "-m", "bramble.starlark", text=text)
    assert done.returncode == 1
    shown = (done.stdout + done.stderr).splitlines()
    assert "Error: unknown binary op: list + string" in shown
    assert "3" in shown and shown.count("[1]") == 2


# It looks for an import that leaves the package.
@pytest.mark.once
def test_the_tests_pass_where_nothing_else_is(tmp_path: Path) -> None:
    shutil.copytree(
        Path(__file__).parent, tmp_path / "tests" / "starlark", ignore=shutil.ignore_patterns("__pycache__")
    )
    done = alone(
        tmp_path,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/starlark",
        "-k",
        "errors or embedding or resolve",
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "passed" in done.stdout


def test_a_program_from_a_cache_needs_nothing_of_the_floors_that_read_and_compile(tmp_path: Path) -> None:
    kept = compile_program("def f(x): return [x, x + 1]\ny = f(1)[1]\n", "a.star").to_bytes()
    (tmp_path / "kept").write_bytes(kept)
    text = (
        "import sys\n"
        "from bramble.starlark import Program, execute\n"
        "program = Program.from_bytes(open('kept', 'rb').read())\n"
        "print(execute(program).globals['y'])\n"
        "print([name for name in sys.modules if '.syntax' in name or '.compile' in name])\n"
    )
    assert alone(tmp_path, "-c", text).stdout == "2\n[]\n"
