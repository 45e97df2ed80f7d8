"""A static program of a few hundred bytes that makes the system calls one asks for, and prints the results.

No compiler and no interpreter is needed: the machine code is written here.
x86_64 only; the tests that need it say so when they are skipped.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Sequence
from typing import NamedTuple, Union

BASE = 0x400000
AVAILABLE = platform.machine() == "x86_64"
REASON = "raw system calls are written in x86_64 machine code"


class Of(NamedTuple):
    """An argument: the result of an earlier call of the same program."""

    call: int


class Room(NamedTuple):
    """An argument: the address of this many zero bytes."""

    size: int


Argument = Union[int, bytes, Of, Room]

# What the calls use most, by name.
NUMBERS = {
    "read": 0, "write": 1, "open": 2, "close": 3, "mmap": 9, "ioctl": 16, "access": 21, "shmget":
    29, "dup2": 33, "getpid": 39, "socket": 41, "connect": 42, "bind": 49, "socketpair": 53,
    "clone": 56, "fork": 57, "execve": 59, "kill": 62, "truncate": 76, "rename": 82, "mkdir": 83,
    "creat": 85, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "fchmod": 91, "chown": 92,
    "umask": 95, "ptrace": 101, "getuid": 102, "syslog": 103, "setuid": 105, "setgid": 106,
    "setgroups": 116, "setresuid": 117, "capset": 126, "mknod": 133, "personality": 135,
    "setpriority": 141, "prctl": 157, "adjtimex": 159, "chroot": 161, "mount": 165, "umount2": 166,
    "settimeofday": 164, "sethostname": 170, "reboot": 169, "iopl": 172, "init_module": 175,
    "setxattr": 188, "getxattr": 191, "pivot_root": 155, "openat": 257, "fchmodat": 268, "unshare":
    272, "fallocate": 285, "perf_event_open": 298, "fanotify_init": 300, "prlimit64": 302,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
    "kcmp": 312, "memfd_create": 319, "bpf": 321, "execveat": 322, "userfaultfd": 323, "add_key":
    248, "request_key": 249, "keyctl": 250, "mq_open": 240, "io_uring_setup": 425, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "pidfd_open": 434, "clone3": 435, "openat2": 437,
    "pidfd_getfd": 438, "mount_setattr": 442, "memfd_secret": 447, "fchmodat2": 452, "exit_group":
    231, "mlockall": 151, "linkat": 265, "utimensat": 280, "sendto": 44, "getdents64": 217,
    "sched_setaffinity": 203, "ioprio_set": 251,
}  # fmt: skip

# rbx walks the table, rbp counts. Each entry: eight addresses, of the number, six arguments and the result.
LOOP = bytes.fromhex(
    "488b03488b00"  # mov rax,[rbx]      ; mov rax,[rax]
    "488b7b08488b3f"  # mov rdi,[rbx+8]  ; mov rdi,[rdi]
    "488b7310488b36"  # mov rsi,[rbx+16] ; mov rsi,[rsi]
    "488b5318488b12"  # mov rdx,[rbx+24] ; mov rdx,[rdx]
    "4c8b53204d8b12"  # mov r10,[rbx+32] ; mov r10,[r10]
    "4c8b43284d8b00"  # mov r8,[rbx+40]  ; mov r8,[r8]
    "4c8b4b304d8b09"  # mov r9,[rbx+48]  ; mov r9,[r9]
    "0f05"  # syscall
    "488b4b38488901"  # mov rcx,[rbx+56] ; mov [rcx],rax
    "4883c340"  # add rbx,64
    "48ffcd"  # dec rbp
)


def program(calls: Sequence[tuple[Union[str, int, Argument], ...]]) -> bytes:
    """Return an executable that makes `calls`, (name or number, arguments...), and writes the results.

    The results are as many numbers of eight bytes as there are calls, -errno
    for a call that failed.
    """
    code_size = 10 + 10 + len(LOOP) + 2 + 5 + 5 + 10 + 10 + 2 + 5 + 2 + 2
    header = 64 + 56
    results = BASE + header + code_size
    constants_at = results + 8 * len(calls)
    constants = bytearray()
    pending: list[tuple[int, bytes]] = []
    table = []

    def constant(value: int) -> int:
        constants.extend(struct.pack("<Q", value & (1 << 64) - 1))
        return constants_at + len(constants) - 8

    for index, (name, *arguments) in enumerate(calls):
        entry = [constant(NUMBERS[name] if isinstance(name, str) else int(name))]  # type: ignore[arg-type]
        for argument in (*arguments, *[0] * (6 - len(arguments))):
            if isinstance(argument, Of):
                entry.append(results + 8 * argument.call)
            elif isinstance(argument, (bytes, Room)):
                content = argument + b"\0" if isinstance(argument, bytes) else bytes(argument.size)
                entry.append(constant(0))
                pending.append((entry[-1] - constants_at, content))
            else:
                entry.append(constant(int(argument)))
        table.append(struct.pack("<8Q", *entry, results + 8 * index))
    table_at = constants_at + len(constants)
    texts = bytearray()
    texts_at = table_at + 64 * len(table)
    for where, content in pending:
        constants[where : where + 8] = struct.pack("<Q", texts_at + len(texts))
        texts += content + bytes(-len(content) % 8)
    code = b"\x48\xbb" + struct.pack("<Q", table_at)  # mov rbx, table
    code += b"\x48\xbd" + struct.pack("<Q", len(calls))  # mov rbp, count
    code += LOOP + b"\x75" + struct.pack("<b", -(len(LOOP) + 2))  # jnz loop
    code += b"\xb8" + struct.pack("<I", 1) + b"\xbf" + struct.pack("<I", 1)  # write(1,
    code += (
        b"\x48\xbe"
        + struct.pack("<Q", results)
        + b"\x48\xba"
        + struct.pack("<Q", 8 * len(calls))
        + b"\x0f\x05"
    )
    code += b"\xb8" + struct.pack("<I", 60) + b"\x31\xff" + b"\x0f\x05"  # exit(0)
    assert len(code) == code_size, (len(code), code_size)
    image = code + bytes(8 * len(calls)) + bytes(constants) + b"".join(table) + bytes(texts)
    return elf(image)


def elf(image: bytes) -> bytes:
    """Return a static x86_64 executable that is loaded at BASE, writable, and begins with `image`."""
    size = 64 + 56 + len(image)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, BASE + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 7, 0, BASE, BASE, size, size, 0x1000)
    return header + segment + image


def by_interrupt(number: int) -> bytes:
    """Return a program that makes one call of the i386 ABI and exits with the low byte of its result."""
    code = (
        b"\xb8"
        + struct.pack("<I", number)
        + b"\xcd\x80"
        + b"\x89\xc7"
        + b"\xb8"
        + struct.pack("<I", 60)
        + b"\x0f\x05"
    )
    return elf(code)


def results(output: bytes) -> list[int]:
    """Return the numbers that a `program` wrote."""
    return [number for (number,) in struct.iter_unpack("<q", output)]
