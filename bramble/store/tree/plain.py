"""The plain archive of a directory as it is: own modes, nothing replaced, nothing stored."""

from __future__ import annotations

import contextlib
import os

from bramble.errors import BrambleError
from bramble.store.files.failures import DiskFailures
from bramble.store.files.walk import DIRECTORY_FLAGS
from bramble.store.objects.identity import Meaning, Stream
from bramble.store.path import shown
from bramble.store.tree.hashing import ParallelHash
from bramble.store.tree.reader import Reading, TreeReader


def archive_digest(directory: str) -> str:
    """Return the digest of the archive of `directory`, whose modes are kept as they are.

    Raises BrambleError store.not-a-directory, store.special-file,
    store.changed-while-read, and those of failed system calls.
    """
    # spec: objects.archive
    with DiskFailures("read the directory"), contextlib.ExitStack() as stack:
        try:
            # A link may be named as the directory, but none is followed in it.
            top = os.open(directory, DIRECTORY_FLAGS & ~os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BrambleError(
                "store.not-a-directory", f'"{shown(directory)}" is not a directory', remedy="name a directory"
            ) from error
        stack.callback(os.close, top)
        sink = stack.enter_context(contextlib.closing(ParallelHash()))
        nothing = Meaning(b"", b"")
        return TreeReader(Stream(nothing, sink, []), Reading(exact=True)).read(top).name
