"""A project: the directory tree below a bramble.toml."""

from __future__ import annotations

import os
from typing import Optional

from bramble.errors import BrambleError
from bramble.project.config import ProjectConfig, load_config
from bramble.project.names import CONFIG_NAME, LOCK_NAME
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import NamedTuple


class Fetched(NamedTuple):
    """A project that a user has named by the name of a package: its sources are in the store.

    Nothing can be written at its root, so other directories replace it: `home` is the directory of its
    lock and of what is remembered of it, `here` the current directory, and `ground` the same, or "" if
    its programs may not write there unless this is requested.
    """

    key: str  # NAME@VERSION, or NAME@COMMIT
    commit: str  # full hash
    digest: str  # of its sources
    home: str
    here: str
    ground: str


class Project(NamedTuple):
    """Where a project is and what it says of itself."""

    root: str  # absolute, without symbolic links
    config: ProjectConfig
    location: str = ""  # directory relative to the root that paths of targets start from; "" is the root
    fetched: Optional[Fetched] = None

    @property
    def name(self) -> str:
        """The module name of the project's root."""
        return self.config.name

    @property
    def home(self) -> str:
        """The directory of its lock, under which the store knows its results."""
        return self.root if self.fetched is None else self.fetched.home

    @property
    def lock_path(self) -> str:
        """Its lock, which need not exist."""
        return os.path.join(self.home, LOCK_NAME)

    @property
    def ground(self) -> str:
        """The directory that its programs may write, "" for none."""
        return self.root if self.fetched is None else self.fetched.ground

    @property
    def here(self) -> str:
        """The directory that relative paths of its `run()` values start from."""
        return self.root if self.fetched is None else self.fetched.here

    @property
    def asker(self) -> tuple[str, str]:
        """Directory and name under which its requests are granted; the digest of what was fetched."""
        # spec: internet.granted
        return (self.root, self.name) if self.fetched is None else (self.fetched.digest, self.fetched.key)


def find_project(start: str, reads: Reads = NOT_NOTED) -> Project:
    """Return the project that contains the directory `start`: that of the nearest bramble.toml upwards.

    `reads` notes what decides that.

    Raises config.no-project, config.foreign, and the errors of `load_config`.
    """
    # spec: project.find, project.find.foreign
    reads.way(start)
    beginning = os.path.realpath(start)
    directory = beginning
    reads.stamp(os.path.join(directory, CONFIG_NAME))
    while not os.path.lexists(os.path.join(directory, CONFIG_NAME)):
        above = os.path.dirname(directory)
        if above == directory:
            raise BrambleError(
                "config.no-project",
                f"there is no {CONFIG_NAME} in {beginning} or in a directory above it",
                remedy="go to a project, or make one here with: bramble init",
            )
        directory = above
        reads.stamp(os.path.join(directory, CONFIG_NAME))
    # Whose it is decides what may stand above it.
    reads.place(beginning)
    if directory != beginning:
        _refuse_foreign(os.path.join(directory, CONFIG_NAME), beginning)
    location = os.path.relpath(beginning, directory)
    return Project(
        root=directory,
        config=load_config(os.path.join(directory, CONFIG_NAME), reads),
        location="" if location == "." else location,
    )


def _refuse_foreign(path: str, beginning: str) -> None:
    """Refuse a bramble.toml above the current directory that another user has put there."""
    try:
        owner, here = os.lstat(path).st_uid, os.stat(beginning).st_uid
    except OSError:
        return  # reading it will say why
    if owner not in (0, os.geteuid(), here):
        raise BrambleError(
            "config.foreign",
            f"{path} belongs to another user, so it does not determine what {beginning} is",
            remedy=f"make a project here (bramble init), or go to {os.path.dirname(path)} if you mean it",
        )
