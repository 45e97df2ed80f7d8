"""musl-gcc: a script of musl that calls gcc with a file of specs, which names another C library.

gcc comes along as the family `c` brings it. The file of specs has all directories of musl by
absolute paths, so what it names says what else is needed, and a copy of it names the outputs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Optional

from bramble.build.tools.contents import RT, Contents, Link, Take, Text
from bramble.build.tools.families.c_parts import place_of_path
from bramble.build.tools.families.c_trials import trials
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, tree

_NAMES = re.compile(r"(?:[a-z0-9_]+-linux-)?musl-gcc")
_CALLS = re.compile(
    r'exec "?(?:\$\{REALGCC:-)?(?P<gcc>[^\s}"]+)\}?"? "\$@" -specs[ =]"?(?P<specs>/[^\s"]+)"?'
)
_DIRECTORY = re.compile(r"(?:-isystem |-L ?)(/\S+)")
_LOADER = re.compile(r"-dynamic-linker (/\S+)")


def is_musl(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is musl's script: a compiler for musl by that name is one like any other."""
    return _NAMES.fullmatch(name) is not None and machine.head(real)[:2] == b"#!"


def needed(machine: Machine, name: str, real: str) -> Optional[str]:
    """Return the name of the gcc that the program calls, if it is musl's script."""
    match = _CALLS.search(machine.text(real)) if is_musl(machine, name, real) else None
    return match["gcc"] if match is not None else None


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the headers and libraries of musl, and the script. Raises build.host-tool-unsupported."""
    # spec: build.host-tools.musl
    real, *others = sorted(set(tools.values()))
    match = _CALLS.search(machine.text(real))
    if match is None or others or not machine.is_file(match["specs"]):
        raise unsupported(real, "it is not the script of musl, and what it would call is not known")
    specs = machine.text(match["specs"])
    loader = _LOADER.search(specs)
    if loader is None or not machine.is_file(loader[1]):
        raise unsupported(real, f"its {match['specs']} names no loader that is there")
    directories = tuple(dict.fromkeys(path for path in _DIRECTORY.findall(specs)))
    takes = [Take(loader[1], f"lib/{posixpath.basename(loader[1])}", RT)]
    links = []
    for directory in directories:
        for path in tree(machine, directory):
            place = place_of_path(path)
            if machine.real(path) == machine.real(loader[1]):
                # The loader of musl is the library too.
                links.append(Link(place, takes[0].place, RT))
            elif path != match["specs"]:
                takes.append(Take(path, place))
    name, *again = sorted(tools)
    links += [Link(f"bin/{other}", f"bin/{name}") for other in again]
    place = place_of_path(match["specs"])
    script = f'exec {{out}}/bin/{posixpath.basename(match["gcc"])} "$@" -specs {{out}}/{place}\n'
    static = any(take.place.endswith("/libc.a") for take in takes)
    return Contents(
        takes=tuple(takes),
        texts=(
            Text(place, _moved(specs, directories, loader[1])),
            Text(f"bin/{name}", script, executable=True, interpreter="sh"),
        ),
        links=tuple(links),
        trials=trials(("c",), static=static, drivers={"c": name}),
        runtime=True,
    )


def _moved(specs: str, directories: tuple[str, ...], loader: str) -> str:
    """Return the specs with the outputs in them, and what `build.host-tools.c.specs` says of linking.

    Its compiler settings are in the specs of gcc, for which the same rules apply.
    """
    for directory in sorted(directories, key=len, reverse=True):
        specs = specs.replace(directory, "{out}/" + place_of_path(directory))
    dynamic = f"-dynamic-linker {{rt}}/lib/{posixpath.basename(loader)} -rpath {{rt}}/lib --disable-new-dtags"
    return specs.replace(f"-dynamic-linker {loader}", f"--build-id=none %{{!shared:%{{!static:{dynamic}}}}}")
