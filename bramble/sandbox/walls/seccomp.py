"""The filter of system calls: a readable table, and a small assembler that makes classic BPF of it. Pure.

The program loads the architecture first and refuses every other one: i386
calls through `int 0x80`, x32 and 32 bit ARM have other numbers, and a filter
that compares numbers alone is a hole. What the table does not name is allowed:
a build is arbitrary software, and the walls are the namespaces; this filter
closes what namespaces do not cover (spec: sandbox.seccomp).

Sources: seccomp(2), Documentation/userspace-api/seccomp_filter.rst, bpf(4).
"""

from __future__ import annotations

from functools import cache

from bramble.record import NamedTuple
from bramble.sandbox.walls import numbers

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

# struct seccomp_data: nr, arch, instruction pointer, six arguments of 64 bits, all little endian here.
NR = 0
ARCH = 4

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
EPERM = 1
EACCES = 13
ENOSYS = 38
EOPNOTSUPP = 95
EAFNOSUPPORT = 97

CLONE_NEW = 0x7E020000  # every CLONE_NEW* flag but CLONE_NEWTIME, which clone(2) cannot take
SETUID_SETGID = 0o6000
O_CREAT_OR_TMPFILE = 0o100 | 0x400000
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
HIGH = 6
EVERY_BIT = 0xFFFFFFFF
RLIMIT_CORE = 4
TERMINAL_IOCTLS = (0x5412, 0x541C, 0x5423, 0x541D)  # TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS
# What would stay with a file and is in no archive: attributes (chattr), project, version, encryption, verity,
# and directories of btrfs that are volumes. FS_IOC_SETFLAGS (and for 32 bits), FS_IOC_FSSETXATTR,
# FS_IOC_SETVERSION, EXT4_IOC_SETVERSION, FS_IOC_SET_ENCRYPTION_POLICY, FS_IOC_ENABLE_VERITY,
# F2FS_IOC_SET_PIN_FILE, BTRFS_IOC_SUBVOL_CREATE, _SNAP_CREATE, _SUBVOL_CREATE_V2, _SNAP_CREATE_V2, and
# _SUBVOL_SETFLAGS
INODE_IOCTLS = (
    0x40086602, 0x40046602, 0x401C5820, 0x40087602, 0x40086604, 0x800C6613, 0x40806685, 0x4004F50D,
    0x5000940E, 0x50009401, 0x50009418, 0x50009417, 0x4008941A,
)  # fmt: skip
ENOTTY = 25
PRIO_PROCESS, PRIO_PGRP = 0, 1
IOPRIO_WHO_PROCESS, IOPRIO_WHO_PGRP = 1, 2
INIT = 1
# spec: sandbox.others
# call → which argument names a thread. 0 is the caller; its own thread also has a number.
SCHEDULING = {
    "sched_setaffinity": 0, "sched_setscheduler": 0, "sched_setparam": 0, "sched_setattr": 0,
}  # fmt: skip
MEMORY_OF_OTHERS = {"migrate_pages": 0, "move_pages": 0}
# call → (the value that means one thread, the value that means a process group)
PRIORITIES = {
    "setpriority": (PRIO_PROCESS, PRIO_PGRP), "ioprio_set": (IOPRIO_WHO_PROCESS, IOPRIO_WHO_PGRP),
}  # fmt: skip

# spec: sandbox.seccomp
# Answered as if the kernel had no such call, so that the C library falls back to one that can be looked into.
UNKNOWN = (
    "clone3", "openat2", "fchmodat2", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "setxattrat", "file_setattr", "memfd_secret",
)  # fmt: skip
NAMESPACE_CALLS = (
    "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr",
    "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
)  # fmt: skip
FORBIDDEN = (
    "keyctl", "add_key", "request_key", "bpf", "perf_event_open", "userfaultfd",
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module",
    "create_module", "query_module", "get_kernel_syms", "reboot", "swapon", "swapoff", "acct",
    "settimeofday", "clock_settime", "clock_adjtime", "quotactl", "quotactl_fd", "syslog",
    "iopl", "ioperm", "modify_ldt", "open_by_handle_at", "process_vm_readv", "process_vm_writev",
    "process_madvise", "kcmp", "pidfd_getfd", "fanotify_init", "fanotify_mark", "lookup_dcookie",
    "vhangup", "nfsservctl", "uselib", "sysfs", "_sysctl",
)  # fmt: skip
UNSUPPORTED = (
    "setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr",
    "listxattr", "llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr",
    "getxattrat", "listxattrat", "removexattrat",
)  # fmt: skip
# spec: sandbox.special
# call → which argument holds the mode
MODES = {
    "chmod": 1, "fchmod": 1, "fchmodat": 2, "creat": 1, "mknod": 1, "mknodat": 2, "mkdir": 1, "mkdirat": 2,
}  # fmt: skip
# call → (which argument holds the flags, which the mode: it is one with O_CREAT or O_TMPFILE only)
OPENS = {"open": (1, 2), "openat": (2, 3)}


class Variant(NamedTuple):
    """Which filter: `nesting` lets namespaces and mounts through, `inet` sockets of the internet families.

    `alone`: the table of processes is the sandbox's own.
    """

    nesting: bool = False
    inet: bool = True
    alone: bool = True

    @property
    def name(self) -> str:
        """A name for people."""
        return (
            "build"
            + ("+nesting" if self.nesting else "")
            + ("" if self.inet else "-inet")
            + ("" if self.alone else "-alone")
        )


class Rule(NamedTuple):
    """One line of the table: when system call `call` passes `tests`, it fails with `errno`.

    A test is (argument, mask, values): the low 32 bits of the argument, masked
    (of argument minus HIGH the high ones, where it is HIGH or more). It holds
    when the result is one of `values`, or, with `values` empty, when it is not
    zero. With `unless`, the rule applies when its only test does *not* hold. An
    `errno` of 0 is success without doing anything.
    """

    call: str
    errno: int
    tests: tuple[tuple[int, int, tuple[int, ...]], ...] = ()
    unless: bool = False


def table(variant: Variant) -> tuple[Rule, ...]:
    """Return the filter as readable rules, the same for every architecture."""
    # spec: sandbox.sockets
    families = (AF_UNIX, AF_INET, AF_INET6, AF_NETLINK) if variant.inet else (AF_UNIX,)
    refused = FORBIDDEN if variant.nesting else NAMESPACE_CALLS + FORBIDDEN
    rules = [
        Rule(call, EPERM, ((flags, O_CREAT_OR_TMPFILE, ()), (mode, SETUID_SETGID, ())))
        for call, (flags, mode) in OPENS.items()
    ]
    rules.append(Rule("ioctl", EPERM, ((1, EVERY_BIT, TERMINAL_IOCTLS),)))
    rules.append(Rule("ioctl", ENOTTY, ((1, EVERY_BIT, INODE_IOCTLS),)))
    rules += others(variant)
    rules += [Rule(call, EPERM, ((mode, SETUID_SETGID, ()),)) for call, mode in MODES.items()]
    rules += [Rule(call, ENOSYS) for call in UNKNOWN]
    rules += [Rule(call, EPERM) for call in refused]
    if not variant.nesting:
        rules.append(Rule("clone", EPERM, ((0, CLONE_NEW, ()),)))
    rules += [Rule(call, EOPNOTSUPP) for call in UNSUPPORTED]
    rules += [
        Rule(call, EAFNOSUPPORT, ((0, EVERY_BIT, families),), unless=True)
        for call in ("socket", "socketpair")
    ]
    # With the limit at 1 byte, and only there, the kernel neither writes a core nor calls a program of the
    # host for one (core(5)). A program that sets it to 0 is told that this worked.
    core = (RLIMIT_CORE,)
    rules.append(Rule("setrlimit", 0, ((0, EVERY_BIT, core),)))
    rules += [Rule("prlimit64", 0, ((1, EVERY_BIT, core), (new, EVERY_BIT, ()))) for new in (2, 2 + HIGH)]
    return tuple(rules)


def others(variant: Variant) -> list[Rule]:
    """Return the rules that keep a process from setting what belongs to another: sched(7), setpriority(2)."""
    # A C library sets the processors and the class of a thread by its number, its own too; where the table
    # of processes is the sandbox's own, only pid 1 in it is nobody's thread.
    every = (0, EVERY_BIT, (INIT,) if variant.alone else ())
    rules = [Rule(call, EPERM, (every,)) for call in SCHEDULING]
    rules += [Rule(call, EPERM, ((0, EVERY_BIT, ()),)) for call in MEMORY_OF_OTHERS]
    for call, (one, group) in PRIORITIES.items():
        rules.append(Rule(call, EPERM, ((0, EVERY_BIT, (one, group)),), unless=True))
        rules.append(Rule(call, EPERM, ((0, EVERY_BIT, (group,)), (1, EVERY_BIT, ()))))
        rules.append(Rule(call, EPERM, ((0, EVERY_BIT, (one,)), (1, *every[1:]))))
    # Limits are set for oneself; those of others can be read.
    rules += [Rule("prlimit64", EPERM, ((0, EVERY_BIT, ()), (new, EVERY_BIT, ()))) for new in (2, 2 + HIGH)]
    return rules


# The assembler. Classic BPF: one accumulator, forward jumps of at most 255 instructions.
LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K
LEAF = 3  # so many numbers are compared one after the other

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


def assemble(machine: str, rules: tuple[Rule, ...]) -> tuple[Instruction, ...]:
    """Return the program for `machine`: other ABIs refused, each call as its rule says, the rest allowed.

    The number of the call is looked for by halves: when the filter is
    installed the kernel tries every number there is, which would take longer
    than all the rest of a sandbox's start if each were compared with all.
    """
    code: list[Instruction] = [
        (LOAD, 0, 0, ARCH),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, ERRNO | ENOSYS),
        (LOAD, 0, 0, NR),
    ]
    if machine == "x86_64":
        code += [(JUMP_AT_LEAST, 0, 1, X32_BIT), (RETURN, 0, 0, ERRNO | ENOSYS)]
    known: dict[int, list[Rule]] = {}
    for rule in rules:
        number = numbers.number(rule.call, machine)
        if number is not None:
            known.setdefault(number, []).append(rule)
    return (*code, *search(sorted(known.items())))


def search(calls: list[tuple[int, list[Rule]]]) -> list[Instruction]:
    """Return what decides among calls, (number, rules) in order, by the number in the accumulator."""
    if len(calls) > LEAF:
        middle = len(calls) // 2
        below, above = search(calls[:middle]), search(calls[middle:])
        return [(JUMP_AT_LEAST, len(below), 0, calls[middle][0]), *below, *above]
    code: list[Instruction] = []
    for number, rules in calls:
        body = [instruction for rule in rules for instruction in block(rule)]
        if rules[-1].tests:
            body.append((RETURN, 0, 0, ALLOW))
        code += [(JUMP_EQUAL, 0, len(body), number), *body]
    return [*code, (RETURN, 0, 0, ALLOW)]


def block(rule: Rule) -> list[Instruction]:
    """Return what decides by one rule about its call: it returns the errno, or goes on behind the block."""
    body: list[Instruction] = [(RETURN, 0, 0, ERRNO | rule.errno)]
    # Built from the end: in front of `body` a test goes into it when it holds, and past it when it does not.
    for argument, mask, values in reversed(rule.tests):
        inside, past = 0, len(body)
        if rule.unless:
            inside, past = past, inside
        if values:
            last = len(values) - 1
            tests = [
                (JUMP_EQUAL, last - i + inside, past if i == last else 0, value)
                for i, value in enumerate(values)
            ]
        else:
            tests = [(JUMP_EQUAL, past, inside, 0)]
        offset = 16 + 8 * argument if argument < HIGH else 20 + 8 * (argument - HIGH)
        body = [(LOAD, 0, 0, offset), (AND, 0, 0, mask), *tests, *body]
    return body


@cache
def program(machine: str, variant: Variant) -> bytes:
    """Return the filter of a variant for `machine`, as seccomp(2) takes it."""
    return encode(assemble(machine, table(variant)))


def encode(instructions: tuple[Instruction, ...]) -> bytes:
    """Return a program as an array of `struct sock_filter`: u16 code, u8 jt, u8 jf, u32 k."""
    return b"".join(
        code.to_bytes(2, "little") + bytes((jt, jf)) + k.to_bytes(4, "little")
        for code, jt, jf, k in instructions
    )
