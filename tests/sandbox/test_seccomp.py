"""The filter of system calls, asked in Python what it would say, for both architectures."""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.sandbox.walls import numbers, seccomp
from bramble.sandbox.walls.seccomp import AUDIT_ARCH, Variant
from tests.sandbox import bpf

ALLOWED = 0x7FFF0000
MACHINES = list(AUDIT_ARCH)
BUILD = Variant()

machines = pytest.mark.parametrize("machine", MACHINES)


def on_both(calls: Iterable[str]) -> pytest.MarkDecorator:
    """Return the parameters (machine, call) for every architecture that has the call."""
    pairs = [
        (machine, call) for machine in MACHINES for call in calls if numbers.number(call, machine) is not None
    ]
    return pytest.mark.parametrize("machine, call", pairs)


def verdict(machine: str, call: str, *args: int, variant: Variant = BUILD) -> str:
    """Return "allow" or the name of the errno that the filter answers with."""
    number = numbers.number(call, machine)
    assert number is not None
    return named(bpf.run(seccomp.program(machine, variant), number, AUDIT_ARCH[machine], args))


def named(answer: int) -> str:
    if answer == ALLOWED:
        return "allow"
    assert answer & 0xFFFF0000 == 0x00050000, hex(answer)
    return errno.errorcode[answer & 0xFFFF]


@on_both(seccomp.UNKNOWN)
def test_calls_that_cannot_be_looked_into_do_not_exist(machine: str, call: str) -> None:
    assert verdict(machine, call) == "ENOSYS"


@on_both(seccomp.NAMESPACE_CALLS + seccomp.FORBIDDEN)
def test_forbidden_calls_are_refused(machine: str, call: str) -> None:
    assert verdict(machine, call) == "EPERM"


@on_both(seccomp.UNSUPPORTED)
def test_extended_attributes_look_unsupported(machine: str, call: str) -> None:
    assert verdict(machine, call) in ("EOPNOTSUPP", "ENOTSUP")


@on_both(["execve", "prctl", "setresuid", "capget", "pidfd_open"])
def test_ordinary_calls_are_allowed(machine: str, call: str) -> None:
    assert verdict(machine, call, 1, 2, 3, 4, 5, 6) == "allow"


@on_both(seccomp.NAMESPACE_CALLS)
def test_nesting_lets_namespaces_and_mounts_through(machine: str, call: str) -> None:
    assert verdict(machine, call, variant=Variant(nesting=True)) == "allow"
    assert verdict(machine, "keyctl", variant=Variant(nesting=True)) == "EPERM"


@machines
@pytest.mark.parametrize("flag", [0x20000 << shift for shift in (0, 8, 9, 10, 11, 12, 13)])
def test_clone_makes_processes_and_threads_but_no_namespaces(machine: str, flag: int) -> None:
    assert verdict(machine, "clone", 17) == "allow"
    assert verdict(machine, "clone", 0x3D0F00) == "allow"  # pthread_create of glibc
    assert verdict(machine, "clone", 17 | flag) == "EPERM"
    assert verdict(machine, "clone", 17 | flag | 1 << 40) == "EPERM"
    assert verdict(machine, "clone", 17 | flag, variant=Variant(nesting=True)) == "allow"


@on_both(seccomp.MODES)
def test_setuid_bits_are_refused_wherever_a_mode_is_given(machine: str, call: str) -> None:
    at = seccomp.MODES[call]
    for mode in (0o4755, 0o2755, 0o6000, 0o104755):
        assert verdict(machine, call, *[0] * at, mode) == "EPERM"
    for mode in (0o755, 0o1777, 0):
        assert verdict(machine, call, *[0o7777] * at, mode) == "allow"


@on_both(seccomp.OPENS)
def test_open_takes_no_setuid_mode_when_it_makes_a_file(machine: str, call: str) -> None:
    before = [0xFFFFFFFF] * seccomp.OPENS[call][0]
    for flags in (0o100, 0o101, 0x400000, 0x410000, 0o1102):
        assert verdict(machine, call, *before, flags, 0o4755) == "EPERM"
        assert verdict(machine, call, *before, flags, 0o755) == "allow"
    # Without those flags the register of the mode holds whatever was in it.
    assert verdict(machine, call, *before, 0, 0o4755) == "allow"


@on_both(["socket", "socketpair"])
@pytest.mark.parametrize("family", range(50))
def test_only_four_families_of_sockets_exist(machine: str, call: str, family: int) -> None:
    expected = "allow" if family in (1, 2, 10, 16) else "EAFNOSUPPORT"
    assert verdict(machine, call, family, 1, 0) == expected
    without = "allow" if family == 1 else "EAFNOSUPPORT"
    assert verdict(machine, call, family, 1, 0, variant=Variant(inet=False)) == without


@machines
@pytest.mark.parametrize("request_number", [0x5412, 0x541C, 0x5423, 0x541D])
def test_terminal_injection_is_refused_whatever_the_upper_half_holds(
    machine: str, request_number: int
) -> None:
    assert verdict(machine, "ioctl", 0, request_number) == "EPERM"
    assert verdict(machine, "ioctl", 0, request_number | 1 << 32) == "EPERM"
    assert verdict(machine, "ioctl", request_number, 0x5401) == "allow"


@machines
def test_the_limit_of_cores_cannot_be_changed_and_nobody_notices(machine: str) -> None:
    pretended = 0x00050000
    program = seccomp.program(machine, BUILD)

    def ask(call: str, *args: int) -> int:
        number = numbers.number(call, machine)
        assert number is not None
        return bpf.run(program, number, AUDIT_ARCH[machine], args)

    assert ask("setrlimit", 4, 0x7FFF) == pretended and ask("setrlimit", 7, 0x7FFF) == ALLOWED
    for new in (0x7FFF12345678, 0x100000000, 1):
        assert ask("prlimit64", 0, 4, new, 0) == pretended
        assert ask("prlimit64", 0, 4, 0, new) == ALLOWED
        assert ask("prlimit64", 0, 7, new, 0) == ALLOWED


@machines
@pytest.mark.parametrize("arch", [0x40000003, 0x40000028, 0xC0000003, 0, 0xC000003E, 0xC00000B7])
def test_every_other_architecture_is_refused_whole(machine: str, arch: int) -> None:
    answer = bpf.run(seccomp.program(machine, BUILD), 1, arch)
    assert named(answer) == ("allow" if arch == AUDIT_ARCH[machine] else "ENOSYS")


def test_x32_calls_are_refused_whole() -> None:
    program = seccomp.program("x86_64", BUILD)
    for number in (0, 1, 39, 520, 165, 0x3FFFFFFF):
        assert named(bpf.run(program, number | 0x40000000, AUDIT_ARCH["x86_64"])) == "ENOSYS"
        assert named(bpf.run(program, number | 0xC0000000, AUDIT_ARCH["x86_64"])) == "ENOSYS"


@machines
def test_what_the_table_does_not_name_is_allowed(machine: str) -> None:
    named_calls = {numbers.number(rule.call, machine) for rule in seccomp.table(BUILD)}
    program = seccomp.program(machine, BUILD)
    for number in set(range(500)) - named_calls:
        assert bpf.run(program, number, AUDIT_ARCH[machine], [0xFFFFFFFF] * 6) == ALLOWED


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(MACHINES),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 2**64 - 1), max_size=6),
)
def test_every_call_has_a_verdict(machine: str, number: int, arch: int, args: list[int]) -> None:
    named(bpf.run(seccomp.program(machine, BUILD), number, arch, args))


@machines
@pytest.mark.parametrize("variant", [Variant(a, b) for a in (False, True) for b in (False, True)])
def test_the_kernel_would_take_the_program(machine: str, variant: Variant) -> None:
    """seccomp(2): at most 4096 instructions, jumps forward inside the program, and it ends with a return."""
    instructions = list(struct.iter_unpack("<HBBI", seccomp.program(machine, variant)))
    assert len(instructions) < 4096
    assert instructions[-1][0] == seccomp.RETURN
    for at, (code, jump_true, jump_false, _) in enumerate(instructions):
        if code in (seccomp.JUMP_EQUAL, seccomp.JUMP_AT_LEAST):
            assert at + 1 + max(jump_true, jump_false) < len(instructions)


HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}


@machines
def test_the_numbers_are_those_of_the_kernel_s_headers(machine: str) -> None:
    header = Path(HEADERS[machine])
    if not header.exists():
        pytest.skip(f"{header} is not installed (linux-libc-dev)")
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    checked = 0
    for call in numbers.TABLE:
        number = numbers.number(call, machine)
        if call in known:
            assert number == int(known[call]), call
            checked += 1
        elif number is not None:
            assert number >= 424, f"{call} is neither in the header nor newer than it"
    assert checked > 60


@machines
def test_every_call_is_found_quickly(machine: str) -> None:
    for variant in (BUILD, Variant(nesting=True, inet=False)):
        for number in range(500):
            assert bpf.steps(seccomp.program(machine, variant), number, AUDIT_ARCH[machine]) < 40


def test_a_call_that_an_architecture_lacks_leaves_no_trace_in_its_program() -> None:
    assert numbers.number("chmod", "aarch64") is None
    assert len(seccomp.program("aarch64", BUILD)) < len(seccomp.program("x86_64", BUILD))


HOSTED = Variant(alone=False)


@on_both(seccomp.SCHEDULING)
def test_threads_are_scheduled_by_number_but_not_pid_1_nor_the_host_s(machine: str, call: str) -> None:
    assert [verdict(machine, call, pid) for pid in (0, 1, 2, 4000)] == ["allow", "EPERM", "allow", "allow"]
    assert [verdict(machine, call, pid, variant=HOSTED) for pid in (0, 1, 4000)] == [
        "allow",
        "EPERM",
        "EPERM",
    ]


@on_both(seccomp.MEMORY_OF_OTHERS)
def test_the_memory_of_others_is_not_moved(machine: str, call: str) -> None:
    assert [verdict(machine, call, pid) for pid in (0, 1, 2)] == ["allow", "EPERM", "EPERM"]


@on_both(seccomp.PRIORITIES)
def test_the_priority_of_a_user_cannot_be_set_and_of_a_group_only_one_s_own(machine: str, call: str) -> None:
    one, group = seccomp.PRIORITIES[call]
    user = group + 1
    for which, who, expected in (
        *((one, 0, "allow"), (one, 7, "allow"), (one, 1, "EPERM"), (group, 0, "allow"), (group, 7, "EPERM")),
        *((user, 0, "EPERM"), (user, 1000, "EPERM"), (77, 0, "EPERM")),
    ):
        assert verdict(machine, call, which, who) == expected
    assert verdict(machine, call, one, 7, variant=HOSTED) == "EPERM"
    assert verdict(machine, call, one, 0, variant=HOSTED) == "allow"


@machines
def test_limits_of_others_can_be_read_and_not_set(machine: str) -> None:
    assert verdict(machine, "prlimit64", 0, 7, 0x7FFF00001000) == "allow"
    assert verdict(machine, "prlimit64", 5, 7, 0, 0x7FFF00001000) == "allow"
    for new in (0x1000, 0x7FFF00000000):
        assert verdict(machine, "prlimit64", 5, 7, new) == "EPERM"
        assert verdict(machine, "prlimit64", 5, seccomp.RLIMIT_CORE, new) == "EPERM"


@machines
def test_what_would_stay_with_a_file_looks_unsupported(machine: str) -> None:
    for request in seccomp.INODE_IOCTLS:
        assert verdict(machine, "ioctl", 3, request | 1 << 40) == "ENOTTY"
    for request in (0x80086601, 0x40049409, 0x5401):  # FS_IOC_GETFLAGS, FICLONE, TCGETS
        assert verdict(machine, "ioctl", 3, request) == "allow"
