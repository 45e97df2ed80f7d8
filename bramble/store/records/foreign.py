"""Objects in the store of another user: nothing vouches for them but their bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from bramble.errors import BrambleError
from bramble.store.path import shown
from bramble.store.records.objects import Objects
from bramble.store.records.reread import reread


def check_bytes(objects: Objects, names: Iterable[str]) -> None:
    """Compare the bytes of objects with their names.

    Raises BrambleError store.altered for the first, in order, that is not what its name says.
    """
    # spec: store.other-owner.verified
    wanted = sorted(names)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, right in zip(wanted, pool.map(lambda name: _is_right(objects, name), wanted)):
            if not right:
                raise BrambleError(
                    "store.altered",
                    f'"{shown(objects.object_path(name))}" does not have the content that its name states',
                    remedy="do not use it; its owner can examine it with `bramble store verify`",
                )


def _is_right(objects: Objects, name: str) -> bool:
    try:
        return reread(objects, name, parallel=False).identity.name == name
    except (OSError, BrambleError):
        return False
