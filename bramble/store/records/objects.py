"""The objects of a store: which there are, what they refer to, and that nobody removes them meanwhile."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Optional

from bramble.errors import BrambleError
from bramble.store.digest import is_digest
from bramble.store.files.small import Directory
from bramble.store.late import late
from bramble.store.layout.place import BUILD_LOCKS, OBJECT_LOCKS, Location
from bramble.store.locks.advisory import LockFile, LocksUnsupported, alone
from bramble.store.locks.uses import Uses
from bramble.store.model import StoreObject
from bramble.store.records.files import read_dated_object, read_object, write_object
from bramble.store.trust.owner import Owner, check_directory

if TYPE_CHECKING:
    from bramble.store.files.sync import Syncer

# A use is noted once a day at most: it is there for gc, which counts in days.
NOTE_USE_AFTER = 86400.0

# Names in the store's directory of what is not yet, and no longer, an object; a digest follows them.
# A directory `.old-DIGEST-…` is rubbish; a file of such a name says that the object DIGEST itself is, since
# its directory could not be renamed.
STAGED = ".new-"
TRASH = ".old-"


def note_use(record: str) -> None:
    """Let the time of a record say when what it is about was last used, to a day."""
    directory, _, name = record.rpartition("/")
    note_uses((name,), Directory.at(directory))


def note_uses(records: Iterable[str], where: Directory) -> None:
    """Do for many records of one directory what `note_use` does for one."""
    # spec: store.gc.last-use
    stat, before, (_, fd, start) = os.stat, time.time() - NOTE_USE_AFTER, where
    for record in records:
        # For thousands of them a context manager would take longer than the look.
        try:  # noqa: SIM105
            if stat(start + record, dir_fd=fd).st_mtime < before:
                os.utime(start + record, dir_fd=fd)
        except OSError:
            pass


def is_old(noted: float) -> bool:
    """Return whether a use should be noted again that was last noted then: seconds since 1970."""
    return noted < time.time() - NOTE_USE_AFTER


class _Descriptor:
    """An open directory, closed when nobody refers to it any more; -1 if it could not be opened."""

    def __init__(self, path: str) -> None:
        self.number = -1
        with contextlib.suppress(OSError):
            self.number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


class Objects:
    """What is asked of a store all the time. Safe to use from several threads."""

    def __init__(self, location: Location, owner: Owner, *, read_only: bool) -> None:
        self.owner = owner
        self.root = location.root
        self.directory = location.directory
        self.var = location.var
        self._records, self._realisations = f"{location.var}/objects", f"{location.var}/realisations"
        self.location = location
        self.read_only = read_only
        # Called while a record is locked by another process: what it raises ends the waiting.
        self.on_wait: Optional[Callable[[], None]] = None
        self._known: dict[str, StoreObject] = {}
        self._in_use: set[str] = set()
        self._complete: set[str] = set()
        self._lock = Lock()
        self._uses: Optional[Uses] = None
        self._uses_lock = Lock()
        self._syncer: Optional[Syncer] = None
        # A failure to write is reported to the descriptors that were open when it happened, so this one is
        # there before anything is written.
        self._first = None if read_only else _Descriptor(self.directory)
        # Directories in which names are looked up by the thousand: the way to them is gone once.
        self._opened: dict[str, tuple[_Descriptor, Directory]] = {}

    def object_path(self, name: str) -> str:
        """Return the path of the object `name` on this machine."""
        return f"{self.directory}/{name}"

    def contains(self, name: str) -> bool:
        """Return whether the object `name` is in the store."""
        return os.access(f"{self.directory}/{name}", os.F_OK)

    def all_there(self, names: Iterable[str]) -> bool:
        """Return whether all of these objects are in the store."""
        access, (_, fd, start) = os.access, self.opened(self.directory)
        return all([access(start + name, os.F_OK, dir_fd=fd) for name in names])

    def opened(self, directory: str) -> Directory:
        """Return where files of a directory of the store are found without going the way to it again."""
        found = self._opened.get(directory)
        if found is None:
            made = _Descriptor(directory)
            where = Directory.at(directory, None if made.number < 0 else made.number)
            # Of two threads that come here, both use the one that was first.
            found = self._opened.setdefault(directory, (made, where))
        return found[1]

    def names(self) -> list[str]:
        """Return the names of all objects, sorted."""
        return sorted(filter(is_digest, os.listdir(self.directory)))

    def object(self, name: str) -> StoreObject:
        """Return what is recorded of the object `name`.

        Raises BrambleError store.unknown-object if there is no record of it,
        and store.damaged-record.
        """
        known = self._known.get(name)
        return self._read(name)[0] if known is None else known

    def _read(self, name: str) -> tuple[StoreObject, float]:
        """Read what `object` returns, and when it was last noted that the object was used."""
        found = read_dated_object(self.opened(self._records), name)
        if found is None:
            raise BrambleError(
                "store.unknown-object",
                f"there is no object {name} in the store",
                remedy="build it again; `bramble store verify` finds what else is missing",
            )
        self._known[name] = found[0]
        return found

    def references(self, name: str) -> tuple[str, ...]:
        """Return the objects to which `name` refers, sorted, itself not included."""
        return self.object(name).references

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return `names` and all that they refer to, directly or not; sorted.

        Raises BrambleError as `object` does.
        """
        # spec: objects.references.closure
        seen = set(names)
        left = list(seen)
        while left:
            for name in self.object(left.pop()).references:
                if name not in seen:
                    seen.add(name)
                    left.append(name)
        return tuple(sorted(seen))

    def is_complete(self, names: Iterable[str]) -> bool:
        """Return whether these objects, and all that they refer to, are in the store; they are protected."""
        return self.first_missing(names) is None

    def first_missing(self, names: Iterable[str]) -> Optional[str]:
        """Return the name of an object that is needed to have `names` whole, and not there; None if all are.

        An object of which nothing is recorded is not there. `names` are protected.
        """
        # spec: store.complete
        left = [name for name in names if name not in self._complete]
        if not left:
            return None
        # Of those whose records are read now nobody has to ask once more when they were used.
        unnoted = set(self._protect(left))
        try:
            return self._find_missing(left, unnoted)
        finally:
            self._note(unnoted)

    def _find_missing(self, left: list[str], unnoted: set[str]) -> Optional[str]:
        """Do what `first_missing` does for names that are protected; take from `unnoted` what is not old."""
        seen, due = set(left), time.time() - NOTE_USE_AFTER
        while left:
            name = left.pop()
            if not self._is_there(name):
                return name
            known = self._known.get(name)
            if known is None:
                try:
                    known, noted = self._read(name)
                except BrambleError:
                    return name
                if noted >= due:
                    unnoted.discard(name)
            for reference in known.references:
                if reference not in seen and reference not in self._complete:
                    seen.add(reference)
                    left.append(reference)
        if self.owner.is_foreign:
            late("records.foreign", "check_bytes")(self, seen)
        self._complete |= seen
        return None

    def record(self, made: StoreObject, *, sync: bool = False) -> StoreObject:
        """Record what is known of an object, and return that with what was known of it before.

        The same bytes may have been made from other inputs, or be somebody's
        sources: what either knows to be a reference is one, if it is there.
        """
        # spec: store.records.object
        with alone(f"{self.var}/{BUILD_LOCKS}", made.name, self.on_wait):
            try:
                there = read_object(self.var, made.name)
            except BrambleError:
                there = None
            if there is not None:
                # A record without an object was left by a crash: what it names may have gone since.
                named = there.references
                kept = named if self.contains(made.name) else tuple(filter(self.contains, named))
                made = StoreObject(made.name, tuple(sorted({*made.references, *kept})), made.size)
            if made != there:
                write_object(self.var, made, sync=sync)
        if there is not None and made != there:
            self.forget(made.name)
        return made

    def _is_there(self, name: str) -> bool:
        """Return whether an object is in the store; refuse one that others could change."""
        # spec: store.owner
        path, fd, start = self.opened(self.directory)
        try:
            status = os.stat(start + name, dir_fd=fd, follow_symlinks=False)
            check_directory(path + name, status, self.owner)
        except FileNotFoundError:
            return False
        return True

    def forget(self, name: str) -> None:
        """Forget what was read about the object `name`: it has changed, or is gone."""
        self._known.pop(name, None)
        self._complete.clear()

    def sync(self, trees: Sequence[str] = ()) -> None:
        """Wait until everything that was written to the store is on the disk, for good; see `Syncer.sync`."""
        with self._lock:
            if self._syncer is None:
                first = -1 if self._first is None else self._first.number
                self._syncer = late("files.sync", "Syncer")(self.directory, first)
        self._syncer.sync(trees)

    def protect(self, names: Iterable[str]) -> None:
        """Keep objects from being removed by any process, as long as this process lives.

        An object protects all that it refers to. What was not there when it was
        protected may have been in the process of being removed: look
        whether it is there afterwards, not before.
        """
        # spec: store.gc.protection
        self._note(self._protect(names))

    def _note(self, names: Iterable[str]) -> None:
        if not self.read_only:
            note_uses(names, self.opened(self._records))

    def _protect(self, names: Iterable[str]) -> list[str]:
        """Do what `protect` does, but note no use; return those that were not protected before."""
        with self._uses_lock:
            new = [name for name in dict.fromkeys(names) if name not in self._in_use]
            if not new:
                return []
            try:
                if self._uses is None:
                    path = f"{self.var}/{OBJECT_LOCKS}"
                    patient = not self.owner.is_foreign
                    self._uses = Uses(self.var, path, read_only=self.read_only, patient=patient)
                self._uses.add(new)
            except LocksUnsupported:
                # Then nobody can remove anything either.
                return []
            except OSError:
                if self._uses is None and self.read_only:
                    # Somebody else's store, in which nobody has ever collected.
                    return []
                raise
            self._in_use.update(new)
        return new

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Keep one object from being removed for a moment, without noting that it was used."""
        locks = self._open_locks()
        try:
            if locks is not None:
                with contextlib.suppress(LocksUnsupported):
                    locks.share(name)
            yield
        finally:
            if locks is not None:
                locks.close()

    def in_use(self) -> frozenset[str]:
        """Return the objects that this process protects."""
        return frozenset(self._in_use)

    def close(self) -> None:
        """Give up everything that is protected."""
        if self._uses is not None:
            self._uses.close()
            self._uses = None
        self._first = self._syncer = None
        self._opened.clear()
        self._in_use.clear()
        self._complete.clear()

    def _open_locks(self) -> Optional[LockFile]:
        path = f"{self.var}/{OBJECT_LOCKS}"
        if not self.read_only:
            return LockFile(path)
        try:
            return LockFile(path, read_only=True)
        except OSError:
            # Somebody else's store, in which nobody has ever collected.
            return None
