"""What repositories say now, beside what bramble.toml and the lock say: versions, tags that are others now.

All that `add`, `update` and `outdated` ask of others before anything is changed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Optional

from bramble.build.fetch.discretion import redact
from bramble.commands.packages.repositories import Repositories, Repository, odd_tag
from bramble.errors import BrambleError, nearest
from bramble.packages.names import tag_of
from bramble.project.config import Dependency
from bramble.project.lockfile import COMMITS, DEPENDENCIES, Lock
from bramble.project.versions import Version

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = re.compile(r"[0-9a-f]{7,}")
_SHOWN = 20  # errors that are shown of one step
_BEGUN = re.compile(r"v?([0-9]+(?:\.[0-9]+)?)")
_KINDS = ("refs/tags/", "refs/heads/", "")


def asked(
    repositories: Repositories,
    names: Mapping[str, str],
    known: Iterable[str] = (),
    *,
    versions: Collection[str] = (),
) -> dict[str, Repository]:
    """Return the repositories of packages; `names` maps each name to its `git`, "" for where it says.

    `known` are names that may have been meant; of those in `versions` a registry may tell. Raises
    packages.unknown, fetch.*, registry.*; all errors at once.
    """
    found: dict[str, Repository] = {}
    errors = []
    for name, one in zip(names, repositories.several(list(names.items()), versions=versions)):
        if isinstance(one, BrambleError):
            errors.append(_with_nearest(one, name, known, repositories))
        else:
            found[name] = one
    if errors:
        raise together(errors)
    return found


def failed(repositories: Repositories, names: Mapping[str, str]) -> dict[str, BrambleError]:
    """Ask repositories as `asked` does, and return by name the errors of those that failed."""
    answers = zip(names, repositories.several(list(names.items())))
    return {
        name: _with_nearest(one, name, (), repositories)
        for name, one in answers
        if isinstance(one, BrambleError)
    }


def together(errors: Sequence[BrambleError]) -> BrambleError:
    """Return the first of some errors with the others as its others: no more of them than people read."""
    # spec: packages.errors
    first, rest = errors[0], errors[1:]
    first.others = (*first.others, *rest[: _SHOWN - 1])
    if len(errors) > _SHOWN:
        last = first.others[-1]
        more = f"there are {len(errors) - _SHOWN} more errors like these"
        last.detail = f"{last.detail}\n{more}".lstrip()
    return first


def asked_if_there(repositories: Repositories, names: Mapping[str, str]) -> dict[str, Repository]:
    """Return those that can be fetched now; a registry may describe each. Raises registry.*."""
    answers = repositories.several(list(names.items()), versions=names)
    wrong = [one for one in answers if isinstance(one, BrambleError) and one.code.startswith("registry.")]
    if wrong:
        raise wrong[0]
    return {name: one for name, one in zip(names, answers) if not isinstance(one, BrambleError)}


def _with_nearest(
    error: BrambleError, name: str, known: Iterable[str], repositories: Repositories
) -> BrambleError:
    if error.code == "packages.unknown":
        mirrored = [url.partition("://")[2].rstrip("/") for url in repositories.asking.fetch.mirror]
        meant = _meant(name, {*known, *mirrored, *repositories.registries.beside(name)} - {name})
        if meant is not None:
            error.remedy = f"did you mean {meant}? else {error.remedy}"
    return error


def _meant(name: str, known: Iterable[str]) -> Optional[str]:
    """Return a name that differs a little in its host or in the rest, not in both."""
    host, _, rest = name.partition("/")
    paths = {one.partition("/")[2] for one in known if one.partition("/")[0] == host}
    path = nearest(rest, paths)
    if path is not None:
        return f"{host}/{path}"
    other = nearest(host, {one.partition("/")[0] for one in known if one.partition("/")[2] == rest})
    return None if other is None else f"{other}/{rest}"


def commit_of(revision: str, repository: Repository) -> Optional[str]:
    """Return the full hash of the commit that a revision of a repository means; None for none.

    It is a tag, a branch, a full hash, or the beginning of the hash that a tag or a branch means.
    """
    # spec: packages.add.revision
    for kind in _KINDS:
        if kind + revision in repository.references:
            return repository.references[kind + revision]
    if _FULL.fullmatch(revision):
        return revision
    commits = {one for one in repository.references.values() if one.startswith(revision)}
    return commits.pop() if _SHORT.fullmatch(revision) and len(commits) == 1 else None


def unknown_revision(name: str, revision: str, repository: Repository) -> BrambleError:
    """Return the error for a revision that a repository does not have."""
    heads = [one.partition(_KINDS[1])[2] for one in repository.references if one.startswith(_KINDS[1])]
    tags = [one.partition(_KINDS[0])[2] for one in repository.references if one.startswith(_KINDS[0])]
    meant = _version_meant(revision, repository) or nearest(revision, [*heads, *tags])
    return BrambleError(
        "packages.unknown-revision",
        f'the repository of the package "{name}" has no branch or tag {ascii(revision)}',
        remedy=(f"did you mean {shlex.quote(meant)}? " if meant else "")
        + "write a branch, a tag, a full commit hash, or a version, "
        "which also permits later ones of the same MAJOR",
    )


def _version_meant(text: str, repository: Repository) -> Optional[str]:
    """Return the newest version that begins with the numbers of a version that is not written to its end."""
    found = _BEGUN.fullmatch(text)
    if found is None:
        return None
    begun = f"{found[1]}."
    known = [version for version in repository.versions if str(version).startswith(begun)]
    best = max([version for version in known if not version.pre_release] or known, default=None)
    return None if best is None else str(best)


def no_version(name: str, repository: Repository) -> BrambleError:
    """Return the error for a package that has no version at all."""
    branch = next((one[len(_KINDS[1]) :] for one in repository.references if one.startswith(_KINDS[1])), "")
    odd = odd_tag(repository)
    return BrambleError(
        "packages.unknown-version",
        f'the package "{name}" has no version: no tag of {redact(repository.place.url)} is one',
        remedy=(f"{odd}; " if odd else "")
        + f"its author makes one: git tag {tag_of(repository.place.directory, Version(0, 1, 0))}; "
        f"until then: bramble add {shlex.quote(f'{name}@{branch}') if branch else f'{name}@BRANCH'}",
    )


def newer(current: Version, repository: Repository, *, major: bool) -> Version:
    """Return the newest version to which `current` can be raised, of the same MAJOR unless `major`."""
    # spec: packages.update
    found = [repository.newest(current.major), repository.newest() if major else None]
    return max([current, *(version for version in found if version is not None)])


def moved(lock: Lock, repositories: Mapping[str, Repository], used: Iterable[str]) -> list[str]:
    """Return a warning for each version in the lock whose tag means another commit now, or is gone.

    `used` are the keys of what the project reads; other entries of the lock do not matter any more.
    """
    # spec: packages.tags.moved
    commits = lock.tables.get(COMMITS, {})
    warnings = []
    for key in sorted(set(used) & commits.keys()):
        name, _, text = key.partition("@")
        repository = repositories.get(name)
        version = exact(text)
        if repository is None or version is None or repository.registry:
            continue
        now = repository.versions.get(version)
        if now is None:
            warnings.append(
                f"the tag of {key} was removed from {redact(repository.place.url)}; "
                f"it stays commit {commits[key][:12]}, which the lock names"
            )
        elif now != commits[key]:
            warnings.append(
                f"the tag of {key} has been MOVED in {redact(repository.place.url)}: "
                f"it means commit {now} now, and the lock names {commits[key]}, which stays; "
                "a version never changes: ask its author what happened"
            )
    return warnings


def exact(text: str) -> Optional[Version]:
    """Return the version that a text is; None for anything else."""
    try:
        return Version.parse(text)
    except BrambleError:
        return None


def repository_names(
    dependencies: Mapping[str, Dependency], others: Iterable[tuple[str, str]]
) -> dict[str, str]:
    """Return the names of published packages, with the repository of each as bramble.toml has it.

    `others` are names and repositories that a resolution has asked for: a package may say where one is.
    """
    # spec: packages.place.one
    found = {name: git for name, git in others}
    for name, one in dependencies.items():
        if one.path:
            found.pop(name, None)
        elif one.git or name not in found:
            found[name] = one.git
    return found


def locked_names(lock: Lock) -> set[str]:
    """Return the names of the packages that a lock knows."""
    return {key.partition("@")[0].partition(" ")[0] for key in lock.tables.get(DEPENDENCIES, {})}


def not_required(name: str, dependencies: Sequence[str], lock: Lock) -> BrambleError:
    """Return the error for a name that bramble.toml does not require; packages in the lock may do so."""
    plain, at, version = name.partition("@")
    meant = nearest(plain, dependencies) or next(
        (one for one in dependencies if one.endswith(f"/{plain}")), None
    )
    if at and plain in dependencies:
        remedy = f"omit the version: {plain}; to choose one: bramble add {plain}@{version or 'VERSION'}"
    elif name in locked_names(lock):
        remedy = f"another package requires it: `bramble deps --why {name}` shows which"
    elif meant:
        remedy = f"did you mean {meant}?"
    else:
        remedy = f"it requires {', '.join(dependencies)}" if dependencies else "it requires nothing"
    return BrambleError("packages.not-required", f'bramble.toml does not require "{name}"', remedy=remedy)
