"""`bramble deps`: the packages of a project, which version of each, and who asked for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from bramble.commands.context.packages import resolved
from bramble.commands.context.setting import Setting
from bramble.commands.packages.asking import exact
from bramble.errors import BrambleError, nearest
from bramble.packages.resolve import Package, Resolution, Tree
from bramble.packages.select import Asker, Release, Slot
from bramble.project.project import Project, find_project
from bramble.record import NamedTuple, dataclass

__all__ = ["Chain", "Dependencies", "Package", "Requirement", "dependencies", "shown"]

_REV, _PATH = "rev ", "path "


class Requirement(NamedTuple):
    """One requirement of a package: who has it, and the least version that will do."""

    by: str  # NAME VERSION, or NAME of the project
    version: str
    used: bool  # the package that requires it is used itself: another version of that may have been selected


class Chain(NamedTuple):
    """How a requirement comes about: who requires whom, from the project on."""

    version: str  # the least version that it asks for
    links: tuple[str, ...]  # NAME VERSION, as required each


@dataclass(frozen=True)
class Dependencies:
    """The packages of a project."""

    project: Project
    resolution: Resolution

    def requirements(self, package: Package) -> tuple[Requirement, ...]:
        """Return who requires a package in its MAJOR version, the greatest version first."""
        used = {None, *(one.release for one in self.resolution.packages.values())}
        asked = self.resolution.selection.asked(Slot(package.release.name, package.release.version.major))
        return tuple(
            Requirement(self._shown(one.by), str(one.release.version), one.by in used) for one in asked
        )

    def sources(self, package: Package) -> Optional[Tree]:
        """Return the sources of a package that was fetched; None for one in a directory."""
        release = package.release
        for ask, tree in self.resolution.trees.items():
            said = ask.version == release.version if not release.source else ask.rev == release.source[4:]
            if ask.name == release.name and said and not release.source.startswith(_PATH):
                return tree
        return None

    def chains(self, name: str) -> tuple[tuple[Package, tuple[Chain, ...]], ...]:
        """Return for each version in use of the package `name`, how it comes about, one way for each asker.

        `name` may be NAME@VERSION, NAME@MAJOR. Raises packages.not-required if there is no such package.
        """
        # spec: packages.deps.why
        found = [
            (package, tuple(self._chains(Slot(package.release.name, package.release.version.major))))
            for package in self.resolution.packages.values()
            if _is_meant(package.release, name)
        ]
        if not found:
            known = sorted({one.release.name for one in self.resolution.packages.values()})
            meant = nearest(name, known)
            raise BrambleError(
                "packages.not-required",
                f'this project uses no package "{name}"',
                remedy=f"did you mean {meant}?" if meant else "`bramble deps` lists those that it uses",
            )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return what `deps --json` prints."""
        # spec: packages.deps.json
        packages = {key: self._package(one) for key, one in self.resolution.packages.items()}
        return {
            "version": 1,
            "project": {
                "name": self.project.name,
                "version": self.project.config.version,
                "requires": dict(self.resolution.meanings),
            },
            "packages": packages,
        }

    def _package(self, package: Package) -> dict[str, Any]:
        tree = self.sources(package)
        release = package.release
        return {
            "name": release.name,
            "version": str(release.version),
            "path": self._path(release),
            "rev": release.source[len(_REV) :] if release.source.startswith(_REV) else None,
            "commit": None if tree is None else tree.commit or None,
            "digest": None if tree is None else tree.digest,
            "requires": dict(package.meanings),
            "required_by": [one._asdict() for one in self.requirements(package)],
        }

    def _path(self, release: Release) -> Optional[str]:
        if not release.source.startswith(_PATH):
            return None
        return os.path.relpath(release.source[len(_PATH) :], self.project.root)

    def _shown(self, asker: Asker) -> str:
        return self.project.name if asker is None else _plain(asker)

    def _chains(self, slot: Slot) -> Iterator[Chain]:
        """Yield a shortest way to each requirement of a package, the greatest version first."""
        parents = _parents(self.resolution.selection.required)
        for one in self.resolution.selection.asked(slot):
            links = [_plain(one.release)]
            asker = one.by
            while asker is not None:
                links.append(_plain(asker))
                asker = parents[asker]
            yield Chain(str(one.release.version), (self.project.name, *reversed(links)))


def dependencies(setting: Setting, on_line: Callable[[str], None]) -> Dependencies:
    """Return the packages of the project around the working directory.

    Sources that are not in the store are fetched, and put into the lock; `on_line` is called for each. Raises
    config.*, packages.*, fetch.*, lock.*, store.*.
    """
    # spec: packages.deps
    project = find_project(setting.cwd)
    return Dependencies(project, resolved(project, setting, on_line))


def shown(release: Release) -> str:
    """Return a release as people read it: name and version, and the place where it has one."""
    if release.source.startswith(_PATH):
        return f"{release.name} {release.version} ({os.path.basename(release.source)})"
    if release.source.startswith(_REV):
        return f"{release.name} {release.version} ({release.source[len(_REV) :][:12]})"
    return f"{release.name} {release.version}"


def _plain(release: Release) -> str:
    return f"{release.name} {release.version}"


def _is_meant(release: Release, word: str) -> bool:
    name, _, version = word.partition("@")
    if name != release.name:
        return False
    return not version or version == str(release.version.major) or exact(version) == release.version


def _parents(required: Mapping[Asker, Mapping[str, Release]]) -> dict[Release, Asker]:
    """Return for each release that anybody requires, one that does, by a shortest way from the project."""
    parents: dict[Release, Asker] = {}
    waiting: list[Asker] = [None]
    for asker in waiting:
        for name in sorted(required.get(asker, {})):
            release = required[asker][name]
            if release not in parents:
                parents[release] = asker
                waiting.append(release)
    return parents
