"""A change of what a project requires: tried out first, then written, in bramble.toml and in the lock.

Both files are written while no other Bramble writes either, and only if bramble.toml still says what it
printed when the change was tried; otherwise it is tried again. At every moment the lock names all that
bramble.toml needs: what is new in it comes before the change, and what is not needed any more goes after.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Optional

from bramble.build.fetch.discretion import redact
from bramble.commands.context.packages import Chosen, chosen, entries, say_added
from bramble.commands.context.setting import Setting
from bramble.commands.context.written import write_file
from bramble.commands.packages.obtain import keep_sources
from bramble.errors import BrambleError
from bramble.packages.locked import unused
from bramble.packages.resolve import Resolution
from bramble.packages.select import Release, Slot
from bramble.project.access import read_file
from bramble.project.config import Dependency, parse_config
from bramble.project.lockfile import Lock, alone, change_lock, merge, read_lock, without
from bramble.project.names import CONFIG_NAME, LOCK_NAME
from bramble.project.project import Project
from bramble.project.toml import decode
from bramble.record import NamedTuple, dataclass, replace
from bramble.store.locks.advisory import lock_briefly

__all__ = ["Change", "Dependency", "Release", "Step", "change", "requirers", "tidied"]


class Step(NamedTuple):
    """What changed of one package and MAJOR version: what was used, and is now; None for none."""

    name: str
    before: Optional[Release]
    after: Optional[Release]
    required_by: tuple[str, ...] = ()  # who requires what is used now: NAME VERSION, or "this project"


@dataclass(frozen=True)
class Change:
    """What came of a change of the dependencies of a project."""

    project: Project  # as it is afterwards
    before: Mapping[str, Dependency]  # what was required
    resolution: Resolution  # as it is afterwards
    steps: tuple[Step, ...]  # of all packages in use, sorted; none where what was used is not known
    is_written: bool

    def entries(self) -> dict[str, tuple[Optional[Dependency], Optional[Dependency]]]:
        """Return the entries of bramble.toml that are other ones now: before and after, None for none.

        Addresses are without what is secret in them.
        """
        # spec: build.fetch.secrets
        after = self.project.config.dependencies
        names = sorted({*self.before, *after})
        pairs = {name: (self.before.get(name), after.get(name)) for name in names}
        return {
            name: (_shown(before), _shown(after))
            for name, (before, after) in pairs.items()
            if before != after
        }


def _shown(one: Optional[Dependency]) -> Optional[Dependency]:
    return None if one is None else replace(one, git=redact(one.git))


def change(
    project: Project,
    setting: Setting,
    edit: Callable[[str], str],
    on_line: Callable[[str], None],
    *,
    dry_run: bool = False,
    renewed: Collection[str] = (),
    given: str = "",
) -> Change:
    """Change the dependencies of a project as `edit` changes the text of its bramble.toml.

    Nothing is written if the packages cannot be chosen then, nor with `dry_run`. `renewed` are keys of the
    lock that are determined again, `given` is a directory from which a package may be taken. `on_line` is
    called with what is fetched and locked. Raises config.*, packages.*, fetch.*, lock.*, store.*,
    cli.unwritable, and what `edit` raises.
    """
    # spec: packages.change
    _check_writable(project, dry_run)
    while True:
        text = _text(project)
        before = parse_config(text)
        new = edit(text)
        lock = read_lock(_lock_path(project))
        try:
            after = project._replace(config=parse_config(new))
            found = chosen(after, setting, _forgotten(lock, renewed), on_line, given=given)
        except BrambleError as error:
            raise _placed(error, new, text) from None
        old = _known_before(project._replace(config=before), setting, lock, found)
        steps = () if old is None else _steps(old, found.resolution)
        result = Change(after, before.dependencies, found.resolution, steps, not dry_run)
        if dry_run:
            return result
        if _written(project, text, new, lock, found, renewed):
            say_added(found.added, on_line)
            keep_sources(after, setting, found.resolution)
            return result


def _written(
    project: Project, text: str, new: str, lock: Lock, found: Chosen, renewed: Collection[str]
) -> bool:
    """Write the lock and bramble.toml; return False, with nothing written, if that is not what it was."""
    path = _lock_path(project)
    added = entries(found.added)
    needed = {ask.key for ask in found.resolution.trees}
    replaced = {table: {key: lock.tables.get(table, {}).get(key, "") for key in renewed} for table in added}

    def with_new(lock: Lock) -> Lock:
        for table, pins in added.items():
            lock = merge(lock, pins, table=table, replaced=replaced[table])
        return lock

    with alone(path, lock_briefly):
        if _text(project) != text:
            return False
        before = _content(path)
        change_lock(path, with_new)
        if new != text:
            try:
                write_file(os.path.join(project.root, CONFIG_NAME), new.encode("utf-8"), within=project.root)
            except BrambleError:
                _restore(path, before)
                raise
        change_lock(path, lambda lock: tidied(lock, needed))
    return True


def tidied(lock: Lock, needed: set[str]) -> Lock:
    """Return the lock without the packages whose keys are not among `needed`."""
    # spec: packages.lock.tidy
    for table, dropped in unused(lock.tables, needed).items():
        lock = without(lock, dropped, table=table)
    return lock


def _content(path: str) -> Optional[bytes]:
    try:
        return read_file(*os.path.split(path))
    except FileNotFoundError:
        return None


def _restore(path: str, content: Optional[bytes]) -> None:
    if content is not None:
        write_file(path, content, within=os.path.dirname(path))
    elif os.path.lexists(path):
        os.unlink(path)


def _forgotten(lock: Lock, keys: Collection[str]) -> Lock:
    tables = {
        table: {key: value for key, value in pins.items() if key not in keys}
        for table, pins in lock.tables.items()
    }
    return replace(lock, tables=tables) if keys else lock


def _text(project: Project) -> str:
    try:
        return decode(read_file(project.root, CONFIG_NAME), CONFIG_NAME)
    except OSError as error:
        raise BrambleError(
            "config.unreadable",
            f"{os.path.join(project.root, CONFIG_NAME)} cannot be read: {error.strerror}",
            remedy="make it a file that you may read",
        ) from error


def _lock_path(project: Project) -> str:
    return os.path.join(project.root, LOCK_NAME)


def _check_writable(project: Project, dry_run: bool) -> None:
    if not dry_run and not os.access(project.root, os.W_OK | os.X_OK):
        raise BrambleError(
            "cli.unwritable",
            f"{CONFIG_NAME} cannot be replaced: {project.root} cannot be written to",
            remedy="make the directory writable",
        )


def _placed(error: BrambleError, new: str, text: str) -> BrambleError:
    """Return an error about a new bramble.toml with the place of the same line in the one that is there."""
    if error.place is None or error.place.file != CONFIG_NAME or error.place.line is None:
        return error
    line = new.splitlines()[error.place.line - 1 : error.place.line]
    known = text.splitlines()
    place = error.place._replace(line=known.index(line[0]) + 1) if line and line[0] in known else None
    error.place = place
    return error


def _known_before(project: Project, setting: Setting, lock: Lock, found: Chosen) -> Optional[Resolution]:
    """Return what was used before, if this is known without fetching anything."""
    tables = {table: {**pins, **lock.tables.get(table, {})} for table, pins in entries(found.added).items()}
    known = replace(lock, tables={**lock.tables, **tables})
    try:
        return chosen(project, replace(setting, offline=True, locked=True), known, lambda _: None).resolution
    except BrambleError:
        return None


def _steps(old: Resolution, new: Resolution) -> tuple[Step, ...]:
    was, now = _used(old), _used(new)
    return tuple(
        Step(slot.name, was.get(slot), now.get(slot), requirers(new, now[slot]) if slot in now else ())
        for slot in sorted({*was, *now})
        if was.get(slot) != now.get(slot)
    )


def _used(resolution: Resolution) -> dict[Slot, Release]:
    releases = [one.release for one in resolution.packages.values()]
    return {Slot(one.name, one.version.major): one for one in releases}


def requirers(resolution: Resolution, used: Release) -> tuple[str, ...]:
    """Return who requires the version of a package that is used: NAME VERSION, or `this project`.

    For a path or a revision, it is everybody who requires the package.
    """
    asked = resolution.selection.asked(Slot(used.name, used.version.major))
    greatest = [one.by for one in asked if used.source or one.release.version == used.version]
    return tuple("this project" if by is None else f"{by.name} {by.version}" for by in greatest)
