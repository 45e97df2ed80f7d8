"""`bramble graph`, and `build --graph`: what it prints for people, and graphs from anybody."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.cli.world import World

DIAMOND = """
def leaf():
    return derivation("leaf", "./x", outputs=["bin", "lib"])
def middle(name, output):
    return derivation(name, "./x", [output])
def top():
    '''The top.

    More.'''
    l = leaf()
    needs = [middle("one", l.bin), middle("two", l.lib)]
    return derivation("top", "./x", needs, platform="other-cpu", target="wasm")
"""


def document(**nodes: Any) -> bytes:
    return json.dumps({"version": 1, "graph": {f"@{name}": node for name, node in nodes.items()}}).encode()


def test_a_tree_shows_once_what_several_need(world: World) -> None:
    # spec: cli.graph.tree
    world.write(default=DIAMOND)
    assert world.run("graph", "./:top").out == (
        "example.com/p:top\ntop on other-cpu for wasm\n├─ one\n│  └─ leaf (bin)\n└─ two\n   └─ leaf (lib)\n"
    )
    assert world.objects() == set()


def test_what_was_shown_is_not_gone_into_again(world: World) -> None:
    # spec: cli.graph.tree
    world.write(
        default="""
def a():
    return derivation("a", "host_tools", env={"tools": "sh"})
def b():
    return derivation("b", "./x", [a()])
def top():
    return [derivation("top", "./x", [b(), derivation("c", "./x", [b()])]), b()]
"""
    )
    lines = world.run("graph", "./:top").out.splitlines()
    assert lines[1:] == ["top", "├─ b", "│  └─ a [host_tools]", "└─ c", "   └─ b …", "b", "└─ a [host_tools]"]
    ids = world.run("graph", "--ids", "./:b").out.splitlines()
    assert [len(line.split()[-1]) for line in ids[1:]] == [32, 32]


def test_for_graphviz_names_are_quoted(world: World) -> None:
    # spec: cli.graph.dot
    world.write(default=DIAMOND.replace('"top"', "'t\"o\\\\\\\\p'"))
    out = world.run("graph", "--dot", "./:top").out
    assert out.startswith("digraph bramble {\n") and out.endswith("}\n")
    assert '[label="t\\"o\\\\\\\\p", style=bold]' in out
    assert out.count(" -> ") == 4 and '[label="lib"]' in out


def test_the_document_has_places_and_docs(world: World) -> None:
    # spec: cli.graph
    world.write(default=DIAMOND)
    done = world.run("graph", "--json", "./:top")
    value = done.json
    (root,) = value["results"][0]["derivations"]
    assert value["places"][root]["file"] == "default.bramble"
    assert value["docs"] == {"example.com/p:top": "The top.\n\nMore."}
    again = world.run("build", "--just-parse", "--json", "--graph", "-", stdin=done.out.encode()).json
    assert again["graph"] == value["graph"] and again["results"] == value["results"]


def test_a_graph_is_built_without_a_project_below_a_directory(tooled: World) -> None:
    # spec: cli.build.graph
    elsewhere = tooled.base / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "in").write_text("read\n")
    graph = document(
        tools={"Name": "tools", "Builder": "host_tools", "Env": {"tools": "sh cat"}},
        app={
            "Name": "app",
            "Builder": "{{ @tools:out }}/bin/sh",
            "Args": ["-c", "cat in > $out/out"],
            "Env": {"PATH": "{{ @tools:out }}/bin"},
            "Sources": {"Files": ["in"]},
        },
    )
    (tooled.base / "g").write_bytes(graph)
    for words, cwd in (
        (("--root", "elsewhere", "--graph", "g"), tooled.base),
        (("--graph", "../g"), elsewhere),
        (("--root", "../elsewhere", "--graph", "../g"), tooled.project),
    ):
        done = tooled.run("build", *words, cwd=cwd)
        assert done.status == 0, done.err
        with open(os.path.join(done.out.strip(), "out")) as file:
            assert file.read() == "read\n"
    # In the project there is no such file.
    assert tooled.run("build", "--graph", "../g").codes == ["store.source-missing"]


def test_sources_of_a_graph_lead_nowhere_else(world: World) -> None:
    # spec: cli.build.graph
    (world.base / "secret").write_text("x")
    (world.project / "link").symlink_to(world.base / "secret")
    (world.project / "dir").symlink_to(world.base)
    for file in ("link", "dir/secret"):
        node = {"Name": "n", "Builder": "./b", "Sources": {"Files": [file]}}
        done = world.run("build", "--graph", "-", stdin=document(n=node))
        assert (done.status, done.codes) == (1, ["store.source-link"]), done.err
    node = {"Name": "n", "Builder": "./b", "Sources": {"Files": ["f"], "Location": "other//"}}
    assert world.run("build", "--graph", "-", stdin=document(n=node)).codes == ["build.unknown-project"]


def test_errors_of_a_build_have_the_places_of_the_document(world: World) -> None:
    # spec: cli.build.graph
    value = json.loads(document(n={"Name": "n\u202e", "Builder": "./none"}))
    value["places"] = {"@n": {"file": "app.ts\x1b[2J", "line": 7}}
    done = world.run("build", "--graph", "-", stdin=json.dumps(value).encode(), BRAMBLE_ERROR_FORMAT="text")
    assert done.status == 1 and "app.ts" in done.err and ":7" in done.err
    assert "\x1b" not in done.err


def test_an_empty_graph_builds_nothing(world: World) -> None:
    done = world.run("build", "--json", "--graph", "-", stdin=document())
    assert done.status == 0 and done.json["results"] == []


def test_a_graph_is_an_object_or_an_error(world: World) -> None:
    for data, code in (
        (b"", "graph.encoding"),
        (b"\xff", "graph.encoding"),
        (b"\xef\xbb\xbf{}", "graph.encoding"),
    ):
        done = world.run("build", "--graph", "-", stdin=data)
        assert (done.status, done.codes) == (1, [code])
