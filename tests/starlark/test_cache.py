"""Compiled programs that outlive the process: what is found again, and what must not be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bramble.starlark
from bramble.starlark import Dialect, Program, SyntaxFailure
from bramble.starlark.cache import ProgramCache
from bramble.starlark.kept import MOST_FILES, Kept, user_cache
from bramble.starlark.startup import package_stamp

PACKAGE = Path(bramble.starlark.__file__).parent
LISTS = (
    "import sys\n"
    "from bramble.starlark.__main__ import main\n"
    "status = main(sys.argv[1:])\n"
    "slow = ('re', 'enum', 'signal', 'hashlib', 'dataclasses', 'typing')\n"
    "print(status, [n for n in sys.modules if '.syntax' in n or '.compile' in n or n in slow])\n"
)


def run(tmp_path: Path, *words: str, **environ: str) -> tuple[str, str]:
    """Run the command in a process of its own, and return what it printed and whether it compiled."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XDG"))}
    plain.update(HOME=str(tmp_path / "home"), PYTHONPATH=str(PACKAGE.parent.parent))
    plain.update(environ)
    done = subprocess.run(
        [sys.executable, "-B", "-c", LISTS, *words],
        cwd=tmp_path,
        env=plain,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr, "compiled" if ".syntax" in done.stdout else done.stdout.strip()


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home/.cache/bramble/starlark").glob("*"))


@pytest.fixture(autouse=True)
def _home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()


def test_the_second_run_needs_nothing_that_reads_or_compiles_and_nothing_slow(tmp_path: Path) -> None:
    (tmp_path / "lib.star").write_text("def f(x):\n    return [x]\n")
    (tmp_path / "a.star").write_text('load("lib.star", "f")\nprint(f(1))\n')
    assert run(tmp_path, "a.star") == ("[1]\n", "compiled")
    assert len(kept(tmp_path)) == 2
    assert run(tmp_path, "a.star") == ("[1]\n", "0 []")
    (tmp_path / "lib.star").write_text("def f(x):\n    return (x)\n")
    assert run(tmp_path, "a.star") == ("1\n", "compiled")
    assert len(kept(tmp_path)) == 3


def test_errors_are_the_same_from_a_kept_program(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("def f(x):\n    return x + 1\n\nf(*[''])\n")
    first, how = run(tmp_path, "a.star")
    assert how == "compiled"
    assert "a.star:2:14: in f" in first
    assert run(tmp_path, "a.star") == (first, "1 []")
    # What cannot be compiled leaves nothing.
    (tmp_path / "b.star").write_text("x = )\n")
    assert run(tmp_path, "b.star") == run(tmp_path, "b.star")
    assert len(kept(tmp_path)) == 1


def test_options_and_names_are_part_of_what_is_looked_for(tmp_path: Path) -> None:
    cache = ProgramCache(Kept(str(tmp_path), ("cache",)))
    text = "def f(n):\n    return f(n - 1) if n else x\n"
    made = [
        cache.compile(text, name, dialect=dialect, predeclared=names)
        for name in ("a", "b")
        for dialect in (Dialect(), Dialect(recursion=True))
        for names in (["x"], ["x", "y"])
    ]
    assert len(os.listdir(tmp_path / "cache")) == len(made) == 8
    assert {(p.filename, p.dialect.recursion, p.predeclared) for p in made} == {
        (name, recursion, ("x",)) for name in ("a", "b") for recursion in (False, True)
    }
    with pytest.raises(SyntaxFailure):
        cache.compile("x = )", "a")


def test_nothing_is_kept_when_that_is_asked_for_or_impossible(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("print(1)\n")
    assert run(tmp_path, "--no-cache", "a.star") == ("1\n", "compiled")
    assert kept(tmp_path) == []
    (tmp_path / "home/.cache").write_text("no directory")
    assert run(tmp_path, "a.star") == ("1\n", "compiled")
    # A relative path is no place, says the XDG Base Directory Specification.
    assert run(tmp_path, "a.star", XDG_CACHE_HOME="here", HOME="") == ("1\n", "compiled")
    assert not (tmp_path / "here").exists()
    assert user_cache({"HOME": "", "XDG_CACHE_HOME": "x"}) is None
    assert run(tmp_path, "a.star", XDG_CACHE_HOME=str(tmp_path / "there")) == ("1\n", "compiled")
    assert len(list((tmp_path / "there/bramble/starlark").iterdir())) == 1


def test_a_home_that_cannot_be_written_just_works(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("print(1)\n")
    (tmp_path / "home").chmod(0o500)
    try:
        assert run(tmp_path, "a.star")[0] == "1\n"
        assert run(tmp_path, "a.star", HOME="/proc")[0] == "1\n"
    finally:
        (tmp_path / "home").chmod(0o700)


def test_a_program_of_another_version_of_the_package_is_not_run(tmp_path: Path) -> None:
    copied = tmp_path / "starlark"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    before = package_stamp(str(copied))
    assert before is not None
    assert before == package_stamp(str(copied)) != package_stamp(str(PACKAGE))
    target = copied / "compile" / "constructs" / "calls.py"
    status = target.stat()
    # As many bytes, and the same time.
    target.write_text(target.read_text().replace("Calls", "Cells", 1))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert package_stamp(str(copied)) != before
    assert package_stamp(str(tmp_path / "nowhere")) is None


def test_without_files_of_the_package_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bramble.starlark.cache.package_stamp", lambda package: None)
    cache = ProgramCache(Kept(str(tmp_path), ("cache",)))
    assert cache.compile("x = 1", "a").globals == ("x",)
    assert not (tmp_path / "cache").exists()


def test_what_is_damaged_or_open_to_others_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ProgramCache(Kept(str(tmp_path), ("cache",)))
    cache.compile("x = 1", "a")
    (entry,) = (tmp_path / "cache").iterdir()
    good = entry.read_bytes()
    entry.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert cache.compile("x = 1", "a").globals == ("x",)
    assert entry.read_bytes() == good
    monkeypatch.setattr(Program, "from_bytes", lambda data: pytest.fail("code of others is run"))
    (tmp_path / "cache").chmod(0o777)
    assert cache.compile("x = 1", "a").globals == ("x",)


def test_a_directory_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bramble.starlark.kept.MOST_FILES", 10)
    assert MOST_FILES > 100
    directory = Kept(str(tmp_path), ("cache",))
    for number in range(30):
        directory.write(f"n{number}", b"content")
        assert directory.read(f"n{number}") == b"content" or number % 6 == 0
        assert len(os.listdir(tmp_path / "cache")) <= 10
