"""The child: applies the steps of one sandbox, one after the other, and nothing else.

Two processes run, each forked from one of a single thread:

pid 1   (`pid1.py`) a fresh clone(2) of the helper. It has every capability in
        its own new namespaces and none outside; it is the user that `map-ids`
        says. It builds the tree of files, starts pid 2, gives up its
        capabilities and then only waits. Its end is the end of every process.
pid 2   (`pid2.py`) a fork of pid 1. It gives up everything, becomes the program.

Neither reads a file of the host beyond what its steps name, and neither
returns: both leave by `os._exit` or execve(2). Everything they use has been
imported before, because Python's library is out of reach once the root is new.
"""

from __future__ import annotations

import os
import resource

from bramble.sandbox import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

ENOSYS = 38
HIGHEST_FD = 0x7FFFFFFF


class Job:
    """What the helper hands to the child it forks.

    `init` and `builder` are lists of [number of the step, action, arguments];
    `link` is a socket to the helper that keeps messages apart; `streams` are
    the three standard streams, -1 where the sandbox's own terminal is to stand;
    `trees` are detached mounts; `own_memory` the (address, length) of our
    argv and environment; `window` the size of the terminal, as `struct winsize`.
    """

    def __init__(
        self,
        init: list[Any],
        builder: list[Any],
        link: int,
        streams: tuple[int, int, int],
        trees: list[int],
        own_memory: tuple[tuple[int, int], ...],
        window: bytes,
    ) -> None:
        self.init = init
        self.builder = builder
        self.link = link
        self.streams = streams
        self.trees = trees
        self.own_memory = own_memory
        self.window = window
        self.terminal = -1
        self.mountinfo = -1


def apply(job: Job, steps: list[Any], actions: dict[str, Callable[..., None]]) -> None:
    """Apply `steps` in order; at the first refusal of the kernel, report it to the helper and end."""
    for number, action, arguments in steps:
        try:
            actions[action](job, *arguments)
        except OSError as error:
            name = error.filename
            path = native(name) if isinstance(name, str) else name or b""
            detail = native(getattr(error, "detail", ""))
            os.write(job.link, b"E\0%d\0%d\0%s\0%s" % (number, error.errno or 0, path, detail))
            os._exit(1)


def fail(job: Job, error: BaseException) -> None:
    """Tell the helper about a fault of our own, and end this process."""
    os.write(job.link, b"F\0" + f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace"))
    os._exit(70)


def native(path: str) -> bytes:
    """Return a text of the wire as bytes for the kernel (spec: sandbox.launcher.text)."""
    return path.encode("utf-8", "surrogateescape")


def close_all_but(keep: tuple[int, ...]) -> None:
    """Close every descriptor that is not in `keep`: the helper's, and those of other sandboxes."""
    first = 0
    for fd in sorted(set(keep)):
        if fd > first:
            close_range(first, fd - 1)
        first = max(first, fd + 1)
    close_range(first, HIGHEST_FD)


def close_range(first: int, last: int) -> None:
    """Close the descriptors from `first` to `last`; before Linux 5.9, those that the limit allows."""
    try:
        syscalls.close_range(first, last)
    except OSError as error:
        if error.errno != ENOSYS:
            raise
        os.closerange(first, min(last, resource.getrlimit(resource.RLIMIT_NOFILE)[1]) + 1)
