"""The packages of a project, for every command that evaluates: most often nothing is to be fetched."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from bramble.commands.context.opening import root_of
from bramble.commands.context.setting import Setting
from bramble.errors import BrambleError, Place
from bramble.packages.locked import Locked, locked
from bramble.packages.resolve import Ask, Resolution, Tree, resolve
from bramble.project.files import LOCK_NAME
from bramble.project.lockfile import COMMITS, DEPENDENCIES, Lock, read_lock, update_lock
from bramble.project.project import Project
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.store.layout.place import locate


def resolved(
    project: Project, setting: Setting, on_line: Callable[[str], None], reads: Reads = NOT_NOTED
) -> Resolution:
    """Return how the packages of a project were chosen, and where they are.

    Sources that are not in the store are fetched, and put into the lock; `on_line` is told of each, `reads`
    notes what decides the result. Raises config.*, packages.*, fetch.*, lock.*.
    """
    # spec: packages.obtain
    path = os.path.join(project.root, LOCK_NAME)
    source = _FromStore(project, setting, read_lock(path, reads), on_line, reads)
    resolution = resolve(project, source, reads)
    source.settle(path)
    return resolution


@dataclass
class _FromStore:
    """A source of packages: what the lock names is in the store, and others are fetched."""

    project: Project
    setting: Setting
    lock: Lock
    on_line: Callable[[str], None]
    reads: Reads
    _fetching: Any = None  # what fetches, loaded for that alone
    _added: dict[str, Locked] = field(default_factory=dict)

    def trees(self, asks: Sequence[Ask]) -> list[Tree]:
        found = {ask: self._present(ask) for ask in asks}
        missing = [ask for ask, tree in found.items() if tree is None]
        if missing:
            self._refuse_new(missing)
            self.reads.spoil("sources of packages were fetched")
            fetching = importlib.import_module("bramble.commands.packages.obtain")
            found.update(
                zip(missing, fetching.fetched(missing, self.project, self.setting, self.lock, self.on_line))
            )
        trees = [tree for tree in found.values() if tree is not None]
        for ask, tree in zip(found, trees):
            if locked(self.lock.tables, ask.key) is None:
                self._added[ask.key] = Locked(tree.digest, tree.commit)
        return trees

    def settle(self, path: str) -> None:
        """Put what was found out into the lock, and say so."""
        # spec: packages.lock
        if not self._added:
            return
        update_lock(path, {key: one.commit for key, one in self._added.items()}, table=COMMITS)
        update_lock(path, {key: one.digest for key, one in self._added.items()}, table=DEPENDENCIES)
        for key, one in sorted(self._added.items()):
            self.on_line(f"{LOCK_NAME}: added {key}, commit {one.commit[:12]}, {one.digest}")

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
                f"{LOCK_NAME} may not change, and would get the entry {new[0]}",
                place=Place(LOCK_NAME),
                remedy=f"run `bramble deps` once without --locked, and keep {LOCK_NAME} in version control",
            )
