"""Equal files in different objects become one file with several names, which is all that they need.

A directory must be open for writing while one of its names is replaced. So that
none stays open, a file says that this is going on: one process does it at a time,
verification waits for it, and where it was killed the next one, or the next
collection, closes what it has left open.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import Optional

from bramble.record import dataclass
from bramble.store.files import walk
from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import open_lock, unique
from bramble.store.locks.advisory import lock_whole
from bramble.store.objects.identity import BLOCK_SIZE
from bramble.store.records.objects import Objects
from bramble.store.tree.form import DIRECTORY_MODE, seal

# A process that makes directories of objects writable holds it exclusive (flock), and has written into it.
OPEN_DIRECTORIES = "locks/optimise"
# The longest path for link(2); files that are deeper are not linked.
_LONGEST_PATH = 4000


@dataclass(frozen=True)
class OptimiseReport:
    """How many files were looked at, how many were replaced by a link, and the bytes that this saved."""

    files: int
    linked: int
    saved: int


def optimise(
    objects: Objects, *, dry_run: bool = False, on_object: Optional[Callable[[str], None]] = None
) -> OptimiseReport:
    """Link equal files of all objects to each other. Raises those of failed system calls."""
    # spec: store.optimise
    with DiskFailures("link equal files"), contextlib.ExitStack() as stack:
        if not dry_run:
            stack.enter_context(_open_directories(objects))
        names = objects.names()
        sizes = _sizes(objects, names)
        linker = _Linker(objects, {size for size, count in sizes.items() if count > 1}, dry_run)
        for name in names:
            with objects.held(name):
                linker.object(name)
            if on_object is not None:
                on_object(name)
        return OptimiseReport(sum(sizes.values()), linker.linked, linker.saved)


@contextlib.contextmanager
def _open_directories(objects: Objects) -> Iterator[None]:
    """Note for good that directories of objects may be open for writing, as long as they may."""
    # spec: store.optimise.interrupted
    fd = _lock_file(objects)
    try:
        lock_whole(fd, f"{objects.var}/{OPEN_DIRECTORIES}")
        _seal_if_noted(objects, fd)
        os.pwrite(fd, b"1", 0)
        objects.sync()
        try:
            yield
        except BaseException:
            _seal_if_noted(objects, fd)
            raise
        _note_end(objects, fd)
    finally:
        os.close(fd)


def seal_unfinished(objects: Objects) -> None:
    """Take the write bits from what a process that was killed has left open; nothing while one is at it."""
    # spec: store.optimise.interrupted
    fd = _lock_file(objects)
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _seal_if_noted(objects, fd)
    finally:
        os.close(fd)


@contextlib.contextmanager
def closed_directories(objects: Objects) -> Iterator[None]:
    """Wait until nobody opens directories of objects for writing, and let nobody do so meanwhile."""
    try:
        fd = open_lock(f"{objects.var}/{OPEN_DIRECTORIES}", read_only=True)
    except OSError:
        # Nobody ever has, or it is the store of somebody else.
        yield
        return
    try:
        with contextlib.suppress(OSError):
            lock_whole(fd, f"{objects.var}/{OPEN_DIRECTORIES}", shared=True)
        yield
    finally:
        os.close(fd)


def _lock_file(objects: Objects) -> int:
    return open_lock(f"{objects.var}/{OPEN_DIRECTORIES}")


def _seal_if_noted(objects: Objects, fd: int) -> None:
    if not os.fstat(fd).st_size:
        return
    for name in objects.names():
        with objects.held(name), contextlib.closing(_members(objects, name)) as members:
            for member in members:
                if member.kind == walk.LEAVE and os.fstat(member.fd).st_mode & 0o222:
                    seal(member.fd, DIRECTORY_MODE)
    _note_end(objects, fd)


def _note_end(objects: Objects, fd: int) -> None:
    # That they are closed must be on the disk before this is.
    objects.sync()
    os.ftruncate(fd, 0)


def _members(objects: Objects, name: str) -> Generator[walk.Member, None, None]:
    try:
        top = os.open(objects.object_path(name), walk.DIRECTORY_FLAGS)
    except FileNotFoundError:
        return
    try:
        with contextlib.closing(walk.walk(top)) as members:
            yield from members
        yield walk.Member(walk.LEAVE, -1, b"", b"", top)
    finally:
        os.close(top)


def _sizes(objects: Objects, names: list[str]) -> Counter[int]:
    sizes: Counter[int] = Counter()
    for name in names:
        with objects.held(name):
            for member in _members(objects, name):
                if member.kind == walk.FILE:
                    sizes[os.lstat(member.base, dir_fd=member.parent).st_size] += 1
    del sizes[0]
    return sizes


class _Linker:
    def __init__(self, objects: Objects, sizes: set[int], dry_run: bool) -> None:
        self._objects = objects
        self._sizes = sizes
        self._dry_run = dry_run
        self._first: dict[bytes, bytes] = {}  # digest of mode and content: path
        self._touched: set[bytes] = set()
        self.linked = 0
        self.saved = 0

    def object(self, name: str) -> None:
        """Link the files of one object to equal ones that were seen before."""
        self._touched.clear()
        for member in _members(self._objects, name):
            if member.kind == walk.FILE:
                self._file(name, member)
            elif member.kind == walk.LEAVE and member.name.rstrip(b"/") in self._touched:
                seal(member.fd, DIRECTORY_MODE)

    def _file(self, name: str, member: walk.Member) -> None:
        status = os.lstat(member.base, dir_fd=member.parent)
        path = os.fsencode(self._objects.object_path(name)) + member.name
        if status.st_size not in self._sizes or len(path) > _LONGEST_PATH or status.st_mode & 0o222:
            return
        key = _key(member, status.st_mode)
        first = self._first.setdefault(key, path)
        try:
            if first != path and not os.path.samestat(os.lstat(first), status):
                if not self._dry_run:
                    self._link(first, member)
                self.linked += 1
                # The bytes are free only when this was the last name of that file.
                self.saved += status.st_size if status.st_nlink == 1 else 0
        except OSError as error:
            if error.errno not in (errno.EMLINK, errno.ENOENT):
                raise
            # That file has as many names as it can have, or was collected: others are linked to this one.
            self._first[key] = path

    def _link(self, first: bytes, member: walk.Member) -> None:
        """Put a second name of `first` in the place of a member.

        The name is made in the store's directory and then moved: a crash must
        not leave a file in an object that does not belong to it.
        """
        new = f"{self._objects.directory}/.tmp-{unique()}"
        os.link(first, new, follow_symlinks=False)
        try:
            os.fchmod(member.parent, 0o755)
            self._touched.add(member.directory)
            os.rename(new, member.base, dst_dir_fd=member.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise


def _key(member: walk.Member, mode: int) -> bytes:
    sha256 = hashlib.sha256(b"x" if mode & 0o111 else b"-")
    fd = os.open(member.base, walk.FILE_FLAGS, dir_fd=member.parent)
    try:
        while True:
            data = os.read(fd, BLOCK_SIZE)
            if not data:
                return sha256.digest()
            sha256.update(data)
    finally:
        os.close(fd)
