"""Questions that people ask a store: what is this, what does it need, who needs it, and why?"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.store.digest import DIGEST_LENGTH, is_digest
from bramble.store.files import walk
from bramble.store.files.failures import DiskFailures
from bramble.store.gc.trim import realisations
from bramble.store.objects.identity import BLOCK_SIZE
from bramble.store.path import shown
from bramble.store.records.objects import Objects
from bramble.store.trust.schema import is_derivation

_SHORTEST_PREFIX = 4
_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz234567")
_CONTEXT = 40


def resolve(objects: Objects, text: str) -> str:
    """Return the name of the object that `text` means.

    That is an absolute path in the store, be it through its `store` link, and
    be it of something in an object; a name; or the beginning of one (four
    characters at least) that no other object shares.

    Raises BrambleError store.unknown-object and store.ambiguous-name.
    """
    # spec: store.names
    name = text
    if text.startswith("/"):
        name = _of_path(objects, text) or text
    if is_digest(name):
        if objects.contains(name):
            return name
    elif len(name) >= _SHORTEST_PREFIX and _ALPHABET.issuperset(name):
        fitting = [known for known in objects.names() if known.startswith(name)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise BrambleError(
                "store.ambiguous-name",
                f'{len(fitting)} objects begin with "{name}": ' + ", ".join(fitting[:4]),
                remedy="give more of the name",
            )
    raise BrambleError(
        "store.unknown-object",
        f'there is no object "{shown(text)}" in the store',
        remedy="give a path in the store, a name, or at least "
        f"{_SHORTEST_PREFIX} characters from the beginning of one",
    )


def _of_path(objects: Objects, text: str) -> Optional[str]:
    """Return the part of a path that names an object of this store, or None."""
    path = os.path.normpath(text)
    for directory in (objects.directory, f"{objects.root}/store", os.path.realpath(objects.directory)):
        if path.startswith(directory + "/"):
            return path[len(directory) + 1 :].split("/")[0]
    return None


def referrers(objects: Objects, name: str) -> tuple[str, ...]:
    """Return the objects that refer to `name` directly, sorted."""
    with DiskFailures("read what objects refer to"):
        return tuple(other for other in objects.names() if name in objects.references(other))


def closure_size(objects: Objects, names: Iterable[str]) -> int:
    """Return the number of bytes in the files of `names` and of all that they refer to."""
    return sum(objects.object(name).size for name in objects.closure(names))


@dataclass(frozen=True)
class Branch:
    """One line of a tree of references: how deep it stands, which object, and whether it stood before.

    What `repeated` refers to is shown where it stood first.
    """

    depth: int
    name: str
    size: int
    last: bool
    repeated: bool


def tree(objects: Objects, name: str) -> Iterator[Branch]:
    """Yield the tree of references below `name`, each object's references once."""
    seen: set[str] = set()
    left = [(0, name, True)]
    while left:
        depth, here, last = left.pop()
        record = objects.object(here)
        repeated = here in seen and bool(record.references)
        yield Branch(depth, here, record.size, last, repeated)
        if not repeated:
            seen.add(here)
            below = [(depth + 1, other, other == record.references[-1]) for other in record.references]
            left.extend(reversed(below))


@dataclass(frozen=True)
class Holding:
    """A place at which one object holds the name of another.

    `file` is the path in the object, "" if that is nowhere to be found; `where` is
    "content", "target" (of a link) or "name"; `offset` counts bytes there;
    `text` is the text there, with some bytes around it.
    """

    holder: str
    held: str
    file: str
    where: str
    offset: int
    text: bytes


def why(objects: Objects, holder: str, held: str) -> tuple[Holding, ...]:
    """Return a shortest way of references from one object to another, each with a place that shows it.

    Empty if there is no path, or if both are the same.

    Raises BrambleError store.unknown-object.
    """
    # spec: store.why
    before: dict[str, str] = {}
    left = deque([holder])
    while left and held not in before:
        name = left.popleft()
        for reference in objects.references(name):
            if reference != holder and reference not in before:
                before[reference] = name
                left.append(reference)
    if held not in before:
        return ()
    way = [held]
    while way[-1] != holder:
        way.append(before[way[-1]])
    way.reverse()
    return tuple(_first_holding(objects, one, other) for one, other in zip(way, way[1:]))


def _first_holding(objects: Objects, holder: str, held: str) -> Holding:
    with DiskFailures("look for a reference"):
        return next(holdings(objects, holder, held), Holding(holder, held, "", "", 0, b""))


def holdings(objects: Objects, holder: str, held: str) -> Iterator[Holding]:
    """Yield every place at which the object `holder` holds the name `held`, in the order of the archive."""
    needle = held.encode()
    top = os.open(objects.object_path(holder), walk.DIRECTORY_FLAGS)
    try:
        with contextlib.closing(walk.walk(top)) as members:
            for member in members:
                if member.kind == walk.LEAVE:
                    continue
                file = os.fsdecode(member.name[1:])
                at = member.base.find(needle)
                if at >= 0:
                    yield Holding(holder, held, file, "name", at, member.base)
                if member.kind == walk.SYMLINK:
                    target = os.readlink(member.base, dir_fd=member.parent)
                    at = target.find(needle)
                    if at >= 0:
                        yield Holding(holder, held, file, "target", at, target)
                elif member.kind == walk.FILE:
                    for offset, text in _in_file(member, needle):
                        yield Holding(holder, held, file, "content", offset, text)
    finally:
        os.close(top)


def _in_file(member: walk.Member, needle: bytes) -> Iterator[tuple[int, bytes]]:
    fd = os.open(member.base, walk.FILE_FLAGS, dir_fd=member.parent)
    try:
        base, tail = 0, b""
        while True:
            data = os.read(fd, BLOCK_SIZE)
            if not data:
                return
            block = tail + data
            at = block.find(needle)
            while at >= 0:
                offset = base + at
                start = max(0, offset - _CONTEXT)
                yield offset, os.pread(fd, offset - start + len(needle) + _CONTEXT, start)
                at = block.find(needle, at + 1)
            tail = block[-(len(needle) - 1) :]
            base += len(block) - len(tail)
    finally:
        os.close(fd)


@dataclass(frozen=True)
class Change:
    """What became of one part of a closure: its label, the objects before and after, and their bytes.

    `before` is "" for what came, `after` is "" for what went.
    """

    label: str
    before: str
    after: str
    size_before: int
    size_after: int


def diff(objects: Objects, one: Iterable[str], other: Iterable[str]) -> tuple[Change, ...]:
    """Return how two closures differ: what went, came and changed, sorted by label.

    Objects that come from derivations of one name belong together; a label is
    that name, with the output's behind a colon unless it is "out".
    """
    # spec: store.diff
    before, after = set(objects.closure(one)), set(objects.closure(other))
    known = labels(objects)
    went, came = _by_label(before - after, known), _by_label(after - before, known)
    changes: list[Change] = []
    for label in sorted({*went, *came}):
        pairs = max(len(went.get(label, ())), len(came.get(label, ())))
        old, new = went.get(label, []), came.get(label, [])
        for index in range(pairs):
            first = old[index] if index < len(old) else ""
            second = new[index] if index < len(new) else ""
            sizes = [objects.object(name).size if name else 0 for name in (first, second)]
            changes.append(Change(label, first, second, *sizes))
    return tuple(changes)


def labels(objects: Objects) -> Mapping[str, str]:
    """Return what objects are called by those who made them: the derivation's name, and the output's."""
    names: dict[str, str] = {}
    for found in realisations(objects):
        label = found.derivation
        if is_derivation(label):
            label = label[DIGEST_LENGTH + 1 : -len(".drv")]
        for output, name in found.outputs:
            names.setdefault(name, label if output == "out" else f"{label}:{output}")
    return names


def _by_label(names: Iterable[str], known: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(known.get(name, name), []).append(name)
    return groups
