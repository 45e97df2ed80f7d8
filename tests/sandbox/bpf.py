"""An interpreter of classic BPF, as the kernel's seccomp runs it: for asking a filter what it would say."""

from __future__ import annotations

import struct
from collections.abc import Sequence

MASK = 0xFFFFFFFF


def run(program: bytes, nr: int, arch: int, args: Sequence[int] = ()) -> int:
    """Return the verdict of a filter on one system call."""
    return interpret(program, nr, arch, args)[0]


def steps(program: bytes, nr: int, arch: int) -> int:
    """Return how many instructions a filter takes to decide about a call without arguments."""
    return interpret(program, nr, arch, ())[1]


def interpret(program: bytes, nr: int, arch: int, args: Sequence[int]) -> tuple[int, int]:
    """Return the verdict and the number of instructions that it took."""
    values = [argument & (1 << 64) - 1 for argument in (*args, *[0] * (6 - len(args)))]
    data = struct.pack("<IIQ6Q", nr & MASK, arch, 0, *values)
    instructions = list(struct.iter_unpack("<HBBI", program))
    accumulator = 0
    at = 0
    for count in range(len(instructions) + 1):
        code, jump_true, jump_false, constant = instructions[at]
        at += 1
        if code == 0x20:  # ld [k]
            assert constant % 4 == 0 and constant + 4 <= len(data)
            (accumulator,) = struct.unpack_from("<I", data, constant)
        elif code == 0x54:  # and #k
            accumulator &= constant
        elif code == 0x15:  # jeq
            at += jump_true if accumulator == constant else jump_false
        elif code == 0x35:  # jge
            at += jump_true if accumulator >= constant else jump_false
        elif code == 0x06:  # ret
            return constant, count + 1
        else:
            raise AssertionError(f"unknown instruction {code:#x}")
    raise AssertionError("the filter did not return")
