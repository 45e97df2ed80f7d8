from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Optional
from unittest import mock

import pytest

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Realisation, Store
from bramble.store.records.roots import add_root, explicit_roots, projects, remove_root
from tests.store.conftest import publish

RESOLVED = digest(b"derivation")
DIGITS = [digest(b"%d" % number) for number in range(6)]


@pytest.fixture
def built(store: Store) -> Realisation:
    name = publish(store, {b"f": b"1"})["out"].name
    outputs = (("out", name), ("lib", name))
    made = Realisation(RESOLVED, RESOLVED + "-hello.drv", outputs, "landlock", (("/bin/sh", "1", "2"),))
    store.record_realisation(made)
    return made


def test_what_was_built_is_known_again(store: Store, built: Realisation) -> None:
    assert store.realisation(RESOLVED) == built
    assert Store.open(store.root).realisation(RESOLVED) == built
    assert store.realisation(digest(b"other")) is None


def test_what_was_built_is_not_known_without_its_outputs(store: Store, built: Realisation) -> None:
    # An ordinary user cannot move a directory elsewhere that he may not write.
    os.chmod(store.object_path(built.outputs[0][1]), 0o755)
    os.rename(store.object_path(built.outputs[0][1]), store.root + "/gone")
    assert store.realisation(RESOLVED) is None


DEEP = pytest.param("[" * 200_000, id="deep")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", DEEP, '{"version": 2}', '{"version": 1, "outputs": 3}']
)
def test_a_broken_record_of_a_build_means_to_build_again(store: Store, built: Realisation, text: str) -> None:
    Path(store.var, "realisations", RESOLVED).write_text(text)
    assert store.realisation(RESOLVED) is None
    store.record_realisation(built)
    assert store.realisation(RESOLVED) == built


@pytest.mark.parametrize("text", ["", "{", "[]", DEEP, '{"version": 1, "references": 3}'])
def test_a_broken_record_of_an_object_is_told(store: Store, text: str) -> None:
    name = publish(store, {b"f": b"1"})["out"].name
    Path(store.var, "objects", name).write_text(text)
    with pytest.raises(BrambleError) as caught:
        Store.open(store.root).references(name)
    assert caught.value.code == "store.damaged-record"
    publish(store, {b"f": b"1"})
    assert Store.open(store.root).references(name) == ()


def test_an_object_that_is_not_there_is_told(store: Store) -> None:
    for ask in (store.references, store.object, lambda name: store.closure([name])):
        with pytest.raises(BrambleError) as caught:
            ask(digest(b"nothing"))
        assert caught.value.code == "store.unknown-object"


def test_a_closure_holds_everything_once_and_sorted(store: Store) -> None:
    bottom = publish(store, {b"f": b"bottom"})["out"].name
    sides = [
        publish(store, {b"f": b"%d %s" % (n, bottom.encode())}, closure=(bottom,))["out"].name for n in (1, 2)
    ]
    top = publish(store, {b"f": " ".join(sides).encode()}, closure=(*sides, bottom))["out"].name
    assert store.references(top) == tuple(sorted(sides))
    assert store.closure([top]) == tuple(sorted([bottom, top, *sides]))
    assert store.closure([]) == ()


def test_a_derivation_is_written_once_and_read_back(store: Store) -> None:
    filename = RESOLVED + "-hello.drv"
    store.write_derivation(filename, b"{}")
    inode = os.stat(store.directory + "/" + filename).st_ino
    store.write_derivation(filename, b"{}")
    assert os.stat(store.directory + "/" + filename).st_ino == inode
    assert store.read_derivation(filename) == b"{}"
    store.write_derivation(filename, b"[]")
    assert store.read_derivation(filename) == b"[]"
    assert os.stat(store.directory + "/" + filename).st_mode & 0o777 == 0o444


@pytest.mark.parametrize("filename", [RESOLVED + "-x.drv", "../../etc/passwd", "", RESOLVED + "/../x"])
def test_a_derivation_that_is_not_there_is_told(store: Store, filename: str) -> None:
    with pytest.raises(BrambleError) as caught:
        store.read_derivation(filename)
    assert caught.value.code == "store.unknown-derivation"


def test_a_project_keeps_the_results_of_all_its_targets(store: Store) -> None:
    store.record_roots("/p", {"a:x": [DIGITS[1]], "b:y": [DIGITS[2], DIGITS[3]]})
    store.record_roots("/p", {"a:x": [DIGITS[4]]})
    store.record_roots("/q\udcff", {"c:z": [DIGITS[5]]})
    known = {roots.project: roots for _, roots in projects(store)}
    assert known["/p"].results == {"a:x": (DIGITS[4],), "b:y": (DIGITS[2], DIGITS[3])}
    assert known["/p"].former == (DIGITS[1],)
    assert known["/q\udcff"].objects == (DIGITS[5],)


def test_results_that_have_not_changed_are_not_written_again(store: Store) -> None:
    store.record_roots("/p", {"a:x": [DIGITS[4]]})
    (path, _), *_ = projects(store)
    inode = os.stat(path).st_ino
    store.record_roots("/p", {"a:x": [DIGITS[4]]})
    assert os.stat(path).st_ino == inode
    os.utime(path, (1, 1))
    store.record_roots("/p", {"a:x": [DIGITS[4]]})
    assert os.stat(path).st_mtime > 1000


@pytest.mark.parametrize("damage", ["", "{", '{"version": 1, "project": "/p", "results": {}}'])
def test_a_broken_record_of_a_project_is_told_and_not_written_over(store: Store, damage: str) -> None:
    store.record_roots("/p", {"a:x": [DIGITS[4]]})
    (path, _), *_ = projects(store)
    Path(path).write_text(damage)
    for act in (lambda: list(projects(store)), lambda: store.record_roots("/p", {"a:y": [DIGITS[5]]})):
        with pytest.raises(BrambleError) as caught:
            act()
        assert caught.value.code == "store.damaged-record"
        assert path in caught.value.message and "remove that file" in caught.value.remedy
        assert Path(path).read_text() == damage
    os.unlink(path)
    store.record_roots("/p", {"a:x": [DIGITS[4]]})
    assert len(list(projects(store))) == 1


def test_roots_can_be_named_by_hand(store: Store) -> None:
    one, two = (publish(store, {b"f": text})["out"].name for text in (b"1", b"2"))
    add_root(store, "keep this", [one])
    add_root(store, "keep this", [two])
    assert explicit_roots(store) == {"keep this": (two,)}
    for reader, name, code in (
        (store, DIGITS[1], "store.unknown-object"),
        (Store.open(store.root, read_only=True), one, "store.read-only"),
    ):
        with pytest.raises(BrambleError) as caught:
            add_root(reader, "keep this", [name])
        assert caught.value.code == code
    assert explicit_roots(store) == {"keep this": (two,)}
    assert remove_root(store, "keep this")
    assert not remove_root(store, "keep this")
    assert explicit_roots(store) == {}


def test_records_say_their_version(store: Store, built: Realisation) -> None:
    store.record_roots("/p", {"a:x": [DIGITS[4]]})
    for path in Path(store.var).glob("*/*"):
        if path.parent.name in ("objects", "realisations", "projects"):
            assert json.loads(path.read_text())["version"] == 1


def test_a_store_that_is_only_read_is_not_written_to(store: Store, built: Realisation) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path(store.root).rglob("*")}
    os.utime(Path(store.var, "objects", built.outputs[0][1]), (1, 1))
    reader = Store.open(store.root, read_only=True)
    assert reader.realisation(RESOLVED) == built
    assert reader.closure([built.outputs[0][1]])
    after = {path: path.stat().st_mtime_ns for path in Path(store.root).rglob("*")}
    assert set(after) == set(before)
    assert os.stat(Path(store.var, "objects", built.outputs[0][1])).st_mtime == 1


def test_a_use_is_noted_once_a_day(store: Store, built: Realisation) -> None:
    record = Path(store.var, "objects", built.outputs[0][1])
    os.utime(record, (1, 1))
    Store.open(store.root).realisation(RESOLVED)
    assert record.stat().st_mtime > 1000


def test_a_use_is_noted_of_what_is_looked_at_together(store: Store) -> None:
    """Whether its record is read then or was before, and whether it is all there."""
    texts = [b"%d" % number for number in range(5)]
    below = publish(store, {b"f": b"below"})["out"].name
    names = [
        publish(store, {b"f": text, b"g": below.encode()}, closure=(below,))["out"].name for text in texts
    ]
    gone = names[1]
    os.chmod(store.object_path(gone), 0o700)
    shutil.rmtree(store.object_path(gone))
    for asked, missing in ((names[2:], None), (names, gone)):
        again = Store.open(store.root)
        again.object(names[-1])
        for name in (*names, below):
            os.utime(Path(store.var, "objects", name), (1, 1))
        assert again.first_missing(asked) == missing
        assert again.in_use() == set(asked)
        noted = {name for name in names if Path(store.var, "objects", name).stat().st_mtime > 1000}
        assert noted == set(asked)
        # What others need was last used when these were (`store.gc.last-use`).
        assert Path(store.var, "objects", below).stat().st_mtime == 1
        inodes = [Path(store.var, "objects", name).stat().st_ctime_ns for name in names]
        again.close()
        assert Store.open(store.root).first_missing(asked) == missing
        assert [Path(store.var, "objects", name).stat().st_ctime_ns for name in names] == inodes


def test_no_name_leads_out_of_the_directory_of_its_records(store: Store) -> None:
    outside = Path(store.root, "outside")
    outside.write_bytes(b'{"version": 1, "references": [], "size": 0}')
    with pytest.raises(BrambleError) as caught:
        store.object(str(outside))
    assert caught.value.code == "store.unknown-object"
    assert not store.all_there([str(outside)])


def failing(number: int, when: Callable[[int], bool]) -> Callable[..., int]:
    """Return what opens files as `os.open` does, but for those of which the flags say `when`."""
    opened = os.open

    def opening(path: str, flags: int, *more: int, **others: Optional[int]) -> int:
        if when(flags):
            raise OSError(number, os.strerror(number), path)
        return opened(path, flags, *more, **others)

    return opening


def test_a_record_that_cannot_be_read_is_named_with_the_way_to_it(store: Store, built: Realisation) -> None:
    again = Store.open(store.root)
    with mock.patch.object(os, "open", failing(errno.EACCES, lambda flags: not flags & os.O_DIRECTORY)):
        for look in (lambda: again.realisation(RESOLVED), lambda: again.object(built.outputs[0][1])):
            with pytest.raises(BrambleError) as caught:
                look()
            assert caught.value.code == "store.permission"
            assert f'"{store.var}/' in caught.value.message


def test_a_store_whose_directories_cannot_be_kept_open_is_used_by_their_paths(
    store: Store, built: Realisation
) -> None:
    again = Store.open(store.root)
    names = [name for _, name in built.outputs]
    with mock.patch.object(os, "open", failing(errno.EMFILE, lambda flags: bool(flags & os.O_DIRECTORY))):
        assert again.realisation(RESOLVED) == built
        assert again.is_complete(names)
        assert again.all_there(names)
        assert not again.all_there([*names, DIGITS[0]])


def test_a_build_whose_derivation_has_lost_its_bytes_is_done_again(store: Store, built: Realisation) -> None:
    store.write_derivation(built.derivation, b"{}")
    assert store.realisation(RESOLVED) == built
    os.chmod(f"{store.directory}/{built.derivation}", 0o644)
    os.truncate(f"{store.directory}/{built.derivation}", 0)
    assert store.realisation(RESOLVED) is None
    with pytest.raises(BrambleError) as caught:
        store.read_derivation(built.derivation)
    assert caught.value.code == "store.unknown-derivation"
    store.write_derivation(built.derivation, b"{}")
    assert store.realisation(RESOLVED) == built
