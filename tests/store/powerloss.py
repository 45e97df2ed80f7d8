"""What the disk may hold after the power was lost: the calls of an action, replayed without some of them.

A call is on the disk for certain when a `syncfs` came after it; what changes a file also when an `fsync` of
that file came; what changes names also when an `fsync` of their directory came. Of the others any may be
missing, in any combination: no order is assumed. A call that needs one that is missing is missing too.
"""

from __future__ import annotations

import contextlib
import os
import random
import stat
from collections.abc import Container, Iterator
from typing import Any, Callable, NamedTuple

from bramble.store.files import sync


class Event(NamedTuple):
    """One change: of a file, known by its number, or of names; or a barrier ("fsync", "syncfs")."""

    kind: str
    file: int
    paths: tuple[str, ...] = ()
    value: Any = None


OF_FILES = ("content", "mode", "time")
CALLS = ["open", "write", "pwrite", "sendfile", "ftruncate", "mkdir", "rmdir", "unlink", "rename", "link"]
CALLS += ["symlink", "chmod", "fchmod", "utime", "fsync"]


def _all(root: str) -> Iterator[str]:
    for top, directories, files in os.walk(root):
        yield top
        yield from (f"{top}/{name}" for name in (*directories, *files))


def _where(path: Any, fd: Any) -> str:
    if isinstance(path, int):
        return os.readlink(f"/proc/self/fd/{path}")
    text = os.fsdecode(path)
    return text if fd is None else os.readlink(f"/proc/self/fd/{fd}") + "/" + text


def record(root: str, action: Callable[[], object]) -> tuple[list[Event], object]:
    """Do an action to the store at `root`; return what it changed, and its result."""
    events = [Event("there", os.lstat(path).st_ino, (path,)) for path in _all(root)]
    real = {name: getattr(os, name) for name in CALLS}
    syncfs = sync._syncfs

    def wrapped(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            fd = options.get("dir_fd", options.get("src_dir_fd"))
            first = "" if name == "symlink" else _where(arguments[0], fd)
            second = ""
            if name in ("rename", "link", "symlink"):
                second = _where(arguments[1], options.get("dst_dir_fd", fd if name == "symlink" else None))
            new = name == "open" and bool(arguments[1] & os.O_CREAT) and not os.path.lexists(first)
            result = real[name](*arguments, **options)
            at = f"/proc/self/fd/{arguments[0]}" if isinstance(arguments[0], int) else first
            if new:
                status = os.fstat(result)
                events.append(Event("create", status.st_ino, (first,), stat.S_IMODE(status.st_mode)))
            elif name in ("write", "pwrite", "sendfile", "ftruncate"):
                with open(at, "rb") as file:
                    events.append(Event("content", os.stat(at).st_ino, (), file.read()))
            elif name == "mkdir":
                status = os.stat(first)
                events.append(Event("mkdir", status.st_ino, (first,), stat.S_IMODE(status.st_mode)))
            elif name in ("rmdir", "unlink"):
                events.append(Event(name, 0, (first,)))
            elif name in ("rename", "link"):
                events.append(Event(name, 0, (first, second)))
            elif name == "symlink":
                events.append(Event(name, 0, (second,), arguments[0]))
            elif name in ("chmod", "fchmod"):
                events.append(Event("mode", os.stat(at).st_ino, (), stat.S_IMODE(os.stat(at).st_mode)))
            elif name == "utime" and options.get("follow_symlinks", True):
                events.append(Event("time", os.stat(at).st_ino, (), os.stat(at).st_mtime_ns))
            elif name == "fsync":
                events.append(Event("fsync", os.stat(at).st_ino, (first,)))
            return result

        return call

    def synced(fd: int) -> bool:
        done = syncfs(fd)
        events.append(Event("syncfs", 0))
        return done

    for name in CALLS:
        setattr(os, name, wrapped(name))
    sync._syncfs = synced
    try:
        return events, action()
    finally:
        for name, function in real.items():
            setattr(os, name, function)
        sync._syncfs = syncfs


def certain(events: list[Event]) -> set[int]:
    """Return which of the events are on the disk for certain after the last of them."""
    found = {at for at, event in enumerate(events) if event.kind == "there"}
    all_before = max((at for at, event in enumerate(events) if event.kind == "syncfs"), default=-1)
    synced: dict[int, int] = {}
    directories: dict[str, int] = {}
    for at, event in enumerate(events):
        if event.kind == "fsync":
            synced[event.file] = at
            directories[event.paths[0]] = at
    for at, event in enumerate(events):
        late = synced.get(event.file, -1) if event.kind in OF_FILES else -1
        if event.paths and event.kind != "fsync":
            late = directories.get(os.path.dirname(event.paths[-1]), -1)
        if at < max(all_before, late):
            found.add(at)
    return found


def replay(events: list[Event], lost: Container[int]) -> None:
    """Do to the store, which is as it was before, what the events say but those that are lost."""
    with contextlib.ExitStack() as stack:
        files: dict[int, int] = {}

        def know(number: int, path: str) -> None:
            files[number] = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            stack.callback(os.close, files[number])

        for at, event in enumerate(events):
            if at not in lost:
                with contextlib.suppress(OSError, KeyError):
                    _do(event, files, know)


def _do(event: Event, files: dict[int, int], know: Callable[[int, str], None]) -> None:
    if event.kind == "there":
        know(event.file, event.paths[0])
    elif event.kind == "create":
        os.close(os.open(event.paths[0], os.O_WRONLY | os.O_CREAT | os.O_EXCL, event.value))
        know(event.file, event.paths[0])
    elif event.kind == "mkdir":
        os.mkdir(event.paths[0], event.value)
        know(event.file, event.paths[0])
    elif event.kind in ("rename", "link", "unlink", "rmdir"):
        getattr(os, event.kind)(*event.paths)
    elif event.kind == "symlink":
        os.symlink(event.value, event.paths[0])
    elif event.kind in OF_FILES:
        path = f"/proc/self/fd/{files[event.file]}"
        if event.kind == "mode":
            os.chmod(path, event.value)
        elif event.kind == "time":
            os.utime(path, ns=(event.value, event.value))
        else:
            with open(path, "wb") as file:
                file.write(event.value)


def losses(events: list[Event], count: int, seed: int) -> Iterator[tuple[int, set[int]]]:
    """Yield pairs of a moment (after so many events) and the events before it that are lost.

    For every moment: all that can be lost, and nothing; then `count` of each kind by the dice.
    """
    dice = random.Random(seed)
    first = sum(event.kind == "there" for event in events)
    for moment in range(first, len(events) + 1):
        sure = certain(events[:moment])
        loose = [at for at in range(moment) if at not in sure]
        yield moment, set(loose)
        yield moment, set()
        for _ in range(count):
            part = dice.choice([0.1, 0.5, 0.9])
            yield moment, {at for at in loose if dice.random() < part}
