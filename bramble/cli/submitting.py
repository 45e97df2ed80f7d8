"""Reading the graph that another program has written, for `build --graph`."""

from __future__ import annotations

import argparse
import os
import sys

from bramble.cli.render import harmless, say
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.setting import Setting
from bramble.commands.graphs.graph import LARGEST, submitted
from bramble.errors import BrambleError


def submitted_graph(arguments: argparse.Namespace, setting: Setting) -> Evaluated:
    """Return the graph in the file that `--graph` names. Raises graph.*."""
    # spec: cli.build.graph
    if arguments.targets:
        raise BrambleError(
            "graph.targets",
            f"{arguments.targets[0]} is given together with --graph, which builds the whole graph",
            remedy="omit the targets; the graph says what to build, in results",
        )
    evaluated = submitted(
        _read(arguments.graph, setting.cwd), setting, arguments.root, lambda line: say(harmless(line))
    )
    for warning in evaluated.evaluation.warnings:
        say(f"warning: {warning}")
    return evaluated


def _read(name: str, cwd: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(LARGEST + 1)
    path = os.path.join(cwd, name)
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise BrambleError(
            "graph.unreadable",
            f"{path} cannot be read: {error.strerror}",
            remedy="name a file that holds a graph, or - for standard input",
        ) from error
