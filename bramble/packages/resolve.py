"""From what a project requires to the directories of its packages: what is read, checked, and chosen.

Where sources of packages come from is the caller's: a `Source` is asked for trees, several at a time,
and returns directories whose content has been verified. Here their bramble.toml is read, held against
what they were asked for as, and handed to `select`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Optional, Protocol

from bramble.errors import BrambleError, Place
from bramble.packages.select import Asker, Release, Requirements, Selection, Unmet, select
from bramble.project.config import Dependency, ProjectConfig, load_config
from bramble.project.names import CONFIG_NAME
from bramble.project.packages import Packages
from bramble.project.project import Project
from bramble.project.versions import Version
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import NamedTuple, dataclass, field

# How a package may name the repository of another: https, ssh, and HOST:PATH, which is ssh.
_REACHED = re.compile(r"(?:https|ssh)://|[^/:]+:(?!//|:)", re.IGNORECASE)
_PROJECT = "project"  # the source of the project that is resolved, where a package requires it
_PATH, _REV = "path ", "rev "
MOST_RELEASES = 10_000  # that are read to choose the packages of one project


class Ask(NamedTuple):
    """What a source is asked for: a version of a package, or a revision of its repository."""

    name: str
    version: Optional[Version]  # None: `rev` says what
    rev: str = ""
    git: str = ""  # the repository, where it is elsewhere than the name says

    @property
    def key(self) -> str:
        """Return the key under which a lock keeps it."""
        # spec: packages.lock
        return f"{self.name}@{self.version}" if self.version is not None else f"{self.name} rev={self.rev}"


class Tree(NamedTuple):
    """The verified sources of a package."""

    directory: str  # absolute
    digest: str  # of the tree in canonical form, which is the name of the object
    commit: str  # full hash, "" if it is not known any more


class Source(Protocol):
    """Where the sources of packages come from."""

    def trees(self, asks: Sequence[Ask]) -> Sequence[Tree]:
        """Return the tree of each of these.

        Raises BrambleError if one cannot be obtained; `about` is its key, and its place that of the entry.
        """


class Package(NamedTuple):
    """A package whose modules a project can reach."""

    release: Release
    directory: str  # absolute
    meanings: Mapping[str, str]  # name in its own `load`s → key of the package that is meant


@dataclass(frozen=True)
class Resolution:
    """All packages of a project, and how they were chosen.

    The key of a package is its name; where the project has several major versions of it, that name is
    the key of the one that the project itself requires, else of the greatest, and the others' keys are
    NAME@MAJOR.
    """

    selection: Selection
    packages: Mapping[str, Package]  # by key, in the order in which they are reached
    meanings: Mapping[str, str]  # name in the project's own `load`s → key
    trees: Mapping[Ask, Tree]  # all that a source was asked for, used or not

    @property
    def objects(self) -> tuple[str, ...]:
        """The objects of all sources that a source was asked for, sorted."""
        return tuple(sorted({tree.digest for tree in self.trees.values()}))

    def of_modules(self) -> Packages:
        """Return the packages as modules of the project see them."""
        return Packages(
            directories={key: one.directory for key, one in self.packages.items()},
            meanings={"": self.meanings, **{key: one.meanings for key, one in self.packages.items()}},
            objects=self.objects,
        )


def resolve(
    project: Project,
    source: Source,
    reads: Reads = NOT_NOTED,
    may_follow: Callable[[str], bool] = lambda directory: True,
) -> Resolution:
    """Return the packages that a project's modules can load from, directly or not.

    `reads` notes what decides that, besides what `source` reads. `may_follow` says of a directory, absolute
    and without links, whether the project may take a package from it.

    Raises config.* at the entry of a bramble.toml that cannot be met, packages.* for a package that is
    not what it was asked for as, and whatever `source` raises.
    """
    # spec: packages.resolve
    walk = _Walk(project, source, reads, may_follow)
    try:
        # No path is followed out of sources that were fetched.
        root = project.root if project.fetched is None else ""
        selection = select(walk.requirements("", root, project.config), walk.requirements_of)
    except Unmet as unmet:
        raise walk.unmet(unmet) from None
    keys = _keys(selection, project.name)
    packages = {
        keys[release]: Package(
            release,
            walk.directories[release],
            _meanings(selection, release, keys),
        )
        for release in selection.used()
        if release.source != _PROJECT
    }
    return Resolution(selection, packages, _meanings(selection, None, keys), walk.found)


def _keys(selection: Selection, own_name: str) -> dict[Release, str]:
    # spec: packages.majors, packages.itself
    plain: dict[str, Release] = {}
    for release in selection.used():
        known = plain.get(release.name)
        if known is None or known.version < release.version:
            plain[release.name] = release
    for name in selection.required[None]:
        own = selection.meant(None, name)
        assert own is not None  # It is required right here.
        plain[name] = own

    def is_plain(release: Release) -> bool:
        # The name of the project is its own, also beside another major version of it.
        return release.source == _PROJECT if release.name == own_name else plain[release.name] == release

    return {
        release: release.name if is_plain(release) else f"{release.name}@{release.version.major}"
        for release in selection.used()
    }


def _meanings(selection: Selection, asker: Asker, keys: Mapping[Release, str]) -> dict[str, str]:
    found = ((name, selection.meant(asker, name)) for name in selection.required[asker])
    return {name: keys[release] for name, release in found if release is not None}


@dataclass
class _Walk:
    """What has been read on the way."""

    project: Project
    source: Source
    reads: Reads
    may_follow: Callable[[str], bool]
    directories: dict[Release, str] = field(default_factory=dict)
    configs: dict[Release, ProjectConfig] = field(default_factory=dict)
    found: dict[Ask, Tree] = field(default_factory=dict)
    entries: dict[str, Place] = field(default_factory=dict)  # key of a release → the first that requires it
    _repositories: dict[str, tuple[str, str]] = field(default_factory=dict)  # name → who says it, URL

    def requirements_of(self, releases: Sequence[Release]) -> list[Requirements]:
        """Return what each of these releases requires."""
        published = [release for release in releases if not release.source]
        asks = [self._ask(release.name, release.version) for release in published]
        for release, ask, tree in zip(published, asks, self._trees(asks)):
            self.directories[release] = tree.directory
            with self._at_its_entry(ask):
                self.configs[release] = _published(ask, tree, self.reads)
        return [self._required_by(release) for release in releases]

    def requirements(self, owner: str, root: str, config: ProjectConfig) -> Requirements:
        """Return the dependencies of a bramble.toml as requirements; projects at paths are read.

        `owner` is the package whose it is, "" for the project; `root` its directory, "" for one that was
        fetched.
        """
        revisions = {}
        for name, one in config.dependencies.items():
            self._settle(owner, root, name, one)
            ask = self._ask(name, None if one.rev else Version.parse(one.version or "0.0.0"), one.rev or "")
            self.entries.setdefault(ask.key, _place(owner, one))
            if one.rev:
                revisions[name] = ask
        trees = dict(zip(revisions, self._trees(list(revisions.values()))))
        found: dict[str, Release] = {}
        for name, one in config.dependencies.items():
            if one.path and (root or one.version is None):
                release = self._at_a_path(owner, root, name, one)
            elif one.rev:
                release = self._at_a_revision(revisions[name], trees[name])
            else:
                release = Release(name, Version.parse(one.version or ""))
            if name == self.project.name:
                release = self._itself(owner, one, release)
            found[name] = release
        return found

    def unmet(self, unmet: Unmet) -> BrambleError:
        """Return the error for a requirement that cannot be met, at the entry that states it."""
        owner, config = "", self.project.config
        if unmet.asker is not None:
            owner, config = unmet.asker.name, self.configs[unmet.asker]
        place = _place(owner, config.dependencies[unmet.name])
        return BrambleError(unmet.code, unmet.fact, place=place, remedy=unmet.remedy)

    def _required_by(self, release: Release) -> Requirements:
        if release.source == _PROJECT:
            return {}
        is_path = release.source.startswith(_PATH)
        root = self.directories[release] if is_path else ""
        return self.requirements(release.name, root, self.configs[release])

    def _trees(self, asks: Sequence[Ask]) -> list[Tree]:
        missing = [ask for ask in dict.fromkeys(asks) if ask not in self.found]
        if missing:
            self._check_count(missing)
            try:
                self.found.update(zip(missing, self.source.trees(missing)))
            except BrambleError as error:
                for one in (error, *error.others):
                    one.place = one.place or self.entries.get(one.about)
                raise
        return [self.found[ask] for ask in asks]

    def _check_count(self, more: Sequence[Ask]) -> None:
        # spec: packages.selection.bound
        if len(self.found) + len(more) > MOST_RELEASES:
            raise BrambleError(
                "packages.too-many",
                f"more than {MOST_RELEASES} releases of packages would be needed",
                place=self.entries.get(more[0].key),
                remedy="find the package that requires so many (run `bramble deps` without the last one)",
            )

    @contextlib.contextmanager
    def _at_its_entry(self, ask: Ask) -> Iterator[None]:
        """Give an error about what came for `ask` the place of the entry that requires it, if it has none."""
        try:
            yield
        except BrambleError as error:
            error.place = error.place or self.entries.get(ask.key)
            error.about = ask.key
            raise

    def _ask(self, name: str, version: Optional[Version], rev: str = "") -> Ask:
        return Ask(name, version, rev, self._repositories.get(name, ("", ""))[1])

    def _settle(self, owner: str, root: str, name: str, one: Dependency) -> None:
        """Note which repository a name means: what the project says holds, and packages must agree."""
        # spec: packages.place.one
        if one.path:
            return
        if owner and not root and one.git and not self._may_be_asked(one.git):
            # spec: packages.place.asked
            raise _wrong(
                owner,
                one,
                f'"{name}" has an address that is neither https nor ssh, which a fetched package may not use',
                f'if you trust it, write the address of "{name}" into this project\'s {CONFIG_NAME}',
            )
        # An entry without `git` names one, too: else a package could lead others elsewhere.
        first, known = self._repositories.setdefault(name, (owner, one.git))
        if known != one.git and first:
            raise _wrong(
                owner,
                one,
                f'"{name}" has another repository here than in "{first}"',
                f"write its address into this project's {CONFIG_NAME}",
            )

    def _may_be_asked(self, git: str) -> bool:
        """Return whether a repository that a package names is one that may be asked because of it."""
        own = {one.git for one in self.project.config.dependencies.values()}
        return git in own or _REACHED.match(git) is not None

    def _at_a_path(self, owner: str, root: str, name: str, one: Dependency) -> Release:
        # spec: project.packages
        if not root:
            raise _wrong(
                owner,
                one,
                f'"{name}" has the path {one.path}, and paths in fetched packages are not followed',
                "add the published version to the path, or write the revision instead of the path",
            )
        self.reads.way(os.path.join(root, one.path))
        directory = os.path.realpath(os.path.join(root, one.path))
        if not self.may_follow(directory):
            # spec: packages.path.granted
            raise BrambleError(
                "packages.not-granted",
                f'"{name}" is in {directory}, which is not near this project',
                place=_place(owner, one),
                remedy=f"to allow it from now on: bramble trust grant --path {shlex.quote(directory)}",
            )
        config = _at_path(owner, one, name, directory, self.reads)
        release = Release(name, Version.parse(config.version), _PATH + directory)
        self.directories[release], self.configs[release] = directory, config
        return release

    def _at_a_revision(self, ask: Ask, tree: Tree) -> Release:
        with self._at_its_entry(ask):
            config = _checked(ask, tree, self.reads)
        release = Release(ask.name, Version.parse(config.version), _REV + ask.rev)
        self.directories[release], self.configs[release] = tree.directory, config
        return release

    def _itself(self, owner: str, one: Dependency, release: Release) -> Release:
        """Return what a package means that requires the project: it, or another major version of it."""
        # spec: packages.itself
        own = Version.parse(self.project.config.version)
        if not owner or (release.source.startswith(_PATH) and self.directories[release] != self.project.root):
            raise _wrong(
                owner,
                one,
                f'"{release.name}" is the name of this project itself',
                "remove it, or rename one: a project loads its own modules without requiring itself",
            )
        if release.version.major != own.major:
            return release
        if release.version > own:
            raise BrambleError(
                "config.versions",
                f'"{owner}" needs {release}, and this project is {own}',
                place=_place(owner, one),
                remedy=f"raise the version in {CONFIG_NAME} if the project has what is needed",
            )
        return Release(release.name, own, _PROJECT)


def _at_path(owner: str, one: Dependency, name: str, directory: str, reads: Reads) -> ProjectConfig:
    path = os.path.join(directory, CONFIG_NAME)
    if not os.path.lexists(path):
        raise _wrong(
            owner,
            one,
            f'there is no {CONFIG_NAME} in {directory}, where "{name}" should be',
            "correct the path",
        )
    config = _read(path, name, reads)
    if config.name != name:
        raise _wrong(
            owner,
            one,
            f'the project in {directory} has the name "{config.name}", not "{name}"',
            f'write "{config.name}", or correct the path',
        )
    if one.version is not None:
        found, wanted = Version.parse(config.version), Version.parse(one.version)
        if found < wanted or found.major != wanted.major:
            raise BrambleError(
                "config.versions",
                f'"{name}" is needed in version {wanted}, and {directory} holds {found}',
                place=_place(owner, one),
                remedy="change the required version, or the path",
            )
    return config


def config_of(ask: Ask, tree: Tree, reads: Reads = NOT_NOTED) -> ProjectConfig:
    """Return what the bramble.toml of sources says, which were asked for so.

    Raises packages.no-project, packages.name, packages.version, and config.* with the package's name.
    """
    return _checked(ask, tree, reads) if ask.version is None else _published(ask, tree, reads)


def _published(ask: Ask, tree: Tree, reads: Reads) -> ProjectConfig:
    """Return what the bramble.toml of a published version says, which is what its tag says."""
    # spec: packages.tag.agrees
    config = _checked(ask, tree, reads)
    if config.version != str(ask.version):
        raise BrambleError(
            "packages.version",
            f"{CONFIG_NAME} of {ask.key} has the version {config.version}",
            remedy="its author has to make tag and bramble.toml agree; until then use another version",
        )
    return config


def _checked(ask: Ask, tree: Tree, reads: Reads) -> ProjectConfig:
    # spec: packages.name.agrees
    path = os.path.join(tree.directory, CONFIG_NAME)
    if not os.path.lexists(path):
        raise BrambleError(
            "packages.no-project",
            f"there is no {CONFIG_NAME} in {ask.key}",
            remedy="it is not a package: use another version, or read its files with fetch_git",
        )
    try:
        config = _read(path, ask.name, reads)
    except BrambleError as error:
        if error.code != "config.unreadable":
            raise
        raise BrambleError(
            error.code,
            f"{CONFIG_NAME} of {ask.key} cannot be read: {error.message.rpartition(': ')[2]}",
            remedy="it is not a package: use another version, or read its files with fetch_git",
        ) from error
    if config.name != ask.name:
        raise BrambleError(
            "packages.name",
            f'{ask.key} has the name "{config.name}"',
            remedy=f'write "{config.name}" if you mean it; the name of a package is its address, '
            f"and if yours is {ask.name}, correct its name in {CONFIG_NAME} and tag a new version",
        )
    return config


def _read(path: str, name: str, reads: Reads) -> ProjectConfig:
    try:
        return load_config(path, reads)
    except BrambleError as error:
        place = error.place and error.place._replace(file=f"{name}/{error.place.file}")
        raise BrambleError(error.code, error.message, place=place, remedy=error.remedy) from error


def _wrong(owner: str, dependency: Dependency, fact: str, remedy: str) -> BrambleError:
    return BrambleError("config.dependency", fact, place=_place(owner, dependency), remedy=remedy)


def _place(owner: str, dependency: Dependency) -> Place:
    place = dependency.place
    return place._replace(file=f"{owner}/{place.file}") if owner else place
