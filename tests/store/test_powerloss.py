"""The power is lost at any moment, and with it any of what was not synced: what was reported is there.

`python3 -m tests.store.test_powerloss 50` tries 50 combinations at each moment, by hand.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from functools import partial

import pytest

from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.gc.collect import collect
from bramble.store.questions.verify import MODE, verify
from bramble.store.transfer.relocate import relocate
from tests.store.conftest import grown, publish
from tests.store.oracle import Link
from tests.store.powerloss import losses, record, replay
from tests.store.races import Scene, copy_tree, remove_copy

# What a disk loses is decided here, and what is done on it is tested by whoever runs the rest of the room.
pytestmark = pytest.mark.once

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
            damages = verify(store, jobs=1).damages
            if action == "optimise" and not collected:
                # Directories that were open are closed by the next to link or to collect.
                damages = tuple(damage for damage in damages if damage.kind != MODE)
            assert damages == (), where
            if moment == len(events) and callable(after):
                after(store)
            assert store.is_complete([scene.base, scene.twin]), where
        store.close()
        tried += 1
    return tried


def lose_power_while_relocating(memory: str, length: int, count: int, seed: int) -> int:
    """Try each moment of the relocation of a store to a path of a length; return how many disks."""
    scene = Scene(memory)
    scene.fresh()
    moved, template = f"{memory}/m".ljust(length, "m"), f"{memory}/before"
    old = Store.open(scene.root)
    here = os.fsencode(old.directory)
    held = publish(old, {b"d": {b"f": here * 2, b"l": Link(here + b"/x")}})["out"].name
    old.close()
    os.rename(scene.root, template)
    # On one thread, so that what is recorded is one order of calls.
    kept, os.sched_getaffinity = os.sched_getaffinity, lambda _: {0}
    tried = 0
    try:
        copy_tree(template, moved)
        events, _ = record(moved, partial(relocate, moved))
        for moment, lost in losses(events, count, seed):
            remove_copy(moved)
            copy_tree(template, moved)
            replay(events[:moment], lost)
            where = (moment, [(at, *events[at][:3]) for at in sorted(lost)])
            try:
                store = Store.open(moved)
            except BrambleError as error:
                assert error.code == "store.moved" and moment < len(events), (error, where)
                relocate(moved)
                store = Store.open(moved)
            assert store.is_complete([scene.base, scene.twin, held]), where
            assert verify(store, jobs=1).damages == (), where
            there = os.fsencode(store.directory)
            tree = {b"d": {b"f": there * 2, b"l": Link(there + b"/x")}}
            assert grown(store.object_path(held)) == tree, where
            store.close()
            tried += 1
    finally:
        os.sched_getaffinity = kept
    return tried


@pytest.mark.parametrize("action", ACTIONS)
def test_the_power_is_lost_at_any_moment(memory: str, action: str) -> None:
    assert lose_power(memory, action, 1, 1) > 10


@pytest.mark.parametrize("length", [1, 47])
def test_the_power_is_lost_at_any_moment_of_a_relocation(memory: str, length: int) -> None:
    assert lose_power_while_relocating(memory, length, 1, 1) > 10


if __name__ == "__main__":
    for name in ACTIONS:
        directory = tempfile.mkdtemp(prefix="b", dir="/dev/shm")
        print(name, lose_power(directory, name, int(sys.argv[1]), 2), flush=True)
        shutil.rmtree(directory, ignore_errors=True)
    for length in (1, 30, 47):
        directory = tempfile.mkdtemp(prefix="b", dir="/dev/shm")
        found = lose_power_while_relocating(directory, length, int(sys.argv[1]), 2)
        print("relocation", length, found, flush=True)
        shutil.rmtree(directory, ignore_errors=True)
