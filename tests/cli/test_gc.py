"""`bramble gc`: what known projects need to build again stays, and is charged to them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.world import World

CHAIN = """
load("example.com/p/tools")

def data():
    return derivation("data", "fetch_url", env={"url": "http://data.test/data"})

def lib():
    return tools.script("lib", "cat %s/data word > $out/f; : lib 1" % data(), sources=files(["word"]))

def app():
    return tools.script("app", "cat %s/f word > $out/f" % lib(), sources=files(["word"]))
"""


@pytest.fixture
def built(tooled: World) -> World:
    tooled.write(default=CHAIN)
    (tooled.project / "word").write_text("1\n")
    (tooled.base / "data").write_text("data\n")
    (tooled.base / "mirror.toml").write_text('[mirror]\n"http://data.test/data" = "data"\n')
    made = tooled.run("build", "./:app", BRAMBLE_MIRROR=str(tooled.base / "mirror.toml"))
    assert made.status == 0, made.err
    return tooled


def result(world: World, target: str = "./:app") -> str:
    found = world.run("build", "--offline", "--json", target)
    assert found.status == 0, found.err
    return str(found.json["results"][0]["outputs"]["out"]["name"])


# spec: store.gc.inputs
def test_after_a_collection_a_change_is_built_without_the_network(built: World) -> None:
    assert built.run("gc").status == 0
    (built.project / "word").write_text("2\n")
    done = built.run("build", "--offline", "--json", "./:app")
    assert (done.status, done.json["built"]) == (0, ["app", "lib"])
    # Also a change in the middle, whose inputs nothing else needs any more.
    assert built.run("gc").status == 0
    built.write(default=CHAIN.replace(": lib 1", ": lib 2"))
    done = built.run("build", "--offline", "--json", "./:app")
    assert (done.status, done.json["built"]) == (0, ["lib"])


# spec: store.gc.inputs
def test_a_build_with_nothing_to_do_says_what_is_needed_now(built: World) -> None:
    assert built.run("build", "./:app").status == 0
    (built.project / "word").write_text("2\n")
    two = result(built)
    (built.project / "word").write_text("1\n")
    one = result(built)
    assert one != two
    assert built.run("gc", "--keep-former", "0d").status == 0
    # What was built and what is needed is what the last build was of, though that had built nothing.
    assert built.run("build", "--offline", "--json", "./:app").json["built"] == []
    (built.project / "word").write_text("2\n")
    assert built.run("build", "--offline", "--json", "./:app").json["built"] == ["app", "lib"]


MANY = """
load("example.com/p/tools")

def top():
    leaves = [tools.script("leaf", ": > $out/%s; : LEAF" % n) for n in range(60)]
    return tools.script("top", ": > $out/f; : TOP " + " ".join([str(leaf) for leaf in leaves][:LEAVES]))
"""


# spec: store.gc.former
# As the other tests of this file, but many.
@pytest.mark.once
@pytest.mark.parametrize("change", [("TOP", "OTHER"), ("LEAVES", "0"), ("LEAF", "CHANGED")])
def test_going_back_after_a_collection_builds_the_top_alone(tooled: World, change: tuple[str, str]) -> None:
    first = MANY.replace("LEAVES", "60")
    tooled.write(default=first)
    name = result(tooled, "./:top")
    objects = tooled.objects()
    assert len(objects) > 60
    tooled.write(default=MANY.replace(*change).replace("LEAVES", "60").replace(": > $out/f", ": > $out/g"))
    assert result(tooled, "./:top") != name
    assert tooled.run("gc").status == 0
    assert objects - tooled.objects() == {name}, "more than the result of before went"
    tooled.write(default=first)
    done = tooled.run("build", "--offline", "--json", "./:top")
    assert (done.status, done.json["built"]) == (0, ["top"])


# spec: store.gc.former, cli.gc
def test_what_was_needed_before_is_told_and_can_go(tooled: World) -> None:
    text = """
load("example.com/p/tools")

def low():
    return tools.script("low", "echo %s > $out/f")

def app():
    return tools.script("app", "cat %%s/f > $out/app" %% low())
"""
    tooled.write(default=text % "one")
    # Both are results, and what one of them was made with is kept as that.
    assert tooled.run("build", "./...").status == 0
    low, app = result(tooled, "./:low"), result(tooled, "./:app")
    tooled.write(default=text % "two")
    assert tooled.run("build", "./...").status == 0
    report = tooled.run("gc", "--json").json
    assert report["freed"] == [app]
    assert report["former_of"] == {str(tooled.project): {"objects": 1, "size": 4}}
    assert re.search(r"are results, 4 B inputs of earlier versions\)", tooled.run("gc", "--dry-run").out)
    projects = Path(tooled.store, "var", "inputs")
    for record in projects.iterdir():
        os.utime(record, (time.time() - 6 * 86400,) * 2)
    assert tooled.run("gc", "--json").json["freed"] == []
    for record in projects.iterdir():
        os.utime(record, (time.time() - 8 * 86400,) * 2)
    report = tooled.run("gc", "--json").json
    assert report["freed"] == [low] and set(report["freed_by"]) == {str(tooled.project)}
    assert tooled.run("build", "--json", "./...").json["built"] == []


def test_only_results_stay_when_that_is_asked_for(built: World) -> None:
    before = built.objects()
    dry = built.run("gc", "--dry-run", "--results-only", "--json").json
    assert built.objects() == before
    done = built.run("gc", "--results-only", "--json").json
    assert sorted(done["freed"]) == sorted(dry["freed"])
    assert set(done["freed_by"]) <= {"", str(built.project)}
    assert done["freed_by"][str(built.project)]["objects"] == 3
    assert built.objects() == {result(built)}
    (built.project / "word").write_text("2\n")
    assert built.run("build", "--offline", "./:app").codes == ["fetch.offline"]


def test_what_is_held_is_told_by_project_with_its_last_use(built: World) -> None:
    told = built.run("gc", "--dry-run").out
    held = re.search(
        r"^ *([\d.]+ [KM]iB)  held by (\S+) \((\d+ B) are results\), last built today$", told, re.M
    )
    assert held and held[2] == str(built.project) and held[3] == "9 B"
    report = built.run("gc", "--dry-run", "--json").json
    share = report["held_by"][str(built.project)]
    assert (share["objects"], report["results_of"][str(built.project)]["size"]) == (4, 9)
    assert report["last_used"][str(built.project)] > time.time() - 3600


def test_several_projects_keep_what_each_needs_until_one_is_gone(built: World) -> None:
    other = built.base / "q"
    shutil.copytree(built.project, other)
    (other / "bramble.toml").write_text('[package]\nname = "example.com/q"\nversion = "0.1.0"\n')
    text = CHAIN.replace("com/p", "com/q").replace(": lib 1", "echo q >> $out/f")
    (other / "default.bramble").write_text(text)
    done = built.run("build", "--offline", "--json", "./:app", cwd=other)
    assert (done.status, done.json["built"]) == (0, ["app", "lib"])
    assert built.run("gc").status == 0
    report = built.run("gc", "--json").json
    assert (report["freed"], sorted(report["held_by"])) == ([], [str(built.project), str(other)])
    shutil.rmtree(other)
    report = built.run("gc", "--json").json
    assert report["forgotten"] == [str(other)]
    assert len(report["freed"]) == 2
    assert report["freed_by"].keys() <= {"", str(other)}
    (built.project / "word").write_text("2\n")
    assert built.run("build", "--offline", "./:app").status == 0
    histories = os.listdir(Path(built.store, "var", "history"))
    assert len(histories) == 1


def test_a_size_that_cannot_be_reached_is_said(built: World) -> None:
    told = built.run("gc", "--max-size", "1K")
    assert told.status == 0
    assert "--results-only and --forget-idle free more" in told.out.splitlines()[-1]
    assert "free more" not in built.run("gc", "--max-size", "1G").out


# spec: store.gc
def test_a_collection_that_is_ended_leaves_what_is_needed(built: World) -> None:
    for word in ("2\n", "3\n"):
        (built.project / "word").write_text(word)
        result(built)
    for pause in (0.05, 0.1, 0.15, 0.2, 0.3):
        collecting = built.start("gc")
        try:
            collecting.wait(pause)
        except subprocess.TimeoutExpired:
            collecting.send_signal(signal.SIGKILL)
        collecting.communicate()
        assert built.run("store", "verify").status == 0
    assert built.run("gc").status == 0
    assert built.run("build", "--offline", "--json", "./:app").json["built"] == []
    (built.project / "word").write_text("4\n")
    assert built.run("build", "--offline", "--json", "./:app").json["built"] == ["app", "lib"]


# spec: store.records.inputs
def test_a_damaged_record_of_what_is_needed_stops_a_collection_and_one_that_is_gone_does_not(
    built: World,
) -> None:
    (record,) = Path(built.store, "var", "inputs").iterdir()
    before = built.objects()
    record.write_text(record.read_text().replace("a", "b", 1))
    assert built.run("gc").codes == ["store.damaged-record"]
    assert built.objects() == before
    record.unlink()
    assert built.run("gc").status == 0
    # The next build that is not the same records it again.
    (built.project / "word").write_text("2\n")
    mirror = str(built.base / "mirror.toml")
    assert built.run("build", "./:app", BRAMBLE_MIRROR=mirror).status == 0
    assert len(list(Path(built.store, "var", "inputs").iterdir())) == 1


# spec: store.records.inputs
def test_records_of_what_was_needed_once_are_removed(built: World) -> None:
    (first,) = os.listdir(Path(built.store, "var", "inputs"))
    (built.project / "word").write_text("2\n")
    result(built)
    # One of what is needed now, and one of what is needed no longer.
    assert len(set(os.listdir(Path(built.store, "var", "inputs"))) - {first}) == 2
    assert built.run("gc").status == 0
    assert first not in os.listdir(Path(built.store, "var", "inputs"))
    assert built.run("gc", "--keep-former", "0d").status == 0
    (left,) = os.listdir(Path(built.store, "var", "inputs"))
    assert left != first


def test_a_store_of_before_has_no_such_records_and_gets_them(built: World) -> None:
    (record,) = Path(built.store, "var", "projects").iterdir()
    shutil.rmtree(Path(built.store, "var", "inputs"))
    text = re.sub(r', "inputs": .*\]', "", record.read_text())
    assert '"inputs"' not in text
    record.write_text(text)
    assert built.run("build", "./:app").status == 0
    assert '"inputs"' in record.read_text()
    assert built.run("gc").status == 0
    (built.project / "word").write_text("2\n")
    assert built.run("build", "--offline", "./:app").status == 0
