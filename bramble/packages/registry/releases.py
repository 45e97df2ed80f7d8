"""NAME@VERSION: one version of one package, as a registry names it. Pure."""

from __future__ import annotations

from typing import Optional

from bramble.errors import BrambleError
from bramble.packages.names import is_remote
from bramble.packages.registry.bounds import LONGEST_RELEASE
from bramble.project.names import broken_name
from bramble.project.versions import Version
from bramble.record import NamedTuple


class Release(NamedTuple):
    """One version of one package; `version` is text, in the form of `project.versions.form`."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def broken_release(name: str, version: str) -> Optional[str]:
    """Return why a registry cannot have this version of this package, or None."""
    # spec: registry.releases
    if len(name) + 1 + len(version) > LONGEST_RELEASE:
        return f"NAME@VERSION has more than {LONGEST_RELEASE} characters"
    wrong = broken_name(name)
    if wrong is not None:
        return wrong
    if not is_remote(name):
        return f'"{name}" is not a place of a package: HOST/PATH is expected'
    try:
        parsed = Version.parse(version)
    except BrambleError as error:
        return error.message
    return f'"{version}" has build metadata' if parsed.build else None


def parse_release(text: str) -> Optional[Release]:
    """Return the release that `NAME@VERSION` means; None if it has not that form."""
    name, mark, version = text.rpartition("@")
    return Release(name, version) if mark and broken_release(name, version) is None else None
