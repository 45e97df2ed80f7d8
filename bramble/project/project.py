"""A project: the directory tree below a bramble.toml."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bramble.errors import BrambleError
from bramble.project.config import CONFIG_NAME, ProjectConfig, load_config


@dataclass(frozen=True)
class Project:
    """Where a project is and what it says of itself."""

    root: str  # absolute, without symbolic links
    config: ProjectConfig
    location: str = ""  # directory relative to the root that paths of targets start from; "" is the root

    @property
    def name(self) -> str:
        """The module name of the project's root."""
        return self.config.name


def find_project(start: str) -> Project:
    """Return the project that the directory `start` lies in: the nearest bramble.toml upwards.

    Raises config.no-project, and the errors of `load_config`.
    """
    # spec: project.find
    beginning = os.path.realpath(start)
    directory = beginning
    while not os.path.lexists(os.path.join(directory, CONFIG_NAME)):
        above = os.path.dirname(directory)
        if above == directory:
            raise BrambleError(
                "config.no-project",
                f"there is no {CONFIG_NAME} in {beginning} or in a directory above it",
                remedy="go to a project, or make one here with: bramble init",
            )
        directory = above
    location = os.path.relpath(beginning, directory)
    return Project(
        root=directory,
        config=load_config(os.path.join(directory, CONFIG_NAME)),
        location="" if location == "." else location,
    )
