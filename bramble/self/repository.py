"""The repository on disk: the content of a source distribution. Only a checkout has all of it.

Which files belong to it is a table and a rule on names, so that it needs no git, and is the same in a
clone and in an unpacked source distribution.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Optional

from bramble.errors import BrambleError
from bramble.self.sdist import SourceFile
from bramble.self.tree import is_left_out

TOP = (
    *(".ci", ".gitignore", "LICENSE", "README.md", "pyproject.toml"),
    *("bramble", "conformance", "spec", "tests"),
)


def checkout() -> Optional[str]:
    """Return the directory of the repository that contains this package; None if there is none."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return top if all(os.path.lexists(os.path.join(top, name)) for name in TOP) else None


def read_repository(top: str) -> Mapping[str, SourceFile]:
    """Return the files of the repository in the directory `top`, path → file.

    What tools leave there has no part in it (`is_left_out`).

    Raises BrambleError self.odd-source for a link, or anything else that is not a file or a directory.
    """
    # spec: self.sdist.files
    return {path: _read(os.path.join(top, path)) for name in TOP for path in sorted(_files(top, name))}


def _files(top: str, path: str) -> Iterator[str]:
    mode = os.lstat(os.path.join(top, path)).st_mode
    if stat.S_ISDIR(mode):
        for name in os.listdir(os.path.join(top, path)):
            if not is_left_out(name):
                yield from _files(top, f"{path}/{name}")
    elif stat.S_ISREG(mode):
        yield path
    else:
        raise BrambleError(
            "self.odd-source", f"{path} is among the source, and is not a file", remedy="move it elsewhere"
        )


def _read(path: str) -> SourceFile:
    with open(path, "rb") as file:
        return SourceFile(file.read(), bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR))
