"""A cache of compiled programs that outlives the process.

A program is found by everything that what it is compiled to depends on: its text, its name (which its errors
say), the dialect, the names that the host gives, Python's version, and the files of this package. Their
*stamp* is among it, so that nothing that an earlier version has compiled is run by a later one: a
program's code calls functions of the package by name. If the package is not a directory of files, no stamp
can be taken, and nothing is kept. All this is at the head of the file, and is compared: the name of the
file is only where to look.

What is kept is code; kept.py says when it is believed.
"""

from __future__ import annotations

from binascii import crc32

from .dialect import Dialect
from .kept import Kept
from .program import Program, ProgramFormatError, compile_program, format_version
from .startup import PACKAGE, package_stamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Optional, Union

_STANDARD = Dialect()


class ProgramCache:
    """Compiles programs, or finds them in a directory. Its files are for this user alone.

    `stamp` is that of this package, where it has been taken before.
    """

    def __init__(self, kept: Kept, stamp: Optional[str] = None) -> None:
        self.kept = kept
        self._stamp = stamp or package_stamp(PACKAGE)

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
        told = repr(about).encode("utf-8", "surrogatepass")
        head = b"%d %d\0" % (len(told), len(text)) + told + text
        name = f"{crc32(told):08x}{crc32(text):08x}{len(text):x}"
        content = self.kept.view(name)
        if content is not None and content[: len(head)] == head:
            try:
                return Program.from_bytes(content[len(head) :])
            except ProgramFormatError:
                pass
        program = compile_program(source, filename, dialect=dialect, predeclared=predeclared)
        self.kept.write(name, head + program.to_bytes())
        return program
