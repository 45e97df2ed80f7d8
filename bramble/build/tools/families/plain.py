"""Programs of no family: the file with its libraries, or the script with its interpreter.

A program that finds data relative to its own path finds them in the output too, if they have
the same place there: so PREFIX/share/NAME, PREFIX/lib/NAME and PREFIX/libexec/NAME of PREFIX/bin/NAME
come along.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from bramble.build.tools.contents import Contents, Link, Take, Trial
from bramble.build.tools.machine import Machine, tree

# Not every program knows --version.
_NO_VERSION = (
    r"(?i)usage:|usage is|(unknown|invalid|unrecogni[sz]ed|illegal|unsupported|bad|no such) (\w+ )?"
    r"(option|argument|flag|switch|command)"
)
_DATA = ("share", "lib", "libexec")


def is_any(machine: Machine, name: str, real: str) -> bool:
    """Say yes."""
    return True


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return each program once, links for its other names, and what has its name beside it."""
    # spec: build.host-tools.layout
    takes, links = programs(tools)
    moves: dict[str, str] = {}
    trials = []
    for name, real in sorted(tools.items()):
        prefix, directory = posixpath.split(posixpath.dirname(real))
        if "/lib/" in real or real.startswith("/opt/"):
            # It is a part of something that stands elsewhere.
            trials.append(says_version(name))
        if directory not in ("bin", "sbin"):
            continue
        for parent in _DATA:
            top = f"{prefix.rstrip('/')}/{parent}/{name}"
            if machine.is_directory(top):
                moves[top] = f"{parent}/{name}"
                below = machine.real(top)
                takes += [
                    Take(path, f"{parent}/{name}{path[len(below) :]}", lenient=True)
                    for path in tree(machine, below)
                ]
        if f"{prefix.rstrip('/')}/lib/{name}" in moves or f"{prefix.rstrip('/')}/share/{name}" in moves:
            trials.append(says_version(name))
    started = tuple(f"bin/{name}" for name in sorted(tools))
    return Contents(
        takes=tuple(takes),
        links=tuple(links),
        moves=moves,
        trials=tuple(trials),
        started=started,
        watched=tuple(sorted(set(tools.values()))),
    )


def says_version(name: str) -> Trial:
    """Return the trial of a program of which nobody knows more than that it may know this option."""
    return Trial(
        (f"{{out}}/bin/{name}", "--version"),
        env={"HOME": "/tmp"},
        unless=_NO_VERSION,
        about="say its version",
    )


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
        takes.append(Take(real, f"bin/{first}", program=True, moved=True))
        links += [Link(f"bin/{name}", f"bin/{first}") for name in names if name != first]
    return takes, links
