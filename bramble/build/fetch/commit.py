"""The files of a commit, read from the trees of its repository one by one.

`git ls-tree -r` joins names with "/", so that different trees can be listed alike; a name
that no file can have, or that occurs twice, is only seen in the trees (gitformat-pack(5)).
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from typing import IO, Optional

from bramble.build.fetch.archives.confined import LINK_LIMIT, NAME_LIMIT, ConfinedTree, Path, shown
from bramble.build.fetch.archives.unpack import Budget, fill
from bramble.record import dataclass

_PIECE = 1 << 18
_TREE_LIMIT = 1 << 26  # bytes of one directory, which is held in memory
_KINDS = {stat.S_IFREG: "file", stat.S_IFLNK: "symlink", stat.S_IFDIR: "directory", 0o160000: "submodule"}
_MODULES = b".gitmodules"
_NO_NAMES = (b"", b".", b"..", b".git")


class CommitBroken(Exception):
    """A commit is damaged, or holds what no output can. The message says how."""


@dataclass(frozen=True)
class Submodules:
    """The submodules of a tree, and the object of its `.gitmodules`, b"" if it has no such file."""

    file: bytes
    commits: Mapping[Path, bytes]  # hexadecimal digits, by the path from the top of the tree


@dataclass(frozen=True)
class Entry:
    """One name in a directory of a commit."""

    kind: str  # "file", "symlink", "directory" or "submodule"
    executable: bool
    name: bytes
    object: bytes  # hexadecimal digits of its hash


def entries(tree: bytes, hash_size: int) -> Iterator[Entry]:
    """Yield what a tree object names: octal mode, blank, name, NUL, and `hash_size` bytes. Pure.

    Raises CommitBroken.
    """
    # spec: build.fetch-git
    at, names = 0, set()
    while at < len(tree):
        blank = tree.find(b" ", at, at + 8)
        end = tree.find(b"\0", blank)
        mode, name, following = tree[at:blank], tree[blank + 1 : end], end + 1 + hash_size
        if blank < 0 or end < 0 or following > len(tree) or not mode or mode.strip(b"01234567"):
            raise CommitBroken("a directory of the commit is damaged")
        kind = _KINDS.get(stat.S_IFMT(int(mode, 8)))
        if kind is None:
            raise CommitBroken(f"{shown(name)} is neither a file, a link nor a directory")
        if name in _NO_NAMES or b"/" in name:
            raise CommitBroken(f"{shown(name)} is not a valid name in a commit")
        if name in names:
            raise CommitBroken(f"{shown(name)} occurs twice")
        names.add(name)
        yield Entry(kind, bool(int(mode, 8) & 0o100), name, tree[end + 1 : following].hex().encode())
        at = following


class Objects:
    """The objects of a repository, by `git cat-file --batch`."""

    def __init__(self, asked: IO[bytes], answers: IO[bytes]) -> None:
        self._asked = asked
        self._answers = answers

    def content(self, name: bytes, kind: bytes, limit: Optional[int] = None) -> Iterator[bytes]:
        """Yield the bytes of a "blob" or "tree", at most `limit`, in pieces. Raises CommitBroken."""
        self._asked.write(name + b"\n")
        self._asked.flush()
        head = self._answers.readline().split()
        if len(head) != 3 or head[1] != kind:
            raise CommitBroken(f"an object is missing or damaged: {name.decode()}")
        left = int(head[2])
        if limit is not None and left > limit:
            raise CommitBroken(f"an object is too long for its type: {name.decode()}")
        while left:
            piece = self._answers.read(min(left, _PIECE))
            if not piece:
                raise CommitBroken(f"an object is damaged: {name.decode()}")
            left -= len(piece)
            yield piece
        self._answers.read(1)


def write_commit(
    tree: bytes, objects: Objects, target: ConfinedTree, budget: Budget, top: Path = ()
) -> Submodules:
    """Write the files of the tree with that hash, with an empty directory for each submodule.

    They are written below the directory `top`. Return the submodules.

    Raises CommitBroken, Clash, Outside, TooLarge, Cancelled, OSError.
    """
    # spec: build.fetch-git.bytes
    # Directories whose files are written, and which of theirs are still to be; no path is kept for each.
    file, commits = b"", {}
    waiting: list[tuple[Path, Iterator[Entry]]] = [
        (top, iter([Entry("directory", False, b"", tree)])),
    ]
    while waiting:
        above, rest = waiting[-1]
        directory = next(rest, None)
        if directory is None:
            waiting.pop()
            continue
        path = (*above, directory.name) if directory.name else above
        inner = []
        whole = b"".join(objects.content(directory.object, b"tree", _TREE_LIMIT))
        budget.take(len(whole))
        for entry in entries(whole, len(tree) // 2):
            budget.member()
            if entry.kind == "directory":
                inner.append(entry)
            elif entry.kind == "submodule":
                commits[(*path, entry.name)[len(top) :]] = entry.object
            elif entry.kind == "file" and path == top and entry.name == _MODULES:
                file = entry.object
            _write(entry, (*path, entry.name), objects, target, budget)
        waiting.append((path, iter(inner)))
    return Submodules(file, commits)


def _write(entry: Entry, path: Path, objects: Objects, target: ConfinedTree, budget: Budget) -> None:
    if sum(map(len, path)) + len(path) > NAME_LIMIT:
        raise CommitBroken(f"{shown(b'/'.join(path))} is longer than any path may be")
    if entry.kind in ("directory", "submodule"):
        target.directory(path)
    elif entry.kind == "symlink":
        target.symlink(path, b"".join(objects.content(entry.object, b"blob", LINK_LIMIT)))
    else:
        fill(target.file(path, executable=entry.executable), objects.content(entry.object, b"blob"), budget)
