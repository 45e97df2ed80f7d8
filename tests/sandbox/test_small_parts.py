"""The small pure parts: reasons of execve, mount tables, users, control groups, Landlock's structures."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from bramble.sandbox import autopsy, facts, identity, remount, syscalls
from bramble.sandbox.limits import groups
from bramble.sandbox.walls import landlock

# ---- autopsy -------------------------------------------------------------------------------------------


def elf(interpreter: bytes, wide: bool = True) -> bytes:
    """Return the head of a program with one PT_INTERP header."""
    if wide:
        header = (
            b"\x7fELF\x02\x01\x01"
            + bytes(9)
            + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
        )
        note = struct.pack("<IIQQQQQQ", 4, 4, 0, 0, 0, 0, 0, 4)
        return header + note + struct.pack("<IIQQQQQQ", 3, 4, 176, 0, 0, len(interpreter), 0, 1) + interpreter
    header = (
        b"\x7fELF\x01\x01\x01"
        + bytes(9)
        + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    )
    return header + struct.pack("<8I", 3, 84, 0, 0, len(interpreter), 0, 4, 1) + interpreter


@pytest.mark.parametrize(
    "head, expected",
    [
        (b"#!/bin/sh\n", ("script", b"/bin/sh")),
        (b"#!  /bin/env  python -x\nrest", ("script", b"/bin/env")),
        (b"#!\n", ("script", b"")),
        (b"#!/no/newline", ("script", b"/no/newline")),
        (b"echo hello\n", ("unknown", b"")),
        (b"", ("unknown", b"")),
        (b"\x7fELF", ("unknown", b"")),
        (elf(b"/lib64/ld.so\0"), ("program", b"/lib64/ld.so")),
        (elf(b"/lib/ld-linux.so.2\0", wide=False), ("program", b"/lib/ld-linux.so.2")),
        (b"\x7fELF\x02\x02\x01" + bytes(60), ("program", b"")),
        (b"\x7fELF" + b"\xff" * 200, ("program", b"")),
    ],
)
def test_what_a_program_needs_stands_in_its_first_bytes(head: bytes, expected: tuple[str, bytes]) -> None:
    assert autopsy.interpreter(head) == expected


def test_a_header_of_a_million_entries_is_not_believed() -> None:
    head = bytearray(elf(b"/lib/ld\0"))
    head[56:58] = b"\xff\xff"
    assert autopsy.interpreter(bytes(head)) == ("program", b"/lib/ld")


def test_the_reason_names_what_is_missing(tmp_path: Path) -> None:
    def made(name: str, content: bytes, mode: int = 0o755) -> bytes:
        path = tmp_path / name
        path.write_bytes(content)
        path.chmod(mode)
        return os.fsencode(path)

    assert autopsy.explain(os.fsencode(tmp_path / "none"), 2) == "missing"
    assert autopsy.explain(os.fsencode(tmp_path), 13) == "directory"
    assert autopsy.explain(made("plain", b"x", 0o644), 13) == "mode"
    assert autopsy.explain(made("text", b"hello"), 8) == "format"
    assert autopsy.explain(made("script", b"#!/no/such/sh\n"), 2) == "script /no/such/sh"
    loaded = made("loaded", elf(b"/no/such/ld.so\0"))
    assert autopsy.explain(loaded, 2) == "loader /no/such/ld.so"
    # The interpreter is there, and is itself a program whose loader is not.
    assert autopsy.explain(made("indirect", b"#!" + loaded + b"\n"), 2) == "loader /no/such/ld.so"
    assert autopsy.explain(made("foreign", b"\x7fELF\x02\x02\x01" + bytes(60)), 8) == "architecture"
    os.symlink("/no/where", tmp_path / "link")
    assert autopsy.explain(os.fsencode(tmp_path / "link"), 2) == "link /no/where"


def test_a_script_that_is_its_own_interpreter_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "self"
    path.write_bytes(b"#!" + os.fsencode(path) + b"\n")
    path.chmod(0o755)
    assert autopsy.explain(os.fsencode(path), 40) == "other"


def test_a_name_is_looked_for_in_the_path(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "tool").write_text("not executable")
    (tmp_path / "b" / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "a" / "dir").mkdir()
    (tmp_path / "b" / "tool").chmod(0o755)
    path = os.fsencode(f"{tmp_path}/a:{tmp_path}/b")
    if os.geteuid() != 0:
        assert autopsy.find(b"tool", path) == os.fsencode(tmp_path / "b" / "tool")
    assert autopsy.find(b"dir", path) == b"dir"
    assert autopsy.find(b"absent", path) == b"absent"


# ---- remount -------------------------------------------------------------------------------------------

TABLE = b"""\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /proc/root rw,nosuid,nodev - tmpfs tmpfs rw
31 30 8:1 /s/in /proc/root/in rw,noatime - ext4 /dev/sda1 rw
32 31 8:2 / /proc/root/in/a\\040b ro,nodiratime,noexec - ext4 /dev/sda2 rw
33 22 8:1 / /proc/rooted rw - ext4 /dev/sda1 rw
"""


def test_each_mount_keeps_the_flags_it_has() -> None:
    assert remount.below(TABLE, b"/proc/root") == [
        (b"/proc/root", syscalls.MS_NOSUID | syscalls.MS_NODEV),
        (b"/proc/root/in", 1024),
        (b"/proc/root/in/a b", syscalls.MS_RDONLY | 2048 | syscalls.MS_NOEXEC),
    ]
    assert [path for path, _ in remount.below(TABLE, b"/proc/root/in")] == [
        b"/proc/root/in",
        b"/proc/root/in/a b",
    ]


def test_odd_names_in_the_mount_table_are_read_back() -> None:
    assert remount.unescape(rb"/a\040b\011c\134d\012") == b"/a b\tc\\d\n"


# ---- identity ------------------------------------------------------------------------------------------


def test_root_of_the_machine_takes_ids_that_nobody_uses() -> None:
    whole = b"         0          0 4294967295\n"
    assert identity.unused_id(whole, whole) == identity.FIRST_ID


def test_root_of_a_container_takes_ids_that_it_has() -> None:
    assert identity.unused_id(b"0 1000 1\n1 100000 200000\n", b"0 1000 1\n1 100000 200000\n") == 60000
    small = b"0 1000 1\n1 100000 65536\n"
    assert identity.unused_id(small, small) == 0
    assert identity.unused_id(b"0 1001 1\n", b"0 1001 1\n") == 0
    assert identity.unused_id(b"", b"") == 0


def test_two_sandboxes_at_once_are_two_users() -> None:
    who = identity.Identity(0, 0, identity.FIRST_ID, "")
    first, second = who.take_slot(), who.take_slot()
    assert who.slot_id(first) != who.slot_id(second)
    who.give_back(first)
    assert who.take_slot() == first


# ---- control groups ------------------------------------------------------------------------------------


def subtree(root: Path, path: str, controllers: str) -> Path:
    directory = root / path
    directory.mkdir(parents=True)
    (directory / "cgroup.subtree_control").write_text(controllers)
    (directory / "cgroup.procs").write_text("")
    return directory


def test_the_nearest_group_that_hands_on_what_we_need_is_used(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids cpu\n")
    subtree(tmp_path, "user", "cpu memory pids\n")
    subtree(tmp_path, "user/app", "memory pids\n")
    subtree(tmp_path, "user/app/terminal", "")
    root = os.fsencode(tmp_path)
    membership = b"5:cpu:/x\n0::/user/app/terminal\n"
    assert groups.delegated(root, membership) == root + b"/user/app"
    assert groups.delegated(root, b"0::/user\n") == root + b"/user"
    assert groups.delegated(root, b"5:cpu:/x\n") is None
    assert groups.delegated(root, b"0::/\n") is None


def test_without_version_2_there_is_no_group(tmp_path: Path) -> None:
    subtree(tmp_path, "user", "memory pids\n")
    assert groups.delegated(os.fsencode(tmp_path), b"0::/user\n") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_group_that_is_not_ours_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    subtree(tmp_path, "user", "memory pids\n").chmod(0o555)
    assert groups.delegated(os.fsencode(tmp_path), b"0::/user\n") is None


def test_a_group_that_takes_no_limits_is_removed_again(tmp_path: Path) -> None:
    assert groups.make_below(os.fsencode(tmp_path), 1 << 20, 5) is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / f"bramble-{os.getpid()}-0").mkdir()
    assert groups.next_number(os.fsencode(tmp_path)) == 1


def test_the_events_of_a_group_tell_which_limit_was_hit(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 1\n")
    (tmp_path / "pids.events").write_text("max 0\n")
    assert groups.count((tmp_path / "memory.events").read_bytes(), b"oom_kill") == 1
    assert groups.Group(os.fsencode(tmp_path)).remove() == ["memory"]
    assert groups.Group(b"/no/such/group").remove() == []


# ---- landlock ------------------------------------------------------------------------------------------


def test_rights_grow_with_the_kernel() -> None:
    assert [landlock.known_fs(abi).bit_length() for abi in range(1, 8)] == [13, 14, 15, 15, 16, 16, 16]
    assert [landlock.known_net(abi) for abi in range(1, 8)] == [0, 0, 0, 3, 3, 3, 3]
    assert [landlock.known_scopes(abi) for abi in range(1, 8)] == [0, 0, 0, 0, 0, 3, 3]


def test_a_file_is_given_no_right_that_only_directories_have() -> None:
    handled = landlock.known_fs(7)
    assert landlock.rights("write", "file", handled) & ~landlock.ON_FILES == 0
    assert landlock.rights("write", "directory", handled) == handled
    assert landlock.rights("read", "directory", handled) == 0b1101
    assert landlock.rights("use", "directory", landlock.known_fs(1)) == 0b1111


def test_structures_are_as_short_as_old_kernels_want_them() -> None:
    assert landlock.ruleset_attributes(1, 0, 0) == b"\x01" + bytes(7)
    assert len(landlock.ruleset_attributes(1, 1, 0)) == 16
    assert landlock.ruleset_attributes(0, 0, 3) == bytes(16) + b"\x03" + bytes(7)
    assert landlock.path_beneath(0x102, 5) == b"\x02\x01" + bytes(6) + b"\x05\0\0\0"


def test_the_room_starts_without_what_it_does_not_need() -> None:
    """The helper and the child import nothing that costs time and memory in every sandbox."""
    code = "import sys; from bramble.sandbox import helper; print(*sorted(sys.modules))"
    root = Path(autopsy.__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(root)!r}); {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(run.stdout.split())
    assert not {"typing", "dataclasses", "subprocess", "threading", "socket", "bramble.errors"} & loaded
    assert not {"collections", "contextlib", "enum", "functools", "json", "re", "signal"} & loaded


@pytest.mark.parametrize(
    ("after_the_name", "expected"),
    [
        (" S 1" + " 0" * 43 + " 4096 4100 4100 4200 0", ((4096, 4), (4100, 100))),
        (" S 1" + " 0" * 20, ()),
    ],
)
def test_an_emulated_kernel_need_not_say_where_our_arguments_lie(
    monkeypatch: pytest.MonkeyPatch, after_the_name: str, expected: object
) -> None:
    text = ("7 (a name) 1 2)" + after_the_name + "\n").encode()
    monkeypatch.setattr(identity, "read_file", lambda path: text)
    assert facts.own_memory() == expected
