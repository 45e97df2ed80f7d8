"""From the words of a command line to an evaluated graph: where every command about targets begins."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Optional

from bramble.commands.context.setting import Setting
from bramble.commands.context.visits import visited
from bramble.derivation.canonical import canonical_bytes
from bramble.errors import BrambleError
from bramble.lang.remembered import decode, encode
from bramble.lang.results import Evaluation
from bramble.project.modules import ModuleRoots, Target, parse_target
from bramble.project.packages import NO_PACKAGES, Packages
from bramble.project.project import Project, find_project
from bramble.recall.answers import EVALUATIONS, keep, reader, recall
from bramble.recall.kept import Kept
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import dataclass

_MOST_PRINTED = 1 << 24  # characters that programs print, in one evaluation
_COUNTS_FOR = 30 * 86400.0  # seconds for which a record is used; after that it is made again


@dataclass(frozen=True)
class Evaluated:
    """A project and what its functions returned for the targets that were asked for."""

    project: Project
    packages: Packages
    evaluation: Evaluation
    took: tuple[float, float] = (0.0, 0.0)  # when that began and ended, by the monotonic clock


def evaluate_targets(
    words: Sequence[str],
    setting: Setting,
    on_print: Callable[[str], None],
    *,
    keep_going: bool = False,
    reads: Reads = NOT_NOTED,
) -> Evaluated:
    """Find the project around the working directory, or a package that is named, and evaluate `words` in it.

    `on_print` receives what programs `print`, `reads` notes what decides the result. With `keep_going` what
    cannot be evaluated is passed over (`Evaluation.errors`). Raises BrambleError of the phases config,
    syntax, resolve, eval, load and derivation.
    """
    began = time.monotonic()
    noted = Reads(time.time_ns())
    project, packages, targets = _meant([parse_target(word) for word in words], setting, on_print, noted)
    cache = _records_in(setting.cache)
    question = _question(words, setting, project, packages, keep_going)
    evaluation = None if cache is None else _recalled(cache, question, on_print, noted)
    if evaluation is None:
        heard = _Heard(on_print)

        # Loaded where there is something to evaluate, and the language with it.
        evaluating: Any = importlib.import_module("bramble.commands.context.evaluating")
        evaluation = evaluating.evaluate_anew(
            *(project, packages, targets, setting, heard, keep_going, noted)
        )
        if cache is not None and not evaluation.errors:
            noted.modules()
            now = time.time()
            keep(cache, question, noted, encode(evaluation, heard.printed), now, now + _COUNTS_FOR)
    reads.include(noted.text())
    if noted.doubt:
        reads.spoil(noted.doubt)
    return Evaluated(project, packages, evaluation, (began, time.monotonic()))


class _Heard:
    """Hears what programs print, keeps it, and passes it on, up to a limit."""

    def __init__(self, on_print: Callable[[str], None]) -> None:
        self.printed: list[str] = []
        self._on_print = on_print
        self._room = _MOST_PRINTED

    def __call__(self, line: str) -> None:
        # spec: dialect.print
        if self._room < 0:
            return
        self._room -= len(line) + 1
        if self._room < 0:
            line = "… further output of print is not shown"
        self.printed.append(line)
        self._on_print(line)


def _meant(
    targets: Sequence[Target], setting: Setting, on_line: Callable[[str], None], noted: Reads
) -> tuple[Project, Packages, Sequence[Target]]:
    """Return where targets are: the project of the current directory, or a package that they name."""
    found = visited(targets, setting, on_line, noted)
    if found is not None:
        return found
    project = find_project(setting.cwd, noted)
    return project, packages_of(project, setting, on_line, noted), targets


def _records_in(cache: Optional[str]) -> Optional[Kept]:
    return None if cache is None else Kept(os.path.dirname(cache), (os.path.basename(cache), EVALUATIONS))


def _question(
    words: Sequence[str], setting: Setting, project: Project, packages: Packages, keep_going: bool
) -> bytes:
    """Return all that decides an evaluation besides what is read from files."""
    # spec: recall.evaluation
    parts = [
        *(os.path.dirname(os.path.abspath(__file__)), sys.version, sys.getfilesystemencoding()),
        *(reader(), project.root, project.location, setting.cwd, setting.platform, setting.target),
        str(project.fetched),
        *(str(tuple(setting.limits)), str(keep_going), *words),
        # In another store they are elsewhere, and so are their sources.
        str(sorted(packages.directories.items())),
    ]
    return "\0".join(parts).encode("utf-8", "surrogatepass")


def _recalled(
    cache: Kept, question: bytes, on_print: Callable[[str], None], noted: Reads
) -> Optional[Evaluation]:
    """Return what is recorded of an evaluation, and print what its programs printed; None for no record."""
    # spec: recall.evaluation
    found = recall(cache, question, time.time())
    known = None if found is None else decode(found[0])
    if found is None or known is None:
        return None
    evaluation, printed = known
    for line in printed:
        on_print(line)
    noted.include(found[1])
    return evaluation


def packages_of(
    project: Project, setting: Setting, on_line: Callable[[str], None], reads: Reads = NOT_NOTED
) -> Packages:
    """Return the packages of a project; sources that are not in the store are fetched, and put into the lock.

    `on_line` is called for each, `reads` records what determines the result. Raises config.*, packages.*,
    fetch.*, lock.*.
    """
    if not project.config.dependencies:
        return NO_PACKAGES
    # Loaded for that alone, as all that is seldom asked for.
    resolved = importlib.import_module("bramble.commands.context.packages").resolved
    found: Packages = resolved(project, setting, on_line, reads).of_modules()
    return found


def parsed_graph(evaluated: Evaluated) -> dict[str, Any]:
    """Return what `build --just-parse --json` prints (spec: cli.build.just-parse)."""
    evaluation = evaluated.evaluation
    return {
        "version": 1,
        "results": [
            {"target": result.target, "derivations": [root.derivation for root in result.roots]}
            for result in evaluation.results
        ],
        "graph": {
            id: json.loads(canonical_bytes(derivation))
            for id, derivation in evaluation.graph.derivations.items()
        },
    }


def refuse_other_projects(evaluated: Evaluated) -> None:
    """Raise cli.not-in-project when a target is a function of another project: those are for `run`."""
    # spec: cli.build
    name = evaluated.project.name
    roots = ModuleRoots(evaluated.project, evaluated.packages)
    for result in evaluated.evaluation.results:
        owner, _ = roots.owner(result.target.rpartition(":")[0])
        if owner != name:
            raise BrambleError(
                "cli.not-in-project",
                f"{result.target} is not in this project, {name}",
                remedy="build takes the targets of one project; `bramble run` also takes those of others",
            )
