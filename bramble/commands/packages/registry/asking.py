"""Asking registries: which versions there are, and their sources. Nothing is believed that is not verified.

The index is fetched as a whole, or what is new of it, so a registry does not learn what anybody looks for.
It learns whose sources are fetched, and these it has itself.

A registry that cannot be reached is not used for the rest of a command, with one warning: then the next
source is asked. A wrong answer is an error: an attacker who could make a client continue without the registry
would succeed. An entry that was verified once stays valid, whether the registry answers now
or not.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Optional, Union

from bramble.build.fetch.from_url import mirrored
from bramble.build.fetch.transfer import transfer
from bramble.build.options import FetchOptions
from bramble.build.task import Listener
from bramble.commands.packages.registry.kept import Kept, directory_of, keep, read_kept
from bramble.errors import BrambleError, Place
from bramble.packages.locked import Locked
from bramble.packages.registry.bounds import LARGEST_CHECKPOINT, LARGEST_SOURCE
from bramble.packages.registry.checkpoint import (
    CHECKPOINT,
    Checkpoint,
    refuse_older,
    refuse_rewritten,
    verified,
)
from bramble.packages.registry.configured import Configured, Trusted
from bramble.packages.registry.index import INDEX, Entry, all_entries, entries_of, parse_lines
from bramble.packages.registry.layout import Kind, path_of, url_of
from bramble.project.names import LOCK_NAME
from bramble.record import NamedTuple, dataclass, field, replace
from bramble.store.digest import encode
from bramble.store.disk import Store
from bramble.store.transfer.stream import import_archive

_AT_ONCE = 8  # archives that are fetched
_BLOCK = 1 << 20
_SLACK = 1 << 20  # bytes that may have been added to an index since its checkpoint was read
# What a registry is asked with: another source may have the same, so nobody waits for long.
_ATTEMPTS, _SILENCE = 2, 15.0
# Failures that the user has to correct, and not those of a registry that does not answer.
_OWN_FAILURES = ("fetch.netrc", "fetch.credentials", "fetch.mirror", "fetch.proxy", "fetch.url")


class Found(NamedTuple):
    """An entry, and the registry whose index has it."""

    registry: Registry
    entry: Entry

    @property
    def locked(self) -> Locked:
        """What a lock says of these sources."""
        return Locked(self.entry.digest, self.entry.commit)


@dataclass
class Answered:
    """What a registry has answered in this command."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    kept: Optional[Kept] = None
    is_asked: bool = False
    is_down: bool = False
    error: Optional[BrambleError] = None  # what was wrong with its answers


@dataclass(frozen=True)
class Registry:
    """One registry, as it is asked in one command. Threads may share it."""

    trusted: Trusted
    fetch: FetchOptions
    directory: str  # where what was verified is kept; "": nowhere
    scratch: str  # for what is fetched
    listener: Listener
    on_line: Callable[[str], None]
    answered: Answered

    @property
    def url(self) -> str:
        """The root."""
        return self.trusted.url

    def index(self, *, fresh: bool) -> Optional[bytes]:
        """Return the verified part of the index; None if there is none, or it cannot be fetched.

        With `fresh` the registry is asked for what is new, once in a command; offline what was verified last
        will do. Raises registry.*, fetch.* that the user has to correct, store.*.
        """
        answered = self.answered
        with answered.lock:
            if answered.kept is None:
                answered.kept = read_kept(self.directory) if self.directory else Kept()
            if fresh and not answered.is_asked:
                self._ask(answered.kept)
            if fresh and answered.error is not None:
                raise answered.error
            if fresh and answered.is_down:
                return None
            return answered.kept.index if answered.kept.checkpoint is not None else None

    def document(self, path: str, largest: int) -> Optional[bytes]:
        """Return a file of the registry, which is not signed; None if it cannot be fetched."""
        try:
            return self._bytes(path, largest)[0]
        except BrambleError as error:
            if error.code not in ("fetch.not-found", "fetch.offline"):
                self.missed(error)
            return None

    def archive(self, entry: Entry) -> str:
        """Return a file with the sources of an entry, verified. Raises fetch.*, registry.source."""
        # spec: registry.source
        path = self._file(path_of(Kind.SOURCE, entry.release), LARGEST_SOURCE, 0)[0]
        hashed = hashlib.sha256()
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                hashed.update(block)
        found = encode(hashed.digest())
        if found != entry.digest:
            raise self._named(
                BrambleError(
                    "registry.source",
                    f"the sources of {entry.release} have the digest {found}, and not {entry.digest}",
                    remedy="nothing in them was read; tell the operator of the registry",
                    about=str(entry.release),
                )
            )
        return path

    def missed(self, error: BrambleError) -> None:
        """Take note that the registry cannot be reached, and say so once; raise what is another error."""
        # spec: registry.down
        if not error.code.startswith("fetch.") or error.code in _OWN_FAILURES:
            raise error
        with self.answered.lock:
            if not self.answered.is_down:
                self.answered.is_down = True
                self.on_line(f"the registry {self.url} is not used: {error.message}")

    def _ask(self, kept: Kept) -> None:
        # spec: registry.client
        answered = self.answered
        answered.is_asked, signed = True, b""
        try:
            signed = self._bytes(CHECKPOINT, LARGEST_CHECKPOINT)[0]
            checkpoint = verified(signed, self.trusted.key)
            self._check_origin(checkpoint)
            if kept.checkpoint is not None:
                refuse_older(kept.checkpoint, checkpoint)
            index = self._index(kept, checkpoint)
            if self.directory:
                keep(self.directory, signed, index)
            answered.kept = Kept(checkpoint, index)
        except BrambleError as error:
            if error.code == "fetch.offline":
                answered.is_asked = False
            elif error.code == "fetch.too-large":
                # Before the checkpoint is read, it is the checkpoint that is too large.
                answered.error = _too_large(self.url, error, "index" if signed else "checkpoint")
            elif error.code.startswith("registry."):
                answered.error = self._named(error)
            else:
                self.missed(error)

    def _check_origin(self, checkpoint: Checkpoint) -> None:
        # spec: registry.config
        if self.trusted.origin and checkpoint.origin != self.trusted.origin:
            raise BrambleError(
                "registry.checkpoint",
                f'its name is "{checkpoint.origin}", but "{self.trusted.origin}" is trusted',
                remedy="check the URL and the origin in your configuration",
            )

    def _index(self, kept: Kept, checkpoint: Checkpoint) -> bytes:
        """Return the index that a checkpoint is about, verified."""
        known = kept.index or b""
        if kept.checkpoint is not None and checkpoint.size == len(known):
            return known
        rest, start = self._bytes(INDEX, checkpoint.size + _SLACK, len(known))
        index = ((known if start else b"") + rest)[: checkpoint.size]
        if start and hashlib.sha256(index).hexdigest() != checkpoint.sha256:
            # What it begins with now tells whether it is damaged, or another one.
            index = self._bytes(INDEX, checkpoint.size + _SLACK)[0][: checkpoint.size]
        refuse_rewritten(kept.checkpoint, checkpoint, index)
        parse_lines(index[len(known) :], known)
        return index

    def _bytes(self, path: str, largest: int, known: int = 0) -> tuple[bytes, int]:
        """Return a file, or what is behind the first `known` bytes of it; and where in it that begins."""
        file, start = self._file(path, largest, known)
        with open(file, "rb") as opened:
            opened.seek(start)
            return opened.read(largest + 1), start

    def _file(self, path: str, largest: int, known: int) -> tuple[str, int]:
        url = url_of(self.url, path)
        local = mirrored(url, self.fetch.mirror)
        if local is not None:
            if os.path.getsize(local) > largest:
                raise BrambleError(
                    "fetch.too-large",
                    f"{local} has more than {largest} bytes",
                    remedy="correct the mirror table",
                )
            return local, 0
        handle, target = tempfile.mkstemp(dir=self.scratch)
        os.close(handle)
        start = transfer(url, target, replace(self.fetch, largest=largest), self.listener, known=known)
        return target, start

    def _named(self, error: BrambleError) -> BrambleError:
        return BrambleError(
            error.code,
            f"{self.url}: {error.message}",
            place=error.place,
            remedy=error.remedy,
            detail=error.detail,
            about=error.about,
        )


def _too_large(url: str, error: BrambleError, what: str) -> BrambleError:
    return BrambleError(
        f"registry.{what}",
        f"{url} serves more than it has signed: {error.message}",
        remedy="only the operator of the registry can correct this; nothing from it is used until then",
    )


@dataclass(frozen=True)
class Registries:
    """The registries of a user, as they are asked in one command."""

    configured: Configured
    by_url: Mapping[str, Registry]

    def versions(self, name: str) -> Optional[tuple[Registry, tuple[Entry, ...]]]:
        """Return the first registry that has a package, and its entries; see `Registry.index` for errors."""
        # spec: registry.client.versions
        for registry in self._for_package(name):
            entries = entries_of(registry.index(fresh=True) or b"", name)
            if entries:
                return registry, entries
        return None

    def entry(self, name: str, version: str) -> Optional[Found]:
        """Return the entry of a version in the first registry that has it; see `Registry.index` for errors.

        One that is verified already holds for good, and its registry is not asked.
        """
        # spec: registry.client.entry
        for registry in self._for_package(name):
            for fresh in (False, True):
                for entry in entries_of(registry.index(fresh=fresh) or b"", name):
                    if entry.version == version:
                        return Found(registry, entry)
        return None

    def beside(self, name: str) -> set[str]:
        """Return the names of packages that differ from `name` in their last part; nobody is asked."""
        indexes = [one.index(fresh=False) or b"" for one in self.by_url.values()]
        place = name.rpartition("/")[0]
        found = {entry.name for index in indexes for entry in all_entries(index)}
        return {one for one in found if one.rpartition("/")[0] == place}

    def _for_package(self, name: str) -> list[Registry]:
        return [self.by_url[one.url] for one in self.configured.for_package(name)]


NO_REGISTRIES = Registries(Configured(), {})


def registries_of(
    configured: Configured,
    var: str,
    fetch: FetchOptions,
    scratch: str,
    listener: Listener,
    on_line: Callable[[str], None],
    answers: dict[str, Any],
) -> Registries:
    """Return the registries of a user.

    `fetch` are the options of downloads, `var` is the store's directory for other files than objects ("":
    nothing is kept), `scratch` an empty directory of mode 0700. `on_line` is called with which is left out.
    `answers` holds what they have answered before in this command, and grows.
    """
    own = {url: path for url, path in fetch.mirror.items() if path not in fetch.own_mirror}
    options = replace(
        fetch, reach=None, mirror=own, own_mirror=(), attempts=_ATTEMPTS, timeout=min(fetch.timeout, _SILENCE)
    )
    return Registries(
        configured,
        {
            one.url: Registry(
                one,
                options,
                var and directory_of(var, one.url),
                scratch,
                listener,
                on_line,
                answers.setdefault(f"registry {one.url}", Answered()),
            )
            for one in configured.registries
        },
    )


def refuse_another(known: Optional[Locked], found: Found, key: str, place: Optional[Place] = None) -> None:
    """Demand that the lock says of a version what the registry says. Raises registry.lock with both."""
    # spec: registry.lock
    if known is None:
        return
    entry = found.entry
    for what, ours, theirs in (
        ("sources", known.digest, entry.digest),
        ("commit", known.commit or entry.commit, entry.commit),
    ):
        if ours != theirs:
            raise BrambleError(
                "registry.lock",
                f"the lock names the {what} {ours} for {key}, and {found.registry.url} {theirs}",
                place=place or Place(LOCK_NAME),
                remedy="a version never changes: find out which of the two is what its author published "
                "before you delete the line",
            )


def taken(founds: Sequence[Found], store: Store) -> list[bool]:
    """Put the sources of entries into the store; tell of each whether they are there now.

    Raises registry.source for sources of another digest, and what `Registry.missed` does.
    """
    # spec: registry.client.sources

    def one(found: Found) -> Union[str, None]:
        digest = found.entry.digest
        store.protect([digest])
        if store.is_complete([digest]):
            return ""
        try:
            return found.registry.archive(found.entry)
        except BrambleError as error:
            if error.code not in ("fetch.not-found", "fetch.offline"):
                found.registry.missed(error)
            return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        paths = list(pool.map(one, founds))
    for found, path in zip(founds, paths):
        if path:
            _put(found, path, store)
    return [path is not None for path in paths]


def _put(found: Found, path: str, store: Store) -> None:
    with open(path, "rb") as file:
        try:
            import_archive(store, found.entry.digest, file.read)
        except BrambleError as error:
            if not error.code.startswith("store.import-"):
                raise
            raise BrambleError(
                "registry.source",
                f"{found.registry.url}: {found.entry.release} cannot be unpacked: {error.message}",
                remedy="nothing in them was read; tell the operator of the registry",
                about=str(found.entry.release),
            ) from error
