"""Reading a file of this machine in the place of a download. All `file:` URLs go through here."""

from __future__ import annotations

import os
import stat
from typing import Optional
from urllib.parse import SplitResult, unquote

from bramble.build.fetch.discretion import redact
from bramble.build.fetch.reach import check_reach
from bramble.build.options import Reach
from bramble.errors import BrambleError


def local_path(parts: SplitResult) -> str:
    """Return the path that a `file:` URL means."""
    return unquote(parts.path, errors="surrogateescape")


def open_local(path: str, url: str, reach: Optional[Reach]) -> int:
    """Open the regular file `path` for reading; `url` is how it was asked for, `reach` as in FetchOptions.

    Raises fetch.not-found, fetch.out-of-reach.
    """
    try:
        # A fifo would block for ever without O_NONBLOCK.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if reach is not None and not reach.public:
            # Whether a file exists is not disclosed for files that may not be used.
            check_reach(path, url, reach)
        raise BrambleError(
            "fetch.not-found",
            f"{redact(url)} cannot be read: {os.strerror(error.errno or 0)}",
            remedy="correct the path",
        ) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BrambleError("fetch.not-found", f"{redact(url)} is not a file", remedy="name a file")
    try:
        check_reach(f"/proc/self/fd/{fd}", url, reach)
    except BrambleError:
        os.close(fd)
        raise
    return fd
