"""clang and its relatives: not taken along, and said so.

A copy of clang alone says its version and compiles nothing: it has its headers in a directory of its own,
links with what belongs to gcc, and has no file `specs` that would tell it where all of this is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from bramble.build.tools.contents import Contents
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine

_NAMES = re.compile(r"clang(\+\+|-cl|-cpp)?(-[0-9.]+)?|flang(-new)?(-[0-9.]+)?")


def is_clang(machine: Machine, name: str, real: str) -> bool:
    """Say whether the program is a driver of clang, also where it is called cc or c++."""
    return any(_NAMES.fullmatch(one) is not None for one in (name, posixpath.basename(real)))


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Raise build.host-tool-unsupported."""
    # spec: build.host-tools.clang
    name = min(tools)
    raise unsupported(tools[name], "it is clang, and of compilers for C and C++ only gcc is taken along")
