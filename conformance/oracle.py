"""A second opinion on every digest, written from the specification and nothing else.

Slow and short on purpose: whole contents in memory, no streams, no caches. It
recomputes the archive of a directory, the identity of a store object, the id of
a derivation and the digest of a store derivation, so that no golden value of a
case rests on one program (spec: conformance.oracle).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

STORE_DIRECTORY_LENGTH = 49
# Put together when it runs, so that it stands whole neither in source nor in bytecode.
PREFIX_OF_RECORD = b"/".join((b"", b"home", b"bramble", b"bramble", b"bramble_store_padding", b"bramb"))
NAME_FIELD = 100

DERIVATION_KEYS = (
    "Args",
    "Builder",
    "Dependencies",
    "Env",
    "Name",
    "Network",
    "Outputs",
    "Platform",
    "Sources",
    "Target",
)
STORE_DERIVATION_KEYS = (
    *("Args", "Builder", "Env", "Dependencies", "Name", "Network"),
    *("OutputNames", "Outputs", "Platform", "Source", "Target"),
)


def digest(data: bytes) -> str:
    """Return 32 characters of lower-case base32: the first 20 bytes of SHA-256."""
    return base64.b32encode(hashlib.sha256(data).digest()[:20]).decode().lower()


def store_directory(root: str) -> str:
    """Return the padded store directory below a root: 49 bytes. Raises ValueError for a root over 47."""
    room = STORE_DIRECTORY_LENGTH - len(os.fsencode(root)) - 1
    if room < 1:
        raise ValueError(f"a store root of {len(os.fsencode(root))} bytes is too long")
    padding = ("bramble_store_padding/" * 3)[:room]
    return root + "/" + (padding[:-1] + "b" if padding.endswith("/") else padding)


@dataclass(frozen=True)
class Member:
    """One member of an archive, named from the root: `/a/b`, a directory with a slash at the end."""

    name: bytes
    kind: bytes
    mode: int
    content: bytes = b""
    target: bytes = b""

    def __lt__(self, other: Member) -> bool:
        # Depth first, the names of one directory in the order of their bytes: compare part by part.
        return self.name.strip(b"/").split(b"/") < other.name.strip(b"/").split(b"/")


def members(directory: str, *, canonical: bool) -> list[Member]:
    """Return what is below a directory, in no order; `canonical` makes the modes those of an output."""
    found: list[Member] = []

    def walk(path: bytes, prefix: bytes) -> None:
        for name in os.listdir(path):
            status = os.lstat(path + b"/" + name)
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISDIR(status.st_mode):
                found.append(Member(prefix + name + b"/", b"5", 0o755 if canonical else mode))
                walk(path + b"/" + name, prefix + name + b"/")
            elif stat.S_ISLNK(status.st_mode):
                found.append(Member(prefix + name, b"2", 0o777, target=os.readlink(path + b"/" + name)))
            elif stat.S_ISREG(status.st_mode):
                with open(path + b"/" + name, "rb") as file:
                    content = file.read()
                plain = 0o755 if mode & 0o100 else 0o644
                found.append(Member(prefix + name, b"0", plain if canonical else mode, content))
            else:
                raise ValueError(f"{os.fsdecode(path + b'/' + name)} is not a file, directory or symlink")

    walk(os.fsencode(directory), b"/")
    return found


def archive(entries: Sequence[Member]) -> bytes:
    """Return the archive of these members, which are put in order first."""
    return b"".join(_member(member) for member in sorted(entries)) + bytes(1024)


def archive_digest(directory: str) -> str:
    """Return the digest of the plain archive of a directory as it is."""
    return digest(archive(members(directory, canonical=False)))


def object_name(directory: str, name: str, store: str) -> str:
    """Return the correct name of an object in `store` that refers to itself by `name`."""
    return name_of_members(members(directory, canonical=True), name, store)


def name_of_members(found: Sequence[Member], name: str, store: str) -> str:
    """Return the name of an object with these members; see `object_name`."""

    def replaced(member: Member, itself: bytes) -> Member:
        def replace(text: bytes) -> bytes:
            return text.replace(os.fsencode(store), PREFIX_OF_RECORD).replace(name.encode(), itself)

        # A path of the store has slashes, so that no name can hold one.
        own = member.name.replace(name.encode(), itself)
        return Member(own, member.kind, member.mode, replace(member.content), replace(member.target))

    hashed = sorted((replaced(member, bytes(32)), replaced(member, name.encode())) for member in found)
    stream = b"".join(_member(blank) for blank, _ in hashed) + bytes(1024)
    # The same bytes in the same order with the name still in it: where it stands is where the zeros are.
    # A text that a header field cuts stands whole in a record, and counts there.
    named = b"".join(_member(kept, cut=False) for _, kept in hashed)
    places = [match.start() for match in re.finditer(name.encode(), named)]
    return digest(stream + b"".join(b"|%d" % place for place in places))


def holds(directory: str, name: str) -> bool:
    """Return whether a name stands anywhere in a directory: in names, targets of links, or contents."""
    text = name.encode()
    found = members(os.path.realpath(directory), canonical=True)
    return any(text in member.name or text in member.target or text in member.content for member in found)


def _member(member: Member, *, cut: bool = True) -> bytes:
    """Return a member as in an archive; without what is cut, those fields are empty."""
    data = b""
    prefix, name = b"", _cut(member.name)
    keys = [
        (key, value)
        for key, value in ((b"linkpath", member.target), (b"path", member.name))
        if _is_long(value)
    ]
    split = _split(member.name)
    if split is not None and not _is_long(member.target):
        # A plain ustar header holds a long name in two fields, and needs no record.
        prefix, name = split
    elif keys:
        records = b"".join(_record(key, value) for key, value in keys)
        directory, _, base = member.name.rpartition(b"/")
        special = _ascii(directory + b"/PaxHeaders.0/" + base)[:NAME_FIELD].rstrip(b"/") if cut else b""
        # This header's device numbers are left unset.
        data += _block(special, b"x", 0, len(records), b"", bytes(16), b"") + _padded(records)
    recorded = () if cut else tuple(key for key, _ in keys)
    name = b"" if b"path" in recorded and not prefix else name
    target = b"" if b"linkpath" in recorded else _cut(member.target)
    size = len(member.content)
    data += _block(name, member.kind, member.mode, size, target, b"0000000\0" * 2, prefix)
    return data + _padded(member.content)


def _is_long(text: bytes) -> bool:
    return len(text) > NAME_FIELD or not text.isascii()


def _split(name: bytes) -> Optional[tuple[bytes, bytes]]:
    """Return a long ASCII name as prefix and rest, cut at the last slash at which both fit."""
    if len(name) <= NAME_FIELD or not name.isascii():
        return None
    window = name[:156] if len(name) > 156 else name.rstrip(b"/") if name.endswith(b"/") else name
    slash = window.rfind(b"/")
    rest = name[slash + 1 :]
    return (name[:slash], rest) if 0 < slash <= 155 and 0 < len(rest) <= NAME_FIELD else None


def _record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    while len(b"%d %s=%s\n" % (length, key, value)) != length:
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


def _ascii(text: bytes) -> bytes:
    return bytes(byte for byte in text if byte < 128)


def _cut(text: bytes) -> bytes:
    text = _ascii(text)
    if len(text) <= NAME_FIELD or text[NAME_FIELD - 1 : NAME_FIELD] != b"/":
        return text[:NAME_FIELD]
    # A cut name must not look like a directory's: the first of its trailing slashes becomes NUL.
    kept = len(text[:NAME_FIELD].rstrip(b"/"))
    return text[:kept] + b"\0" + text[kept + 1 : NAME_FIELD]


def _block(
    name: bytes, kind: bytes, mode: int, size: int, target: bytes, devices: bytes, prefix: bytes
) -> bytes:
    before = (
        name.ljust(100, b"\0") + b"%07o\0" % mode + b"0000000\0" * 2 + b"%011o\0" % size + b"0" * 11 + b"\0"
    )
    after = kind + target.ljust(100, b"\0") + b"ustar\x0000" + bytes(64) + devices + prefix
    block = (before + b" " * 8 + after).ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def go_json(value: Any) -> str:
    """Return a value as Go's encoder writes it: no blanks, five characters escaped that need not be."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Python and Go agree on all escapes but these; Go knows no short form for U+0008 and U+000C.
    text = re.sub(
        r"\\(?:u....|.)", lambda m: {r"\b": r"\u0008", r"\f": r"\u000c"}.get(m.group(), m.group()), text
    )
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def derivation_id(document: Mapping[str, Any]) -> str:
    """Return the id of a derivation, from its canonical object. Raises ValueError for other keys."""
    return digest(derivation_text(document).encode())


def derivation_text(document: Mapping[str, Any]) -> str:
    """Return the canonical text of a derivation, of which its id is the digest."""
    return _canonical(document, DERIVATION_KEYS, {"Network", "Target"})


def store_derivation_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a store derivation as it must be written. Raises ValueError for keys that are none of its."""
    inputs = {
        (one["Output"], one["OutputName"], one["Filename"]): one for one in document["Dependencies"] or ()
    }
    listed = [
        {"Filename": file, "OutputName": name, "Output": output} for output, name, file in sorted(inputs)
    ]
    ordered = {**document, "Dependencies": listed or None}
    return _canonical(ordered, STORE_DERIVATION_KEYS, {"Network", "Target"}).encode()


def store_derivation_digest(document: Mapping[str, Any]) -> str:
    """Return the digest of a store derivation: without its outputs, and without the history of its inputs."""
    known = [{**one, "Filename": ""} if one["Output"] else one for one in document["Dependencies"] or ()]
    return digest(store_derivation_bytes({**document, "Outputs": None, "Dependencies": known}))


def _canonical(document: Mapping[str, Any], keys: Sequence[str], optional: set[str]) -> str:
    if set(document) - set(keys) or set(keys) - set(document) - optional:
        raise ValueError(f"its keys are {', '.join(sorted(document))}; they should be {', '.join(keys)}")
    ordered = {key: document[key] for key in keys if key in document}
    if ordered["Env"]:
        ordered["Env"] = dict(
            sorted(ordered["Env"].items(), key=lambda item: item[0].encode("utf-8", "surrogateescape"))
        )
    return go_json(ordered)
