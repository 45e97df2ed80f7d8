"""The name that a download is going to have in the store, found out before it is stored."""

from __future__ import annotations

import hashlib
import os

from bramble.store.files.walk import DIRECTORY_FLAGS
from bramble.store.model import RawOutput
from bramble.store.objects.identity import Meaning, Stream
from bramble.store.path import record_prefix
from bramble.store.tree.reader import Reading, TreeReader


def identify(directory: str, raw: RawOutput) -> str:
    """Return the name of `raw`, an output that refers to no other object, in the store `directory`.

    Raises BrambleError as publishing does for what cannot be in an object.
    """
    # spec: build.fetch.verify
    meaning = Meaning(os.fsencode(directory), record_prefix(), own=raw.temporary_name.encode("ascii"))
    places: list[int] = []
    stream = Stream(meaning, hashlib.sha256(), places)
    top = os.open(raw.directory, DIRECTORY_FLAGS)
    try:
        return TreeReader(stream, Reading()).read(top).name
    finally:
        os.close(top)
