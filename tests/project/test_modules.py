"""Module names, their files, and targets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bramble.errors import BrambleError
from bramble.project.modules import ModuleRoots, Target, parse_target
from bramble.project.packages import NO_PACKAGES, Packages
from bramble.project.project import Project, find_project

NAME = "example.com/p"


def make(root: Path, *files: str) -> Project:
    (root / "bramble.toml").write_text(f'[package]\nname = "{NAME}"\nversion = "0.0.1"\n')
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("")
    return find_project(str(root))


def roots(root: Path, *files: str) -> ModuleRoots:
    return ModuleRoots(make(root, *files), NO_PACKAGES)


def code_of(action) -> str:
    with pytest.raises(BrambleError) as caught:
        action()
    assert caught.value.remedy
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("./:f", Target("./:f", "path", "./", "f")),
        ("./lib:f", Target("./lib:f", "path", "./lib", "f")),
        ("./lib", Target("./lib", "path", "./lib")),
        ("./", Target("./", "path", "./")),
        (".", Target(".", "path", ".")),
        ("..", Target("..", "path", "..")),
        (".:f", Target(".:f", "path", ".", "f")),
        ("../lib/x:f", Target("../lib/x:f", "path", "../lib/x", "f")),
        ("./...", Target("./...", "path", "./", None, True)),
        ("../...", Target("../...", "path", "../", None, True)),
        ("./lib/...", Target("./lib/...", "path", "./lib", None, True)),
        ("example.com/p:f", Target("example.com/p:f", "module", "example.com/p", "f")),
        ("example.com/p/lib", Target("example.com/p/lib", "module", "example.com/p/lib")),
        ("example.com/p/...", Target("example.com/p/...", "module", "example.com/p", None, True)),
        ("hello:f", Target("hello:f", "module", "hello", "f")),
    ],
)
def test_a_target_is_a_path_or_a_module_with_an_optional_function(text, expected):
    assert parse_target(text) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (":hello", "./:hello"),
        ("...", "./..."),
        ("", "./"),
        (":", "./:function"),
        ("./lib:", "./lib"),
        ("./...:f", "./..."),
        ("/abs/path:f", "./path"),
        ("lib/../x:f", "./lib/../x:f"),
        ("lib//x", "./lib//x"),
        ("lib/", "./lib/"),
        ("lib/.../x", "lib/..."),
        ("./lib/.../x:f", "./lib/..."),
    ],
)
def test_a_target_with_a_mistake_is_answered_with_what_was_meant(text, meant):
    with pytest.raises(BrambleError) as caught:
        parse_target(text)
    assert caught.value.code == "load.target"
    assert meant in (caught.value.remedy or "")


def test_files_and_directories_are_modules(tmp_path: Path):
    found = roots(
        tmp_path, "default.bramble", "x.bramble", "a/default.bramble", "a/b.bramble", "a/c-d.bramble"
    )
    for module, path in (
        (NAME, "default.bramble"),
        (f"{NAME}/x", "x.bramble"),
        (f"{NAME}/a", "a/default.bramble"),
        (f"{NAME}/a/b", "a/b.bramble"),
        (f"{NAME}/a/c-d", "a/c-d.bramble"),
    ):
        located = found.locate(module)
        assert (located.name, located.path, located.project) == (module, path, NAME)
        assert os.path.samefile(located.file, tmp_path / path)


def test_paths_start_where_the_command_runs(tmp_path: Path):
    make(tmp_path, "a/default.bramble", "a/b.bramble", "c.bramble")
    found = ModuleRoots(find_project(str(tmp_path / "a")), NO_PACKAGES)
    assert found.of_path("./").path == "a/default.bramble"
    assert found.of_path("./b").name == f"{NAME}/a/b"
    assert found.of_path("../c").name == f"{NAME}/c"
    assert found.of_path("../a/../a/b/").name == f"{NAME}/a/b"
    assert code_of(lambda: found.of_path("../../x")) == "load.outside"


def test_a_module_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path):
    found = roots(tmp_path, "libs/default.bramble")
    with pytest.raises(BrambleError) as caught:
        found.of_path("./lib")
    assert caught.value.code == "load.unknown-module"
    assert f"{NAME}/libs" in (caught.value.remedy or "")
    # Asking twice gives the same answer.
    assert code_of(lambda: found.of_path("./lib")) == "load.unknown-module"


@pytest.mark.parametrize("path", ["./x.bramble", "./default.bramble", "./a/default", "./default"])
def test_a_file_is_not_a_module_by_its_file_name(tmp_path: Path, path: str):
    found = roots(tmp_path, "default.bramble", "x.bramble", "a/default.bramble")
    assert code_of(lambda: found.of_path(path)) == "load.unknown-module"


def test_two_files_of_one_name_are_an_error(tmp_path: Path):
    found = roots(tmp_path, "a.bramble", "a/default.bramble")
    assert code_of(lambda: found.locate(f"{NAME}/a")) == "load.ambiguous"
    assert code_of(lambda: found.below_path("./")) == "load.ambiguous"


def test_a_name_belongs_to_the_longest_root_that_it_continues(tmp_path: Path):
    for name in ("main", "lib", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.bramble").write_text("")
    project = make(tmp_path / "main", "default.bramble")
    found = ModuleRoots(
        project,
        Packages({NAME + "q": str(tmp_path / "lib"), NAME + "/deep/er": str(tmp_path / "inner")}),
    )
    assert found.locate(f"{NAME}q/x").root == str(tmp_path / "lib")
    assert found.locate(f"{NAME}/deep/er/x").root == str(tmp_path / "inner")
    assert found.locate(f"{NAME}/x").root == project.root
    assert code_of(lambda: found.locate(f"{NAME}z/x")) == "load.unknown-package"
    assert code_of(lambda: found.locate("other.example/x")) == "load.unknown-package"


@pytest.mark.parametrize(
    "module", ["", "./x", "../x", "/x", f"{NAME}/../x", f"{NAME}//x", f"{NAME}/./x", f"{NAME}/"]
)
def test_a_module_name_is_never_relative(tmp_path: Path, module: str):
    assert code_of(lambda: roots(tmp_path, "x.bramble").locate(module)) == "load.relative"


def listed(found: ModuleRoots, path: str) -> list[str]:
    return [module.name[len(NAME) :] for module in found.below_path(path)]


def test_everything_below_a_path_is_listed_by_name(tmp_path: Path):
    found = roots(
        tmp_path, "b.bramble", "default.bramble", "a/x.bramble", "a/y/default.bramble", "a-b.bramble", "n.txt"
    )
    assert listed(found, "./") == ["", "/a-b", "/a/x", "/a/y", "/b"]
    assert listed(found, "./a") == ["/a/x", "/a/y"]
    assert listed(found, "./b") == ["/b"]
    assert [m.name for m in found.below_module(f"{NAME}/a")] == [f"{NAME}/a/x", f"{NAME}/a/y"]


def test_hidden_directories_links_and_inner_projects_are_not_listed(tmp_path: Path):
    found = roots(
        tmp_path, "default.bramble", ".git/x.bramble", "in/x.bramble", "in/bramble.toml", ".h.bramble"
    )
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "endless.bramble").symlink_to("endless.bramble")
    (tmp_path / "nowhere.bramble").symlink_to("gone")
    assert listed(found, "./") == [""]
    assert code_of(lambda: found.of_path("./endless")) == "load.unknown-module"
    assert code_of(lambda: found.of_path("./in/x")) == "load.unknown-module"


def test_an_empty_directory_lists_nothing_and_a_missing_one_is_an_error(tmp_path: Path):
    found = roots(tmp_path)
    (tmp_path / "empty").mkdir()
    assert listed(found, "./empty") == []
    assert code_of(lambda: found.below_path("./nope")) == "load.unknown-module"


def test_a_link_out_of_the_project_is_no_module(tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x.bramble").write_text("")
    (tmp_path / "p").mkdir()
    found = roots(tmp_path / "p", "default.bramble")
    (tmp_path / "p/x.bramble").symlink_to("../outside/x.bramble")
    (tmp_path / "p/dir").symlink_to("../outside")
    assert code_of(lambda: found.of_path("./x")) == "load.outside"
    assert code_of(lambda: found.of_path("./dir/x")) == "load.outside"
