"""The programs of an output, in words for a user who named another one."""

from __future__ import annotations

import os
from typing import Optional

from bramble.errors import nearest

_LISTED = 12


def names_in(home: str) -> list[str]:
    """Return the sorted names of the files in `bin` of the output at `home`."""
    try:
        with os.scandir(os.path.join(home, "bin")) as entries:
            return sorted(entry.name for entry in entries if not os.path.isdir(entry.path))
    except OSError:
        return []


def executable(home: str) -> list[str]:
    """Return those of them that can be executed."""
    return [name for name in names_in(home) if os.access(os.path.join(home, "bin", name), os.X_OK)]


def programs_of(home: str, wanted: Optional[str]) -> str:
    """Return what `bin` of the output at `home` holds, or the program there that is most like `wanted`."""
    names = names_in(home)
    if not os.path.isdir(os.path.join(home, "bin")):
        return "name a program by its path in the output, which has no bin directory"
    if not names:
        return "name a program by its path in the output; its bin directory is empty"
    close = nearest(wanted, names) if wanted else None
    if close is not None:
        return f"did you mean {close}?"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"bin holds {', '.join(names[:_LISTED])}{more}"
