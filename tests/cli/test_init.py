from __future__ import annotations

import subprocess
import sys

from tests.cli.world import World


def test_a_new_project_builds_and_greets_without_network(world: World) -> None:
    made = world.run("init", "hello")
    assert made.status == 0
    assert made.out.split() == ["hello/bramble.toml", "hello/build.sh", "hello/default.bramble"]
    ran = world.run("-C", "hello", "run", "./:hello_world", "say-hello-world")
    assert (ran.status, ran.out) == (0, "Hello World!\n")


def test_what_comes_next_is_below_what_was_made(world: World) -> None:
    # As a file has it that takes both: what is standard output is not kept back until the end.
    done = subprocess.run(
        world.command("init", "hello"),
        cwd=world.project,
        env=world.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[:3] == ["hello/bramble.toml", "hello/build.sh", "hello/default.bramble"]
    assert lines[3].startswith("now try: ")


def test_the_project_is_called_as_its_directory(world: World) -> None:
    world.run("init", "my project!")
    assert 'name = "example.com/my-project"' in (world.project / "my project!" / "bramble.toml").read_text()


def test_nothing_is_overwritten_and_what_is_missing_is_added(world: World) -> None:
    directory = world.project / "there"
    directory.mkdir()
    (directory / "build.sh").write_text("mine")
    made = world.run("init", "there")
    assert made.status == 0 and made.out.split() == ["there/bramble.toml", "there/default.bramble"]
    assert made.err.splitlines()[0] == "not changed: there/build.sh"
    assert (directory / "build.sh").read_text() == "mine"
    assert world.run("init", "there").codes == ["init.exists"]


def test_without_the_module_of_the_template_its_command_is_not_named(world: World) -> None:
    (world.project / "default.bramble").write_text("")
    dry = world.run("init", "--dry-run", "--template", "c").err
    assert "which would not be written: to have them" in dry and "nothing was written" in dry
    made = world.run("init", "--template", "c")
    assert made.status == 0 and "now try" not in made.err
    assert "name another directory: init --module --template c DIR" in made.err


def test_within_a_project_a_template_is_a_module_of_it(world: World) -> None:
    world.run("init", "--template", "c")
    made = world.run("init", "--module", "--template", "package", "--json", "more/lib")
    assert made.json["project"] == str(world.project)
    assert made.json["files"] == ["default.bramble", "examples.bramble"]
    assert world.run("build", "--just-parse", "--json", "./more/lib/...").status == 0


def test_the_command_to_try_next_can_be_typed(world: World) -> None:
    # Whatever the directory is called, and wherever one stands: it is one line for a shell.
    (world.project / "e").mkdir()
    for words in (["init", "a b"], ["-C", "a b", "init", "c'd"], ["-C", "e", "init"]):
        made = world.run(*words, "--template", "shell")
        command = made.err.splitlines()[-1].partition("now try: ")[2]
        assert command.startswith("python3 -m bramble -C "), command
        mine = command.replace("python3", sys.executable, 1).replace(" run ", " build --just-parse ", 1)
        mine = mine.partition(" words default.bramble")[0]
        done = subprocess.run(
            ["sh", "-c", mine], cwd=world.project, env=world.environment(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_a_file_of_a_template_is_written_through_no_link(world: World) -> None:
    directory, elsewhere = world.project / "p", world.project / "elsewhere"
    directory.mkdir()
    elsewhere.mkdir()
    (directory / "default.bramble").symlink_to(elsewhere / "gone")
    (directory / "src").symlink_to(elsewhere)
    made = world.run("init", "p", "--template", "c-lib")
    assert made.codes == ["init.not-writable"]
    assert "src/" in made.errors[0]["message"] and list(elsewhere.iterdir()) == []


def test_an_unknown_template_names_the_known_ones(world: World) -> None:
    made = world.run("init", "x", "--template", "hallo")
    assert made.codes == ["init.unknown-template"]
    assert made.errors[0]["remedy"].startswith("did you mean hello? the templates are: c, c-lib, ")
    assert not (world.project / "x").exists()


def test_a_package_says_where_a_project_beside_it_finds_it(world: World) -> None:
    world.run("init", "--template", "package", "deep/greeters")
    text = (world.project / "deep/greeters/default.bramble").read_text()
    assert 'bramble add --path "../greeters"' in text and 'bramble add "example.com/greeters"' in text
