"""Hidden names: paths of the store that a file contains in another form than their bytes.

A path in a compressed file, or in UTF-16, is not a reference, and cannot be rewritten when the store
moves. Most often nothing reads it again (a manual page, a log), so a build is warned and not refused.

Looking for it must cost nothing if there is nothing to be found. So the content of a file is unpacked
only if its first bytes say that it is packed, and the text in UTF-16 is suspected by one search for a few
bytes that both byte orders have in common.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Generator, Iterator
from struct import Struct
from typing import Callable

from bramble.record import NamedTuple
from bramble.store.digest import DIGEST_LENGTH

# An optional part of Python. Without it nothing is known of what a file packs.
try:
    import zlib
except ImportError:
    zlib = None  # type: ignore[assignment]

GZIP, ZIP, UTF_16 = "gzip", "zip", "utf-16"  # how a name is hidden

MOST_IN_OUTPUT = 64 << 20  # bytes, packed and unpacked, that are searched in one output
MOST_IN_FILE = 16 << 20  # and in one file, so that one that unpacks to too much leaves something for the rest
MOST_FINDINGS = 100  # in one output

_GZIP = b"\x1f\x8b"  # RFC 1952, 2.3.1
_ZIP, _ZIP_LIST = b"PK\x03\x04", b"PK\x01\x02"  # APPNOTE.TXT, 4.3.7 and 4.3.12
_ZIP_HEADER = Struct("<6xHH8xI4xHH")  # flags, method, size, lengths of the name and of what follows it
_ZIP_DESCRIPTORS = (12, 16, 20, 24)  # 4.3.9: with and without a signature, with sizes of 4 or 8 bytes
_DEFLATED = 8
_ENCRYPTED, _SIZE_BEHIND = 1, 8
_PIECE = 1 << 18
_CHARACTERS = 8
_SAMPLE = 509  # one byte of so many says whether a block is mostly NULs

Read = Callable[[], bytes]  # the next bytes of a file; b"" at its end


class Finding(NamedTuple):
    """A known name that a file hides, and how: GZIP, ZIP or UTF_16."""

    name: bytes
    how: str


class Search(NamedTuple):
    """What was found in one file, each name once, and how many bytes of the bound that took."""

    findings: tuple[Finding, ...]
    used: int


def is_packed(beginning: bytes) -> bool:
    """Return whether a file that begins so is to be unpacked."""
    return beginning.startswith((_GZIP, _ZIP))


def utf_16_needle(directory: bytes) -> bytes:
    """Return bytes that occur wherever the store directory occurs in UTF-16; b"" if there are none.

    Without the NUL at its end, the little-endian form of ASCII characters also occurs in the big-endian form.
    """
    # The longer what is searched for, the more bytes one step of the search passes over.
    runs = re.findall(rb"[\x01-\x7f]{%d,}" % _CHARACTERS, directory)
    return b"\0".join(bytes([character]) for character in max(runs, key=len, default=b""))


def find_needle(block: bytes, needle: bytes, start: int, end: int) -> int:
    """Return where `needle` stands first in the block from `start` to `end`; -1 if nowhere."""
    if block[start:end:_SAMPLE].count(0) * _SAMPLE * 2 > end - start:
        # Among NULs, of which the needle has many, `find` passes over one byte at a time.
        match = re.compile(re.escape(needle)).search(block, start, end)
        return match.start() if match is not None else -1
    return block.find(needle, start, end)


def hidden_names(read: Read, directory: bytes, names: Collection[bytes], left: int) -> Search:
    """Search one file for paths of known names below the store directory.

    A packed file is searched for what is packed in it, any other for UTF-16. At most `left`
    bytes of a packed file are looked at, packed and unpacked; a damaged one is searched as far as it goes.
    """
    # spec: objects.references.hidden
    begun = _at_least(len(_ZIP), b"", read)
    if not is_packed(begun):
        paths = _Paths(directory, names, plain=False)
        while begun:
            paths.block(begun)
            begun = read()
        return Search(tuple(Finding(name, UTF_16) for name in paths.found), 0)
    how, unpack = (GZIP, _gzip) if begun.startswith(_GZIP) else (ZIP, _zip)
    paths = _Paths(directory, names, plain=True)
    most = min(left, MOST_IN_FILE)
    if most <= 0 or zlib is None:
        return Search((), 0)
    packed, unpacked = len(begun), 0

    def read_counted() -> bytes:
        nonlocal packed
        data = read() if packed < most else b""
        packed += len(data)
        return data

    try:
        for piece in unpack(begun, read_counted):
            paths.block(piece)
            unpacked += len(piece)
            if unpacked >= most:
                break
    except zlib.error:
        pass
    return Search(tuple(Finding(name, how) for name in paths.found), max(packed, unpacked))


class _Paths:
    """Searches a text, handed over in blocks, for known names behind the store directory."""

    def __init__(self, directory: bytes, names: Collection[bytes], *, plain: bool) -> None:
        text = (directory + b"/").decode("utf-8", "surrogateescape")
        # What is searched for, bytes a character, and which of them is not NUL in a name.
        self._forms = [
            (text.encode(f"utf-16-{order}", "surrogatepass"), 2, at) for order, at in (("le", 0), ("be", 1))
        ]
        if plain:
            self._forms.append((directory + b"/", 1, 0))
        self._overlap = max(len(needle) + width * DIGEST_LENGTH for needle, width, _ in self._forms) - 1
        self._names = names
        self._tail = b""
        self.found: dict[bytes, None] = {}

    def block(self, data: bytes) -> None:
        block = self._tail + data
        for needle, width, at in self._forms:
            place = block.find(needle)
            while place >= 0:
                start = place + len(needle)
                name = block[start : start + width * DIGEST_LENGTH]
                if name[at::width] in self._names and not any(name[1 - at :: width] if width > 1 else b""):
                    self.found.setdefault(name[at::width])
                place = block.find(needle, place + 1)
        self._tail = block[-self._overlap :]


def _gzip(data: bytes, read: Read) -> Iterator[bytes]:
    """Yield the content of all members of a gzip file that begins with `data`."""
    while data.startswith(_GZIP):
        data = yield from _inflate(data, read, zlib.MAX_WBITS | 16)
        data = _at_least(len(_GZIP), data, read)


def _zip(data: bytes, read: Read) -> Iterator[bytes]:
    """Yield the content of the members of a zip file that are deflated, in the order of the file."""
    while True:
        data = _at_least(_ZIP_HEADER.size, data, read)
        if len(data) < _ZIP_HEADER.size or not data.startswith(_ZIP):
            return
        flags, method, size, name_size, extra_size = _ZIP_HEADER.unpack_from(data)
        data = _behind(_ZIP_HEADER.size + name_size + extra_size, data, read)
        if method == _DEFLATED and not flags & _ENCRYPTED:
            data = yield from _inflate(data, read, -zlib.MAX_WBITS)
        elif flags & _SIZE_BEHIND:
            return
        else:
            # What is stored as it is has been seen, and nobody can see what is encrypted.
            data = _behind(size, data, read)
        if flags & _SIZE_BEHIND:
            data = _at_least(_ZIP_DESCRIPTORS[-1] + len(_ZIP), data, read)
            ends = [at for at in _ZIP_DESCRIPTORS if data[at : at + len(_ZIP)] in (_ZIP, _ZIP_LIST)]
            data = data[ends[0] :] if ends else b""


def _inflate(data: bytes, read: Read, form: int) -> Generator[bytes, None, bytes]:
    """Yield what a compressed stream holds; return what was read behind it, b"" if it has no end."""
    stream = zlib.decompressobj(form)
    while True:
        before = stream.copy()
        try:
            piece = stream.decompress(data, _PIECE)
        except zlib.error:
            yield _up_to_damage(before, data)
            raise
        yield piece
        if stream.eof:
            return stream.unused_data
        data = stream.unconsumed_tail or read()
        if not data and not piece:
            return b""


def _up_to_damage(stream: zlib._Decompress, data: bytes) -> bytes:
    """Return what comes out of `data`, of which a byte is wrong, before that byte: less than _PIECE."""
    # With the error zlib gives nothing of what it has unpacked by then.
    unpacked = bytearray()
    with contextlib.suppress(zlib.error):
        for at in range(len(data)):
            unpacked += stream.decompress(data[at : at + 1])
    return bytes(unpacked)


def _at_least(size: int, data: bytes, read: Read) -> bytes:
    while len(data) < size:
        more = read()
        if not more:
            break
        data += more
    return data


def _behind(size: int, data: bytes, read: Read) -> bytes:
    while data and len(data) <= size:
        size -= len(data)
        data = read()
    return data[size:]
