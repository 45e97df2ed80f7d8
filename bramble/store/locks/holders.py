"""Which process holds a lock that another waits for, as far as the kernel tells.

The kernel lists a lock with the descriptor through which it is held: proc_pid_fdinfo(5), `lock:`. So
processes of other users are not seen, nor those of another process table.
"""

from __future__ import annotations

import os
from typing import Optional

from bramble.store.path import shown

_END = 1 << 63


def holder(path: str, byte: Optional[int] = None) -> str:
    """Return words for who holds the lock on the file `path`, or on one byte of it, such as
    "process 12, which is stopped, holds /p"; when that cannot be found out, how a user could.
    """
    # spec: store.locks.told
    place = shown(path)
    for number in _found(path, byte):
        if number != os.getpid():
            stopped = ", which is stopped (kill -CONT), holds" if _state(number) in "Tt" else " holds"
            return f"process {number}{stopped} {place}"
    return f"another bramble holds {place} (see: fuser {place})"


def _found(path: str, byte: Optional[int]) -> list[int]:
    try:
        wanted = os.stat(path)
        processes = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []
    return [number for number in processes if _holds(number, wanted, byte)]


def _holds(number: int, wanted: os.stat_result, byte: Optional[int]) -> bool:
    try:
        names = os.listdir(f"/proc/{number}/fd")
    except OSError:
        return False  # it has ended, or belongs to somebody else
    return any(_locks(number, name, wanted, byte) for name in names)


def _locks(number: int, name: str, wanted: os.stat_result, byte: Optional[int]) -> bool:
    try:
        if not os.path.samestat(os.stat(f"/proc/{number}/fd/{name}"), wanted):
            return False
        with open(f"/proc/{number}/fdinfo/{name}", encoding="ascii", errors="replace") as text:
            return any(_covers(line.split(), byte) for line in text if line.startswith("lock:"))
    except OSError:
        return False  # closed meanwhile: a busy process opens and closes others all the time


def _covers(words: list[str], byte: Optional[int]) -> bool:
    """Return whether a line such as `lock: 1: OFDLCK ADVISORY WRITE -1 fe:00:17 5 5` means that lock."""
    if len(words) != 9 or words[2] != ("FLOCK" if byte is None else "OFDLCK"):
        return False
    first, last = (int(word) if word.isdecimal() else _END for word in words[7:])
    return byte is None or first <= byte <= last


def _state(number: int) -> str:
    try:
        with open(f"/proc/{number}/stat", encoding="utf-8", errors="replace") as text:
            return text.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "?"
