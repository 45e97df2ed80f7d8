"""Where the name of a package leads: to repositories, a directory in them, and tags. All pure.

The name of a package is its place. `example.com/u/p/sub` may be the repository of that name, or the
directory `sub` of `example.com/u/p`, or `p/sub` of `example.com/u`: only asking tells, and `places`
says in which order. Where a host is known to keep its repositories at one depth, or a part of the
name ends in `.git`, there is one place and nothing to ask.
"""

from __future__ import annotations

from typing import Optional

from bramble.errors import BrambleError
from bramble.project.versions import Version
from bramble.record import NamedTuple

# Hosts on which a repository's name has this many parts, the host's included.
_DEPTHS = {"github.com": 3, "bitbucket.org": 3, "codeberg.org": 3, "git.sr.ht": 3}
_SUFFIX = ".git"


class RepositoryPlace(NamedTuple):
    """A place where a package may be."""

    url: str  # what git is asked for
    directory: str  # of the package in the repository, with slashes; "" for its root


def places(name: str) -> tuple[RepositoryPlace, ...]:
    """Return where the package `name` may be, in the order in which to ask.

    The longest repository comes first: a directory of a repository cannot take the name of another one.
    """
    # spec: packages.names.place
    parts = name.split("/")
    whole = next((at for at, part in enumerate(parts, 1) if at > 1 and part.endswith(_SUFFIX)), None)
    depth = whole or _DEPTHS.get(parts[0])
    if depth is not None:
        return (_place(parts, depth),) if len(parts) >= depth else ()
    return tuple(_place(parts, depth) for depth in range(len(parts), 1, -1))


def place_of_url(url: str) -> RepositoryPlace:
    """Return the place that a URL of a repository means: what follows a name with `.git` is a directory."""
    # spec: packages.names.git
    head, _, rest = url.rpartition(f"{_SUFFIX}/")
    directory = "/".join(part for part in rest.split("/") if part)
    return RepositoryPlace(head + _SUFFIX, directory) if head else RepositoryPlace(url, "")


def _place(parts: list[str], depth: int) -> RepositoryPlace:
    return RepositoryPlace("https://" + "/".join(parts[:depth]), "/".join(parts[depth:]))


def tag_of(directory: str, version: Version) -> str:
    """Return the tag of a version of the package in `directory` of a repository."""
    # spec: packages.names.tag
    return f"{directory}/v{version}" if directory else f"v{version}"


def version_of(directory: str, tag: str) -> Optional[Version]:
    """Return the version of the package in `directory` that a tag names; None for any other tag."""
    # spec: packages.names.tag
    prefix = f"{directory}/v" if directory else "v"
    if not tag.startswith(prefix):
        return None
    try:
        found = Version.parse(tag[len(prefix) :])
    except BrambleError:
        return None
    return None if found.build else found


def is_remote(name: str) -> bool:
    """Return whether a package's name is a place: a host, which has a dot, and what is on it."""
    # spec: packages.names.place
    host, _, rest = name.partition("/")
    return "." in host.strip(".") and bool(rest)
