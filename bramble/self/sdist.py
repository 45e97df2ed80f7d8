"""The source distribution: the repository as a compressed archive. A function from files to bytes.

Both layers are written here and not by `tarfile` and `gzip`: what these write has changed from one
Python to the next (device numbers of files, the operating system in gzip's header), and how zlib
cuts a stream into blocks is zlib's own affair. Nothing is compressed, so there is no choice left.

Sources: the source distribution format (PEP 517, PEP 625), POSIX.1-2017 pax (ustar and extended
headers), RFC 1952 (gzip), RFC 1951 (stored blocks).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

from bramble.record import dataclass
from bramble.self.metadata import Metadata, core_metadata, read_metadata

_BLOCK = 512
_SHORT_NAME = 100  # bytes of a name in a ustar header
_LARGEST_STORED = 0xFFFF
# gzip: magic, deflate, no flags, no time, no compression level, unknown operating system.
_GZIP_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF))
_FILE, _DIRECTORY, _EXTENDED = b"0", b"5", b"x"


@dataclass(frozen=True)
class SourceFile:
    """A file of the repository: its bytes, and whether its owner may execute it."""

    data: bytes
    executable: bool = False


def sdist_name(metadata: Metadata) -> str:
    """Return the file name of the source distribution."""
    return f"{metadata.stem}.tar.gz"


def sdist(repository: Mapping[str, SourceFile]) -> bytes:
    """Return the source distribution of `repository`, path → file. The same files give the same bytes.

    Raises BrambleError as `read_metadata` does.
    """
    # spec: self.sdist.bytes
    metadata = read_metadata({path: file.data for path, file in repository.items()})
    files = {**repository, "PKG-INFO": SourceFile(core_metadata(metadata))}
    return _gzip(b"".join(_archive({f"{metadata.stem}/{path}": file for path, file in files.items()})))


def _archive(files: Mapping[str, SourceFile]) -> Iterator[bytes]:
    """Yield the archive: directories before what is in them, sorted as bytes, and two zero blocks."""
    directories = {f"{path[:end]}/" for path in files for end, char in enumerate(path) if char == "/"}
    for path in sorted({*files, *directories}, key=str.encode):
        if path in directories:
            yield from _member(path, 0o755, _DIRECTORY, b"")
        else:
            yield from _member(path, 0o755 if files[path].executable else 0o644, _FILE, files[path].data)
    yield bytes(2 * _BLOCK)


def _member(path: str, mode: int, kind: bytes, data: bytes) -> Iterator[bytes]:
    name = path.encode("utf-8")
    if len(name) > _SHORT_NAME or not path.isascii():
        record = _record(b"path", name)
        yield _header(b"PaxHeaders/long", 0o644, len(record), _EXTENDED)
        yield _padded(record)
        name = path.encode("ascii", "replace")[:_SHORT_NAME]
    yield _header(name, mode, len(data), kind)
    yield _padded(data)


def _header(name: bytes, mode: int, size: int, kind: bytes) -> bytes:
    """Return a ustar header: user, group and time are 0 and have no names."""
    fields = (b"%07o\0" % mode, b"%07o\0" % 0, b"%07o\0" % 0, b"%011o\0" % size, b"%011o\0" % 0)
    start = name.ljust(_SHORT_NAME, b"\0") + b"".join(fields)
    end = (kind + bytes(100) + b"ustar\0" + b"00" + bytes(64) + b"%07o\0" % 0 + b"%07o\0" % 0).ljust(
        356, b"\0"
    )
    return start + b"%06o\0 " % sum(start + b" " * 8 + end) + end


def _record(key: bytes, value: bytes) -> bytes:
    """Return a record of an extended header: its length, which counts its own digits, and `key=value`."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _gzip(data: bytes) -> bytes:
    """Return `data` as a gzip file of stored blocks, each as large as can be."""
    blocks = []
    for start in range(0, max(len(data), 1), _LARGEST_STORED):
        block = data[start : start + _LARGEST_STORED]
        last = start + _LARGEST_STORED >= len(data)
        blocks.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    return _GZIP_HEADER + b"".join(blocks) + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
