"""What a registry holds, read from its files for pages and for answers."""

from __future__ import annotations

import os
import threading
from typing import Optional

from bramble.commands.packages.registry.writing import newest_of
from bramble.commands.registry.pages.packages import Shown
from bramble.errors import BrambleError
from bramble.packages.registry.bounds import LARGEST_DOCUMENT, LARGEST_LIST
from bramble.packages.registry.documents import (
    Listed,
    PackageList,
    parse_documentation,
    parse_list,
    parse_versions,
)
from bramble.packages.registry.finding import matching
from bramble.packages.registry.index import Entry
from bramble.packages.registry.layout import PACKAGES, Kind, path_of, versions_path
from bramble.project.versions import Version
from bramble.record import dataclass, field
from bramble.serving.answer import Version as Stamp
from bramble.serving.files import open_below

_NONE = PackageList(0, ())


@dataclass
class Catalogue:
    """Reads the files below a directory, which is open as `top`."""

    top: int
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: tuple[Optional[Stamp], PackageList] = (None, _NONE)

    def packages(self) -> tuple[Listed, ...]:
        """Return all packages, by name."""
        with self._lock:
            opened = open_below(self.top, [PACKAGES])
            if opened is None:
                return ()
            fd, stamp = opened
            with open(fd, "rb") as file:
                if stamp != self._known[0]:
                    self._known = stamp, parse_list(file.read(LARGEST_LIST + 1))
            return self._known[1].packages

    def versions(self, name: str) -> tuple[Entry, ...]:
        """Return the versions of a package, the newest first; none where it is not here."""
        data = self._read(versions_path(name))
        found = () if data is None else parse_versions(data)
        return tuple(sorted(found, key=lambda one: Version.parse(one.version), reverse=True))

    def shown(self, name: str, version: str = "") -> Optional[Shown]:
        """Return the record of a version of a package, its newest for ""; None if there is none."""
        versions = self.versions(name)
        if not versions:
            return None
        usual = str(newest_of(versions))
        found = {one.version: one for one in versions}
        entry = found.get(version or usual)
        data = None if entry is None else self._read(path_of(Kind.DOCS, entry.release))
        if entry is None or data is None:
            return None
        packages = self.packages()
        dependents = tuple(one.name for one in packages if name in one.requires)
        known = frozenset(one.name for one in packages)
        return Shown(entry, parse_documentation(data), versions, found[usual], dependents, known)

    def search(self, words: str) -> tuple[Listed, ...]:
        """Return the packages with all of these words in name or description, the names first."""
        # spec: registry.pages.search
        return matching(self.packages(), words.split())

    def _read(self, path: str) -> Optional[bytes]:
        opened = open_below(self.top, path.split("/"))
        if opened is None:
            return None
        with open(opened[0], "rb") as file:
            return file.read(LARGEST_DOCUMENT + 1)


def open_directory(path: str) -> int:
    """Open the directory that is served. Raises registry.directory."""
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BrambleError(
            "registry.directory",
            f"{path} cannot be read: {error.strerror}",
            remedy="name a directory of your own",
        ) from error
