"""The processes of this machine, as /proc tells them: what still runs, and whose child it is.

Several suites may run on one machine at the same time, so a process is found by a mark that
no other test process uses.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

SERIAL = itertools.count(os.getpid() * 1000)


def mark() -> str:
    """Return a number of seconds to sleep for that nobody else sleeps for."""
    return str(700000000 + next(SERIAL))


def alive(text: str) -> list[str]:
    """Return the command lines on this machine that contain `text`."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            command = Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ")
            if text.encode() in command:
                found.append(command.decode("utf-8", "replace"))
    return found


def given(word: str) -> bool:
    """Return whether a process on this machine has `word` as one of its arguments."""
    return any(f" {word} " in f" {command} " for command in alive(word))


def gone(text: str, seconds: float = 10) -> bool:
    """Return whether all processes with `text` in their command line end in time."""
    return wait_for(lambda: not alive(text), seconds)


def children(pid: int, *, states: str = "RSDTtI") -> list[int]:
    """Return the processes whose parent is `pid` and whose state is one of `states`: proc_pid_stat(5)."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, IndexError):
            fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] in states:
                found.append(int(name))
    return found


def wait_for(condition: Callable[[], object], seconds: float = 10) -> bool:
    """Wait until `condition` holds; return False when it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False
