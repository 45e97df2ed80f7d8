"""Two processes at the same time, in every order: nothing that was reported is lost, and a store is left.

`tests/stress/interleave_store.py` runs more of them, by hand.
"""

from __future__ import annotations

import pytest

from tests.store.interleave import exhaust, killed_each, once_each
from tests.store.races import Scene


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


@pytest.mark.parametrize("pair", ["a build and a collection", "links and a collection", "two collections"])
def test_one_is_killed_at_each_step_and_another_goes_on(scene: Scene, pair: str) -> None:
    assert killed_each(scene.root, scene.scene(*PAIRS[pair](scene)), scene.check) > 10
