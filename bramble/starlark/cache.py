"""A cache of compiled programs that outlives the process.

A program is found by everything that what it is compiled to depends on: its text, its name (which its errors
say), the dialect, the names that the host gives, Python's version, and the files of this package. Their
*stamp* is in the key, so that nothing that an earlier version has compiled is run by a later one: a
program's code calls functions of the package by name. Where the package is no directory of files, no stamp
can be taken, and nothing is kept.

What is kept is code; kept.py says when it is believed.
"""

from __future__ import annotations

import os

from .dialect import Dialect
from .kept import Kept, digest
from .program import Program, ProgramFormatError, compile_program, format_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Optional, Union

_STANDARD = Dialect()
_FLOORS = ("", "runtime", "syntax", "compile", "compile/facts", "compile/constructs")


class ProgramCache:
    """Compiles programs, or finds them in a directory. Its files are for this user alone."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self._stamp = package_stamp(os.path.dirname(os.path.abspath(__file__)))

    def compile(
        self,
        source: Union[str, bytes],
        filename: str,
        *,
        dialect: Dialect = _STANDARD,
        predeclared: Collection[str] = (),
    ) -> Program:
        """Return what `compile_program` would. Raises SyntaxFailure, ResolveFailure."""
        # spec: starlark.command.cache
        if self._stamp is None:
            return compile_program(source, filename, dialect=dialect, predeclared=predeclared)
        text = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
        options = tuple([getattr(dialect, field) for field in Dialect._fields])
        about = (
            format_version(),
            self._stamp,
            filename,
            options,
            sorted(predeclared),
            isinstance(source, str),
        )
        name = digest(repr(about).encode("utf-8", "surrogatepass") + b"\0" + text).hex()
        content = self.kept.read(name)
        if content is not None:
            try:
                return Program.from_bytes(content)
            except ProgramFormatError:
                pass
        program = compile_program(source, filename, dialect=dialect, predeclared=predeclared)
        self.kept.write(name, program.to_bytes())
        return program


def package_stamp(package: str) -> Optional[str]:
    """Return what changes with any file of the package in this directory; None where there are none."""
    found = []
    try:
        for floor in _FLOORS:
            with os.scandir(os.path.join(package, floor)) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        s = entry.stat()
                        found.append((floor, entry.name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino))
    except OSError:
        return None
    return digest(repr(sorted(found)).encode()).hex()


def user_cache(environ: Mapping[str, str]) -> Optional[ProgramCache]:
    """Return the cache of the user whose environment this is, or None where it names no place for one."""
    # spec: starlark.command.cache
    # XDG Base Directory Specification: relative paths are to be ignored.
    root = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(root):
        home = environ.get("HOME", "")
        if not os.path.isabs(home):
            return None
        root = os.path.join(home, ".cache")
    return ProgramCache(Kept(root, ("bramble", "starlark")))
