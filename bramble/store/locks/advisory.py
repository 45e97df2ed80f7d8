"""Advisory locks, one for each object or derivation, that die with the process that holds them.

A lock is one byte of a file, chosen by the name that is locked: open file
description locks (Linux 3.15, fcntl(2)), which the kernel drops when the
last descriptor is closed, be it by `kill -9`. So there is nothing to clean up,
no file for each object, and no lock for the whole store.

What they are for:

- a user of an object holds its lock *shared*, from before looking whether it
  is there to the end of the process; one that uses many objects says so in
  another way, since a file with many locks is slow (`bramble.store.locks.uses`);
- a process that removes an object holds its lock *exclusive* meanwhile, and gives up
  at once when somebody uses it;
- a process that builds a derivation holds its lock exclusive, so that nobody
  builds the same at the same time;
- a process that reads a record in order to replace or remove it holds the lock of its
  name exclusive in between (`alone`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import sys
import time

from bramble.errors import BrambleError
from bramble.store.files.small import open_lock
from bramble.store.late import late
from bramble.store.path import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Callable, Optional

    Tell = Callable[[str], None]

# struct flock: l_type, l_whence, l_start, l_len, l_pid (which must be 0 for these locks).
_FLOCK = struct.Struct("@hhqqi4x")
_TAKEN = (errno.EAGAIN, errno.EACCES)
_UNSUPPORTED = (errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

# A waiting builder looks again this often, in seconds: it must notice that it was cancelled.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.2
_SILENCE = 2  # seconds until a message says that the process waits
_PATIENCE = 120  # seconds until a lock that nobody holds for long is held for too long


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class LockFile:
    """A file whose bytes are locks. Two of them on one file are strangers to each other, threads are not.

    A file that may be read only can be locked shared only.
    """

    def __init__(self, path: str, *, read_only: bool = False) -> None:
        self._path = path
        self._fd = open_lock(path, read_only=read_only)

    def share(self, name: str, on_wait: Optional[Callable[[], None]] = None) -> None:
        """Take the lock of `name` shared; wait while somebody holds it exclusive, which is never for long.

        `on_wait` as in `exclusive`.

        Raises BrambleError store.locked where it is: its holder is stopped, or waits for what never comes.
        """
        # spec: store.locks.patience
        byte = byte_of(name)
        _wait(lambda: self.try_share(name), self._path, _patient(self._path, byte, on_wait), byte=byte)

    def try_share(self, name: str) -> bool:
        """Take the lock of `name` shared unless somebody has it exclusive; say whether it was taken."""
        return self._set(fcntl.F_RDLCK, name)

    def try_exclusive(self, name: str) -> bool:
        """Take the lock of `name` exclusive if nobody else has it in any way; say whether it was taken."""
        return self._set(fcntl.F_WRLCK, name)

    def try_all(self) -> Optional[int]:
        """Take the locks of all names exclusive if nobody else has one; else return a byte that is taken."""
        whole = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, whole)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                raise LocksUnsupported(self._path) from error
            if error.errno not in _TAKEN:
                raise
            taken = _FLOCK.unpack(fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, whole))
            return int(taken[2])
        return None

    def try_share_all(self) -> bool:
        """Take the locks of all names shared, as one, unless somebody has one exclusive; say so."""
        return self._set_range(fcntl.F_RDLCK, 0, 0)

    def is_exclusive_anywhere(self) -> bool:
        """Return whether somebody else has a lock exclusive, of whatever name."""
        try:
            found = fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                raise LocksUnsupported(self._path) from error
            raise
        return bool(_FLOCK.unpack(found)[0] != fcntl.F_UNLCK)

    def release_all(self) -> None:
        """Give up all locks."""
        self._set_range(fcntl.F_UNLCK, 0, 0)

    def exclusive(
        self, name: str, on_wait: Optional[Callable[[], None]] = None, *, tell: Tell = _print
    ) -> None:
        """Take the lock of `name` exclusive, however long it takes.

        `on_wait` is called each time it was not available, a few times a
        second; what it raises ends the waiting. `tell` is called with messages for the user.
        """
        _wait(lambda: self.try_exclusive(name), self._path, on_wait, byte=byte_of(name), tell=tell)

    def release(self, name: str) -> None:
        """Give up the lock of `name`."""
        self._set(fcntl.F_UNLCK, name)

    def close(self) -> None:
        """Give up all locks that were taken through this."""
        os.close(self._fd)

    def _set(self, kind: int, name: str) -> bool:
        return self._set_range(kind, byte_of(name), 1)

    def _set_range(self, kind: int, start: int, length: int) -> bool:
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, start, length, 0))
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            if error.errno in _UNSUPPORTED:
                raise LocksUnsupported(self._path) from error
            raise
        return True


def lock_whole(
    fd: int, path: str, *, shared: bool = False, on_wait: Optional[Callable[[], None]] = None
) -> None:
    """Take the whole file `path`, open as `fd`, exclusive or shared (flock(2)), however long it takes.

    `on_wait` as in `exclusive`. Raises OSError for a file system without locks.
    """

    def attempt() -> bool:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    _wait(attempt, path, on_wait)


def lock_briefly(fd: int, path: str, *, on_wait: Optional[Callable[[], None]] = None) -> None:
    """Take the whole file or directory `path` exclusive, which nobody holds for long.

    It may be one that strangers can open, and so lock. Raises BrambleError store.locked when it is held for
    two minutes, and OSError for a file system without locks.
    """
    # spec: store.locks.patience
    lock_whole(fd, path, on_wait=_patient(path, None, on_wait))


def _patient(path: str, byte: Optional[int], on_wait: Optional[Callable[[], None]]) -> Callable[[], None]:
    """Return what is called while one waits, and raises store.locked when that has taken too long."""
    until = time.monotonic() + _PATIENCE

    def patient() -> None:
        if on_wait is not None:
            on_wait()
        if time.monotonic() > until:
            raise BrambleError(
                "store.locked",
                f"a lock is held for {_PATIENCE} seconds: {_holder(path, byte)}",
                remedy="if it is stopped, continue or end it",
            )

    return patient


def _holder(path: str, byte: Optional[int]) -> str:
    return str(late("locks.holders", "holder")(path, byte))


def _wait(
    attempt: Callable[[], bool],
    path: str,
    on_wait: Optional[Callable[[], None]],
    *,
    byte: Optional[int] = None,
    tell: Tell = _print,
) -> None:
    # spec: store.locks.told
    # Polled instead of waiting in the kernel: so a signal ends it, and the user gets a message.
    pause, silent_until, told = _FIRST_PAUSE, time.monotonic() + _SILENCE, False
    while not attempt():
        if on_wait is not None:
            on_wait()
        if not told and time.monotonic() > silent_until:
            told = True
            tell(f"waiting: {_holder(path, byte)}")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


@contextlib.contextmanager
def alone(path: str, name: str, on_wait: Optional[Callable[[], None]] = None) -> Iterator[None]:
    """Hold the lock of `name` in the file `path`, exclusive: for what reads something and replaces it.

    A file system without locks goes without: there nothing is ever removed, and it is refused to build.
    """
    # spec: store.locks.records
    locks = LockFile(path)
    try:
        with contextlib.suppress(LocksUnsupported):
            locks.exclusive(name, on_wait)
        yield
    finally:
        locks.close()


class LocksUnsupported(BrambleError):
    """The file system of the store has no advisory locks."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "store.locks-unsupported",
            f'the file system that holds "{shown(path)}" cannot lock files',
            remedy="put the store on a local disk (BRAMBLE_PATH), or mount the share with locks",
        )


def byte_of(name: str) -> int:
    """Return the offset of the byte for `name`, below 2^63.

    The first twelve characters, read as a number of base 36. That two names
    share them (60 bits) is not to be expected, and would only make one wait.
    """
    # spec: store.locks.byte
    return int(name[:12], 36)
