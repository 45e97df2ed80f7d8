"""Control groups, version 2: limits for a whole sandbox, where a subtree is delegated to the caller.

See cgroups(7). systemd delegates the subtree of a user's session to that user; containers and
services may. If nothing is delegated there is no group, and the limits of
each process (`rlimit` steps) are all there is. Runs in the helper.
"""

from __future__ import annotations

import os
import time

from bramble.sandbox import syscalls

ROOT = b"/sys/fs/cgroup"
NEEDED = (b"memory", b"pids")
TRIES = 100
LEFT_FOR = 60  # seconds


class Group:
    """A control group of one sandbox."""

    def __init__(self, path: bytes) -> None:
        self.path = path

    def add(self, pid: int) -> None:
        """Move a process in; what it starts is born in."""
        write(self.path + b"/cgroup.procs", b"%d" % pid)

    def remove(self) -> list[str]:
        """Kill what is left, remove the group, and return which limits were hit: "memory", "processes"."""
        hit = []
        if count(read(self.path + b"/memory.events"), b"oom_kill"):
            hit.append("memory")
        if count(read(self.path + b"/pids.events"), b"max"):
            hit.append("processes")
        if os.path.exists(self.path + b"/cgroup.kill"):
            write(self.path + b"/cgroup.kill", b"1")
        for _ in range(TRIES):
            try:
                os.rmdir(self.path)
                break
            except OSError:
                # EBUSY: the kernel is still taking the last process out.
                continue
        return hit


def make(memory: int | None, processes: int | None) -> Group | None:
    """Make a group with these limits; None if no subtree is delegated."""
    # spec: sandbox.limits.group
    parent = delegated()
    return None if parent is None else make_below(parent, memory, processes)


def make_below(parent: bytes, memory: int | None, processes: int | None) -> Group | None:
    """Make a group in `parent`; None if it does not take these limits after all."""
    remove_left(parent)
    path = parent + b"/bramble-%d-%d" % (os.getpid(), next_number(parent))
    os.mkdir(path)
    group = Group(path)
    try:
        if memory is not None:
            write(path + b"/memory.max", b"%d" % memory)
            # Not the largest process but all of them: a build that continues without one of its processes has
            # a wrong result.
            for name, value in ((b"/memory.swap.max", b"0"), (b"/memory.oom.group", b"1")):
                if os.path.exists(path + name):
                    write(path + name, value)
        if processes is not None:
            write(path + b"/pids.max", b"%d" % (processes + 1))  # pid 1 is one more
    except OSError:
        group.remove()
        return None
    return group


def remove_left(parent: bytes) -> None:
    """Remove the groups of helpers that were killed before they could do it: old ones, of no process here."""
    for name in os.listdir(parent):
        words = name.split(b"-")
        if len(words) != 3 or words[0] != b"bramble" or os.path.exists(b"/proc/" + words[1]):
            continue
        path = parent + b"/" + name
        try:
            # A process of another process table, whom we do not see, may have made it and not entered it yet.
            if os.stat(path).st_mtime < time.time() - LEFT_FOR:
                os.rmdir(path)
        except OSError:
            continue  # somebody else was quicker, or it is in use all the same


def next_number(parent: bytes) -> int:
    """Return a number that no group of ours has."""
    own = b"bramble-%d-" % os.getpid()
    taken = {name for name in os.listdir(parent) if name.startswith(own)}
    number = 0
    while own + b"%d" % number in taken:
        number += 1
    return number


def delegated(root: bytes = ROOT, membership: bytes | None = None) -> bytes | None:
    """Return the directory below which we may make groups with the controllers we need, or None.

    It is the nearest of our own group and those above it that we may write to
    and that gives its children these controllers. A group that holds processes
    gives them none, so it is usually one above our own.
    """
    path = own_path(read(b"/proc/self/cgroup") if membership is None else membership)
    if path is None or not os.path.exists(root + b"/cgroup.controllers"):
        return None
    while True:
        here = (root + path).rstrip(b"/")
        given = read(here + b"/cgroup.subtree_control").split()
        writable = os.access(here, os.W_OK) and os.access(here + b"/cgroup.procs", os.W_OK)
        if writable and all(controller in given for controller in NEEDED):
            return here
        if path in (b"", b"/"):
            return None
        path = path.rpartition(b"/")[0]


def own_path(membership: bytes) -> bytes | None:
    """Return our group in the version 2 hierarchy: the line of /proc/self/cgroup that begins with 0::."""
    for line in membership.splitlines():
        if line.startswith(b"0::"):
            return line[3:]
    return None


def count(events: bytes, name: bytes) -> int:
    """Return one number of a file of "name number" lines, 0 when it is not there."""
    for line in events.splitlines():
        key, _, value = line.partition(b" ")
        if key == name:
            return int(value)
    return 0


def read(path: bytes) -> bytes:
    """Return a small file, empty when it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return syscalls.read_all(fd)
    finally:
        os.close(fd)


def write(path: bytes, content: bytes) -> None:
    """Write a control file with one write(2)."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)
