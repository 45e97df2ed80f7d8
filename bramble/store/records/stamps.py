"""Stamps: telling that sources have not changed, without reading them.

What `git` calls the index. A file whose size, times and inode are those of the
last time has the content of the last time, with one exception: a file that was
changed so shortly before it was read that a second change could have left
the same time. Such stamps are not kept.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.files.small import read_file, write_file
from bramble.store.layout.place import BUILD_LOCKS
from bramble.store.locks.advisory import alone
from bramble.store.path import shown
from bramble.store.trust import schema
from bramble.store.trust.schema import VERSION

# File systems count time in steps: those of the kernel's clock (4 or 10 ms), or whole seconds or two.
_STEP_NS = 50 * 10**6
_COARSE_STEP_NS = 2 * 10**9

Stamp = tuple[int, int, int, int, int]  # mode, size, mtime in ns, ctime in ns, inode


class Stamps(NamedTuple):
    """The files of one set of sources as they are now, and the name of their record."""

    key: str
    stamps: tuple[Stamp, ...]
    settled: bool
    """Whether all files have been left alone long enough for their stamps to be trusted."""


def take(root: str, files: Sequence[str], allowed: str) -> Stamps:
    """Return the stamps of `files`, paths relative to `root`.

    Raises BrambleError store.source-missing.
    """
    # spec: store.sources.stamps
    stamps: list[Stamp] = []
    now = time.time_ns()
    settled = True
    prefix = root.rstrip("/") + "/"
    for file in files:
        try:
            status = os.lstat(prefix + file)
        except (FileNotFoundError, NotADirectoryError) as error:
            check_inside(root, file)
            raise missing(root, file) from error
        changed, modified = status.st_ctime_ns, status.st_mtime_ns
        step = _STEP_NS if changed % 10**9 or modified % 10**9 else _COARSE_STEP_NS
        settled = settled and max(changed, modified) < now - step
        stamps.append((status.st_mode, status.st_size, modified, changed, status.st_ino))
    key = digest(b"\0".join(os.fsencode(part) for part in (root, allowed, *files)))
    return Stamps(key, tuple(stamps), settled)


def check_inside(root: str, file: str) -> None:
    """Refuse a source that does not name a file below the root (BrambleError store.source-outside)."""
    parts = file.split("/")
    if ".." in parts or "." in parts or not all(parts):
        raise BrambleError(
            "store.source-outside",
            f'the source "{shown(file)}" does not lie in "{shown(root)}"',
            remedy="name files of the project, relative to its directory",
        )


def missing(root: str, file: str) -> BrambleError:
    """Return the error for a source that is not there."""
    return BrambleError(
        "store.source-missing",
        f'there is no source "{shown(file)}" in "{shown(root)}"',
        remedy="correct the name, or take it from the sources of the derivation",
    )


def recall(var: str, now: Stamps) -> Optional[str]:
    """Return the name of the object that sources with these stamps became, or None."""
    found = schema.or_none(schema.source, read_file(f"{var}/sources/{now.key}"))
    return found.object if found is not None and found.stamps == now.stamps else None


def remember(var: str, stamps: Stamps, name: str, on_wait: Optional[Callable[[], None]] = None) -> None:
    """Record that sources with these stamps became `name`. `on_wait` as in `LockFile.exclusive`."""
    if stamps.settled:
        fields = {"version": VERSION, "object": name, "stamps": stamps.stamps}
        with alone(f"{var}/{BUILD_LOCKS}", stamps.key, on_wait):
            write_file(f"{var}/sources/{stamps.key}", json.dumps(fields).encode(), sync=False)
