"""The sources of a derivation: one object in the store, and a copy of it that a build may change."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Optional

from bramble.build.copying import copy_writable
from bramble.derivation.model import Sources
from bramble.derivation.resolve import SourceObject
from bramble.errors import BrambleError
from bramble.store.files.failures import DiskFailures

if TYPE_CHECKING:
    from bramble.store.disk import Store
    from bramble.store.records.stamps import Looks


def common_directory(location: str, files: Iterable[str]) -> str:
    """Return the deepest directory above all `files` and above the directory `location`.

    All are relative to the project; "" is the project's own directory.
    """
    # spec: build.sources.root
    common = location.split("/") if location else []
    for file in files:
        parts = file.split("/")[:-1]
        same = 0
        while same < min(len(common), len(parts)) and common[same] == parts[same]:
            same += 1
        del common[same:]
    return "/".join(common)


def add_sources(
    sources: Sources, store: Store, roots: Mapping[str, str], looks: Optional[Looks] = None
) -> Optional[SourceObject]:
    """Put the sources into the store, where they are missing yet; None if there are none.

    `roots` gives the directory of each project; what is in `looks` is not looked at again. Raises
    build.unknown-project, and what the store raises for a file that is missing or outside.
    """
    # spec: build.sources.object
    if not sources.files:
        return None
    top, files, project, start = _place(sources, roots)
    return SourceObject(store.add_sources(top, files, project=project, looks=looks), start)


def name_sources(
    sources: Sources, store: Store, roots: Mapping[str, str], looks: Optional[Looks] = None
) -> Optional[SourceObject]:
    """Return what `add_sources` would; where the store knows the files, it need not hold them."""
    # spec: build.demand
    # What changes between the two is noticed when it is read.
    looks = {} if looks is None else looks
    return recall_sources(sources, store, roots, looks) or add_sources(sources, store, roots, looks)


def recall_sources(
    sources: Sources, store: Store, roots: Mapping[str, str], looks: Looks
) -> Optional[SourceObject]:
    """Return what `name_sources` does without reading a file; None where the store does not know them."""
    if not sources.files:
        return None
    top, files, project, start = _place(sources, roots)
    name = store.recall_sources(top, files, project=project, looks=looks)
    return None if name is None else SourceObject(name, start)


class EarlySources:
    """Which objects sources are before anything is built, as far as the store knows their files.

    Each is asked for once, however many derivations have it. It is not for what is built later: until then
    the files may change.
    """

    def __init__(self, store: Store, roots: Mapping[str, str]) -> None:
        self._store = store
        self._roots = roots
        self._looks: Looks = {}
        self._found: dict[Sources, Optional[SourceObject]] = {}

    def of(self, sources: Sources) -> Optional[SourceObject]:
        """Return the object of sources, None where it is not known. Raises as `name_sources` does."""
        if sources not in self._found:
            self._found[sources] = recall_sources(sources, self._store, self._roots, self._looks)
        return self._found[sources]


def contents_of(
    sources: Sources, name: str, store: Store, roots: Mapping[str, str]
) -> Optional[list[tuple[bytes, int]]]:
    """Return the SHA-256 and the mode of each source file, when they became the object `name`.

    None if that is not recorded. Raises build.unknown-project.
    """
    top, files, project, _ = _place(sources, roots)
    return store.source_contents(name, top, files, project=project)


def _place(sources: Sources, roots: Mapping[str, str]) -> tuple[str, list[str], str, str]:
    """Return the source directory, the files relative to it, the project's, and where the build starts."""
    root = roots.get(sources.project)
    if root is None:
        raise BrambleError(
            "build.unknown-project",
            f'sources of the project "{sources.project}" are needed, but its directory is not known',
            remedy="fetch the project's dependencies first",
        )
    common = common_directory(sources.location, sources.files)
    skip = len(common) + 1 if common else 0
    top = os.path.join(root, common) if common else root
    return top, [file[skip:] for file in sources.files], root, sources.location[skip:]


def fill_build_directory(source: Optional[SourceObject], store: Store, directory: str) -> None:
    """Copy the source object into the empty build directory, and make the place where the build starts."""
    # spec: build.directory
    if source is None:
        return
    with DiskFailures("copy the sources of a build"):
        copy_writable(store.object_path(source.name), directory)
    start = directory
    for part in source.relative_build_path.split("/") if source.relative_build_path else ():
        start += "/" + part
        if not os.path.isdir(start):
            os.mkdir(start)
            os.chmod(start, 0o755)
