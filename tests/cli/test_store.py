from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from bramble.cli.environment import read_setting
from bramble.errors import BrambleError
from tests.cli.world import World

CHAIN = """
load("example.com/p/tools")
def low():
    return tools.script("low", "echo low > $out/n")
def high():
    t = tools.tools()
    command = "mkdir $out/d; echo text $low more > $out/d/n; ln -s $low/n $out/link"
    return derivation(
        "high", builder=t.out + "/bin/sh", args=["-c", command], env={"PATH": t.out + "/bin", "low": low()}
    )
def other():
    return tools.script("other", "echo other > $out/n")
"""


@pytest.fixture
def chain(tooled: World) -> World:
    tooled.write(default=CHAIN)
    return tooled


def built(world: World, target: str) -> str:
    (result,) = world.run("build", "--json", target).json["results"]
    return str(result["outputs"]["out"]["name"])


def writable(path: Path) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o644)


def test_an_object_is_found_by_path_name_beginning_and_target(chain: World) -> None:
    name = built(chain, "./:low")
    path = str(chain.store / "store" / name)
    for word in (name, path, path + "/n", name[:8], "./:low"):
        assert chain.run("store", "path", word).out == path + "\n", word


def test_an_object_that_is_not_there_is_named(chain: World) -> None:
    built(chain, "./:low")
    assert chain.run("store", "path", "a" * 32).codes == ["store.unknown-object"]
    assert chain.run("store", "references", "./:other").codes == ["store.not-built"]


def test_references_and_referrers_are_two_sides_of_one_thing(chain: World) -> None:
    low, high = built(chain, "./:low"), built(chain, "./:high")
    assert chain.run("store", "references", "./:high", "--json").json["objects"] == [low]
    assert chain.run("store", "referrers", "./:low", "--json").json["objects"] == [high]
    assert chain.run("store", "closure", "./:high", "--json").json["size"] > 0
    tree = chain.run("store", "closure", "--tree", "./:high").out
    assert [line.split("(")[1].split(")")[0] for line in tree.splitlines()] == ["high", "low"]


def test_why_shows_the_file_and_the_bytes(chain: World) -> None:
    low, high = built(chain, "./:low"), built(chain, "./:high")
    ran = chain.run("store", "why", high, low)
    assert ran.status == 0
    assert "d/n, content" in ran.out and low in ran.out
    ran = chain.run("store", "why", low, high)
    assert (ran.status, ran.out) == (1, f"{low} does not need {high}\n")


def test_diff_shows_what_came_and_went(chain: World) -> None:
    built(chain, "./:high"), built(chain, "./:other")
    labels = {
        change["label"]: (change["before"], change["after"])
        for change in chain.run("store", "diff", "./:high", "./:other", "--json").json["changes"]
    }
    assert set(labels) == {"high", "low", "other"}
    assert labels["other"][0] is None and labels["low"][1] is None


def test_damage_is_found_and_repaired(chain: World) -> None:
    low = built(chain, "./:low")
    built(chain, "./:high")
    file = chain.store / "store" / low / "n"
    writable(file)
    file.write_text("wrong")
    ran = chain.run("store", "verify", "--json")
    assert ran.status == 1
    assert low in {damage["name"] for damage in ran.json["damages"]}
    ran = chain.run("store", "verify", "--repair")
    assert ran.status == 0, ran.out + ran.err
    assert file.read_text() == "low\n"
    assert chain.run("store", "verify").status == 0


def test_a_damaged_recipe_is_written_again_from_the_project(chain: World) -> None:
    built(chain, "./:high")
    recipes = {path: path.read_bytes() for path in (chain.store / "store").glob("*.drv")}
    for path in recipes:
        path.chmod(0o644)
        path.write_text("{")
    ran = chain.run("store", "verify", "--repair")
    assert (ran.status, ran.out.count("repaired ")) == (0, len(recipes)), ran.out + ran.err
    assert {path: path.read_bytes() for path in recipes} == recipes


def test_a_damaged_recipe_that_nobody_knows_is_removed_and_that_is_said(chain: World) -> None:
    built(chain, "./:low")
    shutil.rmtree(chain.store / "var" / "projects")
    (chain.store / "var" / "projects").mkdir()
    path = sorted((chain.store / "store").glob("*-low.drv"))[0]
    path.chmod(0o644)
    path.write_text("{")
    ran = chain.run("store", "verify", "--repair")
    assert ran.status == 0
    assert f"removed {path.name}: derivation" in ran.out
    assert "repaired" not in ran.out
    assert not path.exists()
    ran = chain.run("build", "--json", "./:low")
    assert ran.status == 0 and ran.json["built"] == []


def test_an_export_of_a_damaged_object_is_an_error_that_names_it(chain: World) -> None:
    low = built(chain, "./:low")
    file = chain.store / "store" / low / "n"
    writable(file)
    file.write_text("wrong")
    ran = chain.run("store", "export", "./:low")
    assert ran.status == 1
    assert low in ran.err


def test_roots_that_are_kept_by_hand_can_be_listed(chain: World) -> None:
    low = built(chain, "./:low")
    assert chain.run("store", "root", "list").out == ""
    assert chain.run("store", "root", "add", "a\x1blabel", "./:low").status == 0
    ran = chain.run("store", "root", "list")
    assert (ran.status, "\x1b" in ran.out, ran.out.endswith(f"/store/{low}\n")) == (0, False, True)
    assert chain.run("store", "root", "remove", "a\x1blabel").status == 0
    for words in (["add"], ["add", "label"], ["remove"], ["list", "label"], ["remove", "label", low]):
        assert chain.run("store", "root", *words).status == 2


def test_damage_that_nothing_can_repair_is_left_as_it_is(chain: World) -> None:
    low = built(chain, "./:low")
    shutil.rmtree(chain.store / "var" / "projects")
    (chain.store / "var" / "projects").mkdir()
    file = chain.store / "store" / low / "n"
    writable(file)
    file.write_text("wrong")
    assert chain.run("store", "verify", "--repair").status == 1
    assert file.read_text() == "wrong"


@pytest.mark.parametrize("length", [20, 47])
def test_what_is_exported_arrives_under_the_same_names_elsewhere(chain: World, length: int) -> None:
    low, high = built(chain, "./:low"), built(chain, "./:high")
    elsewhere = str(chain.base / ("x" * (length - len(str(chain.base)) - 1)))
    stream = subprocess.run(
        chain.command("store", "export", high),
        cwd=chain.project,
        env=chain.environment(),
        capture_output=True,
        check=True,
    ).stdout
    ran = chain.run("store", "import", "--json", stdin=stream, BRAMBLE_PATH=elsewhere)
    assert sorted(ran.json["imported"]) == sorted([low, high])
    assert chain.run("store", "verify", BRAMBLE_PATH=elsewhere).status == 0
    link = os.readlink(os.path.join(elsewhere, "store", high, "link"))
    assert Path(link).read_text() == "low\n" and link.startswith(elsewhere)
    # One bit of it wrong, and nothing is taken.
    third = str(chain.base / "third")
    place = stream.rindex(b"low\n")
    ran = chain.run(
        "store", "import", stdin=stream[:place] + b"LOW\n" + stream[place + 4 :], BRAMBLE_PATH=third
    )
    assert ran.codes == ["store.import-mismatch"]
    assert chain.run("store", "verify", BRAMBLE_PATH=third).status == 0


@pytest.mark.parametrize("name", ["t", "longer-than-it-was-before"])
def test_a_moved_store_works_after_one_command(chain: World, name: str) -> None:
    before = built(chain, "./:high"), built(chain, "./tools:tools")
    there = chain.base / name
    os.rename(chain.store, there)
    ran = chain.run("build", "./:high", BRAMBLE_PATH=str(there))
    assert ran.codes == ["store.moved"] and "relocate" in ran.errors[0]["remedy"]
    assert chain.run("store", "relocate", BRAMBLE_PATH=str(there)).status == 0
    chain.environ["BRAMBLE_PATH"] = str(there)
    again = chain.run("build", "--json", "./:high", "./tools:tools").json
    assert again["built"] == []
    assert tuple(result["outputs"]["out"]["name"] for result in again["results"]) == before
    assert chain.run("store", "verify").status == 0
    # Programs of the host that were copied run from the new place.
    assert chain.run("run", "./tools:tools", "sh", "-c", "cat bramble.toml").status == 0


def test_a_store_elsewhere_builds_the_same_names(chain: World) -> None:
    first = built(chain, "./:high")
    chain.environ["BRAMBLE_PATH"] = str(chain.base / "another" / "place")
    assert built(chain, "./:high") == first


def test_a_collection_leaves_what_projects_need(chain: World) -> None:
    low = built(chain, "./:low")
    built(chain, "./:other")
    chain.write(default=CHAIN.replace("def other", "def other_no_more"))
    objects = chain.objects()
    dry = chain.run("gc", "--dry-run", "--json").json
    assert chain.objects() == objects and dry["dry_run"]
    assert chain.run("gc").status == 0
    assert low in chain.objects()
    # The tools are not referred to by what was built with them, and nobody asked for them; they alone go.
    assert set(chain.run("build", "--json", "./:low").json["built"]) <= {"tools"}


def test_a_project_that_is_gone_is_forgotten_and_one_with_a_mistake_is_not(chain: World) -> None:
    low = built(chain, "./:low")
    chain.write(default="def (")
    chain.run("gc")
    assert low in chain.objects()
    os.rename(chain.project / "bramble.toml", chain.project / "gone.toml")
    ran = chain.run("gc", "--json")
    assert ran.json["forgotten"] == [os.path.realpath(chain.project)]
    assert chain.objects() == set()


def test_what_is_needed_is_not_deleted(chain: World) -> None:
    low, high = built(chain, "./:low"), built(chain, "./:high")
    assert chain.run("store", "delete", low).codes == ["store.in-use"]
    assert {low, high} <= chain.objects()


def test_the_digest_of_a_directory_is_that_of_its_archive(world: World) -> None:
    tree = world.project / "tree"
    tree.mkdir()
    (tree / "hi.txt").write_text("hi")
    (tree / "hi.txt").chmod(0o644)
    assert world.run("store", "hash", "tree").out == "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r\n"
    assert not world.store.exists()
    assert world.run("store", "hash", "nowhere").codes == ["store.not-a-directory"]


def test_questions_and_what_is_built_need_no_right_to_write(chain: World) -> None:
    with open(chain.project / "default.bramble", "a", encoding="utf-8") as file:
        file.write(
            'def copied():\n    return tools.script("copied", "cat ./default.bramble > $out/n", '
            'sources=files(["./default.bramble"]))\n'
        )
    name = built(chain, "./:high")
    built(chain, "./:copied")
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere, so nothing would be shown")
    for directory, names, files in os.walk(chain.store):
        for entry in (*names, *files):
            path = Path(directory, entry)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
    chain.store.chmod(0o555)
    try:
        assert chain.run("store", "closure", name).status == 0
        assert chain.run("store", "verify").status == 0
        assert built(chain, "./:high") == name
        # From another place nothing is known about the sources, and still they are those.
        elsewhere = chain.base / "elsewhere"
        shutil.copytree(chain.project, elsewhere)
        for project in (chain.project, elsewhere):
            assert chain.run("build", "--json", "./:copied", cwd=project).json["built"] == []
        assert chain.run("run", "./tools:tools", "sh", "-c", "echo $((6*7))").out == "42\n"
        assert chain.run("build", "./:other").codes == ["store.read-only"]
    finally:
        for directory, names, _ in os.walk(chain.store):
            Path(directory).chmod(0o755)
            for entry in names:
                if not Path(directory, entry).is_symlink():
                    Path(directory, entry).chmod(0o755)


def test_an_export_that_nobody_takes_is_no_fault_of_the_store(chain: World) -> None:
    name = built(chain, "./tools:tools")
    command = [*chain.command("store", "export", name)]
    environment = chain.environment()
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=environment, timeout=60, check=False
        )
    assert done.returncode == 1 and b"cli.output" in done.stderr
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_the_store_of_another_user_is_looked_for_in_that_user_s_home() -> None:
    home = pwd.getpwuid(0).pw_dir
    for word in (pwd.getpwuid(0).pw_name, "0"):
        assert read_setting({"HOME": "/h"}, store_of=word).store_root == f"{home}/bramble"
        assert read_setting({"BRAMBLE_STORE_OF": word}).store_root == f"{home}/bramble"
        assert read_setting({"BRAMBLE_PATH": "/s"}, store_of=word).store_root == "/s"
    assert read_setting({"HOME": "/h"}).store_root == "/h/bramble"
    with pytest.raises(BrambleError) as caught:
        read_setting({"HOME": "/h"}, store_of="no-such-user-here")
    assert caught.value.code == "store.unknown-user"


@pytest.mark.parametrize("words", ["size x", "store optimise", "gc", "store path"])
def test_no_command_passes_over_the_user_whose_store_is_meant(world: World, words: str) -> None:
    done = world.run("--store-of", "no-such-user-here", *words.split())
    assert done.status == 1 and "store.unknown-user" in done.err
    done = world.run("--store-of", "no-such-user-here", "store", "relocate")
    assert done.status == 1 and "store.read-only" in done.err
