"""Private directories on the store's own file system, in which builds are prepared."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import Optional

from bramble.store.files.failures import DiskFailures
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import make_directory, unique
from bramble.store.files.walk import DIRECTORY_FLAGS

WORK = "work"
KEPT = "kept"


class Workspace:
    """A private directory: `path` on this machine, mode 0700."""

    def __init__(self, path: str, keep_in: str) -> None:
        self.path = path
        self.kept: Optional[str] = None
        self._keep_in = keep_in

    def keep(self, to: Optional[str] = None) -> str:
        """Keep the directory at the end: move it to `to`, or among the kept ones; return where it is.

        `to` is on the same file system and is not there yet.
        """
        if to is None:
            with contextlib.suppress(FileExistsError):
                make_directory(self._keep_in)
            to = f"{self._keep_in}/{unique()}"
        with DiskFailures("keep the directory of the build"):
            os.rename(self.path, to)
        self.path = self.kept = to
        return to


@contextlib.contextmanager
def workspace(var: str, name: str = "") -> Iterator[Workspace]:
    """Give a private directory, and remove it at the end unless it was kept.

    It is called `name`, so that a build always sees the same path; if another process
    uses this name, a number is added. Without `name` it has a new name.

    It is locked while it is in use; after a crash the lock is gone, and
    `remove_stale` finds it.
    """
    # spec: store.workspaces
    with DiskFailures("make a directory to build in"):
        path, lock = _make(f"{var}/{WORK}", name)
    work = Workspace(path, f"{var}/{KEPT}")
    try:
        yield work
    finally:
        if work.kept is None:
            with DiskFailures("remove the directory of a build"):
                remove_tree(path)
        os.close(lock)


def _make(parent: str, name: str) -> tuple[str, int]:
    number = 1
    while True:
        path = f"{parent}/{name or unique()}" + (f"-{number}" if name and number > 1 else "")
        try:
            make_directory(path, 0o700)
        except FileExistsError:
            number += 0 if remove_if_stale(path) else 1
            continue
        except FileNotFoundError:
            continue  # a collector took it for stale already
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(path, DIRECTORY_FLAGS)
            fcntl.flock(fd, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), os.stat(path)):
                    return path, fd
            # A collector came between making and locking, and took it for stale.
            os.close(fd)


def remove_stale(var: str) -> int:
    """Remove the directories of processes that are gone; return how many there were."""
    with os.scandir(f"{var}/{WORK}") as entries:
        paths = [entry.path for entry in entries]
    return sum(map(remove_if_stale, paths))


def remove_if_stale(path: str) -> bool:
    """Remove the directory of a process that is gone, and tell whether it was one."""
    try:
        fd = os.open(path, DIRECTORY_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        os.chmod(path, 0o700)
        fd = os.open(path, DIRECTORY_FLAGS)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_tree(path)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
