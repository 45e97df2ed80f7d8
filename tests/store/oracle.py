"""The names of objects, worked out the simplest way: whole trees in memory, no blocks, nothing clever.

Written from spec/06-objects.md. A tree is a dict of names to nodes: bytes is a
file, `Exec` an executable one, `Link` a symbolic link, a dict a directory.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any, NamedTuple

PREFIX = b"/".join([b"", b"home", b"bramble", b"bramble", b"bramble_store_padding", b"bramb"])


class Exec(NamedTuple):
    data: bytes


class Link(NamedTuple):
    target: bytes


# Of bytes, Exec, Link, and trees again.
Tree = dict[bytes, Any]


def plain(text: bytes) -> bytes:
    return bytes(byte for byte in text if byte < 128)


def digest_of(stream: bytes) -> str:
    return base64.b32encode(hashlib.sha256(stream).digest()[:20]).decode().lower()


def block(name: bytes, mode: int, size: int, kind: bytes, target: bytes, prefix: bytes = b"") -> bytes:
    device = bytes(16) if kind == b"x" else b"0000000\0" * 2
    numbers = b"%07o\0" % mode + b"0000000\0" * 2 + b"%011o\0" % size + b"0" * 11 + b"\0"
    before = name.ljust(100, b"\0") + numbers
    after = kind + target.ljust(100, b"\0") + b"ustar\x0000" + bytes(64) + device + prefix.ljust(167, b"\0")
    checksum = sum(before) + sum(after) + 8 * 32
    return before + b"%06o\0 " % checksum + after


def header(
    name: bytes, mode: int, size: int, kind: bytes, target: bytes = b""
) -> tuple[bytes, dict[str, int]]:
    """Return the header, and where the name (from which byte on) and the target stand in it."""
    ascii_only = all(byte < 128 for byte in name + target)
    if ascii_only and len(target) <= 100 and size < 8**11:
        if len(name) <= 100:
            return block(name, mode, size, kind, target), {"name": 0, "target": 157}
        for slash in range(min(155, len(name) - 2), 0, -1):
            if name[slash : slash + 1] == b"/":
                if len(name) - slash - 1 <= 100:
                    data = block(name[slash + 1 :], mode, size, kind, target, name[:slash])
                    return data, {"name": -slash - 1, "prefix": 345, "target": 157, "split": slash + 1}
                break
    places = {}
    records = b""
    for key, value, wanted in (
        (b"linkpath", target, len(target) > 100 or any(byte > 127 for byte in target)),
        (b"path", name, len(name) > 100 or any(byte > 127 for byte in name)),
        (b"size", b"%d" % size, size >= 8**11),
    ):
        if wanted:
            length = next(n for n in range(10**6) if len(b"%d %s=%s\n" % (n, key, value)) == n)
            record = b"%d %s=%s\n" % (length, key, value)
            places[key] = 512 + len(records) + record.index(b"=") + 1
            records += record
    folder, base = name.rsplit(b"/", 1)
    special = plain(folder + b"/PaxHeaders.0/" + base)[:100].rstrip(b"/")
    extended = block(special, 0, len(records), b"x", b"") + records + bytes(-len(records) % 512)
    fields = []
    for text in (plain(name), plain(target)):
        field = bytearray(text[:100])
        if len(text) > 100 and field[99:] == b"/":
            field[max((at + 1 for at in range(99) if field[at : at + 1] != b"/"), default=0)] = 0
        fields.append(bytes(field))
    main = block(fields[0], mode, size if size < 8**11 else 0, kind, fields[1])
    return extended + main, {
        "name": places.get(b"path", len(extended)),
        "target": places.get(b"linkpath", len(extended) + 157),
    }


class Oracle:
    """Identity as the chapter words it."""

    def __init__(
        self,
        directory: bytes = PREFIX,
        own: bytes = b"",
        build_name: bytes = b"",
        finals: dict[bytes, bytes] | None = None,
    ) -> None:
        self.own = own
        needles: dict[bytes, bytes] = dict(finals or {})
        if own:
            needles[own] = bytes(32)
        self.name_needles = dict(needles)
        if build_name:
            needles[directory + b"/" + build_name] = PREFIX + b"/" + b"x" * 32
        if directory != PREFIX:
            needles[directory] = PREFIX
        self.needles = needles

    def replace(self, text: bytes, needles: dict[bytes, bytes]) -> tuple[bytes, list[int]]:
        if not needles:
            return text, []
        longest = sorted(needles, key=len, reverse=True)
        places: list[int] = []

        def one(match: re.Match[bytes]) -> bytes:
            if match[0] == self.own:
                places.append(match.start())
            return needles[match[0]]

        return re.sub(b"|".join(map(re.escape, longest)), one, text), places

    def stream(self, tree: Tree) -> bytes:
        self.out = bytearray()
        self.places: list[int] = []
        self.walk(tree, b"", [])
        self.out += bytes(1024)
        return bytes(self.out) + b"".join(b"|%d" % place for place in sorted(self.places))

    def walk(self, tree: Tree, above: bytes, above_places: list[int]) -> None:
        for base in sorted(tree, key=lambda name: self.replace(name, self.name_needles)[0]):
            node = tree[base]
            hashed, places = self.replace(base, self.name_needles)
            name = above + b"/" + hashed
            places = above_places + [len(above) + 1 + place for place in places]
            data, target, mode, kind = b"", b"", 0o644, b"0"
            if isinstance(node, Link):
                kind, mode, target = b"2", 0o777, node.target
            elif isinstance(node, dict):
                kind, mode = b"5", 0o755
            elif isinstance(node, Exec):
                mode, data = 0o755, node.data
            else:
                data = node
            target, target_places = self.replace(target, self.needles)
            head, at = header(name + (b"/" if kind == b"5" else b""), mode, len(data), kind, target)
            start = len(self.out)
            for place in places:
                in_prefix = "split" in at and place < at["split"]
                self.places.append(start + place + (at["prefix"] if in_prefix else at["name"]))
            self.places += [start + at["target"] + place for place in target_places]
            self.out += head
            if kind == b"0":
                content, content_places = self.replace(data, self.needles)
                self.places += [len(self.out) + place for place in content_places]
                self.out += content + bytes(-len(content) % 512)
            if isinstance(node, dict):
                self.walk(node, name, places)

    def name(self, tree: Tree) -> str:
        return digest_of(self.stream(tree))
