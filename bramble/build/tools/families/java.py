"""Java: a tree that stands where it likes, and is found from the program in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bramble.build.tools.contents import Contents, Link, Take, Trial
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, tree

_PROGRAM = re.compile(r"(?P<home>/.*)/bin/(?P<name>[a-z]+)")
_LEFT_OUT = re.compile(r"(demo|man|sample|legal)/.*|src\.zip|lib/src\.zip|docs|docs/.*")


def is_java(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is in a tree of Java."""
    match = _PROGRAM.fullmatch(real)
    return match is not None and machine.is_file(match["home"] + "/lib/modules")


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the whole tree, in `lib/jvm`. Raises build.host-tool-unsupported."""
    # spec: build.host-tools.java
    matches = {name: _PROGRAM.fullmatch(real) for name, real in sorted(tools.items())}
    homes = {match["home"] for match in matches.values() if match is not None}
    if len(homes) != 1:
        raise unsupported(
            min(tools.values()), "these belong to several Javas, and an output can contain only one"
        )
    home = homes.pop()
    takes = [
        Take(path, f"lib/jvm/{path[len(home) + 1 :]}", lenient=True)
        for path in tree(machine, home)
        if _LEFT_OUT.fullmatch(path[len(home) + 1 :]) is None
    ]
    links = [
        Link(f"bin/{name}", f"lib/jvm/bin/{match['name']}")
        for name, match in matches.items()
        if match is not None
    ]
    trials = [Trial((f"{{out}}/bin/{name}", "--version"), about="say its version") for name in matches]
    return Contents(tuple(takes), links=tuple(links), trials=tuple(trials))
