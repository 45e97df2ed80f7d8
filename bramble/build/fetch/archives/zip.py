"""Reading a zip archive by its specification (PKWARE's APPNOTE.TXT), the same with every Python.

The central directory says what is there; each local header has to agree with it, since
programs that believe one and programs that believe the other would see two archives.
"""

from __future__ import annotations

import binascii
import re
import stat
import struct
from collections.abc import Iterator
from typing import IO, Any, Optional

from bramble.build.fetch.archives.confined import shown
from bramble.build.fetch.archives.decoders import decoder
from bramble.build.fetch.archives.tar import TarBroken, TarSpecial, TarUnsupported
from bramble.record import dataclass

_PIECE = 1 << 18
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_CENTRAL = struct.Struct("<4sBBHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_UNIX_HOSTS = (3, 19)  # Unix; macOS
_DOS_HOSTS = (0, 6, 10, 11, 14)  # FAT; HPFS; NTFS, in APPNOTE and in Info-ZIP; VFAT
_DOS_DIRECTORY = 0x10
_DICTIONARY_LIMIT = 1 << 28  # bytes that an LZMA stream may ask for
_EXTRA_ZIP64, _EXTRA_PATH = 0x0001, 0x7075
_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14


@dataclass(frozen=True)
class Entry:
    """One member as the central directory has it."""

    raw: bytes  # its name as in the archive
    name: bytes  # its name, with "/" between directories
    kind: str  # "file", "directory" or "symlink"
    executable: bool
    flags: int
    method: int
    crc: int
    packed: int  # bytes in the archive
    size: int  # bytes of the file
    offset: int  # of its local header, from the beginning of the file
    path: Optional[bytes]  # the Unicode path field


class ZipReader:
    """A zip archive in a file that can be searched. Raises TarBroken, TarUnsupported, TarSpecial, OSError."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        # spec: build.unpack.zip
        self._count, self._start, self._length, self._before = _directory(file, size)
        self._offsets: frozenset[int] = frozenset()  # of local headers

    @property
    def count(self) -> int:
        """How many members it says to have."""
        return self._count

    def entries(self) -> list[Entry]:
        """Return all members in the order of the central directory; they do not overlap."""
        found = []
        at = self._start
        for _ in range(self._count):
            entry, at = self._entry(at)
            found.append(entry)
        if at != self._start + self._length:
            raise TarBroken("its directory does not have the size that it states")
        end = 0
        for entry in sorted(found, key=lambda one: one.offset):
            if entry.offset < end:
                raise TarBroken(f"{shown(entry.name)} overlaps another file")
            end = entry.offset + _LOCAL.size + len(entry.raw) + entry.packed
        if end > self._start:
            raise TarBroken("a file overlaps its directory")
        self._offsets = frozenset(entry.offset for entry in found)
        for at in (0, self._before):
            self._check_listed(at)
        return found

    def _check_listed(self, at: int) -> None:
        """Refuse a member, or another archive before this one, that is seen from the front only."""
        self._file.seek(at)
        if at not in self._offsets and at < self._start and self._file.read(4) == b"PK\3\4":
            raise TarBroken("it holds a file that is not in its directory")

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Yield the bytes of a member in pieces, and check their size and checksum."""
        at = self._local(entry)
        crc, size = 0, 0
        for piece in self._unpacked(entry, at):
            crc, size = binascii.crc32(piece, crc), size + len(piece)
            if size > entry.size:
                break
            yield piece
        if size != entry.size:
            raise TarBroken(f"{shown(entry.name)} does not have the size that it states")
        if crc != entry.crc:
            raise TarBroken(f"the checksum of {shown(entry.name)} is wrong")
        end = at + entry.packed
        self._check_listed(end + self._check_descriptor(entry, end) if entry.flags & 8 else end)

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(size)
        if len(data) != size:
            raise TarBroken("it is cut short")
        return data

    def _entry(self, at: int) -> tuple[Entry, int]:
        fields = _CENTRAL.unpack(self._read(at, _CENTRAL.size))
        if fields[0] != b"PK\1\2":
            raise TarBroken("its directory cannot be read")
        host, flags, method, crc = fields[2], fields[4], fields[5], fields[8]
        packed, size, name_length, extra_length, comment_length = fields[9:14]
        disk, external, offset = fields[14], fields[16], fields[17]
        after = at + _CENTRAL.size
        raw = self._read(after, name_length)
        extras = _extras(self._read(after + name_length, extra_length))
        size, packed, offset, disk = _wide(extras.get(_EXTRA_ZIP64), size, packed, offset, disk)
        if disk:
            raise TarUnsupported("it is one volume of several")
        name = _name(raw, host, flags, extras.get(_EXTRA_PATH))
        kind, executable = _kind(name, host, external)
        if flags & (1 | 1 << 6 | 1 << 13):
            raise TarUnsupported(f"{shown(name)} is encrypted")
        if flags & (1 << 5) or method not in (_STORED, _DEFLATED, _BZIP2, _LZMA):
            raise TarUnsupported(f"{shown(name)} is compressed by the unknown method {method}")
        if kind == "directory" and size:
            raise TarUnsupported(f"{shown(name)} is a directory with content")
        path = extras.get(_EXTRA_PATH)
        at = offset + self._before
        entry = Entry(raw, name, kind, executable, flags, method, crc, packed, size, at, path)
        return entry, after + name_length + extra_length + comment_length

    def _local(self, entry: Entry) -> int:
        """Return where the bytes of a member begin; its local header must agree with the directory."""
        fields = _LOCAL.unpack(self._read(entry.offset, _LOCAL.size))
        mark, _, flags, method, _, _, crc, packed, size, name_length, extra_length = fields
        after = entry.offset + _LOCAL.size
        if mark != b"PK\3\4" or self._read(after, name_length) != entry.raw:
            raise TarBroken(f"{shown(entry.name)} has another name, or no name, in its own header")
        extras = _extras(self._read(after + name_length, extra_length))
        wide = extras.get(_EXTRA_ZIP64)
        path = extras.get(_EXTRA_PATH)
        if path is not None and entry.path is not None and path != entry.path:
            raise TarBroken(f"{shown(entry.name)} has another name in its own header")
        if wide is not None and _FULL32 in (size, packed):
            size, packed, _, _ = _wide(wide, size, packed, 0, 0)
        # With a data descriptor each number may be left out here; libarchive leaves out all but the size.
        open_numbers = (0, _FULL32) if flags & 8 else ()
        pairs = (crc, entry.crc), (packed, entry.packed), (size, entry.size)
        agrees = all(own in (stated, *open_numbers) for own, stated in pairs)
        if method != entry.method or (flags ^ entry.flags) & (1 | 8 | 1 << 11) or not agrees:
            raise TarBroken(f"the two headers of {shown(entry.name)} contradict each other")
        start: int = after + name_length + extra_length
        if start + entry.packed > self._start:
            raise TarBroken(f"{shown(entry.name)} overlaps the directory")
        return start

    def _check_descriptor(self, entry: Entry, at: int) -> int:
        """Return how many bytes the data descriptor of a member has, which must repeat its numbers."""
        found = self._read(at, max(0, min(24, self._start - at)))
        numbers = entry.crc, entry.packed, entry.size
        forms = ("<IQQ",) if max(numbers) > _FULL32 else ("<III", "<IQQ")
        for stated in (struct.pack(form, *numbers) for form in forms):
            for form_of_it in (stated, b"PK\7\x08" + stated):
                if found.startswith(form_of_it):
                    return len(form_of_it)
        raise TarBroken(f"what follows {shown(entry.name)} contradicts the directory")

    def _unpacked(self, entry: Entry, at: int) -> Iterator[bytes]:
        left = entry.packed
        if entry.method == _STORED:
            while left:
                piece = self._read(at, min(left, _PIECE))
                at, left = at + len(piece), left - len(piece)
                yield piece
            return
        if entry.method == _LZMA:
            unpacker, skipped = self._lzma(entry, at)
            at, left = at + skipped, left - skipped
        elif entry.method == _BZIP2:
            unpacker = decoder("bz2").BZ2Decompressor()
        else:
            zlib = decoder("zlib")
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        ended = entry.method == _LZMA and not entry.flags & 2
        made = 0
        while not unpacker.eof and made <= entry.size:
            pending = getattr(unpacker, "unconsumed_tail", b"")
            data = pending
            if not pending and getattr(unpacker, "needs_input", True):
                data = self._read(at, min(left, _PIECE))
                at, left = at + len(data), left - len(data)
            piece = unpacker.decompress(data, _PIECE)
            made += len(piece)
            if piece:
                yield piece
            elif not left and not getattr(unpacker, "unconsumed_tail", b""):
                if ended and made == entry.size:
                    return
                if not unpacker.eof:
                    raise TarBroken(f"{shown(entry.name)} ends too early")
        if made <= entry.size and (left or unpacker.unused_data):
            raise TarBroken(f"something follows the content of {shown(entry.name)}")

    def _lzma(self, entry: Entry, at: int) -> tuple[Any, int]:
        lzma = decoder("lzma")
        head = self._read(at, 9) if entry.packed >= 9 else b"\0" * 9
        _, length, properties, dictionary = struct.unpack("<HHBI", head)
        if length != 5 or properties >= 225 or dictionary > _DICTIONARY_LIMIT:
            raise TarUnsupported(f"{shown(entry.name)} is compressed in an unknown way")
        chain = {
            "id": lzma.FILTER_LZMA1,
            "dict_size": max(dictionary, 4096),
            "lc": properties % 9,
            "lp": properties // 9 % 5,
            "pb": properties // 45,
        }
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain]), 9


def _directory(file: IO[bytes], size: int) -> tuple[int, int, int, int]:
    """Return the number of entries, offset and length of the directory, and the size of what is before it."""
    tail_size = min(size, _END.size + _FULL16)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    ends = [
        found.start()
        for found in re.finditer(b"(?=PK\5\6)", tail)
        if len(tail) - found.start() >= _END.size
        and found.start() + _END.size + _END.unpack_from(tail, found.start())[7] == len(tail)
    ]
    if not ends:
        raise TarBroken("it has no directory at its end")
    if len(ends) > 1:
        raise TarBroken("it has two end records")
    _, disk, other, here, count, length, start, _ = _END.unpack_from(tail, ends[0])
    end = size - tail_size + ends[0]
    file.seek(max(end - _LOCATOR.size, 0))
    locator = file.read(_LOCATOR.size)
    if end >= _LOCATOR.size + _END64.size and locator[:4] == b"PK\6\7":
        # The record is directly before its locator, unless it has extra fields at its end.
        stated = _LOCATOR.unpack(locator)
        for at in (end - _LOCATOR.size - _END64.size, stated[2]):
            file.seek(min(at, size))
            record = file.read(_END64.size)
            if record[:4] == b"PK\6\6" and len(record) == _END64.size:
                break
        else:
            raise TarBroken("its long end record is not where it should be")
        _, _, _, _, disk64, other64, here64, count64, length64, start64 = _END64.unpack(record)
        for short, full, long in (
            *((disk, _FULL16, disk64), (other, _FULL16, other64), (here, _FULL16, here64)),
            *((count, _FULL16, count64), (length, _FULL32, length64), (start, _FULL32, start64)),
        ):
            if short not in (full, long):
                raise TarBroken("its two end records contradict each other")
        disk, other, here, count, length, start = disk64, other64, here64, count64, length64, start64
        end = at
    if disk or other or here != count or (locator[:4] == b"PK\6\7" and _LOCATOR.unpack(locator)[3] > 1):
        raise TarUnsupported("it is one volume of several")
    # There may be something before an archive, such as a program that unpacks it.
    before = end - length - start
    if before < 0 or count * _CENTRAL.size > length:
        raise TarBroken("its directory is not where it should be")
    return count, start + before, length, before


def _extras(data: bytes) -> dict[int, bytes]:
    """Return the extra fields by their number; a relevant one occurs once, or is the same each time."""
    found: dict[int, bytes] = {}
    at = 0
    while len(data) - at >= 4:
        number, length = struct.unpack_from("<HH", data, at)
        if at + 4 + length > len(data):
            raise TarBroken("an extra field of it cannot be read")
        field = data[at + 4 : at + 4 + length]
        if found.setdefault(number, field) != field and number in (_EXTRA_ZIP64, _EXTRA_PATH):
            raise TarBroken("an extra field of it contradicts another")
        at += 4 + length
    return found


def _wide(field: Optional[bytes], *values: int) -> tuple[int, int, int, int]:
    """Return size, packed size, offset and volume, each from the zip64 field where it did not fit."""
    wanted = (("<Q", _FULL32), ("<Q", _FULL32), ("<Q", _FULL32), ("<I", _FULL16))
    found, at = [], 0
    for value, (form, full) in zip(values, wanted):
        if value == full and field is not None:
            width = struct.calcsize(form)
            if at + width > len(field):
                raise TarBroken("a 64-bit number of it is missing")
            value = struct.unpack_from(form, field, at)[0]
            at += width
        found.append(value)
    if any(value >> 63 for value in found):
        raise TarBroken("a number of it is larger than any file")
    return found[0], found[1], found[2], found[3]


def _name(raw: bytes, host: int, flags: int, path: Optional[bytes]) -> bytes:
    """Return the name of a member (APPNOTE 4.4.17, 4.6.9 and appendix D)."""
    # spec: build.unpack.zip-names
    name = raw
    if flags & 1 << 11:
        _check_utf8(raw)
    elif path is not None and path[:1] == b"\1" and path[1:5] == struct.pack("<I", binascii.crc32(raw)):
        name = path[5:]
        _check_utf8(name)
    elif host not in _UNIX_HOSTS and not raw.isascii():
        name = raw.decode("cp437").encode("utf-8")
    if b"\0" in name:
        raise TarUnsupported(f"{shown(name)} has a NUL in its name")
    if host in _DOS_HOSTS:
        name = name.replace(b"\\", b"/")
        if re.match(rb"[A-Za-z]:", name):
            # As absolute as a name that begins with a slash.
            name = b"/" + name
    return name


def _check_utf8(name: bytes) -> None:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        raise TarBroken(f"{shown(name)} is marked as UTF-8, but is not") from None


def _kind(name: bytes, host: int, external: int) -> tuple[str, bool]:
    """Return what a member is, and whether its owner may execute it."""
    mode = external >> 16
    form = stat.S_IFMT(mode)
    dos_directory = host in _DOS_HOSTS and bool(external & _DOS_DIRECTORY)
    if host not in _UNIX_HOSTS:
        # Some programs write Unix modes and call themselves FAT; both halves have to agree.
        agrees = host == 0 and form in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
        if not agrees or (form == stat.S_IFDIR) != (dos_directory or name.endswith(b"/")):
            mode = form = 0
    if form not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise TarSpecial(f"{shown(name)} is neither a file nor a directory nor a link")
    if form == stat.S_IFLNK:
        return "symlink", False
    if name.endswith(b"/") or form == stat.S_IFDIR or dos_directory:
        return "directory", False
    return "file", bool(mode & 0o100)
