"""Python: an interpreter with its library beside it.

Python finds its library by going up from where it lies itself until it meets
`lib/pythonX.Y/os.py`, so an interpreter in `bin` of an output finds the library
of the same output, wherever the store is.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bramble.build.tools.contents import Contents, Take, Trial
from bramble.build.tools.families.plain import programs
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine

NAMES = re.compile(r"python3?(\.[0-9]+)?")
_QUESTION = """
import json, os, sys
print(json.dumps({
    "prefix": sys.base_prefix,
    "library": os.path.dirname(os.__file__),
    "path": [entry for entry in sys.path if entry],
}))
"""
# Tests, other people's packages, caches with host paths in them, and what needs a display.
_LEFT_OUT = re.compile(
    r"(.*/)?(__pycache__|tests?|site-packages|dist-packages|idlelib|tkinter|turtledemo|config-.*)/.*"
)
_MODULES_LEFT_OUT = re.compile(r"(_tkinter|_?xx.*|_test.*|_ctypes_test)\..*")


@dataclass(frozen=True)
class PythonLibrary:
    """Where the library of an interpreter is."""

    prefix: str  # "/usr"
    directories: tuple[str, ...]  # absolute: the library, and the modules in machine code if apart


def is_python(machine: Machine, name: str, real: str) -> bool:
    """Say whether the program is an interpreter of Python, by one of its names."""
    return any(NAMES.fullmatch(one) is not None for one in (name, posixpath.basename(real)))


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the interpreters and their libraries. Raises build.host-tool-unsupported."""
    takes, links = programs(tools)
    trials = []
    for interpreter in list(takes):
        library = python_library(machine, interpreter.path)
        takes += [Take(path, place, lenient=True) for path, place in files_of(machine, library)]
        command = ("{out}/" + interpreter.place, "-c", "print('works')")
        trials.append(Trial(command, says="works", about="run a program"))
    return Contents(tuple(takes), links=tuple(links), trials=tuple(trials))


def python_library(machine: Machine, interpreter: str) -> PythonLibrary:
    """Ask the interpreter at this path. Raises build.host-tool-unsupported."""
    answer = machine.ask([interpreter, "-I", "-S", "-B", "-c", _QUESTION])
    try:
        told = json.loads(answer.out)
    except ValueError as error:
        raise unsupported(
            interpreter, f"it does not say where its library is: {answer.error or error}"
        ) from error
    prefix, library = told["prefix"], told["library"]
    modules = [entry for entry in told["path"] if posixpath.basename(entry) == "lib-dynload"]
    directories = [library]
    directories += [
        entry for entry in modules if not entry.startswith(library + "/") and machine.is_directory(entry)
    ]
    for directory in directories:
        if not directory.startswith(prefix.rstrip("/") + "/"):
            raise unsupported(interpreter, f"its library {directory} does not lie below {prefix}")
    return PythonLibrary(prefix, tuple(directories))


def files_of(machine: Machine, library: PythonLibrary) -> Iterator[tuple[str, str]]:
    """Yield (path, path relative to the prefix) for all that is taken along, in order."""
    # spec: build.host-tools.python
    for top in library.directories:
        for path in machine.files_below(top):
            relative = posixpath.relpath(path, top)
            if _LEFT_OUT.fullmatch(relative) or _MODULES_LEFT_OUT.fullmatch(posixpath.basename(path)):
                continue
            # Links are followed: Debian keeps parts of it in /etc.
            if machine.is_file(path):
                yield path, posixpath.relpath(path, library.prefix)
