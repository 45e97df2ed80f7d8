"""The sources of packages as objects of the store: those that are there, and those that must be fetched.

Sources are the output of a `fetch_git` derivation as any other: they are fetched in parallel with the
rest of a machine's settings (mirrors, proxies, offline), checked against the digest of the lock before
they have a name in the store, and kept as long as a project needs them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Callable

from bramble.build.engine import build
from bramble.build.events import Event
from bramble.build.fetch.repository import Asking
from bramble.build.options import BuildOptions
from bramble.build.task import Listener
from bramble.commands.packages.repositories import Repositories
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, Place
from bramble.packages.locked import Locked, locked
from bramble.packages.resolve import Ask, Tree
from bramble.project.files import LOCK_NAME
from bramble.store.disk import Store

Tables = Mapping[str, Mapping[str, str]]


@dataclass
class Obtaining:
    """A source of packages: what the lock names and the store has, and git for the rest.

    `tables` are those of the lock. `added` grows: what was fetched that the lock does not name.
    """

    store: Store
    tables: Tables
    options: BuildOptions
    on_event: Callable[[Event], None]
    cancelled: threading.Event
    added: dict[str, Locked] = field(default_factory=dict)

    def trees(self, asks: Sequence[Ask]) -> list[Tree]:
        """Return the sources of packages, fetched where need be.

        Raises packages.*, fetch.*, and lock.mismatch for sources that are not those of the lock.
        """
        # spec: packages.obtain
        found = {ask: present(self.store, self.tables, ask) for ask in asks}
        missing = [ask for ask, tree in found.items() if tree is None]
        trees = {ask: tree for ask, tree in found.items() if tree is not None}
        if missing:
            with self.store.workspace() as workspace:
                trees.update(self._fetched(missing, workspace.path))
        return [trees[ask] for ask in asks]

    def _fetched(self, asks: Sequence[Ask], scratch: str) -> dict[Ask, Tree]:
        silent = Listener(lambda *_: None, lambda *_: None, lambda *_: None, self.cancelled)
        repositories = Repositories(Asking("a package", self.options, silent), scratch)
        wanted = {ask: self._derivation(ask, repositories) for ask in asks}
        report = build(
            DerivationGraph.of(one for one, _ in wanted.values()),
            [one.id for one, _ in wanted.values()],
            store=self.store,
            source_roots={},
            pins={},
            options=self.options,
            on_event=self.on_event,
            cancelled=self.cancelled,
        )
        keys = {one.id: ask.key for ask, (one, _) in wanted.items()}
        if report.failures:
            errors = [self._explained(one.error, keys[one.id]) for one in report.failures]
            errors[0].others = tuple(errors[1:])
            raise errors[0]
        trees = {}
        for ask, (one, commit) in wanted.items():
            name = report.names[OutputRef(one.id, "out")]
            trees[ask] = Tree(os.path.join(self.store.directory, name), name, commit)
            if locked(self.tables, ask.key) is None:
                self.added[ask.key] = Locked(name, commit)
        return trees

    def _derivation(self, ask: Ask, repositories: Repositories) -> tuple[Derivation, str]:
        """Return the derivation that fetches the sources, and their commit."""
        known = locked(self.tables, ask.key)
        place, commit = repositories.commit(ask)
        if known is not None and known.commit:
            # Where a tag has been moved, the lock holds, as long as the repository has the commit.
            commit = known.commit
        env = {"url": place.url, "reference": commit}
        if place.directory:
            env["directory"] = place.directory
        if known is not None:
            env["hash"] = known.digest
        name = ask.name.rpartition("/")[2]
        made = Derivation(
            name=f"{name}-{ask.version}" if ask.version is not None else name,
            builder=Template("fetch_git"),
            env=tuple((key, Template(value)) for key, value in sorted(env.items())),
        )
        return made, commit

    def _explained(self, error: BrambleError, key: str) -> BrambleError:
        known = locked(self.tables, key)
        if error.code == "fetch.hash-mismatch" and known is not None:
            # spec: packages.lock.mismatch
            return BrambleError(
                "packages.digest",
                f"the sources of {key} are not those that the lock names: {error.message}",
                place=Place(LOCK_NAME),
                remedy="a version never changes: somebody has moved its tag, or the lock is wrong; "
                "find out which before you delete the line",
            )
        return error


def present(store: Store, tables: Tables, ask: Ask) -> Tree | None:
    """Return the sources of a package that a lock names, if the store has them."""
    # spec: packages.obtain
    known = locked(tables, ask.key)
    if known is None:
        return None
    directory = os.path.join(store.directory, known.digest)
    return Tree(directory, known.digest, known.commit) if os.path.isdir(directory) else None
