"""`build --out-link`, and what `--locked` refuses."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.cli.world import World

FILES = """
load("example.com/p/tools")
def app():
    return tools.script("app", "echo 1 > $out/n")
def other():
    return tools.script("other", "echo 2 > $out/n")
def two():
    return tools.script("two", "echo a > $lib/n; echo b > $doc/n", outputs=["lib", "doc"])
def broken():
    return tools.script("broken", "exit 1")
def alike():
    return [tools.script("app", "echo 3 > $out/n"), app()]
def everything():
    return files(["**"])
"""


@pytest.fixture
def linked(tooled: World) -> World:
    tooled.write(default=FILES)
    return tooled


def roots(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = world.run("store", "root", "list", "--json").json["roots"]
    return found


def test_a_link_leads_to_the_result_and_keeps_it(linked: World) -> None:
    # spec: cli.build.out-link
    path = linked.run("build", "--out-link", "result", "./:app").out.strip()
    link = linked.project / "result"
    assert os.readlink(link) == path and (link / "n").read_text() == "1\n"
    assert roots(linked) == {str(link): [os.path.basename(path)]}
    assert str(link) in linked.run("store", "root", "list").out
    # Another result takes its place, and a build without the option leaves it.
    other = linked.run("build", "--out-link", "result", "./:other").out.strip()
    assert os.readlink(link) == other and roots(linked) == {str(link): [os.path.basename(other)]}
    linked.run("build", "./:app")
    assert os.readlink(link) == other
    assert [name for name in os.listdir(linked.project) if "result" in name] == ["result"]


def test_a_moved_project_takes_its_links_along_and_loses_nothing(linked: World) -> None:
    # spec: cli.build.out-link
    linked.run("build", "--out-link", "result", "./:app")
    moved = linked.base / "q"
    linked.project.rename(moved)
    assert linked.run("gc", cwd=moved).status == 0
    assert (moved / "result" / "n").read_text() == "1\n"
    assert linked.run("build", "--out-link", "result", "./:app", cwd=moved).status == 0
    assert list(roots_from(linked, moved)) == [str(moved / "result")]
    # A copy is no move: both are kept.
    shutil.copytree(moved, linked.project, symlinks=True)
    assert linked.run("build", "--out-link", "result", "./:app").status == 0
    assert sorted(roots(linked)) == sorted([str(linked.project / "result"), str(moved / "result")])
    assert linked.run("store", "root", "remove", str(moved / "result")).status == 0


def roots_from(world: World, directory: object) -> dict[str, list[str]]:
    found: dict[str, list[str]] = world.run("store", "root", "list", "--json", cwd=directory).json["roots"]  # type: ignore[arg-type]
    return found


def test_several_outputs_and_derivations_have_links_of_their_own(linked: World) -> None:
    # spec: cli.build.out-link
    sub = linked.project / "sub"
    sub.mkdir()
    assert linked.run("build", "--out-link", "sub/r", "./:two").status == 0
    assert sorted(os.listdir(sub)) == ["r", "r-doc"] and (sub / "r" / "n").read_text() == "a\n"
    assert linked.run("build", "--out-link", "x", "../:two", "../:app", cwd=sub).status == 0
    assert sorted(os.listdir(sub)) == ["r", "r-doc", "x-app", "x-two", "x-two-doc"]
    assert linked.run("build", "--out-link", str(linked.base / "abs"), "./:app").status == 0
    assert (linked.base / "abs" / "n").read_text() == "1\n"
    (error,) = linked.run("build", "--out-link", "r", "./:alike").errors
    assert error["error"] == "build.out-link" and "r-app" in error["message"]


def test_what_failed_keeps_the_link_that_it_had(linked: World) -> None:
    # spec: cli.build.out-link
    ran = linked.run("build", "-k", "--out-link", "r", "./:app", "./:broken")
    assert (ran.status, ran.codes) == (1, ["build.failed"])
    assert sorted(name for name in os.listdir(linked.project) if name.startswith("r")) == ["r-app"]


@pytest.mark.parametrize(
    "name",
    ["file", "directory", "elsewhere", "away/r", "no/such", ".", "..", "sub/", "sub/..", "default.bramble"],
)
def test_nothing_is_replaced_that_is_no_such_link(linked: World, name: str) -> None:
    # spec: cli.build.out-link
    project = linked.project
    (project / "file").write_text("mine")
    (project / "directory").mkdir()
    (project / "sub").mkdir()
    (project / "elsewhere").symlink_to("/etc/passwd")
    (project / "away").symlink_to("..")
    before = sorted(os.listdir(project))
    ran = linked.run("build", "--out-link", name, "./:app")
    assert (ran.status, ran.codes, ran.out) == (1, ["build.out-link"], "")
    # It is said before anything is built.
    assert not linked.store.exists()
    assert sorted(os.listdir(project)) == before and not (linked.base / "r").is_symlink()
    assert (project / "file").read_text() == "mine" and os.readlink(project / "elsewhere") == "/etc/passwd"


def test_a_directory_that_cannot_be_written_is_an_error(linked: World) -> None:
    (linked.project / "sub").mkdir()
    (linked.project / "sub").chmod(0o500)
    ran = linked.run("build", "--out-link", "sub/r", "./:app")
    if os.geteuid() != 0:
        assert (ran.status, ran.codes) == (1, ["build.out-link"])
    (linked.project / "sub").chmod(0o700)


def test_a_link_to_a_result_is_no_source_for_a_pattern(linked: World) -> None:
    # spec: project.files.results
    assert linked.run("build", "--out-link", "result", "./:app").status == 0
    assert linked.run("build", "--just-parse", "./...").status == 0


FETCHES = """
def get(name):
    return derivation(name, "fetch_url", env={"url": "http://%s.test/f" % name})
def one():
    return get("one")
def both():
    return [get("one"), get("two")]
"""


@pytest.fixture
def fetching(world: World) -> World:
    toml = world.project / "bramble.toml"
    toml.write_text(toml.read_text() + '[mirror]\n"http://one.test/f" = "one"\n"http://two.test/f" = "two"\n')
    (world.project / "one").write_text("1")
    (world.project / "two").write_text("2")
    world.write(default=FETCHES)
    return world


def test_a_locked_build_names_all_that_would_be_pinned_and_fetches_nothing(fetching: World) -> None:
    # spec: cli.build.locked
    ran = fetching.run("build", "--locked", "./:both")
    assert (ran.status, ran.codes, ran.out) == (1, ["lock.locked", "lock.locked"], "")
    assert [url in error["message"] for error, url in zip(ran.errors, ("//one.test/f", "//two.test/f"))] == [
        True,
        True,
    ]
    assert fetching.objects() == set() and not (fetching.project / "bramble.lock").exists()


def test_a_locked_build_does_what_the_lock_holds(fetching: World) -> None:
    # spec: cli.build.locked
    assert fetching.run("build", "./:one").status == 0
    lock = (fetching.project / "bramble.lock").read_bytes()
    assert fetching.run("build", "--locked", "./:one").status == 0
    # What is in the store already is not in the lock for that.
    (fetching.project / "bramble.lock").unlink()
    assert fetching.run("build", "--locked", "./:one").codes == ["lock.locked"]
    (fetching.project / "bramble.lock").write_bytes(lock)
    assert fetching.run("test", "--locked").status == 0
    assert (fetching.project / "bramble.lock").read_bytes() == lock


def test_a_key_that_is_known_late_is_refused_late(fetching: World) -> None:
    # spec: cli.build.locked
    fetching.write(
        default='load("example.com/p/tools")\n'
        "def late():\n"
        '    u = derivation("u", "fetch_url", env={"url": "http://one.test/f", "sha256": '
        '"6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"})\n'
        '    return derivation("l", "fetch_url", env={"url": "http://two.test/f", "name": "%s" % u})\n',
        tools="",
    )
    ran = fetching.run("build", "--locked", "./:late")
    assert ran.status == 1 and len(ran.codes) == 1
    assert not (fetching.project / "bramble.lock").exists()


def test_a_build_says_what_it_adds_to_the_lock(fetching: World) -> None:
    # spec: cli.build.pinned
    def said(*words: str) -> list[str]:
        return [line for line in fetching.run(*words).err.splitlines() if line.startswith("bramble.lock")]

    (one,) = said("build", "./:one")
    assert one.startswith("bramble.lock: added fetch_url http://one.test/f = ")
    (two,) = said("build", "./:both")
    assert "//two.test/f" in two
    assert said("build", "./:both") == []
    (fetching.project / "bramble.lock").unlink()
    assert said("build", "--locked", "./:both") == said("build", "-q", "./:both") == []
    # Two of its own lines would say it twice.
    (fetching.project / "bramble.lock").unlink()
    assert said("lock") == []
