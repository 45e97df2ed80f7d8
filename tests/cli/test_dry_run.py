"""`build --dry-run`: what would be made, why, and that nothing is."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.cli.world import World, remove_store

FILES = """
load("example.com/p/tools")
def a(word="1"):
    return tools.script("a", "cat src/x > $out/n; echo WORD >> $out/n", sources=files(["src/*"]))
def b():
    return tools.script("b", "cat %s/n > $out/n; echo b >> $out/n" % a())
def top():
    return tools.script("top", "cat %s/n > $out/n; echo top >> $out/n" % b())
def fails():
    return tools.script("fails", "exit 1")
def fetched():
    return derivation("u", "fetch_url", env={"url": "http://one.test/f"})
def wrong():
    return 1 // 0
"""


@pytest.fixture
def planned(tooled: World) -> World:
    tooled.write(default=FILES)
    (tooled.project / "src").mkdir()
    (tooled.project / "src" / "x").write_text("1")
    return tooled


def steps(world: World, *words: str) -> dict[str, dict[str, Any]]:
    ran = world.run("build", "--dry-run", "--json", *words)
    assert ran.status == 0, ran.err
    return {step["name"]: step for step in ran.json["steps"]}


def everything(world: World) -> list[tuple[str, int, int]]:
    """Return all files of the store with their times, but for those of the directories above them."""
    found = []
    for directory, names, files in os.walk(world.store):
        for name in (*names, *files):
            status = os.lstat(os.path.join(directory, name))
            found.append((os.path.join(directory, name), status.st_mtime_ns, status.st_size))
    return sorted(found)


def test_without_a_store_all_is_to_be_made_and_none_is_made(planned: World) -> None:
    # spec: cli.build.dry-run
    ran = planned.run("build", "--dry-run", "./:top", "./:fetched")
    assert ran.status == 0 and ran.err.endswith("3 to build, 1 to fetch, 1 to copy, 0 built already\n")
    lines = {line.split()[1]: line for line in ran.out.splitlines()}
    assert list(lines) == ["tools", "a", "b", "top", "u"]
    assert lines["tools"].startswith("copy   tools  ")
    assert lines["u"] == "fetch  u      http://one.test/f (no pin yet); no output of it is in the store"
    assert "its input a will be made" in lines["b"]
    assert not planned.store.exists()


def test_what_is_built_is_nothing_to_do_and_the_store_stays_as_it_is(planned: World) -> None:
    # spec: cli.build.dry-run
    assert planned.run("build", "./:top").status == 0
    before = everything(planned)
    ran = planned.run("build", "--dry-run", "./:top")
    assert (ran.status, ran.out) == (0, "") and ran.err.endswith("nothing to do, 4 built already\n")
    (planned.project / "src" / "x").write_text("2")
    assert list(steps(planned, "./:top")) == ["a", "b", "top"]
    assert everything(planned) == before


def test_the_reason_is_what_has_changed(planned: World) -> None:
    # spec: cli.build.dry-run
    planned.run("build", "./:top")
    (planned.project / "src" / "x").write_text("2")
    (planned.project / "src" / "y").write_text("new")
    out = planned.run("build", "--dry-run", "./:top").out.splitlines()
    assert out[0] == "build  a    the source src/x has changed; the source src/y is new"
    assert out[1:] == ["build  b    its input a will be made", "build  top  its input b will be made"]
    planned.run("build", "./:top")
    planned.write(default=FILES.replace("WORD", "other"))
    found = steps(planned, "./:top")
    (change,) = found["a"]["changes"]
    assert (change["kind"], change["what"]) == ("argument", "2") and "other" in change["after"]
    # The recipes of the others name another derivation, which is the same to a person.
    assert found["b"]["reason"] == found["top"]["reason"] == "input"


def test_what_was_removed_and_what_failed_is_told(planned: World) -> None:
    # spec: cli.build.dry-run
    name = planned.run("build", "--json", "./:top").json["results"][0]["outputs"]["out"]["name"]
    planned.run("build", "-q", "./:fails")
    assert steps(planned, "./:fails")["fails"]["reason"] == "failed"
    # Of a project that nobody knows any more all goes, but what was known of it.
    (planned.store / "var" / "projects").rename(planned.base / "aside")
    (planned.store / "var" / "projects").mkdir()
    assert planned.run("store", "delete", name).status == 0
    assert {key: step["reason"] for key, step in steps(planned, "./:top").items()} == {"top": "absent"}


def test_a_pinned_download_is_said_to_be(planned: World) -> None:
    # spec: cli.build.dry-run
    toml = planned.project / "bramble.toml"
    toml.write_text(toml.read_text() + '[mirror]\n"http://one.test/f" = "one"\n')
    (planned.project / "one").write_text("1")
    assert planned.run("build", "./:fetched").status == 0
    remove_store(planned.store)
    step = steps(planned, "./:fetched")["u"]
    assert (step["action"], step["url"], step["pinned"]) == ("fetch", "http://one.test/f", True)


def test_what_cannot_be_evaluated_is_an_error_and_with_keep_going_the_rest_is_told(planned: World) -> None:
    ran = planned.run("build", "--dry-run", "./:a", "./:wrong")
    assert (ran.status, ran.codes, ran.out) == (1, ["eval.division"], "")
    ran = planned.run("build", "--dry-run", "-k", "./:a", "./:wrong")
    assert (ran.status, ran.codes) == (1, ["eval.division"]) and "build  a" in ran.out
    assert not planned.store.exists()


def test_sources_that_are_gone_are_an_error(planned: World) -> None:
    planned.write(lost='def f():\n    return derivation("l", "./x", sources=files(["x"]))\n')
    assert planned.run("build", "--dry-run", "./lost").codes == ["load.source-missing"]
