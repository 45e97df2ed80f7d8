"""The store: one directory of objects and what is known about them. The entry point of this package."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Callable, Optional

from bramble.errors import BrambleError
from bramble.store.digest import DIGEST_LENGTH, is_digest
from bramble.store.files.failures import DiskFailures, from_os_error
from bramble.store.files.small import read_file, write_file
from bramble.store.late import late
from bramble.store.layout.place import BUILD_LOCKS, PREVIOUS_LOG, open_place
from bramble.store.locks.advisory import LockFile
from bramble.store.model import HiddenName, RawOutput, Realisation, StoreObject
from bramble.store.path import shown
from bramble.store.records import files as records
from bramble.store.records import stamps
from bramble.store.records.objects import Objects, is_old, note_use
from bramble.store.trust.owner import Owner

if TYPE_CHECKING:
    from bramble.store.layout.workspace import Workspace as Workspace

__all__ = ["HiddenName", "RawOutput", "Realisation", "Store", "StoreObject"]


class Store(Objects):
    """The objects, derivations and realisations of one user or one machine.

    Safe to use from several threads, and beside any number of processes.
    """

    @staticmethod
    def open(
        root: str, *, create: bool = True, read_only: bool = False, owner: Optional[int] = None
    ) -> Store:
        """Return the store below `root`, an absolute path; it is made if need be and `create`.

        A `read_only` store is never written to, not even to note its use. It
        belongs to the user `owner`, a number; None is the user of this process.
        One of another user is only read, and its objects are read again before they are used.

        Raises BrambleError store.root-relative, store.root-too-long,
        store.root-unusable, store.missing, store.occupied, store.moved, store.newer-version,
        store.damaged, store.link-taken, store.other-owner,
        store.writable-by-others, store.foreign-entry, and those of failed system calls.
        """
        # spec: store.read-only, store.owner
        user = os.geteuid()
        whose = Owner(user if owner is None else owner, user)
        read_only = read_only or whose.is_foreign
        place = open_place(root, whose, create=create and not read_only, write=not read_only)
        return Store(place, whose, read_only=read_only)

    def add_sources(
        self,
        root: str,
        files: Sequence[str],
        *,
        project: Optional[str] = None,
        looks: Optional[stamps.Looks] = None,
    ) -> str:
        """Make the named files one object and return its name.

        `files` are relative to the directory `root`. Files that have not changed
        since the last time are not read if the object of that time is there: they are taken from it. Links
        may point anywhere in the directory `project` (`root` if it is None), and nowhere else. What is in
        `looks` is not looked at again, see `bramble.store.records.stamps.look_at`.

        Raises BrambleError store.source-missing, store.source-special,
        store.source-link, store.source-outside, store.changed-while-read, and
        those of `publish`.
        """
        allowed = project or root
        now, known = self._recall(root, files, allowed, looks)
        if known is not None and not self.is_complete([known.object]):
            known = None
        if known is not None and known.stamps == now.stamps:
            return known.object
        made: stamps.Known = late("publish.sources", "add_sources")(self, root, files, allowed, now, known)
        if not self.read_only:
            with DiskFailures("record the stamps of sources"):
                stamps.remember(self.var, root, files, allowed, made, self.on_wait)
        return made.object

    def recall_sources(
        self,
        root: str,
        files: Sequence[str],
        *,
        project: Optional[str] = None,
        looks: Optional[stamps.Looks] = None,
    ) -> Optional[str]:
        """Return the name that `add_sources` would return, if it is known without reading the files.

        The object is protected, and need not be in the store. `looks` as in `add_sources`. Raises
        BrambleError store.source-missing.
        """
        # spec: store.sources.stamps
        now, known = self._recall(root, files, project or root, looks)
        return known.object if known is not None and known.stamps == now.stamps else None

    def source_contents(
        self, name: str, root: str, files: Sequence[str], *, project: Optional[str] = None
    ) -> Optional[list[tuple[bytes, int]]]:
        """Return the SHA-256 and the mode of each file when they became the object `name`.

        Of a link it is the SHA-256 of its target. None if that is not recorded. The other arguments are
        as in `add_sources`.
        """
        # spec: store.sources.stamps
        with DiskFailures("look at sources"):
            key = stamps.key_of(root, files, project or root)
            known = stamps.recall(self.var, key, len(files))
        return stamps.contents(known) if known is not None and known.object == name else None

    def _recall(
        self, root: str, files: Sequence[str], allowed: str, looks: Optional[stamps.Looks]
    ) -> tuple[stamps.Stamps, Optional[stamps.Known]]:
        with DiskFailures("look at sources"):
            now = stamps.take(root, files, allowed, looks)
            known = stamps.recall(self.var, now.key, len(files))
        if known is not None:
            self.protect([known.object])
        return now, known

    def workspace(self, name: str = "") -> AbstractContextManager[Workspace]:
        """Give a private directory on the store's file system, called `name`, which is removed at the end."""
        self.refuse_to_write()
        given: AbstractContextManager[Workspace] = late("layout.workspace", "workspace")(self.var, name)
        return given

    def publish(
        self,
        outputs: Sequence[RawOutput],
        *,
        closure: Collection[str],
        build_name: Optional[str],
        allowed_pieces: Optional[Collection[str]] = None,
        on_hidden: Optional[Callable[[HiddenName], None]] = None,
    ) -> dict[str, StoreObject]:
        """Make objects of what a build has made: see `bramble.store.publish.publication.publish`.

        Their names are there for good after the next `record_realisation` or `sync`.
        """
        published: dict[str, StoreObject] = late("publish.publication", "publish")(
            self,
            outputs,
            closure=closure,
            build_name=build_name,
            allowed_pieces=allowed_pieces,
            on_hidden=on_hidden,
        )
        return published

    def write_derivation(self, filename: str, data: bytes) -> None:
        """Write the store derivation `DIGEST-NAME.drv`, unless it is there with the same bytes."""
        # spec: store.derivations
        self.refuse_to_write()
        path = f"{self.directory}/{filename}"
        with DiskFailures("write a derivation"):
            if read_file(path) != data:
                write_file(path, data, sync=False, mode=0o444)

    def read_derivation(self, filename: str) -> bytes:
        """Return the bytes of the store derivation `filename`.

        Raises BrambleError store.unknown-derivation.
        """
        data = None
        if is_digest(filename[:DIGEST_LENGTH]) and "/" not in filename:
            with DiskFailures("read a derivation"):
                data = read_file(f"{self.directory}/{filename}")
        if not data:
            # An empty one was written just before a crash: it is treated as absent.
            raise BrambleError(
                "store.unknown-derivation",
                f'there is no derivation "{shown(filename)}" in the store',
                remedy="build it again",
            )
        return data

    def realisation(self, resolved: str, *, present: bool = True) -> Optional[Realisation]:
        """Return the realisation of the store derivation with the digest `resolved`.

        None if it was not built; or, where its outputs have to be `present`, if one of them is gone.
        Then they are protected; else who relies on them does that (see `protect`), for many at a time.
        """
        # spec: store.realisations
        try:
            known = records.read_dated_realisation(self.opened(self._realisations), resolved)
            if known is None:
                return None
            found, written = known
            if self._is_empty(found.derivation):
                return None
            if present:
                names = [name for _, name in found.outputs]
                self.protect(names)
                if not all(map(self.contains, names)):
                    return None
            if not self.read_only and is_old(written):
                note_use(f"{self.var}/realisations/{resolved}")
        except OSError as error:
            # What is asked for each derivation does without a context manager.
            raise from_os_error(error, "read what was built") from error
        return found

    def _is_empty(self, filename: str) -> bool:
        """Return whether a derivation has lost its bytes, as may happen to what a crash comes upon."""
        _, fd, start = self.opened(self.directory)
        try:
            return os.stat(start + filename, dir_fd=fd).st_size == 0
        except FileNotFoundError:
            return False

    def record_realisation(self, realisation: Realisation) -> None:
        """Record the realisation of a store derivation, durably with its derivation and outputs."""
        self.refuse_to_write()
        with DiskFailures("record what was built"):
            records.write_realisation(self.var, realisation)
            self.sync()

    @contextlib.contextmanager
    def building(
        self,
        resolved: str,
        on_wait: Optional[Callable[[], None]] = None,
        tell: Optional[Callable[[str], None]] = None,
    ) -> Iterator[None]:
        """Hold the right to build `resolved`, alone among all processes and threads.

        While another holds it, `on_wait` is called a few times a second; what
        it raises ends the waiting. After two seconds `tell` is given who holds it; without it a user is
        reported. Check afterwards whether the other has built it.
        """
        # spec: store.locks.building
        self.refuse_to_write()
        with DiskFailures("lock a derivation"):
            locks = LockFile(f"{self.var}/{BUILD_LOCKS}")
        try:
            with DiskFailures("lock a derivation"):
                if tell is None:
                    locks.exclusive(resolved, on_wait)
                else:
                    locks.exclusive(resolved, on_wait, tell=tell)
            yield
        finally:
            locks.close()

    def record_roots(
        self,
        project: str,
        results: Mapping[str, Sequence[str]],
        on_wait: Optional[Callable[[], None]] = None,
        needed: Optional[Collection[str]] = None,
    ) -> bool:
        """Record the results of targets of a project: they are kept until the targets have other results.

        So do the `needed` ones, with which they were made, as far as they are there (None: what was needed is
        not known). Return False if all that was recorded already.

        `project` is its directory, absolute; `results` maps targets to names of
        objects. Targets that are not in it keep what they had. `on_wait` as in `building`.
        """
        self.refuse_to_write()
        with DiskFailures("record what a project uses"):
            return bool(late("records.roots", "record_results")(self, project, results, on_wait, needed))

    def record_tried(
        self, project: str, names: Collection[str], on_wait: Optional[Callable[[], None]] = None
    ) -> None:
        """Record the inputs of targets of a project in a build that failed or was interrupted.

        These objects stay, as far as they are there, as long as what targets were made with before does.
        """
        self.refuse_to_write()
        with DiskFailures("record what a project uses"):
            late("records.roots", "record_tried")(self, project, names, on_wait)

    def refuse_to_write(self) -> None:
        """Raise BrambleError store.read-only if the store is only read."""
        # spec: store.read-only
        if self.read_only:
            raise BrambleError(
                "store.read-only",
                f'the store "{shown(self.root)}" is only read, and this would change it',
                remedy="do it in a store of your own: without --store-of, or with another BRAMBLE_PATH",
            )

    def refuse_to_build(self, name: str) -> None:
        """Raise BrambleError store.read-only if `name` has to be built in a store that is only read."""
        # spec: store.read-only
        if self.owner.is_foreign:
            owner = late("trust.people", "user")(self.owner.uid)
            raise BrambleError(
                "store.read-only",
                f'"{name}" is not in the store of {owner}, which is only read',
                remedy="build it in your own store: without --store-of and BRAMBLE_STORE_OF",
            )
        self.refuse_to_write()

    def log_path(self, resolved: str) -> str:
        """Return the path at which the log of building `resolved` is kept."""
        # spec: store.logs
        return f"{self.var}/logs/{resolved}"

    def previous_log_path(self, resolved: str) -> str:
        """Return the path of the log of the build of `resolved` before the last one."""
        return self.log_path(resolved) + PREVIOUS_LOG
