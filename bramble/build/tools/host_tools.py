"""The built-in builder `host_tools`: programs of this machine, made to run from the store.

The output looks like this, and nothing in it needs anything outside of it:

    bin/NAME        each program that was asked for; a second name of one file is a link to it
    lib/NAME        loaders and libraries, one directory for all programs
    lib/…, share/…  what the families of the programs bring, in the places where these look for it
    libexec/NAME    interpreters of scripts that were not asked for themselves

Three steps: ask the machine and gather (`families`, `kit`), write, and try in a sandbox
whether everything works (`trying`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Callable

from bramble.build.builtin import Request
from bramble.build.options import STRONGEST
from bramble.build.pins import needed
from bramble.build.stamps import RULES, Stamp
from bramble.build.task import Cancelled
from bramble.build.tools.absent import named_by, named_in
from bramble.build.tools.contents import OUT, RT, Contents, Take
from bramble.build.tools.distribution import how_to_install
from bramble.build.tools.entrusted import entrusted
from bramble.build.tools.families import listed, musl
from bramble.build.tools.families.table import FAMILIES, INTERPRETERS
from bramble.build.tools.kit import Kit, Output
from bramble.build.tools.libraries import needed_by
from bramble.build.tools.machine import Machine, ThisMachine, script_words, tree
from bramble.build.tools.starting import try_to_start
from bramble.build.tools.trying import try_out
from bramble.errors import BrambleError
from bramble.record import replace


def make(request: Request) -> tuple[Stamp, ...]:
    """Copy the programs that the variable `tools` names; return the stamps of all that was read.

    Raises build.host-tool-missing, build.host-tool-unsupported, build.host-tool-out-of-reach,
    build.host-tool-broken, derivation.env.
    """
    # spec: build.host-tools
    names = sorted(set(needed("host_tools", request.name, request.env, "tools").split()))
    machine = ThisMachine(request.options.host_path)

    def find(tool: str) -> str:
        found = machine.find(tool)
        if found is None:
            raise _missing(machine, request.name, tool)
        return machine.real(found)

    def named(path: str) -> str:
        return entrusted(path, request.options.host_trusted, request.options.strangers)

    def ask_for(name: str) -> str:
        # A path in what is searched is the machine's own word, wherever it leads.
        searched = not name.startswith("/") or os.path.dirname(name) in machine.host_path
        return find(name) if searched else named(find(name))

    asked = {os.path.basename(name): ask_for(name) for name in names}
    files = more_files(machine, request.name, request.env.get("files", "").split(), named)
    found = gather(machine, with_needed(machine, asked, find))
    contents = (*(replace(one, moves={**files.moves, **one.moves}) for one in found), files)
    if len(request.outputs) > 1 and not any(one.runtime for one in contents):
        raise BrambleError(
            "derivation.outputs",
            f'"{request.name}" has the output "{RT}" for what compiled programs need, and no compiler',
            remedy="omit outputs, or add a compiler to tools",
        )
    kit = Kit(machine, _outputs(request), find)
    for one in contents:
        kit.place_programs(one)
    for one in contents:
        kit.add(one)

    def cancelled() -> None:
        if request.listener.cancelled.is_set():
            raise Cancelled

    kit.write(cancelled)
    for one in contents:
        for real in one.watched:
            warn_of_absent(request, machine, real, one.moves)
    for one in contents:
        try_out(request, one.trials, kit.filled)
    if request.options.sandbox == STRONGEST:
        started = sorted(place for one in contents for place in one.started)
        shell = kit.filled("{out}/bin/sh") if "sh" in asked else None
        try_to_start(request, [kit.filled("{out}/" + place) for place in started], shell)
    return (RULES, *machine.stamps)


def _outputs(request: Request) -> dict[str, Output]:
    """Return the outputs as a kit knows them: a single one is "out", whatever its name."""
    given = {name: Output(place.directory, place.seen) for name, place in request.outputs.items()}
    return given if len(given) > 1 else dict(zip((OUT,), given.values()))


def with_needed(machine: Machine, tools: Mapping[str, str], find: Callable[[str], str]) -> dict[str, str]:
    """Return the programs with those that they call: name → real path.

    Those are what the table of `listed` says, the gcc of musl-gcc, and the interpreters of scripts that are
    more than a file.
    """
    # spec: build.host-tools.scripts
    found = dict(tools)
    waiting = dict(tools)
    while waiting:
        more = {name: find(name) for name in listed.needed(waiting)}
        for tool, real in waiting.items():
            called = musl.needed(machine, tool, real)
            if called is not None:
                more[called] = find(called)
            words = script_words(machine.head(real))
            if words:
                try:
                    interpreter = find(words[0])
                except BrambleError as error:
                    raise needed_by(error, real) from error
                name = os.path.basename(words[0])
                if any(claims(machine, name, interpreter) for claims in INTERPRETERS):
                    more[name] = interpreter
        waiting = {name: real for name, real in more.items() if name not in found}
        found.update(waiting)
    return found


def gather(machine: Machine, tools: Mapping[str, str]) -> tuple[Contents, ...]:
    """Return what each family brings of the programs, which are given as name → real path."""
    left = dict(tools)
    found = []
    for family in FAMILIES:
        ours = {name: real for name, real in left.items() if family.claims(machine, name, real)}
        if ours:
            found.append(family.gather(machine, ours))
        left = {name: real for name, real in left.items() if name not in ours}
    return tuple(found)


def more_files(
    machine: Machine, derivation: str, paths: Sequence[str], named: Callable[[str], str]
) -> Contents:
    """Return the files and trees that the variable `files` names: without the prefix /usr or /usr/local.

    `named` returns the real path of what a project may name, or raises.

    Raises build.host-tool-missing, derivation.env.
    """
    # spec: build.host-tools.files
    takes = []
    moves = {}
    for path in paths:
        clean = os.path.normpath(path)
        if not path.startswith("/") or clean in ("/", "/usr", "/usr/local"):
            raise BrambleError(
                "derivation.env",
                f'"{derivation}" names {path} in files, which is not the path of a file on the machine',
                remedy="name files and directories by absolute paths, separated by blanks",
            )
        place = next(clean[len(top) :] for top in ("/usr/local/", "/usr/", "/") if clean.startswith(top))
        moves[clean] = place
        if machine.is_file(clean):
            takes.append(Take(named(clean), place, lenient=True))
        elif machine.is_directory(clean):
            real = named(clean)
            takes += [
                Take(named(below), place + below[len(real) :], lenient=True) for below in tree(machine, real)
            ]
        else:
            raise BrambleError(
                "build.host-tool-missing",
                f'"{derivation}" names {path} in files, which this machine does not have',
                remedy="install its package, or remove it from files",
            )
    return Contents(tuple(takes), moves=moves)


def warn_of_absent(request: Request, machine: ThisMachine, real: str, moved: Mapping[str, str]) -> None:
    """Return the paths of data in a program at the path `real` that are replaced nowhere."""
    # spec: build.host-tools.absent
    elf = machine.elf(real)
    if elf is None:
        paths = named_in(machine.text(real), moved, os.path.exists)
    else:
        search = [entry for path in elf.search for entry in path.split(":")]
        paths = named_by(machine.data(real), search, os.path.exists)
    if paths:
        request.listener.absent(os.path.basename(real), paths, elf is None)


def _missing(machine: ThisMachine, derivation: str, tool: str) -> BrambleError:
    name = os.path.basename(tool)
    candidates = machine.candidates(tool)
    places = (os.path.dirname(candidate) for candidate in candidates)
    install = how_to_install(machine, name)
    almost = "".join(
        f"; {candidate} leads to {machine.real(candidate)}, which is not there"
        if not os.path.exists(candidate)
        else f"; {candidate} cannot be executed"
        for candidate in candidates
        if os.path.lexists(candidate)
    )
    return BrambleError(
        "build.host-tool-missing",
        f'"{derivation}" needs the program {tool}, which this machine does not have in '
        + (", ".join(places) or "any place")
        + almost,
        remedy=f"install it with `{install}`" if install else f"install {name}, or remove it from tools",
    )
