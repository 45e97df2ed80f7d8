"""`bramble self uninstall`: what Bramble keeps on this machine, and removing it.

Only what Bramble itself has made is removed, by its name: a directory is not taken for the cache because
of where it is. It has to be the user's own; no symbolic link is followed, and what is mounted is left.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Optional

from bramble.commands.complete import COMPLETION
from bramble.commands.context.evaluating import MODULES
from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting
from bramble.commands.repl import HISTORY_NAME
from bramble.commands.trust import TRUST_NAME
from bramble.errors import BrambleError
from bramble.recall.answers import ANSWERS, EVALUATIONS
from bramble.record import dataclass, replace
from bramble.sandbox.remount import unescape
from bramble.self.origin import Origin, is_copy, origin
from bramble.self.unpack import UNFINISHED
from bramble.store.disk import Store
from bramble.store.files.remove import remove_tree
from bramble.store.gc.dismantle import dismantle
from bramble.store.records.roots import projects
from bramble.store.trust.people import user

__all__ = ["ABSENT", "KEEP", "REMOVE", "Inventory", "Place", "remove", "survey"]

REMOVE, KEEP, ABSENT = "remove", "keep", "absent"


@dataclass(frozen=True)
class Place:
    """One place where Bramble keeps something.

    `kind` is `store`, `state`, `configuration` or `cache`; `path` is absolute; `names` is what
    in it is Bramble's and can be removed; `size` (bytes) and `files` count that. `fate` is `remove`, `keep`
    or `absent`. `reasons` say what is left and why.
    """

    kind: str
    path: str
    fate: str
    names: tuple[str, ...] = ()
    size: int = 0
    files: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inventory:
    """All places, in the order of their removal, the known projects (directories), and the program itself."""

    places: tuple[Place, ...]
    projects: tuple[str, ...]
    program: Origin


def survey(setting: Setting, program: str, *, with_store: bool = False) -> Inventory:
    """Return what Bramble keeps, and what of it is to be removed; nothing is changed.

    `program` is what this process was started as. The store is to be removed only `with_store`.
    """
    # spec: self.uninstall
    mounts = _mounts()
    store, known = _store(setting, mounts, with_store=with_store)
    return Inventory(
        (
            store,
            _place("state", setting.state, mounts, _named(HISTORY_NAME), stat.S_ISREG),
            _place("configuration", setting.config, mounts, _named(TRUST_NAME), stat.S_ISREG),
            _place("cache", setting.cache, mounts, _is_of_the_cache, stat.S_ISDIR),
        ),
        known,
        origin(program),
    )


def remove(inventory: Inventory, setting: Setting) -> Inventory:
    """Remove what the inventory says, the store first, and return what is left of each place.

    Raises BrambleError store.in-use before anything is removed; self.unremovable where the system refuses.
    """
    # spec: self.uninstall.order
    return replace(inventory, places=tuple(_removed(place, setting) for place in inventory.places))


def _removed(place: Place, setting: Setting) -> Place:
    if place.fate != REMOVE:
        return place
    if place.kind == "store":
        left = dismantle(open_store(setting, change=True, create=False))
    else:
        left = _emptied(place)
    reasons = tuple(f"{name} is not Bramble's" for name in left if not _is_mentioned(name, place.reasons))
    return replace(place, reasons=(*place.reasons, *reasons))


def _emptied(place: Place) -> tuple[str, ...]:
    """Remove the names of a place, and its directory if nothing else is in it; return what else is."""
    try:
        for name in place.names:
            remove_tree(os.path.join(place.path, name))
        left = tuple(sorted(os.listdir(place.path)))
        if not left:
            os.rmdir(place.path)
        return left
    except OSError as error:
        raise BrambleError(
            "self.unremovable",
            f"{error.filename or place.path} cannot be removed: {error.strerror}",
            remedy="remove it yourself, and run the command again for the rest",
        ) from error


def _is_mentioned(name: str, reasons: tuple[str, ...]) -> bool:
    return any(reason.startswith(f"{name} ") for reason in reasons)


def _place(
    kind: str,
    path: Optional[str],
    mounts: tuple[str, ...],
    is_ours: Callable[[str], bool],
    is_kind: Callable[[int], bool],
) -> Place:
    """Look at a directory in which `is_ours` knows what Bramble has made, which `is_kind`."""
    # spec: self.uninstall.own
    if path is None or not os.path.lexists(path):
        return Place(kind, path or "", ABSENT)
    reason = _foreign(os.lstat(path), stat.S_ISDIR)
    if reason:
        return Place(kind, path, KEEP, reasons=(f"it {reason}",))
    names, reasons, size, files = [], [], 0, 0
    try:
        listed = sorted(os.listdir(path))
    except OSError as error:
        return Place(kind, path, KEEP, reasons=(f"it cannot be read: {error.strerror}",))
    for name in listed:
        inner = os.path.join(path, name)
        status = os.lstat(inner)
        if not is_ours(inner):
            reasons.append(f"{name} is not Bramble's")
            continue
        reason = _foreign(status, is_kind) or _mounted(inner, mounts)
        if reason:
            reasons.append(f"{name} {reason}")
            continue
        names.append(name)
        more, count = _measure(inner)
        size, files = size + more, files + count
    fate = REMOVE if names or not listed else KEEP
    return Place(kind, path, fate, tuple(names), size, files, tuple(reasons))


def _named(known: str) -> Callable[[str], bool]:
    """Return what knows a file by its name, also one that was to replace it when that broke off."""

    def is_ours(path: str) -> bool:
        name = os.path.basename(path)
        return name == known or (name.startswith(f".{known}.") and name.endswith(".new"))

    return is_ours


# What is kept there: by commands, and by `python -m bramble.starlark`.
_CACHES = (MODULES, ANSWERS, EVALUATIONS, COMPLETION, "starlark")


def _is_of_the_cache(path: str) -> bool:
    name = os.path.basename(path)
    return name in _CACHES or name.startswith(UNFINISHED) or is_copy(path)


def _foreign(status: os.stat_result, is_kind: Callable[[int], bool]) -> str:
    """Return why something is left alone; "" for the user's own, of the right kind."""
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link, which is not followed"
    if not is_kind(status.st_mode):
        return "was not created by Bramble"
    if status.st_uid != os.geteuid():
        return f"belongs to {user(status.st_uid)}"
    return ""


def _mounts() -> tuple[str, ...]:
    """Return where something is mounted: proc_pid_mountinfo(5)."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return tuple(os.fsdecode(unescape(line.split(b" ")[4])) for line in file)
    except OSError:
        return ()


def _mounted(path: str, mounts: tuple[str, ...]) -> str:
    real = os.path.realpath(path)
    found = [mount for mount in mounts if mount == real or mount.startswith(real + "/")]
    return f"is kept, because something is mounted at {found[0]}" if found else ""


def _measure(path: str) -> tuple[int, int]:
    """Return the bytes and the number of the files at and below a path."""
    sizes = list(_sizes(path))
    return sum(sizes), len(sizes)


def _sizes(path: str) -> Iterator[int]:
    if not os.path.isdir(path):
        yield os.lstat(path).st_size
    for directory, _, names in os.walk(path):
        for name in names:
            try:
                yield os.lstat(os.path.join(directory, name)).st_size
            except OSError:
                continue


def _store(setting: Setting, mounts: tuple[str, ...], *, with_store: bool) -> tuple[Place, tuple[str, ...]]:
    """Return the store as a place, and the projects that it knows."""
    # spec: self.uninstall.store
    root = setting.store_root
    try:
        store = open_store(setting, read_only=True)
    except BrambleError as error:
        if error.code in ("store.missing", "store.no-home"):
            return Place("store", root, ABSENT), ()
        return Place("store", root, KEEP, reasons=(error.message,)), ()
    size, files = _measure(store.var)
    names = tuple(store.names())
    size += sum(_size_of(store, name) for name in names)
    place = Place("store", store.root or "/", REMOVE, size=size, files=files + len(names))
    known = _known_projects(store)
    reason = ""
    if setting.store_of is not None:
        reason = f"it belongs to {setting.store_of}"
    elif not with_store:
        reason = "it has the results of builds; --store also removes it"
    else:
        parts = (store.location.padding[0], "var")
        reasons = [_mounted(f"{store.root}/{part}", mounts) for part in parts]
        reason = next((f"it {one}" for one in reasons if one), "")
    return (replace(place, fate=KEEP, reasons=(reason,)) if reason else place), known


def _known_projects(store: Store) -> tuple[str, ...]:
    try:
        return tuple(sorted(record.project for _, record in projects(store)))
    except BrambleError:
        return ()


def _size_of(store: Store, name: str) -> int:
    try:
        return store.object(name).size
    except BrambleError:
        return 0
