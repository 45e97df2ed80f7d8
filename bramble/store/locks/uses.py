"""Leases: objects that a process uses, recorded so that a collector sees them and nobody waits.

A process that has looked up an object relies on it, and on all that it refers to, until the process ends
(`Objects.protect`). A graph has as many such objects as it has outputs, and the kernel keeps the locks of a
file in one list that it walks for each lock: 20,000 locks cost seconds, also for everybody else who locks a
byte of that file. So what a process holds is bounded, whatever the size of its graph:

- the first `MOST_BYTES` names are *shared locks* of their bytes in `locks/objects`: no file is made
  for the many commands that need few objects;
- with the next name a process makes a *lease*: a file `locks/uses-UNIQUE` on which it has an exclusive
  flock(2) as long as it lives, and to which it appends names. All that it has so far is written there,
  and then the bytes are given up. From there on it holds one lock;
- who cannot write to the store (a reader of somebody else's, a full disk) takes the *whole range* of bytes,
  shared, instead: until that process ends nothing can be collected, which is the price of one lock.

**What makes it safe.** A collector that wants to remove an object

    c1  takes the byte of the object, exclusive, and gives up if that is not available;
    c2  reads the leases of all living processes, and gives up if the name is in one of them;
    c3  renames the object away, and releases the byte.

Who wants to use it

    u1  appends the name to its lease;
    u2  asks whether anybody has the byte exclusive, and waits until nobody has;
    u3  looks whether the object is there.

The kernel puts u2 and c1 in an order, as they concern the same lock. If u2 comes first, then u1 was before
c1, so c2 reads the name, and the object stays. If c1 comes first, u2 waits until c3 is done, and u3
finds the truth: the object is gone, or somebody else had a use for it. Nobody waits for anything but the
moment between c1 and c3, and for that only who wants one of the very objects that are being removed. (u2
asks for all bytes at once; only when the answer is yes it asks name by name.)

A lease that is being made is seen, too. It is made before u1: either whoever lists the directory in c2,
after c1, finds it, or u2 comes later than c1. A name of which only a part is written does not count: its u2
is still to come. Bytes are given up after the lease that replaces them was written, so at every moment one
of the two says it; a collector tries the byte first and reads the lease second, in the same order.

**What is left behind.** A process that is killed gives up its flock, and its lease counts no longer:
nobody has to remove it. A process that makes a lease removes such files, as does each collection. How is one
told from a lease that was just made and not locked yet? It is removed with its lock held, and who makes one
looks, when it has the lock, whether the file still has a name; if not, it makes another. A process that is
stopped keeps what it uses.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from importlib import import_module

from bramble.store.files.small import unique
from bramble.store.locks.advisory import LockFile, lock_whole
from bramble.store.shape import DIGEST_LENGTH, is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Callable, Optional

MOST_BYTES = 64  # locks; above that a process has one
LEASE = "locks/uses-"  # begins the name of a lease in `var`
_LINE = DIGEST_LENGTH + 1  # a name and a newline
_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MAKE = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Uses:
    """The objects that one process uses, in the store that has `var`; `path` is the file of their locks.

    With `read_only` the store cannot be written to. With `patient` a lock is waited for that a collector
    has for a moment; without, somebody else's collector is not waited for. It is one thread's at a time.
    """

    def __init__(self, var: str, path: str, *, read_only: bool = False, patient: bool = True) -> None:
        self._var = var
        self._locks = LockFile(path, read_only=read_only)
        self._read_only, self._patient = read_only, patient
        self._bytes: list[str] = []
        self._lease: Optional[Lease] = None
        self._has_all = False

    def add(self, names: Iterable[str], on_wait: Optional[Callable[[], None]] = None) -> None:
        """Say that these objects are used; nobody removes one afterwards. They may be gone, or not be yet.

        `on_wait` as in `LockFile.exclusive`. Raises BrambleError store.locked and LocksUnsupported.
        """
        # spec: store.locks.uses
        new = list(names)
        if self._has_all:
            return
        if self._lease is None and len(self._bytes) + len(new) <= MOST_BYTES:
            for name in new:
                self._share(name, on_wait)
                self._bytes.append(name)
            return
        if self._write(new):
            self._settle(new, on_wait)
        elif self._locks.try_share_all():
            self._has_all = True
            self._end_lease()
        else:
            # A process is removing something just now: the next attempt may get all of it.
            for name in new:
                self._share(name, on_wait)

    def close(self) -> None:
        """Release all leases."""
        self._end_lease()
        self._locks.close()

    def _share(self, name: str, on_wait: Optional[Callable[[], None]]) -> None:
        if self._patient:
            self._locks.share(name, on_wait)
        else:
            self._locks.try_share(name)

    def _write(self, names: list[str]) -> bool:
        """Write names into the lease, which is made if need be; say whether they are there."""
        if self._read_only:
            return False
        try:
            if self._lease is None:
                self._lease = Lease(self._var)
            self._lease.write([*self._bytes, *names])
            if self._bytes:
                self._locks.release_all()
                self._bytes.clear()
        except OSError:
            # Nothing can be written. Existing objects can still be used.
            return False
        return True

    def _settle(self, names: list[str], on_wait: Optional[Callable[[], None]]) -> None:
        """Wait until nobody removes one of these objects, which are in the lease."""
        if self._locks.is_exclusive_anywhere():
            for name in names:
                self._locks.share(name, on_wait)
                self._locks.release(name)

    def _end_lease(self) -> None:
        if self._lease is not None:
            self._lease.close()
            self._lease = None


class Lease:
    """A file of names that counts while this process lives. Raises OSError."""

    def __init__(self, var: str) -> None:
        self._fd = -1
        remove_dead(var)
        while True:
            path = f"{var}/{LEASE}{unique()}"
            fd = os.open(path, _MAKE, 0o600)
            try:
                lock_whole(fd, path)
                if os.fstat(fd).st_nlink:
                    self._fd = fd
                    self._end = import_module("weakref").finalize(self, _end, fd, path, os.getpid())
                    return
            finally:
                if self._fd < 0:
                    os.close(fd)

    def write(self, names: Iterable[str]) -> None:
        """Append names."""
        left = memoryview("".join(f"{name}\n" for name in names).encode("ascii"))
        while left:
            left = left[os.write(self._fd, left) :]

    def close(self) -> None:
        """Remove the file; a process that was forked by the one that made it does not."""
        self._end()


def _end(fd: int, path: str, maker: int) -> None:
    if os.getpid() == maker:
        with contextlib.suppress(OSError):
            os.unlink(path)
    os.close(fd)


class Leases:
    """The content of the leases of running processes, read repeatedly; each line is read once."""

    def __init__(self, var: str) -> None:
        self._var = var
        self._read: dict[str, tuple[int, set[str]]] = {}

    def names(self) -> set[str]:
        """Return the names of all objects that a living process has in its lease. Raises OSError."""
        return set().union(*self._all())

    def in_use(self, name: str) -> bool:
        """Return whether a living process has `name` in its lease."""
        return any(name in names for names in self._all())

    def _all(self) -> list[set[str]]:
        found: list[set[str]] = []
        for path in _leases(self._var):
            with _opened(path) as fd:
                if fd is not None and not _try(fd, fcntl.LOCK_SH):
                    found.append(self._lines(path, fd))
        return found

    def _lines(self, path: str, fd: int) -> set[str]:
        offset, names = self._read.setdefault(path, (0, set()))
        data = os.pread(fd, max(0, os.fstat(fd).st_size - offset), offset)
        whole = len(data) - len(data) % _LINE
        names.update(filter(is_digest, data[:whole].decode("ascii", "replace").split("\n")))
        self._read[path] = (offset + whole, names)
        return names


def living(var: str) -> Optional[str]:
    """Return the path of a lease of a living process, if there is one."""
    for path in _leases(var):
        with _opened(path) as fd:
            if fd is not None and not _try(fd, fcntl.LOCK_SH):
                return path
    return None


def remove_dead(var: str) -> int:
    """Remove the leases of processes that are gone; count them."""
    # spec: store.gc.leftovers
    count = 0
    for path in _leases(var):
        with _opened(path) as fd:
            if fd is not None and _try(fd, fcntl.LOCK_EX):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                    count += 1
    return count


def _leases(var: str) -> list[str]:
    directory, _, start = f"{var}/{LEASE}".rpartition("/")
    return [f"{directory}/{name}" for name in sorted(os.listdir(directory)) if name.startswith(start)]


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Optional[int]]:
    """Open a lease for a moment; None if it is gone."""
    try:
        fd = os.open(path, _OPEN)
    except FileNotFoundError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _try(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
