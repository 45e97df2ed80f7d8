"""The builds of a project, kept in `var/history`: a bounded number of them, each in two files.

    var/history/PROJECT/NUMBER         the build: when, how long, what was built, what failed
    var/history/PROJECT/NUMBER.facts   a line for each derivation: its inputs and its result,
                                       and one for each list of source files that some of them have

The second is written first, so that a build that can be read has its facts. Most of it is as it
was in the build before: such a line is copied, not made. All that is changed here is changed under one lock.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Optional

from bramble.record import NamedTuple
from bramble.store.digest import DIGEST_LENGTH, digest, is_digest
from bramble.store.files.failures import DiskFailures
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import make_directory, read_file, write_file
from bramble.store.history import form
from bramble.store.history.model import Build, Facts, SourceFile
from bramble.store.layout.place import BUILD_LOCKS
from bramble.store.locks.advisory import alone
from bramble.store.records.objects import Objects
from bramble.store.trust.owner import check_directory
from bramble.store.trust.schema import or_none

HISTORY = "history"
MOST_BUILDS = 64
MOST_BYTES = 32 << 20
_ALWAYS = 2  # builds: without the one before, nobody could say what has changed
_FACTS = ".facts"
_NAME = re.compile(r"[1-9][0-9]{0,14}")
_LONGEST_MESSAGE = 2000
_LIST = b"files "
_FILES = re.compile(b',"files":"([a-z2-7]{%d})"' % DIGEST_LENGTH)


class Entry(NamedTuple):
    """The facts of one derivation, yet to be made.

    `stamp` is a digest of all that may be different in two builds that have the
    same derivation id. `make` is given the facts of that derivation in the build before, if there are any.
    """

    id: str
    stamp: str
    make: Callable[[Optional[Facts]], Facts]


def record_build(objects: Objects, build: Build, entries: Sequence[Entry]) -> int:
    """Record a build of `build.project`, and forget the oldest ones; return its number.

    `build.number` is not looked at. Raises BrambleError store.* for failed system calls.
    """
    # spec: store.records.history
    key = digest(os.fsencode(build.project))
    with DiskFailures("record a build"), alone(f"{objects.var}/{BUILD_LOCKS}", _lock(key), objects.on_wait):
        directory = _directory(objects, key)
        with contextlib.suppress(FileExistsError):
            make_directory(directory)
        numbers = _numbers(directory)
        before = _read_lines(f"{directory}/{numbers[-1]}{_FACTS}" if numbers else "")
        number = numbers[-1] + 1 if numbers else 1
        lines = _NewLines(before)
        for entry in entries:
            lines.add(entry)
        write_file(f"{directory}/{number}{_FACTS}", lines.data(), sync=False)
        failed = tuple(one._replace(message=one.message[:_LONGEST_MESSAGE]) for one in build.failed)
        data = form.encode_build(build._replace(number=number, failed=failed))
        write_file(f"{directory}/{number}", data, sync=False)
        _forget_oldest(directory, [*numbers, number])
    return number


def builds(objects: Objects, project: str) -> Iterator[Build]:
    """Yield the builds of the project in the directory `project`, the newest first.

    A record that cannot be read is passed over.
    """
    directory = _directory(objects, digest(os.fsencode(project)))
    for number in reversed(_numbers(directory)):
        found = or_none(form.build, read_file(f"{directory}/{number}"))
        if found is not None and found.project == project and found.number == number:
            yield found


def facts_of(objects: Objects, build: Build) -> Mapping[str, Facts]:
    """Return the facts of a build by derivation id, in dependency order.

    Lines that cannot be read are left out.
    """
    path = f"{_directory(objects, digest(os.fsencode(build.project)))}/{build.number}{_FACTS}"
    found = {}
    lines = _read_lines(path)
    for id in lines.facts:
        one = lines.of(id)
        if one is not None and one.id == id:
            found[id] = one
    return found


def durations(objects: Objects, project: str) -> dict[str, float]:
    """Return how long derivations of a project took when they were last built: name → seconds."""
    found: dict[str, float] = {}
    for build in builds(objects, project):
        for one in build.built:
            found.setdefault(one.name, one.milliseconds / 1000)
    return found


def forget_histories(objects: Objects, is_gone: Callable[[str, float], bool]) -> None:
    """Remove the builds of projects of which `is_gone(directory, time of the last build)` is true."""
    # spec: store.gc.projects
    top = f"{objects.var}/{HISTORY}"
    for key in filter(is_digest, sorted(os.listdir(top))):
        directory = f"{top}/{key}"
        with alone(f"{objects.var}/{BUILD_LOCKS}", _lock(key)):
            number = next(reversed(_numbers(directory)), 0)
            newest = or_none(form.build, read_file(f"{directory}/{number}"))
            if newest is None or is_gone(newest.project, newest.began / 1000):
                remove_tree(directory)


def _lock(key: str) -> str:
    return digest(b"history " + key.encode())


def _directory(objects: Objects, key: str) -> str:
    """Return the directory of a project. Raises BrambleError store.foreign-entry if it is not a directory."""
    path = f"{objects.var}/{HISTORY}/{key}"
    with contextlib.suppress(FileNotFoundError):
        check_directory(path, os.lstat(path), objects.owner)
    return path


def _numbers(directory: str) -> list[int]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return sorted(int(name) for name in os.listdir(directory) if _NAME.fullmatch(name))
    return []


class _Lines:
    """What a file of facts holds, not yet looked at.

    `facts` has the stamp and the facts of derivations by their id, `lists` source files by their digest.
    """

    def __init__(self, facts: dict[str, tuple[str, bytes]], lists: dict[str, bytes]) -> None:
        self.facts, self.lists = facts, lists
        self._files: dict[str, Optional[tuple[SourceFile, ...]]] = {}

    def of(self, id: str) -> Optional[Facts]:
        """Return the facts of a derivation; None if there are none, or none that can be believed."""
        found = self.facts.get(id)
        return None if found is None else or_none(lambda line: form.facts(line, self._files_of), found[1])

    def _files_of(self, key: str) -> Optional[tuple[SourceFile, ...]]:
        # Many derivations have the same list, and that may be long.
        if key not in self._files:
            self._files[key] = or_none(form.source_files, self.lists.get(key))
        return self._files[key]


def _read_lines(path: str) -> _Lines:
    facts: dict[str, tuple[str, bytes]] = {}
    lists: dict[str, bytes] = {}
    for line in (path and read_file(path) or b"").split(b"\n"):
        id, stamp = (
            line[at : at + DIGEST_LENGTH].decode("ascii", "replace") for at in (0, DIGEST_LENGTH + 1)
        )
        if line.startswith(_LIST):
            key, _, listed = line[len(_LIST) :].partition(b" ")
            lists[key.decode("ascii", "replace")] = listed
        elif is_digest(id) and is_digest(stamp):
            facts[id] = (stamp, line[2 * DIGEST_LENGTH + 2 :])
    return _Lines(facts, lists)


class _NewLines:
    """A file of facts in the making, after the one `before`."""

    def __init__(self, before: _Lines) -> None:
        self._before = before
        self._lists: dict[str, bytes] = {}
        # By id(): lists that are equal are mostly one value.
        self._keys: dict[int, tuple[str, tuple[SourceFile, ...]]] = {}
        self._lines: list[bytes] = []

    def add(self, entry: Entry) -> None:
        """Add what is to be recorded of a derivation."""
        stamp, data = self._before.facts.get(entry.id, ("", b""))
        named = _FILES.search(data)
        key = named[1].decode() if named is not None else ""
        if stamp == entry.stamp and key in self._before.lists:
            self._lists[key] = self._before.lists[key]
        else:
            made = entry.make(self._before.of(entry.id))
            data = form.encode_facts(made, self._key(made.files))
        self._lines.append(b"%s %s %s\n" % (entry.id.encode(), entry.stamp.encode(), data))

    def _key(self, files: tuple[SourceFile, ...]) -> str:
        if id(files) not in self._keys:
            data = form.encode_files(files)
            key = digest(data)
            self._lists[key] = data
            self._keys[id(files)] = (key, files)
        return self._keys[id(files)][0]

    def data(self) -> bytes:
        """Return all of it."""
        lists = [b"%s%s %s\n" % (_LIST, key.encode(), data) for key, data in self._lists.items()]
        return b"".join([*lists, *self._lines])


def _forget_oldest(directory: str, numbers: Sequence[int]) -> None:
    sizes = {}
    kept = set(map(str, numbers))
    for name in os.listdir(directory):
        number, suffix = name[: -len(_FACTS)], name[-len(_FACTS) :]
        if suffix == _FACTS and _NAME.fullmatch(number):
            if number in kept:
                sizes[int(number)] = os.lstat(f"{directory}/{name}").st_size
            else:
                # Its build was never recorded: the process was ended.
                os.unlink(f"{directory}/{name}")
    left = list(numbers)
    while len(left) > MOST_BUILDS or (len(left) > _ALWAYS and sum(sizes.values()) > MOST_BYTES):
        oldest = left.pop(0)
        sizes.pop(oldest, None)
        for name in (f"{oldest}", f"{oldest}{_FACTS}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{directory}/{name}")
