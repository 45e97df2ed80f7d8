"""Evaluation of targets: loaded only if there is no valid record of the results."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Optional

from bramble.commands.context.limits import bounded
from bramble.commands.context.setting import Setting
from bramble.lang.evaluate import evaluate
from bramble.lang.results import Evaluation
from bramble.project.modules import Target
from bramble.project.packages import Packages
from bramble.project.project import Project
from bramble.recall.reads import Reads
from bramble.starlark.kept import Kept

MODULES = "modules"  # the directory of compiled modules in the cache


def evaluate_anew(
    project: Project,
    packages: Packages,
    targets: Sequence[Target],
    setting: Setting,
    on_print: Callable[[str], None],
    keep_going: bool,
    reads: Reads,
) -> Evaluation:
    """Evaluate targets within the limits of the setting; see `evaluate`."""
    with bounded(setting.limits):
        return evaluate(
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


def module_cache(cache: Optional[str]) -> Optional[Kept]:
    """Return the cache of compiled modules in the directory `cache`, which the user's own is made in."""
    return None if cache is None else Kept(os.path.dirname(cache), (os.path.basename(cache), MODULES))
