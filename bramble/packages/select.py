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

A requirement may say where the package is instead of a least version: a directory, or one commit. The
version there is then used, and must be sufficient for everyone who requires the package in that
major version; what the project says of a place holds over what its packages say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Optional

from bramble.project.versions import Version
from bramble.record import NamedTuple, dataclass


class Release(NamedTuple):
    """One version of one package, or the content of a path or revision."""

    name: str
    version: Version
    source: str = ""  # a directory ("path …") or a commit ("rev …"); "": what is published as this version

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" + (f" ({self.source})" if self.source else "")


class Slot(NamedTuple):
    """What has one version in a project: a package and its major version."""

    name: str
    major: int


Requirements = Mapping[str, Release]  # by name: the release of the least version that will do
Asker = Optional[Release]  # None: the project itself


class Asked(NamedTuple):
    """One requirement: who has it, and what it says."""

    by: Asker
    release: Release


@dataclass(frozen=True)
class Selection:
    """The chosen versions, and all that was required on the way."""

    chosen: Mapping[Slot, Release]  # sorted
    required: Mapping[Asker, Requirements]  # by everyone in the smallest set

    def meant(self, asker: Asker, name: str) -> Optional[Release]:
        """Return the release that `name` means in the modules of `asker`; None if it requires none."""
        # spec: packages.majors
        least = self.required[asker].get(name)
        return None if least is None else self.chosen[_slot(least)]

    def asked(self, slot: Slot) -> tuple[Asked, ...]:
        """Return who requires a package in this major version: the greatest version first, then by name."""
        found = [
            Asked(asker, needs[slot.name])
            for asker, needs in self.required.items()
            if slot.name in needs and _slot(needs[slot.name]) == slot
        ]
        found.sort(key=lambda one: (one.by is not None, one.by or ()))
        return tuple(sorted(found, key=lambda one: one.release.version, reverse=True))

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


class Unmet(Exception):
    """A requirement that cannot be met: this error, at the entry of `name` in the bramble.toml of `asker`."""

    def __init__(self, code: str, asker: Asker, name: str, fact: str, remedy: str) -> None:
        super().__init__(fact)
        self.code, self.asker, self.name, self.fact, self.remedy = code, asker, name, fact, remedy


def select(
    project: Requirements, requirements_of: Callable[[Sequence[Release]], Sequence[Requirements]]
) -> Selection:
    """Return the release of every package that `project` needs, directly or not.

    `requirements_of` returns what each of some releases requires; it is asked once for each release that
    anybody requires, for as many at a time as are known. What it raises is raised.
    Raises Unmet if a package is required at two places, or a place holds a lesser version than somebody
    requires.
    """
    # spec: packages.selection
    required: dict[Asker, Requirements] = {None: project}
    slots: dict[Slot, dict[Release, None]] = {}
    news = list(_releases(project))
    while news:
        for release in news:
            slots.setdefault(_slot(release), {})[release] = None
        answers = requirements_of(news)
        required.update(zip(news, answers))
        named = dict.fromkeys(release for needs in answers for release in _releases(needs))
        news = [release for release in named if release not in required]
    selection = Selection({slot: max(slots[slot], key=_version) for slot in sorted(slots)}, required)
    for slot in slots:
        if any(release.source for release in slots[slot]):
            _check_place(selection, slot)
    return selection


def _check_place(selection: Selection, slot: Slot) -> None:
    """Refuse a slot for which a path or revision is required that does not apply to everyone.

    One that does is the first that was required, and no version is greater: it is chosen already.
    """
    # spec: packages.selection.places
    # In the order of the walk: what the project says comes first.
    asked = [
        Asked(by, needs[slot.name])
        for by, needs in selection.required.items()
        if slot.name in needs and _slot(needs[slot.name]) == slot
    ]
    first, own = asked[0]
    other = next((one for one in asked if one.release != own), None)
    if other is not None and not (first is None and own.source):
        # No package decides what others get for a name: neither where it is, nor which commit of it.
        raise Unmet(
            "config.dependency",
            other.by,
            slot.name,
            f"{_shown(first)} needs {own}, and {_shown(other.by)} needs {other.release}",
            "choose one of them in this project's bramble.toml, by path or rev",
        )
    greatest = selection.asked(slot)[0]
    if greatest.release.version > own.version:
        raise Unmet(
            "config.versions",
            greatest.by,
            slot.name,
            f"{_shown(greatest.by)} needs {greatest.release}, and what is used is {own}",
            "use a later commit, a directory that holds a later version, or a published version",
        )


def _shown(asker: Asker) -> str:
    return "this project" if asker is None else str(asker)


def _slot(release: Release) -> Slot:
    return Slot(release.name, release.version.major)


def _version(release: Release) -> Version:
    return release.version


def _releases(requirements: Requirements) -> Iterator[Release]:
    return (requirements[name] for name in sorted(requirements))
