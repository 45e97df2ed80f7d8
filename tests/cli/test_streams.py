"""Streams, character sets, limits of the process: an error of one line, and no traceback."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.world import World

TEXT = 'def f():\n    """From \u2192 to \u00fc."""\n    return derivation("a", "b")\n'


def shell(
    world: World, script: str, cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in which `"$@"` is the program."""
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", *world.command()],
        cwd=cwd or world.project,
        env=world.environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


VERBS = (
    "ls",
    "ls --json",
    "build --just-parse ./:f",
    "--version",
    "--help",
    "ls --help",
    "help build",
    "star x.star",
)


@pytest.mark.parametrize("words", [*VERBS, "store path", "doctor --json", "init new"])
def test_a_full_standard_output_is_an_error(world: World, words: str) -> None:
    world.write(default=TEXT)
    (world.project / "x.star").write_text("x = 1\n")
    ran = shell(world, f'"$@" {words} >/dev/full')
    if words == "star x.star":
        assert (ran.returncode, ran.stderr) == (0, b"")
        return
    assert ran.returncode == 1
    assert b'"cli.output"' in ran.stderr and ran.stderr.count(b"\n") <= 2, ran.stderr
    assert b"Traceback" not in ran.stderr


ENDS = ["2>/dev/full", "2>&-", "2</dev/null", ">/dev/full 2>/dev/full", ">/dev/full 2>&-"]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("words", "status"), [("ls nowhere", 1), ("nosuch", 2), ("shell --explain x", 2)])
def test_where_nothing_can_be_said_the_exit_status_is_all(
    world: World, end: str, words: str, status: int
) -> None:
    ran = shell(world, f'"$@" {words} {end}')
    assert (ran.returncode, ran.stdout, ran.stderr) == (status, b"", b"")


@pytest.mark.parametrize("words", ["ls", "help", "--version"])
def test_where_neither_stream_takes_anything_what_was_to_be_printed_is_missed(
    world: World, words: str
) -> None:
    world.write(default=TEXT)
    assert shell(world, f'"$@" {words} >/dev/full 2>/dev/full').returncode == 1


SETS = {
    "latin-1": ("latin-1", b"From \\u2192 to \xfc."),
    "ascii": ("ascii", b"From \\u2192 to \\xfc."),
    "utf-8": ("utf-8", "From \u2192 to \u00fc.".encode()),
}


@pytest.mark.parametrize("name", list(SETS))
def test_what_a_character_set_lacks_is_written_as_an_escape(world: World, name: str) -> None:
    world.write(default=TEXT)
    encoding, shown = SETS[name]
    ran = shell(world, '"$@" ls', PYTHONIOENCODING=encoding)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert shown in ran.stdout


def test_in_the_simplest_locale_everything_can_be_shown(world: World) -> None:
    world.write(default=TEXT)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert b"From \\u2192 to \\xfc." in shell(world, '"$@" ls', **plain).stdout
    ran = shell(world, '"$@" ls n\u00f6where', **plain, BRAMBLE_ERROR_FORMAT="")
    assert ran.returncode == 1 and ran.stderr.startswith(b"error[cli.no-directory]")


def test_a_path_that_is_no_text_comes_out_as_it_is(world: World) -> None:
    ran = shell(world, '"$@" init "$(printf "new\\377")"')
    assert ran.returncode == 0, ran.stderr
    assert b"new\xff/bramble.toml\n" in ran.stdout


@pytest.mark.parametrize("limit", ["-v 40000", "-n 5", "-f 0"])
@pytest.mark.parametrize("words", ["ls", "init new", "star x.star"])
def test_limits_of_the_process_are_no_faults_of_ours(world: World, limit: str, words: str) -> None:
    world.write(default=TEXT)
    (world.project / "x.star").write_text("x = [i for i in range(10000000)]\n")
    ran = shell(world, f'ulimit {limit}; "$@" {words}')
    assert ran.returncode in (0, 1)
    assert b"Traceback (most recent call last):\n  File" not in ran.stderr
    if ran.returncode:
        assert b'{"error": ' in ran.stderr


@pytest.mark.parametrize("home", ["", "relative"])
def test_without_a_home_there_is_no_store(world: World, home: str) -> None:
    ran = world.run("store", "path", HOME=home, BRAMBLE_PATH="")
    assert (ran.status, ran.codes) == (1, ["store.no-home"])
    world.write(default=TEXT)
    assert world.run("build", "--just-parse", "./:f", HOME=home).status == 0
