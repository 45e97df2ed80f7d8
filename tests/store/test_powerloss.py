"""The power is lost at any moment, and with it any of what was not synced: what was reported is there.

`python3 -m tests.store.test_powerloss 50` tries 50 combinations at each moment, by hand.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from functools import partial

import pytest

from bramble.store.disk import Store
from bramble.store.gc import collect
from bramble.store.verify import verify
from tests.store.powerloss import losses, record, replay
from tests.store.races import Scene

ACTIONS = {
    "build": lambda scene: scene.build,
    "sources": lambda scene: scene.sources,
    "root": lambda scene: scene.keep,
    "record": lambda scene: scene.record("m:a"),
    "collect": lambda scene: scene.collect(),
    "optimise": lambda scene: scene.optimise,
}


def lose_power(memory: str, action: str, count: int, seed: int) -> int:
    """Try each moment of an action; return how many disks were looked at."""
    scene = Scene(memory)
    scene.fresh()
    store = Store.open(scene.root)
    events, after = record(scene.root, partial(ACTIONS[action](scene), store))
    store.close()
    assert events
    tried = 0
    for moment, lost in losses(events, count, seed):
        scene.fresh()
        replay(events[:moment], lost)
        store = Store.open(scene.root)
        where = (moment, [(at, *events[at][:3]) for at in sorted(lost)])
        for collected in (False, True):
            if collected:
                collect(store, is_project=lambda _: True)
            if collected or action != "optimise":
                assert verify(store, jobs=1).damages == (), where
            if moment == len(events) and callable(after):
                after(store)
            assert store.is_complete([scene.base, scene.twin]), where
        store.close()
        tried += 1
    return tried


@pytest.mark.parametrize("action", ACTIONS)
def test_the_power_is_lost_at_any_moment(memory: str, action: str) -> None:
    assert lose_power(memory, action, 1, 1) > 10


if __name__ == "__main__":
    for name in ACTIONS:
        directory = tempfile.mkdtemp(prefix="b", dir="/dev/shm")
        print(name, lose_power(directory, name, int(sys.argv[1]), 2), flush=True)
        shutil.rmtree(directory, ignore_errors=True)
