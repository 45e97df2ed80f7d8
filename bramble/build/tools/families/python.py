"""Python: an interpreter with its library beside it.

Python finds its library by going up from its own path until it meets
`lib/pythonX.Y/os.py`, so an interpreter in `bin` of an output finds the library
of the same output, wherever the store is.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping

from bramble.build.tools.contents import OUT, Contents, Take, Trial
from bramble.build.tools.families.plain import programs, says_version
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, script_words, tree
from bramble.build.tools.packages import files_of as files_of_packages
from bramble.build.tools.packages import owners
from bramble.record import dataclass

NAMES = re.compile(r"python3?(\.[0-9]+)?")
_QUESTION = """
import json, os, sys
print(json.dumps({
    "prefix": sys.base_prefix,
    "library": os.path.dirname(os.__file__),
    "path": [entry for entry in sys.path if entry],
}))
"""
_WHICH = """
import importlib
for name in "bz2 ctypes hashlib lzma sqlite3 ssl threading venv zlib".split():
    try:
        importlib.import_module(name)
        print(name)
    except ImportError:
        pass
"""
_DISTRIBUTION = """
import re, sys
from importlib.metadata import PackageNotFoundError, distribution, distributions
waiting = [it for it in distributions()
           if any(e.group == "console_scripts" and e.name == sys.argv[1] for e in it.entry_points)]
done = {}
while waiting:
    it = waiting.pop()
    name = it.metadata["Name"]
    if name in done:
        continue
    done[name] = it
    for requirement in it.requires or ():
        if "extra ==" not in requirement:
            try:
                waiting.append(distribution(re.match("[A-Za-z0-9._-]+", requirement).group()))
            except PackageNotFoundError:
                pass
for it in done.values():
    for file in it.files or ():
        print(it.locate_file(file))
"""
_MODULES = re.compile(
    r"/usr/(?:local/)?(?P<place>lib/python3[^/]*/(?:site|dist)-packages/(?!.*__pycache__).*)"
)
_WHEELS = "share/python-wheels"
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
    """Return whether the program is an interpreter of Python, by one of its names."""
    return any(NAMES.fullmatch(one) is not None for one in (name, posixpath.basename(real)))


def is_python_tool(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is written in Python."""
    words = script_words(machine.head(real))
    return bool(words) and NAMES.fullmatch(posixpath.basename(words[0])) is not None


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the interpreters and their libraries. Raises build.host-tool-unsupported."""
    takes, links = programs(tools)
    trials = []
    moves = {}
    for interpreter in list(takes):
        library = python_library(machine, interpreter.path)
        takes += [
            Take(path, place, lenient=True, moved="/ensurepip/" in path)
            for path, place in files_of(machine, library)
        ]
        there = machine.ask([interpreter.path, "-I", "-B", "-c", _WHICH]).out.split()
        command = ("{out}/" + interpreter.place, "-c", f"import {', '.join(('os', *there))}; print('works')")
        trials.append(Trial(command, says="works", about=f"import {', '.join(there)}"))
        wheels = f"{library.prefix.rstrip('/')}/{_WHEELS}"
        if machine.is_directory(wheels):
            # Debian's ensurepip takes them from there.
            moves[wheels] = _WHEELS
            takes += [Take(path, posixpath.relpath(path, library.prefix)) for path in tree(machine, wheels)]
    return Contents(tuple(takes), links=tuple(links), moves=moves, trials=tuple(trials), loads_others=OUT)


def gather_tools(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return programs in Python with the packages that they are parts of.

    Raises build.host-tool-unsupported for one of which nobody says what belongs to it.
    """
    # spec: build.host-tools.python.tools
    takes, links = programs(tools)
    files: dict[str, str] = {}
    for name, real in sorted(tools.items()):
        words = script_words(machine.head(real))
        interpreter = machine.find(words[0])
        if interpreter is None:
            raise unsupported(real, f"its interpreter {words[0]} is not there")
        found = _packaged(machine, real) or _installed(machine, interpreter, name)
        files.update(found)
    takes += [Take(path, place, lenient=True) for path, place in files.items() if machine.is_file(path)]
    trials = [says_version(name) for name in sorted(tools)]
    watched = tuple(sorted(set(tools.values())))
    return Contents(tuple(takes), links=tuple(links), trials=tuple(trials), watched=watched)


def _packaged(machine: Machine, script: str) -> dict[str, str]:
    """Return the modules of the package of the machine that owns the script: path → place."""
    listed = files_of_packages(machine, owners(machine, [script]) or ())
    return {path: match["place"] for path in listed if (match := _MODULES.match(path)) is not None}


def _installed(machine: Machine, interpreter: str, name: str) -> dict[str, str]:
    """Return the modules of the distribution that installed the script, and of those that it requires."""
    answer = machine.ask([interpreter, "-B", "-c", _DISTRIBUTION, name]).out
    found = {}
    for path in answer.splitlines():
        match = _MODULES.match(posixpath.normpath(path))
        if match is not None:
            found[path] = match["place"]
    return found


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
            raise unsupported(interpreter, f"its library {directory} is not below {prefix}")
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
