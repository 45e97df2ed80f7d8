"""Where packages are: which versions each has, and which commit each of these is.

Registries are asked for versions first, in the order of the user's configuration, then the repository.

A repository is asked once in a command, whatever is then wanted of it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Optional, Union

from bramble.build.fetch.discretion import redact
from bramble.build.fetch.git import refusal, was_unanswered
from bramble.build.fetch.references import references
from bramble.build.fetch.repository import Asking
from bramble.commands.packages.registry.asking import NO_REGISTRIES, Found, Registries, refuse_another
from bramble.errors import BrambleError
from bramble.packages.locked import Locked, locked
from bramble.packages.names import RepositoryPlace, is_remote, place_of_url, places, tag_of, version_of
from bramble.packages.resolve import Ask
from bramble.project.lockfile import DEPENDENCIES, Lock
from bramble.project.versions import Version
from bramble.record import NamedTuple, dataclass, field

_TAGS, _HEADS = "refs/tags/", "refs/heads/"
_AT_ONCE = 8  # repositories that are asked
_SHOWN = 8  # versions that an error lists


class Repository(NamedTuple):
    """What is known of the repository of a package; of one that a registry tells of, only the versions."""

    place: RepositoryPlace
    versions: Mapping[Version, str]  # in order → full hash of the commit
    references: Mapping[str, str]  # full names of all branches and tags, and HEAD → commit
    registry: str = ""  # URL of the registry that tells of it

    def newest(self, major: Optional[int] = None) -> Optional[Version]:
        """Return the greatest version that is not a pre-release, or of these.

        With `major` only versions of that MAJOR count. None if there is none.
        """
        # spec: packages.newest
        known = [version for version in self.versions if major in (None, version.major)]
        return max([version for version in known if not version.pre_release] or known, default=None)


@dataclass
class Repositories:
    """Asks repositories for what they have. `scratch` is an empty directory of mode 0700."""

    asking: Asking
    scratch: str
    registries: Registries = NO_REGISTRIES
    _known: dict[tuple[str, str], Repository] = field(default_factory=dict)

    def of(self, name: str, git: str = "") -> Repository:
        """Return the repository of a package, which is at `git`, or "": where its name says.

        Raises packages.unknown if there is none, and what asking raises.
        """
        # spec: packages.names.place
        if (name, git) not in self._known:
            self._known[name, git] = self._found(name, self._candidates(name, git))
        return self._known[name, git]

    def versions(self, name: str, git: str = "") -> Repository:
        """Return the source of the versions of a package: the first registry that has it, else as `of`.

        Raises what `of` raises, and registry.* where one is not to be believed.
        """
        # spec: registry.client.versions
        said = None if git else self.registries.versions(name)
        if said is None:
            return self.of(name, git)
        registry, entries = said
        versions = {Version.parse(one.version): one.commit for one in entries}
        return Repository(RepositoryPlace(registry.url, ""), dict(sorted(versions.items())), {}, registry.url)

    def entry(self, ask: Ask, known: Optional[Locked]) -> Optional[Found]:
        """Return what a registry says of what is asked for; None if none says anything.

        `known` is what the lock says. Raises registry.lock if that is something else, registry.* where a
        registry is not to be believed.
        """
        # spec: registry.client.entry
        if ask.version is None or ask.git:
            return None
        found = self.registries.entry(ask.name, str(ask.version))
        if found is not None:
            refuse_another(known, found, ask.key)
        return found

    def agree(self, lock: Lock, keys: Iterable[str]) -> None:
        """Demand that what registries say of versions is what the lock says; `keys` are those that matter.

        Raises registry.lock, at the line of the lock.
        """
        # spec: registry.lock
        for key in sorted(keys):
            name, at, version = key.partition("@")
            found = self.registries.entry(name, version) if at else None
            if found is not None:
                place = lock.places.get((DEPENDENCIES, key))
                refuse_another(locked(lock.tables, key), found, key, place)

    def several(
        self, names: Sequence[tuple[str, str]], *, versions: Collection[str] = ()
    ) -> list[Union[Repository, BrambleError]]:
        """Return the repository of each of these, name and `git`, or its error; many at a time.

        Of the names in `versions` only these are wanted, and a registry may tell of them.
        """

        def one(name: tuple[str, str]) -> Union[Repository, BrambleError]:
            try:
                return self.versions(*name) if name[0] in versions else self.of(*name)
            except BrambleError as error:
                return error

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                return list(pool.map(one, names))
            except BaseException:
                # After a failure, do not wait for servers that do not answer.
                self.asking.listener.cancelled.set()
                raise

    def must_ask(self, ask: Ask, known: Optional[Locked]) -> bool:
        """Return whether only its repository can say where the sources are, or which commit they are of."""
        return known is None or not known.commit or len(self._candidates(ask.name, ask.git)) > 1

    def commit(self, ask: Ask, known: Optional[Locked]) -> tuple[RepositoryPlace, str]:
        """Return where the sources are that are asked for, and their commit, or the reference that means it.

        `known` is what the lock says: its commit holds even where the tag has been moved. Raises
        packages.unknown, packages.unknown-version.
        """
        if known is not None and known.commit:
            # spec: packages.obtain
            asked = self.must_ask(ask, known)
            place = self.of(ask.name, ask.git).place if asked else self._candidates(ask.name, ask.git)[0]
            return place, known.commit
        repository = self.of(ask.name, ask.git)
        if ask.version is None:
            means = (repository.references.get(kind + ask.rev) for kind in (_TAGS, _HEADS, ""))
            return repository.place, next((commit for commit in means if commit), ask.rev)
        commit = repository.versions.get(ask.version)
        if commit is None:
            raise unknown_version(ask, repository)
        return repository.place, commit

    def _candidates(self, name: str, git: str) -> Sequence[RepositoryPlace]:
        """Return where a package may be; where the mirror table has some of these places, only those."""
        # spec: packages.names.place
        found = _candidates(name, git)
        return [place for place in found if place.url in self.asking.fetch.mirror] or found

    def _found(self, name: str, candidates: Sequence[RepositoryPlace]) -> Repository:
        errors = []
        for place in candidates:
            try:
                found = self._asked(place.url)
            except BrambleError as error:
                if error.code != "fetch.git":
                    raise
                errors.append(error)
                continue
            failed = next((one for one in errors if was_unanswered(one.detail)), None)
            if failed is not None:
                # The longer name may be the repository that is meant, when its server answers again.
                raise failed
            return Repository(place, dict(sorted(_versions(place.directory, found))), found)
        detail = "\n".join(error.detail or error.message for error in errors)
        private = refusal(detail.encode("utf-8", "replace"))
        silent = any(was_unanswered(error.detail) for error in errors)
        fact = (
            f'the repository of the package "{name}" cannot be reached'
            if silent
            else f'there is no repository of the package "{name}"'
        )
        raise BrambleError(
            "packages.unknown",
            f"{fact}: git could not read " + " nor ".join(redact(place.url) for place in candidates),
            remedy=("check the network and the name" if silent else "check the name")
            + f"; if the repository has another address: bramble add {name} --git URL"
            + (f"; {private}" if private else ""),
            detail=detail,
        )

    def _asked(self, url: str) -> Mapping[str, str]:
        return references(url, self.asking, tempfile.mkdtemp(dir=self.scratch))


def _candidates(name: str, git: str) -> tuple[RepositoryPlace, ...]:
    if git:
        return (place_of_url(git),)
    found = places(name) if is_remote(name) else ()
    if not found:
        raise BrambleError(
            "packages.unknown",
            f'the name "{name}" is not the address of a repository: HOST/PATH is expected',
            remedy="write the whole name, as in github.com/u/p; `bramble search` finds names in registries",
        )
    return found


def _versions(directory: str, found: Mapping[str, str]) -> Iterator[tuple[Version, str]]:
    for reference, commit in found.items():
        if reference.startswith(_TAGS):
            version = version_of(directory, reference[len(_TAGS) :])
            if version is not None:
                yield version, commit


def odd_tag(repository: Repository) -> str:
    """Return a hint about a tag that looks like a version and is not valid; "" without one.

    It is the greatest of those that name a version without the letter.
    """
    # spec: packages.names.tag
    prefix = _prefix(repository)
    found = []
    for reference in repository.references:
        if reference.startswith(_TAGS + prefix):
            name = reference[len(_TAGS + prefix) :]
            version = version_of("", f"v{name}")
            if version is not None:
                found.append((version, prefix + name))
    if not found:
        return ""
    return _no_version_tag(max(found)[1], repository)


def _no_version_tag(name: str, repository: Repository) -> str:
    prefix = _prefix(repository)
    return f"it has a tag {name}, which is not a version tag: {prefix}v{name[len(prefix) :]} would be"


def _prefix(repository: Repository) -> str:
    return f"{repository.place.directory}/" if repository.place.directory else ""


def _tag(repository: Repository) -> str:
    return tag_of(repository.place.directory, Version(1, 2, 0)) + ", or another one of that form"


def unknown_version(ask: Ask, repository: Repository) -> BrambleError:
    """Return the error for a version that a package does not have."""
    known = [str(version) for version in reversed(list(repository.versions))]
    bare = f"{_prefix(repository)}{ask.version}"
    listed = ", ".join(known[:_SHOWN]) + (" …" if len(known) > _SHOWN else "")
    return BrambleError(
        "packages.unknown-version",
        f'the package "{ask.name}" has no version {ask.version}',
        remedy=(f"{_no_version_tag(bare, repository)}; " if _TAGS + bare in repository.references else "")
        + (
            f"it has {listed}"
            if known
            else odd_tag(repository) or f"it has no version: its repository has no tag {_tag(repository)}"
        ),
    )
