"""Packages that a user names and no project requires: fetched, and then projects like any other.

What a project keeps beside its bramble.toml is kept in the store here, in `var/packages/NAME@VERSION`: a
lock, which begins as the package's own and also records the package itself. So a version that was
used once is known by its digest, and nothing is asked of the network.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Sequence
from typing import Optional

from bramble.commands.build import PACKAGES
from bramble.commands.context.consent import below
from bramble.commands.context.limits import bounded
from bramble.commands.context.opening import open_store, root_of
from bramble.commands.context.packages import resolved
from bramble.commands.context.setting import Setting
from bramble.commands.packages.adding import LATEST
from bramble.commands.packages.asking import commit_of, unknown_revision
from bramble.commands.packages.obtain import fetched, repositories_of
from bramble.errors import BrambleError
from bramble.packages.locked import locked
from bramble.packages.operand import Operand, operand
from bramble.packages.resolve import Ask, Tree, config_of
from bramble.project.config import ProjectConfig, load_config
from bramble.project.lockfile import COMMITS, DEPENDENCIES, Lock, alone, change_lock, read_lock
from bramble.project.modules import Target
from bramble.project.names import CONFIG_NAME, LOCK_NAME
from bramble.project.packages import Packages
from bramble.project.project import Fetched, Project, find_project
from bramble.project.versions import Version
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import NamedTuple
from bramble.store.layout.place import VISITED, locate
from bramble.store.locks.advisory import lock_briefly

_MAJOR = re.compile(r"[0-9]{1,6}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Visit(NamedTuple):
    """A package as a project, its requirements, and the targets that were named."""

    project: Project
    packages: Packages
    targets: tuple[Target, ...]


class _Release(NamedTuple):
    ask: Ask
    target: Target

    @property
    def key(self) -> str:
        # spec: internet.form
        return f"{self.ask.name}@{self.ask.version or self.ask.rev}"


def visit(
    targets: Sequence[Target], setting: Setting, on_line: Callable[[str], None], reads: Reads = NOT_NOTED
) -> Optional[Visit]:
    """Return the package that targets name; None if they are of the project of the current directory.

    Sources that are not in the store are fetched; `on_line` is called for each, `reads` notes what decides
    the result. Raises packages.*, fetch.*, config.*, lock.*, store.*.
    """
    named = [operand(target) for target in targets]
    operands = [one for one in named if one is not None]
    if not operands or _in_project(operands, setting, reads):
        return None
    releases = [_release(one, setting, on_line, reads) for one in operands]
    if len({one.key for one in releases}) > 1 or len(releases) < len(targets):
        # spec: internet.form.one
        raise BrambleError(
            "packages.several",
            f"{', '.join(target.text for target in targets[:4])} are not of one package",
            remedy="name targets of one package, or of the project, at a time",
        )
    project = _project(releases[0], setting, on_line, reads)
    packages = Packages()
    if project.config.dependencies:
        packages = resolved(project, setting, on_line, reads).of_modules()
    assert project.fetched is not None
    objects = tuple(sorted({project.fetched.digest, *packages.objects}))
    found = Packages(packages.directories, packages.meanings, objects)
    return Visit(project, found, tuple(one.target for one in releases))


def required(
    path: str, setting: Setting, on_line: Callable[[str], None], reads: Reads = NOT_NOTED
) -> Optional[Project]:
    """Return the package, as a project, that the project requires and whose name `path` begins with.

    None for none. Raises config.*, packages.*, fetch.*, lock.*, store.*.
    """
    # spec: cli.ls.packages
    packages = resolved(find_project(setting.cwd, reads), setting, on_line, reads).of_modules()
    names = [name for name in packages.meanings.get("", {}) if f"{path}/".startswith(f"{name}/")]
    if not names:
        return None
    root = packages.directories[packages.meanings[""][max(names, key=len)]]
    return Project(root, load_config(os.path.join(root, CONFIG_NAME), reads))


def _in_project(operands: Sequence[Operand], setting: Setting, reads: Reads) -> bool:
    """Return whether the project of the current directory is meant, or a package that it requires."""
    # spec: internet.in-project
    if not any(not one.version or _MAJOR.fullmatch(one.version) for one in operands):
        return False
    try:
        find_project(setting.cwd, reads)
    except BrambleError as error:
        if error.code == "config.no-project":
            return False
        raise
    return True


def _release(one: Operand, setting: Setting, on_line: Callable[[str], None], reads: Reads) -> _Release:
    """Return the version or the commit that is meant, and the target in the package."""
    version = one.exact()
    name, module = next(one.meant())
    if version is not None and not version.build:
        return _Release(Ask(name, version), one.within(name, module))
    if _COMMIT.fullmatch(one.version):
        return _Release(Ask(name, None, one.version), one.within(name, module))
    # What is newest, and what a branch means, another one may be tomorrow.
    reads.spoil("a repository was asked")
    if setting.offline:
        return _known(one, setting)
    try:
        return _asked(one, setting, on_line)
    except BrambleError as error:
        with contextlib.suppress(BrambleError):
            key = _known(one, setting).key
            error.remedy = f"{key} is in the store: name it, or use --offline; otherwise {error.remedy}"
        raise


def _known(one: Operand, setting: Setting) -> _Release:
    """Return the newest version of a package in the store. Raises fetch.offline if there is none."""
    # spec: internet.offline
    for name, module in one.meant():
        if one.version in ("", LATEST):
            versions = _versions_here(name, setting)
            best = max([each for each in versions if not each.pre_release] or versions, default=None)
            if best is not None:
                return _Release(Ask(name, best), one.within(name, module))
    raise BrambleError(
        "fetch.offline",
        f"the repository of {one.target.name} has to be asked, which --offline forbids",
        remedy="run it once without --offline, or name a version or a commit that is in the store",
    )


def _versions_here(name: str, setting: Setting) -> list[Version]:
    directory, _, last = _home(name, setting).rpartition("/")
    found = []
    with contextlib.suppress(OSError):
        for entry in os.listdir(directory):
            text = entry.partition("@")[2] if entry.startswith(last + "@") else ""
            with contextlib.suppress(BrambleError):
                found.append(Version.parse(text))
    return found


def _asked(one: Operand, setting: Setting, on_line: Callable[[str], None]) -> _Release:
    """Return what a repository says is meant: the newest version, or what a tag or a branch means."""
    first: Optional[BrambleError] = None
    on_line(f"asking for {one.name}" + (f"@{one.version}" if one.version else ""))
    is_newest = one.version in ("", LATEST)
    with repositories_of(nobody(setting), setting, on_line) as (_, repositories):
        for name, module in one.meant():
            try:
                repository = repositories.versions(name) if is_newest else repositories.of(name)
            except BrambleError as error:
                if error.code != "packages.unknown":
                    raise
                first = first or error
                continue
            if not is_newest:
                commit = commit_of(one.version, repository)
                if commit is None:
                    raise unknown_revision(name, one.version, repository)
                return _Release(Ask(name, None, commit), one.within(name, module))
            newest = repository.newest()
            if newest is not None:
                return _Release(Ask(name, newest), one.within(name, module))
            branches = [each[11:] for each in repository.references if each.startswith("refs/heads/")]
            branch = next((each for each in ("main", "master") if each in branches), "COMMIT")
            first = first or BrambleError(
                "packages.unknown-version",
                f'the package "{name}" has no version: no tag of its repository is one',
                remedy=f"name a branch or a commit: {name}@{branch}",
            )
    assert first is not None  # There is one name at least.
    raise first


def _project(release: _Release, setting: Setting, on_line: Callable[[str], None], reads: Reads) -> Project:
    """Return the sources of a release as a project, fetched if they are not here."""
    # spec: internet.home
    ask, home = release.ask, _home(release.key, setting)
    lock_path = os.path.join(home, LOCK_NAME)
    lock = read_lock(lock_path, reads)
    known = locked(lock.tables, ask.key)
    directory = locate(root_of(setting)).directory
    tree = None if known is None else Tree(os.path.join(directory, known.digest), known.digest, known.commit)
    if tree is not None:
        reads.kind(tree.directory)
    if tree is None or not os.path.isdir(tree.directory):
        reads.spoil("sources of packages were fetched")
        (tree,) = fetched([ask], nobody(setting), setting, lock, on_line)
        with bounded(setting.limits):
            config = config_of(ask, tree)
            begun = _begun(ask, tree, lock)
        _keep(lock_path, begun, tree, setting)
    else:
        config = config_of(ask, tree, reads)
    here = os.path.realpath(setting.cwd)
    reads.way(setting.cwd)
    return Project(
        root=tree.directory,
        config=config,
        fetched=Fetched(release.key, tree.commit, tree.digest, home, here, _ground(here, setting)),
    )


def _begun(ask: Ask, tree: Tree, lock: Lock) -> Lock:
    """Return the lock of a release: its own, and its own digest. Raises lock.* with its name."""
    # spec: internet.lock
    if locked(lock.tables, ask.key) is not None:
        return lock
    try:
        own = read_lock(os.path.join(tree.directory, LOCK_NAME)).tables
    except BrambleError as error:
        error.place = error.place and error.place._replace(file=f"{ask.name}/{error.place.file}")
        raise
    itself = {DEPENDENCIES: {ask.key: tree.digest}, COMMITS: {ask.key: tree.commit}}
    return Lock({**own, **{table: {**own.get(table, {}), **entry} for table, entry in itself.items()}})


def _keep(lock_path: str, lock: Lock, tree: Tree, setting: Setting) -> None:
    """Keep the lock of a release, unless another process has been faster, and its sources in the store."""
    store = open_store(setting)
    store.refuse_to_write()
    os.makedirs(os.path.dirname(lock_path), exist_ok=True)
    with alone(lock_path, lock_briefly):
        change_lock(lock_path, lambda before: before if before.tables else lock)
    # spec: internet.kept
    store.record_roots(os.path.dirname(lock_path), {PACKAGES: [tree.digest]})


def _home(key: str, setting: Setting) -> str:
    return f"{os.path.normpath(root_of(setting))}/{VISITED}/{key}"


def nobody(setting: Setting) -> Project:
    """Return the project to use outside of any project: an empty one."""
    return Project(_home("", setting), ProjectConfig("nobody.invalid", "0.0.0"))


def _ground(here: str, setting: Setting) -> str:
    """Return where programs may write: the current directory, except for a home and what Bramble trusts."""
    # spec: internet.run.ground
    private = (setting.config, setting.state, setting.cache, setting.netrc, setting.known_hosts)
    known = [os.path.realpath(path) for path in private if path]
    inside = [*known, os.path.realpath(root_of(setting))]
    # What begins with a dot is not work but what programs trust: ~/.gnupg, ~/.local/bin, ~/.config/autostart.
    hidden = any(part.startswith(".") for part in here.split("/"))
    if (
        here == "/"
        or hidden
        or any(below(path, here) for path in known)
        or any(below(here, path) for path in inside)
    ):
        return ""
    return here
