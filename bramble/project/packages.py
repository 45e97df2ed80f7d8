"""Packages, as the modules of a project see them: where each is, and what its name means to whom."""

from __future__ import annotations

from collections.abc import Mapping

from bramble.record import dataclass, field


@dataclass(frozen=True)
class Packages:
    """The packages of a project, by their keys: their names, or NAME@MAJOR (spec: packages.majors)."""

    directories: Mapping[str, str] = field(default_factory=dict)  # key → absolute directory
    # Key of a package ("": the project itself) → name of a package that it requires → key.
    meanings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # Of the store: all sources that were read to choose these, used or not, sorted.
    objects: tuple[str, ...] = ()


NO_PACKAGES = Packages()
