"""A project may have fetched what is its own, and what everybody may read; not what is the person's alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

import pytest

from bramble.build.fetch.reach import check_reach, check_repository, within_reach
from bramble.build.options import Reach
from bramble.errors import BrambleError

ROOTS = ("/home/x/src/p",)
CLOSED = ("/home/x", "/srv/closed", "/home/x/src/secret", "/home/x/src/key")
CASES = {
    "/home/x/src/p/own": True,
    "/home/x/src/p/.hidden/own": True,
    "/home/x/src/beside/file": True,
    "/home/x/src/key": False,
    "/home/x/src/secret/file": False,
    "/home/x/src/.netrc": False,
    "/home/x/notes.txt": False,
    "/home/x/src/p-other": True,
    "/srv/open/file": True,
    "/srv/closed/file": False,
    "/srv/.ssh/file": False,
    "/srv/.git/file": True,
    "/proc/self/environ": False,
    "/dev/null": False,
}


@pytest.mark.parametrize("path", CASES)
def test_the_rule(path: str) -> None:
    assert within_reach(path, ROOTS, lambda one: one not in CLOSED) is CASES[path]


def test_a_project_at_the_root_of_all_gives_nothing_away() -> None:
    assert not within_reach("/home/x/notes.txt", ("/p",), lambda one: one not in CLOSED)


def refused(path: Path, root: Path, check: object = check_reach) -> bool:
    try:
        check(str(path), "file:///x", Reach((str(root),)))  # type: ignore[operator]
    except BrambleError as error:
        assert error.code == "fetch.out-of-reach"
        return True
    return False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "p").mkdir()
    (tmp_path / "private" / ".git" / "objects").mkdir(parents=True)
    (tmp_path / "private").chmod(0o700)
    return tmp_path / "p"


def test_a_link_is_judged_by_where_it_leads(root: Path) -> None:
    (root.parent / "file").write_text("x")
    (root.parent / "file").chmod(0o600)
    (root / "link").symlink_to("../file")
    assert refused(root / "link", root)
    (root.parent / "file").chmod(0o644)
    assert not refused(root / "link", root)
    check_reach("/etc/shadow", "file:///etc/shadow", None)  # a library's caller decides for itself


@pytest.mark.parametrize("way", ["gitfile", "commondir", "alternates", "objects", "suffix", "link"])
def test_a_repository_is_judged_by_all_its_parts(root: Path, way: str) -> None:
    private = root.parent / "private" / ".git"
    repository = root / "repository"
    inner = repository / ".git"
    if way == "gitfile":
        repository.mkdir()
        inner.write_text(f"gitdir: {private}\n")
    elif way == "suffix":
        (root / "repository.git").symlink_to(private)
    elif way == "link":
        repository.symlink_to(os.path.relpath(private, root))
    else:
        (inner / "objects" / "info").mkdir(parents=True)
        if way == "objects":
            (inner / "objects" / "pack").symlink_to(private / "objects")
        else:
            name = {"commondir": "commondir", "alternates": "objects/info/alternates"}[way]
            (inner / name).write_text(f"{private}/objects\n")
    assert refused(repository, root, check_repository)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("repository/objects/info/alternates", '"PRIVATE"\n'),
        ("repository/objects/info/alternates", '"\\057PRIVATE"\n'),
        ("repository/objects/info/alternates", "../../other\0PRIVATE\n"),
        ("repository/commondir", ".\0PRIVATE\n"),
        ("repository/objects/info/alternates", "#" + "x" * 70_000 + "\nPRIVATE\n"),
        ("repository/objects/info/alternates", "#" + "x" * 2_000_000 + "\nPRIVATE\n"),
        ("other/info/alternates", "PRIVATE\n"),
        ("repository/objects/ab", None),
        ("repository/objects/ab/0123", None),
        ("repository/objects/pack/pack-1.pack", None),
        ("other/pack", None),
    ],
)
def test_objects_are_not_borrowed_from_out_of_reach(root: Path, name: str, text: Optional[str]) -> None:
    private = root.parent / "private" / ".git" / "objects"
    (root / "repository" / "objects" / "info").mkdir(parents=True)
    if name.startswith("other"):
        (root / "repository" / "objects" / "info" / "alternates").write_text("../../other\n")
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    assert not refused(root / "repository", root, check_repository)
    if text is None:
        (root / name).symlink_to(private)
    else:
        (root / name).write_text(text.replace("PRIVATE", str(private)))
    assert refused(root / "repository", root, check_repository)


@pytest.mark.parametrize("name", ["a\nb", " a", "a ", "a\x0bb", "a\x1cb", "a\x85b", "a\u2028b", "a\rb"])
@pytest.mark.parametrize("way", ["gitfile", "commondir"])
def test_a_path_of_git_is_read_to_its_end(root: Path, way: str, name: str) -> None:
    """For git it has one line, whatever is in it."""
    repository, private = root / "repository", root.parent / "private" / ".git"
    inside = repository if way == "gitfile" else repository / ".git"
    inside.mkdir(parents=True)
    for harmless in {*name.splitlines(), name.strip()} - {name}:
        (inside / harmless).mkdir(exist_ok=True)
    assert not refused(repository, root, check_repository)
    (inside / name).symlink_to(private)
    if way == "gitfile":
        (repository / ".git").write_bytes(f"gitdir: {name}\n".encode())
    else:
        (inside / "commondir").write_bytes(f"{name}\n".encode())
    assert refused(repository, root, check_repository)


def test_a_directory_that_stands_for_a_file_of_git_names_nothing(root: Path) -> None:
    for name in ("commondir", "objects/info/alternates"):
        (root / "repository" / ".git" / name).mkdir(parents=True)
    assert not refused(root / "repository", root, check_repository)


def test_an_ordinary_repository_of_the_project_is_in_reach(root: Path) -> None:
    (root / "repository" / ".git" / "objects" / "info").mkdir(parents=True)
    assert not refused(root / "repository", root, check_repository)
