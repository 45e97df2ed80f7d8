"""bramble.lock: the results of downloads, so that they are found again unchanged.

The file is TOML, written by Bramble and kept in version control: sorted, one
entry a line, so that two branches merge. Tables of entries that this version
does not use, and comments, are kept as they are.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Callable, Optional

from bramble.errors import BrambleError, Place
from bramble.project.access import read_file, replace_file
from bramble.project.names import LOCK_NAME
from bramble.project.toml import CONFLICT, TomlDocument, decode, parse_document
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import dataclass, field

URL_HASHES = "URLHashes"
DEPENDENCIES, COMMITS = "Dependencies", "Commits"
_LARGEST = 16 << 20  # bytes: some hundred thousand entries
_A_DIGEST = re.compile(r"[a-z2-7]{32}"), "a digest: 32 characters of a-z and 2-7 are"
_FORMS = {
    URL_HASHES: _A_DIGEST,
    DEPENDENCIES: _A_DIGEST,
    COMMITS: (re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"), "a commit: 40 or 64 characters of 0-9 and a-f are"),
}
# An entry and the header of a table in the form in which Bramble writes them (spec: project.lock.text).
_LINE = re.compile(r'  "([^"\\\x00-\x1f\x7f]*)" = "([^"\\\x00-\x1f\x7f]*)"')
_HEADER = re.compile(r"\[([A-Za-z0-9_-]+)\]")


@dataclass(frozen=True)
class Lock:
    """The entries of a bramble.lock: table name → key → value, all of it text."""

    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    places: Mapping[tuple[str, str], Place] = field(default_factory=dict, compare=False, repr=False)

    @property
    def url_hashes(self) -> Mapping[str, str]:
        """What was fetched, such as "fetch_url URL", and the digest of the output."""
        return self.tables.get(URL_HASHES, {})


def read_lock(path: str, reads: Reads = NOT_NOTED) -> Lock:
    """Read the lock file at `path`; one that does not exist is empty.

    Raises lock.unreadable, lock.syntax, lock.type and lock.value, with the line.
    """
    reads.file(*os.path.split(path))
    return parse_lock(_read(path))


def _read(path: str) -> str:
    try:
        data = read_file(*os.path.split(path), _LARGEST)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BrambleError(
            "lock.unreadable",
            f"{path} cannot be read: {error.strerror}",
            remedy="make it a file of the project that you may read",
        ) from error
    return decode(data, LOCK_NAME, code="lock.syntax")


def parse_lock(text: str) -> Lock:
    """Return the entries that the text of a lock file holds. Raises lock.* with the line."""
    # spec: project.lock
    plain = _plain(text)
    if plain is not None:
        return plain
    document = _parsed(text)
    tables: dict[str, dict[str, str]] = {}
    places: dict[tuple[str, str], Place] = {}
    for table, entries in document.values.items():
        if not isinstance(entries, dict):
            raise _type_error(document, (table,), f"{table} is not a table")
        for key, value in entries.items():
            if not isinstance(value, str):
                raise _type_error(document, (table, key), f'the value of "{key}" is not a string')
            places[table, key] = document.value_place((table, key))
            form = _FORMS.get(table)
            if form is not None and form[0].fullmatch(value) is None:
                # spec: project.lock.url-hashes, packages.lock
                raise BrambleError(
                    "lock.value",
                    f'"{value}" is not {form[1]} expected',
                    place=places[table, key],
                    remedy="restore the line from version control, or delete it to fetch again",
                )
        tables[table] = dict(entries)
    return Lock(tables, places)


def _plain(text: str) -> Optional[Lock]:
    """Return the entries of a file as Bramble writes it, a line each; None for any other, right or wrong.

    A lock of a great project has many lines, and TOML is more than they need.
    """
    tables: dict[str, dict[str, str]] = {}
    places: dict[tuple[str, str], Place] = {}
    table, entries, form = "", None, None
    for number, line in enumerate(text.split("\n"), 1):
        found = _LINE.fullmatch(line)
        if found is not None:
            key, value = found.groups()
            if entries is None or key in entries or (form is not None and form.fullmatch(value) is None):
                return None
            entries[key] = value
            places[table, key] = Place(LOCK_NAME, number, found.start(2))
        elif line:
            header = _HEADER.fullmatch(line)
            if header is None or header[1] in tables:
                return None
            table = header[1]
            entries = tables[table] = {}
            form = _FORMS[table][0] if table in _FORMS else None
    return Lock(tables, places)


def _parsed(text: str) -> TomlDocument:
    try:
        return parse_document(text, LOCK_NAME, code="lock.syntax")
    except BrambleError as error:
        line = error.place.line if error.place is not None and error.place.line else 1
        source = text.splitlines()[line - 1 : line]
        if source and source[0].startswith(CONFLICT):
            raise BrambleError(
                error.code,
                "there is a merge conflict in the lock file",
                place=error.place,
                remedy="keep the lines of both sides, each once, and delete the lines with <, = and >",
            ) from error
        raise BrambleError(
            error.code,
            error.message,
            place=error.place,
            remedy="restore the file from version control; what is not in it is fetched again",
        ) from error


def _type_error(document: TomlDocument, path: tuple[str, ...], message: str) -> BrambleError:
    return BrambleError(
        "lock.type",
        message,
        place=document.value_place(path),
        remedy="restore the file from version control, or use the newer version that wrote it",
    )


def merge(
    lock: Lock,
    pins: Mapping[str, str],
    *,
    table: str = URL_HASHES,
    replaced: Mapping[str, str] = MappingProxyType({}),
) -> Lock:
    """Return the lock with the new pins. Raises lock.conflict if one says otherwise than before.

    `replaced` are pins that may be written over, as long as they say what they do here.
    """
    # spec: project.lock.conflict
    known = lock.tables.get(table, {})
    for key in sorted(pins):
        before = known.get(key, pins[key])
        if before not in (pins[key], replaced.get(key)):
            raise BrambleError(
                "lock.conflict",
                f'"{key}" gave {pins[key]}, and the lock file has {before}',
                place=lock.places.get((table, key), Place(LOCK_NAME)),
                remedy="what is fetched has changed; if that is expected, delete this line and build again",
            )
    if all(known.get(key) == pin for key, pin in pins.items()):
        return lock
    return Lock({**lock.tables, table: {**known, **pins}}, lock.places)


def without(lock: Lock, dropped: Mapping[str, str], *, table: str = URL_HASHES) -> Lock:
    """Return the lock without the entries of `dropped` that still say what they do there."""
    # spec: project.lock.prune
    known = lock.tables.get(table, {})
    gone: Collection[str] = {key for key, value in dropped.items() if known.get(key) == value}
    if not gone:
        return lock
    left = {key: value for key, value in known.items() if key not in gone}
    others = {name: entries for name, entries in lock.tables.items() if name != table}
    return Lock({**others, table: left} if left else others, lock.places)


def write_lock(path: str, text: str) -> None:
    """Write the lock file: all of it, or, when anything fails, nothing. Raises lock.unwritable."""
    # spec: project.lock.atomic
    try:
        replace_file(*os.path.split(path), text.encode("utf-8"))
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: str, error: OSError) -> BrambleError:
    remedies = {
        errno.ENOSPC: "free some space",
        errno.EXDEV: "make it a file of the project",
        errno.EINVAL: "move it away",
        errno.ELOOP: "move it away",
    }
    return BrambleError(
        "lock.unwritable",
        f"{path} cannot be written: {error.strerror}",
        remedy=remedies.get(error.errno or 0, "make the directory writable"),
    )


def update_lock(
    path: str,
    pins: Mapping[str, str],
    *,
    table: str = URL_HASHES,
    replaced: Mapping[str, str] = MappingProxyType({}),
    dropped: Mapping[str, str] = MappingProxyType({}),
    take: Callable[[int, str], None],
) -> Lock:
    """Add pins to the lock file at `path`, in the place of `replaced`, and return what it holds then.

    `dropped` are entries that are taken out, unless they say something else by now.

    Reads the file again first, while no other Bramble does the same, so that
    what two builds found at one time is all kept. Nothing is written when the
    pins are there already or when one conflicts. `take` takes the lock of an
    open directory, and says of its path whom it waits for. Raises lock.*.
    """
    # spec: project.lock.update
    if not pins and not dropped:
        return read_lock(path)
    with alone(path, take):
        return change_lock(
            path,
            lambda lock: without(merge(lock, pins, table=table, replaced=replaced), dropped, table=table),
        )


def change_lock(path: str, change: Callable[[Lock], Lock]) -> Lock:
    """Write what `change` makes of the lock file at `path`, if that is another one, and return it.

    The caller keeps other writers away (`alone`). Raises lock.*, and what `change` raises.
    """
    text = _read(path)
    before = parse_lock(text)
    after = change(before)
    if after is not before:
        # Loaded when something changes: a build of nothing only reads.
        edit = importlib.import_module("bramble.project.lockedit")
        write_lock(path, edit.edited(text, LOCK_NAME, after.tables, before.tables))
    return after


@contextmanager
def alone(path: str, take: Callable[[int, str], None]) -> Iterator[None]:
    """Hold the advisory lock on the directory of a file; file systems without locks go without (flock(2)).

    `take` takes the lock of the open directory, and says of its path whom it waits for: any user who may read
    the directory can hold it.

    Raises lock.unwritable if the directory cannot be opened.
    """
    directory = os.path.dirname(path) or "."
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        try:
            take(handle, directory)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
        yield
    finally:
        os.close(handle)
