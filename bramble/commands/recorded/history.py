"""`bramble history`: the last builds of a project."""

from __future__ import annotations

import itertools
from typing import Optional

from bramble.commands.context.recorded import open_recorded
from bramble.commands.context.setting import Setting
from bramble.store.history.model import Build, Ended

__all__ = ["Build", "Ended", "list_builds"]


def list_builds(setting: Setting, most: Optional[int]) -> tuple[str, list[Build]]:
    """Return the name of the project around the working directory, and its last builds, the newest first.

    `most` limits their number. Raises BrambleError as `open_recorded` does (spec: cli.history).
    """
    recorded = open_recorded(setting)
    return recorded.project.name, list(itertools.islice(recorded.builds(), most))
