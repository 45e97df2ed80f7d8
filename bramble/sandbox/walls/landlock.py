"""Landlock rulesets as plain numbers: which rights exist at which ABI, and the kernel's structures. Pure.

Source: include/uapi/linux/landlock.h and landlock(7). Rights that a kernel
does not know are left out, so a ruleset holds as much as the kernel can.
"""

from __future__ import annotations

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
REFER = 1 << 13
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15
ALL_OF_ABI_1 = (1 << 13) - 1
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

TCP = 0b11  # bind and connect
SCOPE = 0b11  # abstract unix sockets, signals

RULE_PATH_BENEATH = 1


def known_fs(abi: int) -> int:
    """Return the file rights that a kernel of this ABI can take away (REFER 2, TRUNCATE 3, IOCTL_DEV 5)."""
    rights = ALL_OF_ABI_1
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        if abi >= since:
            rights |= right
    return rights


def known_net(abi: int) -> int:
    """Return the network rights that a kernel of this ABI can take away."""
    return TCP if abi >= 4 else 0


def known_scopes(abi: int) -> int:
    """Return the scopes that a kernel of this ABI can close."""
    return SCOPE if abi >= 6 else 0


def rights(access: str, kind: str, handled: int) -> int:
    """Return the rights of a rule: "read", "write" (everything) or "use" (open and change, not create)."""
    granted = {
        "read": EXECUTE | READ_FILE | READ_DIR,
        "use": EXECUTE | READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEV,
        "write": handled,
    }[access]
    if kind == "file":
        granted &= ON_FILES
    return granted & handled


def ruleset_attributes(fs: int, net: int, scoped: int) -> bytes:
    """Return `struct landlock_ruleset_attr`, as short as can be: old kernels know a shorter one."""
    fields = [fs, net, scoped]
    while len(fields) > 1 and fields[-1] == 0:
        fields.pop()
    return b"".join(field.to_bytes(8, "little") for field in fields)


def path_beneath(allowed: int, parent_fd: int) -> bytes:
    """Return `struct landlock_path_beneath_attr`, which is packed."""
    return allowed.to_bytes(8, "little") + parent_fd.to_bytes(4, "little", signed=True)
