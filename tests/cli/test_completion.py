"""What shells complete: commands, options, values, targets; and that no name of a file commands a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.cli.completion.grammar import decode, encode
from bramble.cli.completion.line import Line, quoted, split
from bramble.cli.completion.scripts import SCRIPTS
from bramble.cli.table import TOPICS, VERBS
from bramble.commands.complete import targets
from bramble.commands.init import TEMPLATES
from bramble.starlark.kept import checksum
from tests.cli.shells import HOME, PROMPT, Typist, installed, interactive
from tests.cli.world import ROOT, World

# What a shell makes of the words is up to the shell.
pytestmark = pytest.mark.once

BREAKS = " \t\n\"'@><=;|&(:"
MODULE = """
def hello():
    return derivation("a", "b")

def with_default(x = 1, *more):
    pass

def needs(x):
    pass

def _private():
    pass
"""
HOSTILE = (
    *("$(touch pwned)", "`touch pwned`", "a;touch pwned", "a&touch pwned", "|touch pwned", 'quote"d', "it's"),
    *(
        "two words",
        "new\nline",
        "tab\there",
        "esc\x1b[31mape",
        "~root",
        "*",
        "[a]",
        "{a,b}",
        "!!",
        "#c",
        "größe",
    ),
    *("back\\slash", "-rf", "a=b", "colon:name", "\u202eright", "$HOME", "${IFS}x", "<x", ">x", "(x)"),
)


@pytest.fixture
def project(world: World) -> World:
    world.write(default=MODULE, lib__default=MODULE, lib__extra=MODULE, other=MODULE)
    (world.project / "empty").mkdir()
    (world.project / ".hidden").mkdir()
    (world.project / "inner").mkdir()
    (world.project / "inner/bramble.toml").write_text(
        '[package]\nname = "example.com/i"\nversion = "0.1.0"\n'
    )
    return world


def answered(world: World, *words: str, cwd: Path | None = None) -> list[str]:
    """Return what is offered for the last word, or `files` and `directories` for names of files."""
    done = world.run("completion", "--answer", "zsh", *(f".{word}" for word in words), cwd=cwd)
    assert (done.status, done.err) == (0, "")
    first, *lines = done.out.splitlines() or [""]
    return [line.partition("\t")[0] for line in lines] if first == "words" else [first]


def test_commands_options_and_values_are_offered(project: World) -> None:
    # spec: cli.completion
    assert answered(project, "") == [verb.name for verb in VERBS]
    assert answered(project, "b") == ["build"]
    assert answered(project, "--c") == ["--color"]
    assert answered(project, "--color", "a") == ["auto", "always"]
    assert "--keep-going" in answered(project, "build", "--")
    assert answered(project, "build", "--sandbox", "l") == ["landlock"]
    assert answered(project, "build", "--sandbox=l") == ["--sandbox=landlock"]
    assert answered(project, "build", "--dry", "--jobs", "") == []
    assert answered(project, "init", "--template", "") == list(TEMPLATES)
    assert answered(project, "help", "s") == [
        name for name in (*(verb.name for verb in VERBS), *(topic.name for topic in TOPICS)) if name[0] == "s"
    ]
    assert answered(project, "help", "store", "clo") == ["closure"]
    assert "build.failed" in answered(project, "explain", "build.")
    assert answered(project, "store", "why", "./:h") == ["./:hello"]
    assert answered(project, "store", "root", "") == ["add", "remove", "list"]
    assert answered(project, "store", "hash", "") == ["directories"]
    assert answered(project, "star", "") == ["files"]
    assert answered(project, "-C", "") == ["directories"]


def test_an_option_is_offered_once_and_not_to_the_program_that_is_run(project: World) -> None:
    assert "--check" in answered(project, "build", "--c")
    assert "--check" not in answered(project, "build", "--check", "--c")
    assert "--paths" in answered(project, "run", "--paths", "x", "--p")
    assert answered(project, "run", "./:hello", "--") == ["files"]
    assert answered(project, "build", "--", "--") == []


def test_a_line_that_makes_no_sense_is_answered_with_nothing(project: World) -> None:
    for words in (
        ["nonsense", ""],
        ["store", "nonsense", ""],
        ["build", "--nonsense=", "x:"],
        ["-C", "/none", "build", "./"],
    ):
        assert answered(project, *words) in ([], [""])
    assert project.run("completion", "--answer", "bash").out == ""
    assert project.run("completion", "--answer", "bash", ".bramble $(x", "." + BREAKS).out == ""


def test_packages_that_are_required_are_offered(project: World) -> None:
    # spec: cli.completion.dependencies
    path = project.project / "bramble.toml"
    text = path.read_text()
    path.write_text(text + '[dependencies]\n"example.com/b" = "1.0.0"\n"example.com/a" = { path = "../a" }\n')
    try:
        for verb in ("remove", "update"):
            assert answered(project, verb, "") == ["example.com/a", "example.com/b"]
            assert answered(project, verb, "example.com/b") == ["example.com/b"]
    finally:
        path.write_text(text)


def test_targets_are_found_without_an_evaluation(project: World) -> None:
    # spec: cli.completion.targets
    functions = ["./:hello", "./:with_default"]
    assert answered(project, "build", "./:") == functions
    assert answered(project, "build", "./") == [
        *functions,
        "./...",
        "./empty/",
        "./lib/",
        "./lib:",
        "./other:",
    ]
    assert answered(project, "build", "") == answered(project, "build", "./")
    assert answered(project, "build", "./li") == ["./lib/", "./lib:"]
    assert answered(project, "build", "./lib/") == ["./lib/...", "./lib/extra:"]
    # A module alone is completed to its functions.
    assert answered(project, "build", "./o") == ["./other:hello", "./other:with_default"]
    assert answered(project, "build", "./lib:h") == ["./lib:hello"]
    assert answered(project, "build", "../") == [] == answered(project, "build", "../../etc/")
    lib = project.project / "lib"
    assert answered(project, "build", "../:", cwd=lib) == ["../:hello", "../:with_default"]
    assert answered(project, "-C", "lib", "build", "./e") == ["./extra:hello", "./extra:with_default"]
    assert answered(project, "build", "exam") == ["example.com/p:", "example.com/p/"]
    assert answered(project, "build", "example.com/p/lib:h") == ["example.com/p/lib:hello"]
    assert answered(project, "build", "./inner") == []


def test_no_store_is_made_and_nothing_is_said_whatever_is_there(project: World) -> None:
    # spec: cli.completion
    project.write(broken="def f(:\n  '")
    (project.project / "binary.bramble").write_bytes(bytes(range(256)) * 100)
    os.mkfifo(project.project / "pipe.bramble")
    (project.project / "away.bramble").symlink_to("/etc/passwd")
    (project.project / "far").symlink_to("/etc")
    for word in ("./", "./broken:", "./binary:", "./pipe:", "./away:", "./far/", "./far:"):
        answered(project, "build", word)
    assert answered(project, "build", "./far/") == answered(project, "build", "./away:") == []
    (project.project / "bramble.toml").write_text("[package")
    assert answered(project, "build", "./") == []
    (project.project / "bramble.toml").unlink()
    assert answered(project, "build", "./") == []
    assert answered(project, "store", "") != []
    assert not project.store.exists()
    assert os.listdir(project.base / "home") in ([], [".cache"])


@pytest.mark.parametrize(
    ("text", "words", "current", "quote", "kept"),
    [
        ("bramble bu", ["bramble"], "bu", "", 0),
        ("bramble build ", ["bramble", "build"], "", "", 0),
        ("bramble build ./lib:he", ["bramble", "build"], "./lib:he", "", 6),
        (r"bramble build ./two\ wo", ["bramble", "build"], "./two wo", "", 0),
        ('bramble build "./two wo', ["bramble", "build"], "./two wo", '"', 0),
        ("bramble build './li", ["bramble", "build"], "./li", "'", 0),
        ("cd /x && bramble ls", ["bramble"], "ls", "", 0),
        ("bramble build --sandbox=l", ["bramble", "build"], "--sandbox=l", "", 10),
        ("bramble '' x", ["bramble", ""], "x", "", 0),
        (r'bramble "a\"b" x', ["bramble", 'a"b'], "x", "", 0),
    ],
)
def test_a_line_of_bash_is_read_as_bash_reads_it(
    text: str, words: list[str], current: str, quote: str, kept: int
) -> None:
    assert split(text, BREAKS) == Line(tuple(words), current, quote, kept)


def test_what_bash_would_expand_is_no_word() -> None:
    for text in ("bramble build $x", "bramble build `x", 'bramble build "$(x'):
        assert split(text, BREAKS) is None
    assert split("bramble build '$(x", BREAKS) == Line(("bramble", "build"), "$(x", "'", 0)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.text(st.sampled_from("ab$`\\\"';&|<>(){}[]*?!#~=^% -\t\n"), min_size=1),
        st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1),
    )
)
def test_bash_reads_a_completed_word_as_the_name_it_is(name: str) -> None:
    # spec: cli.completion.quoting
    word = quoted(f"./{name}", Line(("bramble", "build"), "./", "", 0))
    if not name.isprintable():
        assert word is None
        return
    assert word is not None
    done = subprocess.run(
        ["bash", "-c", f"printf '%s' {word}"],
        capture_output=True,
        env={"LC_ALL": "C.UTF-8", "HOME": "/home"},
        check=True,
    )
    assert done.stdout.decode("utf-8") == f"./{name}"


def test_in_open_quotes_only_plain_names_are_offered() -> None:
    for quote in ("'", '"'):
        line = Line(("bramble", "build"), "./", quote, 0)
        assert quoted("./two words", line) == "./two words"
        for name in HOSTILE:
            if not set(name) <= set("two words=:-abcolnmerf"):
                assert quoted(f"./{name}", line) is None, name


def test_the_answer_to_bash_begins_after_what_it_keeps(project: World) -> None:
    done = project.run("completion", "--answer", "bash", ".bramble build ./lib:h", "." + BREAKS)
    assert done.out == "words\nhello\n"
    done = project.run(
        "completion", "--answer", "bash", ".bramble build ./lib:h", "." + BREAKS.replace(":", "")
    )
    assert done.out == "words\n./lib:hello\n"


def test_what_is_known_of_the_commands_is_kept_and_found_again(project: World) -> None:
    # spec: cli.completion.kept
    kept = project.base / "home/.cache/bramble/completion/commands"
    first = answered(project, "build", "--")
    assert kept.stat().st_mode & 0o777 == 0o600
    mine = kept.read_bytes()
    stamp, _, data = mine[len(checksum(b"")) :].partition(b"\n")

    def keep(content: bytes) -> None:
        kept.write_bytes(checksum(content) + content)

    # It is what is kept that answers, if it is of this program and whole.
    keep(stamp + b"\n" + data.replace(b"--keep-going", b"--keep-gaing"))
    assert "--keep-gaing" in answered(project, "build", "--")
    for content in (b"0" * 40 + b"\n" + data, stamp + b"\n[1]", stamp + b"\n", b""):
        keep(content)
        assert answered(project, "build", "--") == first
        assert kept.read_bytes() == mine
    kept.write_bytes(b"damaged")
    assert answered(project, "build", "--") == first
    # Where nothing can be kept it takes longer.
    done = project.run("completion", "--answer", "zsh", ".b", HOME="", XDG_CACHE_HOME="")
    assert done.out.startswith("words\nbuild\t")


def test_the_command_line_as_data_is_what_it_was(project: World) -> None:
    done = project.run("completion", "--answer", "zsh", ".")
    assert done.status == 0
    content = (project.base / "home/.cache/bramble/completion/commands").read_bytes()
    content = content[len(checksum(b"")) :].partition(b"\n")[2]
    whole = decode(content)
    assert encode(whole) == content and list(whole.commands) == [verb.name for verb in VERBS]
    assert whole.commands["store"].commands["root"].commands["add"].operands[1].many


def test_a_directory_with_a_great_many_names_is_answered_in_part(tmp_path: Path) -> None:
    (tmp_path / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n')
    for number in range(700):
        (tmp_path / f"d{number}").mkdir()
    assert len(targets("./d", str(tmp_path))) == 500


# --- with shells -------------------------------------------------------------------


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    if not installed(request.param):
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def typist(shell: str, project: World) -> Iterator[Typist]:
    """A shell in the project that completes `bramble`."""
    commands = project.base / "bin"
    commands.mkdir()
    (commands / "bramble").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I {shlex.quote(str(ROOT / "bramble"))} "$@"\n'
    )
    (commands / "bramble").chmod(0o755)
    # Each word as it has reached the program, so that what a shell has read can be compared.
    (commands / "words").write_text('#!/bin/sh\nfor word; do printf "<%s>" "$word"; done\necho END\n')
    (commands / "words").chmod(0o755)
    (commands / f"script.{shell}").write_text(SCRIPTS[shell])
    home = project.base / "home"
    home.mkdir()
    words, more = interactive(shell, f"source {commands}/script.{shell}", home)
    environ = project.environment(
        TERM="xterm", LC_ALL="C.UTF-8", PATH=f"{commands}:/usr/local/bin:/usr/bin:/bin", **more
    )
    made = Typist(words, project.project, environ)
    made.wait_for(PROMPT)
    yield made
    made.close()
    assert not (project.base / "s").exists()


def completed(typist: Typist, line: str) -> list[str]:
    """Type a line and a tab; then run it as the operands of `words`, and return those."""
    typist.type(f"{line}\t{HOME}words \r")
    said = typist.wait_for(f">END.*{PROMPT}")
    return said.rpartition("<bramble>")[2].partition(">END")[0].strip("<").split("><")


def test_a_shell_completes(typist: Typist, shell: str) -> None:
    # spec: cli.completion
    for typed, words in (
        ("bramble buil", ["build"]),
        ("bramble build --keep-g", ["build", "--keep-going"]),
        ("bramble build --sandbox land", ["build", "--sandbox", "landlock"]),
        ("bramble build ./:hel", ["build", "./:hello"]),
        ("bramble build ./lib:hel", ["build", "./lib:hello"]),
        ("bramble -C lib build ./extra:w", ["-C", "lib", "build", "./extra:with_default"]),
        ("bramble store hash emp", ["store", "hash", "empty"]),
        ("bramble star oth", ["star", "other.bramble"]),
    ):
        found = completed(typist, typed)
        assert [*found[:-1], found[-1].rstrip("/")] == words


def test_no_name_of_a_directory_commands_a_shell(typist: Typist, project: World) -> None:
    # spec: cli.completion.quoting
    for number, name in enumerate(HOSTILE):
        directory = project.project / f"d{number}" / f"x{name}"
        directory.mkdir(parents=True)
        found = completed(typist, f"bramble build ./d{number}/x")
        assert not list(project.base.rglob("pwned")), name
        # The name as one word, or as much of it as was written: never another one.
        whole = f"./d{number}/x{name}/"
        assert found == ["build", whole if name.isprintable() else f"./d{number}/x"], name


def test_functions_without_an_end_of_their_parameters_hide_no_others(project: World) -> None:
    """And a file of them is looked through once, not once for each."""
    text = "def a(\n" * 100_000 + "def whole(\n    one = 1,\n    two = 2,\n):\n    pass\n"
    (project.project / "many.bramble").write_text(text)
    assert answered(project, "build", "./many:") == ["./many:whole"]


def test_the_shell_has_to_be_named(world: World) -> None:
    (error,) = world.run("completion").errors
    assert (error["message"], error["remedy"].splitlines()[0]) == (
        "SHELL is missing",
        "it is one of: bash, zsh, fish",
    )
