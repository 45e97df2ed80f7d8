"""`bramble shell` and `bramble build --explain`: the environment of a build, on the terminal or in words."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from bramble.build.shell import build_environment, refuse_builtin, shell_command
from bramble.commands.build import BuildChoices, BuildResult, Event, build_derivations, launcher
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.setting import Setting
from bramble.commands.run import Explanation, explain
from bramble.errors import BrambleError
from bramble.sandbox.spec import SandboxSpec

__all__ = ["build_inputs", "explain_build", "open_shell", "shell_target"]


def shell_target(evaluated: Evaluated) -> str:
    """Return the id of the one derivation that the target returned, which is built by a program.

    Raises shell.several, shell.nothing, shell.builtin.
    """
    roots = {ref.derivation for result in evaluated.evaluation.results for ref in result.roots}
    if not roots:
        raise BrambleError(
            "shell.nothing", "the target returns no derivation", remedy="name a function that returns one"
        )
    if len(roots) > 1:
        raise BrambleError(
            "shell.several",
            f"the target returns {len(roots)} derivations",
            remedy="name a function that returns one",
        )
    root = roots.pop()
    refuse_builtin(evaluated.evaluation.graph.get(root))
    return root


def build_inputs(
    evaluated: Evaluated,
    target: str,
    setting: Setting,
    choices: BuildChoices,
    on_event: Callable[[Event], None],
    cancelled: threading.Event,
) -> BuildResult:
    """Build what the derivation `target` needs, but not itself."""
    roots = evaluated.evaluation.graph.dependencies(target)
    return build_derivations(evaluated, roots, setting, choices, on_event, cancelled)


def open_shell(
    evaluated: Evaluated,
    target: str,
    result: BuildResult,
    setting: Setting,
    *,
    rung: str,
    terminal: bool,
    failed: bool,
) -> int:
    """Open the shell on the streams of this process; return its exit status (spec: cli.shell)."""
    name = evaluated.evaluation.graph.get(target).name
    with _environment(evaluated, target, result, setting, BuildChoices(sandbox=rung), failed) as spec:
        spec = replace(spec, argv=shell_command(spec, name))
        if terminal:
            term = (("TERM", setting.terminal_type),) if setting.terminal_type else ()
            spec = replace(spec, env=tuple(sorted((*spec.env, *term))), terminal=True)
        with launcher() as started:
            return started.run_attached(spec, 0, 1, 2).shell_status


def explain_build(
    evaluated: Evaluated, target: str, result: BuildResult, setting: Setting, choices: BuildChoices
) -> Explanation:
    """Return the steps of the sandbox in which `target` is built; it is not built."""
    with _environment(evaluated, target, result, setting, choices, failed=False) as spec:
        return explain(spec)


def _environment(
    evaluated: Evaluated,
    target: str,
    result: BuildResult,
    setting: Setting,
    choices: BuildChoices,
    failed: bool,
) -> AbstractContextManager[SandboxSpec]:
    derivation = evaluated.evaluation.graph.get(target)
    report = result.report
    return build_environment(
        derivation,
        inputs={ref: report.outputs[ref].name for ref in derivation.dependencies},
        filenames=report.derivations,
        store=result.store,
        source_roots=evaluated.evaluation.source_roots,
        platform=setting.platform,
        rung=choices.sandbox,
        limits=choices.limits,
        failed=failed,
    )
