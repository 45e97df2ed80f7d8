"""Which versions of packages a project gets: minimal version selection, for each name and major version.

A project requires packages, each in the least version that will do; these require others. Take all
releases that are required by the project, or by a release that is taken: there is one smallest set
of that kind. In it, of every package and major version, the greatest version is chosen.

- It is minimal: nothing is chosen that nobody requires, so a release that appears tomorrow changes
  nothing today, and the answer needs no lock to stay the same.
- It does not depend on an order: the set is a fixed point, and a maximum has no order.
- It costs one walk: there is no search, and no requirement contradicts another, as none says "at most".

What a release requires counts although a greater one was chosen. Without that, choosing a greater
version could take away the requirement for which it was chosen, and there would be no one answer.

Versions that differ in MAJOR do not replace one another: they are as different as two packages are.
A name in a package's `load` means the major version that the package's own bramble.toml asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Optional

from bramble.project.versions import Version


class Release(NamedTuple):
    """One version of one package."""

    name: str
    version: Version

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Slot(NamedTuple):
    """What has one version in a project: a package and its major version."""

    name: str
    major: int


Requirements = Mapping[str, Version]  # name of a package → the least version that will do
Asker = Optional[Release]  # None: the project itself


class Asked(NamedTuple):
    """One requirement: who has it, and the least version that will do."""

    by: Asker
    version: Version


@dataclass(frozen=True)
class Selection:
    """The chosen versions, and all that was required on the way."""

    chosen: Mapping[Slot, Version]  # sorted
    required: Mapping[Asker, Requirements]  # by everyone in the smallest set

    def meant(self, asker: Asker, name: str) -> Optional[Release]:
        """Return the release that `name` means in the modules of `asker`; None where it requires none."""
        # spec: packages.majors
        least = self.required[asker].get(name)
        return None if least is None else Release(name, self.chosen[Slot(name, least.major)])

    def asked(self, slot: Slot) -> tuple[Asked, ...]:
        """Return who requires a package in this major version: the greatest version first, then by name."""
        found = [
            Asked(asker, needs[slot.name])
            for asker, needs in self.required.items()
            if slot.name in needs and needs[slot.name].major == slot.major
        ]
        found.sort(key=lambda one: (one.by is not None, one.by or ()))
        return tuple(sorted(found, key=lambda one: one.version, reverse=True))

    def used(self) -> tuple[Release, ...]:
        """Return the chosen releases whose modules the project can reach, those it requires first.

        A chosen release is not among them when only versions that were not chosen require it.
        """
        # spec: packages.selection.used
        found: dict[Release, None] = {}
        waiting: list[Asker] = [None]
        for asker in waiting:
            for name in sorted(self.required[asker]):
                release = self.meant(asker, name)
                if release is not None and release not in found:
                    found[release] = None
                    waiting.append(release)
        return tuple(found)


def select(project: Requirements, requirements_of: Callable[[Release], Requirements]) -> Selection:
    """Return the version of every package that `project` needs, directly or not.

    `requirements_of` is asked once for each release that anybody requires; what it raises is raised.
    """
    # spec: packages.selection
    required: dict[Asker, Requirements] = {None: project}
    waiting = list(_releases(project))
    for release in waiting:
        if release not in required:
            required[release] = requirements_of(release)
            waiting += _releases(required[release])
    chosen: dict[Slot, Version] = {}
    for release in waiting:
        slot = Slot(release.name, release.version.major)
        chosen[slot] = max(chosen.get(slot, release.version), release.version)
    return Selection({slot: chosen[slot] for slot in sorted(chosen)}, required)


def _releases(requirements: Requirements) -> Iterator[Release]:
    return (Release(name, requirements[name]) for name in sorted(requirements))
