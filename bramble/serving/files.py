"""Opening files below a directory, and none elsewhere: no link is followed, at any depth."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from typing import Optional

from bramble.serving.answer import Version

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO without a writer would keep its opener waiting.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LONGEST_NAME = 255


def open_below(top: int, parts: Sequence[str]) -> Optional[tuple[int, Version]]:
    """Open the regular file at these parts below the directory `top`; None if there is none.

    No part may be "", ".", "..", begin with a dot or hold a slash: such a path names nothing.
    """
    # spec: registry.http.paths
    if not all(
        part and not part.startswith(".") and "/" not in part and "\0" not in part for part in parts
    ) or any(len(os.fsencode(part)) > _LONGEST_NAME for part in parts):
        return None
    opened: list[int] = []
    try:
        below = top
        for part in parts[:-1]:
            below = os.open(part, _DIRECTORY, dir_fd=below)
            opened.append(below)
        fd = os.open(parts[-1], _FILE, dir_fd=below)
    except OSError:
        return None
    finally:
        for directory in opened:
            os.close(directory)
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        return fd, Version(status.st_size, status.st_mtime_ns, status.st_ino)
    with contextlib.suppress(OSError):
        os.close(fd)
    return None
