"""`bramble history`: what builds of a project leave behind, and what it says of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.world import World

TWO = """
load("example.com/p/tools")

def good():
    return tools.script("good", "cat data > $out/f", sources=files(["data"]))

def bad():
    return tools.script("bad", "exit 3")
"""


@pytest.fixture
def built(tooled: World) -> World:
    tooled.write(default=TWO)
    (tooled.project / "data").write_text("1")
    assert tooled.run("build", "./:good").status == 0
    return tooled


def records(world: World) -> list[str]:
    (directory,) = Path(world.store, "var", "history").iterdir()
    return sorted(os.listdir(directory))


# spec: store.records.history
def test_a_build_with_nothing_to_do_leaves_no_record(built: World) -> None:
    before = records(built)
    assert before == ["1", "1.facts"]
    assert built.run("build", "./:good").status == 0
    assert records(built) == before
    (built.project / "data").write_text("2")
    assert built.run("build", "./:good").status == 0
    assert records(built) == ["1", "1.facts", "2", "2.facts"]


# spec: cli.history
def test_the_last_builds_are_listed_with_what_failed(built: World) -> None:
    assert built.run("build", "-k", "./...").status == 1
    told = built.run("history")
    assert (told.status, told.err) == (0, "")
    newest, oldest = told.out.splitlines()
    assert newest.split()[0] == "2" and oldest.split()[0] == "1"
    assert "  failed: bad (build.failed)  ./:bad, ./:good, " in newest
    assert oldest.endswith("  2 built  ./:good")
    only = built.run("history", "-n", "1", "--json").json
    assert [build["number"] for build in only["builds"]] == [2]
    assert only["builds"][0]["failed"][0]["message"] == '"bad" failed: its builder exited with status 3'
    assert only["builds"][0]["cached"] == 2


def test_a_project_that_was_not_built_has_no_history_and_a_store_is_not_made(world: World) -> None:
    told = world.run("history")
    assert (told.status, told.codes) == (1, ["store.missing"])
    assert not world.store.exists()


def test_other_projects_are_not_listed(built: World) -> None:
    other = built.base / "q"
    other.mkdir()
    (other / "bramble.toml").write_text('[package]\nname = "example.com/q"\nversion = "0.1.0"\n')
    told = built.run("history", cwd=other)
    assert (told.status, told.out, told.err) == (0, "", "no build of example.com/q is recorded\n")
    assert built.run("history", "--json", cwd=other).json["builds"] == []


def test_wrong_words_are_refused(built: World) -> None:
    for words in (("-n", "0"), ("-n", "many"), ("./:good",)):
        told = built.run("history", *words)
        assert (told.status, told.out) == (2, "")


def test_a_record_that_cannot_be_kept_fails_no_build(built: World) -> None:
    (directory,) = Path(built.store, "var", "history").iterdir()
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
    directory.symlink_to("/nowhere")
    (built.project / "data").write_text("3")
    assert built.run("build", "./:good").status == 0
    assert built.run("history").codes == ["store.foreign-entry"]
