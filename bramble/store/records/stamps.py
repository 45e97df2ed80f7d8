"""Stamps: telling that sources have not changed, without reading them.

What `git` calls the index. A file whose size, times and inode are those of the
last time has the content of the last time, with one exception: a file that was
changed so shortly before it was read that a second change could have left
the same time. In the place of such a stamp is kept what no file has.

Beside the stamp of each file its content has a digest. So where some stamps are other ones, those files
are read and no others: perhaps they were only touched.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.digest import digest
from bramble.store.files.small import read_file, write_file
from bramble.store.layout.place import BUILD_LOCKS
from bramble.store.locks.advisory import alone
from bramble.store.path import shown
from bramble.store.trust import schema
from bramble.store.trust.schema import CONTENT_SIZE, STAMP_SIZE, VERSION

# File systems count time in steps: those of the kernel's clock (4 or 10 ms), or whole seconds or two.
_STEP_NS = 50 * 10**6
_COARSE_STEP_NS = 2 * 10**9

# mode, size, mtime in ns, ctime in ns, inode: 40 bytes, compared and never read
_PACK = struct.Struct("<5Q").pack
_MODE = struct.Struct("<Q")
_NO_TIMES = bytes(STAMP_SIZE - _MODE.size)  # what no file has: neither these times nor this inode
_WORD = 2**64 - 1

Look = tuple[bytes, bool]  # a stamp, and whether it can be trusted
Looks = dict[str, Look]
"""What was seen of files, by path: each is looked at once, however many sets of sources have it."""


class Stamps(NamedTuple):
    """The files of one set of sources as they are now, and the name of their record."""

    key: str
    stamps: bytes  # STAMP_SIZE of each file, in the order in which they were given
    kept: bytes
    """The same, without those that cannot be trusted, since their files were changed a moment ago."""

    def kept_of(self, read: Mapping[int, bytes]) -> bytes:
        """Return what to keep where some files, by their numbers, had the stamps `read` when they were read.

        Between the look and that a directory may have been renamed away, and it may come back: then the stamp
        of the look would be that of another content.
        """
        # spec: store.sources.stamps
        size = STAMP_SIZE
        kept = bytearray(self.kept)
        for number, stamp in read.items():
            at = number * size
            if self.stamps[at : at + size] != stamp:
                kept[at + _MODE.size : at + size] = _NO_TIMES
        return bytes(kept)


def take(root: str, files: Sequence[str], allowed: str, looks: Optional[Looks] = None) -> Stamps:
    """Return the stamps of `files`, paths relative to `root`.

    What is in `looks` is not looked at again, and what is looked at goes into it. Raises BrambleError
    store.source-missing and store.source-unreadable.
    """
    # spec: store.sources.stamps
    prefix = root.rstrip("/") + "/"
    looks = {} if looks is None else looks
    try:
        found = look_at([prefix + file for file in files], looks)
    except (FileNotFoundError, NotADirectoryError) as error:
        file = str(error.filename)[len(prefix) :]
        check_inside(root, file)
        raise missing(root, file) from error
    except PermissionError as error:
        raise unreadable(root, str(error.filename)[len(prefix) :], allowed) from error
    key = key_of(root, files, allowed)
    stamps = b"".join([stamp for stamp, _ in found])
    if all([trusted for _, trusted in found]):
        return Stamps(key, stamps, stamps)
    kept = [stamp if trusted else stamp[: _MODE.size] + _NO_TIMES for stamp, trusted in found]
    return Stamps(key, stamps, b"".join(kept))


def key_of(root: str, files: Sequence[str], allowed: str) -> str:
    """Return the name of the record of one set of sources."""
    return digest(os.fsencode("\0".join((root, allowed, *files))))


def look_at(paths: Iterable[str], looks: Looks) -> list[Look]:
    """Return the stamps of files, links not followed, in the order of their paths: one lstat(2) for each.

    What is in `looks` is not looked at again, and what is looked at goes into it. Two stamps of a path that
    are equal, and of which the first could be trusted, are stamps of the same content. This is all
    that is asked to find out that no source has changed: 20,000 files take about 60 ms. Raises OSError
    (FileNotFoundError for a file that is not there).
    """
    # spec: store.sources.stamps
    now = time.time_ns()
    found = []
    lstat = os.lstat
    for path in paths:
        look = looks.get(path)
        if look is None:
            status = lstat(path)
            changed, modified = status.st_ctime_ns, status.st_mtime_ns
            step = _STEP_NS if changed % 10**9 or modified % 10**9 else _COARSE_STEP_NS
            look = looks[path] = (stamp_of(status), max(changed, modified) < now - step)
        found.append(look)
    return found


def stamp_of(status: os.stat_result) -> bytes:
    """Return the stamp of a file: STAMP_SIZE bytes, compared and never read."""
    return _PACK(
        status.st_mode,
        status.st_size,
        status.st_mtime_ns & _WORD,
        status.st_ctime_ns & _WORD,
        status.st_ino & _WORD,
    )


def check_inside(root: str, file: str) -> None:
    """Refuse a source that does not name a file below the root (BrambleError store.source-outside)."""
    parts = file.split("/")
    if ".." in parts or "." in parts or not all(parts):
        raise BrambleError(
            "store.source-outside",
            f'the source "{shown(file)}" is not in "{shown(root)}"',
            remedy="name files of the project, relative to its directory",
        )


def missing(root: str, file: str) -> BrambleError:
    """Return the error for a source that is not there."""
    return BrambleError(
        "store.source-missing",
        f'there is no source "{shown(file)}" in "{shown(root)}"',
        remedy="correct the name, or take it from the sources of the derivation",
    )


def unreadable(root: str, file: str, allowed: str) -> BrambleError:
    """Return the error for a source that this user may not read; it is named as in the project `allowed`."""
    path = os.path.join(root, file)
    inner = os.path.relpath(path, allowed)
    return BrambleError(
        "store.source-unreadable",
        f'the source "{shown(path if inner.startswith("../") else inner)}" may not be read',
        remedy="make it readable for yourself (chmod u+r), and the directories above it (chmod u+rx)",
    )


class Known(NamedTuple):
    """What sources have become: an object, of files with these stamps and contents, in their order."""

    object: str
    stamps: bytes
    contents: bytes  # CONTENT_SIZE of each file: the SHA-256 of what is in it, of a link of its target


def recall(var: str, key: str, count: int) -> Optional[Known]:
    """Return what `count` sources became the last time, whether or not they have changed since; or None."""
    found = schema.or_none(schema.source, read_file(f"{var}/sources/{key}"))
    if found is None or len(found.stamps) != count * STAMP_SIZE:
        return None
    return Known(found.object, found.stamps, found.contents)


def related(var: str, root: str, files: Sequence[str], allowed: str) -> Optional[Known]:
    """Return what the last sources of the same root have become, as if they had been `files`; or None.

    Files that were not among them have stamps that no file has.
    """
    found = schema.or_none(schema.source, read_file(f"{var}/sources/{_latest(root, allowed)}"))
    if found is None or not found.names:
        return None
    numbers = {name: number for number, name in enumerate(found.names)}
    each = [numbers.get(file, len(numbers)) for file in files]
    held = found.contents + bytes(CONTENT_SIZE)
    seen = found.stamps + bytes(STAMP_SIZE)
    return Known(
        found.object,
        b"".join([seen[at * STAMP_SIZE : (at + 1) * STAMP_SIZE] for at in each]),
        b"".join([held[at * CONTENT_SIZE : (at + 1) * CONTENT_SIZE] for at in each]),
    )


def remember(
    var: str,
    root: str,
    files: Sequence[str],
    allowed: str,
    known: Known,
    on_wait: Optional[Callable[[], None]] = None,
) -> None:
    """Record what sources have become, twice: by their names, and as the last of their root.

    `on_wait` as in `LockFile.exclusive`.
    """
    fields: dict[str, object] = {
        "version": VERSION,
        "object": known.object,
        "stamps": base64.b64encode(known.stamps).decode(),
        "contents": base64.b64encode(known.contents).decode(),
    }
    for key in (key_of(root, files, allowed), _latest(root, allowed)):
        with alone(f"{var}/{BUILD_LOCKS}", key, on_wait):
            write_file(f"{var}/sources/{key}", json.dumps(fields).encode(), sync=False)
        fields["names"] = list(files)


def _latest(root: str, allowed: str) -> str:
    # No source has the name "", so no set of sources has this key.
    return key_of(root, [""], allowed)


def different(now: Stamps, known: Known) -> list[int]:
    """Return the numbers of the files whose stamps are other ones than those that are known."""
    if now.stamps == known.stamps:
        return []
    size = STAMP_SIZE
    return [
        at // size
        for at in range(0, len(now.stamps), size)
        if now.stamps[at : at + size] != known.stamps[at : at + size]
    ]


def mode_of(stamps: bytes, number: int) -> int:
    """Return the mode of a file, as stat(2) gives it, by its number among the stamps."""
    mode: int = _MODE.unpack_from(stamps, number * STAMP_SIZE)[0]
    return mode


def contents(known: Known) -> list[tuple[bytes, int]]:
    """Return the SHA-256 and the mode of each file."""
    size = CONTENT_SIZE
    return [
        (known.contents[number * size : (number + 1) * size], mode_of(known.stamps, number))
        for number in range(len(known.contents) // size)
    ]
