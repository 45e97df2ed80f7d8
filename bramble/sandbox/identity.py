"""Who a sandbox is outside: the caller itself, or, when the caller is root, a user of no other use.

An ordinary caller is mapped to the one user inside. A sandbox of root's own
user would still own /proc/sys and the host's devices, so for root another user
is taken, one for each sandbox that lives at the same time; its files are shown
to it as its own by id-mapped mounts (mount_setattr(2), Linux 5.12).
"""

from __future__ import annotations

import _socket
import os

from bramble.sandbox import syscalls

FIRST_ID = 872415232  # the range that systemd-nspawn and Nix leave to such uses: 0x34000000
SLOTS = 65536
CAP_SETUID = 7
CAP_SETGID = 6
CAP_SYS_ADMIN = 21


class NoNamespace(OSError):
    """The kernel gives no user namespace: what `open-tree` meets first is the refusal of `clone`."""


class Identity:
    """The users outside. `other`: not the caller's own; `refused`: why there can be none, or empty."""

    def __init__(self, uid: int, gid: int, first: int, refused: str) -> None:
        self.uid = uid
        self.gid = gid
        self.first = first
        self.other = first > 0
        self.refused = refused
        self.taken: set[int] = set()
        self.namespaces: dict[tuple[int, int, int], int] = {}

    def take_slot(self) -> int:
        slot = 0
        while slot in self.taken:
            slot += 1
        self.taken.add(slot)
        return slot

    def give_back(self, slot: int) -> None:
        self.taken.discard(slot)

    def slot_id(self, slot: int) -> int:
        """Return the user and group of a slot, outside."""
        # Two helpers of root at once should not share: quotas of a user are counted together.
        return self.first + (os.getpid() * 64 + slot) % SLOTS

    def map(self, pid: int, uid: int, gid: int, slot: int) -> None:
        """Write the maps of a new user namespace, one write(2) each: user_namespaces(7)."""
        outer_uid, outer_gid = (self.slot_id(slot),) * 2 if self.other else (self.uid, self.gid)
        write_map(pid, (uid, outer_uid), (gid, outer_gid))
        # Anybody may write this one, once: so it is written. Project 0 is what every file has.
        try:  # noqa: SIM105 (contextlib takes longer to load than all of this package)
            write_file(b"/proc/%d/projid_map" % pid, b"0 0 1")
        except OSError:
            pass

    def show_as_slot(self, tree: int, slot: int) -> bool:
        """Show the owner of the detached mount `tree` as the slot's user; False if that cannot be done."""
        status = os.fstat(tree)
        key = (status.st_uid, status.st_gid, slot)
        if key not in self.namespaces:
            try:
                self.namespaces[key] = mapping_namespace(status.st_uid, status.st_gid, self.slot_id(slot))
            except OSError as error:
                raise NoNamespace(error.errno, str(error)) from error
        attributes = syscalls.mount_attributes(syscalls.MOUNT_ATTR_IDMAP, self.namespaces[key])
        try:
            syscalls.mount_setattr(tree, b"", syscalls.AT_EMPTY_PATH | syscalls.AT_RECURSIVE, attributes)
        except OSError:
            # EINVAL: the file system cannot. ENOSYS: before 5.12. EPERM: the file system is not this root's.
            return False
        return True


def own() -> Identity:
    """Look at ourselves: user, capabilities, and which ids are mapped here."""
    # spec: sandbox.user.root
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        return Identity(uid, gid, 0, "")
    effective = capabilities()
    first = unused_id(read_file(b"/proc/self/uid_map"), read_file(b"/proc/self/gid_map"))
    initial = read_file(b"/proc/self/uid_map").split() == [b"0", b"0", b"4294967295"]
    able = all(effective >> capability & 1 for capability in (CAP_SETUID, CAP_SETGID, CAP_SYS_ADMIN))
    if first and able:
        return Identity(uid, gid, first, "")
    if initial:
        return Identity(uid, gid, 0, "root without the capabilities to become another user")
    return Identity(uid, gid, 0, "")  # root in name only: a user namespace of somebody else


def capabilities() -> int:
    """Return our effective capabilities as bits."""
    for line in read_file(b"/proc/self/status").splitlines():
        if line.startswith(b"CapEff:"):
            return int(line.split()[1], 16)
    return 0


def unused_id(uid_map: bytes, gid_map: bytes) -> int:
    """Return the first of a range of ids that both maps contain and nobody is likely to use, or 0."""
    ends = []
    for text in (uid_map, gid_map):
        ranges = [tuple(int(word) for word in line.split()) for line in text.splitlines()]
        ends.append(ranges)
    for first in (FIRST_ID, 60000):
        if all(any(r[0] <= first and first + SLOTS <= r[0] + r[2] for r in ranges) for ranges in ends):
            return first
    highest = [max((r[0] + r[2] for r in ranges), default=0) for ranges in ends]
    room = min(highest) - SLOTS
    return room if room > 1000 else 0


def mapping_namespace(uid: int, gid: int, outer: int) -> int:
    """Return a descriptor of a user namespace, without processes, that turns uid:gid into outer:outer."""
    ours, theirs = _socket.socketpair()
    pid = syscalls.clone(syscalls.CLONE_NEWUSER | syscalls.SIGCHLD)
    if pid == 0:
        # In the new namespace, with nothing to do but to exist until its maps are written.
        ours.close()
        theirs.recv(1)
        os._exit(0)
    theirs.close()
    try:
        write_map(pid, (uid, outer), (gid, outer))
        return os.open(b"/proc/%d/ns/user" % pid, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        ours.close()
        os.waitpid(pid, 0)


def write_map(pid: int, user: tuple[int, int], group: tuple[int, int]) -> None:
    """Map one user and one group, (inside, outside) each; refuse setgroups(2) before the group is mapped."""
    write_file(b"/proc/%d/uid_map" % pid, b"%d %d 1" % user)
    write_file(b"/proc/%d/setgroups" % pid, b"deny")
    write_file(b"/proc/%d/gid_map" % pid, b"%d %d 1" % group)


def write_file(path: bytes, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, content)
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(fd)


def read_file(path: bytes) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return syscalls.read_all(fd)
    finally:
        os.close(fd)
