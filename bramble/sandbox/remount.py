"""Read-only mounts on kernels before 5.12, which have no mount_setattr(2).

A remount replaces the flags of one mount, and in a user namespace it may not
drop one that the mount has (they are locked), so each mount is remounted with
what it has and what is wanted; the top's flags do not reach the mounts in it.
"""

from __future__ import annotations

import os

from bramble.sandbox import syscalls

# option in mountinfo → flag of mount(2)
OPTIONS = {
    b"ro": syscalls.MS_RDONLY,
    b"nosuid": syscalls.MS_NOSUID,
    b"nodev": syscalls.MS_NODEV,
    b"noexec": syscalls.MS_NOEXEC,
    b"noatime": 1024,
    b"nodiratime": 2048,
    b"relatime": 1 << 21,
}
# attribute of mount_setattr(2) → flag of mount(2)
ATTRIBUTES = (
    (syscalls.MOUNT_ATTR_RDONLY, syscalls.MS_RDONLY),
    (syscalls.MOUNT_ATTR_NOSUID, syscalls.MS_NOSUID),
    (syscalls.MOUNT_ATTR_NODEV, syscalls.MS_NODEV),
    (syscalls.MOUNT_ATTR_NOEXEC, syscalls.MS_NOEXEC),
)


def unescape(field: bytes) -> bytes:
    """Return a path of proc_pid_mountinfo(5), where blanks and backslashes stand as three octal digits."""
    head, *rest = field.split(b"\\")
    return head + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in rest)


def below(mountinfo: bytes, top: bytes) -> list[tuple[bytes, int]]:
    """Return the mounts at and below the path `top`, in order, each with the flags that it has."""
    found = []
    for line in mountinfo.splitlines():
        fields = line.split(b" ")
        path = unescape(fields[4])
        if path == top or path.startswith(top.rstrip(b"/") + b"/"):
            flags = 0
            for option in fields[5].split(b","):
                flags |= OPTIONS.get(option, 0)
            found.append((path, flags))
    return found


def each(mountinfo: int, path: bytes, attributes: int) -> None:
    """Add `attributes` to the mount at `path` and to those in it; `mountinfo` is a descriptor of that."""
    wanted = 0
    for attribute, flag in ATTRIBUTES:
        if attributes & attribute:
            wanted |= flag
    top = os.path.normpath(os.path.join(os.getcwdb(), path))
    os.lseek(mountinfo, 0, os.SEEK_SET)
    for name, flags in below(syscalls.read_all(mountinfo), top):
        syscalls.mount(None, name, None, syscalls.MS_REMOUNT | syscalls.MS_BIND | flags | wanted)
