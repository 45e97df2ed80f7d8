"""Small projects for tests of the dialect."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

from bramble.derivation.model import Derivation
from bramble.errors import BrambleError
from bramble.lang.evaluate import evaluate
from bramble.lang.results import Evaluation
from bramble.project.modules import parse_target
from bramble.project.packages import Packages
from bramble.project.project import find_project

NAME = "example.test/p"


def one_package(name: str, directory: str) -> Packages:
    """Return a package that the project requires."""
    return Packages({name: directory}, {"": {name: name}})


class World:
    """A project in a directory of its own, made of files given as text."""

    def __init__(self, root: Path, **files: str) -> None:
        self.root = root
        self.printed: list[str] = []
        self.write("bramble.toml", f'[package]\nname = "{NAME}"\nversion = "0.0.1"\n')
        for name, text in files.items():
            self.write(f"{name}.bramble", text)

    def write(self, name: str, text: str = "") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def evaluate(self, *targets: str, start: str = "", **options: Any) -> Evaluation:
        options.setdefault("platform", "linux-amd64")
        return evaluate(
            find_project(os.path.join(self.root, start)),
            [parse_target(target) for target in targets or ("./:f",)],
            on_print=self.printed.append,
            **options,
        )

    def derivation(self, target: str = "./:f", **options: Any) -> Derivation:
        """Return the one derivation that a target returns."""
        evaluation = self.evaluate(target, **options)
        ((root,),) = (result.roots for result in evaluation.results)
        return evaluation.graph.get(root.derivation)

    def error(self, *targets: str, **options: Any) -> BrambleError:
        """Return the error that the targets end with; errors must have a place or a remedy."""
        try:
            self.evaluate(*targets, **options)
        except BrambleError as error:
            return error
        raise AssertionError("the evaluation did not fail")


def failure(world: World, target: str = "./:f") -> tuple[str, Optional[str]]:
    """Return code and place of the error that a target ends with."""
    error = world.error(target)
    return error.code, None if error.place is None else str(error.place)
