from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Store
from bramble.store.gc.optimise import optimise
from bramble.store.questions.verify import verify
from bramble.store.transfer.relocate import relocate
from tests.store.conftest import grown, publish
from tests.store.oracle import Exec, Link, Tree

OUT = digest(b"out")

# Below a root of this many bytes the whole padding is one directory, within which lies that of shorter roots.
ONE_DIRECTORY = 49 - 1 - len("bramble_store_padding")


def fill(store: Store) -> tuple[str, Tree]:
    here = os.fsencode(store.directory)
    tree: Tree = {
        b"start": here + b" in the middle " + here + b"/" + OUT.encode(),
        b"run": Exec(b"#!/bin/sh\necho " + here + b"/" + OUT.encode() + b"\n"),
        b"l": Link(here + b"/" + OUT.encode() + b"/start"),
        b"cut": b"-" * ((1 << 20) - 20) + here + b"-" * 100 + here,
        b"none": b"no path",
        b"d": {b"e": here},
        b"across": b"-" * ((1 << 20) - 20) + here + b"-" * 100,
    }
    return publish(store, tree, own=OUT)["out"].name, tree


def expected(tree: Tree, old: str, new: str, name: str) -> Tree:
    def node(value: Any) -> Any:
        if isinstance(value, dict):
            return {base: node(below) for base, below in value.items()}
        if isinstance(value, (Link, Exec)):
            return type(value)(node(value[0]))
        assert isinstance(value, bytes)
        return value.replace(os.fsencode(old), os.fsencode(new)).replace(OUT.encode(), name.encode())

    return dict(node(tree))


@pytest.mark.parametrize("old_length", [16, 20, ONE_DIRECTORY, 40, 47])
@pytest.mark.parametrize("new_length", [16, 21, ONE_DIRECTORY, 47])
def test_a_store_moves_anywhere(place: str, old_length: int, new_length: int) -> None:
    old_root = place + "/" + "o" * (old_length - len(place) - 1)
    new_root = place + "/" + "n" * (new_length - len(place) - 1)
    store = Store.open(old_root)
    name, tree = fill(store)
    os.rename(old_root, new_root)
    report = relocate(new_root)
    assert (report.old, report.new) == (old_root, new_root)
    assert (report.objects, report.changed, report.files) == (1, 1, 6)
    moved = Store.open(new_root)
    assert grown(moved.object_path(name)) == expected(tree, store.directory, moved.directory, name)
    assert verify(moved).damages == ()
    assert os.path.samefile(new_root + "/store", moved.directory)
    padding = os.path.relpath(moved.directory, new_root).split("/")[0]
    assert set(os.listdir(new_root)) == {"store", "var", padding}
    assert subprocess.run([moved.object_path(name) + "/run"], capture_output=True, text=True).stdout == (
        moved.object_path(name) + "\n"
    )


def test_a_store_that_was_not_moved_is_left_alone(store: Store) -> None:
    fill(store)
    assert relocate(store.root).objects == 0


def test_nothing_can_be_relocated_where_nothing_is(place: str) -> None:
    with pytest.raises(BrambleError) as caught:
        relocate(place + "/s")
    assert caught.value.code == "store.missing"


def test_a_copy_is_relocated_and_the_original_stays_as_it_is(store: Store, place: str) -> None:
    name, _ = fill(store)
    # Even one that shares its files with the original.
    subprocess.run(["cp", "-al", store.root, place + "/copy"], check=True)
    relocate(place + "/copy")
    copy = Store.open(place + "/copy")
    assert verify(copy).damages == ()
    assert verify(store).damages == ()
    assert Path(store.object_path(name), "d/e").read_text() == store.directory


def test_files_that_were_linked_to_each_other_are_relocated(store: Store, place: str) -> None:
    here = os.fsencode(store.directory)
    names = [publish(store, {b"f": here * 50, b"%d" % n: b""})["out"].name for n in range(3)]
    assert optimise(store).linked == 2
    os.rename(store.root, place + "/other")
    relocate(place + "/other")
    moved = Store.open(place + "/other")
    assert verify(moved).damages == ()
    assert all(Path(moved.object_path(name), "f").read_text() == moved.directory * 50 for name in names)


@pytest.mark.parametrize("stop", range(0, 46, 3))
@pytest.mark.parametrize("again", ["same", "third", "back"])
@pytest.mark.parametrize("lengths", [(16, 33), (ONE_DIRECTORY, 17), (17, ONE_DIRECTORY)])
def test_a_relocation_that_was_interrupted_is_finished_by_another(
    memory: str, monkeypatch: pytest.MonkeyPatch, stop: int, again: str, lengths: tuple[int, int]
) -> None:
    first, second = (f"{memory}/{letter}".ljust(length, letter) for letter, length in zip("fs", lengths))
    third = memory + "/x"
    store = Store.open(first)
    name, tree = fill(store)
    os.rename(store.root, second)
    calls = 0

    class Stop(BaseException):
        pass

    def counted(real: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls > stop:
                raise Stop
            return real(*arguments, **options)  # type: ignore[operator]

        return call

    # Everything that changes the disk; one thread, so that the order is always the same.
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    for function in ("rename", "symlink", "mkdir", "unlink", "fchmod", "write", "fsync", "utime", "rmdir"):
        monkeypatch.setattr(os, function, counted(getattr(os, function)))
    try:
        relocate(second)
    except Stop:
        monkeypatch.undo()
        with pytest.raises(BrambleError) as caught:
            Store.open(second)
        assert caught.value.code == "store.moved"
    monkeypatch.undo()
    interrupted = bool(json.loads(Path(second, "var", "location").read_text()).get("moving"))
    root = {"same": second, "third": third, "back": store.root}[again]
    os.rename(second, root)
    report = relocate(root)
    assert report.finished is interrupted
    assert report.old != report.new or not interrupted and again != "third"
    moved = Store.open(root)
    assert grown(moved.object_path(name)) == expected(tree, store.directory, moved.directory, name)
    assert verify(moved).damages == ()
    assert [entry for entry in os.listdir(moved.directory) if entry.startswith(".")] == []
