"""Where the files of a registry are, below its root: the same for a directory and for a URL. Pure.

Each is a plain file, so that any web server can serve a registry. `@` is in no part of the name of a
package, so no file is in the way of a package in a directory of another one.
"""

from __future__ import annotations

from typing import Optional

from bramble.packages.registry.checkpoint import CHECKPOINT
from bramble.packages.registry.index import INDEX
from bramble.packages.registry.releases import Release, broken_release, parse_release
from bramble.record import NamedTuple

PACKAGES = "packages"
_ALL = "@all"
_ANY = "0.0.0"  # a version, where only a name is checked


class Kind:
    """The kinds of files that there are for one package."""

    VERSIONS = "versions"  # of all versions of a package
    CONFIG = "config"  # the bramble.toml of one version, as the other kinds below
    SOURCE = "source"  # the archive
    DOCS = "docs"


class Route(NamedTuple):
    """What a path below the root of a registry means."""

    kind: str  # of Kind, or INDEX, CHECKPOINT, PACKAGES
    name: str = ""  # of the package
    version: str = ""

    @property
    def release(self) -> Release:
        """The version that a file is of."""
        return Release(self.name, self.version)


def versions_path(name: str) -> str:
    """Return where the versions of a package are listed."""
    # spec: registry.layout
    return f"package/{Kind.VERSIONS}/{name}{_ALL}"


def path_of(kind: str, release: Release) -> str:
    """Return where a file of one version is: its bramble.toml, archive or documentation."""
    # spec: registry.layout
    return f"package/{kind}/{release}"


def route(path: str) -> Optional[Route]:
    """Return the meaning of a path without a leading slash; None if it has none."""
    # spec: registry.layout
    if path in (INDEX, CHECKPOINT, PACKAGES):
        return Route(path)
    top, _, rest = path.partition("/")
    kind, _, named = rest.partition("/")
    if top != "package":
        return None
    if kind == Kind.VERSIONS:
        name = named[: -len(_ALL)] if named.endswith(_ALL) else ""
        return Route(kind, name) if broken_release(name, _ANY) is None else None
    if kind not in (Kind.CONFIG, Kind.SOURCE, Kind.DOCS):
        return None
    release = parse_release(named)
    return None if release is None else Route(kind, *release)


def url_of(root: str, path: str) -> str:
    """Return the URL of a file of the registry at `root`. No letter of a path has to be escaped."""
    return f"{root.rstrip('/')}/{path}"
