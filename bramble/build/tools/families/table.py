"""Which families there are, in the order in which they are asked; the last takes all that is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from bramble.build.tools.contents import Contents
from bramble.build.tools.families import (
    c,
    clang,
    go,
    java,
    listed,
    musl,
    node,
    perl,
    plain,
    python,
    ruby,
    rust,
)
from bramble.build.tools.machine import Machine
from bramble.record import dataclass


@dataclass(frozen=True)
class Family:
    """Programs that are copied by the same rules."""

    name: str
    claims: Callable[[Machine, str, str], bool]  # of a program: its name, and its real path
    gather: Callable[[Machine, Mapping[str, str]], Contents]  # of all that it claims: name → real path


FAMILIES = (
    Family("musl", musl.is_musl, musl.gather),
    Family("c", c.is_compiler, c.gather),
    Family("clang", clang.is_clang, clang.gather),
    Family("python", python.is_python, python.gather),
    Family("python tools", python.is_python_tool, python.gather_tools),
    Family("perl", perl.is_perl, perl.gather),
    Family("ruby", ruby.is_ruby, ruby.gather),
    Family("node", node.is_node, node.gather),
    Family("go", go.is_go, go.gather),
    Family("java", java.is_java, java.gather),
    Family("rust", rust.is_rust, rust.gather),
    Family("listed", listed.is_listed, listed.gather),
    Family("plain", plain.is_any, plain.gather),
)
# Families of interpreters: a script brings one of these with all that belongs to it.
INTERPRETERS = (python.is_python, perl.is_perl, node.is_node, ruby.is_ruby)
