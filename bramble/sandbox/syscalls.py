"""The door to the kernel: system calls by number, under the names of their manual pages.

Standard Python has no mount(2), no clone(2) with namespaces and no prctl(2).
Every function here is one call through the C library's syscall(2), so glibc
and musl behave alike, and raises `OSError` with the kernel's errno. Foreign
functions are made once, at import: nothing is looked up in a forked child,
whose Python library may be out of reach by then. The interpreter's lock is
kept during a call (`PyDLL`), which is right in a process of one thread and is
what makes a raw clone(2) safe.
"""

from __future__ import annotations

import ctypes
import os

from bramble.sandbox.walls import numbers

TYPE_CHECKING = False  # `typing` would cost every sandbox some memory, and every start 2 ms
if TYPE_CHECKING:
    from typing import Any

MACHINE = os.uname().machine
_COLUMN = numbers.ARCHITECTURES.index(MACHINE) if MACHINE in numbers.ARCHITECTURES else 0

SIGCHLD = 17
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
RESOLVE_NO_SYMLINKS = 0x04
OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 0x04
MOVE_MOUNT_T_EMPTY_PATH = 0x40
MOUNT_ATTR_RDONLY = 0x01
MOUNT_ATTR_NOSUID = 0x02
MOUNT_ATTR_NODEV = 0x04
MOUNT_ATTR_NOEXEC = 0x08
MOUNT_ATTR_IDMAP = 0x00100000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

KEYCTL_JOIN_SESSION_KEYRING = 1
PTRACE_DETACH = 17
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4
LINUX_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.PyDLL(None, use_errno=True)
_long = ctypes.c_long
_str = ctypes.c_char_p


def _call(*types: type[ctypes._SimpleCData[Any]]) -> ctypes._NamedFuncPointer:
    """Return syscall(2) with one calling convention: arguments of `types` after the number."""
    function = _libc["syscall"]
    function.argtypes = (_long, *types)
    function.restype = _long
    return function


_integers = _call(_long, _long, _long, _long, _long)
_mount = _call(_str, _str, _str, _long, _str)
_path_flags = _call(_str, _long)
_two_paths = _call(_str, _str)
_setattr = _call(_long, _str, _long, _str, _long)
_fd_path_flags = _call(_long, _str, _long)
_fd_path_how = _call(_long, _str, _str, _long)
_move = _call(_long, _str, _long, _str, _long)
_bytes_length = _call(_str, _long)
_option_bytes = _call(_long, _str, _long, _long, _long)
_two_buffers = _call(_str, _str)
_seccomp = _call(_long, _long, _str)
_sigaction = _call(_long, _str, _long, _long)
_landlock_create = _call(_str, _long, _long)
_landlock_add = _call(_long, _long, _str, _long)


def _number(name: str) -> int:
    value = numbers.TABLE[name][_COLUMN]
    return -1 if value is None else value


_CLONE = _number("clone")
_RT_SIGACTION = _number("rt_sigaction")
_MOUNT = _number("mount")
_UMOUNT2 = _number("umount2")
_PIVOT_ROOT = _number("pivot_root")
_MOUNT_SETATTR = _number("mount_setattr")
_OPENAT2 = _number("openat2")
_OPEN_TREE = _number("open_tree")
_MOVE_MOUNT = _number("move_mount")
_PRCTL = _number("prctl")
_KEYCTL = _number("keyctl")
_PTRACE = _number("ptrace")
_SETHOSTNAME = _number("sethostname")
_SETDOMAINNAME = _number("setdomainname")
_CAPSET = _number("capset")
_PERSONALITY = _number("personality")
_SECCOMP = _number("seccomp")
_CLOSE_RANGE = _number("close_range")
_PIDFD_OPEN = _number("pidfd_open")
_PIDFD_SEND_SIGNAL = _number("pidfd_send_signal")
_LANDLOCK_CREATE_RULESET = _number("landlock_create_ruleset")
_LANDLOCK_ADD_RULE = _number("landlock_add_rule")
_LANDLOCK_RESTRICT_SELF = _number("landlock_restrict_self")


def _checked(result: int, what: str, path: bytes | None = None) -> int:
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}", None if path is None else os.fsdecode(path))
    return result


def clone(flags: int) -> int:
    """clone(2) without a new stack, so it returns twice as fork(2) does: the pid, or 0 in the child."""
    return _checked(_integers(_CLONE, flags, 0, 0, 0, 0), "clone")


def pidfd_open(pid: int) -> int:
    """pidfd_open(2), which `os` lacks in a Python that was built with the headers of an older kernel."""
    return _checked(_integers(_PIDFD_OPEN, pid, 0, 0, 0, 0), "pidfd_open")


def pidfd_send_signal(pidfd: int, number: int, flags: int) -> None:
    """pidfd_send_signal(2) without more about the signal; as `pidfd_open`."""
    _checked(_integers(_PIDFD_SEND_SIGNAL, pidfd, number, 0, flags, 0), "pidfd_send_signal")


def default_action(signal_number: int) -> None:
    """rt_sigaction(2) to SIG_DFL, also for 32 and 33, which the C library keeps to itself."""
    _checked(_sigaction(_RT_SIGACTION, signal_number, bytes(32), 0, 8), "rt_sigaction")


def ignore(signal_number: int) -> None:
    """rt_sigaction(2) to SIG_IGN, which also drops a signal that waits to be taken."""
    _checked(_sigaction(_RT_SIGACTION, signal_number, b"\x01" + bytes(31), 0, 8), "rt_sigaction")


def mount(
    source: bytes | None, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None
) -> None:
    """mount(2)."""
    result = _mount(_MOUNT, source, target, kind, flags, data)
    _checked(result, "mount", source if flags & MS_BIND and source else target)


def umount2(target: bytes, flags: int) -> None:
    """umount2(2)."""
    _checked(_path_flags(_UMOUNT2, target, flags), "umount2", target)


def pivot_root(new_root: bytes, put_old: bytes) -> None:
    """pivot_root(2)."""
    _checked(_two_paths(_PIVOT_ROOT, new_root, put_old), "pivot_root", new_root)


def mount_attributes(attr_set: int, userns_fd: int = 0) -> bytes:
    """Return a `struct mount_attr` that only adds attributes, for `mount_setattr`."""
    return b"".join(value.to_bytes(8, "little") for value in (attr_set, 0, 0, userns_fd))


def mount_setattr(dirfd: int, path: bytes, flags: int, attributes: bytes) -> None:
    """mount_setattr(2), Linux 5.12; `attributes` from `mount_attributes`."""
    _checked(_setattr(_MOUNT_SETATTR, dirfd, path, flags, attributes, len(attributes)), "mount_setattr", path)


def open_how(flags: int, resolve: int) -> bytes:
    """Return a `struct open_how` for `openat2`."""
    return b"".join(value.to_bytes(8, "little") for value in (flags, 0, resolve))


def openat2(dirfd: int, path: bytes, how: bytes) -> int:
    """openat2(2), Linux 5.6; `how` from `open_how`."""
    return _checked(_fd_path_how(_OPENAT2, dirfd, path, how, len(how)), "openat2", path)


def open_tree(dirfd: int, path: bytes, flags: int) -> int:
    """open_tree(2), Linux 5.2: a descriptor for a mount, detached when OPEN_TREE_CLONE is given."""
    return _checked(_fd_path_flags(_OPEN_TREE, dirfd, path, flags), "open_tree", path)


def move_mount(from_fd: int, from_path: bytes, to_fd: int, to_path: bytes, flags: int) -> None:
    """move_mount(2), Linux 5.2."""
    _checked(_move(_MOVE_MOUNT, from_fd, from_path, to_fd, to_path, flags), "move_mount", to_path)


def prctl(option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
    """prctl(2) with numbers."""
    return _checked(_integers(_PRCTL, option, arg2, arg3, arg4, arg5), "prctl")


def prctl_bytes(option: int, arg2: bytes) -> int:
    """prctl(2) whose second argument is a pointer to `arg2`."""
    return _checked(_option_bytes(_PRCTL, option, arg2, 0, 0, 0), "prctl")


def keyctl(operation: int, arg2: int = 0) -> int:
    """keyctl(2) with numbers."""
    return _checked(_integers(_KEYCTL, operation, arg2, 0, 0, 0), "keyctl")


def ptrace_detach(pid: int, signal_number: int) -> None:
    """ptrace(2), PTRACE_DETACH: let a process that has stopped for us go on, with this signal or 0."""
    _checked(_integers(_PTRACE, PTRACE_DETACH, pid, 0, signal_number, 0), "ptrace")


def sethostname(name: bytes) -> None:
    """sethostname(2)."""
    _checked(_bytes_length(_SETHOSTNAME, name, len(name)), "sethostname")


def setdomainname(name: bytes) -> None:
    """setdomainname(2)."""
    _checked(_bytes_length(_SETDOMAINNAME, name, len(name)), "setdomainname")


def capset(header: bytes, data: bytes) -> None:
    """capset(2) with a version 3 header."""
    _checked(_two_buffers(_CAPSET, header, data), "capset")


def personality(persona: int) -> int:
    """personality(2): sets the execution domain, returns the one before."""
    return _checked(_integers(_PERSONALITY, persona, 0, 0, 0, 0), "personality")


def seccomp_filter(program: bytes, flags: int) -> None:
    """seccomp(2), SECCOMP_SET_MODE_FILTER; `program` is an array of `struct sock_filter`."""
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = (len(program) // 8).to_bytes(8, "little") + ctypes.addressof(buffer).to_bytes(8, "little")
    _checked(_seccomp(_SECCOMP, SECCOMP_SET_MODE_FILTER, flags, fprog), "seccomp")


def close_range(first: int, last: int, flags: int = 0) -> None:
    """close_range(2), Linux 5.9."""
    _checked(_integers(_CLOSE_RANGE, first, last, flags, 0, 0), "close_range")


def landlock_create_ruleset(attributes: bytes, flags: int = 0) -> int:
    """landlock_create_ruleset(2), Linux 5.13: a descriptor; the ABI with empty attributes and flag 1."""
    result = _landlock_create(_LANDLOCK_CREATE_RULESET, attributes or None, len(attributes), flags)
    return _checked(result, "landlock_create_ruleset")


def landlock_add_rule(ruleset: int, kind: int, attributes: bytes) -> None:
    """landlock_add_rule(2)."""
    _checked(_landlock_add(_LANDLOCK_ADD_RULE, ruleset, kind, attributes, 0), "landlock_add_rule")


def landlock_restrict_self(ruleset: int) -> None:
    """landlock_restrict_self(2)."""
    _checked(_integers(_LANDLOCK_RESTRICT_SELF, ruleset, 0, 0, 0, 0), "landlock_restrict_self")


def overwrite(address: int, length: int) -> None:
    """Fill our own memory from `address` with zeros (what others see as our argv and environment)."""
    ctypes.memset(address, 0, length)


def read_all(fd: int) -> bytes:
    """read(2) until the end of the file."""
    content = b""
    while True:
        part = os.read(fd, 1 << 16)
        if not part:
            return content
        content += part
