"""What the modules of a project load, read from their text: nothing is executed."""

from __future__ import annotations

from typing import Optional

from bramble.errors import BrambleError, Place
from bramble.lang.failure import place_of
from bramble.lang.loader import DIALECT, read_module
from bramble.project.modules import ModuleRoots
from bramble.project.packages import NO_PACKAGES
from bramble.project.project import Project
from bramble.record import NamedTuple
from bramble.starlark import StarlarkError
from bramble.starlark.source import Source
from bramble.starlark.syntax.outline import outline
from bramble.starlark.syntax.parse import parse


class Load(NamedTuple):
    """A load of a module, by the name that the loading module has for it."""

    module: str
    place: Optional[Place]


def loads_of(project: Project) -> list[Load]:
    """Return what all modules of a project load, in the order of the modules' names.

    Modules that cannot be read or parsed, and a project whose modules cannot be listed, load nothing.
    """
    found: list[Load] = []
    try:
        modules = ModuleRoots(project._replace(location=""), NO_PACKAGES).below_path(".")
    except BrambleError:
        return found
    for module in modules:
        try:
            source = Source.read(read_module(module, module.path), module.path)
            loads = outline(source, parse(source, DIALECT)).loads
        except (BrambleError, StarlarkError):
            continue
        found += [Load(load.module, place_of(load.position)) for load in loads]
    return found
