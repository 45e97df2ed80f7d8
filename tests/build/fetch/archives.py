"""Archives for tests, made member by member, so that they can also be wrong."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from typing import Optional, Union

from bramble.build.fetch.archives.tar import BLOCK

Entry = tuple[str, str, Union[bytes, str], int]  # kind, name, contents or target, mode

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "fifo": tarfile.FIFOTYPE,
}


def file(name: str, contents: bytes = b"", mode: int = 0o644) -> Entry:
    return ("file", name, contents, mode)


def directory(name: str, mode: int = 0o755) -> Entry:
    return ("directory", name, b"", mode)


def symlink(name: str, target: str) -> Entry:
    return ("symlink", name, target, 0o777)


def hardlink(name: str, target: str) -> Entry:
    return ("hardlink", name, target, 0o644)


def tar(entries: Sequence[Entry], compression: str = "", form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}", format=form) as archive:  # type: ignore[call-overload]
        for kind, name, body, mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = _TYPES[kind], mode
            data: Optional[io.BytesIO] = None
            if isinstance(body, str):
                info.linkname = body
            else:
                info.size, data = len(body), io.BytesIO(body)
            archive.addfile(info, data)
    return out.getvalue()


def zipped(entries: Sequence[Entry]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind, name, body, mode in entries:
            info = zipfile.ZipInfo(name + ("/" if kind == "directory" and not name.endswith("/") else ""))
            info.create_system = 3
            form = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK}
            info.external_attr = (form.get(kind, stat.S_IFIFO) | mode) << 16
            archive.writestr(info, body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


END = bytes(2 * BLOCK)


def header(
    name: bytes = b"f",
    kind: bytes = b"0",
    *,
    size: bytes = b"00000000000\0",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    rest: bytes = b"",
    mode: bytes = b"0000644\0",
    checksum: Optional[bytes] = None,
) -> bytes:
    """One header; `rest` is what stands from byte 345 on."""
    block = bytearray(BLOCK)
    for at, field in (
        (0, name),
        (100, mode),
        (124, size),
        (156, kind),
        (157, link),
        (257, magic),
        (345, rest),
    ):
        block[at : at + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block) if checksum is None else checksum
    return bytes(block)


def octal(number: int) -> bytes:
    return b"%011o\0" % number


def body(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    data = b""
    for key, value in records:
        text = b" " + key + b"=" + value + b"\n"
        length = len(text) + 1
        while len(b"%d" % length) + len(text) != length:
            length += 1
        data += b"%d" % length + text
    return header(b"PaxHeaders.0/x", kind, size=octal(len(data))) + body(data)


def long(text: bytes, kind: bytes = b"L") -> bytes:
    return header(b"././@LongLink", kind, size=octal(len(text)), magic=b"ustar  \0") + body(text)


def extra(number: int, data: bytes) -> bytes:
    return struct.pack("<HH", number, len(data)) + data


def unicode_path(name: bytes, real: bytes, version: int = 1) -> bytes:
    return extra(0x7075, struct.pack("<BI", version, zlib.crc32(name)) + real)
