"""Archives of random trees, by our own generator and by other programs: sound ones, and odd ones."""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import subprocess
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, replace
from typing import Callable, Optional

from tests.build.fetch.archives import END, body, extra, header, long, octal, pax, unicode_path
from tests.stress.spoiling import noise


@dataclass(frozen=True)
class Node:
    """What stands at a path."""

    kind: str  # "file", "directory", "symlink"; of what was unpacked also "special"
    data: bytes = b""  # the contents, or the target of a link
    executable: bool = False


Tree = dict[bytes, Node]


@dataclass(frozen=True)
class Made:
    """An archive, what made it, and which tree it has to give; None where that is for others to say."""

    label: str
    kind: str  # "tar" or "zip"
    data: bytes
    truth: Optional[Tree] = None


_NAMES: tuple[bytes, ...] = (
    b"a", b"b", b"x.c", b"with space", b"-dash", b"~tilde", b"C:x", b"a\\b", b"new\nline", b"*?", b"x. ",
    b".hidden", b"...", b"'quote\"", b"\x01", b"\x7f", b"%20", b"PaxHeaders.0", b"caf\xe9", b"\xff\xfe",
    "\u00fc".encode(), "u\u0308".encode(), "\u65e5\u672c".encode(), "\U0001f600".encode(),
    b"n" * 99, b"m" * 100, b"o" * 101, b"p" * 150, b"q" * 255, "\u00e9".encode() * 60,
)  # fmt: skip
_PLAIN = tuple(name for name in _NAMES if name.isalnum())
_SIZES = (0, 0, 1, 5, 511, 512, 513, 3000, 70000)
_TARGETS = (b"a", b"../..", b"/etc/passwd", b"b/c/d", b"t" * 100, b"t" * 101, b"u" * 300, b"\xc3\xbc", b".")


def random_tree(dice: random.Random, *, plain: bool = False) -> Tree:
    """Return one to a dozen entries, and the directories above them; `plain` ones have plain names.

    Of plain names all programs make the same, so that whatever differs is the archive's doing.
    """
    tree: Tree = {}
    pool = _PLAIN if plain else _NAMES
    names = [name for name in pool if dice.random() < 0.4] or [b"a"]
    for _ in range(dice.randint(1, 12)):
        above = [b"", *(path + b"/" for path, node in tree.items() if node.kind == "directory")]
        path = dice.choice(above) + dice.choice(names)
        if path in tree or len(path) > 900:
            continue
        kind = dice.choice(("file", "file", "file", "directory", "symlink"))
        if kind == "symlink":
            tree[path] = Node(kind, dice.choice(_TARGETS))
        elif kind == "directory":
            tree[path] = Node(kind)
        else:
            tree[path] = Node(kind, noise(dice, dice.choice(_SIZES)), dice.random() < 0.3)
    return tree


def put_on_disk(tree: Tree, top: str) -> None:
    """Make the tree below the directory `top`."""
    for path, node in tree.items():
        full = os.path.join(os.fsencode(top), path)
        if node.kind == "directory":
            os.mkdir(full)
        elif node.kind == "symlink":
            os.symlink(node.data, full)
        else:
            with open(full, "wb") as file:
                file.write(node.data)
            os.chmod(full, 0o755 if node.executable else 0o644)


# --- tar, by ourselves

FORMS = ("v7", "ustar", "star", "gnu", "pax")


def own_tar(tree: Tree, dice: random.Random) -> Made:
    """Write a tar archive of what one format can hold of the tree."""
    form = dice.choice(FORMS)
    dots = dice.random() < 0.2
    out = [b""]
    if form == "pax" and dice.random() < 0.2:
        out.append(pax((b"comment", b"global"), kind=b"g"))
    if form == "gnu" and dice.random() < 0.1:
        out.append(header(b"volume", b"V", magic=b"ustar  \0"))
    held: Tree = {}
    for path, node in tree.items():
        if path.rpartition(b"/")[0] not in {b"", *held}:
            continue
        member = _member(form, (b"./" if dots else b"") + path, node, held, dots, dice)
        if member is not None:
            out.append(member)
            held[path] = node
    if not held:
        held[b"a"] = Node("file")
        out.append(header(b"a"))
    end = END + bytes(512 * dice.choice((0, 0, 1, 16)))
    return Made(f"own {form}", "tar", b"".join(out) + end, held)


def _member(
    form: str, name: bytes, node: Node, held: Tree, dots: bool, dice: random.Random
) -> Optional[bytes]:
    kind = {"file": dice.choice((b"0", b"0", b"\0", b"7")), "directory": b"5", "symlink": b"2"}[node.kind]
    data = node.data if node.kind == "file" else b""
    link = node.data if node.kind == "symlink" else b""
    same = [path for path, other in held.items() if other == node and node.kind == "file"]
    if same and dice.random() < 0.9:
        kind, data, link = b"1", b"", (b"./" if dots else b"") + dice.choice(same)
    if node.kind == "directory" and (form == "v7" or dice.random() < 0.8):
        name += b"/"
    if form == "v7":
        kind = dice.choice((b"0", b"\0")) if kind in (b"5", b"7") else kind
    before, fields = _long_name(form, name, link, dice)
    if before is None:
        return None
    size = octal(len(data))
    spelling = dice.randrange(4)
    if spelling == 1:
        size = b"%11o " % len(data)
    elif spelling == 2 and form in ("gnu", "star"):
        size = b"\x80" + len(data).to_bytes(11, "big")
    elif spelling == 3 and form == "pax" and not before:
        before += pax((b"size", b"%d" % len(data)), (b"mtime", b"1.5"), (b"SCHILY.dev", b"3"))
        size = octal(0)
    mode = (b"%07o\0" if dice.random() < 0.7 else b"%6o \0") % (0o4755 if node.executable else 0o640)
    return before + header(kind=kind, size=size, mode=mode, **fields) + body(data)


def _long_name(
    form: str, name: bytes, link: bytes, dice: random.Random
) -> tuple[Optional[bytes], dict[str, bytes]]:
    """Return what stands before a header, and its fields that hold the name; None if it does not fit."""
    magic = {"v7": b"", "gnu": b"ustar  \0"}.get(form, b"ustar\x0000")
    tail = b"\0" * 163 + b"tar\0" if form == "star" else b""
    fields = {"name": name[:100], "link": link[:100], "magic": magic, "rest": tail}
    fits = len(name) <= 100 and len(link) <= 100
    if form == "gnu":
        before = long(name + b"\0") if len(name) > 100 or dice.random() < 0.1 else b""
        return before + (long(link + b"\0", b"K") if len(link) > 100 else b""), fields
    if form == "pax":
        records = [
            (key, text)
            for key, text in ((b"path", name), (b"linkpath", link))
            if len(text) > 100 or (text and dice.random() < 0.2)
        ]
        if any(not _is_utf8(text) for _, text in records):
            records.insert(0, (b"hdrcharset", b"BINARY"))
        dice.shuffle(records)
        return pax(*records) if records else b"", fields
    if fits:
        return b"", fields
    room = {"ustar": 155, "star": 130}.get(form, 0)
    cuts = [at for at in range(1, min(room, len(name)) + 1) if name[at : at + 1] == b"/"]
    cuts = [at for at in cuts if 0 < len(name) - at - 1 <= 100]
    if not cuts or len(link) > 100:
        return None, fields
    at = dice.choice(cuts)
    rest = name[:at] if form == "ustar" else name[:at].ljust(163, b"\0") + b"tar\0"
    return b"", {**fields, "name": name[at + 1 :], "rest": rest}


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


# --- zip, by ourselves

_UNIX, _FAT = 3, 0


@dataclass(frozen=True)
class ZipForm:
    """How one member of a zip archive is written."""

    host: int
    flags: int
    deflated: bool
    wide: bool  # long numbers, whether they are needed or not
    descriptor: str  # "", "marked", "bare"


def own_zip(tree: Tree, dice: random.Random, hosts: tuple[int, ...]) -> Made:
    """Write a zip archive, as one of these hosts does, of what it can hold of the tree."""
    out = io.BytesIO(dice.choice((b"", b"", b"#!/bin/sh\nexit\n")))
    start = out.seek(0, os.SEEK_END)
    central: list[bytes] = []
    held: Tree = {}
    host = dice.choice(hosts)
    for path, node in tree.items():
        if path.rpartition(b"/")[0] not in {b"", *held}:
            continue
        entry = _zip_member(path, node, host, out.tell() - start, dice)
        if entry is None:
            continue
        out.write(entry[0])
        central.append(entry[1])
        held[path] = entry[2]
    if not held:
        held[b"a"] = Node("file")
        form = ZipForm(_UNIX, 0, False, False, "")
        local, line = _zip_entry(b"a", Node("file"), b"", form, 0o100644 << 16, 0)
        out.write(local)
        central.append(line)
    return Made("own zip", "zip", out.getvalue() + _zip_end(central, out.tell() - start, dice), held)


def _zip_member(
    path: bytes, node: Node, host: int, at: int, dice: random.Random
) -> Optional[tuple[bytes, bytes, Node]]:
    """Return a member, its line in the directory, and what it is when it comes out; None if it cannot be."""
    raw, flags, path_field = path, 0, b""
    if host in (_UNIX, 19):
        mode = {"file": stat.S_IFREG | 0o644, "directory": stat.S_IFDIR | 0o755}.get(node.kind, 0o120777)
        external = (mode | (0o111 if node.executable else 0)) << 16
        if _is_utf8(path) and dice.random() < 0.5:
            flags |= 1 << 11
    else:
        if not _is_utf8(path) or node.kind == "symlink" or b":" in path or b"\\" in path:
            return None
        external = 0x10 if node.kind == "directory" else 0x20
        node = replace(node, executable=False)
        way = dice.randrange(3)
        try:
            raw = path.decode().encode("cp437")
        except UnicodeEncodeError:
            way = max(way, 1)
        if way == 1:
            raw, flags = path, 1 << 11
        elif way == 2:
            raw = path.decode().encode("ascii", "replace")
            path_field = unicode_path(raw, path)
        if dice.random() < 0.2 and not path_field:
            raw = raw.replace(b"/", b"\\")
    if node.kind == "directory":
        raw += b"/"
        path_field = unicode_path(raw, path + b"/") if path_field else b""
    form = ZipForm(
        host,
        flags,
        deflated=node.kind == "file" and dice.random() < 0.6,
        wide=dice.random() < 0.2,
        descriptor=dice.choice(("", "", "marked", "bare")) if node.kind == "file" else "",
    )
    return (*_zip_entry(raw, node, path_field, form, external, at), node)


def _zip_entry(
    raw: bytes, node: Node, more: bytes, form: ZipForm, external: int, at: int
) -> tuple[bytes, bytes]:
    data = b"" if node.kind == "directory" else node.data
    packed, method = data, 0
    if form.deflated:
        packer = zlib.compressobj(wbits=-15)
        packed, method = packer.compress(data) + packer.flush(), 8
    flags = form.flags | (8 if form.descriptor else 0)
    crc = zlib.crc32(data)
    full = 0xFFFFFFFF
    sizes = (full, full) if form.wide else (len(packed), len(data))
    wide = struct.pack("<QQ", len(data), len(packed))
    central_more = (extra(1, wide + struct.pack("<Q", at)) if form.wide else b"") + more
    local_more = more + (extra(1, bytes(16) if form.descriptor else wide) if form.wide else b"")
    early = (0, *((full, full) if form.wide else (0, 0))) if form.descriptor else (crc, *sizes)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 45, flags, method, 0, 33, *early, len(raw), len(local_more))
    local += raw + local_more + packed
    if form.descriptor:
        late = struct.pack("<IQQ" if form.wide else "<III", crc, len(packed), len(data))
        local += (b"PK\7\x08" if form.descriptor == "marked" else b"") + late
    numbers = (20, form.host, 45, flags, method, 0, 33, crc, *sizes, len(raw), len(central_more), 0, 0, 0)
    line = struct.pack("<4s2B5H3I5H2I", b"PK\1\2", *numbers, external, full if form.wide else at)
    return local, line + raw + central_more


def _zip_end(central: list[bytes], at: int, dice: random.Random) -> bytes:
    lines = b"".join(central)
    comment = dice.choice((b"", b"", b"a comment"))
    count, full, full16 = len(central), 0xFFFFFFFF, 0xFFFF
    if dice.random() < 0.7:
        return (
            lines
            + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(lines), at, len(comment))
            + comment
        )
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(lines), at)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at + len(lines), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, full16, full16, full, full, len(comment))
    return lines + record + locator + end + comment


# --- by other programs


def by_python(tree: Tree, dice: random.Random) -> Made:
    """Let Python's library write it; it cannot write every name."""
    tree = {**tree, b"first": Node("file", b"1")}
    if dice.random() < 0.5:
        form = dice.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
        return Made(f"tarfile {form}", "tar", *_by_tarfile(tree, form))
    return Made("zipfile", "zip", *_by_zipfile(tree, dice))


def _by_tarfile(tree: Tree, form: int) -> tuple[bytes, Tree]:
    out = io.BytesIO()
    held: Tree = {}
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for path, node in tree.items():
            info = tarfile.TarInfo(os.fsdecode(path))
            info.mode = 0o755 if node.executable else 0o644
            if node.kind == "file":
                info.size = len(node.data)
            else:
                info.type = tarfile.DIRTYPE if node.kind == "directory" else tarfile.SYMTYPE
                info.linkname = os.fsdecode(node.data)
            try:
                archive.addfile(info, io.BytesIO(node.data))
            except ValueError:
                continue  # a name that the format cannot hold
            held[path] = node
    return out.getvalue(), with_parents(held)


def _by_zipfile(tree: Tree, dice: random.Random) -> tuple[bytes, Tree]:
    out = io.BytesIO()
    held: Tree = {}
    with zipfile.ZipFile(out, "w", dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for path, node in tree.items():
            if not _is_utf8(path):
                continue
            info = zipfile.ZipInfo(path.decode() + ("/" if node.kind == "directory" else ""))
            info.create_system = 3
            form = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK}[node.kind]
            info.external_attr = (form | (0o755 if node.executable else 0o644)) << 16
            archive.writestr(info, node.data)
            held[path] = node
    return out.getvalue(), with_parents(held)


def with_parents(tree: Tree) -> Tree:
    """Return the tree with the directories that its paths imply."""
    found = dict(tree)
    for path in tree:
        while b"/" in path:
            path = path.rpartition(b"/")[0]
            found.setdefault(path, Node("directory"))
    return found


_COMMANDS: tuple[tuple[str, ...], ...] = (
    *(("tar", f"--format={form}", "-cf") for form in ("v7", "oldgnu", "gnu", "ustar", "pax")),
    *(("bsdtar", f"--format={form}", "-cf") for form in ("v7tar", "ustar", "gnutar", "pax", "zip")),
    ("zip", "-q", "-r", "-y"),
    ("zip", "-q", "-r", "-y", "-fz"),
    ("zip", "-q", "-r", "-y", "-0"),
)


def by_program(tree: Tree, dice: random.Random, top: str) -> Made:
    """Let a program of the system write it; what it cannot write it leaves out, and then others judge."""
    source, out = os.path.join(top, "source"), os.path.join(top, "made")
    command = dice.choice(_COMMANDS)
    is_zip = "zip" in command[0] or "zip" in command[1]
    if is_zip:
        # Of other names zip and bsdtar say all the same that they are UTF-8; zip writes DEL in two bytes.
        tree = {path: node for path, node in tree.items() if _is_utf8(path) and b"\x7f" not in path}
    os.mkdir(source)
    put_on_disk(tree, source)
    out += ".zip" if is_zip else ".tar"
    done = subprocess.run(
        [*command, out, "."], cwd=source, env=surroundings(), stdin=subprocess.DEVNULL, capture_output=True
    )
    with open(out, "rb") as file:
        data = file.read()
    label = " ".join(command[:2]) if command[0] != "zip" else " ".join(command).replace(" -q -r -y", "")
    # Of a program that complains about a name nobody knows what it has written.
    truth = None if done.returncode or done.stderr else tree
    return Made(label, "zip" if is_zip else "tar", data, truth)


def surroundings() -> dict[str, str]:
    """Return the environment of the other programs."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def make(dice: random.Random, top: str, *, plain: bool = False) -> Made:
    """Return a sound archive of a random tree; a `plain` one is to be spoiled."""
    tree = random_tree(dice, plain=plain)
    # The modes of other hosts are not read by all.
    hosts = (_UNIX, _FAT) if plain else (_UNIX, _UNIX, 19, _FAT, 11, 14)
    makers: list[Callable[[], Made]] = [
        lambda: own_tar(tree, dice),
        lambda: own_zip(tree, dice, hosts),
        lambda: by_python(tree, dice),
        lambda: by_program({**tree, b"first": Node("file", b"1")}, dice, top),
    ]
    return dice.choice(makers)()
