"""Programs of no family: the file with its libraries, or the script with its interpreter."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from bramble.build.tools.contents import Contents, Link, Take
from bramble.build.tools.machine import Machine


def is_any(machine: Machine, name: str, real: str) -> bool:
    """Say yes."""
    return True


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return each program once, and links for its other names."""
    takes, links = programs(tools)
    return Contents(takes=tuple(takes), links=tuple(links))


def programs(tools: Mapping[str, str]) -> tuple[list[Take], list[Link]]:
    """Return a take for each file, by its own name if that was asked for, and a link for each other name."""
    # spec: build.host-tools.search
    by_file: dict[str, list[str]] = {}
    for name, real in sorted(tools.items()):
        by_file.setdefault(real, []).append(name)
    takes, links = [], []
    for real, names in by_file.items():
        own = posixpath.basename(real)
        first = own if own in names else names[0]
        takes.append(Take(real, f"bin/{first}", program=True))
        links += [Link(f"bin/{name}", f"bin/{first}") for name in names if name != first]
    return takes, links
