"""How much a program has written into what it may write: files and bytes, counted up to a limit.

It looks from outside, as the caller, at what may be changed at the same time by a process that wants to
be overlooked. So only descriptors are walked, no link is followed, no depth is too deep, and
it stops at the first file too many: nothing that a program does makes a look long.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

    from bramble.sandbox.spec import Limits

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPENED = 0o700
EVERY = 256  # entries between two looks at the clock


class _Enough(Exception):
    """A limit is exceeded (the name of its field), or the time is over (an empty text)."""


class _Tally:
    """What was counted so far, and what ends the count."""

    def __init__(self, limits: Limits, until: Optional[float], ended: bool) -> None:
        self.files = 0
        self.size = 0
        self.limits = limits
        self.until = until
        self.ended = ended

    def add(self, size: int) -> None:
        """Count one more file."""
        self.files += 1
        self.size += size
        if self.limits.output_files is not None and self.files > self.limits.output_files:
            raise _Enough("output_files")
        if self.limits.output_size is not None and self.size > self.limits.output_size:
            raise _Enough("output_size")
        if self.until is not None and self.files % EVERY == 0 and time.monotonic() >= self.until:
            raise _Enough("")

    def entries(self, here: int) -> list[str]:
        """Count what is in the directory `here`; return the names of the directories in it."""
        below = []
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    self.add(0)
                    below.append(entry.name)
                else:
                    self.add(0 if self.limits.output_size is None else size_of(entry))
        return below


def exceeded(paths: Sequence[str], limits: Limits, *, seconds: Optional[float], ended: bool) -> str:
    """Return which limit the content of `paths` exceeds: "output_files", "output_size" or "".

    Files, directories and links are counted below each of `paths` and not it itself; a hard link counts
    as a separate file, and a file with its length, as in an archive of them. After
    `seconds` what has been seen decides. `ended`: nobody changes them any more, so that directories which
    the caller cannot open are made such that they can be.
    """
    # spec: sandbox.limits.output
    until = None if seconds is None else time.monotonic() + seconds
    tally = _Tally(limits, until, ended)
    try:
        for path in paths:
            look(path, tally)
    except _Enough as enough:
        return str(enough)
    return ""


def look(path: str, tally: _Tally) -> None:
    """Count the file or directory `path` and its content."""
    try:
        here = enter(path, None, tally.ended)
    except NotADirectoryError:
        tally.add(os.lstat(path).st_size)
        return
    except OSError:
        return  # it is somewhere else by now, or closed
    todo: list[tuple[tuple[int, int], list[str]]] = []
    try:
        todo.append((identity(here), tally.entries(here)))
        while todo:
            if todo[-1][1]:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                    below = enter(todo[-1][1].pop(), here, tally.ended)
                    os.close(here)
                    here = below
                    todo.append((identity(here), tally.entries(here)))
                continue
            todo.pop()
            if todo:
                above = os.open("..", DIRECTORY, dir_fd=here)
                os.close(here)
                here = above
                if identity(here) != todo[-1][0]:
                    return  # it was moved while we were in it: what is here now is not ours to count
    except OSError:
        if tally.ended:
            raise
    finally:
        os.close(here)


def enter(name: str, parent: Optional[int], ended: bool) -> int:
    """Return a descriptor of a directory, from which one can come back. Raises PermissionError, OSError."""
    try:
        here = os.open(name, DIRECTORY, dir_fd=parent)
    except PermissionError:
        if not ended:
            raise
        os.chmod(name, OPENED, dir_fd=parent)
        here = os.open(name, DIRECTORY, dir_fd=parent)
    if not os.fstat(here).st_mode & stat.S_IXUSR:
        if not ended:
            os.close(here)
            raise PermissionError
        os.fchmod(here, OPENED)
    return here


def identity(here: int) -> tuple[int, int]:
    """Return what tells the open directory `here` from all others."""
    status = os.fstat(here)
    return status.st_dev, status.st_ino


def size_of(entry: os.DirEntry[str]) -> int:
    """Return the length of a regular file; 0 for anything else, and for what has just gone."""
    try:
        return entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else 0
    except FileNotFoundError:
        return 0
