from __future__ import annotations

from tests.cli.world import World


def test_a_new_project_builds_and_greets_without_network(world: World) -> None:
    made = world.run("init", "hello")
    assert made.status == 0
    assert made.out.split() == ["hello/bramble.toml", "hello/build.sh", "hello/default.bramble"]
    ran = world.run("-C", "hello", "run", "./:hello_world", "say-hello-world")
    assert (ran.status, ran.out) == (0, "Hello World!\n")


def test_the_project_is_called_as_its_directory(world: World) -> None:
    world.run("init", "my project!")
    assert 'name = "example.com/my-project"' in (world.project / "my project!" / "bramble.toml").read_text()


def test_nothing_is_overwritten_and_nothing_is_written_beside_it(world: World) -> None:
    directory = world.project / "there"
    directory.mkdir()
    (directory / "build.sh").write_text("mine")
    made = world.run("init", "there")
    assert made.status == 1
    assert made.codes == ["init.exists"]
    assert [path.name for path in directory.iterdir()] == ["build.sh"]
    assert (directory / "build.sh").read_text() == "mine"


def test_an_unknown_template_names_the_known_ones(world: World) -> None:
    made = world.run("init", "x", "--template", "hallo")
    assert made.codes == ["init.unknown-template"]
    assert "hello" in made.errors[0]["remedy"]
    assert not (world.project / "x").exists()
