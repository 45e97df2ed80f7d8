"""Reading a tar archive that may be cut short, broken or hostile, as a stream.

The blocks are read by `tarfile.TarInfo`; which block follows which, and where
the archive has to end, is decided here, since `tarfile` itself takes a broken
header for the end. Formats: v7, ustar, pax (POSIX.1-2001), GNU long names.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

BLOCK = 512
_EXTENSION_LIMIT = 1 << 20  # bytes of one extended header; real ones have a few hundred

_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_SPECIAL = {tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "a fifo"}
_LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_VOLUME_LABEL = b"V"


class TarBroken(Exception):
    """The archive is damaged or ends early. The message says how."""


class TarUnsupported(Exception):
    """The archive holds something that a store object cannot hold, or of a rare kind."""


class TarSpecial(Exception):
    """The archive holds a device or a fifo."""


@dataclass(frozen=True)
class Member:
    """One entry. Names are as written, with undecodable bytes escaped (PEP 383)."""

    kind: str  # "file", "directory", "symlink" or "hardlink"
    name: str
    target: str  # of a link
    size: int  # bytes that follow, of a file
    executable: bool  # by its owner


class TarStream:
    """The members of a tar archive, in order; of each file the bytes, when they are wanted."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """Read from `read`, which gives at most as many bytes as asked for, and none at the end."""
        self._read = read
        self._left = 0  # bytes of the current file that have not been read
        self._padding = 0  # bytes after them up to the next block

    def members(self) -> Iterator[Member]:
        """Yield every member up to the end mark. Raises TarBroken, TarUnsupported, TarSpecial."""
        # spec: build.unpack.whole
        lasting: dict[str, str] = {}
        coming: dict[str, str] = {}
        while True:
            self._skip_rest()
            block = self._exactly(BLOCK)
            try:
                info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except tarfile.HeaderError as error:
                if not block.strip(b"\0"):
                    return
                raise TarBroken(f"a header cannot be read ({error})") from None
            if info.size < 0:
                raise TarBroken(f'"{info.name}" has a negative size')
            if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                coming.update(_records(self._extension(info)))
            elif info.type == tarfile.XGLTYPE:
                lasting.update(_records(self._extension(info)))
            elif info.type in _LONG_NAMES:
                text = self._extension(info).split(b"\0")[0].decode("utf-8", "surrogateescape")
                coming["path" if info.type == tarfile.GNUTYPE_LONGNAME else "linkpath"] = text
            elif info.type == _VOLUME_LABEL:
                continue
            else:
                yield self._member(info, {**lasting, **coming})
                coming = {}

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the bytes of the current file in pieces of at most `size`."""
        while self._left:
            data = self._read(min(size, self._left))
            if not data:
                raise TarBroken("it ends in the middle of a file")
            self._left -= len(data)
            yield data

    def _member(self, info: tarfile.TarInfo, extended: dict[str, str]) -> Member:
        if any(key.startswith("GNU.sparse.") for key in extended):
            raise TarUnsupported(f'"{info.name}" is stored as a sparse file')
        name = extended.get("path", info.name)
        kind = _kind(info, name)
        size = _number(extended["size"]) if "size" in extended else info.size
        if kind == "file":
            self._left, self._padding = size, -size % BLOCK
        return Member(
            kind=kind,
            name=name,
            target=extended.get("linkpath", info.linkname),
            size=size if kind == "file" else 0,
            executable=bool(info.mode & 0o100),
        )

    def _extension(self, info: tarfile.TarInfo) -> bytes:
        if info.size > _EXTENSION_LIMIT:
            raise TarBroken("an extended header is too large")
        data = self._exactly(info.size)
        self._exactly(-info.size % BLOCK)
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


def _kind(info: tarfile.TarInfo, name: str) -> str:
    if info.type in _FILES:
        # v7 has no type for directories.
        return "directory" if name.endswith("/") else "file"
    if info.type == tarfile.DIRTYPE:
        return "directory"
    if info.type == tarfile.SYMTYPE:
        return "symlink"
    if info.type == tarfile.LNKTYPE:
        return "hardlink"
    if info.type in _SPECIAL:
        raise TarSpecial(f'"{name}" is {_SPECIAL[info.type]}')
    if info.type == tarfile.GNUTYPE_SPARSE:
        raise TarUnsupported(f'"{name}" is stored as a sparse file')
    raise TarUnsupported(f'"{name}" has the unknown type {info.type!r}')


def _records(data: bytes) -> dict[str, str]:
    """Return the records of a pax extended header: `LENGTH KEY=VALUE\\n` each (pax(1))."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at] != 0:
        space = data.find(b" ", at)
        length = _number(data[at:space].decode("ascii", "replace")) if space > at else 0
        record = data[space + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if length <= space - at + 1 or not equals or not value.endswith(b"\n"):
            raise TarBroken("an extended header cannot be read")
        found[key.decode("utf-8", "surrogateescape")] = value[:-1].decode("utf-8", "surrogateescape")
        at += length
    return found


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise TarBroken(f"{text!r} is no number")
    return int(text)
