"""`derivation_output`: a program in the sandbox writes a graph, which is locked, and built."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from tests.cli.world import ROOT, World

# A script reads which modules there are and what each needs, and writes a derivation for each of them.
PLAN = r"""
import json, os

tools = os.environ["tools"]
graph = {}
with open("modules.list") as file:
    for line in file:
        name, needs = line.split(":")
        graph["@" + name] = {
            "Name": name,
            "Builder": tools + "/bin/sh",
            "Args": ["-c", "cat $source > $out/all; for need in $needs; do cat $need/all >> $out/all; done"],
            "Env": {
                "PATH": tools + "/bin",
                "source": name + ".txt",
                "needs": " ".join("{{ @%s:out }}" % need for need in needs.split()),
            },
            "Sources": {"Files": [name + ".txt"]},
        }
with open(os.environ["out"] + "/graph.json", "w") as file:
    json.dump({"version": 1, "graph": graph}, file)
"""
MODULES = "base:\ntext: base\nnet: base\napp: text net\n"
PROJECT = """
def tools():
    return derivation("tools", "host_tools", env={"tools": "sh cat python3"})
def modules():
    t = tools()
    return derivation(
        "modules", "derivation_output", [t.out + "/bin/python3", "plan.py"],
        env={"tools": t}, sources=files(["*.txt", "modules.list", "plan.py"]),
    )
def app():
    t = tools()
    return derivation("app", t.out + "/bin/sh", ["-c", "cat $all/all > $out/app"],
        env={"PATH": t.out + "/bin", "all": modules()})
"""


def test_a_script_makes_a_derivation_of_each_module_of_a_list(world: World) -> None:
    # spec: build.generated, build.generated.lock
    world.write(default=PROJECT)
    (world.project / "plan.py").write_text(PLAN)
    (world.project / "modules.list").write_text(MODULES)
    for name in ("base", "text", "net", "app", "more"):
        (world.project / f"{name}.txt").write_text(f"{name}\n")

    first = world.run("build", "--json", "./:app").json
    assert first["built"] == ["app", "app", "base", "modules", "net", "text", "tools"]
    out = Path(first["results"][0]["outputs"]["out"]["path"])
    # Each module once, though two of them need the base.
    assert (out / "app").read_text() == "app\ntext\nbase\nnet\nbase\n"

    # One file changes: the script runs again, and only what needs the file is built.
    (world.project / "net.txt").write_text("other net\n")
    assert world.run("build", "--json", "./:app").json["built"] == ["app", "app", "modules", "net"]

    # One more module: the others are not built again.
    (world.project / "modules.list").write_text(MODULES.replace("net: base", "net: base more\nmore:"))
    assert world.run("build", "--json", "./:app").json["built"] == ["app", "app", "modules", "more", "net"]

    # A clone on another machine has the lock, and the script does not run there.
    lock = (world.project / "bramble.lock").read_text()
    assert str(world.base) not in lock
    elsewhere = world.run("build", "--json", "./:app", BRAMBLE_PATH=str(world.base / "t")).json
    assert "modules" not in elsewhere["built"] and "more" in elsewhere["built"]
    assert (world.project / "bramble.lock").read_text() == lock


@pytest.fixture
def small(world: World) -> World:
    """A world whose project has a static program for builds."""
    fixture = ROOT / "conformance" / "fixtures" / f"builder-{os.uname().machine}"
    if not fixture.exists():
        pytest.skip("there is no program for builds on this machine")
    shutil.copy(fixture, world.project / "builder")
    (world.project / "builder").chmod(0o755)
    return world


ONE = """{"version":1,"graph":{"@a":{"Name":"a","Builder":"./builder","Args":["write","$to","x"],%s}}}"""
GENERATES = """
def g(name="g", also=[], network=False, nodes='"Env":{"to":"$to"},"Sources":{"Files":["builder"]}'):
    node = '"@a":{"Name":"a","Builder":"./builder","Args":["write","$to","x"],' + nodes + '}'
    text = '{"version":1,"graph":{' + node + '}}'
    return derivation(name, "derivation_output", ["./builder", "write", "$out/g.json", text] + also,
        files(["builder"]), {"to": "$out/f"}, network=network)
"""


def test_the_network_is_there_for_a_generator_alone_and_once(small: World) -> None:
    # spec: build.generated.network
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        small.write(
            default=GENERATES
            + f"""
def with_it():
    return g("with_it", ["connect", "{address}"], network=True)
def without():
    return g("without", ["connect", "{address}"])
"""
        )
        assert small.run("build", "--offline", "./:with_it").codes == ["build.offline"]
        assert small.run("build", "./:without").codes == ["build.failed"]
        # A stranger's project does not reach the services of this machine by being built, or looked at.
        assert small.run("build", "--build-network", "./:without").codes == ["build.failed"]
        assert small.run("build", "./:with_it").codes == ["build.not-granted"]
        assert small.run("shell", "-c", ":", "./:with_it").codes == ["build.not-granted"]
        ran = small.run("build", "--build-network", "./:with_it")
        assert ran.status == 0 and "! with_it ran with the network" in ran.err
    # Nobody listens any more, and nobody is asked: the graph is in the lock.
    other = str(small.base / "t")
    again = small.run("build", "--offline", "./:with_it", BRAMBLE_PATH=other)
    assert again.status == 0 and "with the network" not in again.err
    assert small.run("build", "--offline", "--update", "./:with_it", BRAMBLE_PATH=other).codes == [
        "build.offline"
    ]
    assert small.run("build", "--update", "./:with_it").codes == ["build.not-granted"]
    granted = small.run("trust", "grant", "./:with_it")
    assert "is allowed to use the network while derivation_output runs" in granted.out
    assert small.run("build", "--update", "./:with_it").codes == ["build.failed"]


def test_a_lock_is_read_as_the_word_of_a_stranger(small: World) -> None:
    # spec: build.generated.lock
    small.write(default=GENERATES)
    assert small.run("build", "./:g").status == 0
    path = small.project / "bramble.lock"
    good = path.read_text()
    root = next(line.split('"')[3] for line in good.splitlines() if line.startswith('  "root"'))
    for bad in (
        good.replace('\\"Name\\":\\"a\\"', '\\"Name\\":\\"b\\"'),
        good.replace(f'"root" = "{root}"', '"root" = "x"'),
        good.replace(f'  "{root}" = "', f'  "{root}" = "}}'),
        good.replace('\n  "root"', '\n  "more" = "1"\n  "root"'),
        good.replace('\\"builder\\"', '\\"../../etc/passwd\\"'),
        "\n".join(line for line in good.splitlines() if not line.startswith('  "root"')) + "\n",
    ):
        assert bad != good
        path.write_text(bad)
        done = small.run("build", "./:g")
        assert (done.status, done.codes) == (1, ["lock.value"]), bad
        assert path.read_text() == bad
    # Inputs that are not what they were are no error: the generator runs.
    inputs = next(line for line in good.splitlines() if line.startswith('  "inputs"'))
    path.write_text(good.replace(inputs, '  "inputs" = "old"'))
    assert small.run("build", "./:g").status == 0
    assert path.read_text() == good


def test_a_generator_that_fails_stops_what_needs_it_and_nothing_else(small: World) -> None:
    # spec: build.generated.rounds
    small.write(
        default=GENERATES
        + """
def good():
    return g("good")
def bad():
    return g("bad", ["exit", "3"])
def wrong():
    return g("wrong", nodes='"Outputs":["lib"]')
def above():
    return derivation("above", "./builder", ["copy", bad().out + "/f", "$out/f"], files(["builder"]))
def plain():
    return derivation("plain", "./builder", ["write", "$out/f", "x"], files(["builder"]))
"""
    )
    done = small.run("build", "-k", "--json", "./:good", "./:bad", "./:wrong", "./:above", "./:plain")
    assert done.status == 1
    assert sorted(done.codes) == ["build.failed", "graph.outputs"]
    assert sorted(result["name"] for result in done.json["results"]) == ["good", "plain"]
    assert "1 more could not be built" in done.err
    # Without -k nothing is begun after it.
    done = small.run("build", "--json", "./:bad", "./:plain", BRAMBLE_PATH=str(small.base / "t"))
    assert done.codes == ["build.failed"] and done.json["results"] == []


def test_a_generator_may_need_what_another_one_wrote(small: World) -> None:
    # spec: build.generated.rounds
    small.write(
        default=GENERATES
        + """
def second():
    args = ["./builder", "copy", "graph.json", "$out/g.json", "exists", "$first/f"]
    sources = files(["builder", "graph.json"])
    return derivation("second", "derivation_output", args, sources, {"first": g("first")})
"""
    )
    (small.project / "graph.json").write_text(
        ONE.replace("$to", "$out/f").replace('"x"', '"y"') % '"Sources":{"Files":["builder"]}'
    )
    done = small.run("build", "--json", "./:second")
    assert done.json["built"] == ["a", "a", "first", "second"], done.err
    tables = [line for line in (small.project / "bramble.lock").read_text().splitlines() if line[:1] == "["]
    assert [table.split()[1] for table in tables] == ["first", "second"]
    assert small.run("build", "--json", "./:second").json["built"] == []
    elsewhere = small.run("build", "--json", "./:second", BRAMBLE_PATH=str(small.base / "t")).json
    # What only the second generator needed is not built, since neither of them runs.
    assert elsewhere["built"] == ["a"]


def test_run_and_shell_take_what_a_generator_stands_for(small: World) -> None:
    small.write(
        default=GENERATES.replace('["write","$to","x"]', '["mkdir","$dir","copy","builder","$to"]')
        .replace('{"to": "$out/f"}', '{"to": "$out/bin/builder", "dir": "$out/bin"}')
        .replace('"Env":{"to":"$to"}', '"Env":{"to":"$to","dir":"$dir"}')
        + """
def program():
    return run(g(), "builder", ["say", "from the generated"])
"""
    )
    done = small.run("run", "./:program")
    assert (done.status, done.out) == (0, "from the generated\n"), done.err
