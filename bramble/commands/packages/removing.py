"""`bramble remove`: a project requires packages no more."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence

from bramble.commands.context.setting import Setting
from bramble.commands.packages.asking import not_required
from bramble.commands.packages.changing import Change, change
from bramble.lang.loads import Load, loads_of
from bramble.packages.edit import without_dependency
from bramble.project.config import parse_config
from bramble.project.lockfile import read_lock
from bramble.project.names import LOCK_NAME
from bramble.project.project import Project, find_project
from bramble.record import dataclass


@dataclass(frozen=True)
class Removed:
    """What came of `remove`."""

    change: Change
    names: tuple[str, ...]
    loads: tuple[Load, ...]  # in modules of the project, of packages that it requires no more

    def still_used(self, name: str) -> tuple[str, ...]:
        """Return the versions of a package that others require, as texts."""
        packages = self.change.resolution.packages.values()
        return tuple(str(one.release.version) for one in packages if one.release.name == name)


def remove(
    names: Sequence[str], setting: Setting, on_line: Callable[[str], None], *, dry_run: bool = False
) -> Removed:
    """Take packages out of bramble.toml, and out of the lock what is not read any more.

    `on_line` is called with what is fetched and locked. Raises config.*, packages.not-required,
    packages.edit, lock.*, fetch.* where a package that stays must be fetched; nothing is written then.
    """
    # spec: packages.remove
    project = find_project(setting.cwd)
    names = tuple(dict.fromkeys(names))
    lock = read_lock(os.path.join(project.root, LOCK_NAME))

    def edit(text: str) -> str:
        for name in names:
            known = list(parse_config(text).dependencies)
            if name not in known:
                raise not_required(name, known, lock)
            text = without_dependency(text, name)
        return text

    found = change(project, setting, edit, on_line, dry_run=dry_run)
    return Removed(found, names, tuple(_loads(found.project, names, found.before)))


def _loads(project: Project, names: Collection[str], before: Collection[str]) -> list[Load]:
    """Return the loads of packages of `names`; a longer name of another one holds for what begins with it."""
    found = []
    for load in loads_of(project):
        owners = [name for name in before if load.module == name or load.module.startswith(f"{name}/")]
        if owners and max(owners, key=len) in names:
            found.append(load)
    return found
