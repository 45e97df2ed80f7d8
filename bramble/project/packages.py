"""Packages: the other projects whose modules a project loads, and where they are."""

from __future__ import annotations

import os

from bramble.errors import BrambleError, Place
from bramble.project.config import CONFIG_NAME, Dependency, ProjectConfig, load_config
from bramble.project.project import Project
from bramble.project.versions import Version
from bramble.recall.reads import NOT_NOTED, Reads


def local_packages(project: Project, reads: Reads = NOT_NOTED) -> dict[str, str]:
    """Return the directory of every package that a `path` names, directly or in a package: name → directory.

    Directories are absolute and without symbolic links. Reads the bramble.toml of each
    package and nothing else, which `reads` notes. Raises config.* at the entry of bramble.toml that is wrong.
    """
    # spec: project.packages
    found: dict[str, str] = {}
    namers: dict[str, str] = {}
    # Breadth first: what a project says of a package comes before what its packages say of it.
    waiting = [("", project.root, project.config)]
    for owner, root, config in waiting:
        for name, dependency in config.dependencies.items():
            if not dependency.path:
                continue
            reads.way(os.path.join(root, dependency.path))
            directory = os.path.realpath(os.path.join(root, dependency.path))
            if name == project.name:
                _refuse_itself(owner, dependency, name, directory, project.root)
            elif name not in found:
                found[name], namers[name] = directory, owner
                package = _read(owner, dependency, name, directory, reads)
                waiting.append((name, directory, package))
            elif found[name] != directory and namers[name]:
                raise _wrong(
                    owner,
                    dependency,
                    f'"{name}" is {directory} here, and {found[name]} in {namers[name]}',
                    f"say in this project's {CONFIG_NAME} which of them it is",
                )
    return found


def _refuse_itself(owner: str, dependency: Dependency, name: str, directory: str, root: str) -> None:
    """Let two projects name each other, but not another directory under the name of the evaluated one."""
    if owner and directory == root:
        return
    raise _wrong(
        owner,
        dependency,
        f'"{name}" is the name of this project itself',
        "a project loads its own modules without naming itself; rename one of the two"
        if directory != root
        else "leave it out: a project loads its own modules without naming itself",
    )


def _read(owner: str, dependency: Dependency, name: str, directory: str, reads: Reads) -> ProjectConfig:
    path = os.path.join(directory, CONFIG_NAME)
    if not os.path.lexists(path):
        raise _wrong(
            owner,
            dependency,
            f'there is no {CONFIG_NAME} in {directory}, where "{name}" should be',
            "correct the path",
        )
    try:
        config = load_config(path, reads)
    except BrambleError as error:
        place = error.place and error.place._replace(file=f"{name}/{error.place.file}")
        raise BrambleError(error.code, error.message, place=place, remedy=error.remedy) from error
    if config.name != name:
        raise _wrong(
            owner,
            dependency,
            f'the project in {directory} calls itself "{config.name}", not "{name}"',
            f'write "{config.name}", or correct the path',
        )
    if dependency.version is not None:
        found, wanted = Version.parse(config.version), Version.parse(dependency.version)
        if found < wanted or found.major != wanted.major:
            raise BrambleError(
                "config.versions",
                f'"{name}" is needed in version {wanted}, and {directory} holds {found}',
                place=_place(owner, dependency),
                remedy="change the version that is asked for, or the path",
            )
    return config


def _wrong(owner: str, dependency: Dependency, fact: str, remedy: str) -> BrambleError:
    return BrambleError("config.dependency", fact, place=_place(owner, dependency), remedy=remedy)


def _place(owner: str, dependency: Dependency) -> Place:
    place = dependency.place
    return place._replace(file=f"{owner}/{place.file}") if owner else place
