"""`bramble self build`."""

from __future__ import annotations

import argparse
import os
import sys

from bramble.cli.environment import Surface, read_inherited
from bramble.cli.render import harmless, print_json
from bramble.commands.self.bootstrap import build_self


def do_build(arguments: argparse.Namespace, surface: Surface) -> int:
    """Let Bramble build itself, and print what each stage has built (spec: self.build)."""
    directory = arguments.out
    if directory is not None:
        directory = os.path.normpath(os.path.join(os.getcwd(), arguments.directory or "", directory))

    def on_stage(number: int) -> None:
        print(f"stage {number}", file=sys.stderr, flush=True)

    environ, at_first = read_inherited(os.environ)
    stages = build_self(
        directory,
        environ,
        at_first,
        python=arguments.python or "",
        nested=arguments.nested,
        on_stage=on_stage,
    )
    if arguments.json:
        gone = {"path": None, "tools_path": None} if directory is None else {}
        told = [{**vars(stage), **gone} for stage in stages]
        print_json({"version": 1, "identical": True, "stages": told})
        return 0
    for stage in stages:
        print(f"stage {stage.number}  {stage.name}{'  in a sandbox' if stage.nested else ''}")
        if directory is not None:
            print(f"  {harmless(stage.path)}")
    print("identical")
    return 0
