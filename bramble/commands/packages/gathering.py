"""What a build of a project needs of elsewhere: the sources of its packages, and its downloads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Callable, Optional

from bramble.build.downloads import Download, downloads
from bramble.build.fetch.checksum import Checksum, checksum_of
from bramble.build.options import BuildReport, Failure
from bramble.build.pins import FETCHERS
from bramble.build.vendored import OBJECTS, body_path
from bramble.commands.build import BuildChoices, options_of
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.opening import open_store
from bramble.commands.context.packages import resolved
from bramble.commands.context.setting import Setting
from bramble.commands.graphs.growing import Around, expanded
from bramble.commands.lock import everywhere
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import DEFAULT_OUTPUTS, GENERATOR, Derivation
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError, Place
from bramble.packages.resolve import Resolution
from bramble.project.lockfile import read_lock
from bramble.project.names import LOCK_NAME
from bramble.project.packages import NO_PACKAGES
from bramble.project.project import Project, find_project
from bramble.record import NamedTuple, dataclass, replace
from bramble.store.locks.advisory import lock_briefly


class Body(NamedTuple):
    """A download that is known by the checksum of its bytes."""

    key: str
    name: str  # of the derivation
    env: Mapping[str, str]
    checksum: Checksum


@dataclass(frozen=True)
class Needs:
    """What belongs into the vendor directory of a project, as far as it is known before it is downloaded."""

    evaluated: Evaluated  # its graph is what downloads, and what that needs
    packages: Mapping[str, str]  # key in the lock → object, sorted
    fetched: Mapping[str, Download]  # id → a download whose output is known by its digest
    bodies: Mapping[str, Body]  # path in the vendor directory → a download known by a checksum alone
    absent: tuple[str, ...]  # what a build needs that cannot be vendored, for people

    def files(self, report: BuildReport) -> dict[str, tuple[str, ...]]:
        """Return the paths in the vendor directory, and the keys that each is for, when all is downloaded."""
        found: dict[str, set[str]] = {path: {body.key} for path, body in self.bodies.items()}
        for key, name in self.packages.items():
            found.setdefault(f"{OBJECTS}/{name}", set()).add(key)
        for id, download in self.fetched.items():
            name = report.names[OutputRef(id, DEFAULT_OUTPUTS[0])]
            found.setdefault(f"{OBJECTS}/{name}", set()).add(_label(download))
        return {path: tuple(sorted(keys)) for path, keys in sorted(found.items())}


def gather(setting: Setting, on_line: Callable[[str], None]) -> Needs:
    """Return what the project around the working directory needs, on every platform.

    Sources of packages are fetched and locked as by a build. Raises BrambleError as `resolved` and
    `evaluate_targets` do, and for a download that says too little of itself.
    """
    # spec: vendor.what
    project = find_project(setting.cwd)
    packages: dict[str, str] = {}
    absent: list[str] = []
    if project.config.dependencies:
        resolution = resolved(project, setting, on_line)
        packages = {ask.key: tree.digest for ask, tree in resolution.trees.items()}
        absent += _outside(project, resolution)
    evaluations, unseen = everywhere(project, [], setting, on_line)
    absent += [f"what {one} needs, which cannot be evaluated here" for one in unseen]
    found = _Found()
    for number, evaluated in enumerate(evaluations):
        evaluated, lost = _expanded(evaluated, setting)
        absent += [f'the graph that "{one.name}" writes, which is not in {LOCK_NAME}' for one in lost]
        absent += found.add(evaluated, is_here=number == 0)
    evaluation = replace(
        evaluations[0].evaluation,
        graph=DerivationGraph(found.derivations),
        results=(),
        tests=(),
        places=found.places,
    )
    return Needs(
        evaluated=replace(evaluations[0], evaluation=evaluation),
        packages=dict(sorted(packages.items())),
        fetched=found.fetched,
        bodies=found.bodies,
        absent=tuple(dict.fromkeys(absent)),
    )


def _label(download: Download) -> str:
    return download.key or f'the download of "{download.name}"'


class _Found:
    """The downloads of several evaluations."""

    def __init__(self) -> None:
        self.derivations: dict[str, Derivation] = {}
        self.places: dict[str, Place] = {}
        self.fetched: dict[str, Download] = {}
        self.bodies: dict[str, Body] = {}

    def add(self, evaluated: Evaluated, *, is_here: bool) -> Iterator[str]:
        """Add the downloads of an evaluation; yield what cannot be vendored. `is_here`: for this machine."""
        evaluation = evaluated.evaluation
        self.places.update(evaluation.places)
        for id, derivation in evaluation.graph.derivations.items():
            if derivation.builtin == "host_tools":
                yield f'"{derivation.name}", which is copied from the machine that builds'
            if derivation.builtin not in FETCHERS:
                continue
            (download,) = _downloads(derivation, evaluation.places.get(id))
            env = {name: value.text for name, value in derivation.env}
            checksum = checksum_of(derivation.name, env) if not download.written else None
            if not download.alone and (checksum is not None or not is_here):
                yield f"{_label(download)}, which needs the output of another derivation"
            elif checksum is not None:
                self.bodies[body_path(checksum)] = Body(download.key, derivation.name, env, checksum)
            else:
                self.fetched[id] = download
                self.derivations.update(evaluation.graph.closure([id]).derivations)


def _downloads(derivation: Derivation, place: Optional[Place]) -> tuple[Download, ...]:
    try:
        return downloads([derivation])
    except BrambleError as error:
        error.place = error.place or place
        raise


def _expanded(evaluated: Evaluated, setting: Setting) -> tuple[Evaluated, tuple[Failure, ...]]:
    """Return an evaluation with the graphs that are in the lock, and the generators whose graphs are not."""
    evaluation = evaluated.evaluation
    if not any(one.builtin == GENERATOR for one in evaluation.graph.derivations.values()):
        return evaluated, ()
    project = evaluated.project
    path = os.path.join(project.root, LOCK_NAME)
    around = Around(
        store=open_store(setting),
        setting=setting,
        lock=read_lock(path),
        lock_path=path,
        take=lock_briefly,
        source_roots=evaluation.source_roots,
        options=options_of(project, NO_PACKAGES, setting, BuildChoices(keep_going=True)),
        locked=True,
    )
    return expanded(evaluated, around)


def _outside(project: Project, resolution: Resolution) -> Iterator[str]:
    """Yield the packages in directories that are not the project's."""
    for package in resolution.packages.values():
        is_path = package.directory not in {tree.directory for tree in resolution.trees.values()}
        if is_path and not f"{package.directory}/".startswith(project.root.rstrip("/") + "/"):
            path = os.path.relpath(package.directory, project.root)
            yield f"{package.release.name}, which is in {path}, outside of the project"
