"""The index of a registry: a line for each version of each package, in the order in which they came. Pure.

    example.com/lib 1.2.0 5d41402abc4b2a76b9719d911017c592ae5a6bf1 uw5ichj6dhcccmcts6p7jq6etzlh5baf

A line stays for good, so an index that has grown begins with what it was: that is how a client notices
a registry that changes its mind about what a version is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

from bramble.errors import BrambleError, Place
from bramble.packages.registry.bounds import LARGEST_INDEX
from bramble.packages.registry.releases import Release, broken_release
from bramble.record import NamedTuple

INDEX = "index"
_LINE = re.compile(rb"([!-~]+) ([!-~]+) ([0-9a-f]{40}|[0-9a-f]{64}) ([a-z2-7]{32})\n")


class Entry(NamedTuple):
    """One line: what a version of a package is, for good."""

    name: str
    version: str
    commit: str  # full hash, 40 or 64 digits
    digest: str  # of the sources in canonical form, as in a lock

    @property
    def release(self) -> Release:
        """The version that this is about."""
        return Release(self.name, self.version)


def line(entry: Entry) -> bytes:
    """Return the line of an entry, with its end. Raises registry.index if it can have none."""
    # spec: registry.index
    text = " ".join(entry) + "\n"
    found = _LINE.fullmatch(text.encode("ascii", "replace"))
    if found is None:
        _refuse(0, f"{ascii(text)} is not a valid line of an index")
    return b"".join(line for line, _ in _entries(found.string, 0))


def parse_lines(data: bytes, known: bytes = b"") -> tuple[Entry, ...]:
    """Return the entries of `data`, whole lines that follow `known`, an index that has been read.

    Raises registry.index, at the line, for a line that is not an entry, and for a version that occurred
    already.
    """
    # spec: registry.index, registry.index.once
    if len(known) + len(data) > LARGEST_INDEX:
        _refuse(0, f"the index is larger than {LARGEST_INDEX} bytes")
    first = known.count(b"\n") + 1
    seen = {found.group(1, 2) for found in _LINE.finditer(known)}
    entries = []
    for number, (text, entry) in enumerate(_entries(data, first), first):
        release = tuple(text.split()[:2])
        if release in seen:
            _refuse(number, f"{entry.release} occurs twice; a version never changes")
        seen.add(release)
        entries.append(entry)
    return tuple(entries)


def entries_of(index: bytes, name: str) -> tuple[Entry, ...]:
    """Return the entries of one package in an index that has been verified, in their order."""
    start = name.encode("ascii") + b" "
    found = []
    at = 0 if index.startswith(start) else index.find(b"\n" + start) + 1 or len(index)
    while at < len(index):
        end = index.index(b"\n", at) + 1
        found.append(_entry(index[at:end]))
        at = end if index.startswith(start, end) else index.find(b"\n" + start, end) + 1 or len(index)
    return tuple(found)


def all_entries(index: bytes) -> Iterator[Entry]:
    """Yield the entries of an index that has been verified, in their order."""
    return (_entry(text) for text in index.splitlines())


def _entry(text: bytes) -> Entry:
    name, version, commit, digest = text.decode("ascii").split()
    return Entry(name, version, commit, digest)


def _entries(data: bytes, first: int) -> Iterator[tuple[bytes, Entry]]:
    for number, text in enumerate(data.splitlines(keepends=True), first):
        found = _LINE.fullmatch(text)
        if found is None:
            _refuse(number, f"{ascii(text[:80].decode('latin-1'))} is not a valid line of an index")
        entry = _entry(text)
        wrong = broken_release(entry.name, entry.version)
        if wrong is not None:
            _refuse(number, wrong)
        yield text, entry


def _refuse(number: int, fact: str) -> NoReturn:
    raise BrambleError(
        "registry.index",
        fact,
        place=Place(INDEX, number) if number else None,
        remedy="only the operator of the registry can correct this; nothing from it is used until then",
    )
