"""Every template of `bramble init`: made, built, run, all offline; some in a moved store."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from bramble.commands.init import TEMPLATES
from tests.cli.world import World
from tests.library import test_node, test_python

# What a build function makes is up to the tools of this machine; who builds, and with which Python, is what
# the tests of the sandbox, of builds and of commands are about.
pytestmark = pytest.mark.once

# Of each template: the program of the machine that it needs, and what the command to try next prints.
NEEDED = {
    "hello": ("sh", "Hello World!\n"),
    "c": ("g++", "Hello, you!\n"),
    "c-lib": ("g++", "Hello, you!\n"),
    "python": ("python3", "Hello, you!\n"),
    "node": ("node", "Hello, you!\n"),
    "shell": ("sh", None),
    "package": ("sh", "Welcome, you!\n"),
}
# Of each template with tests: a file, and what is changed in it so that the tests have to fail.
WRONG = {
    "c": ("greeting.c", "Hello, ", "Hullo, "),
    "python": ("greet/main.py", "Hello, ", "Hullo, "),
    "node": ("greeting.js", "Hello, ", "Hullo, "),
    "shell": ("words.sh", "k1,1nr", "k1,1n"),
}
MOVED = ("c", "python", "shell")


def made(project: World, template: str) -> tuple[Path, list[str], str | None]:
    """Make a project; return where it is, the command to try next, and what that has to print."""
    needed, said = NEEDED[template]
    if shutil.which(needed, path="/usr/local/bin:/usr/bin:/bin") is None:
        pytest.skip(f"this machine has no {needed} to copy")
    done = project.run("init", "--json", "--template", template, f"../{template}", cwd=project.project)
    assert done.status == 0, done.err
    return Path(done.json["directory"]), done.json["next"], said


@pytest.fixture(autouse=True)
def gone(shared: World) -> None:
    for template in TEMPLATES:
        shutil.rmtree(shared.base / template, ignore_errors=True)


def test_there_is_a_test_of_each_template() -> None:
    assert set(NEEDED) | {"go"} == set(TEMPLATES)


def test_the_template_for_go_can_be_evaluated(project: World) -> None:
    # To build it takes half a minute: go compiles its library first. test_go.py builds something smaller.
    made = project.run("init", "--json", "--template", "go", "../go")
    parsed = project.run("build", "--just-parse", "--json", "./...", cwd=Path(made.json["directory"]))
    assert [result["target"] for result in parsed.json["results"]] == ["example.com/go:greet"]
    listed = project.run("test", "--list", "--json", cwd=Path(made.json["directory"]))
    assert len(listed.json["tests"]) == 1, listed.out


@pytest.mark.parametrize("template", NEEDED)
def test_a_template_builds_passes_its_tests_and_runs_without_the_network(
    project: World, template: str
) -> None:
    directory, following, said = made(project, template)
    built = project.run("build", "--offline", "--json", "./...", cwd=directory)
    assert built.status == 0, built.err
    functions = [result["target"].rpartition(":")[2] for result in built.json["results"]]
    assert template == "hello" or "tests" in functions
    tested = project.run("test", "--offline", "--json", cwd=directory)
    assert tested.status == 0 and len(tested.json["tests"]) == 1, "what `bramble test` runs is what is there"
    ran = project.run(following[0], "--offline", *following[1:], cwd=directory)
    assert ran.status == 0 and ran.out == (said or ran.out) != "", ran.err
    assert not (directory / "bramble.lock").exists(), "nothing was downloaded"
    # The documentation says what to type, and names functions that are there.
    text = (directory / "default.bramble").read_text()
    lines = [line for line in text.splitlines() if line.startswith("    bramble ")]
    typed = [line.split()[2] for line in lines if line.split()[1] in ("build", "run", "size")]
    assert typed and project.run("build", "--just-parse", "--json", *typed, cwd=directory).status == 0


@pytest.mark.parametrize("template", WRONG)
def test_a_test_of_a_template_fails_when_the_program_is_wrong(project: World, template: str) -> None:
    directory, _, _ = made(project, template)
    file, old, new = WRONG[template]
    text = (directory / file).read_text()
    (directory / file).write_text(text.replace(old, new))
    done = project.run("build", "--offline", "./:tests", cwd=directory)
    assert text.count(old) == 1 and done.codes == ["build.failed"], done.err


def with_downloads(directory: Path, url: str) -> Path:
    """Let the files of a directory of the project stand for what is below a URL; return it."""
    (directory / "w").mkdir()
    with open(directory / "bramble.toml", "a") as file:
        file.write(f'\n[mirror]\n"{url}" = "w/"\n')
    return directory / "w"


def test_the_tests_of_the_python_template_see_the_packages_that_its_comment_says_how_to_add(
    project: World,
) -> None:
    directory, _, _ = made(project, "python")
    downloads = with_downloads(directory, "https://wheels.test/")
    name = "other-1.0-py3-none-any.whl"
    test_python.wheel(downloads, name, other_dot_py="word = 'Hello'\n")
    (directory / "requirements.txt").write_text(test_python.line(downloads / name))
    main = directory / "greet/main.py"
    main.write_text("import other\n" + main.read_text().replace('f"Hello, ', 'other.word + f", '))
    text = (directory / "default.bramble").read_text()
    assert text.count("    return []\n") == 1
    (directory / "default.bramble").write_text(
        text.replace("    return []\n", '    return python.requirements(read("requirements.txt"))\n')
    )
    built = project.run("build", "--offline", "./...", cwd=directory)
    assert built.status == 0, built.err


def test_the_tests_of_the_node_template_see_the_packages_of_its_lock(project: World) -> None:
    directory, _, _ = made(project, "node")
    downloads = with_downloads(directory, "https://npm.test/")
    lock = json.loads((directory / "package-lock.json").read_text())
    lock["packages"]["node_modules/other"] = test_node.package(
        downloads, "other", index_dot_js="exports.word = 'Hello';\n"
    )
    (directory / "package-lock.json").write_text(json.dumps(lock))
    greeting = directory / "greeting.js"
    greeting.write_text("require('other').word.length;\n" + greeting.read_text())
    built = project.run("build", "--offline", "./...", cwd=directory)
    assert built.status == 0, built.err


def test_programs_run_after_the_store_has_moved(project: World) -> None:
    projects = {template: made(project, template) for template in MOVED}
    before = {}
    for template, (directory, following, _) in projects.items():
        before[template] = project.run(*following, cwd=directory).out
        assert project.run("build", "./...", cwd=directory).status == 0
    moved = project.base / "moved"
    os.rename(project.store, moved)
    try:
        for template, (directory, following, _) in projects.items():
            if template == MOVED[0]:
                assert project.run("store", "relocate", BRAMBLE_PATH=str(moved)).status == 0
            after = project.run(*following, cwd=directory, BRAMBLE_PATH=str(moved))
            assert after.out == before[template] != "", after.err
            again = project.run("build", "--json", "./...", cwd=directory, BRAMBLE_PATH=str(moved))
            assert json.loads(again.out)["built"] == [], "nothing is built again because the store moved"
    finally:
        os.rename(moved, project.store)
        assert project.run("store", "relocate").status == 0
