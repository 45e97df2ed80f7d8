"""`--explain`: a sandbox in words or as JSON, and nothing run in it (spec: cli.explain)."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping, Sequence

from bramble.cli.building import build_shown, choices_of
from bramble.cli.environment import Surface
from bramble.cli.render import harmless, print_json
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.setting import Setting
from bramble.commands.run import Explanation
from bramble.commands.shell import build_inputs, explain_build, shell_target


def explain(evaluated: Evaluated, setting: Setting, arguments: argparse.Namespace, surface: Surface) -> int:
    """Build what the one target needs, and print the sandbox that it would be built in."""
    target = shell_target(evaluated)
    inputs = functools.partial(build_inputs, evaluated, target)
    result, status = build_shown(evaluated, setting, arguments, surface, name_cached=False, build=inputs)
    if status == 0:
        shown = explain_build(evaluated, target, result, setting, choices_of(arguments))
        print_explanation(shown, as_json=arguments.json)
    return status


def print_explanation(
    shown: Explanation, *, as_json: bool, asked: Sequence[Mapping[str, object]] = ()
) -> None:
    """Print the steps that a sandbox would take, after the requests that a run makes."""
    if as_json:
        print_json({"version": 1, "requests": list(asked), "steps": list(shown.steps)})
    else:
        for request in asked:
            state = "granted" if request["granted"] else "not granted: the program is not run"
            print(harmless(f"asked for: {request['text']} ({state})"))
        print(harmless(shown.words), end="")
