"""The projects that a project loads modules of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from bramble.errors import BrambleError
from bramble.packages.resolve import Ask, Tree, resolve
from bramble.project.project import find_project


def package(root: Path, name: str, version: str = "0.1.0", **paths: str) -> Path:
    """Write the project `example.com/NAME` in root/NAME. `b="../b 0.2.0"` is a dependency, `b="../b"` too."""
    lines = ["[package]", f'name = "example.com/{name}"', f'version = "{version}"', "[dependencies]"]
    for other, said in paths.items():
        path, _, wanted = said.partition(" ")
        least = f', version = "{wanted}"' if wanted else ""
        lines.append(f'"example.com/{other}" = {{ path = "{path}"{least} }}')
    directory = root / name
    directory.mkdir(parents=True)
    (directory / "bramble.toml").write_text("\n".join(lines) + "\n")
    return directory


def found(directory: Path) -> dict[str, str]:
    return dict(resolve(find_project(str(directory)), NoSource()).of_modules().directories)


class NoSource:
    """A source of packages for projects that need none."""

    def trees(self, asks: Sequence[Ask]) -> list[Tree]:
        raise AssertionError(asks)


def error_of(directory: Path) -> BrambleError:
    with pytest.raises(BrambleError) as caught:
        found(directory)
    assert caught.value.remedy
    return caught.value


def test_packages_of_packages_are_packages(tmp_path: Path) -> None:
    package(tmp_path, "c")
    package(tmp_path, "b", c="../c")
    app = package(tmp_path, "app", b="../b")
    assert found(app) == {"example.com/b": str(tmp_path / "b"), "example.com/c": str(tmp_path / "c")}


def test_one_directory_by_two_ways_is_one_package(tmp_path: Path) -> None:
    base = package(tmp_path, "base")
    os.symlink(base, tmp_path / "again")
    package(tmp_path, "left", base="../base")
    package(tmp_path, "right", base="../left/../again")
    app = package(tmp_path, "app", left="../left", right="../right")
    assert found(app)["example.com/base"] == str(base)


def test_two_packages_may_need_one_another_and_the_project(tmp_path: Path) -> None:
    package(tmp_path, "a", b="../b", app="../app")
    package(tmp_path, "b", a="../a")
    app = package(tmp_path, "app", a="../a")
    assert sorted(found(app)) == ["example.com/a", "example.com/b"]


def test_what_the_project_says_holds_over_what_a_package_says(tmp_path: Path) -> None:
    package(tmp_path, "base")
    package(tmp_path / "other", "base")
    package(tmp_path, "lib", base="../other/base")
    app = package(tmp_path, "app", lib="../lib", base="../base")
    assert found(app)["example.com/base"] == str(tmp_path / "base")


def test_packages_that_disagree_are_refused_at_the_later_one(tmp_path: Path) -> None:
    package(tmp_path, "base")
    package(tmp_path / "other", "base")
    package(tmp_path, "left", base="../base")
    package(tmp_path, "right", base="../other/base")
    error = error_of(package(tmp_path, "app", left="../left", right="../right"))
    assert (error.code, str(error.place)) == ("config.dependency", "example.com/right/bramble.toml:5:22")
    assert str(tmp_path / "base") in error.message and "example.com/left" in error.message


@pytest.mark.parametrize(
    ("paths", "code"),
    [
        ({"lib": "../nowhere"}, "config.dependency"),
        ({"lob": "../lib"}, "config.dependency"),
        ({"app": "."}, "config.dependency"),
        ({"app": "../lib"}, "config.dependency"),
        ({"lib": "../lib 1.2.4"}, "config.versions"),
        ({"lib": "../lib 0.9.0"}, "config.versions"),
        ({"lib": "../lib 2.0.0"}, "config.versions"),
    ],
)
def test_a_package_must_be_what_it_is_said_to_be(tmp_path: Path, paths: dict[str, str], code: str) -> None:
    package(tmp_path, "lib", "1.2.3")
    error = error_of(package(tmp_path, "app", **paths))
    assert (error.code, error.place.line if error.place else None) == (code, 5)


@pytest.mark.parametrize("said", ["../lib", "../lib 1.2.3", "../lib 1.0.0", "../lib 1.2.3-rc.1"])
def test_a_lesser_version_of_the_same_major_will_do(tmp_path: Path, said: str) -> None:
    package(tmp_path, "lib", "1.2.3")
    assert found(package(tmp_path, "app", lib=said)) == {"example.com/lib": str(tmp_path / "lib")}


def test_another_directory_does_not_pass_for_the_project(tmp_path: Path) -> None:
    package(tmp_path / "other", "app")
    package(tmp_path, "lib", app="../other/app")
    error = error_of(package(tmp_path, "app", lib="../lib"))
    assert (error.code, str(error.place)) == ("config.dependency", "example.com/lib/bramble.toml:5:21")


def test_an_error_in_a_package_is_shown_there(tmp_path: Path) -> None:
    lib = package(tmp_path, "lib")
    (lib / "bramble.toml").write_text('[package]\nname = "example.com/lib"\nversion = 1\n')
    error = error_of(package(tmp_path, "app", lib="../lib"))
    assert (error.code, str(error.place)) == ("config.type", "example.com/lib/bramble.toml:3:11")


def test_a_long_chain_of_packages_needs_no_recursion(tmp_path: Path) -> None:
    count = 1500
    package(tmp_path, f"p{count - 1}")
    for number in range(count - 1):
        package(tmp_path, f"p{number}", **{f"p{number + 1}": f"../p{number + 1}"})
    assert len(found(tmp_path / "p0")) == count - 1
