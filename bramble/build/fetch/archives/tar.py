"""Reading a tar archive that may be cut short, broken or hostile, as a stream.

Every header is read here, field by field, since `tarfile` guesses: it takes a broken
header for the end, and GNU's times for a part of the name. Formats: v7, ustar and
pax (POSIX.1-2001), GNU (long names, large numbers), star.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Callable, Optional

from bramble.build.fetch.archives.confined import shown
from bramble.record import dataclass

BLOCK = 512
_EXTENSION_LIMIT = 1 << 20  # bytes of one extended header; real ones have a few hundred
_NUMBER_LIMIT = 18  # digits of a decimal number: less than 2**63 whatever they are

_SPECIAL = {b"3": "a device", b"4": "a device", b"6": "a fifo"}
_UNSUPPORTED = {
    b"S": "is stored as a sparse file",
    b"M": "is the rest of a file in another volume",
    b"N": "is a list of old long names",
}
# The records of extended headers that count; times and owners do not.
_KEYS = (b"path", b"linkpath", b"size", b"hdrcharset")
# Records by which programs say that what follows is not simply the file: GNU, Solaris, star.
_PARTS = (
    (b"GNU.sparse.", "is stored as a sparse file"),
    (b"SUN.holesdata", "is stored as a sparse file"),
    (b"SCHILY.realsize", "is stored as a sparse file"),
    (b"GNU.volume.", "is a part of a file in several volumes"),
    (b"SCHILY.offset", "is a part of a file in several volumes"),
)
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")


class TarBroken(Exception):
    """The archive is damaged or ends early. The message says how."""


class TarUnsupported(Exception):
    """The archive holds something that a store object cannot hold, or of a rare kind."""


class TarSpecial(Exception):
    """The archive holds a device or a fifo."""


@dataclass(frozen=True)
class Member:
    """One entry. Names are the bytes as written."""

    kind: str  # "file", "directory", "symlink" or "hardlink"
    name: bytes
    target: bytes  # of a link
    size: int  # bytes that follow, of a file
    executable: bool  # by its owner


@dataclass(frozen=True)
class _Header:
    name: bytes
    mode: int
    size: int
    type: bytes
    target: bytes


class TarStream:
    """The members of a tar archive, in order; of each file the bytes, when they are wanted."""

    def __init__(
        self, read: Callable[[int], bytes], aside: Callable[[int], None] = lambda size: None
    ) -> None:
        """Read from `read`, which gives at most as many bytes as asked for, and none at the end.

        `aside` is called for each header that is not a member, with the number of bytes after it; it may
        raise.
        """
        self._read = read
        self._aside = aside
        self._left = 0  # bytes of the current member that have not been read
        self._padding = 0  # bytes after them up to the next block

    def members(self) -> Iterator[Member]:
        """Yield every member up to the end mark. Raises TarBroken, TarUnsupported, TarSpecial."""
        # spec: build.unpack.tar, build.unpack.whole
        lasting: dict[bytes, bytes] = {}
        coming: dict[bytes, bytes] = {}
        extended = False  # whether a pax header for the next member has been read
        while True:
            self._skip_rest()
            header = _header(self._exactly(BLOCK))
            if header is None:
                if coming or extended:
                    raise TarBroken("its last extended header belongs to no member")
                return
            if header.type in (b"x", b"X"):
                if extended:
                    # Other programs forget the first one.
                    raise TarBroken("two extended headers of it belong to the same member")
                extended = True
                _add(coming, _records(self._extension(header)))
            elif header.type == b"g":
                lasting.update(_records(self._extension(header)))
            elif header.type in (b"L", b"K"):
                text, _, rest = self._extension(header).partition(b"\0")
                if not text or rest.strip(b"\0"):
                    raise TarBroken("a long name of it cannot be read")
                _add(coming, {b"path" if header.type == b"L" else b"linkpath": text})
            elif header.type == b"V":
                self._aside(header.size)
                self._follow(header.size)
            else:
                yield self._member(header, {**lasting, **coming})
                coming, extended = {}, False

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the current file in pieces of at most `size`."""
        while self._left:
            data = self._read(min(size, self._left))
            if not data:
                raise TarBroken("it ends in the middle of a file")
            self._left -= len(data)
            yield data

    def _member(self, header: _Header, extended: dict[bytes, bytes]) -> Member:
        name = extended.get(b"path", header.name)
        what = shown(name)
        charset = extended.get(b"hdrcharset", b"")
        if charset not in (b"", b"BINARY", b"ISO-IR 10646 2000 UTF-8", b"ISO-IR 10646 2000 UTF8"):
            raise TarUnsupported(f"{what} has a name in the unknown character set {shown(charset)}")
        for part, why in _PARTS:
            if part in extended:
                raise TarUnsupported(f"{what} {why}")
        kind = _kind(header.type, name, what)
        size = _decimal(extended[b"size"], f"the size of {what}") if b"size" in extended else header.size
        if kind == "file" or header.type == b"D":
            self._follow(size)
        elif kind in ("hardlink", "symlink") and size:
            # Some programs pass over so many bytes, and some do not.
            raise TarUnsupported(f"{what} is a link with content")
        target = extended.get(b"linkpath", header.target)
        if kind in ("symlink", "hardlink") and (not target or b"\0" in target):
            raise TarUnsupported(f"the link {what} has a target that is not valid")
        return Member(
            kind=kind,
            name=name,
            target=target,
            size=size if kind == "file" else 0,
            executable=bool(header.mode & 0o100),
        )

    def _follow(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _extension(self, header: _Header) -> bytes:
        if header.size > _EXTENSION_LIMIT:
            raise TarBroken("an extended header is too large")
        self._aside(header.size)
        data = self._exactly(header.size)
        self._exactly(-header.size % BLOCK)
        return data

    def _skip_rest(self) -> None:
        for _ in self.blocks(1 << 16):
            pass
        self._exactly(self._padding)
        self._padding = 0

    def _exactly(self, size: int) -> bytes:
        data = self._read(size) if size else b""
        while len(data) < size:
            more = self._read(size - len(data))
            if not more:
                raise TarBroken("it ends before its end mark")
            data += more
        return data


def _header(block: bytes) -> Optional[_Header]:
    """Return what a block of 512 bytes says; None for the end mark. Raises TarBroken, TarUnsupported."""
    if not block.strip(b"\0"):
        return None
    if not _checksum_is_right(block):
        raise TarBroken("a header cannot be read (its checksum is wrong)")
    name = _text(block[:100])
    magic = block[257:265]
    if magic[:6] == b"ustar\0":
        prefix = _text(block[345:476] if _is_star(block) else block[345:500])
        name = prefix + b"/" + name if prefix else name
    elif magic != b"ustar  \0" and magic.strip(b"\0"):
        # GNU keeps times in the place of the prefix, and v7 has none.
        raise TarUnsupported(f"{shown(name)} has a header of an unknown format")
    return _Header(
        name=name,
        mode=_number(block[100:108], "a mode"),
        size=_number(block[124:136], f"the size of {shown(name)}"),
        type=block[156:157],
        target=_text(block[157:257]),
    )


def _is_star(block: bytes) -> bool:
    """Return whether the last part of the prefix has times, as star writes them."""
    if block[508:512] == b"tar\0":
        return True
    times = block[476:488], block[488:500]
    return block[475:476] == b"\0" and all(re.fullmatch(rb"[0-7]{11} ", time) for time in times)


def _checksum_is_right(block: bytes) -> bool:
    stated = _OCTAL.fullmatch(block[148:156].lstrip(b"\0"))
    if stated is None or not stated.group(1):
        return False
    rest = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(rest)
    # Some old programs added signed bytes.
    signed = unsigned - 256 * sum(byte > 127 for byte in rest)
    return int(stated.group(1), 8) in (unsigned, signed)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes, what: str) -> int:
    """Return a number in octal digits or in base 256. It fits into 63 bits."""
    if field[0] == 0xFF:
        raise TarBroken(f"{what} is negative")
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if value >> 63:
            raise TarBroken(f"{what} is larger than any file")
        return value
    found = _OCTAL.fullmatch(field.lstrip(b"\0") if not field.strip(b" \0") else field)
    if found is None:
        raise TarBroken(f"{what} is not a number")
    return int(found.group(1) or b"0", 8)


def _kind(kind: bytes, name: bytes, what: str) -> str:
    if kind in (b"0", b"\0", b"7"):
        # v7 has no type for directories.
        return "directory" if name.endswith(b"/") else "file"
    if kind in (b"5", b"D"):
        return "directory"
    if kind == b"2":
        return "symlink"
    if kind == b"1":
        return "hardlink"
    if kind in _SPECIAL:
        raise TarSpecial(f"{what} is {_SPECIAL[kind]}")
    raise TarUnsupported(f"{what} {_UNSUPPORTED.get(kind, f'has the unknown type {kind!r}')}")


def _records(data: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax extended header: `LENGTH KEY=VALUE\\n` each (pax(1))."""
    found: dict[bytes, bytes] = {}
    at = 0
    data = data.rstrip(b"\0")
    while at < len(data):
        space = data.find(b" ", at, at + _NUMBER_LIMIT + 2)
        length = _decimal(data[at:space], "the length of a record") if space > at else 0
        record = data[space + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if length <= space - at + 1 or not equals or not value.endswith(b"\n") or at + length > len(data):
            raise TarBroken("an extended header cannot be read")
        # What is kept is bounded by its keys: global records of other keys could fill the memory.
        kept = key if key in _KEYS else next((part for part, _ in _PARTS if key.startswith(part)), None)
        if kept is not None:
            found[kept] = value[:-1]
        at += length
    return found


def _add(coming: dict[bytes, bytes], more: dict[bytes, bytes]) -> None:
    """Add what another header says of the next member. Raises TarBroken for what it says otherwise."""
    if any(coming.get(key, value) != value for key, value in more.items()):
        raise TarBroken("two headers of it give different names to the same member")
    coming.update(more)


def _decimal(text: bytes, what: str) -> int:
    if not re.fullmatch(rb"[0-9]{1,%d}" % _NUMBER_LIMIT, text):
        raise TarBroken(f"{what} is not a valid number")
    return int(text)
