"""The downloads of a graph beside the pins of a lock: missing, unused, contradicting ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bramble.build.pins import FETCHERS, expected, has_checksum, lock_key, plain_key
from bramble.derivation.model import Derivation
from bramble.record import dataclass

_OF_KEYS = (
    "url",
    "reference",
    "submodules",
    "directory",
    "executable",
    "name",
    "strip",
    "unpack",
)  # the variables that a key is made of


@dataclass(frozen=True)
class Download:
    """One derivation that downloads."""

    id: str
    name: str
    key: str  # "" if a part of it is the output of another derivation: nobody knows it before that is built
    plain: str  # the key that locks had before keys kept no secrets
    written: str  # the digest that its derivation states itself, or ""
    stated: bool  # its derivation says what it must be, by a digest or a checksum, so that it needs no pin
    alone: bool  # it needs no other derivation


@dataclass(frozen=True)
class Conflict:
    """A download of which two different digests are known."""

    key: str
    digests: tuple[str, ...]  # sorted
    names: tuple[str, ...]  # of the derivations, sorted
    pinned: str  # the one of them that is in the lock, or ""


@dataclass(frozen=True)
class Locked:
    """How a lock and the downloads that it is for fit together."""

    missing: tuple[Download, ...]  # one for each key that has no pin
    unknown: tuple[Download, ...]  # those without a key
    unused: tuple[str, ...]  # keys of the lock, sorted
    conflicts: tuple[Conflict, ...]  # by key
    used: Mapping[str, str]  # key in the lock → its key today, of the entries that pin a download

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.missing or self.unused or self.conflicts)


def downloads(derivations: Iterable[Derivation]) -> tuple[Download, ...]:
    """Return the derivations that download, in their order. Raises derivation.env, fetch.hash."""
    return tuple(_download(one, one.builtin) for one in derivations if one.builtin in FETCHERS)


def _download(derivation: Derivation, builder: str) -> Download:
    env = {name: value.text for name, value in derivation.env}
    key = lock_key(builder, derivation.name, env) or ""
    written = expected(key, derivation.name, env, {}) or ""
    known = not any(value.references for name, value in derivation.env if name in _OF_KEYS)
    return Download(
        id=derivation.id,
        name=derivation.name,
        key=key if known else "",
        plain=plain_key(builder, env) if known else "",
        written=written,
        stated=bool(written) or has_checksum(env),
        alone=not derivation.dependencies,
    )


def compare(found: Iterable[Download], pins: Mapping[str, str]) -> Locked:
    """Return how the pins of a lock fit to all downloads of its project."""
    # spec: project.lock.fits
    missing: dict[str, Download] = {}
    unknown = []
    used: dict[str, str] = {}
    known: dict[str, set[str]] = {}  # key → digests that derivations state
    names: dict[str, set[str]] = {}
    for one in found:
        if not one.key:
            if not one.stated:
                unknown.append(one)
            continue
        names.setdefault(one.key, set()).add(one.name)
        if one.written:
            known.setdefault(one.key, set()).add(one.written)
        if one.stated:
            continue
        pin = next((key for key in (one.key, one.plain) if key in pins), None)
        if pin is not None:
            used[pin] = one.key
        elif one.key not in missing or (one.alone and not missing[one.key].alone):
            missing[one.key] = one
    conflicts = []
    for key, digests in sorted(known.items()):
        pinned = pins.get(key, "")
        every = {*digests, pinned} - {""}
        if len(every) > 1:
            conflicts.append(Conflict(key, tuple(sorted(every)), tuple(sorted(names[key])), pinned))
    contested = {conflict.key for conflict in conflicts}
    return Locked(
        missing=tuple(missing.values()),
        unknown=tuple(unknown),
        unused=tuple(sorted(set(pins) - set(used) - contested)),
        conflicts=tuple(conflicts),
        used=used,
    )
