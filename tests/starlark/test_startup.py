"""What a run of the command loads: little, and most of it from one file of the cache."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bramble.starlark
from bramble.starlark.kept import checksum
from bramble.starlark.startup import NEEDED, package_stamp

PACKAGE = Path(bramble.starlark.__file__).parent


@pytest.fixture(autouse=True)
def _home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()


def python(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XDG"))}
    plain.update(HOME=str(tmp_path / "home"), PYTHONPATH=str(PACKAGE.parent.parent))
    plain.update(PYTHONPYCACHEPREFIX=str(tmp_path / "pycache"))
    return subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=plain,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def process(tmp_path: Path, *words: str) -> tuple[str, list[str]]:
    """Run the command as a process; return what it printed, and what was found by searching for it."""
    done = python(tmp_path, "-X", "importtime", "-m", "bramble.starlark", *words)
    lines = done.stderr.splitlines(keepends=True)
    found = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    printed = "".join(line for line in lines if not line.startswith("import time:"))
    return f"{done.returncode} {printed}", [name for name in found if name.startswith("bramble")]


# `__main__` is run and not imported.
SEARCHED = [
    *("bramble.isolation", "bramble", "bramble.starlark", "bramble.starlark.kept"),
    "bramble.starlark.startup",
]


def test_a_run_finds_all_that_it_needs_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("def f(x):\n    return x.upper()\nprint(f('a'), [1][f])\n")
    first, searched = process(tmp_path, "a.star")
    assert "got function, want int" in first and first.startswith("1 Traceback")
    assert len(searched) > len(NEEDED)
    assert process(tmp_path, "a.star") == (first, SEARCHED)


def test_what_few_programs_use_is_loaded_for_those_alone(tmp_path: Path) -> None:
    text = "import sys; from bramble.starlark.__main__ import main; print(main(sys.argv[1:]), *sys.modules)"
    known = {}
    for name, program in {"plain": "x = [1]\n", "json": "x = json.decode('[1]')\n"}.items():
        (tmp_path / name).write_text(program)
        for _ in range(2):
            status, *known[name] = python(tmp_path, "-c", text, name).stdout.split()
            assert status == "0"
    assert "bramble.starlark.runtime.json" in {*known["json"]} - {*known["plain"]}
    few = ("bramble.starlark.assertions", "bramble.starlark.patterns", "bramble.starlark.embedding", "bisect")
    heavy = ("re", "enum", "hashlib", "functools", "operator", "typing", "dataclasses", "contextlib", "json")
    assert not {*few, *heavy} & {*known["plain"]}


def test_modules_that_are_damaged_or_of_other_files_are_searched_for_again(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("print(1)\n")
    process(tmp_path, "a.star")
    (entry,) = (tmp_path / "home/.cache/bramble/starlark").glob("modules-*")
    good = entry.read_bytes()
    # Damaged, and whole with the stamp of other files.
    other = good[4:].replace(package_stamp(str(PACKAGE)).encode(), b"00000000", 1)
    for wrong in (good[:-1] + bytes([good[-1] ^ 1]), checksum(other) + other, b"", bytes(4)):
        entry.write_bytes(wrong)
        printed, searched = process(tmp_path, "a.star")
        assert printed == "0 1\n" and len(searched) > len(NEEDED)
        assert process(tmp_path, "a.star") == ("0 1\n", SEARCHED)
    entry.parent.chmod(0o777)
    assert len(process(tmp_path, "a.star")[1]) > len(NEEDED)


def test_a_module_from_the_file_is_as_one_that_is_imported(tmp_path: Path) -> None:
    text = (
        "import os, sys; from bramble.starlark import startup; from bramble.starlark.kept import user_cache\n"
        "if sys.argv[1] == 'kept':\n"
        "    startup.prepare(user_cache(os.environ), startup.package_stamp(startup.PACKAGE))\n"
        "from importlib import import_module\n"
        "for module in [import_module(f'bramble.starlark.{short}') for short in startup.NEEDED]:\n"
        "    spec = module.__spec__\n"
        "    print(module.__name__, module.__file__, module.__package__, getattr(module, '__path__', None),\n"
        "        module.__doc__, spec.name, spec.origin, spec.parent, spec.has_location, spec.loader.path,\n"
        "        spec.submodule_search_locations, sorted(vars(module)), module.__loader__ is spec.loader)\n"
    )
    shown = [python(tmp_path, "-c", text, how) for how in ("imported", "kept", "kept")]
    assert [run.stderr for run in shown] == ["", "", ""]
    imported, _first, second = [run.stdout.replace("'__cached__', ", "") for run in shown]
    assert imported == second and len(imported.splitlines()) >= len(NEEDED)


def test_each_of_the_needed_modules_stands_behind_those_that_it_imports() -> None:
    done = {"kept", "startup"}
    for short in NEEDED:
        path = PACKAGE / f"{short.replace('.', '/')}.py"
        text = path.read_text() if path.exists() else ""
        tree = ast.parse(text)
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level:
                floor = "" if node.level == len(short.split(".")) else "runtime."
                assert f"{floor}{node.module}" in done, (short, node.module)
        done.add(short)


def test_the_door_opens_to_all_that_it_shows() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (types,) = [
        node for node in tree.body if isinstance(node, ast.If) and node.body[0].__class__ is ast.ImportFrom
    ]
    told = {
        alias.name: node.module
        for node in types.body
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert sorted(told) == sorted(bramble.starlark.__all__)
    for name, module in told.items():
        there = importlib.import_module(f"bramble.starlark.{module}")
        assert getattr(bramble.starlark, name) is getattr(there, name)
        assert bramble.starlark._MODULE_OF[name] == module
    assert set(told) <= set(dir(bramble.starlark))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        bramble.starlark.nothing  # noqa: B018
