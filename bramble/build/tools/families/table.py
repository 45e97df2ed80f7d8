"""Which families there are, in the order in which they are asked; the last takes all that is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

from bramble.build.tools.contents import Contents
from bramble.build.tools.families import c, plain, python
from bramble.build.tools.machine import Machine


@dataclass(frozen=True)
class Family:
    """Programs that are copied by the same rules."""

    name: str
    claims: Callable[[Machine, str, str], bool]  # of a program: its name, and its real path
    gather: Callable[[Machine, Mapping[str, str]], Contents]  # of all that it claims: name → real path


FAMILIES = (
    Family("c", c.is_compiler, c.gather),
    Family("python", python.is_python, python.gather),
    Family("plain", plain.is_any, plain.gather),
)
