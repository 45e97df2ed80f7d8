"""Verifying a store: is everything in it what its name says, and is everything there that is needed?"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Callable, Optional

from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.store.digest import is_digest
from bramble.store.files import walk
from bramble.store.files.failures import DiskFailures
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import read_file
from bramble.store.gc.optimise import closed_directories
from bramble.store.gc.removal import set_aside
from bramble.store.path import shown
from bramble.store.records.files import read_object
from bramble.store.records.objects import STAGED, TRASH, Objects
from bramble.store.records.reread import record_of, reread
from bramble.store.tree.form import seal, stored_mode
from bramble.store.trust.schema import Malformed, decode, is_derivation

DerivationCheck = Callable[[str, bytes], bool]

# The kinds of damage: the closed list of the values of `Damage.kind`.
CONTENT, REFERENCE, RECORD, MODE, DERIVATION, FOREIGN, UNREADABLE = (
    "content",
    "reference",
    "record",
    "mode",
    "derivation",
    "foreign",
    "unreadable",
)


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong in a store.

    `name` is what it is called in the store's directory. `kind` is
    "content" (the bytes do not match the name), "unreadable", "reference"
    (something it refers to is missing), "record" (what is known about it is
    lost or broken), "mode" (a mode, a time or an attribute is not the store's), "derivation" (a `.drv` that
    is cut short or was edited) or "foreign" (something that no store puts there).
    `missing` is the object that a "reference" is to.
    """

    name: str
    kind: str
    detail: str
    missing: str = ""


@dataclass(frozen=True)
class VerifyReport:
    """What was looked at, what was wrong, and what of that has been put right."""

    objects: int
    size: int
    derivations: int
    damages: tuple[Damage, ...]
    repaired: tuple[Damage, ...] = ()
    removed: tuple[Damage, ...] = ()
    """Derivations that cannot be written again: removing them repairs the store."""

    @property
    def left(self) -> tuple[Damage, ...]:
        """What is still wrong."""
        done = {*self.repaired, *self.removed}
        return tuple(damage for damage in self.damages if damage not in done)


def verify(
    objects: Objects,
    names: Optional[Sequence[str]] = None,
    *,
    jobs: Optional[int] = None,
    check_derivation: Optional[DerivationCheck] = None,
    rebuild: Optional[Callable[[str], bool]] = None,
    on_object: Optional[Callable[[str, int], None]] = None,
) -> VerifyReport:
    """Read everything in the store again, on `jobs` cores (all, if None), and report what is wrong.

    `names` are the objects to be looked at, all if None; derivations and
    foreign files only with all. `check_derivation(filename, bytes)` says
    whether a `.drv` is what its name says. `on_object(name, bytes)` is called
    when one was looked at, from any thread.

    With `rebuild` the store is repaired: what only needs another mode or a new
    record gets it; an object whose bytes are wrong is moved aside, and
    `rebuild(name)` makes it again and says whether it could; if not, the
    object is put back as it was. A damaged `.drv` is removed, for it says
    nothing that can be believed, and `rebuild(filename)` may write it again.
    """
    # spec: store.verify
    with DiskFailures("verify the store"), closed_directories(objects):
        wanted = objects.names() if names is None else sorted(names)
        check = _Check(objects, on_object)
        workers = jobs or len(os.sched_getaffinity(0))
        with ThreadPoolExecutor(workers) as pool:
            found = [damage for damages in pool.map(check.object, wanted) for damage in damages]
        derivations = 0
        if names is None:
            derivations, others = _check_others(objects, check_derivation)
            found.extend(others)
        damages = tuple(sorted(found, key=lambda damage: (damage.name, damage.kind, damage.detail)))
        repaired: tuple[Damage, ...] = ()
        removed: tuple[Damage, ...] = ()
        if rebuild is not None and not objects.read_only:
            repaired = tuple(_repair(objects, damages, rebuild))
            objects.sync()
            removed = tuple(damage for damage in damages if _is_gone(objects, damage))
        return VerifyReport(len(wanted), check.size, derivations, damages, repaired, removed)


class _Check:
    def __init__(self, objects: Objects, on_object: Optional[Callable[[str, int], None]]) -> None:
        self._objects = objects
        self._on_object = on_object
        self._lock = Lock()
        self.size = 0

    def object(self, name: str) -> list[Damage]:
        """Return what is wrong with one object."""
        with self._objects.held(name):
            return self._object(name) if self._objects.contains(name) else []

    def _object(self, name: str) -> list[Damage]:
        damages: list[Damage] = []
        objects = self._objects
        try:
            read = reread(objects, name, parallel=False)
        except NotADirectoryError:
            return [Damage(name, FOREIGN, "it is not a directory")]
        except OSError as error:
            return [Damage(name, UNREADABLE, str(error))]
        except BrambleError as error:
            return [Damage(name, CONTENT, error.message)]
        identity = read.identity
        if identity.name != name:
            damages.append(Damage(name, CONTENT, f"its bytes have the name {identity.name}"))
        elif read.odd is not None:
            damages.append(Damage(name, MODE, shown(read.odd)))
        damages.extend(self._record(name))
        with self._lock:
            self.size += identity.size
        if self._on_object is not None:
            self._on_object(name, identity.size)
        return damages

    def _record(self, name: str) -> Iterator[Damage]:
        try:
            record = read_object(self._objects.var, name)
        except BrambleError as error:
            yield Damage(name, RECORD, error.message)
            return
        if record is None:
            yield Damage(name, RECORD, "there is no record of what it refers to")
            return
        # What it refers to may be collected right behind it, but not while it is held.
        for reference in record.references:
            if not self._objects.contains(reference):
                yield Damage(name, REFERENCE, f"it refers to {reference}, which is missing", reference)


def _check_others(objects: Objects, check: Optional[DerivationCheck]) -> tuple[int, list[Damage]]:
    """Check everything in the store's directory that is not an object."""
    count = 0
    damages: list[Damage] = []
    for name in sorted(os.listdir(objects.directory)):
        path = f"{objects.directory}/{name}"
        if is_digest(name):
            continue
        if is_derivation(name):
            count += 1
            try:
                wrong = _wrong_derivation(path, name, check)
            except (OSError, BrambleError) as error:
                damages.append(Damage(name, UNREADABLE, str(error)))
                continue
            if wrong:
                damages.append(Damage(name, DERIVATION, wrong))
        elif not name.startswith((STAGED, TRASH, ".tmp-")):
            damages.append(Damage(name, FOREIGN, "a name that does not belong in a store"))
    return count, damages


def _wrong_derivation(path: str, name: str, check: Optional[DerivationCheck]) -> str:
    data = read_file(path)
    if not data:
        # Removed meanwhile, or written just before a crash, which counts as not written.
        return ""
    try:
        decode(data)
    except Malformed:
        return "it is truncated, or not a derivation"
    if check is not None and not check(name, data):
        return "its bytes do not match its name"
    return ""


def _repair(objects: Objects, damages: Sequence[Damage], rebuild: Callable[[str], bool]) -> Iterator[Damage]:
    """Put right what can be, and yield that."""
    # spec: store.verify.repair
    made: dict[str, bool] = {}
    for damage in damages:
        name = damage.name
        if damage.kind in (CONTENT, UNREADABLE) and is_digest(name):
            if name not in made:
                made[name] = _replace(objects, name, rebuild)
            if made[name]:
                yield damage
        elif made.get(name) and damage.kind in (MODE, RECORD):
            # Built again, and with it its modes and its record.
            yield damage
        elif damage.kind == REFERENCE:
            missing = damage.missing
            if objects.contains(missing) or (rebuild(missing) and objects.contains(missing)):
                yield damage
        elif damage.kind == MODE:
            _seal_all(objects.object_path(name))
            yield damage
        elif damage.kind == RECORD:
            read = reread(objects, name, objects.names())
            if read.identity.name == name:
                objects.record(record_of(name, read.identity), sync=True)
                objects.forget(name)
                yield damage
        elif damage.kind == DERIVATION:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{objects.directory}/{name}")
            if rebuild(name) and objects.contains(name):
                yield damage


def _is_gone(objects: Objects, damage: Damage) -> bool:
    return damage.kind == DERIVATION and not objects.contains(damage.name)


def _replace(objects: Objects, name: str, rebuild: Callable[[str], bool]) -> bool:
    """Move a damaged object aside and have it made again; put it back if that fails."""
    with objects.held(name):
        record = None
        with contextlib.suppress(BrambleError):
            record = read_object(objects.var, name)
        aside = set_aside(objects, name)
        done = False
        try:
            done = rebuild(name) and objects.contains(name)
        finally:
            if done or objects.contains(name):
                remove_tree(aside)
            else:
                if record is not None:
                    objects.record(record)
                os.rename(aside, objects.object_path(name))
    return done


def _seal_all(path: str) -> None:
    """Give everything in an object the mode and the time that it has in the store, and no attributes."""
    top = os.open(path, walk.DIRECTORY_FLAGS)
    try:
        with contextlib.closing(walk.walk(top)) as members:
            for member in members:
                if member.kind == walk.LEAVE:
                    seal(member.fd, 0o555)
                elif member.kind == walk.FILE:
                    fd = os.open(member.base, walk.FILE_FLAGS, dir_fd=member.parent)
                    try:
                        seal(fd, stored_mode(os.fstat(fd).st_mode))
                    finally:
                        os.close(fd)
        seal(top, 0o555)
    finally:
        os.close(top)
