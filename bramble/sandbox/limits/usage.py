"""How much a sandbox uses at this moment: memory and processes, looked at from outside. Runs in the helper.

All that a sandbox runs descends from its pid 1, to which orphans come. What is counted is what would be
free if it ended: anonymous memory, in processes or swapped out, and its file systems
in memory. See proc_pid_status(5), proc_tid_children(5).
"""

from __future__ import annotations

import os

from bramble.sandbox import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KIB = 1024
ROOM = 1 << 30  # bytes of a disk that are left alone,
ROOM_SHARE = 20  # or this part of it,
ROOM_OF_FREE = 2  # or this part of what was free, whichever is least


def of_processes(top: int, most: int) -> tuple[int, int]:
    """Return (bytes, tasks) of what descends from process `top`, itself not counted.

    It stops when more than `most` tasks are found, so that a fork bomb does not make it slow.
    """
    size = tasks = 0
    todo = [top]
    while todo and tasks <= most:
        pid = todo.pop()
        try:
            here, threads = status(identity.read_file(b"/proc/%d/status" % pid))
            numbers = [b"%d" % pid] if threads == 1 else os.listdir(b"/proc/%d/task" % pid)
            for number in numbers:
                children = identity.read_file(b"/proc/%d/task/%s/children" % (pid, number))
                todo += map(int, children.split())
        except OSError:
            continue  # it has just ended
        if pid != top:
            size += here
            tasks += threads
    return size, tasks


def status(text: bytes) -> tuple[int, int]:
    """Return (bytes of memory without a file behind them, threads) of a process."""
    size, threads = 0, 1
    for line in text.splitlines():
        if line.startswith((b"RssAnon:", b"VmSwap:")):
            size += int(line.split()[1]) * KIB
        elif line.startswith(b"Threads:"):
            threads = int(line.split()[1])
    return size, threads


def of_file_systems(fds: Iterable[int]) -> int:
    """Return the bytes in the file systems in memory to which these descriptors refer."""
    size = 0
    for fd in fds:
        found = os.fstatvfs(fd)
        size += (found.f_blocks - found.f_bfree) * found.f_frsize
    return size


def room(path: str) -> int:
    """Return how many bytes have to stay free on the disk of `path`; 0 if that is unknown."""
    try:
        found = os.statvfs(path)
    except OSError:
        return 0
    whole, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    return min(ROOM, whole // ROOM_SHARE, free // ROOM_OF_FREE)


def is_full(path: str, least: int) -> bool:
    """Return whether less than `least` bytes are free on the disk of `path`."""
    try:
        found = os.statvfs(path)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < least


def memory_of_machine() -> int:
    """Return the bytes of memory that there are for us: of the machine, or of the control group we are in."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for line in text_of(b"/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(b":", 2)
        if controllers == b"":
            places = (b"/sys/fs/cgroup%s/memory.max" % path, b"/sys/fs/cgroup/memory.max")
        elif b"memory" in controllers.split(b","):
            top = b"/sys/fs/cgroup/memory"
            places = (top + path + b"/memory.limit_in_bytes", top + b"/memory.limit_in_bytes")
        else:
            continue
        sizes += [int(value) for value in map(text_of, places) if value.strip().isdigit()]
    return min(size for size in sizes if size > 0)


def processes_of_machine(own: int) -> int:
    """Return how many processes there may be; `own` is the limit of our own user, or -1."""
    limits = [text_of(b"/proc/sys/kernel/" + name) for name in (b"threads-max", b"pid_max")]
    numbers = [int(text) for text in limits if text.strip().isdigit()]
    return min((*numbers, *((own,) if own > 0 else ())), default=0)


def text_of(path: bytes) -> bytes:
    """Return a small file, empty when it cannot be read."""
    try:
        return identity.read_file(path)
    except OSError:
        return b""
