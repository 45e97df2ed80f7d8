"""Adding versions to a registry that is a directory: each step leaves one that a client can use.

What a version consists of comes first; then its line goes to the end of the index; then the checkpoint that
counts it in takes the place of the one before, by a rename; the lists that are made of the index come last.
A process that ends in between leaves files that nothing refers to, or a line after the end of what is
signed, which the next one takes away, or lists that lack the newest line, which the next one writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import Callable, Optional, Union

from bramble.commands.packages.registry.growing import append
from bramble.errors import BrambleError
from bramble.packages.registry.bounds import LARGEST_CONFIG, LARGEST_SOURCE
from bramble.packages.registry.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    believed,
    checkpoint_of,
    refuse_older,
    refuse_rewritten,
    signed_form,
)
from bramble.packages.registry.documents import (
    Documentation,
    Listed,
    PackageList,
    documentation_document,
    list_document,
    parse_documentation,
    parse_list,
    versions_document,
)
from bramble.packages.registry.index import INDEX, Entry, entries_of, line, parse_lines
from bramble.packages.registry.layout import PACKAGES, Kind, path_of, versions_path
from bramble.packages.registry.releases import Release
from bramble.project.versions import Version
from bramble.record import NamedTuple, dataclass
from bramble.store.digest import encode
from bramble.store.files.failures import DiskFailures
from bramble.store.files.small import TEMPORARY, make_way, read_file, sync_directory, unique, write_file
from bramble.store.locks.advisory import lock_whole

Sign = Callable[[bytes], str]  # a text → its armoured signature, as ssh-keygen makes it
Write = Callable[[Union[bytes, bytearray]], object]


@dataclass(frozen=True)
class Owner:
    """Who a registry belongs to: what it is called, and what signs for it."""

    origin: str
    sign: Sign


class Publication(NamedTuple):
    """A version that is to be added. `write_source` hands the archive of the sources to what it is given."""

    entry: Entry
    config: bytes  # its bramble.toml
    documentation: Documentation
    write_source: Callable[[Write], object]


def publish(root: str, owner: Owner, publication: Publication) -> Checkpoint:
    """Add a version to the registry in the directory `root`, which is made if need be; return what it is now.

    Where the same is there already, nothing changes. Raises registry.exists if that version is another
    one, registry.source where the archive has another digest, registry.document, what `owner` raises,
    registry.index where the index is not what was signed, and store.* where the disk fails.
    """
    # spec: registry.publish.order
    with DiskFailures("write a registry"), _alone(root):
        before, index = _settled(root, owner)
        entry = publication.entry
        known = [one for one in entries_of(index, entry.name) if one.version == entry.version]
        if known:
            _refuse_another(known[0], entry)
            return before
        text = line(entry)
        parse_lines(text, index)
        now = checkpoint_of(owner.origin, index + text)
        refuse_older(before, now)
        _write_version(root, publication)
        signed = signed_form(now, owner.sign(now.text))
        append(f"{root}/{INDEX}", text, before.size)
        _replace(root, CHECKPOINT, signed)
        _write_lists(root, index + text)
        return now


def settle(root: str, owner: Owner) -> Checkpoint:
    """Make `root` a registry, if it is not one, and finish what another process has left; return its state.

    Raises registry.index if the index is not what was signed, what `owner` raises, store.*.
    """
    # spec: registry.publish.order
    with DiskFailures("write a registry"), _alone(root):
        return _settled(root, owner)[0]


def read_registry(root: str) -> tuple[Checkpoint, bytes]:
    """Return the checkpoint of the registry in a directory, and the index as far as that goes.

    Another process may write meanwhile. Raises registry.checkpoint, registry.index, store.*.
    """
    with DiskFailures("read a registry"):
        checkpoint = believed(read_file(f"{root}/{CHECKPOINT}") or b"")
        index = (read_file(f"{root}/{INDEX}") or b"")[: checkpoint.size]
    refuse_rewritten(None, checkpoint, index)
    return checkpoint, index


@contextlib.contextmanager
def _alone(root: str) -> Iterator[None]:
    os.makedirs(root, exist_ok=True)
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lock_whole(handle, root)
        yield
    finally:
        os.close(handle)


def _settled(root: str, owner: Owner) -> tuple[Checkpoint, bytes]:
    signed = read_file(f"{root}/{CHECKPOINT}")
    if signed is None:
        if read_file(f"{root}/{INDEX}"):
            raise BrambleError(
                "registry.index",
                f"there is an index in {root}, and no {CHECKPOINT} that states its valid size",
                remedy=f"restore {CHECKPOINT}, or name another directory",
            )
        empty = checkpoint_of(owner.origin, b"")
        signed = signed_form(empty, owner.sign(empty.text))
        append(f"{root}/{INDEX}", b"", 0)
        _replace(root, CHECKPOINT, signed)
    checkpoint = believed(signed)
    index = read_file(f"{root}/{INDEX}") or b""
    refuse_rewritten(None, checkpoint, index)
    if len(index) > checkpoint.size:
        # It was never part of the registry: the process that wrote it ended before it was signed.
        append(f"{root}/{INDEX}", b"", checkpoint.size)
    index = index[: checkpoint.size]
    _write_lists(root, index)
    return checkpoint, index


def _refuse_another(known: Entry, entry: Entry) -> None:
    # spec: registry.index.once
    if known != entry:
        raise BrambleError(
            "registry.exists",
            f"{known.release} is commit {known.commit} with the sources {known.digest}, permanently, "
            f"and not commit {entry.commit} with {entry.digest}",
            remedy="publish what has changed as another version",
        )


def _write_version(root: str, publication: Publication) -> None:
    release = publication.entry.release
    if len(publication.config) > LARGEST_CONFIG:
        raise BrambleError(
            "registry.document",
            f"the bramble.toml of {release} has more than {LARGEST_CONFIG} bytes",
            remedy="make it smaller",
        )
    _write_source(root, path_of(Kind.SOURCE, release), publication)
    _replace(root, path_of(Kind.CONFIG, release), publication.config)
    _replace(root, path_of(Kind.DOCS, release), documentation_document(publication.documentation))


def _write_source(root: str, path: str, publication: Publication) -> None:
    # spec: registry.source
    _make_way(root, path)
    whole = f"{root}/{path}"
    temporary = f"{os.path.dirname(whole)}/{TEMPORARY}{unique()}"
    hashed, size = hashlib.sha256(), 0
    try:
        with open(temporary, "xb") as out:

            def write(data: Union[bytes, bytearray]) -> None:
                nonlocal size
                size += len(data)
                if size > LARGEST_SOURCE:
                    raise _wrong_source(publication.entry, f"have more than {LARGEST_SOURCE} bytes")
                hashed.update(data)
                out.write(data)

            publication.write_source(write)
            out.flush()
            os.fchmod(out.fileno(), 0o644)
            os.fsync(out.fileno())
        found = encode(hashed.digest())
        if found != publication.entry.digest:
            raise _wrong_source(
                publication.entry, f"have the digest {found}, and not {publication.entry.digest}"
            )
        os.rename(temporary, whole)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(whole))


def _wrong_source(entry: Entry, fact: str) -> BrambleError:
    return BrambleError(
        "registry.source",
        f"the sources of {entry.release} {fact}",
        remedy="nothing was added; publish it again",
    )


def _replace(root: str, path: str, data: bytes) -> None:
    _make_way(root, path)
    write_file(f"{root}/{path}", data, sync=True)
    sync_directory(os.path.dirname(f"{root}/{path}"))


def _make_way(root: str, path: str) -> None:
    directory = os.path.dirname(path)
    if not os.path.isdir(f"{root}/{directory}"):
        make_way(root, directory)
        parts = directory.split("/")
        for depth in range(len(parts)):
            sync_directory("/".join([root, *parts[:depth]]))


def _write_lists(root: str, index: bytes) -> None:
    """Bring the lists that are made of the index up to what it says."""
    found = _list(root, len(index))
    packages = {one.name: one for one in found.packages}
    if found.size == len(index):
        return
    for name in dict.fromkeys(one.name for one in parse_lines(index[found.size :], index[: found.size])):
        entries = entries_of(index, name)
        _replace(root, versions_path(name), versions_document(name, entries))
        newest = str(newest_of(entries))
        told = _documentation(root, Release(name, newest))
        requires = () if told is None else tuple(sorted({one.name for one in told.requires}))
        packages[name] = Listed(name, newest, "" if told is None else told.description, requires, 0)
    counts = dependents(packages)
    counted = tuple(packages[name]._replace(dependents=counts[name]) for name in sorted(packages))
    _replace(root, PACKAGES, _list_document(PackageList(len(index), counted)))


def _list_document(found: PackageList) -> bytes:
    """Return the list of all packages; where it would be too long, with what has to be there only."""
    try:
        return list_document(found)
    except BrambleError:
        short = tuple(one._replace(description="", requires=()) for one in found.packages)
        return list_document(found._replace(packages=short))


def _list(root: str, size: int) -> PackageList:
    """Return the existing list of all packages; an empty one if there is no valid list."""
    data = read_file(f"{root}/{PACKAGES}")
    with contextlib.suppress(BrambleError):
        if data is not None:
            found = parse_list(data)
            if found.size <= size:
                return found
    return PackageList(-1, ()) if size == 0 else PackageList(0, ())


def _documentation(root: str, release: Release) -> Optional[Documentation]:
    data = read_file(f"{root}/{path_of(Kind.DOCS, release)}")
    with contextlib.suppress(BrambleError):
        return None if data is None else parse_documentation(data)
    return None


def newest_of(entries: tuple[Entry, ...]) -> Version:
    """Return the newest version of a package: the greatest one that is not a pre-release, if there is one."""
    # spec: packages.newest
    versions = [Version.parse(one.version) for one in entries]
    return max([version for version in versions if not version.pre_release] or versions)


def dependents(packages: Mapping[str, Listed]) -> dict[str, int]:
    """Return how many packages require each of these, in their newest versions."""
    # spec: registry.packages.json
    counts = dict.fromkeys(packages, 0)
    for one in packages.values():
        for name in one.requires:
            if name in counts:
                counts[name] += 1
    return counts
