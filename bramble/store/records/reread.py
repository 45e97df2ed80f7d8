"""Reading an object that is in the store: is it what its name says, and what does it refer to?"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Collection
from typing import Optional

from bramble.record import NamedTuple
from bramble.store.files.spool import Spool
from bramble.store.files.walk import DIRECTORY_FLAGS
from bramble.store.layout.workspace import WORK
from bramble.store.model import StoreObject
from bramble.store.objects.identity import Hash, Identity, Meaning, Stream
from bramble.store.path import record_prefix
from bramble.store.records.objects import Objects
from bramble.store.tree.hashing import ParallelHash
from bramble.store.tree.reader import Reading, TreeReader


class Reread(NamedTuple):
    """What reading an object showed: its identity, and what in it has not the form of the store."""

    identity: Identity
    odd: Optional[bytes]


def reread(objects: Objects, name: str, known: Collection[str] = (), *, parallel: bool = True) -> Reread:
    """Read the object `name`: what name should it have, and which of `known` does it hold?

    With `parallel` two cores work on it; several threads that each work on an
    separate object do better without.

    Raises OSError, and BrambleError store.special-file or store.changed-while-read.
    """
    # spec: objects.identity.again
    meaning = Meaning(
        directory=os.fsencode(objects.directory),
        prefix=record_prefix(),
        own=name.encode(),
        known=frozenset(other.encode() for other in known if other != name),
    )
    with contextlib.ExitStack() as stack:
        sink: Hash = hashlib.sha256()
        if parallel:
            sink = stack.enter_context(contextlib.closing(ParallelHash()))
        places = stack.enter_context(contextlib.closing(Spool(scratch_of(objects))))
        top = os.open(objects.object_path(name), DIRECTORY_FLAGS)
        stack.callback(os.close, top)
        reader = TreeReader(Stream(meaning, sink, places), Reading())
        return Reread(reader.read(top), reader.odd)


def scratch_of(objects: Objects) -> str:
    """Return a directory for what is too much for the memory while an object is read."""
    return "/tmp" if objects.read_only else f"{objects.var}/{WORK}"


def record_of(name: str, identity: Identity) -> StoreObject:
    """Return the record that belongs to an object that was read."""
    return StoreObject(name, tuple(sorted(known.decode() for known in identity.references)), identity.size)
