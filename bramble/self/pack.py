"""The one file as a function of the source: shell preamble, first Python, archive."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bramble.record import dataclass
from bramble.self.payload import START, archive, read_archive
from bramble.store.digest import digest

_PREAMBLE = "bramble/self/preamble.sh"
_BOOT = "bramble/self/boot.py"
_VERSION = re.compile(rb'^__version__ = "([0-9A-Za-z.+-]{1,40})"$', re.M)
OPENING = b"#!/bin/sh\n{ # Bramble "  # of every version
_HEAD = re.compile(re.escape(OPENING) + rb"(\S{1,40}), source ([a-z2-7]{32})\n")
_CALL = re.compile(rb'\nsys\.exit\(run\("([a-z2-7]{32})", (\d{1,9}), (\d{1,9})\)\)\n')
_PRIME = 2**61 - 1
# The beginning of the file, as one number without the digits of the check number, modulo a prime.
_COLUMNS = 19


@dataclass(frozen=True)
class Packed:
    """What a file says that it is, not checked: version and digest, and the bytes of its archive."""

    version: str
    digest: str
    archive: bytes


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return the one file of a source, path to bytes: the same bytes wherever it is made.

    Raises KeyError for a source that lacks what the file starts with, ValueError where that is too long.
    """
    # spec: self.file
    payload = archive(files)
    named = _VERSION.search(files["bramble/__init__.py"])
    version = named[1] if named else b"0"
    name = digest(payload).encode("ascii")
    boot = files[_BOOT].rstrip() + b'\n\n\nsys.exit(run("%s", %d, %d))\n' % (name, START, len(payload))
    blank = b"@" * _COLUMNS
    preamble = files[_PREAMBLE]
    for key, value in (
        (b"@VERSION@", version),
        (b"@DIGEST@", name),
        (b"@START@", b"%d" % START),
        (b"@SUM@", blank),
    ):
        preamble = preamble.replace(key, value)
    preamble = preamble.replace(b"@BOOT_AT@", b"%9d" % len(preamble))  # as long as it was
    head = (preamble + boot).ljust(START - 1, b"#") + b"\n"
    if len(head) != START:
        raise ValueError(f"what the file starts with takes {len(head)} bytes, and {START} are for it")
    number = int.from_bytes(head.replace(blank, b""), "big") % _PRIME
    return head.replace(blank, b"%*d" % (_COLUMNS, number)) + payload


def read_packed(data: bytes) -> Packed:
    """Return what a file says of itself. Raises ValueError for one that does not begin as `pack` has it."""
    head = _HEAD.match(data)
    call = _CALL.search(data)
    if head is None or call is None or head[2] != call[1]:
        raise ValueError("it does not begin as the one file does")
    start = int(call[2])
    return Packed(head[1].decode("ascii"), head[2].decode("ascii"), data[start:])


def fault_of(data: bytes) -> str:
    """Return what is wrong with the bytes of a one file: "" if `pack` makes them of the source in it."""
    # spec: self.verify
    try:
        found = read_packed(data)
        if digest(found.archive) != found.digest:
            return f"its archive has the digest {digest(found.archive)}, and it says {found.digest}"
        made = pack(read_archive(found.archive))
    except (ValueError, KeyError) as error:
        return str(error)
    return "" if made == data else "what it starts with is not what its source makes"
