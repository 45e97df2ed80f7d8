"""What failed builds left: kept within limits, for one build of a project at a time."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bramble.store.disk import Store
from bramble.store.gc.collect import collect
from bramble.store.history import failed
from bramble.store.history.failed import all_failed, forget_failed, held, keep_failed
from bramble.store.layout.place import place_of_failed


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    # A machine of tests may have little disk left.
    monkeypatch.setattr(failed, "_ROOM", 0)


def fail(store: Store, build: str, text: str = "x", project: str = "/p") -> bool:
    with store.workspace() as work:
        Path(work.path, "half").write_text(text)
        return keep_failed(store.var, place_of_failed(store.root, project), build, work)


def left(store: Store) -> list[str]:
    return sorted(Path(path, "half").read_text() for path in all_failed(store.var))


# spec: build.failure.kept
def test_all_that_failed_in_one_build_is_kept_until_another_fails(store: Store) -> None:
    assert all_failed(store.var) == []
    assert fail(store, "1", "a") and fail(store, "1", "b") and fail(store, "9", "other", "/q")
    assert left(store) == ["a", "b", "other"]
    assert fail(store, "2", "c")
    assert left(store) == ["c", "other"]
    for path in (store.var + "/failed", *all_failed(store.var)):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    assert forget_failed(place_of_failed(store.root, "/p")) == 1
    assert forget_failed(place_of_failed(store.root, "/p")) == 0
    assert left(store) == ["other"]
    assert os.listdir(store.var + "/work") == []


@pytest.mark.parametrize("limit", ["LARGEST", "MOST_FILES"])
def test_what_is_too_large_is_not_kept(store: Store, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(failed, limit, 0)
    assert not fail(store, "1")
    monkeypatch.setattr(failed, limit, 1 << 20)
    assert fail(store, "1")
    monkeypatch.setattr(failed, "_ROOM", 1 << 62)
    assert not fail(store, "2")
    assert left(store) == ["x"]
    assert os.listdir(store.var + "/work") == []


def test_what_somebody_looks_at_stays_meanwhile(store: Store) -> None:
    fail(store, "1", "a")
    (path,) = all_failed(store.var)
    with held(path):
        fail(store, "2", "b")
        collect(store)
        assert left(store) == ["a"]
    collect(store)
    assert left(store) == []


# spec: store.gc.leftovers
def test_a_collection_removes_all_of_it(store: Store) -> None:
    fail(store, "1")
    fail(store, "2", project="/q")
    assert collect(store, dry_run=True).leftovers == 0 and len(left(store)) == 2
    assert collect(store).leftovers == 2
    assert all_failed(store.var) == [] and os.listdir(store.var + "/failed") == []


# spec: store.no-links
def test_a_link_is_not_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    os.symlink(tmp_path, store.var + "/failed")
    assert not fail(store, "1")
    os.unlink(store.var + "/failed")
    os.mkdir(store.var + "/failed")
    os.symlink(tmp_path, place_of_failed(store.root, "/p"))
    assert not fail(store, "1")
    assert all_failed(store.var) == [] and forget_failed(place_of_failed(store.root, "/p")) == 0
    collect(store)
    assert os.listdir(tmp_path) == ["mine"]
