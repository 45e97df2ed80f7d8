"""Packages that targets name, for commands that seldom see one: what fetches them is loaded for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Optional

from bramble.commands.context.setting import Setting
from bramble.project.modules import Target
from bramble.project.packages import Packages
from bramble.project.project import Project
from bramble.recall.reads import NOT_NOTED, Reads


def visited(
    targets: Sequence[Target], setting: Setting, on_line: Callable[[str], None], reads: Reads = NOT_NOTED
) -> Optional[tuple[Project, Packages, Sequence[Target]]]:
    """Return the package, not one of the project, that targets name, as a project; None for other targets.

    It is fetched if it is not in the store. Raises packages.*, fetch.*, config.*, lock.*, store.*.
    """
    # spec: internet.in-project
    if not any(target.kind == "module" and "." in target.name.partition("/")[0] for target in targets):
        return None
    found: Optional[tuple[Project, Packages, Sequence[Target]]]
    found = _visiting().visit(targets, setting, on_line, reads)
    return found


def required(path: str, setting: Setting, on_line: Callable[[str], None], reads: Reads) -> Optional[Project]:
    """Return the package, as a project, that the project requires and whose name `path` begins with.

    None for none. Raises config.*, packages.*, fetch.*, lock.*, store.*.
    """
    found: Optional[Project] = _visiting().required(path, setting, on_line, reads)
    return found


def _visiting() -> Any:
    return importlib.import_module("bramble.commands.packages.visiting")
