"""From the words of a command line to an evaluated graph: the step that every command about targets begins with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bramble.commands.setting import Setting
from bramble.errors import BrambleError
from bramble.lang.evaluate import Evaluation, evaluate
from bramble.project.modules import Target, parse_target
from bramble.project.project import Project, find_project


@dataclass(frozen=True)
class Evaluated:
    """A project and what its functions returned for the targets that were asked for."""

    project: Project
    evaluation: Evaluation


def evaluate_targets(
    words: Sequence[str], setting: Setting, on_print: Callable[[str], None]
) -> Evaluated:
    """Find the project around the working directory and evaluate `words` in it.

    `on_print` receives what programs `print`. Raises BrambleError of the phases
    config, syntax, resolve, eval, load and derivation.
    """
    project = find_project(setting.cwd)
    targets: list[Target] = [parse_target(word) for word in words]
    evaluation = evaluate(project, targets, platform=setting.platform, on_print=on_print)
    return Evaluated(project, evaluation)
