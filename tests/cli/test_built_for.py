"""`--target X`: one tree for several targets."""

from __future__ import annotations

import os

import pytest

from tests.cli.world import World

TREE = """
load("example.com/p/tools")
def same():
    return tools.script("same", "echo same > $out/f")
def app():
    t = tools.tools()
    env = {"PATH": t.out + "/bin", "same": same(), "target": sys.target}
    script = "cat $same/f > $out/f; echo $target >> $out/f"
    return derivation("app", t.out + "/bin/sh", ["-c", script], env=env, target=sys.target)
def program():
    return run(tools.tools(), "cat", [app().out + "/f"])
"""


@pytest.fixture
def trees(tooled: World) -> World:
    tooled.write(default=TREE)
    return tooled


def test_only_what_uses_the_target_is_built_for_each(trees: World) -> None:
    # spec: cli.target, dialect.sys.target
    native = trees.run("build", "--json", "./:app").json
    assert native["built"] == ["app", "same", "tools"]
    wasm = trees.run("build", "--json", "--target", "wasm", "./:app").json
    assert wasm["built"] == ["app"]
    with open(os.path.join(wasm["results"][0]["outputs"]["out"]["path"], "f")) as file:
        assert file.read() == "same\nwasm\n"
    # Each stays for its own.
    assert trees.run("gc").status == 0
    for words, before in (((), native), (("--target", "wasm"), wasm)):
        again = trees.run("build", "--offline", "--json", *words, "./:app").json
        assert again["built"] == [] and again["results"] == before["results"]


def test_whatever_evaluates_takes_a_target(trees: World) -> None:
    # spec: cli.target
    assert trees.run("run", "--target", "wasm", "./:program").out == "same\nwasm\n"
    assert "for wasm" in trees.run("graph", "--target", "wasm", "./:app").out
    assert " for " not in trees.run("graph", "./:app").out
    for bad in ("", "a\tb", "\x1b[2J"):
        done = trees.run("build", "--target", bad, "./:app")
        assert done.status == 2 and "\x1b" not in done.err
