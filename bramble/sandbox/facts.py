"""What the helper finds out about its machine, once, when it starts."""

from __future__ import annotations

import os
import resource

from bramble.sandbox import identity, syscalls, wire
from bramble.sandbox.limits import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EPERM, ENOSYS = 1, 38


def gather(who: identity.Identity) -> dict[str, Any]:
    """Return what the caller has to know of this machine to describe a sandbox."""
    try:
        abi = syscalls.landlock_create_ruleset(b"", 1)
    except OSError:
        abi = 0
    return {
        "machine": syscalls.MACHINE,
        "other_user": who.other,
        "refused": who.refused,
        "pidfd": has_pidfd(),
        "landlock": abi,
        "counts_processes": kernel_release() >= (5, 14),
        "memory": usage.memory_of_machine(),
        "processes": usage.processes_of_machine(resource.getrlimit(resource.RLIMIT_NPROC)[0]),
        "processors": os.cpu_count() or 1,
        "proc": [name for name in os.listdir("/proc") if not name.isdigit()],
        "devices": [name for name in wire.DEVICES if os.path.exists("/dev/" + name)],
        "network_files": [path for path in wire.NETWORK_FILES if os.access(path, os.R_OK)],
    }


def own_memory() -> tuple[tuple[int, int], ...]:
    """Return (address, length) of our argv and environment: fields 48 to 51 of proc_pid_stat(5).

    Nothing where the kernel is an emulated one that does not give these fields.
    """
    fields = identity.read_file(b"/proc/self/stat").rpartition(b")")[2].split()
    if len(fields) < 49:
        return ()
    arg_start, arg_end, env_start, env_end = (int(field) for field in fields[45:49])
    return ((arg_start, arg_end - arg_start), (env_start, env_end - env_start))


def has_pidfd() -> bool:
    """Return whether the kernel has pidfd_open(2), Linux 5.3, by which we hear of the end of a process."""
    try:
        os.close(syscalls.pidfd_open(os.getpid()))
    except OSError as error:
        return error.errno not in (ENOSYS, EPERM)
    return True


def kernel_release() -> tuple[int, int]:
    """Return the first two numbers of the kernel's version."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(filter(str.isdigit, minor[:3])) or 0)


def device_of_pipes() -> int:
    """Return the device number of the kernel's file system for pipes without a name."""
    ends = os.pipe()
    device = os.fstat(ends[0]).st_dev
    for fd in ends:
        os.close(fd)
    return device
