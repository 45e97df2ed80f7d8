"""What a user means who names a package where a target is expected. All pure.

    github.com/u/p:hello                the newest version
    github.com/u/p@1.2.0:hello          a version, as `NAME@VERSION` is written everywhere
    github.com/u/p@1.2.0/lib:hello      the module `lib` of it
    github.com/u/p/lib:hello            the package `github.com/u/p/lib`; if there is none, the module `lib`

A version has no slash: what follows it is a module, and what is before it is the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from bramble.errors import BrambleError
from bramble.packages.names import is_remote
from bramble.project.modules import Target
from bramble.project.names import broken_name
from bramble.project.versions import Version
from bramble.record import NamedTuple

_LONGEST_PART, _LONGEST = 200, 1000  # characters: of them names of directories are made


class Operand(NamedTuple):
    """A target in a package that a user names."""

    target: Target  # as it was typed
    name: str  # of the package; without `version` perhaps with the name of a module at its end
    version: str  # the text after the @; "" if there is none
    module: str  # the text after that: a module of the package; "" for the package itself

    def meant(self) -> Iterator[tuple[str, str]]:
        """Yield what may be meant, package and module below it, in the order in which to look."""
        # spec: internet.form.module
        parts = self.name.split("/")
        for depth in range(len(parts), 1, -1) if not self.version else (len(parts),):
            yield "/".join(parts[:depth]), "/".join(parts[depth:]) or self.module

    def exact(self) -> Optional[Version]:
        """Return the version that is named, also as its tag is written; None for anything else."""
        # spec: packages.add.version
        try:
            return Version.parse(self.version[1:] if self.version.startswith("v") else self.version)
        except BrambleError:
            return None

    def within(self, name: str, module: str) -> Target:
        """Return the target in the package `name`, as it would be written there."""
        whole = f"{name}/{module}" if module else name
        return self.target._replace(name=whole)


def operand(target: Target) -> Optional[Operand]:
    """Return what is named if it can be a package; None for paths, and for names without a host.

    Raises config.name for a text that begins like the name of a package but is not valid.
    """
    # spec: internet.form
    name, at, rest = target.name.partition("@")
    version, _, module = rest.partition("/")
    if not is_remote(name):
        return None
    wrong = broken_name(name) or (broken_name(module) if module else None)
    if at and not version:
        wrong = wrong or "there is no version after the @"
    if max(map(len, target.name.split("/"))) > _LONGEST_PART or len(target.name) > _LONGEST:
        wrong = "the name is too long"
    if wrong is not None:
        raise BrambleError(
            "config.name",
            f"{ascii(target.text[:_LONGEST])} is not the name of a package: {wrong}",
            remedy="write its full name, for example: example.com/lib@1.2.0:function",
        )
    return Operand(target, name, version, module)
