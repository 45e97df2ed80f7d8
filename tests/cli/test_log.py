"""`bramble log`: what builds wrote, found from what is recorded of them."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.world import World

TWO = """
load("example.com/p/tools")

def low():
    return tools.script("low", "printf 'low \\\\033[31m\\\\377\\\\r\\\\nend'; echo > $out/f")

def top():
    return tools.script("top", "cat data; . ./data; echo > $out/f", sources=files(["data"]), args=[low().out])

def both():
    return [low(), top()]
"""


@pytest.fixture
def built(tooled: World) -> World:
    text = (tooled.project / "tools.bramble").read_text()
    tooled.write(
        tools=text.replace("**more)", "args=[], **more)", 1).replace('"-c", text]', '"-c", text] + args')
    )
    tooled.write(default=TWO)
    (tooled.project / "data").write_text("true one\n")
    assert tooled.run("build", "./:top").status == 0
    return tooled


# spec: cli.log
def test_a_log_comes_out_byte_for_byte(built: World) -> None:
    done = subprocess.run(
        built.command("log", "./:top", "--of", "low"),
        cwd=built.project,
        env=built.environment(),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"low \x1b[31m\xff\r\nend"
    assert done.stderr.startswith(b"low, built in build 1, ")


# spec: cli.log, cli.harmless-output
def test_on_a_terminal_control_characters_are_written_out(built: World) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        built.command("log", "./:top", "--of", "low"),
        cwd=built.project,
        env=built.environment(),
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    said = b""
    while not said.endswith(b"end\r\n"):
        said += os.read(leader, 4096)
    assert process.wait() == 0
    os.close(leader)
    assert said == b"low \\x1b[31m\\xff\r\nend\r\n"


# spec: cli.log
def test_a_log_is_that_of_the_build_that_made_what_was_found(built: World) -> None:
    (built.project / "data").write_text("true two\n")
    assert built.run("build", "./:top").status == 0
    assert built.run("log", "./:top").out == "true two\n"
    assert built.run("log", "./:top", "--previous").out == "true one\n"
    (built.project / "data").write_text("true one\n")
    built.write(
        default=TWO + '\ndef new():\n    return tools.script("new", "echo > $out/f", args=[top().out])\n'
    )
    assert built.run("build", "./:new").status == 0
    told = built.run("log", "./:new", "--of", "top")
    assert (told.out, told.err.split(",")[1]) == ("true one\n", " built in build 1")
    told = built.run("log", "./:new")
    assert told.out == "" and told.err.splitlines()[1].startswith("it printed nothing")


# spec: cli.log
def test_what_was_built_as_a_part_of_another_is_named_as_one(built: World) -> None:
    for verb in ("log", "why-built"):
        told = built.run(verb, "./:low")
        assert told.codes == ["history.not-built"]
        assert told.errors[0]["remedy"].startswith("did you mean ./:top --of low? "), verb


# spec: cli.log, store.logs
def test_the_same_build_done_twice_has_two_logs(built: World) -> None:
    (built.project / "data").write_text("echo $$; cat nothing; exit 3\n")
    for _ in range(3):
        assert built.run("build", "./:top").codes == ["build.failed"]
    logs = sorted(path.name for path in Path(built.store, "var", "logs").iterdir())
    assert sum(name.endswith(".previous") for name in logs) == 1
    last = built.run("log")
    assert last.out == built.run("log", "./:top").out and "cat: nothing" in last.out
    assert built.run("log", "./:top", "--previous").err.startswith("top, failed (build.failed) in build 3, ")
    assert [log["build"] for log in built.run("log", "./:top", "--json").json["logs"]] == [4]


# spec: cli.recorded
def test_what_a_function_registered_as_a_test_is_found_by_its_name(built: World) -> None:
    checks = '\ndef checks():\n    test(tools.script("check", "echo bad; exit 3", args=[]))\n'
    built.write(default=TWO + checks)
    assert built.run("test", "./:checks").codes == ["build.failed"]
    assert built.run("log", "./:checks").out == "bad\n"
    assert built.run("why-built", "./:checks").out.startswith("check failed (build.failed) in build 2, ")
    assert built.run("log", "./...", "--of", "check").out == "bad\n"


# spec: cli.recorded
def test_a_target_is_found_without_evaluating_anything(built: World) -> None:
    (built.project / "default.bramble").write_text("def broken(")
    assert built.run("log", "./:top").out == "true one\n"
    assert built.run("log", "example.com/p:top").out == "true one\n"
    assert [log["name"] for log in built.run("log", "./", "--json").json["logs"]] == ["top"]
    assert [log["name"] for log in built.run("log", "./...", "--json").json["logs"]] == ["top"]
    assert built.run("log", "./tools/...").codes == ["history.not-built"]
    below = built.project / "below"
    below.mkdir()
    assert built.run("log", "../:top", cwd=below).out == "true one\n"
    assert built.run("log", "./:top", cwd=below).codes == ["history.not-built"]


def test_what_is_asked_wrongly_is_refused(built: World) -> None:
    for words, code in (
        (("./:tpo",), "history.not-built"),
        (("./:top", "--of", "lw"), "history.unknown-derivation"),
        (("./:top", "--previous"), "history.no-previous"),
        ((), "history.no-failure"),
        (("--previous",), "cli.usage"),
        (("--of", "low"), "cli.usage"),
        (("/abs:top",), "load.target"),
        (("../:top",), "load.outside"),
    ):
        told = built.run("log", *words)
        assert (told.status, told.out, told.codes) == (1, "", [code]), words
    assert built.run("log", "./:top", "--of", "lowx").errors[0]["remedy"] == 'did you mean "low"?'


def test_what_stands_in_the_place_of_a_log_is_not_followed(built: World) -> None:
    for path in Path(built.store, "var", "logs").iterdir():
        path.unlink()
        path.symlink_to("/etc/passwd")
    told = built.run("log", "./:top")
    assert (told.status, told.out) == (0, "")
