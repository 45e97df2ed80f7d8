"""What is recorded of the builds of a project, found without evaluating anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Optional

from bramble.commands.context.opening import open_store
from bramble.commands.context.setting import Setting
from bramble.commands.context.visits import visited
from bramble.errors import BrambleError, nearest
from bramble.packages.operand import operand
from bramble.project.modules import ModuleRoots, parse_target, shown_target
from bramble.project.packages import NO_PACKAGES
from bramble.project.project import Project, find_project
from bramble.record import dataclass, replace
from bramble.store.disk import Store
from bramble.store.history.changes import match
from bramble.store.history.model import Build, Ended, Facts
from bramble.store.history.records import builds, facts_of


@dataclass(frozen=True)
class Recorded:
    """The project around the working directory, and the store that knows of its builds."""

    project: Project
    store: Store

    def builds(self) -> Iterator[Build]:
        """Yield the builds of the project, the newest first."""
        return builds(self.store, self.project.home)

    def attempts(self, word: str, of: str = "") -> Iterator[Attempt]:
        """Yield what builds had to do with a target, the newest build first.

        With `of` what is meant is not what the target returned, but what that needs and is called so.
        Raises BrambleError of reading a target.
        """
        meant = _Meant(self.project, word)
        for build in self.builds():
            roots = [id for name, ids in build.targets.items() if name in meant for id in ids]
            if roots:
                yield Attempt(self.store, build, tuple(dict.fromkeys(roots)), of)

    def trail(self, word: str, of: str, latest: Facts) -> Iterator[tuple[Attempt, Facts]]:
        """Yield the builds that needed a derivation, the newest first, with what it was in each of them.

        `latest` is what it was in the newest build of the target. What is the same to a user may have
        another id in an earlier build; outside of the target it is known by its id, or by name and place.
        """
        meant = _Meant(self.project, word)
        facts, newer = latest, {latest.id: latest}
        for build in self.builds():
            roots = [id for name, ids in build.targets.items() if name in meant for id in ids]
            attempt = Attempt(self.store, build, tuple(dict.fromkeys(roots)), of)
            known = {one.id: one for one in attempt.meant} if roots else {}
            former = known.get(match(newer, known).get(facts.id, "")) or _same(facts, attempt.facts)
            if former is not None:
                facts, newer = former, known if former.id in known else {former.id: former}
                yield attempt, former


def _same(facts: Facts, known: Mapping[str, Facts]) -> Optional[Facts]:
    if facts.id in known:
        return known[facts.id]
    alike = (one for one in known.values() if (one.name, one.place) == (facts.name, facts.place))
    return next(alike, None)


@dataclass(frozen=True)
class Attempt:
    """One build, and the derivations of it that a user asks for."""

    store: Store
    build: Build
    roots: tuple[str, ...]
    of: str

    @cached_property
    def facts(self) -> Mapping[str, Facts]:
        """The facts of all derivations that the build needed."""
        return facts_of(self.store, self.build)

    @cached_property
    def meant(self) -> tuple[Facts, ...]:
        """The facts of what is asked for, as far as they were recorded."""
        if not self.of:
            return tuple(self.facts[id] for id in self.roots if id in self.facts)
        return tuple(self.facts[id] for id in self._needed() if self.of in (self.facts[id].name, id))

    @cached_property
    def ended(self) -> Mapping[str, Ended]:
        """What was built or failed, by id."""
        return {one.id: one for one in (*self.build.built, *self.build.failed)}

    def names(self) -> list[str]:
        """Return the names of all that the targets need, in dependency order."""
        return list(dict.fromkeys(self.facts[id].name for id in self._needed()))

    def _needed(self) -> list[str]:
        found: dict[str, None] = {}
        left = list(self.roots)
        while left:
            id = left.pop()
            if id in self.facts and id not in found:
                found[id] = None
                left.extend(input for input, _ in self.facts[id].inputs)
        return [id for id in self.facts if id in found]


class _Meant:
    """The names of targets (`module:function`) that a word of the command line means."""

    def __init__(self, project: Project, word: str) -> None:
        target = parse_target(word)
        self._function, self._recursive = target.function, target.recursive
        self._module = target.name
        if target.kind == "path":
            inner = ModuleRoots(project, NO_PACKAGES).inner(target.name)
            self._module = f"{project.name}/{inner}" if inner else project.name
        named = operand(target) if project.fetched is not None else None
        for name, module in () if named is None else named.meant():
            if name == project.name:
                self._module = f"{name}/{module}" if module else name

    def __contains__(self, name: str) -> bool:
        module, _, function = name.rpartition(":")
        # Those that a function has registered are recorded as `function#1`.
        function = function.partition("#")[0]
        if self._function is not None and function != self._function:
            return False
        return module == self._module or (self._recursive and module.startswith(self._module + "/"))


def open_recorded(setting: Setting, word: str = "") -> Recorded:
    """Return what is recorded of the project around the working directory, or of the package `word` names.

    Raises BrambleError of finding the project and of opening the store, which is not made.
    """
    # spec: internet.commands
    found = visited([parse_target(word)], replace(setting, offline=True), lambda _: None) if word else None
    project = find_project(setting.cwd) if found is None else found[0]
    return Recorded(project, open_store(setting, read_only=True))


def not_recorded(recorded: Recorded, word: str, of: str = "") -> BrambleError:
    """Return the error for a target, or something that it needs, of which no build is recorded."""
    # spec: cli.recorded
    newest = next(recorded.attempts(word), None) if of else None
    if newest is None:
        return BrambleError(
            "history.not-built",
            f"no build of {word} is recorded in this project",
            remedy=_other(recorded, word),
        )
    near = nearest(of, newest.names())
    return BrambleError(
        "history.unknown-derivation",
        f'{word} needs no derivation called "{of}"',
        remedy=f'did you mean "{near}"?' if near else "it needs: " + ", ".join(newest.names()[:20]),
    )


def _needing(recorded: Recorded, function: str) -> str:
    """Return a target and `--of NAME` for what a build needed that is called as a function; or ""."""
    for build in recorded.builds():
        for name, ids in build.targets.items():
            attempt = Attempt(recorded.store, build, ids, "")
            needed = set(attempt.names()) - {facts.name for facts in attempt.meant}
            for one in (function, function.replace("_", "-")):
                if one in needed:
                    return f"{shown_target(recorded.project, name.partition('#')[0])} --of {one}"
    return ""


def _other(recorded: Recorded, word: str) -> str:
    """Return what to write in the place of a target of which no build is recorded."""
    targets = dict.fromkeys(
        target.partition("#")[0] for build in recorded.builds() for target in build.targets
    )
    known = [shown_target(recorded.project, target) for target in targets]
    module, _, function = word.rpartition(":")
    beside = [shown for shown in known if not module or shown.rpartition(":")[0] == module]
    near = nearest(function, [shown.rpartition(":")[2] for shown in beside])
    meant = next((shown for shown in beside if shown.rpartition(":")[2] == near), None)
    # A function is often called as what it returns, and that may have been built as a part of others.
    if function and near != function and (needed := _needing(recorded, function)):
        meant = needed
    if meant is None:
        return f"build it first: bramble build {word}"
    return f"did you mean {meant}? If not, build it first: bramble build {word}"
