"""Another user of the machine prepares or changes a store: it is refused, and nothing is touched."""

from __future__ import annotations

import os
import stat
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.files.sync import Syncer
from bramble.store.gc.collect import collect
from bramble.store.layout import place as layout
from bramble.store.locks.advisory import LockFile
from bramble.store.publish.publication import publish as publishing
from bramble.store.questions.verify import verify
from bramble.store.records import foreign
from bramble.store.transfer import relocate as relocating
from bramble.store.trust import people
from tests.store.conftest import publish

VICTIM, OTHER, THIRD = 54321, 54322, 54323
# Loaded now: another user may not be able to read the library of this interpreter.
LOADED = (people, foreign, publishing, Syncer)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two users")


def code(act: Callable[[], object]) -> str:
    with pytest.raises(BrambleError) as caught:
        act()
    assert caught.value.remedy
    return caught.value.code


def acting(uid: int, act: Callable[[], object]) -> str:
    """Do something as another user in a child; return the code of its error, "" if there was none."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        word = "?"
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            act()
            word = ""
        except BrambleError as error:
            word = error.code
        except BaseException:
            traceback.print_exc()
        finally:
            os.write(writer, word.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        word = file.read()
    os.waitpid(child, 0)
    return word


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077, 0o777])
def test_modes_are_set_whatever_the_umask(place: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = Store.open(place + "/above/s")
        name = publish_again(store)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(store.root).st_mode) == 0o755 & ~umask | 0o700
    for path in [*Path(store.root).rglob("*"), Path(place, "above")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            inside = name in path.parts
            assert not mode & 0o022, path
            private = path.parent.name == "locks" and path.name != "objects"
            assert inside or mode == (0o755 if path.is_dir() else 0o600 if private else 0o644), path
    assert Store.open(store.root).first_missing([name]) is None


def publish_again(store: Store) -> str:
    with store.workspace() as work:
        assert stat.S_IMODE(os.stat(work.path).st_mode) == 0o700
        os.umask(0o022)
        return publish(store, {b"f": b"1"})["out"].name


PARTS = ("", "var", "var/work", "var/locks", "var/objects", "var/realisations", "var/roots", "var/logs")


@pytest.mark.parametrize("part", [*PARTS, "bramble_store_padding"])
def test_what_others_can_write_to_is_refused(place: str, part: str) -> None:
    store = Store.open(place + "/s")
    path = os.path.join(store.root, part)
    if part.startswith("bramble"):
        path = store.directory
    os.chmod(path, 0o757)
    assert code(lambda: Store.open(store.root)) == "store.writable-by-others"
    os.chmod(path, 0o1777)
    if part:
        assert code(lambda: Store.open(store.root)) == "store.writable-by-others"
    os.chmod(path, 0o755)
    Store.open(store.root)


def test_what_leads_to_a_store_is_looked_at_too(place: str) -> None:
    Store.open(place + "/a/b/s")
    os.chmod(place + "/a", 0o777)
    assert code(lambda: Store.open(place + "/a/b/s")) == "store.writable-by-others"
    os.symlink("a/b", place + "/link")
    assert code(lambda: Store.open(place + "/link/t")) == "store.writable-by-others"
    # Nobody renames what is another's in a sticky directory.
    os.chmod(place + "/a", 0o1777)
    Store.open(place + "/a/b/s")
    Store.open(place + "/link/t")
    os.symlink("loop", place + "/loop")
    assert code(lambda: Store.open(place + "/loop/s")) == "store.root-unusable"


@pytest.mark.parametrize("kind", ["link", "file", "fifo"])
@pytest.mark.parametrize("part", PARTS[1:])
def test_what_is_no_directory_is_neither_followed_nor_removed(place: str, part: str, kind: str) -> None:
    store = Store.open(place + "/s")
    victim = Path(place, "victim", "kept")
    victim.mkdir(parents=True)
    path = os.path.join(store.root, part)
    os.rename(path, place + "/aside")
    if kind == "link":
        os.symlink(place + ("/victim" if part != "var" else "/aside"), path)
    elif kind == "file":
        Path(path).touch()
    else:
        os.mkfifo(path)
    assert code(lambda: collect(Store.open(store.root))) == "store.foreign-entry"
    assert victim.is_dir()
    assert os.path.lexists(path)


def test_a_directory_that_was_lost_is_made_again(place: str) -> None:
    store = Store.open(place + "/s")
    for part in PARTS[2:]:
        os.rename(f"{store.root}/{part}", place + "/aside-" + part.replace("/", "-"))
    publish(Store.open(store.root), {b"f": b"1"})
    collect(store)


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_a_lock_that_is_no_file_is_told(place: str, kind: str) -> None:
    store = Store.open(place + "/s")
    path = store.var + "/locks/objects"
    os.unlink(path)
    if kind == "link":
        os.symlink("/dev/null", path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.mkdir(path)
    with pytest.raises(OSError):
        LockFile(path)
    assert code(lambda: collect(Store.open(store.root))) == "store.system"


def test_nobody_else_can_hold_a_lock_that_its_owner_waits_for(place: str) -> None:
    # spec: store.locks.others
    store = Store.open(place + "/s")
    locks = {name: f"{store.var}/locks/{name}" for name in ("builds", "gc", "optimise", "objects")}
    for path in locks.values():
        Path(path).touch()
        os.chmod(path, 0o644)  # as earlier versions made them
    with store.building("a" * 32):
        pass
    collect(store)
    verify(store)
    modes = {name: os.stat(path).st_mode & 0o777 for name, path in locks.items()}
    assert modes == {"builds": 0o600, "gc": 0o600, "optimise": 0o600, "objects": 0o644}


def test_an_object_that_others_can_write_to_is_not_used(store: Store) -> None:
    name = publish(store, {b"f": b"1"})["out"].name
    assert store.first_missing([name]) is None
    os.chmod(store.object_path(name), 0o777)
    assert code(lambda: Store.open(store.root).first_missing([name])) == "store.writable-by-others"


@as_root
def test_a_prepared_store_is_refused_also_by_root(place: str) -> None:
    os.chmod(place, 0o1777)
    assert acting(OTHER, lambda: Store.open(place + "/s")) == ""
    for uid in (0, VICTIM):
        assert acting(uid, lambda: Store.open(place + "/s")) == "store.other-owner"
        assert acting(uid, lambda: collect(Store.open(place + "/s"))) == "store.other-owner"
    Store.open(place + "/mine")
    assert acting(VICTIM, lambda: Store.open(place + "/mine")) == "store.other-owner"
    # A part of one's own store that somebody else owns, as `tar -x` by root may leave it.
    os.chown(place + "/mine/var/work", OTHER, OTHER)
    assert code(lambda: Store.open(place + "/mine")) == "store.other-owner"


# Names below the root that are trusted when they are there, and made when they are not.
BELOW = ("bramble_store_padding", "var", "var/work", "store")


@as_root
@pytest.mark.parametrize("uid", [0, VICTIM])
def test_a_sticky_root_is_used_and_nothing_in_it_that_is_another_s(place: str, uid: int) -> None:
    os.chmod(place, 0o755)
    root = place + "/s"
    os.mkdir(root)
    os.chown(root, uid, uid)
    os.chmod(root, 0o1777)
    assert acting(OTHER, lambda: Path(root, "theirs").touch()) == ""
    assert acting(uid, lambda: built(root)) == ""
    # Nobody else removes or renames what is there.
    for name in os.listdir(root):
        if name != "theirs":
            assert acting(OTHER, lambda name=name: os.rename(f"{root}/{name}", f"{root}/x")) == "?"  # type: ignore[misc]
    assert acting(uid, lambda: collect(Store.open(root))) == ""
    # Without the sticky bit, they could.
    os.chmod(root, 0o777)
    assert acting(uid, lambda: Store.open(root)) == "store.writable-by-others"


def built(root: str) -> None:
    publish(Store.open(root), {b"f": b"1"})


@as_root
@pytest.mark.parametrize("uid", [0, VICTIM])
@pytest.mark.parametrize("part", BELOW)
@pytest.mark.parametrize("whole", [False, True])
def test_what_another_has_put_into_a_sticky_root_is_refused(
    place: str, uid: int, part: str, whole: bool
) -> None:
    os.chmod(place, 0o755)
    root = place + "/s"
    os.mkdir(root)
    os.chown(root, uid, uid)
    os.chmod(root, 0o1777)
    if whole:
        # All of a store, as its owner would have made it.
        assert acting(uid, lambda: built(root)) == ""
        os.chown(f"{root}/{part}", OTHER, OTHER, follow_symlinks=False)
    elif part == "store":
        target = os.path.relpath(Store.open(place + "/t").directory, place + "/t")
        assert acting(OTHER, lambda: os.symlink(target, f"{root}/{part}")) == ""
    else:
        assert acting(OTHER, lambda: os.makedirs(f"{root}/{part}")) == ""
    assert acting(uid, lambda: Store.open(root)) == "store.other-owner"
    if whole:
        assert acting(uid, lambda: Store.open(root, read_only=True)) == "store.other-owner"
        assert acting(THIRD, lambda: Store.open(root, owner=uid)) == "store.other-owner"


@as_root
@pytest.mark.parametrize("part", ["bramble_store_padding", "var", "var/work", "store"])
def test_one_who_is_quicker_in_a_sticky_root_is_refused(
    place: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chmod(place, 0o755)
    root = place + "/s"
    os.mkdir(root, 0o755)
    os.chmod(root, 0o1777)
    victim = Path(place, "victim")
    victim.mkdir()
    make, linked = layout.make_directory, os.symlink

    def put(path: str) -> None:
        if path == f"{root}/{part}":
            linked(victim if part != "store" else Store.open(place + "/t").directory, path)
            os.chown(path, OTHER, OTHER, follow_symlinks=False)

    def slow(path: str, mode: int = 0o755) -> None:
        put(path)
        make(path, mode)

    def slow_link(target: str, path: str) -> None:
        put(path)
        linked(target, path)

    monkeypatch.setattr(layout, "make_directory", slow)
    monkeypatch.setattr(os, "symlink", slow_link)
    assert code(lambda: Store.open(root)) in ("store.foreign-entry", "store.system", "store.link-taken")
    assert not list(victim.iterdir())
    assert not os.path.exists(f"{root}/var/location")


@as_root
@pytest.mark.parametrize("there", ["before", "meanwhile"])
def test_relocation_takes_nothing_that_another_put_in_its_way(
    place: str, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chmod(place, 0o755)
    built(place + "/s")
    root = place + "/longer"
    os.rename(place + "/s", root)
    os.chmod(root, 0o1777)
    theirs = f"{root}/.moving/" + "a" * 32

    def put() -> None:
        os.makedirs(theirs)
        for path in (theirs, os.path.dirname(theirs)):
            os.chown(path, OTHER, OTHER)

    write = relocating.write_record
    record = Path(root, "var/location").read_bytes()
    if there == "before":
        put()
    else:

        def meanwhile(*arguments: object) -> None:
            write(*arguments)  # type: ignore[arg-type]
            put()

        monkeypatch.setattr(relocating, "write_record", meanwhile)
    assert code(lambda: relocating.relocate(root)) == "store.other-owner"
    assert os.path.isdir(theirs)
    # What is there before is told before anything is changed.
    assert (Path(root, "var/location").read_bytes() == record) == (there == "before")
    monkeypatch.setattr(relocating, "write_record", write)
    os.rename(root + "/.moving", place + "/aside")
    assert relocating.relocate(root).objects == 1
    assert Store.open(root).names() != ["a" * 32]


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_relocation_makes_directories_of_its_own_modes(place: str, umask: int) -> None:
    built(place + "/s")
    os.rename(place + "/s", place + "/longer")
    before = os.umask(umask)
    try:
        relocating.relocate(place + "/longer")
    finally:
        os.umask(before)
    for path in Path(place, "longer").rglob("*"):
        if not path.is_symlink():
            assert not stat.S_IMODE(path.stat().st_mode) & 0o022, path
    built(place + "/longer")


@as_root
def test_a_link_or_a_directory_of_another_user_on_the_way_is_refused(place: str) -> None:
    os.chmod(place, 0o1777)
    os.mkdir(place + "/theirs", 0o755)
    os.chown(place + "/theirs", OTHER, OTHER)
    os.symlink(".", place + "/link")
    os.chown(place + "/link", OTHER, OTHER, follow_symlinks=False)
    for way in ("theirs", "link"):
        assert code(lambda way=way: Store.open(f"{place}/{way}/s")) == "store.other-owner"  # type: ignore[misc]
    assert os.listdir(place + "/theirs") == []


@as_root
def test_the_store_of_another_user_is_read_and_its_objects_are_read_again(place: str) -> None:
    os.chmod(place, 0o1777)
    made: list[str] = []
    reader, writer = os.pipe()

    def build() -> None:
        store = Store.open(place + "/s")
        os.write(writer, publish(store, {b"f": b"1"})["out"].name.encode())

    assert acting(OTHER, build) == ""
    made.append(os.read(reader, 32).decode())
    os.close(reader)
    os.close(writer)
    for uid in (0, VICTIM):
        assert acting(uid, lambda: use(place, made)) == ""
        assert acting(uid, lambda: change(place)) == "store.read-only"
        assert acting(uid, lambda: collect(Store.open(place + "/s", owner=OTHER))) == "store.read-only"
    assert acting(0, lambda: Store.open(place + "/s", owner=VICTIM)) == "store.other-owner"
    assert acting(VICTIM, lambda: Store.open(place + "/s", owner=0)) == "store.other-owner"
    store = Store.open(place + "/s", owner=OTHER)
    os.chmod(store.object_path(made[0]) + "/f", 0o644)
    Path(store.object_path(made[0]), "f").write_text("2")
    for uid in (0, VICTIM):
        assert acting(uid, lambda: use(place, made)) == "store.altered"


@as_root
def test_known_sources_are_named_in_the_store_of_another_user_without_writing(place: str) -> None:
    os.chmod(place, 0o1777)
    for project in ("one", "two"):
        Path(place, project).mkdir()
        Path(place, project, "f").write_text("1")
    assert acting(OTHER, lambda: Store.open(place + "/s").add_sources(place + "/one", ["f"])) == ""

    def use_copy() -> None:
        store = Store.open(place + "/s", owner=OTHER)
        assert store.is_complete([store.add_sources(place + "/two", ["f"])])
        Path(place, "two", "f").write_text("2")

    def use_other() -> None:
        store = Store.open(place + "/s", owner=OTHER)
        assert not store.is_complete([store.add_sources(place + "/two", ["f"])])
        store.refuse_to_build("thing")

    os.chown(place + "/two/f", VICTIM, VICTIM)
    assert acting(VICTIM, use_copy) == ""
    assert acting(VICTIM, use_other) == "store.read-only"


@as_root
@pytest.mark.parametrize("owner", [None, VICTIM])
def test_nobody_is_told_to_take_a_directory_from_its_owner(place: str, owner: int | None) -> None:
    os.chmod(place, 0o755)
    os.mkdir(place + "/home", 0o755)
    os.chown(place + "/home", OTHER, OTHER)
    for root in (place + "/home/s", place + "/home"):
        with pytest.raises(BrambleError) as caught:
            Store.open(root, owner=owner)
        assert caught.value.code == "store.other-owner"
        assert "chown" not in (caught.value.remedy or "") and "BRAMBLE_PATH" in (caught.value.remedy or "")
        assert (f"--store-of {OTHER}" in (caught.value.remedy or "")) == (owner is None)


def use(place: str, names: list[str]) -> None:
    assert Store.open(place + "/s", owner=OTHER).first_missing(names) is None


def change(place: str) -> None:
    with Store.open(place + "/s", owner=OTHER).workspace():
        pytest.fail("written to")


def test_only_the_private_group_of_the_owner_is_nobody_else(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    users = [
        SimpleNamespace(pw_name="ann", pw_uid=7, pw_gid=70),
        SimpleNamespace(pw_name="bob", pw_uid=8, pw_gid=80),
    ]
    groups = {
        70: SimpleNamespace(gr_name="ann", gr_gid=70, gr_mem=[]),
        80: SimpleNamespace(gr_name="bob", gr_gid=80, gr_mem=["ann"]),
        90: SimpleNamespace(gr_name="staff", gr_gid=90, gr_mem=["ann", "bob"]),
    }
    monkeypatch.setattr(people.pwd, "getpwuid", lambda uid: next(one for one in users if one.pw_uid == uid))
    monkeypatch.setattr(people.pwd, "getpwall", lambda: users)
    monkeypatch.setattr(people.grp, "getgrgid", groups.__getitem__)

    def only(uid: int, gid: int, owner: int = 7, *, above: bool = False) -> bool:
        return people.only_of(
            place, os.stat_result((0o40775, 0, 0, 1, owner, gid, 0, 0, 0, 0)), uid, above=above
        )

    assert only(7, 70)
    assert not only(8, 80) and not only(7, 80) and not only(7, 90) and not only(7, 0)
    assert only(7, 0, 0, above=True) and not only(7, 0, 0)
    users.append(SimpleNamespace(pw_name="eve", pw_uid=9, pw_gid=70))
    assert not only(7, 70)
