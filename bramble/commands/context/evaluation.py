"""From the words of a command line to an evaluated graph: where every command about targets begins."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from bramble.commands.context.limits import bounded
from bramble.commands.context.setting import Setting
from bramble.derivation.canonical import canonical_bytes
from bramble.errors import BrambleError
from bramble.lang.evaluate import Evaluation, evaluate
from bramble.project.modules import ModuleRoots, Target, parse_target
from bramble.project.packages import local_packages
from bramble.project.project import Project, find_project
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.starlark.kept import Kept

MODULES = "modules"  # the directory of compiled modules in the cache


@dataclass(frozen=True)
class Evaluated:
    """A project and what its functions returned for the targets that were asked for."""

    project: Project
    packages: Mapping[str, str]  # name → directory
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
    """Find the project around the working directory and evaluate `words` in it.

    `on_print` receives what programs `print`, `reads` notes what decides the result. With `keep_going` what
    cannot be evaluated is passed over (`Evaluation.errors`). Raises BrambleError of the phases config,
    syntax, resolve, eval, load and derivation.
    """
    began = time.monotonic()
    project = find_project(setting.cwd, reads)
    targets: list[Target] = [parse_target(word) for word in words]
    packages = local_packages(project, reads)
    with bounded(setting.limits):
        evaluation = evaluate(
            project,
            targets,
            packages=packages,
            platform=setting.platform,
            on_print=on_print,
            cache=module_cache(setting.cache),
            max_steps=setting.limits.steps,
            keep_going=keep_going,
            built_for=setting.target,
            reads=reads,
        )
    return Evaluated(project, packages, evaluation, (began, time.monotonic()))


def module_cache(cache: Optional[str]) -> Optional[Kept]:
    """Return the cache of compiled modules in the directory `cache`, which the person's own is made in."""
    return None if cache is None else Kept(os.path.dirname(cache), (os.path.basename(cache), MODULES))


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
