"""Whatever a project or PYTHONPATH calls its files, the program's modules are Bramble's and Python's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.world import ROOT, World

HOSTILE = "import os\nos.write(2, b'code of the project ran')\nos._exit(3)\n"
# What Python itself reads before any module of ours (runpy and what that needs) cannot be kept away with -m.
AFTER_PYTHONS_OWN = ("argparse", "hashlib", "json", "signal", "gc", "tomllib", "secrets", "shutil")
EVERY = (*AFTER_PYTHONS_OWN, "runpy", "importlib", "types", "contextlib", "re", "os", "__future__")
WAYS = {
    "the module": (("-m", "bramble"), AFTER_PYTHONS_OWN),
    "the language": (("-m", "bramble.starlark"), AFTER_PYTHONS_OWN),
    "the directory": (("-I", str(ROOT / "bramble")), (*EVERY, "bramble", "sitecustomize", "usercustomize")),
}


@pytest.fixture
def hostile(world: World) -> World:
    world.write(default='def f():\n    return derivation("a", "b")\n')
    return world


def call(world: World, words: tuple[str, ...], path: str, cwd: Path | None = None) -> tuple[int, str]:
    last = ("--help",) if "bramble.starlark" in words else ("build", "--just-parse", "./:f")
    done = subprocess.run(
        [sys.executable, *words, *last],
        cwd=cwd or world.project,
        env={**world.environment(), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("way", WAYS)
def test_a_module_of_the_project_is_not_run(hostile: World, way: str) -> None:
    words, names = WAYS[way]
    for name in names:
        (hostile.project / f"{name}.py").write_text(HOSTILE)
    status, said = call(hostile, words, str(ROOT))
    assert "ran" not in said and status == 0, said


def test_the_directory_takes_nothing_from_the_environment(hostile: World) -> None:
    words, names = WAYS["the directory"]
    elsewhere = hostile.base / "elsewhere"
    elsewhere.mkdir()
    for name in names:
        (elsewhere / f"{name}.py").write_text(HOSTILE)
    assert call(hostile, words, f":{elsewhere}")[0] == 0
    relative = os.path.relpath(ROOT / "bramble", hostile.project)
    assert call(hostile, ("-I", relative), f".:{elsewhere}")[0] == 0


def test_pythonpath_gives_bramble_and_not_what_bramble_imports(hostile: World) -> None:
    elsewhere = hostile.base / "elsewhere"
    elsewhere.mkdir()
    for name in AFTER_PYTHONS_OWN:
        (elsewhere / f"{name}.py").write_text(HOSTILE)
    assert call(hostile, ("-m", "bramble"), f"{elsewhere}:{ROOT}")[0] == 0


def test_a_checkout_gives_its_package_alone(hostile: World) -> None:
    # As where a project was made in the clone itself.
    (hostile.project / "bramble").symlink_to(ROOT / "bramble")
    (hostile.project / "json.py").write_text(HOSTILE)
    assert call(hostile, ("-m", "bramble"), "")[0] == 0
    assert call(hostile, ("-I", "bramble"), "")[0] == 0


def test_a_store_in_the_working_directory_is_no_package(hostile: World) -> None:
    # The home directory, where the store is the directory `bramble`.
    (hostile.project / "bramble" / "bramble_store_padding").mkdir(parents=True)
    assert call(hostile, ("-m", "bramble"), str(ROOT))[0] == 0


def test_a_program_that_uses_the_language_keeps_its_path(hostile: World) -> None:
    package = hostile.project / "own"
    package.mkdir()
    (package / "__init__.py").write_text("import bramble.starlark\n")
    (package / "__main__.py").write_text("import beside\nimport bramble\nbeside.said(bramble.__version__)\n")
    (hostile.project / "beside.py").write_text("said = print\n")
    if sys.version_info >= (3, 10):
        assert call(hostile, ("-m", "own"), str(ROOT))[0] == 0
    done = subprocess.run(
        [sys.executable, "-c", "import sys; old = list(sys.path); import bramble; print(sys.path == old)"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"
