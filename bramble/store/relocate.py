"""Making a store that was moved valid at its new place.

Objects hold the path of the store's directory, always 49 bytes long; so each
place that holds the old path is overwritten with the new one, and nothing else
changes: names of objects stay what they are, because that path does not count in them.

It can stop at any moment. First the store notes where it is being moved from;
until that note is gone it cannot be used, only be relocated. Each file is
written anew beside and renamed, so it holds the old path or the new one; going
over all of them once more does no harm. The directory itself is renamed; where
that is refused (a lower layer of overlayfs), what is in it is, one by one, and
objects that cannot be renamed either are copied before they are removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Optional

from bramble.errors import BrambleError
from bramble.store import walk
from bramble.store.digest import is_digest
from bramble.store.failures import DiskFailures
from bramble.store.files import open_lock, sync_directory, unique
from bramble.store.identity import BLOCK_SIZE
from bramble.store.layout import (
    COLLECTOR_LOCK,
    Location,
    Record,
    check,
    link,
    locate,
    make_directories,
    make_parts,
    read_record,
    write_record,
)
from bramble.store.leftovers import TEMPORARY
from bramble.store.objects import STAGED, TRASH
from bramble.store.path import shown
from bramble.store.remove import remove_tree
from bramble.store.sync import Syncer
from bramble.store.tree import DIRECTORY_MODE, MTIME_NS, copy_stored, seal, stored_mode
from bramble.store.trust.owner import Owner, missing_parts
from bramble.store.trust.schema import is_derivation
from bramble.store.unpack import Rewriter

_ASIDE = "/.moving"


@dataclass(frozen=True)
class RelocateReport:
    """Where a store was and where it is (roots), how many objects it has, and what held the old path.

    `changed` counts objects, `files` the files and links in them.
    """

    old: str
    new: str
    objects: int
    changed: int
    files: int


def relocate(root: str, *, on_object: Optional[Callable[[str], None]] = None) -> RelocateReport:
    """Make the store that now lies below `root` valid there. `on_object(name)` is called for each object.

    No other process may use the store meanwhile; none can open it.

    Raises BrambleError store.missing, store.root-too-long and others of
    `layout.locate`, store.newer-version, and those of failed system calls.
    """
    # spec: store.relocate
    location = locate(root)
    with DiskFailures("relocate the store"):
        owner = Owner(os.geteuid(), os.geteuid())
        check(location, owner)
        record = read_record(location)
        if record is None:
            raise BrambleError(
                "store.missing",
                f'there is no store at "{shown(location.root)}"',
                remedy="set BRAMBLE_PATH to where the store is now",
            )
        if record.directory == location.directory and not record.moving:
            return RelocateReport(record.root, location.root, 0, 0, 0)
        # What was not there before may be there by now, and be another's.
        check(location, owner)
        _check_places(location, _moving(location, record), owner)
        fd = open_lock(f"{location.var}/{COLLECTOR_LOCK}")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            # Another may have done it, or a part of it, while this one waited.
            record = read_record(location) or record
            return _relocate(location, record, owner, on_object, fd)
        finally:
            os.close(fd)


def _moving(location: Location, record: Record) -> tuple[tuple[str, str], ...]:
    """Return the places, root and directory, that objects may still hold."""
    places = dict.fromkeys([*record.moving, (record.root, record.directory)])
    places.pop((location.root, location.directory), None)
    return tuple(places)


def _relocate(
    location: Location,
    record: Record,
    owner: Owner,
    on_object: Optional[Callable[[str], None]],
    lock: int,
) -> RelocateReport:
    moving = _moving(location, record)
    # The lock was opened before anything was written: see `Syncer`.
    syncer = Syncer(location.directory, lock)
    write_record(location, Record(location.root, location.directory, moving))
    _move_directory(location, moving, owner, syncer)
    make_directories(location, owner)
    link(location, owner, replace=True)
    work = _Rewriting(location, [os.fsencode(directory) for _, directory in moving])
    names = sorted(filter(is_digest, os.listdir(location.directory)))

    def one(name: str) -> int:
        files = work.object(name)
        if on_object is not None:
            on_object(name)
        return files

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        counts = list(pool.map(one, names))
    for name in os.listdir(location.directory):
        if name.startswith(TEMPORARY):
            os.unlink(f"{location.directory}/{name}")
    syncer.sync()
    write_record(location, Record(location.root, location.directory))
    changed = sum(1 for count in counts if count)
    return RelocateReport(record.root, location.root, len(names), changed, sum(counts))


def _check_places(location: Location, moving: Sequence[tuple[str, str]], owner: Owner) -> None:
    """Refuse what others have put below the root, where the store's directory was or is on its way."""
    # spec: store.owner.sticky
    parts = [_ASIDE[1:]]
    for root, directory in moving:
        parts.extend(Location(root, directory).padding)
    fd = os.open(location.root, walk.DIRECTORY_FLAGS)
    try:
        missing_parts(fd, location.root, parts, owner)
    finally:
        os.close(fd)


def _move_directory(
    location: Location, moving: Sequence[tuple[str, str]], owner: Owner, syncer: Syncer
) -> None:
    """Bring the store's directory to its new path below the root, on whose length its padding depends.

    It may have been tried before, and have ended anywhere: what is at the other places is brought here.
    """
    aside, new = location.root + _ASIDE, location.directory
    old = (location.root + directory[len(root) :] for root, directory in moving)
    # One may lie in another: the deepest comes first, and what lies in it is gone when the next one comes.
    there = [path for path in {aside, *old} if path != new and os.path.isdir(path)]
    # Once more, as one of them may have come up only now; those that are the owner's stay that.
    _check_places(location, moving, owner)
    for path in sorted(there, key=len, reverse=True):
        if (path == aside or not os.path.isdir(new)) and _move_whole(path, aside, location, owner):
            continue
        make_parts(location.root, location.padding, owner)
        _carry(path, new, location.root, syncer)


def _move_whole(path: str, aside: str, location: Location, owner: Owner) -> bool:
    """Move a directory, by way of `aside` as one path may lie in the other; say whether that can be done."""
    if path != aside and os.path.lexists(aside):
        return False
    try:
        if path != aside:
            os.rename(path, aside)
            _remove_empty(os.path.dirname(path), location.root)
        make_parts(location.root, location.padding[:-1], owner)
        os.rename(aside, location.directory)
    except OSError as error:
        # A directory of a lower layer (overlayfs); or something stands there: what was carried before.
        if error.errno not in (errno.EXDEV, errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _carry(path: str, new: str, root: str, syncer: Syncer) -> None:
    """Move what is in the store's directory `path` to `new`, one by one; what cannot be moved is copied."""
    # spec: store.layers
    for name in sorted(os.listdir(path)):
        here, there = f"{path}/{name}", f"{new}/{name}"
        if name.startswith((STAGED, TRASH, TEMPORARY)):
            remove_tree(here)
        elif is_digest(name) or is_derivation(name):
            if not os.path.lexists(there):
                _carry_one(here, there, f"{new}/{STAGED}{name}-{unique()}", syncer)
            remove_tree(here)
    _remove_empty(path, root)


def _carry_one(here: str, there: str, staged: str, syncer: Syncer) -> None:
    try:
        os.rename(here, there)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_stored(here, staged)
        # The copy is on the disk before it has the name, and has the name before the first one is removed.
        syncer.sync([staged])
        os.rename(staged, there)
        sync_directory(os.path.dirname(there))


def _remove_empty(directory: str, root: str) -> None:
    with contextlib.suppress(OSError):
        while len(directory) > len(root):
            os.rmdir(directory)
            directory = os.path.dirname(directory)


class _Rewriting:
    def __init__(self, location: Location, old: Sequence[bytes]) -> None:
        self._directory = location.directory
        self._old = old
        self._new = os.fsencode(location.directory)

    def object(self, name: str) -> int:
        """Write the new path into one object; return in how many files and links it was the old one."""
        count = 0
        top = os.open(f"{self._directory}/{name}", walk.DIRECTORY_FLAGS)
        try:
            with contextlib.closing(walk.walk(top)) as members:
                for member in members:
                    if member.kind == walk.FILE:
                        count += self._file(member)
                    elif member.kind == walk.SYMLINK:
                        count += self._link(member)
                    elif member.kind == walk.LEAVE:
                        _close_directory(member.fd)
            _close_directory(top)
        finally:
            os.close(top)
        return count

    def _link(self, member: walk.Member) -> bool:
        target = os.readlink(member.base, dir_fd=member.parent)
        changed = target
        for old in self._old:
            changed = changed.replace(old, self._new)
        if changed == target:
            return False
        with self._beside() as new:
            os.symlink(changed, new)
            os.utime(new, ns=(MTIME_NS, MTIME_NS), follow_symlinks=False)
            self._put(new, member)
        return True

    def _file(self, member: walk.Member) -> bool:
        fd = os.open(member.base, walk.FILE_FLAGS, dir_fd=member.parent)
        try:
            if not self._holds_old(fd):
                return False
            os.lseek(fd, 0, os.SEEK_SET)
            with self._beside() as new:
                target = os.open(os.fsencode(new), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                try:
                    self._copy(fd, target)
                    seal(target, stored_mode(os.fstat(fd).st_mode))
                finally:
                    os.close(target)
                self._put(new, member)
            return True
        finally:
            os.close(fd)

    def _holds_old(self, fd: int) -> bool:
        tail = b""
        while True:
            data = os.read(fd, BLOCK_SIZE)
            if not data:
                return False
            block = tail + data
            if any(old in block for old in self._old):
                return True
            tail = block[1 - len(self._new) :]

    def _copy(self, source: int, target: int) -> None:
        rewriters = [Rewriter(old, self._new) for old in self._old]
        while True:
            data = os.read(source, BLOCK_SIZE)
            at_end = not data
            for rewriter in rewriters:
                data = rewriter.rewrite(data)
                if at_end:
                    data += rewriter.rest()
            _write(target, data)
            if at_end:
                return

    @contextlib.contextmanager
    def _beside(self) -> Iterator[str]:
        """Give a name in the store's directory, which is gone again if something fails."""
        path = f"{self._directory}/{TEMPORARY}{unique()}"
        try:
            yield path
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise

    def _put(self, new: str, member: walk.Member) -> None:
        os.fchmod(member.parent, 0o755)
        # The directory is sealed again when the walk leaves it.
        os.rename(os.fsencode(new), member.base, dst_dir_fd=member.parent)


def _close_directory(fd: int) -> None:
    if os.fstat(fd).st_mode & 0o222:
        seal(fd, DIRECTORY_MODE)


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
