"""Two processes at the same time, in every order: nothing that was reported is lost, and a store is left.

`tests/stress/interleave_store.py` runs more of them, by hand.
"""

from __future__ import annotations

import pytest

from bramble.store.locks import uses
from tests.store.interleave import exhaust, killed_each, once_each
from tests.store.races import Scene

# The order of operations is decided here, and what they do is tested by whoever runs the rest of the room.
pytestmark = pytest.mark.once


@pytest.fixture
def scene(memory: str) -> Scene:
    return Scene(memory)


def test_a_root_is_kept_while_another_is_removed_in_every_order(scene: Scene) -> None:
    assert exhaust(scene.root, scene.scene(scene.keep, scene.drop), scene.check, limit=2000) > 1


PAIRS = {
    "a build and a collection": lambda s: (s.build, s.collect()),
    "nothing to build and a collection that forgets": lambda s: (s.again, s.collect(forget_idle=86400.0)),
    "a project that is recorded and a collection": lambda s: (s.record("m:a"), s.collect()),
    "one object from two builds": lambda s: (s.join(s.base), s.join(s.twin)),
    "a join and a collection": lambda s: (s.join(s.base), s.collect()),
    "sources and a collection": lambda s: (s.sources, s.collect()),
    "a root and a collection": lambda s: (s.keep, s.collect()),
    "two that link equal files": lambda s: (s.optimise, s.optimise),
    "links and a collection": lambda s: (s.optimise, s.collect()),
    "two collections": lambda s: (s.collect(), s.collect()),
    "two builds of one derivation": lambda s: (s.build, s.build),
}
# Who of these is first makes no difference.
SAME = ("two that link equal files", "two collections", "two builds of one derivation")


@pytest.mark.parametrize("pair", PAIRS)
def test_all_of_one_process_happens_between_any_two_steps_of_another(scene: Scene, pair: str) -> None:
    same = pair in SAME
    assert once_each(scene.root, scene.scene(*PAIRS[pair](scene)), scene.check, same=same) > 5


LEASED = [
    *("a build and a collection", "nothing to build and a collection that forgets"),
    *("a project that is recorded and a collection", "a join and a collection"),
    *("sources and a collection", "a root and a collection"),
]


@pytest.mark.parametrize("pair", LEASED)
def test_a_lease_is_as_good_as_locks(scene: Scene, pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: store.locks.uses
    monkeypatch.setattr(uses, "MOST_BYTES", 0)
    assert once_each(scene.root, scene.scene(*PAIRS[pair](scene)), scene.check) > 5


@pytest.mark.parametrize("how", ["with a lease", "a lock that becomes a lease", "with locks"])
def test_what_is_used_stays_in_every_order(scene: Scene, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: store.locks.uses
    monkeypatch.setattr(uses, "MOST_BYTES", {"with a lease": 0, "with locks": 2}.get(how, 1))
    others = [] if how == "with a lease" else [scene.base]
    parts = (scene.use(scene.former, *others), scene.delete(scene.former))
    assert exhaust(scene.root, scene.scene(*parts), scene.check, limit=20000) > 1


def test_one_with_a_lease_is_killed_at_each_step_and_a_collection_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: store.locks.uses
    monkeypatch.setattr(uses, "MOST_BYTES", 0)
    assert killed_each(scene.root, scene.scene(scene.build, scene.collect()), scene.check) > 10


@pytest.mark.parametrize("pair", ["a build and a collection", "links and a collection", "two collections"])
def test_one_is_killed_at_each_step_and_another_goes_on(scene: Scene, pair: str) -> None:
    assert killed_each(scene.root, scene.scene(*PAIRS[pair](scene)), scene.check) > 10
