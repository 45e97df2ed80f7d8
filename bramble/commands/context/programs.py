"""The programs of an output, in words for a person who named another one."""

from __future__ import annotations

import os
from typing import Optional

from bramble.errors import nearest

_LISTED = 12


def programs_of(home: str, wanted: Optional[str]) -> str:
    """Return what `bin` of the output at `home` holds, or the program there that is most like `wanted`."""
    try:
        with os.scandir(os.path.join(home, "bin")) as entries:
            names = sorted(entry.name for entry in entries if not os.path.isdir(entry.path))
    except OSError:
        return "name a program by its path in the output, which has no bin directory"
    if not names:
        return "name a program by its path in the output; its bin directory is empty"
    close = nearest(wanted, names) if wanted else None
    if close is not None:
        return f"did you mean {close}?"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"bin holds {', '.join(names[:_LISTED])}{more}"
