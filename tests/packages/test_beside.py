"""From where a project takes packages by their paths: from around it, and from where that was granted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bramble.commands.context.packages import is_near
from bramble.project.config import ProjectConfig
from bramble.project.project import Project
from tests.packages.published import Published, toml

NAME = "example.test/lib"


def near(project: Path, directory: str) -> bool:
    root = os.path.realpath(project)
    return is_near(Project(root, ProjectConfig("p", "0.1.0")), os.path.realpath(f"{root}/{directory}"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    project = tmp_path / "home" / "src" / "p"
    (project / "inner" / ".hidden").mkdir(parents=True)
    (project.parent / "lib").mkdir()
    return project


def test_without_a_work_tree_what_is_beside_a_project_is_near(place: Path) -> None:
    # spec: packages.path.granted
    assert near(place, ".") and near(place, "inner/.hidden") and near(place, "../lib")
    assert not near(place, "../..") and not near(place, "../../x") and not near(place, "../.ssh")


def test_a_work_tree_is_near_and_nothing_else(place: Path) -> None:
    (place.parent.parent / ".git").mkdir()
    assert near(place, "../lib") and near(place, "../../x") and not near(place, "../../.ssh")
    assert not near(place, "../../../x")
    (place / ".git").write_text("gitdir: elsewhere\n")
    assert near(place, "inner") and not near(place, "../lib")


def test_a_link_is_judged_by_where_it_leads(place: Path) -> None:
    (place / "way").symlink_to("../../x")
    assert not near(place, "way")
    assert near(place.parent / "p", "way/../src/lib")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
def test_the_work_tree_of_another_user_is_none(place: Path) -> None:
    mark = place.parent.parent / ".git"
    mark.mkdir()
    os.chown(mark, 65534, 65534)
    assert near(place, "../lib") and not near(place, "../../x")


def test_a_grant_is_for_one_directory_and_is_taken_back(market: Published) -> None:
    # spec: packages.path.granted, cli.trust
    for name in ("lib", "other"):
        directory = market.base / "far" / name
        directory.mkdir(parents=True)
        (directory / "bramble.toml").write_text(toml(f"example.test/{name}", "1.0.0", {}))
        (directory / "default.bramble").write_text("")
    market.write(default='load("example.test/lib")\ndef f():\n    return []\n')
    # It asks for `other` by way of `lib`: each is asked for by the project.
    lib = market.base / "far" / "lib" / "bramble.toml"
    lib.write_text(toml(NAME, "1.0.0", {"example.test/other": '{ path = "../other" }'}))
    market.needs(lib='{ path = "../far/lib" }')
    market.git("init", "-q", cwd=market.project)
    refused = market.run("graph", "./:f")
    assert refused.codes == ["packages.not-granted"] and refused.errors[0]["at"] == "bramble.toml:5:22"
    remedy = refused.errors[0]["remedy"]
    assert f"bramble trust grant --path {market.base}/far/lib" in remedy
    assert market.run(*remedy.partition("bramble ")[2].split()).status == 0
    refused = market.run("graph", "./:f")
    assert refused.codes == ["packages.not-granted"] and "far/other" in refused.errors[0]["message"]
    assert market.run("trust", "grant", "--path", "../far/other").status == 0
    assert market.run("graph", "./:f").status == 0
    assert market.run("graph", "./:f").status == 0  # from its record
    assert market.run("trust", "revoke").out == "2 revoked\n"
    assert market.run("graph", "./:f").codes == ["packages.not-granted"]
    # Who adds it grants it, but for what it brings.
    market.needs()
    assert market.run("add", "--dry-run", "--path", "../far/other").status == 0
    assert market.run("trust", "list").out == ""
    assert market.run("add", "--path", "../far/other").status == 0
    assert market.run("deps").status == 0
    assert market.run("add", "--path", "../far/lib").status == 0
    market.run("trust", "revoke")
    assert market.run("add", "--path", "../far/lib").codes == ["packages.not-granted"]


@pytest.mark.parametrize("words", [(), ("--path", ".", "./:f")])
def test_what_is_granted_is_said(market: Published, words: tuple[str, ...]) -> None:
    done = market.run("trust", "grant", *words)
    assert (done.status, done.codes) == (1, ["cli.usage"])
