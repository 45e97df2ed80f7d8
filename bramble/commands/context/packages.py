"""The packages of a project, for every command that evaluates: most often nothing is to be fetched."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from bramble.commands.context.opening import root_of
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError, Place
from bramble.packages.locked import Locked, locked
from bramble.packages.resolve import Ask, Resolution, Tree, resolve
from bramble.project.lockfile import COMMITS, DEPENDENCIES, Lock, read_lock, update_lock
from bramble.project.names import LOCK_NAME
from bramble.project.project import Project
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import NamedTuple, dataclass, field
from bramble.store.layout.place import locate
from bramble.store.locks.advisory import lock_briefly


class Chosen(NamedTuple):
    """The packages of a project, and what its lock does not say of them yet."""

    resolution: Resolution
    added: Mapping[str, Locked]  # by key, sorted
    fetched: bool  # sources came into the store


def resolved(
    project: Project, setting: Setting, on_line: Callable[[str], None], reads: Reads = NOT_NOTED
) -> Resolution:
    """Return how the packages of a project were chosen, and where they are.

    Sources that are not in the store are fetched, and put into the lock; `on_line` is called for each,
    `reads` notes what decides the result. Raises config.*, packages.*, fetch.*, lock.*.
    """
    # spec: packages.obtain
    path = project.lock_path
    found = chosen(project, setting, read_lock(path, reads), on_line, reads)
    if found.added:
        tables = entries(found.added)
        for table in (COMMITS, DEPENDENCIES):
            update_lock(path, tables[table], table=table, take=lock_briefly)
        say_added(found.added, on_line)
    if found.fetched:
        keep: Any = importlib.import_module("bramble.commands.packages.obtain").keep_sources
        keep(project, setting, found.resolution)
    return found.resolution


def chosen(
    project: Project,
    setting: Setting,
    lock: Lock,
    on_line: Callable[[str], None],
    reads: Reads = NOT_NOTED,
    allow: Callable[[Sequence[Ask]], None] = lambda _: None,
    given: str = "",
) -> Chosen:
    """Return how the packages of a project are chosen, by what `lock` says; no lock file is written.

    Sources that are not in the store are fetched. `allow` is asked first, and raises what speaks against
    it. `given` is a directory that may hold one without having been granted. Raises as `resolved` does.
    """
    source = _FromStore(project, setting, lock, on_line, reads, allow)

    def may_follow(directory: str) -> bool:
        return (
            directory == given
            or is_near(project, directory, reads)
            or _granted(project, directory, setting, reads)
        )

    resolution = resolve(project, source, reads, may_follow)
    return Chosen(resolution, dict(sorted(source.added.items())), source.fetched)


def is_near(project: Project, directory: str, reads: Reads = NOT_NOTED) -> bool:
    """Return whether a project may take packages from a directory, absolute and without links, unasked.

    That is so where both are in one work tree of git; without one, in the directory that holds the project.
    """
    # spec: packages.path.granted
    inside = os.path.relpath(directory, project.root)
    if not inside.startswith("../") and inside != "..":
        return True
    way = os.path.relpath(directory, _around(project.root, reads))
    return not any(part.startswith(".") for part in way.split("/") if way != ".")


def _around(root: str, reads: Reads) -> str:
    at = root
    while at != "/":
        mark = os.path.join(at, ".git")
        reads.kind(mark)
        with contextlib.suppress(OSError):
            # What another user puts above says nothing about where the project belongs.
            if os.lstat(mark).st_uid == os.stat(root).st_uid:
                return at
        at = os.path.dirname(at)
    return os.path.dirname(root)


def _granted(project: Project, directory: str, setting: Setting, reads: Reads) -> bool:
    # Loaded for that alone, as all that is seldom asked for.
    trust: Any = importlib.import_module("bramble.commands.trust")
    trust.note_grants(setting, reads)
    return bool(trust.may_follow(project, directory, setting))


def entries(added: Mapping[str, Locked]) -> dict[str, dict[str, str]]:
    """Return the entries of a lock that say this of packages: table → key → value."""
    # spec: packages.lock
    return {
        DEPENDENCIES: {key: one.digest for key, one in added.items()},
        COMMITS: {key: one.commit for key, one in added.items()},
    }


def say_added(added: Mapping[str, Locked], on_line: Callable[[str], None]) -> None:
    """Say what was put into the lock."""
    for key, one in added.items():
        on_line(f"{LOCK_NAME}: added {key}, commit {one.commit[:12]}, {one.digest}")


@dataclass
class _FromStore:
    """A source of packages: what the lock names is in the store, and others are fetched."""

    project: Project
    setting: Setting
    lock: Lock
    on_line: Callable[[str], None]
    reads: Reads
    allow: Callable[[Sequence[Ask]], None]
    added: dict[str, Locked] = field(default_factory=dict)
    fetched: bool = False

    def trees(self, asks: Sequence[Ask]) -> list[Tree]:
        self.allow(asks)
        found = {ask: self._present(ask) for ask in asks}
        missing = [ask for ask, tree in found.items() if tree is None]
        if missing:
            self._refuse_new(missing)
            self.fetched = True
            self.reads.spoil("sources of packages were fetched")
            fetching: Any = importlib.import_module("bramble.commands.packages.obtain")
            found.update(
                zip(missing, fetching.fetched(missing, self.project, self.setting, self.lock, self.on_line))
            )
        trees = [tree for tree in found.values() if tree is not None]
        for ask, tree in zip(found, trees):
            if locked(self.lock.tables, ask.key) is None:
                self.added[ask.key] = Locked(tree.digest, tree.commit)
        return trees

    def _present(self, ask: Ask) -> Optional[Tree]:
        known = locked(self.lock.tables, ask.key)
        if known is None:
            return None
        directory = os.path.join(locate(root_of(self.setting)).directory, known.digest)
        self.reads.kind(directory)
        return Tree(directory, known.digest, known.commit) if os.path.isdir(directory) else None

    def _refuse_new(self, missing: Sequence[Ask]) -> None:
        # spec: cli.build.locked
        new = [ask.key for ask in missing if locked(self.lock.tables, ask.key) is None]
        if self.setting.locked and new:
            raise BrambleError(
                "lock.locked",
                f"{LOCK_NAME} may not change, but would get the entry {new[0]}",
                place=Place(LOCK_NAME),
                remedy=f"run `bramble deps` once without --locked, and keep {LOCK_NAME} in version control",
            )
