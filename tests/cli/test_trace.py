"""`--trace FILE`: a document that browsers load, whose spans nest and cover what took time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bramble.cli.trace import document
from bramble.commands.build import Timed
from tests.cli.world import World

MODULE = """
load("example.com/p/tools")

def slow(name, *needs):
    return tools.script(name, "echo %s > $out/x" % " ".join(needs), sources=files(["./*.txt"]))

def text():
    return derivation("text", builder="fetch_url", env={"url": "https://example.com/f.txt"})

def f():
    a, b = slow("a", text().out), slow("b")
    return slow("c", a.out, b.out)

def broken():
    return tools.script("broken", "exit 1")
"""


@pytest.fixture
def project(tooled: World) -> World:
    tooled.write(default=MODULE)
    (tooled.project / "one.txt").write_text("1")
    (tooled.project / "fetched").write_text("fetched")
    config = tooled.project / "bramble.toml"
    config.write_text(config.read_text() + '[mirror]\n"https://example.com/f.txt" = "fetched"\n')
    return tooled


def checked(path: Path) -> list[dict[str, Any]]:
    """Return the spans of a trace, which has the form that the Trace Event Format demands, and nests."""
    trace = json.loads(path.read_text("ascii"))
    assert trace["displayTimeUnit"] == "ms"
    rows: dict[int, list[dict[str, Any]]] = {}
    names = set()
    for event in trace["traceEvents"]:
        assert {"ph", "name", "pid", "tid", "args"} <= set(event)
        assert isinstance(event["name"], str) and type(event["pid"]) is type(event["tid"]) is int
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name") and isinstance(event["args"]["name"], str)
            names.add(event["tid"])
            continue
        assert event["ph"] == "X" and isinstance(event["cat"], str)
        assert type(event["ts"]) is type(event["dur"]) is int and event["ts"] >= 0 and event["dur"] >= 0
        rows.setdefault(event["tid"], []).append(event)
    assert set(rows) <= names
    for spans in rows.values():
        open_until: list[int] = []
        # As they stand in the file: what holds others comes first.
        assert spans == sorted(spans, key=lambda one: one["ts"])
        for span in spans:
            while open_until and open_until[-1] <= span["ts"]:
                open_until.pop()
            end = span["ts"] + span["dur"]
            assert not open_until or end <= open_until[-1], span
            open_until.append(end)
    return [span for spans in rows.values() for span in spans]


def test_a_build_is_traced_from_evaluation_to_hashing(project: World) -> None:
    # spec: cli.trace
    done = project.run("build", "-j", "3", "--trace", "t.json", "./:f")
    assert done.status == 0, done.err
    spans = checked(project.project / "t.json")
    found = {(span["cat"], span["args"].get("derivation", "")) for span in spans}
    assert ("evaluation", "") in found and ("download", "text") in found and ("build", "tools") in found
    for name in ("a", "b", "c"):
        assert {(what, name) for what in ("build", "set-up", "program", "hashing")} <= found
    assert ("sources", "a") in found
    outer = {span["name"]: span for span in spans if span["cat"] == "build"}
    for span in spans:
        if span["cat"] in ("set-up", "program") and span["args"]["derivation"] in outer:
            around = outer[span["args"]["derivation"]]
            assert around["tid"] == span["tid"] and around["ts"] <= span["ts"]
    # Nothing but evaluation is left to do.
    assert project.run("build", "--trace", "t.json", "./:f").status == 0
    assert {span["cat"] for span in checked(project.project / "t.json")} <= {"evaluation", "sources"}


def test_a_failed_build_is_traced_too_and_a_check(project: World) -> None:
    assert project.run("build", "--trace", "t.json", "./:broken").codes == ["build.failed"]
    assert ("build", "broken") in {(s["cat"], s["name"]) for s in checked(project.project / "t.json")}
    assert project.run("build", "--check", "--trace", "t.json", "./:f").status == 0
    assert ("check", "c") in {(s["cat"], s["name"]) for s in checked(project.project / "t.json")}


def test_without_the_option_no_file_is_written(project: World) -> None:
    before = set(project.project.rglob("*"))
    assert project.run("build", "./:f").status == 0
    assert set(project.project.rglob("*")) - before == {project.project / "bramble.lock"}


def test_a_file_that_cannot_be_written_is_known_before_anything_is_built(project: World) -> None:
    # spec: cli.trace
    for where in ("none/t.json", ".", "tools.bramble/t"):
        done = project.run("build", "--trace", where, "./:f")
        assert (done.status, done.codes) == (1, ["cli.unwritable"])
    assert not project.objects()


def test_the_file_is_replaced_whole_and_no_link_is_followed(project: World) -> None:
    (project.base / "other").write_text("mine")
    (project.project / "t.json").symlink_to("../other")
    assert project.run("build", "--trace", "t.json", "./:f").codes == ["cli.unwritable"]
    assert (project.base / "other").read_text() == "mine"
    assert (
        project.run("-C", "..", "-C", str(project.project), "build", "--trace", "u.json", "./:f").status == 0
    )
    checked(project.project / "u.json")


def test_names_are_text_and_rounding_keeps_what_is_inside(tmp_path: Path) -> None:
    # Times of which each is rounded, and a name that is no plain text.
    spans = [
        Timed("i", 'x"\x1b\u202e長', "build", "build-1", 10.0000004, 10.0000016),
        Timed("i", 'x"\x1b\u202e長', "program", "build-1", 10.0000005, 10.0000016),
        Timed("j", "y", "download", "build-2", 9.0, 11.0),
    ]
    (tmp_path / "t").write_bytes(document(spans, (8.0, 8.5)))
    found = checked(tmp_path / "t")
    assert {span["name"]: (span["ts"], span["ts"] + span["dur"]) for span in found} == {
        "evaluation": (0, 500000),
        'x"\x1b\u202e長': (2000000, 2000002),
        "program": (2000001, 2000002),
        "y": (1000000, 3000000),
    }
    (tmp_path / "t").write_bytes(document([], (0.0, 0.0)))
    assert checked(tmp_path / "t") == []
