"""A Python without optional modules: only what needs one is refused, in words that name it (cli.python).

The modules are really away: the interpreter of the tests is copied, with a library of links that lacks them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bramble.interpreter import lacking_module, missing
from tests.cli.world import ROOT, Ran, World

OPTIONAL = ("ssl", "zlib", "bz2", "lzma", "ctypes", "readline", "unicodedata", "sqlite3", "curses")
BASE = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))


def without(place: Path, modules: tuple[str, ...]) -> Path:
    """Make an interpreter whose library lacks modules, and return its path."""
    library = Path(sysconfig.get_path("stdlib"))
    ours = place / library.relative_to(sys.base_prefix)
    (place / "bin").mkdir(parents=True)
    (ours / "lib-dynload").mkdir(parents=True)
    python = place / "bin" / BASE.name
    shutil.copy(BASE, python)
    for shared in Path(sys.base_prefix, "lib").glob("libpython3*"):
        if shared.is_file():
            (place / "lib" / shared.name).symlink_to(shared)
    for source, target in ((library, ours), (library / "lib-dynload", ours / "lib-dynload")):
        for entry in source.iterdir():
            name = entry.name.partition(".")[0]
            if entry.name not in ("lib-dynload", "site-packages") and name.lstrip("_") not in modules:
                (target / entry.name).symlink_to(entry)
    return python


@dataclass
class Lacking:
    """A world whose commands are run by an interpreter that lacks modules."""

    world: World
    python: Path

    def run(self, *words: str, stdin: str = "") -> Ran:
        done = subprocess.run(
            [self.python, "-I", "-S", ROOT / "bramble", *words],
            cwd=self.world.project,
            env=self.world.environment(PYTHONDONTWRITEBYTECODE="1"),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def lacks(self, module: str) -> bool:
        """Say whether a module is away; one that is built into the interpreter cannot be taken away."""
        tried = subprocess.run([self.python, "-I", "-S", "-c", f"import {module}"], capture_output=True)
        return tried.returncode != 0


@pytest.fixture
def poor(world: World, tmp_path: Path) -> Lacking:
    return Lacking(world, without(tmp_path / "poor", OPTIONAL))


@pytest.fixture
def archives(world: World) -> Path:
    made = world.project / "archives"
    made.mkdir()
    (made / "f").write_text("hello\n" * 1000)
    for kind in ("gz", "bz2", "xz"):
        with tarfile.open(made / f"a.tar.{kind}", f"w:{kind}") as packed:
            packed.add(made / "f", "f")
    with tarfile.open(made / "a.tar", "w") as plain:
        plain.add(made / "f", "f")
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(made / f"{name}.zip", "w", method) as pack:
            pack.write(made / "f", "f")
    return made


@pytest.fixture
def server() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def fetches(urls: dict[str, str]) -> str:
    return "\n".join(
        f'def {name}():\n    return derivation("{name}", builder="fetch_url", env={{"url": "{url}"}})\n'
        for name, url in urls.items()
    )


def test_what_needs_no_optional_module_works_without_any(poor: Lacking) -> None:
    (poor.world.project / "a.star").write_text("print(1 + 1)\n")
    poor.world.write(default='def f():\n    """Says é."""\n    return derivation("f", "x")\n')
    for words in (("--version",), ("help",), ("init", "hello"), ("ls",), ("star", "a.star")):
        assert poor.run(*words).status == 0, words
    assert poor.run("repl", stdin="20 + 1\n").out == "21\n"


def test_a_download_is_refused_only_for_what_it_is_packed_with(
    poor: Lacking, archives: Path, server: int
) -> None:
    needs = {
        "plain": ("a.tar", ""),
        "stored": ("stored.zip", ""),
        "gz": ("a.tar.gz", "zlib"),
        "bz2": ("a.tar.bz2", "bz2"),
        "xz": ("a.tar.xz", "lzma"),
        "deflated": ("deflated.zip", "zlib"),
    }
    urls = {name: f"file://{archives}/{file}" for name, (file, _) in needs.items()}
    if poor.lacks("ssl"):
        needs["secure"] = ("", "ssl")
        urls["secure"] = f"https://127.0.0.1:{server}/a"
    poor.world.write(fetch=fetches(urls))
    refused = set()
    for name, (_, module) in needs.items():
        found = poor.run("build", f"./fetch:{name}")
        # One that is built into this interpreter could not be taken away.
        if module and poor.lacks(module):
            refused.add(name)
            assert (found.status, found.codes) == (1, ["cli.missing-module"]), found.err
            assert f"Python's module {module}," in found.errors[0]["message"]
        else:
            assert found.status == 0, found.err
    if not refused:
        pytest.skip("all of these modules are built into this interpreter")


def test_without_ctypes_there_is_no_sandbox(poor: Lacking) -> None:
    assert poor.run("init", "hello").status == 0
    built = poor.run("-C", "hello", "build", "./:hello_world")
    if not poor.lacks("ctypes"):
        pytest.skip("ctypes is built into this interpreter")
    assert (built.status, built.codes) == (1, ["cli.missing-module"])
    assert built.errors[0]["message"].startswith("the sandbox needs Python's module ctypes, which ")


def test_with_ctypes_alone_everything_is_built(world: World, tmp_path: Path) -> None:
    rest = tuple(name for name in OPTIONAL if name != "ctypes")
    poor = Lacking(world, without(tmp_path / "poor", rest))
    assert poor.run("init", "hello").status == 0
    ran = poor.run("-C", "hello", "run", "./:hello_world", "say-hello-world")
    assert (ran.status, ran.out) == (0, "Hello World!\n"), ran.err


def test_a_library_with_holes_is_said_to_be_one(world: World, tmp_path: Path) -> None:
    poor = Lacking(world, without(tmp_path / "poor", ("json", "queue")))
    assert poor.run("--version").status == 0
    refused = poor.run("ls")
    assert refused.status == 1
    assert refused.err.startswith("error[cli.missing-module]: Bramble needs Python's module json, which ")


def test_the_remedy_is_one_for_that_python() -> None:
    code, fact, of_distribution = missing("_lzma", "/usr")
    assert (code, fact.partition(",")[0]) == (
        "cli.missing-module",
        "an archive that is packed with xz or LZMA needs Python's module lzma",
    )
    assert "apt install python3 " in of_distribution and "liblzma-dev" not in of_distribution
    built = missing("_lzma", "/opt/python")[2]
    assert "liblzma-dev (Debian)" in built and "apt install" not in built
    assert missing("json.decoder", "/opt/python")[1].startswith("Bramble needs Python's module json,")


def test_only_a_missing_module_is_taken_for_one() -> None:
    assert lacking_module(ModuleNotFoundError("no", name="_lzma")) == "_lzma"
    assert lacking_module(ImportError("libffi.so.7: no", name="_ctypes", path="/l/_ctypes.so")) == "_ctypes"
    assert lacking_module(ImportError("cannot import name", name="json", path="/l/json.py")) is None
    assert lacking_module(ModuleNotFoundError("no", name="bramble.cli.mian")) is None
    assert lacking_module(ImportError("no")) is None
