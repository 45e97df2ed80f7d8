"""Versions of packages: those of Semantic Versioning 2.0.0, and their order."""

from __future__ import annotations

import re
from functools import total_ordering

from bramble.errors import BrambleError
from bramble.record import dataclass

_NUMBER = r"(?:0|[1-9][0-9]*)"
_LABEL = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_LABEL}(?:\.{_LABEL})*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_LONGEST = 256
_SHOWN = 40  # characters of what is too long


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """One version. Two that differ in build metadata only are equal, as the standard orders them."""

    major: int
    minor: int
    patch: int
    pre_release: tuple[str, ...] = ()
    build: tuple[str, ...] = ()

    @staticmethod
    def parse(text: str) -> Version:
        """Return the version that `text` names. Raises config.version."""
        # spec: project.versions.form
        found = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
        if found is None:
            raise BrambleError(
                "config.version",
                f"{_shown(text)} is not a version",
                remedy='write three numbers, for example "0.1.0"',
            )
        return Version(
            int(found[1]),
            int(found[2]),
            int(found[3]),
            tuple(found[4].split(".")) if found[4] else (),
            tuple(found[5].split(".")) if found[5] else (),
        )

    def __str__(self) -> str:
        pre = "-" + ".".join(self.pre_release) if self.pre_release else ""
        build = "+" + ".".join(self.build) if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}{build}"

    def _precedence(self) -> tuple[object, ...]:
        # spec: project.versions.order
        # Without a pre-release comes last; numbers come before words; a prefix comes first.
        labels = tuple([(0, int(p), "") if p.isdigit() else (1, 0, p) for p in self.pre_release])
        return (self.major, self.minor, self.patch, not self.pre_release, labels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._precedence() == other._precedence()

    def __lt__(self, other: Version) -> bool:
        return self._precedence() < other._precedence()

    def __hash__(self) -> int:
        return hash(self._precedence())


def _shown(text: str) -> str:
    if len(text) <= _LONGEST:
        return ascii(text)
    return f"{ascii(text[:_SHOWN])}… ({len(text)} characters)"
