"""Where the store is: never in the place of something else, and never made by a question."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.world import ROOT, World

HELLO = """
def hello():
    return derivation("hello", "fetch_url", env={"url": "https://example.test/a"})
"""
# What only asks. The first word that is no option is the verb.
QUESTIONS = (
    ("help",),
    ("--version",),
    ("help", "build"),
    ("ls",),
    ("store", "path"),
    ("doctor",),
    ("build", "--just-parse", "./..."),
    ("lock", "--check"),
    ("star", "x.star"),
    ("trust", "list"),
)
# These need a store that is there, and say so.
OF_A_STORE = (
    ("store", "verify"),
    ("store", "root", "list"),
    ("store", "closure", "./:hello"),
    ("size", "./:hello"),
    ("history",),
)


@pytest.fixture
def asked(world: World) -> World:
    world.write(default=HELLO)
    (world.project / "x.star").write_text("print(1)\n")
    (world.project / "a").write_text("a\n")
    with (world.project / "bramble.toml").open("a") as file:
        file.write('[mirror]\n"https://example.test/a" = "a"\n')
    return world


@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_a_question_makes_no_store(asked: World, words: tuple[str, ...]) -> None:
    # spec: cli.store.asking
    done = asked.run(*words)
    assert not asked.store.exists() and not (asked.base / "home" / "bramble").exists(), done.err
    assert not [code for code in done.codes if code.startswith("store.")]


@pytest.mark.parametrize("words", OF_A_STORE, ids=" ".join)
def test_what_is_asked_of_a_store_that_is_not_there_says_so(asked: World, words: tuple[str, ...]) -> None:
    # spec: cli.store.asking
    done = asked.run(*words)
    assert (done.status, done.codes) == (1, ["store.missing"])
    assert not asked.store.exists()


def test_where_a_store_will_be_is_known_before_it_is_made(asked: World) -> None:
    # spec: cli.store.asking
    path = asked.run("store", "path").out
    assert len(path.rstrip("\n")) == 49 and path.startswith(f"{asked.store}/")
    assert asked.run("build", "./:hello").status == 0
    assert asked.run("store", "path").out == path


@pytest.mark.parametrize("home", ["", "relative/home"])
@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_without_a_home_only_what_needs_a_store_fails(
    asked: World, words: tuple[str, ...], home: str
) -> None:
    # spec: cli.store.home
    done = asked.run(*words, HOME=home, BRAMBLE_PATH="")
    if words == ("store", "path"):
        assert (done.status, done.codes) == (1, ["store.no-home"])
    elif words == ("doctor",):
        assert done.status == 1 and "no home directory" in done.out and "BRAMBLE_PATH" in done.out
    else:
        assert not [code for code in done.codes if code.startswith("store.")]
    assert sorted(os.listdir(asked.project)) == ["a", "bramble.toml", "default.bramble", "x.star"]
    done = asked.run("build", "./:hello", HOME=home, BRAMBLE_PATH="")
    assert (done.status, done.codes) == (1, ["store.no-home"])
    assert "BRAMBLE_PATH" in done.errors[0]["remedy"]


def test_a_home_that_is_not_named_is_the_one_of_the_user(asked: World) -> None:
    # spec: cli.store.home
    environ = {
        key: value for key, value in asked.environment().items() if key not in ("HOME", "BRAMBLE_PATH")
    }
    done = subprocess.run(
        asked.command("ls"), cwd=asked.project, env=environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def clone(place: Path) -> None:
    (place / ".git").mkdir(parents=True)
    (place / "bramble").mkdir()
    for name in ("README.md", "pyproject.toml", "bramble/__init__.py"):
        (place / name).write_text("not yours\n")


def full(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "letter.txt").write_text("mine\n")


def hidden(place: Path) -> None:
    place.mkdir(parents=True)
    (place / ".profile").write_text("mine\n")


def nearly(place: Path) -> None:
    """What a store has, and one thing more."""
    (place / "var").mkdir(parents=True)
    (place / "bramble_store_padding").mkdir()
    (place / "vars").mkdir()


def everything(place: Path) -> list[str]:
    return sorted(os.path.join(at, name) for at, names, files in os.walk(place) for name in (*names, *files))


@pytest.mark.parametrize("occupy", [clone, full, hidden, nearly])
@pytest.mark.parametrize("words", [("build", "./:hello"), ("store", "path"), ("store", "import"), ("lock",)])
@pytest.mark.parametrize("by_home", [False, True])
def test_no_store_is_made_in_something_else(
    asked: World, occupy, words: tuple[str, ...], by_home: bool
) -> None:
    # spec: store.occupied
    place = asked.base / "home" / "bramble" if by_home else asked.store
    occupy(place)
    before = everything(place)
    more = {"BRAMBLE_PATH": ""} if by_home else {}
    done = asked.run(*words, **more)
    assert (done.status, done.codes) == (1, ["store.occupied"]), done.err
    assert str(place) in done.errors[0]["message"] and "BRAMBLE_PATH" in done.errors[0]["remedy"]
    assert everything(place) == before
    done = asked.run("doctor", **more)
    assert done.status == 1 and str(place) in done.out and everything(place) == before


@pytest.mark.parametrize("words", [("build", "./:hello"), ("store", "path"), ("doctor",)])
def test_a_file_in_the_place_of_a_store_is_named(asked: World, words: tuple[str, ...]) -> None:
    # spec: store.root
    asked.store.write_text("mine")
    done = asked.run(*words)
    assert (
        done.status == 1 and "BRAMBLE_PATH" in done.err + done.out and str(asked.store) in done.err + done.out
    )
    assert asked.store.read_text() == "mine"


@pytest.mark.parametrize("there", [[], ["lost+found"], ["var", "bramble_store_padding"]])
def test_an_empty_directory_and_a_store_that_was_begun_become_one(asked: World, there: list[str]) -> None:
    # spec: store.occupied
    asked.store.mkdir()
    for name in there:
        (asked.store / name).mkdir()
    assert asked.run("build", "./:hello").status == 0
    # From then on whatever else is there is no reason to lose the store.
    (asked.store / "note.txt").write_text("mine")
    assert asked.run("build", "./:hello").status == 0


@pytest.mark.parametrize("kind", ["store", "clone"])
def test_a_directory_named_like_the_package_does_not_hide_it(asked: World, kind: str) -> None:
    # spec: cli.modules
    # ~/bramble is the store, and people are in their homes: `python3 -m bramble` looks there first.
    home = asked.base / "home"
    home.mkdir()
    if kind == "store":
        assert asked.run("store", "import", BRAMBLE_PATH="").status == 1
        assert (home / "bramble" / "var").is_dir()
    else:
        clone(home / "bramble")
    done = asked.run("version", cwd=home)
    assert (done.status, done.err) == (0, ""), done.err
    # Installed, without a PYTHONPATH.
    site = asked.base / "site"
    site.mkdir()
    (site / "bramble").symlink_to(ROOT / "bramble")
    environ = asked.environment(PYTHONPATH=str(site))
    ran = subprocess.run(
        [sys.executable, "-m", "bramble", "version"], cwd=home, env=environ, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    shutil.rmtree(site)
