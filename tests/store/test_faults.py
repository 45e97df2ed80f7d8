"""One file operation fails, whichever and however: nothing that was reported is lost, the next try succeeds.

`tests/stress/fault_store.py` tries every operation with every error, by hand.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.files import sync
from bramble.store.files.failures import from_os_error
from bramble.store.gc.collect import collect
from bramble.store.gc.optimise import optimise
from bramble.store.questions.verify import CONTENT, MODE, UNREADABLE, verify
from bramble.store.transfer.relocate import relocate
from bramble.store.transfer.stream import export_objects, import_objects
from tests.store.conftest import publish
from tests.store.races import Scene, copy_tree, remove_copy

ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EXDEV]
CALLS = ["open", "read", "write", "pwrite", "sendfile", "ftruncate", "mkdir", "rmdir", "unlink", "rename"]
CALLS += ["link", "symlink", "chmod", "fchmod", "utime", "fsync", "listdir", "scandir", "stat", "lstat"]
CALLS += ["fstat", "readlink"]


class Failing:
    """The functions of the system, of which the one that is called as number `at` fails once, in a store."""

    def __init__(self, at: int, error: int) -> None:
        self.at, self.error = at, error
        self.count = 0
        self.failed = ""

    def _tick(self, name: str) -> None:
        self.count += 1
        if self.count == self.at:
            self.failed = name
            raise OSError(self.error, os.strerror(self.error))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._tick(name)
            return real(*arguments, **options)

        return call

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        real = {name: getattr(os, name) for name in CALLS}
        flock, syncfs, affinity = fcntl.flock, sync._syncfs, os.sched_getaffinity
        for name, function in real.items():
            setattr(os, name, self._wrapped(name, function))
        fcntl.flock = self._wrapped("flock", flock)
        sync._syncfs = self._wrapped("syncfs", syncfs)
        # On one thread, so that the same number is always the same call.
        os.sched_getaffinity = lambda _: {0}
        try:
            yield
        finally:
            for name, function in real.items():
                setattr(os, name, function)
            fcntl.flock, sync._syncfs, os.sched_getaffinity = flock, syncfs, affinity


class Bench:
    """A store that is made once, and what is done to it while something fails."""

    def __init__(self, memory: str) -> None:
        self.scene = Scene(memory)
        self.root, self.template = self.scene.root, memory + "/f"
        self.moved = memory + "/moved"
        self.scene.fresh()
        store = Store.open(self.root)
        here = os.fsencode(store.directory)
        tree = {b"f": here + b"/x", b"d": {b"g": b"base"}}
        self.held = publish(store, tree)["out"].name
        store.record_roots("/q", {"m:held": [self.held]})
        written = io.BytesIO()
        export_objects(store, [self.held, self.scene.base], written.write)
        self.exported = written.getvalue()
        store.close()
        copy_tree(self.root, self.template)

    def needed(self) -> list[str]:
        return [self.scene.base, self.held]

    def fresh(self, action: str) -> str:
        """Put the store where it is to be, as it was before; return its root."""
        for path in (self.root, self.moved):
            remove_copy(path)
        root = self.moved if action == "relocate" else self.root
        copy_tree(self.template, root)
        if action == "repair":
            path = f"{Store.open(root).object_path(self.held)}/f"
            os.chmod(path, 0o644)
            Path(path).write_text("wrong")
            os.chmod(path, 0o444)
        if action == "import":
            store = Store.open(root)
            store.record_roots("/q", {})
            store.close()
            collect(Store.open(root), is_project=lambda path: path != "/q")
        return root

    def act(self, action: str, root: str) -> None:
        if action == "relocate":
            relocate(root)
            return
        store = Store.open(root)
        with contextlib.closing(store):
            if action == "collect":
                collect(store, is_project=lambda _: True)
            elif action == "optimise":
                optimise(store)
            elif action == "import":
                import_objects(store, io.BytesIO(self.exported).read)
            else:
                report = verify(store, jobs=1, rebuild=lambda name: self.rebuild(store, name))
                if report.left:
                    raise BrambleError("left", "something could not be repaired")

    def rebuild(self, store: Store, name: str) -> bool:
        if name != self.held:
            return False
        here = os.fsencode(store.directory)
        publish(store, {b"f": here + b"/x", b"d": {b"g": b"base"}})
        return True


ACTIONS = ("collect", "repair", "optimise", "import", "relocate")


def fail(bench: Bench, action: str, at: int, error: int) -> Optional[str]:
    """Let one call of an action fail, see that nothing is lost; return which it was, None if none."""
    root = bench.fresh(action)
    failing = Failing(at, error)
    reported = False
    with failing.installed(), contextlib.suppress(BrambleError):
        bench.act(action, root)
        reported = True
    where = (action, at, errno.errorcode[error], failing.failed)
    try:
        store = Store.open(root)
        assert action != "relocate" or not reported or store.root == root, where
    except BrambleError as moved:
        assert moved.code == "store.moved" and action == "relocate" and not reported, where
        relocate(root)
        store = Store.open(root)
    allowed = {"repair": {CONTENT}, "optimise": {MODE}}.get(action, set()) if not reported else set()
    damages = verify(store, jobs=1).damages
    assert {damage.kind for damage in damages} <= allowed, (where, damages)
    assert store.is_complete(bench.needed() if action != "import" or reported else bench.needed()[:1]), where
    store.close()
    if action != "relocate":
        bench.act(action, root)
    store = Store.open(root)
    assert verify(store, jobs=1).damages == (), where
    assert store.is_complete(bench.needed()), where
    store.close()
    store = Store.open(root)
    collect(store, is_project=lambda _: True)
    store.close()
    left = [name for name in os.listdir(store.directory) if name.startswith((".old-", ".new-"))]
    assert not left, (where, left)
    return failing.failed or None


@pytest.fixture
def bench(memory: str) -> Bench:
    return Bench(memory)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_call_fails_once_and_nothing_is_lost(bench: Bench, action: str) -> None:
    dice = random.Random(action)
    counted = Failing(0, 0)
    root = bench.fresh(action)
    with counted.installed():
        bench.act(action, root)
    for _ in range(12):
        assert fail(bench, action, dice.randrange(1, counted.count + 1), dice.choice(ERRORS)) is not None


def test_a_derivation_that_cannot_be_read_is_not_removed(bench: Bench) -> None:
    root = bench.fresh("collect")
    store = Store.open(root)
    store.write_derivation(bench.scene.filename, b'{"Name": "x"}')
    path = f"{store.directory}/{bench.scene.filename}"
    real = os.open

    def refused(name: Any, *arguments: Any, **options: Any) -> int:
        if name == path:
            raise OSError(errno.EIO, "Input/output error", path)
        return real(name, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refused)
        report = verify(store, jobs=1, rebuild=lambda _: False)
    assert [damage.kind for damage in report.left] == [UNREADABLE] and report.removed == ()
    assert Path(path).read_bytes() == b'{"Name": "x"}'


def test_where_the_old_directory_cannot_be_looked_at_nothing_is_left_behind(bench: Bench) -> None:
    real = os.stat

    def refused(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if isinstance(path, str) and "/bramble_store" in path[len(root) :]:
            raise OSError(errno.EIO, "Input/output error", path)
        return real(path, *arguments, **options)

    root = bench.fresh("relocate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", refused)
        with pytest.raises(BrambleError):
            relocate(root)
    relocate(root)
    assert Store.open(root).is_complete(bench.needed())


def test_a_file_system_that_cannot_be_written_is_no_question_of_owners() -> None:
    error = from_os_error(OSError(errno.EROFS, "x", "/s/var/locks/gc"), "collect")
    assert error.code == "store.permission" and "mount it writable" in (error.remedy or "")
    other = from_os_error(OSError(errno.EACCES, "x", "/s"), "collect")
    assert other.code == "store.permission" and "who owns" in (other.remedy or "")
