"""Making a store that was moved valid at its new place.

Objects hold the path of the store's directory, always 49 bytes long; so each
place that holds the old path is overwritten with the new one, and nothing else
changes: names of objects stay what they are, because that path does not count in them.

It can stop at any moment. First the store notes where it is being moved from;
until that note is gone it cannot be used, only be relocated. Each file is
written to a new file, and renamed when it is on the disk, so it has the old path or the new one;
going over all of them once more does no harm. The directory itself is renamed; where
that is refused (a lower layer of overlayfs), what is in it is, one by one, and
objects that cannot be renamed either are copied before they are removed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple, dataclass
from bramble.store.digest import is_digest
from bramble.store.files import walk
from bramble.store.files.failures import DiskFailures
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import TEMPORARY, open_lock, sync_directory, unique
from bramble.store.files.sync import Syncer
from bramble.store.layout.place import (
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
from bramble.store.locks.advisory import lock_whole
from bramble.store.objects.identity import BLOCK_SIZE
from bramble.store.path import shown
from bramble.store.records.objects import STAGED, TRASH
from bramble.store.tree.form import DIRECTORY_MODE, MTIME_NS, copy_stored, seal, stored_mode
from bramble.store.tree.unpack import Rewriter
from bramble.store.trust.owner import Owner, missing_parts
from bramble.store.trust.schema import is_derivation

_ASIDE = "/.moving"
# As many objects are rewritten before one sync; meanwhile their new files take space beside the old ones.
_BATCH = 64


@dataclass(frozen=True)
class RelocateReport:
    """Where a store was and where it is (roots), how many objects it has, and what held the old path.

    `changed` counts objects, `files` the files and links in them. `finished` says that an earlier relocation
    had been interrupted, and its work was finished; then `old` is where the store was before that.
    """

    old: str
    new: str
    objects: int
    changed: int
    files: int
    finished: bool = False


def relocate(root: str, *, on_object: Optional[Callable[[str], None]] = None) -> RelocateReport:
    """Make the store that is now below `root` valid there. `on_object(name)` is called for each object.

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
            lock_whole(fd, f"{location.var}/{COLLECTOR_LOCK}")
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
    _remove_temporary(location.directory)
    work = _Rewriting(location, [os.fsencode(directory) for _, directory in moving])
    names = sorted(filter(is_digest, os.listdir(location.directory)))
    counts: list[int] = []
    try:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for start in range(0, len(names), _BATCH):
                batch = names[start : start + _BATCH]
                written = list(pool.map(work.write, batch))
                if any(written):
                    # A file must be on the disk before it takes the place of another.
                    syncer.sync()
                list(pool.map(_put, written))
                counts.extend(map(len, written))
                if on_object is not None:
                    for name in batch:
                        on_object(name)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove_temporary(location.directory)
        raise
    syncer.sync()
    write_record(location, Record(location.root, location.directory))
    changed = sum(1 for count in counts if count)
    # spec: cli.store.change
    old = moving[-1][0] if moving else record.root
    return RelocateReport(old, location.root, len(names), changed, sum(counts), bool(record.moving))


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
    # One may be in another: the deepest comes first, so that its content is gone when the next one comes.
    there = [path for path in {aside, *old} if path != new and _is_directory(path)]
    # Once more, as one of them may have come up only now; those that are the owner's stay that.
    _check_places(location, moving, owner)
    for path in sorted(there, key=len, reverse=True):
        if (path == aside or not _is_directory(new)) and _move_whole(path, aside, location, owner):
            continue
        make_parts(location.root, location.padding, owner)
        _carry(path, new, location.root, syncer)


def _is_directory(path: str) -> bool:
    # `os.path.isdir` says no, too, where nothing could be found out; then all objects would be left behind.
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _move_whole(path: str, aside: str, location: Location, owner: Owner) -> bool:
    """Move a directory, by way of `aside` as one path may be in the other; return whether it was possible."""
    if path != aside and os.path.lexists(aside):
        return False
    try:
        if path != aside:
            os.rename(path, aside)
            _remove_empty(os.path.dirname(path), location.root)
        make_parts(location.root, location.padding[:-1], owner)
        os.rename(aside, location.directory)
    except OSError as error:
        # A directory of a lower layer (overlayfs); or there is something: what was moved before.
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
    for name in os.listdir(new):
        # One that was moved just before an earlier attempt ended is still writable.
        if is_digest(name):
            os.chmod(f"{new}/{name}", DIRECTORY_MODE)
    _remove_empty(path, root)


def _carry_one(here: str, there: str, staged: str, syncer: Syncer) -> None:
    is_object = not os.path.islink(here) and os.path.isdir(here)
    if is_object:
        # A directory gets another parent only if its owner may write to it (rename(2), EACCES).
        os.chmod(here, 0o755)
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
    if is_object:
        os.chmod(there, DIRECTORY_MODE)


def _remove_empty(directory: str, root: str) -> None:
    with contextlib.suppress(OSError):
        while len(directory) > len(root):
            os.rmdir(directory)
            directory = os.path.dirname(directory)


def _remove_temporary(directory: str) -> None:
    for name in os.listdir(directory):
        if name.startswith(TEMPORARY):
            os.unlink(f"{directory}/{name}")


class _Written(NamedTuple):
    """A new file or link that stands beside, and where it belongs: a directory, and the name in it."""

    new: str
    directory: bytes
    base: bytes


def _put(written: Sequence[_Written]) -> None:
    """Give the new files and links of one object, which are on the disk, the places of the old ones."""
    for directory, group in groupby(sorted(written, key=_directory), _directory):
        fd = os.open(directory, walk.DIRECTORY_FLAGS)
        try:
            os.fchmod(fd, 0o755)
            for one in group:
                os.rename(os.fsencode(one.new), one.base, dst_dir_fd=fd)
            seal(fd, DIRECTORY_MODE)
        finally:
            os.close(fd)


def _directory(written: _Written) -> bytes:
    return written.directory


class _Rewriting:
    def __init__(self, location: Location, old: Sequence[bytes]) -> None:
        self._directory = location.directory
        self._old = old
        self._new = os.fsencode(location.directory)

    def write(self, name: str) -> list[_Written]:
        """Write new files and links of an object for those that contain an old path; make them read-only."""
        found: list[_Written] = []
        path = os.fsencode(f"{self._directory}/{name}")
        top = os.open(path, walk.DIRECTORY_FLAGS)
        try:
            with contextlib.closing(walk.walk(top)) as members:
                for member in members:
                    new = None
                    if member.kind == walk.FILE:
                        new = self._file(member)
                    elif member.kind == walk.SYMLINK:
                        new = self._link(member)
                    elif member.kind == walk.LEAVE:
                        _close_directory(member.fd)
                    if new is not None:
                        found.append(_Written(new, os.path.dirname(path + member.name), member.base))
            _close_directory(top)
        finally:
            os.close(top)
        return found

    def _link(self, member: walk.Member) -> Optional[str]:
        target = os.readlink(member.base, dir_fd=member.parent)
        changed = target
        for old in self._old:
            changed = changed.replace(old, self._new)
        if changed == target:
            return None
        new = self._beside()
        os.symlink(changed, new)
        os.utime(new, ns=(MTIME_NS, MTIME_NS), follow_symlinks=False)
        return new

    def _file(self, member: walk.Member) -> Optional[str]:
        fd = os.open(member.base, walk.FILE_FLAGS, dir_fd=member.parent)
        try:
            if not self._holds_old(fd):
                return None
            os.lseek(fd, 0, os.SEEK_SET)
            new = self._beside()
            target = os.open(os.fsencode(new), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                self._copy(fd, target)
                seal(target, stored_mode(os.fstat(fd).st_mode))
            finally:
                os.close(target)
            return new
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

    def _beside(self) -> str:
        return f"{self._directory}/{TEMPORARY}{unique()}"


def _close_directory(fd: int) -> None:
    if os.fstat(fd).st_mode & 0o222:
        seal(fd, DIRECTORY_MODE)


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
