"""`bramble shell`: the environment of a build, and what failed builds left in it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.world import World

THREE = """
load("example.com/p/tools")

def low(name = "low"):
    return tools.script(name, "cat word > $out/f; exit $(cat status)", sources=files(["word", "status"]))

def top():
    return tools.script("top", "echo half > half; cat %s/f > $out/f; exit 4" % low())

def twins():
    return tools.script("twins", "cat %s/f %s/f" % (low(), tools.script("low", "echo 2 > $out/f")))

def good():
    return tools.script("good", "echo > $out/f")

def bare():
    return derivation("bare", "./program", sources=files(["program"]))
"""


@pytest.fixture
def desk(tooled: World) -> World:
    tooled.write(default=THREE)
    for name, text in (("word", "one\n"), ("status", "0\n"), ("program", "nothing\n")):
        (tooled.project / name).write_text(text)
    return tooled


# spec: cli.shell.command
def test_a_command_runs_in_the_environment_and_its_status_is_passed_on(desk: World) -> None:
    ran = desk.run("shell", "./:top", "-c", 'cat half; echo "$0 $out" >&2; echo x > $out/y; exit 7')
    assert (ran.status, ran.out) == (7, "")
    ran = desk.run("shell", "./:low", "-c", "cat word; exit 3")
    assert (ran.status, ran.out) == (3, "one\n")


# spec: cli.shell.of
def test_what_a_target_needs_is_entered_by_its_name_or_its_id(desk: World) -> None:
    ran = desk.run("shell", "./:top", "--of", "low", "-c", "cat word; echo $out")
    assert ran.status == 0 and ran.out.startswith("one\n")
    assert desk.run("shell", "./:top", "--of", "lowe", "-c", "").errors[0]["remedy"] == 'did you mean "low"?'
    several = desk.run("shell", "./:twins", "--of", "low", "-c", "")
    assert several.codes == ["shell.several"]
    ids = [word for word in several.errors[0]["message"].replace(",", " ").split() if len(word) == 32]
    told = [desk.run("shell", "./:twins", "--of", id, "-c", "cat word").out for id in ids]
    assert sorted(told) == ["", "one\n"]


# spec: cli.shell.with
def test_programs_of_this_machine_come_at_the_end_of_path_and_change_nothing(desk: World) -> None:
    assert desk.run("build", "./:low").status == 0
    before = desk.run("history", "--json").out
    ran = desk.run("shell", "./:low", "-c", "ls; head -n 1 word; command -v cat")
    assert "ls: not found" in ran.err and "head: not found" in ran.err
    ran = desk.run(
        "shell", "./:low", "--with", "ls, head", "--with", "cat", "-c", "ls; head -n 1 word; command -v cat"
    )
    assert ran.status == 0, ran.err
    *listed, cat = ran.out.splitlines()
    assert listed == ["status", "word", "one"]
    # What the build has of its own comes first.
    assert cat == desk.run("shell", "./:low", "-c", "command -v cat").out.rstrip()
    assert desk.run("history", "--json").out == before
    assert desk.run("build", "--json", "./:low").json["built"] == []
    assert desk.run("shell", "./:low", "--with", "no-such-tool", "-c", "").codes == [
        "build.host-tool-missing"
    ]
    assert desk.run("shell", "./:low", "--with", " ", "-c", "").codes == ["cli.usage"]
    assert desk.run("shell", "--pure", "./:low", "-c", "").codes == ["build.impure"]


def test_a_build_without_a_shell_takes_one_of_this_machine(desk: World) -> None:
    none = desk.run("shell", "./:bare", "-c", "true")
    assert none.codes == ["shell.no-shell"] and "--with sh" in none.errors[0]["remedy"]
    ran = desk.run("shell", "./:bare", "--with", "sh cat", "-c", "cat program")
    assert (ran.status, ran.out) == (0, "nothing\n")


# spec: cli.shell.failed, build.failure.kept
def test_what_a_failed_build_left_stays_until_one_succeeds(desk: World) -> None:
    assert desk.run("shell", "--failed", "./:top", "-c", "").codes == ["shell.nothing-kept"]
    failed = desk.run("build", "./:top")
    assert failed.errors[0]["remedy"].splitlines()[-1] == "look inside: bramble shell --failed ./:top"
    for number in range(2):
        ran = desk.run("shell", "--failed", "./:top", "-c", "cat half $out/f; echo more >> half")
        assert (ran.status, ran.out) == (0, "half\n" + "more\n" * number + "one\n")
    (place,) = Path(desk.store, "var", "failed").iterdir()
    assert [path.stat().st_mode & 0o777 for path in (place, *place.iterdir())] == [0o700, 0o700]
    assert desk.run("build", "./:good").status == 0
    assert desk.run("shell", "--failed", "./:top", "-c", "").codes == ["shell.nothing-kept"]


# spec: cli.shell, cli.shell.failed
def test_a_test_that_failed_is_entered_by_the_function_that_registered_it(desk: World) -> None:
    text = (desk.project / "default.bramble").read_text()
    for back in ("", "    return top()\n"):
        desk.write(default=f"{text}\ndef checks():\n    test(top())\n{back}")
        failed = desk.run("test", "./:checks")
        assert failed.errors[0]["remedy"].splitlines()[-1] == "look inside: bramble shell --failed ./:checks"
        ran = desk.run("shell", "--failed", "./:checks", "-c", "cat half")
        assert (ran.status, ran.out) == (0, "half\n")


# spec: cli.shell.failed
def test_what_a_target_came_to_does_not_hide_its_test_that_failed(desk: World) -> None:
    text = (desk.project / "default.bramble").read_text()
    more = """
def fine():
    return tools.script("fine", "echo 1 > $out/n")
def checks():
    test(tools.script("uses", "cat %s/n; echo half > half; exit 3" % fine()))
    return fine()
"""
    desk.write(default=text + more)
    assert desk.run("test", "./:checks").status == 1
    for _ in range(2):
        ran = desk.run("shell", "--failed", "./:checks", "-c", "cat half")
        assert (ran.status, ran.out) == (0, "half\n"), ran.err


# spec: cli.shell.failed
def test_where_what_a_target_needs_has_failed_that_is_entered(desk: World) -> None:
    (desk.project / "status").write_text("9\n")
    failed = desk.run("build", "./:top")
    assert (
        failed.errors[0]["remedy"].splitlines()[-1] == "look inside: bramble shell --failed ./:top --of low"
    )
    ran = desk.run("shell", "--failed", "./:top", "-c", "cat status $out/f")
    assert (ran.status, ran.out) == (0, "9\none\n")
    # What it is now has not failed.
    (desk.project / "status").write_text("8\n")
    assert desk.run("shell", "--failed", "./:top", "-c", "").codes == ["shell.nothing-kept"]


# spec: build.failure.kept
def test_a_collection_removes_what_failed_builds_left(desk: World) -> None:
    assert desk.run("build", "./:top").status == 1
    assert desk.run("gc").status == 0
    assert desk.run("shell", "--failed", "./:top", "-c", "").codes == ["shell.nothing-kept"]


# spec: cli.shell.editing, cli.shell.greeting
@pytest.mark.skipif(shutil.which("bash", path="/usr/bin:/bin") is None, reason="there is no bash here")
def test_on_a_terminal_three_lines_say_what_is_where_and_lines_can_be_edited(desk: World) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        desk.command("shell", "./:top"),
        cwd=desk.project,
        env=desk.environment(TERM="xterm"),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    said = b""

    def until(text: bytes) -> None:
        nonlocal said
        while text not in said:
            assert select.select([leader], [], [], 120)[0], said
            said += os.read(leader, 4096)

    until(b"[top build]$ ")
    assert b"top: the environment of its build; your changes are lost when you leave" in said
    assert b"  here: a copy of the sources; to be written: $out; read-only: low, tools\r\n" in said
    assert b"  the build runs: sh -c 'echo half > hal" in said
    assert b"bash: of this machine, no part of the build" in said
    said = b""
    os.write(leader, b"mkdir -p deep; cd deep; test -d $out && echo th=re\x1b[D\x1b[D\x7fe\n")
    until(b"\rthere\r\n")
    until(b"[top build/deep]$ ")
    os.write(leader, b"exit 6\n")
    assert process.wait(60) == 6
    os.close(leader)
