from __future__ import annotations

import os
from pathlib import Path

import pytest

from bramble.store.digest import digest
from bramble.store.disk import Store
from bramble.store.questions.verify import Damage, verify
from tests.store.conftest import grown, publish
from tests.store.oracle import Exec, Link, Tree

OUT = digest(b"out")
TREE: Tree = {b"d": {b"f": b"some content", b"x": Exec(b"program")}, b"l": Link(b"d/f"), b"own": OUT.encode()}


@pytest.fixture
def name(store: Store) -> str:
    return publish(store, TREE, own=OUT)["out"].name


def open_up(path: str) -> None:
    os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)


def kinds(store: Store) -> list[tuple[str, str]]:
    return [(damage.name, damage.kind) for damage in verify(store).damages]


def close(path: str) -> None:
    for top, directories, files in os.walk(path):
        for below in (*directories, *files):
            inner = os.path.join(top, below)
            if not os.path.islink(inner):
                os.chmod(inner, os.stat(inner).st_mode & 0o555)
    os.chmod(path, 0o555)


@pytest.mark.parametrize(
    "what", ["byte", "mode", "name", "target", "gone", "more", "own name", "cut", "empty"]
)
def test_every_change_in_an_object_is_found(store: Store, name: str, what: str) -> None:
    path = store.object_path(name)
    for part in ("", "/d", "/d/f", "/d/x", "/own"):
        open_up(path + part)
    if what == "byte":
        Path(path, "d/f").write_bytes(b"some Content")
    elif what == "mode":
        os.chmod(path + "/d/x", 0o444)
    elif what == "name":
        os.rename(path + "/d/f", path + "/d/g")
    elif what == "target":
        os.unlink(path + "/l")
        os.symlink("d/x", path + "/l")
    elif what == "gone":
        os.unlink(path + "/d/f")
    elif what == "more":
        Path(path, "more").touch()
    elif what == "own name":
        Path(path, "own").write_bytes(bytes(32))
    elif what == "cut":
        os.truncate(path + "/d/f", 3)
    else:
        os.mkdir(path + "/e")
    if what != "mode":
        os.chmod(path + "/d/x", 0o555)
    close(path)
    assert kinds(store) == [(name, "content")]


def test_a_sound_store_has_no_damages(store: Store, name: str) -> None:
    seen: list[tuple[str, int]] = []
    report = verify(store, on_object=lambda *object_: seen.append(object_))
    assert report.damages == report.left == ()
    assert (report.objects, report.size) == (1, 12 + 7 + 32)
    assert seen == [(name, 51)]


def test_what_can_be_written_to_is_told_and_closed(store: Store, name: str) -> None:
    for part in ("/d/f", "/d", ""):
        open_up(store.object_path(name) + part)
    assert kinds(store) == [(name, "mode")]
    report = verify(store, rebuild=lambda _: False)
    assert report.left == ()
    assert kinds(store) == []


def test_a_lost_or_broken_record_is_told_and_written_again(store: Store, name: str) -> None:
    tree: Tree = {b"f": name.encode()}
    above = publish(store, tree, closure=(name,))["out"].name
    for text in (None, "{"):
        record = Path(store.var, "objects", above)
        record.unlink()
        if text is not None:
            record.write_text(text)
        assert kinds(store) == [(above, "record")]
        assert verify(store, rebuild=lambda _: False).left == ()
        assert Store.open(store.root).references(above) == (name,)


def test_a_missing_reference_is_told(store: Store, name: str) -> None:
    above = publish(store, {b"f": name.encode()}, closure=(name,))["out"].name
    os.chmod(store.object_path(name), 0o755)
    os.rename(store.object_path(name), store.root + "/gone")
    report = verify(store)
    assert report.damages == (Damage(above, "reference", f"it refers to {name}, which is missing", name),)

    def rebuild(missing: str) -> bool:
        assert missing == name
        return publish(store, TREE, own=OUT)["out"].name == name

    assert verify(store, rebuild=rebuild).left == ()


def test_a_damaged_object_is_made_again(store: Store, name: str) -> None:
    path = store.object_path(name)
    os.chmod(path + "/d/f", 0o644)
    Path(path, "d/f").write_bytes(b"damaged")

    def rebuild(damaged: str) -> bool:
        assert not store.contains(damaged)
        return publish(store, TREE, own=OUT)["out"].name == damaged

    report = verify(store, rebuild=rebuild)
    # What is made again gets its modes with it: they are not reported beside.
    assert {damage.kind for damage in report.damages} == {"content"}
    assert Path(path, "d/f").read_bytes() == b"some content"
    assert kinds(store) == []
    assert [entry for entry in os.listdir(store.directory) if entry.startswith(".")] == []


def test_a_damaged_object_that_cannot_be_made_again_is_put_back(store: Store, name: str) -> None:
    os.chmod(store.object_path(name) + "/d/f", 0o644)
    Path(store.object_path(name), "d/f").write_bytes(b"damaged")
    before = grown(store.object_path(name))

    def fail(_: str) -> bool:
        raise RuntimeError("no network")

    with pytest.raises(RuntimeError):
        verify(store, rebuild=fail)
    report = verify(store, rebuild=lambda _: False)
    assert [damage.kind for damage in report.left] == ["content"]
    assert grown(store.object_path(name)) == before


def test_a_special_file_in_an_object_is_a_damage(store: Store, name: str) -> None:
    os.chmod(store.object_path(name), 0o755)
    os.mkfifo(store.object_path(name) + "/pipe")
    os.chmod(store.object_path(name), 0o555)
    assert kinds(store) == [(name, "content")]


def test_an_object_that_cannot_be_read_is_told(store: Store, name: str) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    os.chmod(store.object_path(name) + "/d/f", 0)
    assert kinds(store) == [(name, "unreadable")]


def test_foreign_things_in_the_store_are_told_and_left(store: Store, name: str) -> None:
    Path(store.directory, "notes.txt").write_text("mine")
    Path(store.directory, digest(b"file")).write_text("no directory")
    assert kinds(store) == sorted([("notes.txt", "foreign"), (digest(b"file"), "foreign")])
    verify(store, rebuild=lambda _: False)
    assert Path(store.directory, "notes.txt").read_text() == "mine"


def test_a_broken_derivation_is_told(store: Store, name: str) -> None:
    good, cut, edited = (f"{digest(text)}-x.drv" for text in (b"1", b"2", b"3"))
    store.write_derivation(good, b'{"Name": "good"}')
    store.write_derivation(cut, b'{"Name": "go')
    store.write_derivation(edited, b'{"Name": "edited"}')
    report = verify(store, check_derivation=lambda _, data: b"edited" not in data)
    assert [(damage.name, damage.kind) for damage in report.damages] == sorted(
        [(cut, "derivation"), (edited, "derivation")]
    )
    assert report.derivations == 3


def test_a_broken_derivation_is_written_again_or_said_to_be_removed(store: Store, name: str) -> None:
    known, lost = (f"{digest(text)}-x.drv" for text in (b"1", b"2"))
    for filename in (known, lost):
        store.write_derivation(filename, b"{")

    def rebuild(filename: str) -> bool:
        if filename == known:
            store.write_derivation(known, b"{}")
        return filename == known

    report = verify(store, rebuild=rebuild)
    assert [damage.name for damage in report.repaired] == [known]
    assert [damage.name for damage in report.removed] == [lost]
    assert report.left == ()
    assert os.path.exists(f"{store.directory}/{known}")
    assert not os.path.exists(f"{store.directory}/{lost}")


def test_certain_objects_can_be_verified(store: Store, name: str) -> None:
    other = publish(store, {b"f": b"1"})["out"].name
    os.chmod(store.object_path(other), 0o755)
    assert verify(store, [name]).damages == ()
    assert len(verify(store, [other]).damages) == 1
    assert verify(store, [name, other], jobs=1).objects == 2


def test_a_store_that_is_only_read_can_be_verified(store: Store, name: str) -> None:
    assert verify(Store.open(store.root, read_only=True), rebuild=lambda _: False).damages == ()


@pytest.mark.parametrize("change", ["setuid", "unreadable", "group", "directory", "time", "attribute"])
def test_every_mode_time_and_attribute_is_compared(store: Store, change: str) -> None:
    name = publish(store, {b"d": {b"f": b"1"}})["out"].name
    path = store.object_path(name) + "/d/f"
    assert not verify(store).damages
    if change == "attribute":
        try:
            os.chmod(path, 0o644)
            os.setxattr(path, "user.x", b"1")
            os.chmod(path, 0o444)
        except OSError:
            pytest.skip("no extended attributes on this file system")
    elif change == "time":
        os.utime(path, (1, 1))
    elif change == "directory":
        os.chmod(os.path.dirname(path), 0o1555)
    else:
        os.chmod(path, {"setuid": 0o4444, "unreadable": 0o400, "group": 0o454}[change])
    (damage,) = verify(store).damages
    assert (damage.name, damage.kind) == (name, "mode")
    report = verify(store, rebuild=lambda name: False)
    assert report.repaired and report.repaired == report.damages
    assert not verify(store).damages
