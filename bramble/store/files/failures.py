"""Failures of the system that are the user's to solve: what they are called and what helps."""

from __future__ import annotations

import errno
import os

from bramble.errors import BrambleError
from bramble.store.path import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Optional

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def from_os_error(error: OSError, doing: str) -> BrambleError:
    """Return the error that tells a user of a failed system call; `doing` follows "could not"."""
    # spec: store.failures
    reason = os.strerror(error.errno) if error.errno else str(error)
    where = f': "{shown(error.filename)}"' if isinstance(error.filename, (str, bytes)) else ""
    message = f"could not {doing}: {reason}{where}"
    if error.errno in _DISK_FULL:
        return BrambleError(
            "store.disk-full",
            message,
            remedy="free space on the file system of the store, for example with `bramble gc`; "
            "what was not finished has been removed",
        )
    if error.errno in _REFUSED:
        cause = "mount it writable" if error.errno == errno.EROFS else "check who owns the store"
        return BrambleError(
            "store.permission", message, remedy=f"{cause}, or choose another with BRAMBLE_PATH"
        )
    if error.errno in _EXHAUSTED:
        return BrambleError(
            "store.exhausted", message, remedy="raise the limit (`ulimit -n`), or build with -j1"
        )
    return BrambleError(
        "store.system",
        message,
        remedy="check the file system of the store; `bramble store verify` checks its content",
    )


class DiskFailures:
    """A context in which failed system calls become errors that a user understands."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        # A pipe is nothing of the store's: it is the reader of an export who left.
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise from_os_error(error, self._doing) from error
