"""Names of users and groups, and groups that are one person's: asked only where something is unusual."""

from __future__ import annotations

import grp
import os
import pwd

from bramble.errors import BrambleError
from bramble.store.files.attributes import has_attribute

_ACCESS_LIST = "system.posix_acl_access"
_ALL_IDS = ["0", "0", "4294967295"]


def user(uid: int) -> str:
    """Return a user's name; the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group(gid: int) -> str:
    """Return a group's name; the number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def user_id(name: str) -> int:
    """Return the number of the user `name`, or that it is. Raises BrambleError store.unknown-user."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        if name.isascii() and name.isdigit() and len(name) <= 10:
            return int(name)
    raise BrambleError(
        "store.unknown-user",
        f"there is no user {name!r} on this machine",
        remedy="name the owner of the store, or give its number (ls -ldn)",
    )


def only_of(path: str, status: os.stat_result, uid: int, *, above: bool) -> bool:
    """Return whether the group that can write to `path` has no member but the user `uid` (or root).

    That is a group with the name of the user, whose own it is, and nobody in
    it: the private groups that many distributions give to users, together with
    a umask of 002. `above` the store the group 0 of root's own directories is root, too.
    """
    # spec: store.owner.groups
    if has_attribute(path, _ACCESS_LIST):
        # With an access list the bits of the group are the mask: they may apply to anybody.
        return False
    if above and status.st_gid == 0 and status.st_uid == 0:
        return True
    try:
        person, own = pwd.getpwuid(uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return (
        person.pw_gid == own.gr_gid
        and person.pw_name == own.gr_name
        and set(own.gr_mem) <= {person.pw_name}
        and all(other.pw_uid == uid for other in pwd.getpwall() if other.pw_gid == own.gr_gid)
    )


def is_unmapped(uid: int) -> bool:
    """Return whether `uid` is the one for all users outside of the user namespace.

    In a container the directories above a store may belong to the host's root.
    """
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            overflow = int(file.read())
        with open("/proc/self/uid_map", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except (OSError, ValueError):
        return False
    return uid == overflow and lines != [_ALL_IDS]
