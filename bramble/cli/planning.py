"""What `build --dry-run` prints."""

from __future__ import annotations

import argparse

from bramble.cli.building import choices_of
from bramble.cli.changes import told
from bramble.cli.environment import Surface
from bramble.cli.render import on_one_line, print_json, say
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.setting import Setting
from bramble.commands.dry_run import COPY, FETCH, Forecast, Step, dry_run
from bramble.commands.recorded.why_built import without_secrets

_SHOWN = 3  # reasons of one derivation that are named
_WORDS = {
    "new": "no output of it is in the store",
    "absent": "its output is no longer in the store",
    "failed": "its last build failed",
    "generated": "it writes a graph, which only a build can read",
}


def plan(evaluated: Evaluated, setting: Setting, arguments: argparse.Namespace, surface: Surface) -> int:
    """Print what would be made, and why; return the exit status."""
    found = dry_run(evaluated, setting, choices_of(arguments))
    if arguments.json:
        _print_json(found)
        return 0
    width = max((len(on_one_line(step.name)) for step in found.steps), default=0)
    for step in found.steps:
        print(f"{step.action:<5}  {on_one_line(step.name):<{width}}  {'; '.join(_why(step, surface))}")
    counts = [sum(step.action == action for step in found.steps) for action in ("build", FETCH, COPY)]
    words = [f"{count} to {verb}" for count, verb in zip(counts, ("build", FETCH, COPY)) if count]
    say(", ".join([*(words or ["nothing to do"]), f"{len(found.cached)} built already"]))
    return 0


def _why(step: Step, surface: Surface) -> list[str]:
    plain = Surface(
        colour=False, live=surface.live, attached=surface.attached, json_errors=False, width=surface.width
    )
    reasons = [told(change, plain) for change in step.changes]
    reasons += [f"its input {on_one_line(name)} will be made" for name in step.inputs]
    if step.word in _WORDS:
        reasons.append(_WORDS[step.word])
    if len(reasons) > _SHOWN:
        reasons[_SHOWN - 1 :] = [f"and {len(reasons) - _SHOWN + 1} reasons more"]
    if step.action == FETCH:
        pinned = "pinned" if step.pinned else "no pin yet"
        return [f"{on_one_line(step.url)} ({pinned})", *reasons]
    return reasons


def _print_json(found: Forecast) -> None:
    # spec: cli.build.dry-run
    print_json(
        {
            "version": 1,
            "steps": [
                {
                    "derivation": step.id,
                    "name": step.name,
                    "action": step.action,
                    "reason": step.word,
                    "inputs": list(step.inputs),
                    "changes": [without_secrets(change)._asdict() for change in step.changes],
                    "url": step.url or None,
                    "pinned": step.pinned if step.action == FETCH else None,
                }
                for step in found.steps
            ],
            "cached": list(found.cached),
        }
    )
