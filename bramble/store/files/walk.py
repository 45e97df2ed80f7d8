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
from typing import Callable, Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple
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


class Descent:
    """A way down into a tree: the open directory at its end, and as many above it as are kept open."""

    def __init__(self, top: int) -> None:
        self._descriptors = [top]
        self._closed: dict[int, tuple[int, int]] = {}  # level: device and inode

    @property
    def fd(self) -> int:
        """The directory at the end of the way."""
        return self._descriptors[-1]

    @property
    def depth(self) -> int:
        """How many directories the way has led down."""
        return len(self._descriptors) - 1

    def enter(self, base: bytes, *, make_readable: bool = False) -> None:
        """Go on to a directory in the present one."""
        self._descriptors.append(open_directory(base, self.fd, make_readable=make_readable))
        distant = len(self._descriptors) - _OPEN_LEVELS
        if distant > 0:
            status = os.fstat(self._descriptors[distant])
            self._closed[distant] = (status.st_dev, status.st_ino)
            os.close(self._descriptors[distant])

    def parent(self) -> int:
        """Return the directory above the present one, opened again if need be."""
        level = self.depth - 1
        identity = self._closed.get(level)
        if identity is not None:
            fd = os.open("..", DIRECTORY_FLAGS, dir_fd=self.fd)
            self._descriptors[level] = fd
            del self._closed[level]
            status = os.fstat(fd)
            if (status.st_dev, status.st_ino) != identity:
                raise changed(b"/..")
        return self._descriptors[level]

    def leave(self) -> None:
        """Go back to the directory above."""
        self.parent()
        os.close(self._descriptors.pop())

    def close(self) -> None:
        """Close everything but the top."""
        for level in range(1, len(self._descriptors)):
            if level not in self._closed:
                os.close(self._descriptors[level])
        del self._descriptors[1:]
        self._closed.clear()


def changed(name: bytes) -> BrambleError:
    """Return the error that says that a file was changed while it was being read."""
    return BrambleError(
        "store.changed-while-read",
        f'"{shown(name)}" changed while it was being read',
        remedy="make sure that nothing writes there, and build again",
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
    way = Descent(top)
    paths, bases = [b""], [b""]
    items = [_items(top, key)]
    try:
        while True:
            item = next(items[-1], None)
            if item is not None:
                base, kind = item[:-2], item[-1:]
                yield Member(kind, way.fd, paths[-1], base)
                if kind == DIRECTORY:
                    path = paths[-1] + b"/" + base
                    check_length(path)
                    try:
                        way.enter(base, make_readable=make_readable)
                    except (FileNotFoundError, NotADirectoryError) as error:
                        raise changed(path) from error
                    paths.append(path)
                    bases.append(base)
                    items.append(_items(way.fd, key))
            elif len(items) == 1:
                return
            else:
                items.pop()
                paths.pop()
                yield Member(LEAVE, way.parent(), paths[-1], bases.pop(), way.fd)
                way.leave()
    finally:
        way.close()


def check_length(path: bytes) -> None:
    """Refuse a path in a tree that is longer than LONGEST_NAME (BrambleError store.name-too-long)."""
    # spec: objects.archive.longest-name
    if len(path) > LONGEST_NAME:
        raise BrambleError(
            "store.name-too-long",
            f"the path of a directory has more than {LONGEST_NAME} bytes; it begins with "
            f'"{shown(path[:100])}"',
            remedy="make the tree less deep",
        )


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
