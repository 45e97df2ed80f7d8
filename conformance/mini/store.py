"""The archive of a directory and its digest (chapter 6), and whether a place can be a store (chapter 5.1)."""

from __future__ import annotations

import os
import pwd
import stat

from conformance.mini.derivation import digest
from conformance.mini.reader import Failure

PADDED, FILLER = 49, "bramble_store_padding/"
DIRECTORIES = [
    "objects",
    "realisations",
    "projects",
    "inputs",
    "roots",
    "sources",
    "logs",
    "history",
    "locks",
    "work",
    "kept",
    "failed",
]


def octal(number, width):
    return b"%0*o\0" % (width - 1, number)


def ascii_only(data):
    return bytes(byte for byte in data if byte < 0x80)


def cut(data):
    """The name or target in a header that has an extended one (spec: objects.archive.extended)."""
    short = ascii_only(data)[:100]
    if len(ascii_only(data)) > 100 and short.endswith(b"/"):
        end = len(short.rstrip(b"/"))
        short = short[:end] + b"\0" + short[end + 1 :]
    return short


def header(name, mode, size, kind, target=b"", prefix=b"", devices=b"0000000\0" * 2):
    """spec: objects.archive.header"""
    start = name.ljust(100, b"\0") + octal(mode, 8) + octal(0, 8) * 2 + octal(size, 12) + octal(0, 12)
    rest = (
        kind
        + target.ljust(100, b"\0")
        + b"ustar\x0000"
        + b"\0" * 64
        + devices
        + prefix.ljust(155, b"\0")
        + b"\0" * 12
    )
    return start + b"%06o\0 " % sum(start + b" " * 8 + rest) + rest


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def member(name, mode, kind, content=b"", target=b""):
    """Return the bytes of one member, with its extended header if it needs one."""
    records, prefix, plain = b"", b"", name.isascii() and target.isascii() and len(target) <= 100
    if plain and len(name) > 100:
        # spec: objects.archive.split
        slash = name[:-1][:156].rfind(b"/")
        if slash > 0 and len(name) - slash - 1 <= 100:
            prefix, name = name[:slash], name[slash + 1 :]
    for key, value in ((b"linkpath", target), (b"path", name)):
        if len(value) > 100 or not value.isascii():
            length = len(key) + len(value) + 3
            while length != len(key) + len(value) + 3 + len(str(length)):
                length = len(key) + len(value) + 3 + len(str(length))
            records += b"%d %s=%s\n" % (length, key, value)
    extended = b""
    if records:
        directory, last = name.rpartition(b"/")[0].rstrip(b"/"), name.rpartition(b"/")[2]
        short = ascii_only(directory + b"/PaxHeaders.0/" + last)[:100].rstrip(b"/")
        extended = header(short, 0, len(records), b"x", devices=b"\0" * 16) + padded(records)
        name, target = cut(name), cut(target)
    return extended + header(name, mode, len(content), kind, target, prefix) + padded(content)


def archive(directory, name=b"/"):
    """Yield the plain archive of a directory in parts, without its end (spec: objects.archive)."""
    for entry in sorted(os.listdir(directory)):
        path, mode = directory + b"/" + entry, os.lstat(directory + b"/" + entry).st_mode
        if stat.S_ISDIR(mode):
            yield member(name + entry + b"/", stat.S_IMODE(mode), b"5")
            yield from archive(path, name + entry + b"/")
        elif stat.S_ISLNK(mode):
            yield member(name + entry, 0o777, b"2", target=os.readlink(path))
        elif stat.S_ISREG(mode):
            with open(path, "rb") as file:
                yield member(name + entry, stat.S_IMODE(mode), b"0", file.read())
        else:
            raise Failure("store.foreign-entry", f"{os.fsdecode(path)} is no file, directory or link")


def hash_of(directory):
    """spec: conformance.contract.hash"""
    return digest(b"".join(archive(os.fsencode(directory))) + b"\0" * 1024)


def place(environment, user=None):
    """Return the root and the store directory (spec: store.root, store.padding, store.other-owner)."""
    try:
        home = pwd.getpwnam(user).pw_dir if user else environment.get("HOME", "")
    except KeyError:
        raise Failure("store.unknown-user", f"there is no user {user}") from None
    root = environment.get("BRAMBLE_PATH") or os.path.join(home, "bramble")
    if not root.startswith("/"):
        raise Failure("store.root-relative", f"{root} is not an absolute path")
    root = "/" + os.path.normpath(root).strip("/")
    room = PADDED - len(os.fsencode(root)) - 1
    if room < 1:
        raise Failure("store.root-too-long", f"{root} has {1 - room} bytes too many")
    filling = (FILLER * 3)[:room]
    return root, root + "/" + (filling[:-1] + "b" if filling.endswith("/") else filling)


def writable_by_others(path):
    return bool(os.lstat(path).st_mode & 0o022)


def opened(environment, user=None, create=True):
    """Return the store directory, made if need be, after a look at all of it (spec: store.owner)."""
    root, directory = place(environment, user)
    var = os.path.join(root, "var")
    first = os.path.relpath(directory, root).split("/")[0]
    names = os.listdir(root) if os.path.isdir(root) else []
    if set(names) - {"var", "store", first, "lost+found"}:
        raise Failure("store.occupied", f"{root} holds something else")
    if os.path.exists(root) and writable_by_others(root) and not os.stat(root).st_mode & stat.S_ISVTX:
        raise Failure("store.writable-by-others", f"others can write to {root}")
    link = os.path.join(root, "store")
    if "store" in names and (
        not os.path.islink(link) or os.readlink(link) != os.path.relpath(directory, root)
    ):
        raise Failure("store.link-taken", f"{link} is something else")
    for path in [
        os.path.join(root, first),
        directory,
        var,
        *(os.path.join(var, name) for name in DIRECTORIES),
    ]:
        if os.path.lexists(path) and not stat.S_ISDIR(os.lstat(path).st_mode):
            raise Failure("store.foreign-entry", f"{path} is no directory")
        if os.path.lexists(path) and writable_by_others(path):
            raise Failure("store.writable-by-others", f"others can write to {path}")
        if create:
            os.makedirs(path, 0o755, exist_ok=True)
    if create and "store" not in names:
        os.symlink(os.path.relpath(directory, root), link)
    return directory
