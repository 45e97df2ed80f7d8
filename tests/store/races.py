"""What two processes do at the same time to one store, and what must hold afterwards, whatever the order."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Callable

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import RawOutput, Realisation, Store
from bramble.store.gc.collect import collect, delete
from bramble.store.gc.optimise import optimise
from bramble.store.questions.verify import verify
from bramble.store.records.files import read_object
from bramble.store.records.roots import add_root, explicit_roots, projects, remove_root
from tests.store.conftest import plant, publish
from tests.store.interleave import Program, Run

LONG_AGO = time.time() - 40 * 86400
PROJECT = "/p"
After = Callable[[Store], None]
Part = Callable[[Store], object]


class Scene:
    """A store that is made once and then copied for each run, with what is to happen in it."""

    def __init__(self, memory: str) -> None:
        self.memory, self.root, self.template = memory, memory + "/s", memory + "/t"
        store = Store.open(self.root)
        self.directory = store.directory
        self.base = publish(store, {b"f": b"base"})["out"].name
        self.twin = publish(store, {b"f": b"base", b"d": {b"g": b"base"}})["out"].name
        self.former = publish(store, {b"f": b"former"})["out"].name
        store.record_roots(PROJECT, {"m:base": [self.base], "m:twin": [self.twin], "m:x": [self.former]})
        add_root(store, "other", [self.base])
        self.resolved = digest(b"resolved")
        self.filename = self.resolved + "-x.drv"
        self.made = publish(store, self._tree())["out"].name
        store.close()
        collect(Store.open(self.root), is_project=lambda _: True)
        assert store.contains(self.base) and store.contains(self.twin) and not store.contains(self.made)
        # What a collection has to remove: the project has come to something else.
        store.record_roots(PROJECT, {"m:x": [self.base]})
        store.close()
        # What was built long ago and collected, with a recipe that has not changed since.
        store.write_derivation(self.filename, b'{"Name": "x"}')
        for path in (f"{store.directory}/{self.filename}", *map(str, Path(store.var, "projects").iterdir())):
            os.utime(path, (LONG_AGO, LONG_AGO))
        os.rename(self.root, self.template)

    def _tree(self) -> dict[bytes, object]:
        return {b"f": b"base", b"see": os.fsencode(f"{self.directory}/{self.base}")}

    def fresh(self) -> None:
        """Put the store back to how it was."""
        remove_copy(self.root)
        copy_tree(self.template, self.root)

    # What a process does; each returns what must be true afterwards, when it has ended.

    def build(self, store: Store) -> After:
        """Build something as the engine does, and report it."""
        with contextlib.closing(store):
            assert store.is_complete([self.base])
            with store.building(self.resolved):
                with store.workspace() as work:
                    plant(self._tree(), work.path + "/out")
                    raw = RawOutput("out", work.path + "/out", "")
                    made = store.publish([raw], closure=[self.base], build_name=None)["out"]
                store.write_derivation(self.filename, b'{"Name": "x"}')
                store.record_realisation(Realisation(self.resolved, self.filename, (("out", made.name),)))
            store.record_roots(PROJECT, {"m:x": [made.name]})

        def after(store: Store) -> None:
            found = store.realisation(self.resolved)
            assert found is not None, "what was built is not known"
            assert store.read_derivation(found.derivation) == b'{"Name": "x"}'
            assert store.is_complete([self.made]), "what was built is lost"

        return after

    def again(self, store: Store) -> After:
        """Find out that there is nothing to build, and report that."""
        with contextlib.closing(store):
            assert store.is_complete([self.base])
            store.record_roots(PROJECT, {"m:base": [self.base]})

        def after(store: Store) -> None:
            assert store.is_complete([self.base]), "what was found built is lost"
            assert any("m:base" in roots.results for _, roots in projects(store)), "the project is forgotten"

        return after

    def record(self, target: str) -> Part:
        def recorded(store: Store) -> After:
            with contextlib.closing(store):
                store.record_roots(PROJECT, {target: [self.twin]})

            def after(store: Store) -> None:
                results = next(roots for _, roots in projects(store)).results
                assert results[target] == (self.twin,), f"{target} was recorded, and is not"

            return after

        return recorded

    def join(self, known: str) -> Part:
        """Publish bytes of which only one of two references is known to this process."""

        def joined(store: Store) -> After:
            tree = {b"f": b" ".join(os.fsencode(f"{self.directory}/{n}") for n in (self.base, self.twin))}
            with contextlib.closing(store):
                store.protect([known])
                made = publish(store, tree, closure=(known,))["out"]
                add_root(store, known, [made.name])

            def after(store: Store) -> None:
                assert known in store.references(made.name), "a reference is lost"

            return after

        return joined

    def keep(self, store: Store) -> After:
        with contextlib.closing(store):
            add_root(store, "l", [self.base])

        def after(store: Store) -> None:
            assert explicit_roots(store)["l"] == (self.base,)

        return after

    def drop(self, store: Store) -> None:
        remove_root(store, "other")

    def sources(self, store: Store) -> After:
        path = self.memory + "/sources"
        os.makedirs(path, exist_ok=True)
        Path(path, "a").write_text("1")
        os.utime(path + "/a", (LONG_AGO, LONG_AGO))
        with contextlib.closing(store):
            name = store.add_sources(path, ["a"])
            add_root(store, "s", [name])

        def after(store: Store) -> None:
            assert store.is_complete([name])

        return after

    def use(self, *names: str) -> Part:
        """Rely on objects, one after the other: those that are there then stay until this process ends."""

        def used(store: Store) -> None:
            found = []
            with contextlib.closing(store):
                for name in names:
                    store.protect([name])
                    found += [name] if store.contains(name) else []
                assert all(map(store.contains, found)), "what is in use was removed"

        return used

    def delete(self, name: str) -> Part:
        def deleted(store: Store) -> None:
            try:
                delete(store, [name])
            except BrambleError as error:
                assert error.code in ("store.in-use", "store.unknown-object")

        return deleted

    def collect(self, **options: float) -> Part:
        return lambda store: collect(store, is_project=lambda _: True, **options)  # type: ignore[arg-type]

    def optimise(self, store: Store) -> None:
        optimise(store)

    def check(self, run: Run) -> None:
        """See that all who ended were right, and that what is left is a store, now and after a collection."""
        for process in run.processes:
            if process.error is not None:
                raise process.error
        killed = any(process.killed for process in run.processes)
        afters = [process.result for process in run.processes if callable(process.result)]
        for collected in (False, True):
            store = Store.open(self.root)
            if collected:
                collect(store, is_project=lambda _: True)
            if collected or not killed:
                assert verify(store, jobs=1).damages == ()
            for after in afters:
                after(store)
            for name in os.listdir(store.var + "/objects"):
                record = read_object(store.var, name) if not name.startswith(".") else None
                if record is not None and store.contains(name):
                    assert all(map(store.contains, record.references)), "a record names what is not there"
                assert record is None or store.contains(name) or not collected
            store.close()

    def scene(self, *parts: Part) -> Callable[[], Sequence[Program]]:
        def prepare() -> Sequence[Program]:
            self.fresh()
            return [partial(part, Store.open(self.root)) for part in parts]

        return prepare


def remove_copy(root: str) -> None:
    """Remove a copy of a store, if there is one; its objects are read-only for an ordinary user."""
    for directory, names, _ in os.walk(root):
        for name in names:
            if not os.path.islink(f"{directory}/{name}"):
                os.chmod(f"{directory}/{name}", 0o755)
    shutil.rmtree(root, ignore_errors=True)


def copy_tree(source: str, target: str) -> None:
    """Copy a store with all modes and times."""
    os.mkdir(target)
    status = os.lstat(source)
    for entry in os.scandir(source):
        there = f"{target}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), there)
        elif entry.is_dir():
            copy_tree(entry.path, there)
        else:
            status_of = entry.stat()
            with open(entry.path, "rb", buffering=0) as old, open(there, "xb", buffering=0) as new:
                new.write(old.read())
                os.fchmod(new.fileno(), status_of.st_mode)
                os.utime(new.fileno(), ns=(status_of.st_atime_ns, status_of.st_mtime_ns))
    os.chmod(target, status.st_mode)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
