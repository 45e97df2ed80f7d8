"""The archive: a directory as one stream of bytes, the same on every machine.

It is a POSIX ustar and pax archive with everything left out that could differ
between two equal trees: no owners, no times, no device numbers, one order of
members. This module makes the bytes that stand between the contents of files;
who walks the tree and reads the files is somebody else.
"""

from __future__ import annotations

from bramble.record import NamedTuple

BLOCK = 512
NAME_FIELD = 100
PREFIX_FIELD = 155
END = bytes(2 * BLOCK)

FILE, DIRECTORY, SYMLINK, EXTENDED = b"0", b"5", b"2", b"x"
SYMLINK_MODE = 0o777
# The octal size field has eleven digits; what is larger goes to the pax record `size`.
LARGEST_OCTAL = 8**11 - 1

_LINK_AT = 157
_PREFIX_AT = 345
_OWNER = b"0000000\0" * 2
_NO_TIME = b"00000000000\0"
_NO_DEVICE = b"0000000\0" * 2
_NO_LINK = bytes(NAME_FIELD)
_MAGIC_AND_NAMES = b"ustar\0" + b"00" + bytes(64)
_NO_PREFIX = bytes(PREFIX_FIELD + 12)
_AFTER_LINK = _MAGIC_AND_NAMES + _NO_DEVICE + _NO_PREFIX
# An extended header leaves its device fields empty, where every other header has zeros.
_AFTER_LINK_EXTENDED = _MAGIC_AND_NAMES + bytes(len(_NO_DEVICE)) + _NO_PREFIX
# The checksum field counts as eight spaces (POSIX.1-2017 pax, ustar interchange format).
_COMMON_SUM = sum(_NO_TIME) + 8 * ord(" ") + sum(_AFTER_LINK)


class Header(NamedTuple):
    """The header of one member, and the offsets of its complete names.

    The bytes of the name from `tail_from` on are at `tail_at`, those before
    at `head_at` (a long name may be split between two fields); the target of a
    symbolic link is at `target_at`. A name that is cut in its field is
    whole in a pax record: then that is the place that counts.
    """

    data: bytes
    target_at: int = _LINK_AT
    tail_from: int = 0
    tail_at: int = 0
    head_at: int = _PREFIX_AT

    def name_at(self, position: int) -> int:
        """Return the offset in `data` at which the byte `position` of the name stands."""
        if position >= self.tail_from:
            return self.tail_at + position - self.tail_from
        return self.head_at + position


def padding(size: int) -> int:
    """Return how many NUL bytes follow a content of `size` bytes, to fill its last block."""
    return -size % BLOCK


def header(name: bytes, kind: bytes, mode: int, size: int = 0, target: bytes = b"") -> Header:
    """Return the header of one member, with a pax extended header before it where one is needed.

    `name` begins with a slash, and ends with one if it is a directory's. `mode`
    is the permission bits. The content and its `padding` follow what is returned.
    """
    # spec: objects.archive.header
    if size <= LARGEST_OCTAL and len(target) <= NAME_FIELD and name.isascii() and target.isascii():
        if len(name) <= NAME_FIELD:
            return Header(_block(name, kind, mode, size, target))
        split = _split_at(name)
        if split:
            data = _block(name[split + 1 :], kind, mode, size, target, name[:split])
            return Header(data, tail_from=split + 1)
    return _with_extended(name, kind, mode, size, target)


def _split_at(name: bytes) -> int:
    """Return the slash at which a long name is split between the prefix and the name field, or 0."""
    # spec: objects.archive.split
    longest = min(len(name) - 1 if name.endswith(b"/") else len(name), PREFIX_FIELD + 1)
    slash = name.rfind(b"/", 0, longest)
    return slash if slash > 0 and 0 < len(name) - slash - 1 <= NAME_FIELD else 0


def _with_extended(name: bytes, kind: bytes, mode: int, size: int, target: bytes) -> Header:
    # spec: objects.archive.extended
    records = b""
    name_at = target_at = 0
    if _needs_record(target):
        record, at = _record(b"linkpath", target)
        target_at = BLOCK + len(records) + at
        records += record
    if _needs_record(name):
        record, at = _record(b"path", name)
        name_at = BLOCK + len(records) + at
        records += record
    if size > LARGEST_OCTAL:
        records += _record(b"size", b"%d" % size)[0]
    directory, _, base = name.rpartition(b"/")
    special = _ascii(directory.rstrip(b"/") + b"/PaxHeaders.0/" + base)[:NAME_FIELD].rstrip(b"/")
    extended = _block(special, EXTENDED, 0, len(records)) + records + bytes(padding(len(records)))
    main = _block(_field(name), kind, mode, size if size <= LARGEST_OCTAL else 0, _field(target))
    return Header(
        extended + main,
        target_at=target_at or len(extended) + _LINK_AT,
        tail_at=name_at or len(extended),
    )


def _needs_record(text: bytes) -> bool:
    return len(text) > NAME_FIELD or not text.isascii()


def _ascii(text: bytes) -> bytes:
    """Return `text` without the bytes that are not ASCII. A NUL is ASCII here."""
    return text if text.isascii() else bytes(byte for byte in text if byte < 0x80)


def _field(text: bytes) -> bytes:
    """Return the part of a name that its header field shows beside a pax record."""
    text = _ascii(text)
    cut = text[:NAME_FIELD]
    if len(text) > NAME_FIELD and cut.endswith(b"/"):
        # A reader that knows no pax records would take a file whose name was cut here for a directory.
        end = len(cut[:-1].rstrip(b"/"))
        return cut[:end] + b"\0" + cut[end + 1 :]
    return cut


def _record(key: bytes, value: bytes) -> tuple[bytes, int]:
    """Return one pax record, whose length counts its own digits, and where the value begins in it."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    record = b"%d %s=%s\n" % (length, key, value)
    return record, len(record) - len(value) - 1


def _block(name: bytes, kind: bytes, mode: int, size: int, target: bytes = b"", prefix: bytes = b"") -> bytes:
    after = _AFTER_LINK
    checksum = _COMMON_SUM + sum(name) + kind[0] + sum(target)
    if kind is EXTENDED:
        after = _AFTER_LINK_EXTENDED
        checksum -= sum(_NO_DEVICE)
    elif prefix:
        after = _MAGIC_AND_NAMES + _NO_DEVICE + prefix.ljust(PREFIX_FIELD + 12, b"\0")
        checksum += sum(prefix)
    numbers = b"%07o\0%s%011o\0" % (mode, _OWNER, size)
    checksum += sum(numbers)
    return b"%s%s%s%06o\0 %s%s%s" % (
        name.ljust(NAME_FIELD, b"\0"),
        numbers,
        _NO_TIME,
        checksum,
        kind,
        target.ljust(NAME_FIELD, b"\0") if target else _NO_LINK,
        after,
    )
