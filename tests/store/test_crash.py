from __future__ import annotations

import contextlib
import io
import os
import time
from pathlib import Path
from typing import Callable

import pytest

from bramble.store.digest import digest
from bramble.store.disk import RawOutput, Realisation, Store
from bramble.store.files.remove import remove_tree
from bramble.store.gc.collect import collect
from bramble.store.gc.optimise import optimise
from bramble.store.questions.verify import verify
from bramble.store.records.files import read_object
from bramble.store.records.roots import add_root
from bramble.store.transfer.stream import export_objects, import_objects
from tests.store import crash
from tests.store.conftest import plant, publish
from tests.store.oracle import Exec, Link, Tree

# What a disk loses is decided here, and what is done on it is tested by whoever runs the rest of the room.
pytestmark = pytest.mark.once

OUT, LIB, BUILD, RESOLVED = (digest(text.encode()) for text in ("out", "lib", "build", "resolved"))

losses = pytest.mark.parametrize("loss", list(crash.Loss), ids=lambda loss: f"lost: {loss.value}")


class World:
    """One store in which something is about to happen, made anew for each crash."""

    def __init__(self, root: str) -> None:
        self.root = root
        store = Store.open(root)
        self.base = publish(store, {b"f": b"base"})["out"].name
        store.record_roots("/", {"m:base": [self.base]})
        store.close()

    def build(self) -> dict[str, str]:
        """Build two outputs that refer to each other and to themselves, as the engine does it."""
        store = Store.open(self.root)
        store.protect([self.base])
        here = os.fsencode(store.directory)
        own, lib, build = (here + b"/" + name.encode() for name in (OUT, LIB, BUILD))
        out_tree: Tree = {
            b"run": Exec(own + b" " + lib + b" " + build + b" " + self.base.encode()),
            b"l": Link(own),
            OUT.encode(): b"",
            b"d": {b"e": b"1"},
        }
        with store.workspace() as work:
            plant(out_tree, work.path + "/out")
            plant({b"so": lib, b"a": b"same"}, work.path + "/lib")
            os.link(work.path + "/lib/a", work.path + "/lib/b")
            raws = [RawOutput("out", work.path + "/out", OUT), RawOutput("lib", work.path + "/lib", LIB)]
            made = store.publish(raws, closure=[self.base], build_name=BUILD)
        outputs = tuple((name, object_.name) for name, object_ in made.items())
        filename = RESOLVED + "-x.drv"
        store.write_derivation(filename, b'{"Name": "x"}')
        store.record_realisation(Realisation(RESOLVED, filename, outputs))
        store.record_roots("/", {"m:f": [made["out"].name]})
        store.close()
        return dict(outputs)

    def sound(self) -> Store:
        """Open the store as the next process does, and see that all in it is as it should be."""
        store = Store.open(self.root)
        assert verify(store).damages == ()
        assert store.contains(self.base)
        found = store.realisation(RESOLVED)
        if found is not None:
            assert store.read_derivation(found.derivation) == b'{"Name": "x"}'
            assert store.closure(name for _, name in found.outputs)
        for name in store.names():
            assert read_object(store.var, name) is not None
        return store


def every_crash(
    memory: str, name: str, prepare: Callable[[World], Callable[[], object]], loss: crash.Loss
) -> None:
    """Crash after each change of the disk in turn: the store is sound, and the next process goes on."""
    stop, ended = 0, False
    while not ended:
        stop += 1
        world = World(f"{memory}/{name[:3]}{stop}")
        ended = crash.run(world.root, prepare(world), stop, loss)
        store = world.sound()
        if ended and name == "publish":
            assert store.realisation(RESOLVED) is not None, "a build that was reported is lost"
        store.close()
        expected = world.build()
        store = world.sound()
        found = store.realisation(RESOLVED)
        assert found is not None
        assert dict(found.outputs) == expected
        store.close()
        store = Store.open(world.root)
        long_ago = time.time() - 10000
        for path in Path(store.root).rglob(".tmp-*"):
            os.utime(path, (long_ago, long_ago), follow_symlinks=False)
        collect(store)
        assert [entry for entry in Path(store.root).rglob(".*") if entry.parent.name != LIB] == []
        assert os.listdir(store.var + "/work") == []
        assert set(expected.values()) <= set(store.names())
        world.sound().close()
    assert stop > 10, "nothing was crashed"


@losses
def test_a_crash_of_a_publication_at_any_moment(memory: str, loss: crash.Loss) -> None:
    every_crash(memory, "publish", lambda world: world.build, loss)


@losses
def test_a_crash_while_sources_are_added_at_any_moment(memory: str, loss: crash.Loss) -> None:
    plant({b"a": b"1", b"d": {b"b": Exec(b"2")}}, memory + "/p")

    def add(world: World) -> Callable[[], object]:
        return lambda: Store.open(world.root).add_sources(memory + "/p", ["a", "d/b"])

    every_crash(memory, "sources", add, loss)


@losses
def test_a_crash_while_changed_sources_are_added_at_any_moment(memory: str, loss: crash.Loss) -> None:
    files = ["a", "d/b", "d/c"]

    def add(world: World) -> Callable[[], object]:
        remove_tree(memory + "/p")
        plant({b"a": b"1", b"d": {b"b": Exec(b"2"), b"c": Link(b"b")}}, memory + "/p")
        with contextlib.closing(Store.open(world.root)) as store:
            add_root(store, "former", [store.add_sources(memory + "/p", files)])
        Path(memory, "p/a").write_text("changed")
        return lambda: Store.open(world.root).add_sources(memory + "/p", files)

    every_crash(memory, "changed", add, loss)


@losses
def test_a_crash_of_an_import_at_any_moment(memory: str, loss: crash.Loss) -> None:
    other = World(memory + "/other")
    names = list(other.build().values())
    stream = io.BytesIO()
    export_objects(Store.open(other.root), names, stream.write)

    def bring(world: World) -> Callable[[], object]:
        return lambda: import_objects(Store.open(world.root), io.BytesIO(stream.getvalue()).read)

    every_crash(memory, "import", bring, loss)


@losses
def test_a_crash_of_a_collection_at_any_moment(memory: str, loss: crash.Loss) -> None:
    def gather(world: World) -> Callable[[], object]:
        store = Store.open(world.root)
        first = publish(store, {b"f": b"1", b"d": {b"e": b"2"}})["out"].name
        second = publish(store, {b"f": first.encode()}, closure=(first,))["out"].name
        store.record_realisation(Realisation(digest(b"1"), digest(b"1") + "-y.drv", (("out", second),)))
        store.close()
        return lambda: collect(Store.open(world.root))

    every_crash(memory, "collect", gather, loss)


def test_a_crash_while_equal_files_are_linked_at_any_moment(memory: str) -> None:
    def link(world: World) -> Callable[[], object]:
        store = Store.open(world.root)
        names = [publish(store, {b"f": b"same" * 9, b"%d" % n: b""})["out"].name for n in range(3)]
        store.record_roots("/", {"m:g": names})
        store.close()
        return lambda: optimise(Store.open(world.root))

    stop, ended = 0, False
    while not ended:
        stop += 1
        world = World(f"{memory}/o{stop}")
        ended = crash.run(world.root, link(world), stop, crash.Loss.NOTHING)
        store = Store.open(world.root)
        # At worst a directory can still be written to; nothing that is in it has changed.
        assert {damage.kind for damage in verify(store).damages} <= {"mode"}
        assert verify(store, rebuild=lambda _: False).left == ()
        store.close()
    assert stop > 10
