"""What a failed build looked for in vain: only files that the project has and the build has not are named."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from bramble.build.unlisted import uncalled, unlisted
from bramble.derivation.model import Sources


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("a.txt", "x/main.c", "x/own.h", "sub/b.txt", "Makefile", "such", "tsconfig.json"):
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_text("")
    (tmp_path / "outside.txt").write_text("")
    return tmp_path / "p"


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("cp: cannot stat 'a.txt': No such file or directory", ("a.txt",)),
        ("sh: 1: cannot open ./a.txt: No such file", ("a.txt",)),
        ("x/main.c:1:10: fatal error: own.h: No such file or directory", ("x/own.h",)),
        ("cat: Makefile: No such file or directory", ()),  # a bare word may be a word of the sentence
        ("make: 'Makefile' not found", ("Makefile",)),
        ("error TS5057: Cannot find a tsconfig.json file at the directory: '.'.", ("tsconfig.json",)),
        ("cp: cannot stat 'c.txt': No such file or directory", ()),
        ("a.txt has a mistake", ()),
        ("cat: ../outside.txt: No such file or directory", ()),
        ("cat: '/a.txt', 'a.txt\0': no such file", ()),
    ],
)
def test_what_is_named(said: str, named: tuple[str, ...], project: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"first\n{said}\nlast\n")
    assert unlisted(str(log), Sources(files=("x/main.c",)), str(project)) == named
    assert unlisted(str(log), Sources(files=("x/main.c", *named)), str(project)) == ()


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("./fix-libmath_h: 1: ed: not found", ("ed",)),
        ("sh: line 3: g++: command not found", ("g++",)),
        ("make[2]: msgfmt: No such file or directory", ("msgfmt",)),
        ("/usr/bin/env: ‘perl’: No such file or directory\nsh: 1: ed: not found", ("perl", "ed")),
        ("cat: ed: No such file or directory", ()),
        ("make: dir/file: No such file or directory", ()),
        ("checking for ed... not found", ()),
        ("sh: 1: ./configure: not found", ()),
        ("the key was not found", ()),
    ],
)
def test_programs_that_are_named(said: str, named: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"first\n{said}\nlast\n")
    assert uncalled(str(log)) == named
    assert uncalled(None) == uncalled(str(tmp_path / "gone")) == ()


def test_names_are_relative_to_the_file_that_calls_files(project: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("cat: b.txt: not found, and neither is ../a.txt\n")
    sources = Sources(location="sub", files=())
    assert unlisted(str(log), sources, str(project)) == ("b.txt", "../a.txt")
    assert unlisted(str(log), sources, None) == unlisted(None, sources, str(project)) == ()
    assert unlisted(str(tmp_path / "gone"), sources, str(project)) == ()


def test_a_log_that_is_large_or_no_text_costs_little(project: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\xff./ not found " * 400_000 + b"\n'a.txt' not found\n" * 3000)
    tracemalloc.start()
    try:
        assert unlisted(str(log), Sources(), str(project)) == ("a.txt",)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
