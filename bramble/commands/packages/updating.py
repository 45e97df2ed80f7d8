"""`bramble update` and `bramble outdated`: which newer versions there are, and taking them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Optional

from bramble.build.fetch.discretion import redact
from bramble.commands.context.packages import chosen, resolved
from bramble.commands.context.setting import Setting
from bramble.commands.packages.asking import (
    asked,
    asked_if_there,
    commit_of,
    moved,
    newer,
    not_required,
    repository_names,
    unknown_revision,
)
from bramble.commands.packages.changing import Change, change
from bramble.commands.packages.obtain import repositories_of
from bramble.commands.packages.repositories import Repository
from bramble.errors import BrambleError
from bramble.packages.edit import with_dependency
from bramble.packages.resolve import Ask, Resolution
from bramble.project.config import Dependency, parse_config
from bramble.project.lockfile import COMMITS, DEPENDENCIES, Lock, read_lock
from bramble.project.names import LOCK_NAME
from bramble.project.project import Project, find_project
from bramble.project.versions import Version
from bramble.record import NamedTuple, dataclass


@dataclass(frozen=True)
class Updated:
    """What came of `update`."""

    change: Change
    versions: Mapping[str, tuple[str, str]]  # name → version that was required, and is now
    revisions: Mapping[str, tuple[str, str]]  # name → commit that its branch or tag meant, and means now
    kept: Mapping[str, str]  # name that was asked for → why it stays
    later: Mapping[str, str]  # name → newest version, where it is of a later MAJOR and was not taken
    warnings: tuple[str, ...]


class Outdated(NamedTuple):
    """A package that a project requires, and what there is of it."""

    name: str
    required: str  # the version, or the revision
    used: str  # the version
    newest: str  # of the same MAJOR; of a revision: the commit that it means now
    newest_of_all: str
    commit: str  # of a revision, in the lock
    source: str = ""  # who says so: the URL of a registry, or of the repository

    @property
    def is_outdated(self) -> bool:
        """Return whether there is anything newer."""
        if self.commit:
            return self.newest != self.commit
        return not self.required == self.newest == self.newest_of_all


def update(
    names: Sequence[str],
    setting: Setting,
    on_line: Callable[[str], None],
    *,
    major: bool = False,
    dry_run: bool = False,
) -> Updated:
    """Raise what bramble.toml requires to the newest version of the same MAJOR; with `major`, of any.

    Without `names` all of it. Where a dependency names a branch, the commit in the lock becomes that which
    it means now. `on_line` is called with what is fetched and locked. Raises config.*, packages.*, fetch.*,
    lock.*, store.*; nothing is written then.
    """
    # spec: packages.update
    project = find_project(setting.cwd)
    lock = read_lock(os.path.join(project.root, LOCK_NAME))
    wanted = _wanted(project, names, lock)
    repositories, warnings = _asked(project, setting, lock, wanted, on_line, everything=not names)
    versions: dict[str, tuple[str, str]] = {}
    revisions: dict[str, tuple[str, str]] = {}
    kept: dict[str, str] = {}
    later: dict[str, str] = {}
    renewed: list[str] = []
    for name, one in wanted.items():
        if one.path:
            kept[name] = f"it is in {one.path}"
        elif one.rev:
            was, now = _revision(name, one, lock, repositories[name])
            if now == one.rev:
                kept[name] = f"bramble.toml names its commit; `bramble add {name}` takes a version"
            elif was and was != now:
                revisions[name] = was, now
                renewed.append(Ask(name, None, one.rev).key)
        else:
            current = Version.parse(one.version or "")
            best = newer(current, repositories[name], major=major)
            if best != current:
                versions[name] = str(current), str(best)
            newest = repositories[name].newest()
            if newest is not None and newest.major > best.major:
                later[name] = str(newest)

    def edit(text: str) -> str:
        # Somebody may have changed an entry meanwhile, or taken it out.
        known = parse_config(text).dependencies
        for name, (_, best) in versions.items():
            if known.get(name) == wanted[name]:
                place = wanted[name].git
                needs = {"git": place, "version": best} if place else {"version": best}
                text = with_dependency(text, name, needs)
        return text

    while True:
        try:
            found = change(project, setting, edit, on_line, dry_run=dry_run, renewed=renewed)
            break
        except BrambleError as error:
            unusable = {} if names else _unusable(error, versions)
            if not unusable:
                raise
            for name, why in unusable.items():
                stays, wrong = versions.pop(name)
                warnings.append(f"{name} stays {stays}, since {wrong} cannot be used: {why}")
    return Updated(found, versions, revisions, kept if names else {}, later, tuple(warnings))


def outdated(setting: Setting, on_line: Callable[[str], None]) -> tuple[list[Outdated], tuple[str, ...]]:
    """Return what there is of each package that bramble.toml requires, and warnings about their tags.

    `on_line` is called with what is fetched and locked. Raises config.*, packages.*, fetch.*, lock.*,
    store.*.
    """
    # spec: packages.outdated
    project = find_project(setting.cwd)
    resolution = resolved(project, setting, on_line)
    lock = read_lock(os.path.join(project.root, LOCK_NAME))
    wanted = {name: one for name, one in project.config.dependencies.items() if not one.path}
    repositories, warnings = _asked(project, setting, lock, wanted, on_line, everything=True)
    rows = []
    for name, one in wanted.items():
        used = resolution.selection.meant(None, name)
        assert used is not None  # It is required here.
        repository = repositories[name]
        of_all = str(repository.newest() or used.version)
        source = redact(repository.place.url)
        if one.rev:
            was, now = _revision(name, one, lock, repository)
            rows.append(Outdated(name, one.rev, str(used.version), now, of_all, was, source))
        else:
            current = Version.parse(one.version or "")
            same = newer(current, repository, major=False)
            of_all = str(newer(current, repository, major=True))
            rows.append(Outdated(name, str(current), str(used.version), str(same), of_all, "", source))
    return rows, tuple(warnings)


def _unusable(error: BrambleError, versions: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return which new versions are to blame for an error, with what is wrong; {} where others are, too."""
    # spec: packages.update.unusable
    found: dict[str, str] = {}
    for one in (error, *error.others):
        name, _, version = one.about.partition("@")
        if versions.get(name, ("", ""))[1] != version:
            # What the new version says, or requires, is wrong.
            name = one.place.file.rpartition("/")[0] if one.place is not None else ""
        if name not in versions or not one.code.startswith(("packages.", "config.")):
            return {}
        found.setdefault(name, one.message)
    return found


def _wanted(project: Project, names: Sequence[str], lock: Lock) -> dict[str, Dependency]:
    known = project.config.dependencies
    for name in names:
        if name not in known:
            raise not_required(name, list(known), lock)
    return {name: one for name, one in known.items() if not names or name in names}


def _asked(
    project: Project,
    setting: Setting,
    lock: Lock,
    wanted: Mapping[str, Dependency],
    on_line: Callable[[str], None],
    *,
    everything: bool,
) -> tuple[dict[str, Repository], list[str]]:
    """Return the repositories of packages, and warnings about tags; with `everything` of all in use.

    Nobody is asked where all are in directories.
    """
    resolution = _as_it_is(project, setting, lock, on_line)
    known = () if resolution is None else resolution.trees
    names = repository_names(wanted, [(ask.name, ask.git) for ask in known])
    direct = {name: git for name, git in names.items() if name in wanted}
    if not names:
        return {}, []
    published = [name for name in direct if not wanted[name].rev]
    with repositories_of(project, setting, on_line) as (_, asking):
        found = asked(asking, direct, versions=published)
        if everything:
            found.update(asked_if_there(asking, {name: names[name] for name in names.keys() - direct.keys()}))
        used = list(lock.tables.get(DEPENDENCIES, {})) if resolution is None else [ask.key for ask in known]
        # A registry speaks of what is where its name says.
        own = {name for name in found if not names[name]}
        asking.agree(lock, [key for key in used if key.partition("@")[0] in own])
    return found, moved(lock, found, used)


def _as_it_is(
    project: Project, setting: Setting, lock: Lock, on_line: Callable[[str], None]
) -> Optional[Resolution]:
    """Return the current selection of packages; None if it is an error, which the change may correct."""
    try:
        return chosen(project, setting, lock, on_line).resolution
    except BrambleError:
        return None


def _revision(name: str, one: Dependency, lock: Lock, repository: Repository) -> tuple[str, str]:
    """Return the commit that a revision meant, "" if the lock does not say, and the one it means now."""
    now = commit_of(one.rev, repository)
    if now is None:
        raise unknown_revision(name, one.rev, repository)
    return lock.tables.get(COMMITS, {}).get(Ask(name, None, one.rev).key, ""), now
