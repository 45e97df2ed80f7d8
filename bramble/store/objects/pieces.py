"""Pieces: names that a compiler has cut, so that they stand nowhere whole.

A compiler may copy a constant text by moves of 8, 16, 32 or 64 bytes whose
values are in the instructions, or among the constants, in any order and with
shared pieces only once. A store path that is cut so works during the build. But it is
no reference, it is not rewritten when the object gets its name, and nobody can
rewrite it when a store moves. So such a file is looked for, and refused.

Looking for some hundred names in pieces, at every byte, takes many times as long as
hashing. But a name is cut together with the path before it, and that is the same
for all of them. So files are suspected first, which is cheap, and only those are searched:

- where the store directory is cut, each 8 bytes of it stand together. Take one byte of it that is rare:
  in its piece four of the bytes before it or behind it stand with it, wherever the cuts are;
- where the store directory stands whole and no whole name follows, the cut may be in the name;
- in machine code, paths share pieces: there the store directory is suspicious as such.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Optional

from bramble.record import NamedTuple
from bramble.store.digest import ALPHABET, DIGEST_LENGTH
from bramble.store.path import STORE_DIR_LENGTH

PIECE = 8
_AROUND = PIECE // 2
_PATH = STORE_DIR_LENGTH + 1 + DIGEST_LENGTH

# Files up to this size are always looked at, larger ones if they are machine code.
LARGEST_OTHER = 1 << 17
# ELF, archives, LLVM bitcode, WebAssembly, PE, Mach-O in four forms and with several architectures.
_MACHINE_CODE = (
    *(b"\x7fELF", b"!<arch>\n", b"!<thin>\n", b"BC\xc0\xde", b"\0asm", b"MZ"),
    *(
        b"\xfe\xed\xfa\xce",
        b"\xfe\xed\xfa\xcf",
        b"\xce\xfa\xed\xfe",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
    ),
)
_BEGINNINGS = frozenset(magic[0] for magic in _MACHINE_CODE)
# A byte is rare if it occurs less often than once in this many, in a sample of every so many bytes.
_RARE = 384
_SAMPLE = 61
# More occurrences than this in one block are not looked at one by one.
_MANY = 4096


def is_machine_code(beginning: bytes) -> bool:
    """Return whether a file that begins so holds machine code."""
    return bool(beginning) and beginning[0] in _BEGINNINGS and beginning.startswith(_MACHINE_CODE)


class Suspicion:
    """Where in a block parts of the store directory stand that may belong to a name in pieces.

    `names` are the names that may follow the store directory. With `sees_wide` the search for cut
    directories also finds those in UTF-16, which saves a separate search.
    """

    def __init__(self, directory: bytes, names: Collection[bytes]) -> None:
        self._directory = directory
        self._names = names
        # All bytes that can be in one piece with it are the directory's.
        at = min(range(PIECE - 1, STORE_DIR_LENGTH - PIECE + 1), key=lambda at: _commonness(directory[at]))
        self._byte = directory[at : at + 1]
        self._before, self._after = directory[at - _AROUND : at], directory[at + 1 : at + 1 + _AROUND]
        # In UTF-16 of either order there is a NUL between characters; in a directory of ASCII there is none.
        self._wide = b"\0%c\0%c" % tuple(self._after[:2])
        self.sees_wide = directory.isascii() and 0 not in directory
        byte, before, after, wide = map(re.escape, (self._byte, self._before, self._after, self._wide))
        behind = after + (b"|" + wide if self.sees_wide else b"")
        self._pattern = re.compile(byte + b"(?:(?=" + behind + b")|(?<=" + before + byte + b"))", re.DOTALL)
        self._in_directory = tuple(self._places(directory, 0))

    def bare(self, block: bytes, wholes: Sequence[int]) -> Iterator[int]:
        """Yield those of the places of the whole directory behind which no whole name stands.

        What is not in the block with all that could follow it is left out.
        """
        for at in wholes:
            if at + _PATH <= len(block):
                name = block[at + STORE_DIR_LENGTH + 1 : at + _PATH]
                if block[at + STORE_DIR_LENGTH] != 0x2F or name not in self._names:
                    yield at

    def cut(self, block: bytes, wholes: Sequence[int], start: int, wide: list[int]) -> Optional[int]:
        """Return the first place from `start` on at which 8 bytes of a cut directory stand together.

        `wholes` are the places of the whole directory in the block. Places on the way at which it may
        are in UTF-16 are added to `wide`, if it `sees_wide`.
        """
        seen = 0
        for at in self._places(block, start):
            if not block[at - 1] and block[at + 1 : at + 2] == b"\0":
                wide.append(at)
                continue
            before = bisect_right(wholes, at) - 1
            if before < 0 or at >= wholes[before] + STORE_DIR_LENGTH:
                seen += 1
                if seen > _MANY or self._stands(block, at):
                    return at
        return None

    def _places(self, block: bytes, start: int) -> Iterator[int]:
        """Yield places of the rare byte that have four of its neighbours on one side, in order.

        And, if it `sees_wide`, those that have two behind it in UTF-16, with NULs on both sides.
        """
        byte, before, after, wide = self._byte, self._before, self._after, self._wide
        # No byte of a directory is 0, so this is nowhere equal to one.
        nul = 0 if self.sees_wide else -1
        find, last = block.find, len(block) - 1
        one_before, one_after = before[-1], after[0]
        # One byte is searched with memchr(3). Where it is frequent, each call costs more than that saves.
        frequent = block[::_SAMPLE].count(byte) * _SAMPLE * _RARE > len(block)
        at = start if frequent else find(byte, start, last)
        for _ in range(0 if frequent else len(block) // _RARE):
            if at < 0:
                return
            next_one = block[at + 1]
            if (
                (next_one == one_after and block[at + 1 : at + 1 + _AROUND] == after)
                or (block[at - 1] == one_before and block[at - _AROUND : at] == before)
                or (next_one == nul and block[at + 1 : at + 1 + _AROUND] == wide)
            ):
                yield at
            at = find(byte, at + 1, last)
        if at >= 0:
            yield from (match.start() for match in self._pattern.finditer(block, at))

    def _stands(self, block: bytes, at: int) -> bool:
        """Return whether the byte at `at` is one of at least 8 that stand together in the directory, too."""
        directory = self._directory
        for place in self._in_directory:
            low, high = 0, 1
            while low < min(place, at) and block[at - low - 1] == directory[place - low - 1]:
                low += 1
            most = min(STORE_DIR_LENGTH - place, len(block) - at)
            while high < most and block[at + high] == directory[place + high]:
                high += 1
            if low + high >= PIECE:
                return True
        return False


def _commonness(byte: int) -> int:
    """Return how much a byte is to be expected in files, roughly: 0 for those that are rare everywhere."""
    for rank, some in enumerate((b"/+,@~", b"-.", b"_", b"0123456789qxjz", b"kvbywgp")):
        if byte in some:
            return rank
    return 6 if byte in b"etaoinsrhldc" else 5


class Piece(NamedTuple):
    """A name that is in a file in pieces, and the offset of the first piece."""

    name: bytes
    offset: int


Windows = Mapping[bytes, Sequence[tuple[bytes, int]]]  # 8 characters → the names that hold them, and where


def windows_of(names: Collection[bytes]) -> Windows:
    """Return what `Pieces` looks for, given the names."""
    windows: dict[bytes, list[tuple[bytes, int]]] = {}
    for name in sorted(names):
        for at in range(DIGEST_LENGTH - PIECE + 1):
            windows.setdefault(name[at : at + PIECE], []).append((name, at))
    return windows


class Pieces:
    """Searches one file, handed over in blocks, for pieces of names.

    A name is found if two pieces of it, 8 characters each, that do not overlap
    in the name are in the file, outside of whole names.
    """

    def __init__(self, names: Collection[bytes], windows: Windows) -> None:
        # spec: objects.references.pieces
        self._names = names
        self._windows = windows
        # name → lowest and highest place of a window of it that was found, and offset of the first found.
        self._found: dict[bytes, tuple[int, int, int]] = {}
        self._base = 0  # where the tail begins
        self._tail = b""  # in which windows may begin that are parts of a whole name
        self._free = 0  # where the first window begins that is not part of the whole name before it

    def block(self, data: bytes) -> None:
        """Search the next bytes of the file."""
        block = self._tail + data
        limit = max(0, len(block) - DIGEST_LENGTH + 1)
        self._search(block, limit)
        self._base += limit
        self._tail = block[limit:]

    def finish(self) -> Optional[Piece]:
        """End the file; return the name in pieces whose first piece comes first; None without one."""
        self._search(self._tail, len(self._tail))
        pieces = (
            Piece(name, offset) for name, (low, high, offset) in self._found.items() if high - low >= PIECE
        )
        return min(pieces, key=lambda piece: (piece.offset, piece.name), default=None)

    def _search(self, block: bytes, limit: int) -> None:
        """Look at the windows that begin before `limit`."""
        windows = self._windows
        for match in _RUN.finditer(block):
            start, end = match.span()
            for at in range(start, min(end - PIECE + 1, limit)):
                window = block[at : at + PIECE]
                if window in windows:
                    self._note(window, self._base + at, block[at : at + DIGEST_LENGTH])

    def _note(self, window: bytes, offset: int, whole: bytes) -> None:
        if whole in self._names:
            self._free = offset + DIGEST_LENGTH - PIECE + 1
        if offset < self._free:
            return
        for name, place in self._windows[window]:
            low, high, first = self._found.get(name, (place, place, offset))
            self._found[name] = (min(low, place), max(high, place), first)


_RUN = re.compile(b"[" + ALPHABET + b"]{%d,}" % PIECE)
