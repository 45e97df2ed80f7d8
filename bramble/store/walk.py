"""Walking a tree that somebody else has made: in order, by descriptors, following no link.

Everything is opened relative to the descriptor of its directory and never
through a link, so a tree cannot lead the walk out of itself, and no path
is ever handed to the kernel that could be longer than PATH_MAX. A tree may be
as deep as it likes: only the last few directories are kept open, and one that
was closed is found again through `..` and recognised by its inode.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from typing import Callable, NamedTuple, Optional

from bramble.errors import BrambleError
from bramble.store.path import shown

FILE, DIRECTORY, SYMLINK, OTHER, LEAVE = b"f", b"d", b"l", b"o", b"."

DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: should a fifo have taken the place of a file, opening it must not wait for a writer.
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

# Each level of a tree repeats all names above it in the archive: without a limit a few megabytes of
# nested directories would make terabytes of archive. Programs cannot open paths beyond 4095 bytes anyway.
LONGEST_NAME = 32768
_OPEN_LEVELS = 48


class Member(NamedTuple):
    """One step of a walk.

    `kind` is FILE, DIRECTORY, SYMLINK or OTHER for what is called `base` in the
    directory behind the descriptor `parent`, whose path in the tree is
    `directory` (b"" at the top, else with a leading slash). LEAVE comes after
    the last member of a directory; then `fd` is the directory itself.
    """

    kind: bytes
    parent: int
    directory: bytes
    base: bytes
    fd: int = -1

    @property
    def name(self) -> bytes:
        """The path of the member in the tree, with a leading slash."""
        return self.directory + b"/" + self.base


class _Level:
    __slots__ = ("base", "fd", "identity", "items", "path")

    def __init__(self, fd: int, path: bytes, base: bytes, items: Iterator[bytes]) -> None:
        self.fd = fd
        self.path = path
        self.base = base
        self.items = items
        self.identity: Optional[tuple[int, int]] = None


def changed(name: bytes) -> BrambleError:
    """Return the error that says that a file was changed while it was being read."""
    return BrambleError(
        "store.changed-while-read",
        f'"{shown(name)}" changed while it was being read',
        remedy="see that nothing writes there any more, and build again",
    )


def walk(
    top: int,
    key: Optional[Callable[[bytes], bytes]] = None,
    *,
    make_readable: bool = False,
) -> Generator[Member, None, None]:
    """Yield the members below the directory `top`, depth first, each directory's sorted as bytes.

    `key` gives the bytes by which a name is sorted, if not its own. A directory
    is yielded before it is opened. With `make_readable`, directories that their
    owner cannot read, write and enter are changed so that he can. The
    descriptors in a member are open until the next one is asked for.

    Raises BrambleError store.name-too-long, and store.changed-while-read when
    the tree is not what it was a moment ago.
    """
    # spec: objects.archive.order
    levels = [_Level(top, b"", b"", _items(top, key))]
    try:
        while True:
            level = levels[-1]
            item = next(level.items, None)
            if item is not None:
                base, kind = item[:-2], item[-1:]
                yield Member(kind, level.fd, level.path, base)
                if kind == DIRECTORY:
                    _enter(levels, base, key, make_readable)
            elif len(levels) == 1:
                return
            else:
                yield from _leave(levels)
    finally:
        for level in levels[1:]:
            if level.fd >= 0:
                os.close(level.fd)


def _enter(
    levels: list[_Level], base: bytes, key: Optional[Callable[[bytes], bytes]], make_readable: bool
) -> None:
    parent = levels[-1]
    path = parent.path + b"/" + base
    if len(path) > LONGEST_NAME:
        raise BrambleError(
            "store.name-too-long",
            f"the path of a directory has more than {LONGEST_NAME} bytes; it begins with "
            f'"{shown(path[:100])}"',
            remedy="make the tree less deep",
        )
    try:
        fd = open_directory(base, parent.fd, make_readable=make_readable)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise changed(path) from error
    levels.append(_Level(fd, path, base, iter(())))
    levels[-1].items = _items(fd, key)
    if len(levels) > _OPEN_LEVELS:
        distant = levels[-_OPEN_LEVELS]
        if distant is not levels[0]:
            status = os.fstat(distant.fd)
            distant.identity = (status.st_dev, status.st_ino)
            os.close(distant.fd)
            distant.fd = -1


def _leave(levels: list[_Level]) -> Iterator[Member]:
    level, parent = levels[-1], levels[-2]
    if parent.fd < 0:
        parent.fd = os.open("..", DIRECTORY_FLAGS, dir_fd=level.fd)
        status = os.fstat(parent.fd)
        if (status.st_dev, status.st_ino) != parent.identity:
            raise changed(parent.path)
    yield Member(LEAVE, parent.fd, parent.path, level.base, level.fd)
    levels.pop()
    os.close(level.fd)


def open_directory(name: bytes, parent: int, *, make_readable: bool = False) -> int:
    """Open a directory below `parent`; with `make_readable`, also one that its owner had closed."""
    try:
        fd = os.open(name, DIRECTORY_FLAGS, dir_fd=parent)
    except PermissionError:
        if not make_readable:
            raise
        os.chmod(name, 0o700, dir_fd=parent)
        fd = os.open(name, DIRECTORY_FLAGS, dir_fd=parent)
    if make_readable and os.fstat(fd).st_mode & 0o700 != 0o700:
        os.fchmod(fd, 0o700)
    return fd


def _items(fd: int, key: Optional[Callable[[bytes], bytes]]) -> Iterator[bytes]:
    """Return the names in a directory, sorted, each with a NUL and its kind behind it.

    One object a name: a directory may hold a million. As no name has a NUL in
    it, these sort as the names do.
    """
    items: list[bytes] = []
    with os.scandir(fd) as entries:
        for entry in entries:
            if entry.is_symlink():
                kind = SYMLINK
            elif entry.is_file(follow_symlinks=False):
                kind = FILE
            elif entry.is_dir(follow_symlinks=False):
                kind = DIRECTORY
            else:
                kind = OTHER
            items.append(b"%s\0%s" % (os.fsencode(entry.name), kind))
    if key is None:
        items.sort()
    else:
        order = key
        items.sort(key=lambda item: order(item[:-2]))
    return iter(items)


def special_kind(mode: int) -> str:
    """Return what a file that is neither file, directory nor link is called."""
    for test, name in (
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
    ):
        if test(mode):
            return name
    return "of an unknown kind"
