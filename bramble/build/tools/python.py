"""The library of a Python of this machine: what has to stand beside the interpreter for it to work.

Python finds its library by going up from where it lies itself until it meets
`lib/pythonX.Y/os.py`, so an interpreter in `bin` of an output finds the library
of the same output, wherever the store is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from bramble.build.tools.libraries import unsupported

NAME = re.compile(r"python3?(\.[0-9]+)?")
_SECONDS = 60
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
    r"(__pycache__|tests?|site-packages|dist-packages|idlelib|tkinter|turtledemo|config-.*)"
)
_MODULES_LEFT_OUT = re.compile(r"(_tkinter|_?xx.*|_test.*|_ctypes_test)\..*")


@dataclass(frozen=True)
class PythonLibrary:
    """Where the library of an interpreter is."""

    prefix: str  # "/usr"
    directories: tuple[str, ...]  # absolute: the library, and the modules in machine code if apart


def python_library(interpreter: str) -> PythonLibrary:
    """Ask the interpreter at this path. Raises build.host-tool-unsupported."""
    try:
        answer = subprocess.run(
            [interpreter, "-I", "-S", "-B", "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            cwd="/",
            timeout=_SECONDS,
        )
        told = json.loads(answer.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise unsupported(interpreter, f"it does not say where its library is: {error}") from error
    prefix, library = told["prefix"], told["library"]
    modules = [entry for entry in told["path"] if os.path.basename(entry) == "lib-dynload"]
    directories = [library]
    directories += [
        entry for entry in modules if not entry.startswith(library + "/") and os.path.isdir(entry)
    ]
    for directory in directories:
        if not directory.startswith(prefix.rstrip("/") + "/"):
            raise unsupported(interpreter, f"its library {directory} does not lie below {prefix}")
    return PythonLibrary(prefix, tuple(directories))


def files_of(library: PythonLibrary) -> Iterator[tuple[str, str, bool]]:
    """Yield (path, path relative to the prefix, is a directory) for all that is taken along, in order."""
    # spec: build.host-tools.python
    for top in library.directories:
        stack = [top]
        while stack:
            directory = stack.pop()
            yield directory, os.path.relpath(directory, library.prefix), True
            with os.scandir(directory) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    if not _LEFT_OUT.fullmatch(entry.name):
                        stack.append(entry.path)
                elif os.path.isfile(entry.path) and not _MODULES_LEFT_OUT.fullmatch(entry.name):
                    # Links are followed: Debian keeps parts of it in /etc.
                    yield entry.path, os.path.relpath(entry.path, library.prefix), False
