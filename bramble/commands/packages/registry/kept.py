"""What this machine has verified of a registry, kept so that it can never say anything else later.

In `var/registries`, each registry has a directory, named after its URL, with two files: `index`, and
`index.signed` as it was served. What counts of the index is what the checkpoint says. The index is written
first, so a process may end at any moment; it only grows, so it can be read while another one writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import Optional

from bramble.commands.packages.registry.growing import append
from bramble.errors import BrambleError
from bramble.packages.registry.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    believed,
    refuse_rewritten,
)
from bramble.packages.registry.index import INDEX
from bramble.record import dataclass
from bramble.store.digest import digest
from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import make_way, read_file, sync_directory, write_file
from bramble.store.locks.advisory import lock_briefly

REGISTRIES = "registries"  # in var/


@dataclass(frozen=True)
class Kept:
    """What was verified last; `index` is None if it is damaged, and has to be fetched again."""

    checkpoint: Optional[Checkpoint] = None
    index: Optional[bytes] = b""


def directory_of(var: str, url: str) -> str:
    """Return the directory in `var/` for what is kept of the registry with this root."""
    return f"{var}/{REGISTRIES}/{digest(url.encode())}"


def read_kept(directory: str) -> Kept:
    """Return what is kept in a directory; empty if nothing is. Raises store.*."""
    # spec: registry.kept
    with DiskFailures("read what is known of a registry"):
        signed = read_file(f"{directory}/{CHECKPOINT}")
        if signed is None:
            return Kept()
        try:
            checkpoint = believed(signed)
        except BrambleError:
            raise BrambleError(
                "registry.history",
                f"the last verified state of the registry, in {directory}, is damaged",
                remedy="remove that directory if you know the reason: the answers of the registry are then "
                "trusted again",
            ) from None
        index = (read_file(f"{directory}/{INDEX}") or b"")[: checkpoint.size]
    is_whole = hashlib.sha256(index).hexdigest() == checkpoint.sha256
    return Kept(checkpoint, index if is_whole else None)


def keep(directory: str, signed: bytes, index: bytes) -> None:
    """Keep what was verified: the content of `index.signed`, and of the index what that counts.

    Where another process has kept something later meanwhile, that stays. Raises registry.history if
    the two do not belong to one history, store.*.
    """
    # spec: registry.kept
    now = believed(signed)
    with DiskFailures("keep what is known of a registry"):
        _make(directory)
        with _alone(directory):
            before = read_kept(directory)
            if before.checkpoint is not None and before.checkpoint.size > now.size:
                if before.index is not None:
                    refuse_rewritten(now, before.checkpoint, before.index)
                return
            refuse_rewritten(before.checkpoint, now, index)
            if before.checkpoint == now and before.index is not None:
                return
            size = len(before.index or b"")
            append(f"{directory}/{INDEX}", index[size:], size)
            write_file(f"{directory}/{CHECKPOINT}", signed, sync=True)
            sync_directory(directory)


def _make(directory: str) -> None:
    above, name = os.path.split(directory)
    make_way(*os.path.split(above))
    make_way(above, name)


@contextlib.contextmanager
def _alone(directory: str) -> Iterator[None]:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock_briefly(handle, directory)
        yield
    finally:
        os.close(handle)
