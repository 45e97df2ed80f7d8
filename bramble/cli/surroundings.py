"""Errors of the process's surroundings that can come anywhere: what it has too little of, in one line."""

from __future__ import annotations

import errno
from typing import Optional

from bramble.errors import BrambleError
from bramble.interpreter import lacking_module, missing

_SHORT = {
    errno.EMFILE: ("too many files are open in this process", "allow more: ulimit -n"),
    errno.ENFILE: ("too many files are open on this machine", "end other programs"),
    errno.ENOMEM: ("there is not enough memory", "allow more (ulimit -v), or end other programs"),
    errno.EAGAIN: ("no more processes or threads can be started", "allow more: ulimit -u"),
    errno.ENOSPC: ("the disk is full", "free disk space, for example with: bramble gc"),
    errno.EDQUOT: ("the quota of the disk is used up", "free disk space, for example with: bramble gc"),
    errno.EFBIG: ("a file would be larger than it may be", "allow larger ones: ulimit -f"),
    errno.EROFS: ("the file system is read-only", "use another place, or mount it writable"),
    errno.EIO: ("the disk or the device does not work", "look at the messages of the kernel: dmesg"),
}


def understood(fault: Exception) -> Optional[BrambleError]:
    """Return the error that a user can do something about, None for a fault of Bramble's own."""
    if isinstance(fault, ImportError):
        lacking = lacking_module(fault)
        return None if lacking is None else _lacks(lacking)
    if isinstance(fault, RuntimeError) and "start new thread" in str(fault):
        number: Optional[int] = errno.EAGAIN
    elif isinstance(fault, OSError):
        number = fault.errno
    else:
        return None
    if number not in _SHORT:
        return None
    fact, remedy = _SHORT[number]
    # spec: cli.surroundings
    where = getattr(fault, "filename", None)
    if isinstance(where, bytes):
        where = where.decode("utf-8", "backslashreplace")
    return BrambleError("cli.surroundings", f"{where}: {fact}" if where else fact, remedy=remedy)


def _lacks(module: str) -> BrambleError:
    # spec: cli.python
    code, fact, remedy = missing(module)
    return BrambleError(code, fact, remedy=remedy)


def out_of_memory() -> BrambleError:
    """Return the error of a process that got no more memory."""
    fact, remedy = _SHORT[errno.ENOMEM]
    return BrambleError("cli.surroundings", fact, remedy=remedy)


def unwritten(error: OSError) -> BrambleError:
    """Return the error for standard output that takes nothing more."""
    return BrambleError(
        "cli.output",
        f"standard output cannot be written: {error.strerror}",
        remedy="free disk space where the output is written",
    )
