"""What a bramble.lock says of packages: the digest of each one's sources, and the commit they are of. Pure.

    [Commits]
      "example.com/lib@1.2.0" = "5d41402abc4b2a76b9719d911017c592ae5a6bf1"
    [Dependencies]
      "example.com/lib@1.2.0" = "uw5ichj6dhcccmcts6p7jq6etzlh5baf"

The digest decides: sources with another digest are refused. The commit says where to find them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

from bramble.project.lockfile import COMMITS, DEPENDENCIES
from bramble.record import NamedTuple


class Locked(NamedTuple):
    """What is known of the sources of a package."""

    digest: str
    commit: str  # "" if the lock does not say


def locked(tables: Mapping[str, Mapping[str, str]], key: str) -> Optional[Locked]:
    """Return what the tables of a lock say of a package; None if they do not name it."""
    # spec: packages.lock
    digest = tables.get(DEPENDENCIES, {}).get(key)
    return None if digest is None else Locked(digest, tables.get(COMMITS, {}).get(key, ""))


def unused(tables: Mapping[str, Mapping[str, str]], keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the entries of the two tables that are not of these packages: table → key → value."""
    # spec: packages.lock.tidy
    needed = set(keys)
    return {
        table: {key: value for key, value in tables.get(table, {}).items() if key not in needed}
        for table in (DEPENDENCIES, COMMITS)
    }
