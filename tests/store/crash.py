"""A crash after any system call: of the process, or of the machine.

`run` performs an action in a child that ends, like one that is killed, right
after its nth call that changes the disk. Of a machine that loses its power more is
lost: what was written to files and not synced (they are empty then), and
perhaps renames in directories that were not synced (they have not happened
then).
"""

from __future__ import annotations

import json
import os
import stat
from enum import Enum
from typing import Any, Callable

from bramble.store.files import sync

CHANGES = ["chmod", "fchmod", "fsync", "link", "mkdir", "open", "pwrite", "removexattr", "rename"]
CHANGES += ["rmdir", "sendfile", "symlink", "unlink", "utime", "write"]
KILLED = 99


class Loss(Enum):
    """What is lost of that which was not synced."""

    NOTHING = "nothing"
    CONTENTS = "contents"
    NAMES_TOO = "contents and names"


class _Recorder:
    def __init__(self, root: str, stop: int, report: int) -> None:
        self.root = root
        self.stop = stop
        self.report = report
        self.calls = 0
        self.dirty: set[int] = set()
        # What is on the disk for good. Files that a builder makes meanwhile come unseen, and unsynced.
        self.synced = set(_inodes(root))
        self.renames: list[tuple[str, str]] = []

    def install(self) -> None:
        for name in CHANGES:
            setattr(os, name, self._wrap(name, getattr(os, name)))
        real = sync._syncfs

        def syncfs(fd: int) -> bool:
            done = real(fd)
            self.dirty.clear()
            self.renames.clear()
            self.synced.update(_inodes(self.root))
            self._count()
            return done

        sync._syncfs = syncfs

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                return real(*arguments, **options)
            before = self._paths(name, arguments, options)
            result = real(*arguments, **options)
            self._note(name, arguments, before, result)
            self._count()
            return result

        return call

    def _paths(self, name: str, arguments: Any, options: Any) -> tuple[str, ...]:
        if name != "rename":
            return ()
        ends = zip(arguments, (options.get("src_dir_fd"), options.get("dst_dir_fd")))
        return tuple(_absolute(os.fsdecode(path), fd) for path, fd in ends)

    def _note(self, name: str, arguments: Any, paths: tuple[str, ...], result: Any) -> None:
        if name in ("write", "pwrite", "sendfile"):
            self.dirty.add(os.fstat(arguments[0]).st_ino)
        elif name == "open":
            self.dirty.add(os.fstat(result).st_ino)
        elif name == "rename":
            self.renames.append((paths[0], paths[1]))
        elif name == "fsync":
            status = os.fstat(arguments[0])
            self.dirty.discard(status.st_ino)
            self.synced.add(status.st_ino)
            if stat.S_ISDIR(status.st_mode):
                here = os.readlink(f"/proc/self/fd/{arguments[0]}")
                self.renames = [pair for pair in self.renames if os.path.dirname(pair[1]) != here]

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.stop:
            self.tell()
            os._exit(KILLED)

    def tell(self) -> None:
        dirty = self.dirty | (set(_inodes(self.root)) - self.synced)
        state = {"calls": self.calls, "dirty": sorted(dirty), "renames": self.renames}
        data = json.dumps(state).encode()
        with open(self.report, "wb", closefd=False) as file:
            file.write(data)


def _absolute(path: str, fd: Any) -> str:
    return path if fd is None or path.startswith("/") else os.readlink(f"/proc/self/fd/{fd}") + "/" + path


def _inodes(root: str) -> dict[int, str]:
    found = {}
    for top, _, files in os.walk(root):
        for name in files:
            status = os.lstat(os.path.join(top, name))
            if stat.S_ISREG(status.st_mode):
                found[status.st_ino] = os.path.join(top, name)
    return found


def run(root: str, action: Callable[[], object], stop: int, loss: Loss) -> bool:
    """Do `action` until its `stop`th change of the disk; say whether it ended before that."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            recorder = _Recorder(root, stop, writing)
            recorder.install()
            action()
            recorder.tell()
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, "rb") as file:
        state = json.loads(file.read() or b"{}")
    _, status = os.waitpid(child, 0)
    code = os.WEXITSTATUS(status)
    assert code in (0, KILLED), f"the action failed: {code}"
    if loss is not Loss.NOTHING:
        _lose(root, state, names=loss is Loss.NAMES_TOO)
    return code == 0


def _lose(root: str, state: dict[str, Any], *, names: bool) -> None:
    for old, new in reversed(state["renames"] if names else []):
        if os.path.lexists(new) and not os.path.lexists(old) and os.path.isdir(os.path.dirname(old)):
            mode = os.lstat(new).st_mode
            for path in {os.path.dirname(old), os.path.dirname(new), new}:
                if not os.path.islink(path) and os.path.isdir(path):
                    os.chmod(path, 0o755)
            os.rename(new, old)
            if stat.S_ISDIR(mode):
                os.chmod(old, stat.S_IMODE(mode))
    where = _inodes(root)
    for inode in state["dirty"]:
        if inode in where:
            os.chmod(where[inode], 0o644)
            os.truncate(where[inode], 0)
