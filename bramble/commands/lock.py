"""`bramble lock`: what a project downloads, what its lock file says, and how the two are made to agree."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Callable, Optional

from bramble.build.downloads import Conflict, Download, Locked, compare, downloads
from bramble.build.fetch.discretion import anonymous
from bramble.commands.build import BuildChoices, BuildResult, Event, build_derivations
from bramble.commands.context.evaluation import Evaluated, evaluate_targets
from bramble.commands.context.packages import chosen
from bramble.commands.context.setting import Setting
from bramble.derivation.graph import DerivationGraph
from bramble.errors import BrambleError, Place, nearest
from bramble.packages.locked import unused
from bramble.project.lockfile import COMMITS, DEPENDENCIES, URL_HASHES, Lock, read_lock, update_lock
from bramble.project.names import LOCK_NAME
from bramble.project.project import Project, find_project
from bramble.record import dataclass, replace
from bramble.store.locks.advisory import lock_briefly

__all__ = ["Conflict", "Download", "Locked", "Survey", "fetch", "prune", "survey", "wanted"]

PACKAGE_TABLES = (COMMITS, DEPENDENCIES)
# spec: cli.lock.platforms
PLATFORMS = ("linux-amd64", "linux-arm64")


@dataclass(frozen=True)
class Survey:
    """A project, all its downloads on every platform, and its lock."""

    evaluated: Evaluated  # its graph holds the downloads only
    locked: Locked
    lock: Lock
    unseen: tuple[str, ...]  # what could not be evaluated for another platform: "PLATFORM: TARGET"

    @property
    def path(self) -> str:
        """The lock file."""
        return os.path.join(self.evaluated.project.root, LOCK_NAME)

    def place(self, id: str) -> Optional[Place]:
        """Return where a download was called."""
        return self.evaluated.evaluation.places.get(id)


def survey(words: Sequence[str], setting: Setting, on_print: Callable[[str], None]) -> Survey:
    """Evaluate the whole project around the working directory, and the targets `words` besides.

    Nothing is written or downloaded. Raises BrambleError as `evaluate_targets`
    does, lock.*, and for a download that says too little of itself.
    """
    # spec: cli.lock
    project = find_project(setting.cwd)
    lock = read_lock(os.path.join(project.root, LOCK_NAME))
    evaluations, unseen = everywhere(project, words, setting, on_print)
    own = evaluations[0]
    # Evaluation may have put packages into it.
    lock = read_lock(os.path.join(project.root, LOCK_NAME))
    derivations = {
        id: derivation
        for one in evaluations
        for id, derivation in one.evaluation.graph.derivations.items()
        if derivation.builtin in ("fetch_url", "fetch_git")
    }
    places = {id: one.evaluation.places[id] for one in evaluations for id in one.evaluation.places}
    found: list[Download] = []
    for id, derivation in derivations.items():
        try:
            found += downloads([derivation])
        except BrambleError as error:
            error.place = error.place or places.get(id)
            raise
    graph = DerivationGraph.of(derivations[one.id] for one in found if one.alone)
    evaluation = replace(own.evaluation, graph=graph, results=(), tests=(), places=places)
    locked = compare(found, lock.url_hashes)
    unused_pins = [key for key in locked.unused if not _is_of_a_graph(key, lock)]
    locked = replace(locked, unused=(*unused_pins, *_unused_packages(project, setting, lock)))
    return Survey(replace(own, evaluation=evaluation), locked, lock, tuple(unseen))


def everywhere(
    project: Project, words: Sequence[str], setting: Setting, on_print: Callable[[str], None]
) -> tuple[list[Evaluated], list[str]]:
    """Evaluate the whole project, and the targets `words`, on every platform, the first time on this one.

    Returns also what could not be evaluated for another platform: "PLATFORM: TARGET". Raises BrambleError
    as `evaluate_targets` does.
    """
    # spec: cli.lock.platforms
    every = [f"{project.name}/...", *words]
    own = evaluate_targets(every, setting, on_print)
    names = [result.target for result in own.evaluation.results]
    evaluations, unseen = [own], []
    for platform in PLATFORMS:
        if platform != setting.platform:
            others, failed = _elsewhere(every, names, replace(setting, platform=platform))
            evaluations += others
            unseen += [f"{platform}: {name}" for name in failed]
    return evaluations, unseen


def _unused_packages(project: Project, setting: Setting, lock: Lock) -> list[str]:
    """Return the keys of packages in the lock that are not read to choose the project's packages."""
    # spec: project.lock.prune
    if not any(lock.tables.get(table) for table in PACKAGE_TABLES):
        return []
    needed = [ask.key for ask in chosen(project, setting, lock, _unheard).resolution.trees]
    return sorted({key for entries in unused(lock.tables, needed).values() for key in entries})


def _is_of_a_graph(key: str, lock: Lock) -> bool:
    """Return whether a generated graph, which is also in the lock, has a download with this key."""
    # spec: project.lock.fits
    texts = [
        text for table, entries in lock.tables.items() if table != URL_HASHES for text in entries.values()
    ]
    # spec: derivation.canonical
    shapes = {
        url: url.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
        for url in _names(key)
    }
    return any(
        url in text or escaped in text
        for url, escaped in shapes.items()
        if "/" in url or ":" in url
        for text in texts
    )


def _elsewhere(
    every: Sequence[str], names: Sequence[str], setting: Setting
) -> tuple[list[Evaluated], list[str]]:
    """Evaluate for another platform; where that fails, function by function, and name those that fail."""
    try:
        return [evaluate_targets(every, setting, _unheard)], []
    except BrambleError:
        pass  # A function may be for one platform only.
    found, failed = [], []
    for name in names:
        try:
            found.append(evaluate_targets([name], setting, _unheard))
        except BrambleError:
            failed.append(name)
    return found, failed


def _unheard(_: str) -> None:
    """The output of programs is printed once, for the platform of this machine."""


def wanted(seen: Survey, update: Optional[Sequence[str]] = None) -> tuple[Download, ...]:
    """Return what is to be downloaded: what has no pin, and with `update` what has one.

    `update` holds keys of the lock, URLs in them, or nothing for all of them; None updates nothing.
    Raises BrambleError lock.unknown-key; lock.unwritable, before anything is downloaded.
    """
    # spec: cli.lock.update
    found = {one.key: one for one in seen.locked.missing}
    if update is not None:
        used = set(seen.locked.used.values())
        chosen = used if not update else {key for word in update for key in _keys(word, {*used, *found})}
        for one in downloads(seen.evaluated.evaluation.graph.derivations.values()):
            if one.key in chosen and not one.stated:
                found.setdefault(one.key, one)
    if found and not _can_write(seen.path):
        raise BrambleError(
            "lock.unwritable",
            f"{seen.path} cannot be written: {os.strerror(errno.EACCES)}",
            remedy="make the directory writable",
        )
    return tuple(found.values())


def _keys(word: str, keys: Iterable[str]) -> set[str]:
    """Return the keys that a user means by `word`."""
    plain = anonymous(word)
    found = {key for key in keys if {word, plain} & {key, *_names(key)}}
    if not found:
        meant = nearest(word, {*keys, *(name for key in keys for name in _names(key))})
        raise BrambleError(
            "lock.unknown-key",
            f'the project has no download that is pinned as "{word}"',
            remedy=f'did you mean "{meant}"?' if meant else "name a key of bramble.lock, or the URL in it",
        )
    return found


def _names(key: str) -> list[str]:
    """Return other names of a key: its URLs, and of a repository with and without the reference."""
    builder, *urls = key.split(" ")
    return [*urls, *(url.rpartition("@")[0] for url in urls if builder == "fetch_git")]


def _can_write(path: str) -> bool:
    real = os.path.realpath(path)
    return os.access(os.path.dirname(real), os.W_OK)


def fetch(
    seen: Survey,
    chosen: Sequence[Download],
    setting: Setting,
    choices: BuildChoices,
    on_event: Callable[[Event], None],
    cancelled: threading.Event,
) -> BuildResult:
    """Download and pin those of `wanted` that need no other derivation.

    What fails keeps the pin that it has; it is in the result.
    """
    # spec: cli.lock, cli.lock.update
    missing = {one.key for one in seen.locked.missing}
    renew = frozenset(one.id for one in chosen if one.key not in missing)
    choices = replace(choices, keep_going=True, renew=renew)
    ids = [one.id for one in chosen]
    return build_derivations(seen.evaluated, ids, setting, choices, on_event, cancelled)


def needing(seen: Survey, chosen: Iterable[Download]) -> list[BrambleError]:
    """Return an error for each of these downloads that needs the result of a build."""
    # spec: cli.lock.builds
    return [
        BrambleError(
            "lock.needs-build",
            f'"{one.name}" needs the output of another derivation, and lock builds nothing',
            place=seen.place(one.id),
            remedy="`bramble build` pins it",
        )
        for one in chosen
        if not one.alone or not one.key
    ]


def conflicts(seen: Survey) -> list[BrambleError]:
    """Return the errors for downloads of which the project says two things."""
    # spec: project.lock.fits
    found = []
    for one in seen.locked.conflicts:
        other = " and ".join(digest for digest in one.digests if digest != one.pinned)
        who = " and ".join(f'"{name}"' for name in one.names)
        found.append(
            BrambleError(
                "lock.conflict",
                f'"{one.key}" is {other} as {who} has it'
                + (f", and {one.pinned} in the lock file" if one.pinned else ""),
                place=seen.lock.places.get((URL_HASHES, one.key), Place(LOCK_NAME)) if one.pinned else None,
                remedy="delete the wrong one",
            )
        )
    return found


def prune(seen: Survey) -> Mapping[str, str]:
    """Take the entries out of the lock file that nothing uses; return those that are gone. Raises lock.*."""
    # spec: project.lock.prune
    gone: dict[str, str] = {}
    for table in (*PACKAGE_TABLES, URL_HASHES):
        entries = seen.lock.tables.get(table, {})
        dropped = {key: entries[key] for key in seen.locked.unused if key in entries}
        after = update_lock(seen.path, {}, table=table, dropped=dropped, take=lock_briefly)
        gone.update({key: value for key, value in dropped.items() if key not in after.tables.get(table, {})})
    return gone
