"""The recorded facts of a build, as values."""

from __future__ import annotations

from collections.abc import Mapping

from bramble.record import NamedTuple


class Ended(NamedTuple):
    """A derivation that was built in a build, or that failed in it."""

    id: str
    name: str
    milliseconds: int
    code: str = ""  # of the error, "" when it was built
    message: str = ""  # of the error


class Build(NamedTuple):
    """One build of a project.

    `number` counts the builds of the project from 1, `began` is in
    milliseconds since 1970. `targets` maps the names of targets (`module:function`)
    to the ids of the derivations that they returned.
    """

    number: int
    project: str  # its directory
    began: int
    milliseconds: int
    targets: Mapping[str, tuple[str, ...]]
    built: tuple[Ended, ...]  # in dependency order
    failed: tuple[Ended, ...]  # in the order of failing
    cached: int
    skipped: int
    interrupted: bool


class SourceFile(NamedTuple):
    """One source file: its path relative to its project, and what it held."""

    path: str
    digest: str  # of its content; of a link, of its target
    kind: str  # "" is a file, "x" one that may be executed, "l" a link


class Facts(NamedTuple):
    """The inputs and the result of one derivation in a build.

    Strings are as the build file wrote them: `{{ ID:OUTPUT }}` means an
    output of another derivation, whose facts the same build has.
    """

    id: str
    name: str
    place: str  # "file:line:column" of the call that made it, "" if that is not known
    resolved: str  # digest of its store derivation; "" if its inputs were not built
    builder: str
    args: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]  # (output, object); the object is "" when it was not built
    inputs: tuple[tuple[str, str], ...]  # (id, output) of all that it names
    project: str  # that its sources are of: "" is the built one
    source: str  # object of its sources, "" if it has none
    files: tuple[SourceFile, ...]  # its sources; none where they were not there to be looked at
    rest: tuple[tuple[str, str], ...]  # platform, target, network, where they are not as usual
