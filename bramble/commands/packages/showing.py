"""`bramble show`: what a package is, which versions it has, what its functions say, and who requires it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from bramble.build.fetch.discretion import redact
from bramble.commands.context.limits import bounded
from bramble.commands.context.setting import Setting
from bramble.commands.packages.asking import no_version
from bramble.commands.packages.obtain import fetched, repositories_of
from bramble.commands.packages.registry.asking import Registry
from bramble.commands.packages.registry.describing import documentation_of
from bramble.commands.packages.repositories import Repository, unknown_version
from bramble.commands.packages.visiting import nobody
from bramble.errors import BrambleError
from bramble.packages.registry.bounds import LARGEST_DOCUMENT, LARGEST_LIST
from bramble.packages.registry.documents import (
    Documentation,
    Function,
    Module,
    parse_documentation,
    parse_list,
)
from bramble.packages.registry.layout import PACKAGES, Kind, path_of
from bramble.packages.registry.releases import Release
from bramble.packages.resolve import Ask
from bramble.project.lockfile import Lock
from bramble.project.names import broken_name
from bramble.project.project import Project, find_project
from bramble.project.versions import Version
from bramble.record import NamedTuple, dataclass

__all__ = ["Documentation", "Function", "Module", "Shown", "show"]


class Known(NamedTuple):
    """A version that there is."""

    version: str
    commit: str


@dataclass(frozen=True)
class Shown:
    """What is known of a version of a package."""

    documentation: Documentation
    versions: tuple[Known, ...]  # the greatest first
    dependents: tuple[str, ...]  # packages of the same registry whose newest version requires it
    place: str  # URL of the registry, or of the repository
    is_registry: bool

    def to_json(self) -> dict[str, Any]:
        """Return what `show --json` prints."""
        # spec: registry.show.json
        told = self.documentation
        return {
            "version": 1,
            "name": told.name,
            "release": told.version,
            "description": told.description,
            "from": self.place,
            "registry": self.is_registry,
            "versions": [one._asdict() for one in self.versions],
            "modules": [
                {**module._asdict(), "functions": [one._asdict() for one in module.functions]}
                for module in told.modules
            ],
            "requires": [one._asdict() for one in told.requires],
            "impure": list(told.impure),
            "dependents": list(self.dependents),
        }


def show(name: str, version: str, setting: Setting, on_line: Callable[[str], None]) -> Shown:
    """Return what is known of a package, in `version`, or "" for the newest.

    The answer comes from the first registry that has it, or else from its sources. `on_line` is called with
    what is fetched. Raises config.name, packages.unknown, packages.unknown-version, registry.*, fetch.*,
    store.*, and what reading sources raises.
    """
    # spec: registry.show
    wrong = broken_name(name)
    if wrong is not None:
        raise BrambleError("config.name", wrong, remedy="write the name of a package, as in github.com/u/p")
    project = _project(setting)
    with repositories_of(project, setting, on_line) as (_, repositories):
        git = _elsewhere(name, project)
        repository = repositories.versions(name, git)
        wanted = _wanted(name, version, repository)
        registry = repositories.registries.by_url.get(repository.registry)
        told = None if registry is None else _told(registry, Release(name, str(wanted)))
        dependents = () if registry is None else _dependents(registry, name)
    if told is None:
        tree = fetched([Ask(name, wanted, git=git)], project, setting, Lock(), on_line)[0]
        with bounded(setting.limits):
            told = documentation_of(tree.directory, name, str(wanted))
    versions = [Known(str(one), commit) for one, commit in reversed(list(repository.versions.items()))]
    place = repository.registry or redact(repository.place.url)
    return Shown(told, tuple(versions), dependents, place, registry is not None)


def _project(setting: Setting) -> Project:
    """Return the project of the current directory, whose mirror is used; an empty one if there is none."""
    try:
        return find_project(setting.cwd)
    except BrambleError as error:
        if error.code != "config.no-project":
            raise
        return nobody(setting)


def _elsewhere(name: str, project: Project) -> str:
    """Return the repository of a package that the project requires from another place than its name says."""
    required = project.config.dependencies.get(name)
    return "" if required is None else required.git


def _wanted(name: str, version: str, repository: Repository) -> Version:
    newest = repository.newest()
    if newest is None:
        raise no_version(name, repository)
    wanted = Version.parse(version) if version else newest
    if wanted not in repository.versions:
        raise unknown_version(Ask(name, wanted), repository)
    return wanted


def _told(registry: Registry, release: Release) -> Optional[Documentation]:
    data = registry.document(path_of(Kind.DOCS, release), LARGEST_DOCUMENT)
    if data is None:
        return None
    told = parse_documentation(data)
    return told if (told.name, told.version) == release else None


def _dependents(registry: Registry, name: str) -> tuple[str, ...]:
    data = registry.document(PACKAGES, LARGEST_LIST)
    return (
        () if data is None else tuple(one.name for one in parse_list(data).packages if name in one.requires)
    )
