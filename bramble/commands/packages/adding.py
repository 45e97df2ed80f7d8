"""`bramble add`: a project requires packages, or others of their versions."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Optional

from bramble.build.fetch.discretion import redact
from bramble.commands.context.packages import is_near
from bramble.commands.context.setting import Setting
from bramble.commands.packages.asking import (
    asked,
    asked_if_there,
    commit_of,
    exact,
    locked_names,
    moved,
    no_version,
    unknown_revision,
)
from bramble.commands.packages.asking import newer as newer_than
from bramble.commands.packages.changing import Change, change
from bramble.commands.packages.obtain import repositories_of
from bramble.commands.packages.repositories import Repository
from bramble.commands.trust import grant_path
from bramble.errors import BrambleError
from bramble.packages.edit import with_dependency
from bramble.packages.resolve import Ask, Resolution
from bramble.project.config import Dependency, load_config
from bramble.project.lockfile import DEPENDENCIES, Lock, read_lock
from bramble.project.modules import in_library
from bramble.project.names import CONFIG_NAME, LOCK_NAME, broken_name
from bramble.project.project import Project, find_project
from bramble.project.versions import Version
from bramble.record import NamedTuple, dataclass

LATEST = "latest"


class Wanted(NamedTuple):
    """A request of a user: `version` is the text after the `@`, "" without one."""

    name: str
    version: str


@dataclass(frozen=True)
class Added:
    """What came of `add`."""

    change: Change
    names: tuple[str, ...]  # those that were asked for
    warnings: tuple[str, ...]

    def brought(self, name: str) -> int:
        """Return how many other packages the package `name` requires, directly or not."""
        return len(_closure(self.change.resolution, name)) - 1


def add(
    words: Sequence[str],
    setting: Setting,
    on_line: Callable[[str], None],
    *,
    git: str = "",
    path: Optional[str] = None,
    dry_run: bool = False,
) -> Added:
    """Require the packages that `words` name, NAME or NAME@VERSION, and write bramble.toml and the lock.

    `git` is the repository of the one package that is named then; `path` a directory of it, relative to
    current directory, whose bramble.toml names it if no word does. `on_line` is called with what is fetched
    and locked. Raises config.*, packages.*, fetch.*, lock.*, store.*; nothing is written then.
    """
    # spec: packages.add
    project = find_project(setting.cwd)
    wanted = [_wanted(word) for word in words]
    if project.name in (one.name for one in wanted):
        # spec: packages.itself
        raise BrambleError(
            "config.dependency",
            f'"{project.name}" is the name of this project itself',
            remedy="remove it: a project loads its own modules without requiring itself",
        )
    if redact(git) != git:
        # spec: packages.add.secrets
        raise BrambleError(
            "config.dependency",
            f"the address {redact(git)} holds a password, and everybody can read {CONFIG_NAME}",
            remedy="remove it, and write the name and the password for this host into ~/.netrc",
        )
    warnings: list[str] = []
    given = ""
    if path is not None:
        needs = _at_path(project, wanted, setting, path)
        given = os.path.realpath(os.path.join(setting.cwd, path))
    else:
        needs, warnings = _published(project, wanted, setting, git, on_line)

    def edit(text: str) -> str:
        for name, entry in needs.items():
            text = with_dependency(text, name, dict(entry))
        return text

    found = change(project, setting, edit, on_line, dry_run=dry_run, given=given)
    if given and not dry_run and not is_near(project, given):
        # spec: packages.path.granted
        grant_path(project, given, setting)
    return Added(found, tuple(needs), tuple(warnings))


def _wanted(word: str) -> Wanted:
    """Return what a word asks for. Raises config.name with the name that was meant."""
    name, at, version = word.partition("@")
    wrong = broken_name(name)
    if word.startswith((".", "/", "~")):
        raise BrambleError(
            "config.name",
            f"{ascii(word)} is a path and not the name of a package",
            remedy=f"for what is in that directory: bramble add --path {shlex.quote(word)}; "
            "for a repository there: bramble add NAME --git /ABSOLUTE/PATH",
        )
    if "://" in word or "@" in version or (at and ":" in version):
        rest = word.partition("://")[2] or word.rpartition("@")[2].replace(":", "/")
        place = re.split("[?#]", rest.rpartition("@")[2])[0]
        meant = place.removesuffix("/").removesuffix(".git")
        raise BrambleError(
            "config.name",
            f"{ascii(redact(word))} is an address and not the name of a package",
            remedy=f"a package is named after its place: bramble add {shlex.quote(meant) or 'NAME'}; "
            "if it has another address: bramble add NAME --git URL",
        )
    if wrong is None and in_library(name):
        wrong = f'"{name}" is a module of the library, and needs no entry'
    if wrong is not None or (at and not version):
        raise BrambleError(
            "config.name",
            wrong or f"there is no version after the @ of {ascii(word)}",
            remedy="write its full name, for example: bramble add example.com/lib@1.2.0",
        )
    return Wanted(name, version)


def _at_path(
    project: Project, wanted: Sequence[Wanted], setting: Setting, path: str
) -> dict[str, Mapping[str, str]]:
    directory = os.path.realpath(os.path.join(setting.cwd, path))
    shown = os.path.relpath(directory, project.root)
    if not os.path.lexists(os.path.join(directory, CONFIG_NAME)):
        raise BrambleError(
            "config.dependency",
            f"there is no {CONFIG_NAME} in {directory}",
            remedy="name the directory of another project",
        )
    if not wanted:
        return {load_config(os.path.join(directory, CONFIG_NAME)).name: {"path": shown}}
    one = wanted[0]
    version = {"version": str(Version.parse(one.version))} if one.version else {}
    return {one.name: {**version, "path": shown}}


def _published(
    project: Project,
    wanted: Sequence[Wanted],
    setting: Setting,
    git: str,
    on_line: Callable[[str], None],
) -> tuple[dict[str, Mapping[str, str]], list[str]]:
    """Return what bramble.toml is to say of the packages, and warnings about their repositories."""
    known = project.config.dependencies
    lock = read_lock(os.path.join(project.root, LOCK_NAME))
    locked = lock.tables.get(DEPENDENCIES, {})
    places = {one.name: git or (known[one.name].git if one.name in known else "") for one in wanted}
    said = {one.name: version for one in wanted if (version := _exact(one.version)) is not None}
    unsaid = {name: place for name, place in places.items() if name not in said}
    # Nobody has to be asked for a version that is in the lock; but its tag may be another one now.
    again = {name: places[name] for name, version in said.items() if Ask(name, version).key in locked}
    repositories: dict[str, Repository] = {}
    if unsaid or again:
        newest = [one.name for one in wanted if one.version in ("", LATEST)]
        with repositories_of(project, setting, on_line) as (_, asking):
            repositories = asked(asking, unsaid, {*known, *locked_names(lock)}, versions=newest)
            repositories.update(asked_if_there(asking, again))
            # A registry speaks of what is where its name says.
            asking.agree(lock, _of(lock, [name for name in repositories if not places[name]]))
    needs: dict[str, Mapping[str, str]] = {}
    for one in wanted:
        place = places[one.name]
        entry = _said(one, repositories.get(one.name), known.get(one.name))
        needs[one.name] = {"git": place, **entry} if place else entry
    return needs, moved(lock, repositories, locked)


def _of(lock: Lock, names: Collection[str]) -> list[str]:
    """Return the keys of the lock that are of these packages."""
    return [key for key in lock.tables.get(DEPENDENCIES, {}) if key.partition("@")[0] in names]


def _said(one: Wanted, repository: Optional[Repository], current: Optional[Dependency]) -> Mapping[str, str]:
    # spec: packages.add.version, packages.add.revision
    exact = _exact(one.version)
    if exact is not None:
        return {"version": str(exact)}
    assert repository is not None  # The repository of a package without a version is asked.
    if one.version in ("", LATEST):
        newest = repository.newest()
        if newest is None:
            raise no_version(one.name, repository)
        if not one.version and current is not None and current.version and not current.path:
            newest = newer_than(Version.parse(current.version), repository, major=False)
        return {"version": str(newest)}
    commit = commit_of(one.version, repository)
    if commit is None:
        raise unknown_revision(one.name, one.version, repository)
    return {"rev": commit}


def _exact(text: str) -> Optional[Version]:
    """Return the version that a user names, also as its tag is written; None for anything else."""
    return exact(text[1:] if text.startswith("v") else text)


def _closure(resolution: Resolution, name: str) -> set[str]:
    """Return the keys of a package that the project requires and of all that it requires."""
    waiting = [resolution.meanings[name]]
    found = set(waiting)
    for key in waiting:
        if key in resolution.packages:
            new = set(resolution.packages[key].meanings.values()) - found
            found |= new & resolution.packages.keys()
            waiting += sorted(new)
    return found
