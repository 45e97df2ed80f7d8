"""`bramble self uninstall`: what Bramble has made goes, and nothing else, wherever a link leads."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bramble.cli.environment import read_setting
from bramble.commands.self import uninstall
from bramble.commands.self.uninstall import ABSENT, KEEP, REMOVE, Inventory, Place, remove, survey
from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.gc import dismantle as dismantling
from bramble.store.gc.collect import collect
from bramble.store.locks.advisory import LockFile
from tests.cli.world import World, remove_store

HELLO = """
def hello():
    return derivation("hello", "fetch_url", env={"url": "https://example.test/a"})
"""


@pytest.fixture
def world() -> Iterator[World]:
    """A world where something was built, typed and granted."""
    # A store's root has 47 bytes at most, so it cannot lie below pytest's own directories.
    base = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    made = World(base)
    made.project.mkdir()
    (made.project / "bramble.toml").write_text(
        '[package]\nname = "example.com/p"\nversion = "0.1.0"\n[mirror]\n"https://example.test/a" = "a"\n'
    )
    (made.project / "a").write_text("a\n")
    made.write(default=HELLO)
    assert made.run("build", "./:hello").status == 0
    for directory, name in ((config(made), "trust.json"), (state(made), "repl_history")):
        directory.mkdir(parents=True)
        (directory / name).write_text("{}\n")
    yield made
    remove_store(base)


def cache(world: World) -> Path:
    return world.base / "home/.cache/bramble"


def config(world: World) -> Path:
    return world.base / "home/.config/bramble"


def state(world: World) -> Path:
    return world.base / "home/.local/state/bramble"


def places(world: World, *words: str) -> dict[str, Any]:
    done = world.run("self", "uninstall", "--json", *words)
    assert done.status == 0, done.err
    return {place["kind"]: place for place in done.json["places"]}


def look(world: World, *, with_store: bool = False) -> Inventory:
    return survey(read_setting(world.environment(), str(world.project)), "bramble", with_store=with_store)


def of(inventory: Inventory, kind: str) -> Place:
    return next(place for place in inventory.places if place.kind == kind)


def everything(directory: Path) -> list[str]:
    return sorted(
        os.path.join(at, name) for at, names, files in os.walk(directory) for name in (*names, *files)
    )


def test_a_dry_run_lists_everything_and_removes_nothing(world: World) -> None:
    # spec: self.uninstall
    before = everything(world.base)
    found = places(world, "--dry-run")
    fates = {"store": KEEP, "state": REMOVE, "configuration": REMOVE, "cache": REMOVE}
    assert {kind: place["fate"] for kind, place in found.items()} == fates
    assert (found["state"]["size"], found["state"]["files"], found["state"]["names"]) == (
        3,
        1,
        ["repl_history"],
    )
    # Of an evaluation there is a record if the program itself has been let alone for a while.
    assert [name for name in found["cache"]["names"] if name != "evaluations"] == ["modules"]
    assert found["cache"]["size"] > 0 and found["store"]["size"] > 0
    assert places(world, "--dry-run", "--store")["store"]["fate"] == REMOVE
    done = world.run("self", "uninstall", "--dry-run")
    for part in (
        str(world.store),
        str(cache(world)),
        "--store also removes it",
        "not changed: 1",
        "the program",
    ):
        assert part in done.out
    assert everything(world.base) == before


def test_without_an_answer_nothing_is_removed(world: World) -> None:
    # spec: self.uninstall.asked
    before = everything(world.base)
    for words in ((), ("--store",), ("--json",)):
        done = world.run("self", "uninstall", *words)
        assert (done.status, done.codes, done.out) == (1, ["self.unconfirmed"], "")
    assert everything(world.base) == before


@pytest.mark.parametrize(("answer", "gone"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked(world: World, answer: str, gone: bool) -> None:
    # spec: self.uninstall.asked
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        world.command("self", "uninstall"),
        cwd=world.project,
        env=world.environment(TERM="xterm"),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    said = b""
    while b"remove it?" not in said:
        said += os.read(leader, 65536)
    os.write(leader, answer.encode())
    while process.poll() is None:
        try:
            said += os.read(leader, 65536)
        except OSError:  # EIO: all have closed their side
            time.sleep(0.01)
    os.close(leader)
    assert process.returncode == (0 if gone else 1), said
    assert cache(world).exists() is not gone and world.store.exists()


def test_what_bramble_keeps_is_removed_and_the_store_stays(world: World) -> None:
    # spec: self.uninstall
    project = everything(world.project)
    found = places(world, "--yes")
    assert found["store"]["fate"] == KEEP
    for directory in (cache(world), config(world), state(world)):
        assert not directory.exists() and directory.parent.is_dir()
    assert world.run("store", "verify").status == 0
    assert everything(world.project) == project
    assert {place["fate"] for kind, place in places(world, "--yes").items() if kind != "store"} == {ABSENT}


def test_the_store_is_removed_when_that_is_wanted(world: World) -> None:
    # spec: self.uninstall.store, store.dismantle
    project = everything(world.project)
    places(world, "--yes", "--store")
    assert not world.store.exists() and everything(world.project) == project
    assert world.run("build", "./:hello").status == 0


def test_what_else_is_in_a_directory_stays(world: World) -> None:
    # spec: self.uninstall.own
    for directory in (cache(world), config(world), state(world), world.store):
        (directory / "mine").mkdir()
        (directory / "mine/letter").write_text("mine")
    # Named like a copy of the one file, and none.
    (cache(world) / ("a" * 32)).mkdir()
    # A source that a person has laid out there.
    (cache(world) / "mine/bramble/self").mkdir(parents=True)
    for name in ("manifest", "bramble/self/boot.py"):
        (cache(world) / "mine" / name).write_text("")
    found = places(world, "--yes", "--store")
    for directory in (cache(world), config(world), state(world), world.store):
        assert (directory / "mine/letter").read_text() == "mine"
    assert os.listdir(world.store) == ["mine"] and (cache(world) / ("a" * 32)).is_dir()
    assert all("mine is not Bramble's" in place["reasons"] for place in found.values())
    assert all(place["reasons"].count("mine is not Bramble's") == 1 for place in found.values())


def test_a_clone_in_the_place_of_the_cache_stays(world: World) -> None:
    # spec: self.uninstall.own
    home = world.base / "home"
    (home / "bramble/.git").mkdir(parents=True)
    (home / "bramble/README.md").write_text("mine")
    before = everything(home / "bramble")
    done = world.run("self", "uninstall", "--yes", XDG_CACHE_HOME=str(home), XDG_CONFIG_HOME=str(home))
    assert done.status == 0 and everything(home / "bramble") == before


def test_unpacked_copies_are_found(world: World) -> None:
    # spec: self.uninstall.own
    copy = cache(world) / ("b" * 32)
    (copy / "bramble/self").mkdir(parents=True)
    (copy / "manifest").write_text("")
    (copy / "bramble/self/boot.py").write_text("")
    (cache(world) / ".unpack-x").mkdir()
    for name in ("completion", "answers", "evaluations", "starlark"):
        (cache(world) / name).mkdir(exist_ok=True)
    os.chmod(copy / "bramble", 0o500)
    found = places(world, "--yes")["cache"]
    assert found["names"] == [
        *(".unpack-x", "answers", "b" * 32, "completion", "evaluations", "modules", "starlark"),
    ]
    assert not cache(world).exists()


def test_a_one_file_removes_the_copy_that_it_runs_from(packed: bytes, tmp_path: Path) -> None:
    # spec: self.uninstall.order, self.uninstall.program
    program = tmp_path / "bramble"
    program.write_bytes(packed)
    program.chmod(0o755)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "BRAMBLE_PYTHON": sys.executable}

    def run(*words: str) -> dict[str, Any]:
        done = subprocess.run(
            [str(program), "self", "uninstall", "--json", *words],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    for told in (run("--dry-run"), run("--yes")):
        assert told["program"] == {"kind": "file", "path": str(program), "removal": ["rm", str(program)]}
        (found,) = [place for place in told["places"] if place["kind"] == "cache"]
        assert found["fate"] == REMOVE and found["files"] > 100 and found["reasons"] == []
    assert not (tmp_path / ".cache/bramble").exists() and program.exists()
    # Without a place for a copy the file says the same of itself.
    environ["XDG_CACHE_HOME"] = "/proc/none"
    assert run("--dry-run")["program"]["path"] == str(program)


@pytest.mark.parametrize("kind", ["cache", "configuration", "state"])
def test_no_link_is_followed(world: World, kind: str) -> None:
    # spec: self.uninstall.own
    place = {"cache": cache, "configuration": config, "state": state}[kind](world)
    elsewhere = world.base / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = everything(elsewhere)
    found = places(world, "--yes")[kind]
    assert found["fate"] == KEEP and "symbolic link" in found["reasons"][0]
    assert everything(elsewhere) == before and place.is_symlink()


@pytest.mark.parametrize("kind", ["cache", "configuration", "state"])
def test_no_link_within_is_followed(world: World, kind: str) -> None:
    # spec: self.uninstall.own
    place = {"cache": cache, "configuration": config, "state": state}[kind](world)
    (name,) = os.listdir(place)
    elsewhere = world.base / "elsewhere"
    (place / name).rename(elsewhere)
    (place / name).symlink_to(elsewhere)
    found = places(world, "--yes")[kind]
    assert found["fate"] == KEEP and found["reasons"][0].startswith(f"{name} is a symbolic link")
    assert elsewhere.exists() and (place / name).is_symlink()


def test_a_link_deeper_down_goes_and_not_what_it_leads_to(world: World) -> None:
    # spec: self.uninstall.own
    letter = world.base / "letter"
    letter.mkdir()
    (letter / "text").write_text("mine")
    (cache(world) / "modules/link").symlink_to(letter)
    places(world, "--yes")
    assert not cache(world).exists() and (letter / "text").read_text() == "mine"


def test_another_kind_of_thing_stays(world: World) -> None:
    # spec: self.uninstall.own
    (config(world) / "trust.json").unlink()
    (config(world) / "trust.json").mkdir()
    (config(world) / "trust.json/letter").write_text("mine")
    found = places(world, "--yes")["configuration"]
    assert found["fate"] == KEEP and (config(world) / "trust.json/letter").read_text() == "mine"


def test_what_belongs_to_somebody_else_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: self.uninstall.own
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    found = look(world, with_store=True)
    assert [place.fate for place in found.places] == [KEEP] * 4
    before = everything(world.base)
    assert remove(found, read_setting(world.environment())) == found
    assert everything(world.base) == before


def test_where_something_is_mounted_nothing_goes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: self.uninstall.own
    inside = (f"{cache(world)}/modules/x", f"{world.store}/var/work/y")
    monkeypatch.setattr(uninstall, "_mounts", lambda: inside)
    found = look(world, with_store=True)
    assert (of(found, "cache").fate, of(found, "store").fate, of(found, "state").fate) == (KEEP, KEEP, REMOVE)
    assert inside[0] in of(found, "cache").reasons[0] and inside[1] in of(found, "store").reasons[0]


@pytest.mark.parametrize("lock", ["objects", "builds", "gc"])
def test_a_store_in_use_stays_and_so_does_everything(world: World, lock: str) -> None:
    # spec: store.dismantle, self.uninstall.order
    before = everything(world.base)
    path = str(world.store / "var/locks" / lock)
    program = (
        "import fcntl, struct, sys\nfile = open(sys.argv[1], 'r+')\n"
        "if sys.argv[1].endswith('gc'):\n    fcntl.flock(file, fcntl.LOCK_EX)\n"
        "else:\n    lock = struct.pack('@hhqqi4x', fcntl.F_RDLCK, 0, 1234567, 1, 0)\n"
        "    fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)\n"
        "print('held', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [*world.command()[:1], "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        done = world.run("self", "uninstall", "--yes", "--store")
        holder.communicate()
    assert (done.status, done.codes) == (1, ["store.in-use"])
    assert f"process {holder.pid}" in done.errors[0]["message"]
    assert everything(world.base) == before
    places(world, "--yes", "--store")
    assert not world.store.exists()


def test_a_removal_that_broke_off_is_finished(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: store.dismantle
    def broken(path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dismantling, "remove_tree", broken)
    with pytest.raises(KeyboardInterrupt):
        dismantling.dismantle(Store.open(str(world.store)))
    monkeypatch.undo()
    (left,) = os.listdir(world.store)
    assert left.startswith(".removed-")
    # A store can be made there, and its collection takes the rest away.
    store = Store.open(str(world.store))
    assert store.names() == [] and left in os.listdir(world.store)
    collect(store)
    assert left not in os.listdir(world.store)
    assert world.run("build", "./:hello").status == 0


def test_a_removal_that_broke_off_in_the_middle_leaves_a_store(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: store.dismantle
    rename, renamed = os.rename, []

    def broken(source: str, target: str) -> None:
        if renamed:
            raise KeyboardInterrupt
        renamed.append(source)
        rename(source, target)

    monkeypatch.setattr(os, "rename", broken)
    with pytest.raises(KeyboardInterrupt):
        dismantling.dismantle(Store.open(str(world.store)))
    monkeypatch.undo()
    assert world.run("build", "./:hello").status == 0
    assert world.run("store", "verify").status == 0
    places(world, "--yes", "--store")
    assert not world.store.exists()


def test_where_directories_cannot_be_renamed_they_are_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: store.layers, store.dismantle
    def refused(*paths: object, **directories: int) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", refused)
    assert dismantling.dismantle(Store.open(str(world.store))) == ()
    assert not world.store.exists()


def test_what_is_called_so_and_is_no_directory_stays(world: World) -> None:
    # spec: store.dismantle
    (world.store / ".removed-file").write_text("mine")
    (world.store / ".removed-link").symlink_to(world.project)
    places(world, "--yes", "--store")
    assert sorted(os.listdir(world.store)) == [".removed-file", ".removed-link"]
    assert (world.project / "default.bramble").exists()
    # Nor is a store made beside them, as one is beside what was a store.
    assert world.run("build", "./:hello").codes == ["store.occupied"]
    (world.base / "o/.removed-directory").mkdir(parents=True)
    assert world.run("build", "./:hello", BRAMBLE_PATH=str(world.base / "o")).status == 0


def test_a_store_that_is_reached_through_a_link_is_removed_behind_it(world: World) -> None:
    # spec: self.uninstall.store
    # A link of the person's own leads to the store, as to another disk.
    elsewhere = world.base / "t"
    home = world.base / "home"
    elsewhere.mkdir()
    (home / "bramble").symlink_to(elsewhere)
    assert world.run("store", "import", BRAMBLE_PATH="").status == 1
    assert (elsewhere / "var").is_dir()
    assert world.run("self", "uninstall", "--yes", "--store", BRAMBLE_PATH="").status == 0
    assert os.listdir(elsewhere) == [] and (home / "bramble").is_symlink()


def test_a_store_of_somebody_else_is_only_told(world: World) -> None:
    # spec: self.uninstall.store
    name = str(os.geteuid())
    done = world.run("--store-of", name, "self", "uninstall", "--yes", "--store", "--json")
    assert done.status == 0 and world.store.exists()
    (place,) = [place for place in done.json["places"] if place["kind"] == "store"]
    assert place["fate"] == KEEP and name in place["reasons"][0]


def test_a_directory_that_is_no_store_stays(world: World) -> None:
    # spec: self.uninstall.store
    other = world.base / "o"
    other.mkdir()
    (other / "letter").write_text("mine")
    done = world.run("self", "uninstall", "--yes", "--store", "--json", BRAMBLE_PATH=str(other))
    assert done.status == 0 and os.listdir(other) == ["letter"]
    done = world.run("self", "uninstall", "--yes", "--store", "--json", BRAMBLE_PATH="relative")
    assert done.status == 0 and done.json["places"][0]["fate"] == KEEP


def test_what_the_system_refuses_is_an_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: self.uninstall.order
    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    found = look(world)
    monkeypatch.setattr(uninstall, "remove_tree", refused)
    with pytest.raises(BrambleError) as caught:
        remove(found, read_setting(world.environment()))
    assert caught.value.code == "self.unremovable" and "repl_history" in caught.value.message


def test_without_a_home_there_is_nothing_to_remove(world: World) -> None:
    done = world.run("self", "uninstall", "--yes", "--json", HOME="", BRAMBLE_PATH="")
    assert done.status == 0 and {place["fate"] for place in done.json["places"]} == {ABSENT}


def test_one_lock_is_told_from_none(tmp_path: Path) -> None:
    # spec: store.dismantle
    first, second = LockFile(str(tmp_path / "l")), LockFile(str(tmp_path / "l"))
    first.share("a" * 32)
    assert second.try_all() == int("a" * 12, 36)
    first.release("a" * 32)
    assert second.try_all() is None and not first.try_share("b" * 32)
    first.close()
    second.close()
