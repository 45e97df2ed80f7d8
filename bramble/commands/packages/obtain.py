"""The sources of packages as objects of the store: those that are there, and those that must be fetched.

Sources are the output of a `fetch_git` derivation as any other: they are fetched in parallel with the
rest of a machine's settings (mirrors, proxies, offline), checked against the digest of the lock before
they have a name in the store, and kept as long as a project needs them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Callable, Optional

from bramble.build.engine import build
from bramble.build.fetch.repository import Asking
from bramble.build.options import FetchOptions
from bramble.build.task import Listener
from bramble.build.vendored import take
from bramble.commands.build import PACKAGES, BuildChoices, options_of
from bramble.commands.context.ending import tidied_up
from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting
from bramble.commands.packages.asking import failed, together
from bramble.commands.packages.registry.asking import Found, registries_of, taken
from bramble.commands.packages.registry.trusting import configured
from bramble.commands.packages.repositories import Repositories
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import DEFAULT_OUTPUTS, Derivation
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, Place
from bramble.packages.locked import Locked, locked
from bramble.packages.resolve import Ask, Resolution, Tree
from bramble.project.lockfile import DEPENDENCIES, Lock
from bramble.project.names import LOCK_NAME
from bramble.project.packages import NO_PACKAGES
from bramble.project.project import Project
from bramble.store.disk import Store
from bramble.store.files.small import make_directory

# Of a derivation whose name its author did not choose: it is part of the name of a file.
_LONGEST_NAME = 100


@contextmanager
def repositories_of(
    project: Project, setting: Setting, on_line: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[Store, Repositories]]:
    """Give the store, and what asks registries and repositories as the project and this machine have them.

    `on_line` is called with which registry is left out. Raises fetch.mirror, config.registries, and store.*
    where there is no store.
    """
    store = open_store(setting)
    options = options_of(project, NO_PACKAGES, setting, BuildChoices(keep_going=True))
    silent = Listener(lambda *_: None, lambda *_: None, lambda *_: None, threading.Event())
    with tidied_up(), store.workspace() as workspace:
        asking = Asking("a package", options, silent)
        scratch = f"{workspace.path}/registries"
        make_directory(scratch, 0o700)
        var = os.path.join(store.root, "var")
        trusted = registries_of(
            configured(setting), var, asking.fetch, scratch, silent, on_line, setting.answers
        )
        yield store, Repositories(asking, workspace.path, trusted)


def fetched(
    asks: Sequence[Ask], project: Project, setting: Setting, lock: Lock, on_line: Callable[[str], None]
) -> list[Tree]:
    """Return the sources of packages, which are in the store afterwards.

    Raises packages.*, fetch.*, and store.* if there is no store to put them in.
    """
    # spec: packages.obtain
    known = {ask: locked(lock.tables, ask.key) for ask in asks}
    with repositories_of(project, setting, on_line) as (store, repositories):
        found = _vendored(known, store, repositories.asking.options.bounded_fetch, on_line)
        said = {ask: repositories.entry(ask, one) for ask, one in known.items() if ask not in found}
        entries = {ask: one for ask, one in said.items() if one is not None}
        found.update(_from_registries(entries, store, on_line))
        left = {ask: one for ask, one in known.items() if ask not in found}
        if left:
            found.update(_from_git(left, entries, store, repositories, lock, on_line))
    return [found[ask] for ask in asks]


def _vendored(
    known: Mapping[Ask, Optional[Locked]], store: Store, options: FetchOptions, on_line: Callable[[str], None]
) -> dict[Ask, Tree]:
    """Return those sources that the lock names and the vendor directory has."""
    # spec: vendor.packages
    found = {}
    for ask, one in known.items():
        if options.vendor is not None and one is not None and take(store, options, one.digest):
            on_line(f"taking {ask.key} from {options.vendor.directory}")
            found[ask] = Tree(os.path.join(store.directory, one.digest), one.digest, one.commit)
    return found


def _from_registries(
    entries: Mapping[Ask, Found], store: Store, on_line: Callable[[str], None]
) -> dict[Ask, Tree]:
    """Return the sources that registries have: those of them that are there."""
    # spec: registry.client.sources
    for ask, one in entries.items():
        on_line(f"fetching {ask.key} from {one.registry.url}")
    are_there = taken(list(entries.values()), store)
    return {
        ask: Tree(os.path.join(store.directory, one.entry.digest), one.entry.digest, one.entry.commit)
        for (ask, one), is_there in zip(entries.items(), are_there)
        if is_there
    }


def _from_git(
    known: Mapping[Ask, Optional[Locked]],
    entries: Mapping[Ask, Found],
    store: Store,
    repositories: Repositories,
    lock: Lock,
    on_line: Callable[[str], None],
) -> dict[Ask, Tree]:
    """Return sources that git has fetched; `entries` are what registries say of them."""
    known = {ask: entries[ask].locked if ask in entries else one for ask, one in known.items()}
    for ask in known:
        on_line(f"fetching {ask.key}")
    unsaid = [ask for ask, one in known.items() if repositories.must_ask(ask, one)]
    errors = failed(repositories, {ask.name: ask.git for ask in unsaid})
    _raise([(ask, errors[ask.name]) for ask in unsaid if ask.name in errors])
    wanted, wrong = {}, []
    for ask, said in known.items():
        try:
            wanted[ask] = _derivation(ask, said, repositories)
        except BrambleError as error:
            wrong.append((ask, error))
    _raise(wrong)
    report = build(
        DerivationGraph.of(one for one, _ in wanted.values()),
        [one.id for one, _ in wanted.values()],
        store=store,
        source_roots={},
        pins={},
        options=repositories.asking.options,
        on_event=lambda _: None,
        cancelled=repositories.asking.listener.cancelled,
    )
    if report.failures:
        keys = {one.id: ask for ask, (one, _) in wanted.items()}
        asks = [(keys[one.id], one.error) for one in report.failures]
        _raise([(ask, _explained(error, ask, lock, entries)) for ask, error in asks])
    found = {}
    for ask, (one, commit) in wanted.items():
        name = report.names[OutputRef(one.id, DEFAULT_OUTPUTS[0])]
        found[ask] = Tree(os.path.join(store.directory, name), name, commit)
    return found


def _raise(errors: Sequence[tuple[Ask, BrambleError]]) -> None:
    """Raise the first of some errors with the others, each about what was asked for; nothing for none."""
    # spec: packages.errors
    if not errors:
        return
    for ask, error in errors:
        error.about = ask.key
    first = together([error for _, error in errors])
    raise first


def keep_sources(project: Project, setting: Setting, resolution: Resolution) -> None:
    """Keep the sources of a project's packages in the store as long as the project is known, and no others.

    Raises store.*.
    """
    # spec: packages.kept
    open_store(setting).record_roots(project.home, {PACKAGES: resolution.objects})


def _derivation(ask: Ask, known: Optional[Locked], repositories: Repositories) -> tuple[Derivation, str]:
    """Return the derivation that fetches the sources of a package, and their commit."""
    place, commit = repositories.commit(ask, known)
    env = {"url": place.url, "reference": commit}
    if place.directory:
        env["directory"] = place.directory
    if known is not None:
        env["hash"] = known.digest
    name = ask.name.rpartition("/")[2] + ("" if ask.version is None else f"-{ask.version}")
    made = Derivation(
        name=name[:_LONGEST_NAME],
        builder=Template("fetch_git"),
        env=tuple((key, Template(value)) for key, value in sorted(env.items())),
    )
    return made, commit


def _explained(error: BrambleError, ask: Ask, lock: Lock, entries: Mapping[Ask, Found]) -> BrambleError:
    if error.code != "fetch.hash-mismatch":
        return error
    if ask in entries:
        return BrambleError(
            "registry.source",
            f"{entries[ask].registry.url}: the repository of {ask.key} has other sources: {error.message}",
            remedy="nothing in them was read; ask the author and the operator of the registry",
        )
    # spec: packages.lock.mismatch
    return BrambleError(
        "packages.digest",
        f"the sources of {ask.key} are not those that the lock names: {error.message}",
        place=lock.places.get((DEPENDENCIES, ask.key), Place(LOCK_NAME)),
        remedy="a version never changes: its tag was moved, or the lock is wrong; "
        "find out which before you delete the line",
    )
