"""Where a store is, and whether it is there: the root, the padded directory, the record of its place."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterable
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.digest import digest
from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import make_directory, open_lock, read_file, sync_directory, write_file
from bramble.store.path import padded_store_dir, shown
from bramble.store.trust import schema
from bramble.store.trust.owner import Owner, check_directory, check_link, enter_root, missing_parts
from bramble.store.trust.schema import VERSION

OBJECT_LOCKS, BUILD_LOCKS, COLLECTOR_LOCK = LOCKS = ("locks/objects", "locks/builds", "locks/gc")
LINK = "store"
REMOVED = ".removed-"  # begins the name of what a store was before it was dismantled
FAILED = "failed"
VISITED = "var/packages"  # below the root: what is remembered of packages that a user has named
PREVIOUS_LOG = ".previous"  # behind the name of a log: that of the build of the same before
_OF_THE_DISK = "lost+found"  # is in the root of a file system
_NAMED = 3
# The entries of var/: none has content of objects; all but `roots` and `projects` can be created again.
PARTS = (
    "objects",
    "realisations",
    "projects",
    "roots",
    "sources",
    "locks",
    "logs",
    "work",
    "history",
    "inputs",
)


class Location(NamedTuple):
    """A place for a store: its root, the padded directory of its objects, and what is not content."""

    root: str
    directory: str

    @property
    def top(self) -> str:
        """The root as a path; in `root` that of the machine is empty."""
        return self.root or "/"

    @property
    def var(self) -> str:
        """The directory of all that is not content."""
        return self.root + "/var"

    @property
    def record(self) -> str:
        """The file with the path at which the bytes of the objects are valid."""
        return self.root + "/var/location"

    @property
    def padding(self) -> tuple[str, ...]:
        """The directories down to that of the objects, relative to the root, each after its parent."""
        names = self.directory[len(self.root) + 1 :].split("/")
        return tuple("/".join(names[: number + 1]) for number in range(len(names)))

    @property
    def parts(self) -> tuple[str, ...]:
        """The directories of a store, relative to its root, each after its parent."""
        return (*self.padding, "var", *(f"var/{part}" for part in PARTS))


class Record(NamedTuple):
    """What a store says of itself: its root, and its directory, whose path is the one that objects hold.

    `moving` are the places, as pairs of the same two, that some objects may
    still hold because a relocation was not finished.
    """

    root: str
    directory: str
    moving: tuple[tuple[str, str], ...] = ()


def locate(root: str) -> Location:
    """Return the place of a store below `root`, an absolute path.

    Raises BrambleError store.root-relative, store.root-too-long or
    store.root-unusable.
    """
    # spec: store.root
    raw = os.fsencode(root)
    if not raw.startswith(b"/"):
        raise BrambleError(
            "store.root-relative",
            f'the store root "{shown(raw)}" is not an absolute path',
            remedy="set BRAMBLE_PATH to a path that begins with a slash",
        )
    if b"\0" in raw:
        raise BrambleError(
            "store.root-unusable",
            "the store root holds a NUL byte",
            remedy="set BRAMBLE_PATH to another path",
        )
    normal = b"/" + os.path.normpath(raw).lstrip(b"/")
    return Location(os.fsdecode(normal).rstrip("/"), os.fsdecode(padded_store_dir(normal)))


def place_of_failed(root: str, project: str) -> str:
    """Return the directory for what failed builds of the project in the directory `project` leave."""
    return f"{os.path.normpath(root)}/var/{FAILED}/{digest(os.fsencode(project))}"


def read_record(location: Location) -> Optional[Record]:
    """Return what the store at `location` says of itself, or None if it says nothing.

    Raises BrambleError store.newer-version and store.damaged.
    """
    # spec: store.location
    data = read_file(location.record)
    if data is None:
        return None
    try:
        found = schema.place(data)
    except schema.Malformed as error:
        raise BrambleError(
            "store.damaged",
            f'"{shown(location.record)}", which says where the store was made, cannot be read: {error}',
            remedy="remove that file if the store was not moved since it was last used",
        ) from error
    if found.version > VERSION:
        raise BrambleError(
            "store.newer-version",
            f'the store "{shown(location.top)}" has version {found.version}; this Bramble knows {VERSION}',
            remedy="use a newer Bramble, or another store (BRAMBLE_PATH)",
        )
    return Record(found.root, found.directory, found.moving)


def write_record(location: Location, record: Record) -> None:
    """Record where the objects' bytes are valid, for good."""
    fields = {"version": VERSION, "root": record.root, "directory": record.directory}
    data = json.dumps({**fields, "moving": [list(pair) for pair in record.moving]}).encode()
    write_file(location.record, data, sync=True)
    sync_directory(location.var)


def open_place(root: str, owner: Owner, *, create: bool, write: bool) -> Location:
    """Return the place of the store below `root`, made if need be and `create`.

    It is looked through for what its `owner` did not make; where it may be
    written, directories that were lost are made again.

    Raises BrambleError: those of `locate`, `check` and `read_record`;
    store.missing; store.occupied; store.moved; store.link-taken; store.permission and the like.
    """
    location = locate(root)
    with DiskFailures(f'open the store "{shown(location.top)}"'):
        missing = check(location, owner, create=create)
        record = read_record(location)
        if record is None:
            _refuse_occupied(location, owner)
            if not create:
                raise BrambleError(
                    "store.missing",
                    f'there is no store at "{shown(location.top)}"',
                    remedy="build something first, or set BRAMBLE_PATH to where the store is",
                )
            _create(location, owner)
        elif record.directory != location.directory or record.moving:
            raise _moved(location, record)
        elif missing and write:
            make_directories(location, owner)
        elif missing:
            # What was not there may be there by now, and be another's.
            check(location, owner)
        if write:
            link(location, owner)
        else:
            with contextlib.suppress(FileNotFoundError):
                check_link(f"{location.root}/{LINK}", owner)
    return location


def check(location: Location, owner: Owner, *, create: bool = False) -> list[str]:
    """Refuse a store that somebody else could change; return which of its directories are not there.

    Raises BrambleError store.other-owner, store.writable-by-others,
    store.foreign-entry, store.root-unusable.
    """
    fd = enter_root(location.root, owner, create=create)
    if fd is None:
        return list(location.parts)
    try:
        return missing_parts(fd, location.root, location.parts, owner)
    finally:
        os.close(fd)


def _refuse_occupied(location: Location, owner: Owner) -> None:
    """Refuse a root that contains other files and is not a store: it is used for something else.

    The files of a store that is being created, or was not finished, are not such files; nor is
    what other people have put into a sticky directory.
    """
    # spec: store.occupied, store.owner.sticky
    own = (location.padding[0], "var", LINK, _OF_THE_DISK)
    try:
        shared = os.stat(location.top).st_mode & stat.S_ISVTX
        with os.scandir(location.top) as entries:
            others = sorted(
                entry.name
                for entry in entries
                if entry.name not in own
                and not _was_store(entry, owner)
                and not (shared and entry.stat(follow_symlinks=False).st_uid != owner.uid)
            )
    except FileNotFoundError:
        return
    if others:
        named = ", ".join(shown(name) for name in others[:_NAMED]) + (", …" if len(others) > _NAMED else "")
        raise BrambleError(
            "store.occupied",
            f'"{shown(location.top)}" is neither a store nor a possible place for one: it contains {named}',
            remedy="set BRAMBLE_PATH to an empty or new directory, or move it away",
        )


def _was_store(entry: os.DirEntry[str], owner: Owner) -> bool:
    """Return whether this is what is left of a store that was removed (spec: store.dismantle)."""
    named = entry.name.startswith(REMOVED) and entry.is_dir(follow_symlinks=False)
    return named and entry.stat(follow_symlinks=False).st_uid == owner.uid


def _moved(location: Location, record: Record) -> BrambleError:
    # spec: store.moved
    if record.moving:
        return BrambleError(
            "store.moved",
            f'moving the store to "{shown(record.root)}" was not finished',
            remedy="run `bramble store relocate`",
        )
    remedy = f'run `bramble store relocate`, or move it back to "{shown(record.root)}"'
    try:
        if os.path.samefile(record.root, location.root):
            remedy = f'set BRAMBLE_PATH to "{shown(record.root)}", another name of the same directory'
    except OSError:
        pass
    return BrambleError(
        "store.moved",
        f'the store at "{shown(location.top)}" was made at "{shown(record.root)}": what is in it '
        "still names that place",
        remedy=remedy,
    )


def _create(location: Location, owner: Owner) -> None:
    """Make an empty store. The record comes last: with it the store is there, and not before."""
    # spec: store.layout
    make_directories(location, owner)
    link(location, owner)
    write_record(location, Record(location.root, location.directory))


def make_directories(location: Location, owner: Owner) -> None:
    """Make the directories and the locks of a store, those that are not there.

    The locks are made now so that a full disk can be collected later.

    Raises BrambleError: those of `check`, for what another has made meanwhile; and OSError.
    """
    # spec: store.modes
    make_parts(location.root, location.parts, owner)
    for lock in LOCKS:
        os.close(open_lock(f"{location.var}/{lock}"))


def make_parts(root: str, parts: Iterable[str], owner: Owner) -> None:
    """Create directories, relative to `root`, each after its parent; existing ones are checked.

    Raises BrambleError: those of `check`; and OSError.
    """
    # spec: store.owner.sticky
    for part in parts:
        path = f"{root}/{part}"
        with contextlib.suppress(FileExistsError):
            make_directory(path)
        # Another may have been quicker. From here on nobody else can put something in its place.
        check_directory(path, os.lstat(path), owner)


def _read_link(path: str) -> Optional[str]:
    """Return the target of a symbolic link: None if nothing is, and "" if something else is."""
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        # EINVAL: no link.
        if error.errno != errno.EINVAL:
            raise
        return ""


def link(location: Location, owner: Owner, *, replace: bool = False) -> None:
    """Make the short link `store` beside the padded directory; with `replace`, in place of another link."""
    path = f"{location.root}/{LINK}"
    target = location.directory[len(location.root) + 1 :]
    found = _read_link(path)
    if found is None or (replace and found and found != target):
        if found:
            os.unlink(path)
        # Another process may be quicker: what it made is looked at as any other.
        with contextlib.suppress(FileExistsError):
            os.symlink(target, path)
        found = _read_link(path)
    if found == target:
        check_link(path, owner)
        return
    raise BrambleError(
        "store.link-taken",
        f'"{shown(path)}" must be a link to the directory of the store, and is something else',
        remedy="move it away, or set BRAMBLE_PATH to another directory",
    )
