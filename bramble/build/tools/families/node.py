"""Node: the interpreter, and tools that are packages of it, such as npm."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from bramble.build.tools.contents import OUT, Contents, Link, Take, Trial
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, tree

_INTERPRETER = re.compile(r"node(js)?")
# The node of Debian reads parts of itself from /usr/share/nodejs, a path that is compiled in.
_APART = (
    "(process.config.target_defaults.defines||[]).filter(d=>/^NODE_SHARED_BUILTIN_.*_PATH=/.test(d)).join()"
)
_PACKAGE = re.compile(r"(?P<root>/.*?)/node_modules/(?P<name>(@[^/]+/)?[^/]+)/")


def is_node(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is node, or is in a package for it."""
    return _INTERPRETER.fullmatch(posixpath.basename(real)) is not None or _PACKAGE.match(real) is not None


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the interpreter, and each package whole, in `lib/node_modules`.

    Raises build.host-tool-unsupported.
    """
    # spec: build.host-tools.node
    takes: dict[Take, None] = {}
    links, trials = [], []
    interpreters: dict[str, str] = {}
    for name, real in sorted(tools.items()):
        match = _PACKAGE.match(real)
        if match is None:
            apart = machine.ask([real, "-p", _APART]).out.partition("=")[2].partition(",")[0].strip()
            if apart:
                raise unsupported(
                    real,
                    f"it reads parts of itself, such as {apart}, by absolute paths",
                    "fetch the node of nodejs.org with fetch_url, or install one of its packages",
                )
            place = interpreters.setdefault(real, f"bin/{name}")
            takes[Take(real, place, program=True)] = None
            if place != f"bin/{name}":
                links.append(Link(f"bin/{name}", place))
            trials.append(
                Trial((f"{{out}}/bin/{name}", "-e", "console.log('works')"), "works", about="run a program")
            )
            continue
        top = f"{match['root']}/node_modules/{match['name']}"
        here = f"lib/node_modules/{match['name']}"
        for path in tree(machine, top):
            takes[Take(path, here + path[len(top) :], lenient=path != real)] = None
        links.append(Link(f"bin/{name}", here + real[len(top) :]))
        trials.append(
            Trial((f"{{out}}/bin/{name}", "--version"), env={"HOME": "/tmp"}, about="say its version")
        )
    others = OUT if interpreters else ""
    return Contents(takes=tuple(takes), links=tuple(links), trials=tuple(trials), loads_others=others)
