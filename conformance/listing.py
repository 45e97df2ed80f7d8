"""Trees as text: what files cannot say about modes, links, odd names and bytes.

One line is one entry (spec: conformance.listing):

    dir  0755 bin
    file 0644 a text "hello\\n"
    file 0644 b base64 AAEC
    file 0644 c repeat 1024 "x"
    file 0755 d like @section
    file 0444 e digest 5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r
    link f -> a
    hard g -> a
    fifo 0644 h

A name or a target with blanks or strange characters is a JSON string; bytes
that are not UTF-8 are written `\\udcXX`.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import json
import lzma
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Optional

from conformance import oracle
from conformance.script import DIGEST

_STRING = r'("(?:[^"\\]|\\.)*"|[^\s"]\S*)'
_DIR = re.compile(r"dir\s+([0-7]{4}|\*)\s+" + _STRING)
_FILE = re.compile(r"file\s+([0-7]{4}|\*)\s+" + _STRING + r"(?:\s+(text|base64|repeat|like|digest)\s+(.+))?")
_LINK = re.compile(r"(link|hard)\s+" + _STRING + r"\s+->\s+" + _STRING)
_FIFO = re.compile(r"fifo\s+([0-7]{4}|\*)\s+" + _STRING)
_ANY_MODE = -1


class BadListing(Exception):
    """A listing that cannot be read, or cannot be made."""


@dataclass(frozen=True)
class Entry:
    """One entry of a tree. `mode` is -1 where the listing leaves it open."""

    kind: str  # dir, file, link, hard, fifo
    name: str
    mode: int = _ANY_MODE
    content: Optional[bytes] = None  # of a file, where the listing gives it
    digest: Optional[str] = None  # of a file's content, where the listing gives only that
    target: str = ""


def parse_listing(text: str, sections: Mapping[str, str]) -> tuple[Entry, ...]:
    """Return the entries of a listing, in its order. Raises BadListing."""
    entries = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            entries.append(_parse_entry(line.strip(), sections))
    return tuple(entries)


def _parse_entry(line: str, sections: Mapping[str, str]) -> Entry:
    match = _DIR.fullmatch(line)
    if match:
        return Entry("dir", _string(match.group(2)), _mode(match.group(1)))
    match = _LINK.fullmatch(line)
    if match:
        return Entry(match.group(1), _string(match.group(2)), 0o777, target=_string(match.group(3)))
    match = _FIFO.fullmatch(line)
    if match:
        return Entry("fifo", _string(match.group(2)), _mode(match.group(1)))
    match = _FILE.fullmatch(line)
    if match is None:
        raise BadListing(f"no entry of a listing: {line!r}")
    mode, name, how, value = match.groups()
    if how == "digest":
        if not DIGEST.fullmatch(value):
            raise BadListing(f"no digest: {value!r}")
        return Entry("file", _string(name), _mode(mode), digest=value)
    return Entry("file", _string(name), _mode(mode), content=_content(how, value, sections))


def _content(how: Optional[str], value: str, sections: Mapping[str, str]) -> bytes:
    try:
        if how is None:
            return b""
        if how == "text":
            return os.fsencode(_string(value))
        if how == "base64":
            return base64.b64decode(value, validate=True)
        if how == "repeat":
            count, _, unit = value.partition(" ")
            return os.fsencode(_string(unit.strip())) * int(count)
        return sections[value].encode()
    except (ValueError, KeyError, binascii.Error) as problem:
        raise BadListing(f"bad content: {how} {value!r} ({problem})") from None


def _string(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        raise BadListing(f"no string: {text}") from None


def _mode(text: str) -> int:
    return _ANY_MODE if text == "*" else int(text, 8)


def make_tree(directory: str, entries: Iterable[Entry]) -> None:
    """Make the entries below a new directory, whatever the umask; modes are set last, deepest first."""
    os.mkdir(directory)
    modes: list[tuple[str, int]] = []
    for entry in entries:
        path = os.path.join(directory, entry.name)
        if entry.kind == "dir":
            os.mkdir(path)
        elif entry.kind == "link":
            os.symlink(entry.target, path)
        elif entry.kind == "hard":
            os.link(os.path.join(directory, entry.target), path)
        elif entry.kind == "fifo":
            os.mkfifo(path)
        elif entry.content is None:
            raise BadListing(f"{entry.name}: a digest says what a file holds, but cannot make it")
        else:
            with open(path, "xb") as file:
                file.write(entry.content)
        if entry.kind in ("dir", "file", "fifo"):
            if entry.mode == _ANY_MODE:
                raise BadListing(f"{entry.name}: a tree that is made needs its modes")
            modes.append((path, entry.mode))
    for path, mode in reversed(modes):
        os.chmod(path, mode)


def differences(directory: str, expected: Iterable[Entry]) -> list[str]:
    """Return, one line each, how a directory differs from a listing; an empty list where it does not."""
    found = {entry.name: entry for entry in read_tree(directory)}
    wrong = []
    for entry in expected:
        other = found.pop(entry.name, None)
        if other is None:
            wrong.append(f"missing: {entry.name}")
        elif entry.kind != other.kind:
            wrong.append(f"{entry.name}: is a {other.kind}, not a {entry.kind}")
        elif entry.mode not in (_ANY_MODE, other.mode):
            wrong.append(f"{entry.name}: has mode {other.mode:04o}, not {entry.mode:04o}")
        elif entry.target != other.target:
            wrong.append(f"{entry.name}: leads to {other.target!r}, not to {entry.target!r}")
        elif entry.kind == "file" and not _same_content(entry, other):
            wrong.append(f"{entry.name}: holds {_shown(other)}, not {_shown(entry)}")
    return wrong + [f"unexpected: {name}" for name in found]


def _same_content(expected: Entry, found: Entry) -> bool:
    if expected.digest is not None:
        return oracle.digest(found.content or b"") == expected.digest
    return expected.content == found.content


def _shown(entry: Entry) -> str:
    if entry.content is None:
        return f"content with digest {entry.digest}"
    return (
        repr(entry.content)
        if len(entry.content) <= 200
        else f"{len(entry.content)} bytes ({oracle.digest(entry.content)})"
    )


def read_tree(directory: str) -> list[Entry]:
    """Return everything below a directory, names sorted as bytes, a directory before what it holds."""
    entries: list[Entry] = []

    def walk(path: str, prefix: str) -> None:
        for name in sorted(os.listdir(path), key=os.fsencode):
            full, relative = os.path.join(path, name), prefix + name
            status = os.lstat(full)
            mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISDIR(status.st_mode):
                entries.append(Entry("dir", relative, mode))
                walk(full, relative + "/")
            elif stat.S_ISLNK(status.st_mode):
                entries.append(Entry("link", relative, 0o777, target=os.readlink(full)))
            elif stat.S_ISREG(status.st_mode):
                with open(full, "rb") as file:
                    entries.append(Entry("file", relative, mode, content=file.read()))
            else:
                entries.append(Entry("fifo" if stat.S_ISFIFO(status.st_mode) else "other", relative, mode))

    walk(directory, "")
    return entries


def render_listing(entries: Iterable[Entry]) -> str:
    """Return entries as a listing that `parse_listing` reads back; long contents as their digest."""
    lines = []
    for entry in entries:
        name = _quoted(entry.name)
        if entry.kind in ("link", "hard"):
            lines.append(f"{entry.kind} {name} -> {_quoted(entry.target)}")
        elif entry.kind == "file":
            lines.append(f"file {entry.mode:04o} {name}{_rendered(entry.content or b'')}")
        elif entry.kind == "dir":
            lines.append(f"dir  {entry.mode:04o} {name}")
        else:
            lines.append(f"{entry.kind} {entry.mode:04o} {name}")
    return "".join(line + "\n" for line in lines)


def _rendered(content: bytes) -> str:
    if not content:
        return ""
    if len(content) > 300:
        return f" digest {oracle.digest(content)}"
    return f" text {json.dumps(os.fsdecode(content))}"


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[!-~]+", text) and not text.startswith('"') else json.dumps(text)


def pack(path: str, entries: Iterable[Entry]) -> bytes:
    """Return the entries, in their order and under their very names, as an archive of the kind of `path`.

    Names are not looked at: this makes hostile archives too. The same listing gives the same bytes.
    """
    if path.endswith(".zip"):
        return _pack_zip(entries)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            member = tarfile.TarInfo(entry.name)
            member.mode = entry.mode
            member.type = {
                "dir": tarfile.DIRTYPE,
                "link": tarfile.SYMTYPE,
                "hard": tarfile.LNKTYPE,
                "fifo": tarfile.FIFOTYPE,
            }.get(entry.kind, tarfile.REGTYPE)
            member.linkname = entry.target
            member.size = len(entry.content or b"")
            archive.addfile(member, io.BytesIO(entry.content or b""))
    plain = buffer.getvalue()
    if path.endswith(".gz"):
        return gzip.compress(plain, mtime=0)
    if path.endswith(".bz2"):
        return bz2.compress(plain)
    return lzma.compress(plain) if path.endswith(".xz") else plain


def _pack_zip(entries: Iterable[Entry]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            kinds = {"dir": stat.S_IFDIR, "link": stat.S_IFLNK, "fifo": stat.S_IFIFO}
            member = zipfile.ZipInfo(entry.name + ("/" if entry.kind == "dir" else ""))
            member.external_attr = (kinds.get(entry.kind, stat.S_IFREG) | entry.mode) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            content = entry.target.encode() if entry.kind == "link" else entry.content or b""
            archive.writestr(member, content)
    return buffer.getvalue()
