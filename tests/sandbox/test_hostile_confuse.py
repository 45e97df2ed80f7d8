"""Attempts to confuse the tool, to tell two machines apart, or to use up what others need."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bramble.sandbox.spec import Limits, Mount
from tests.sandbox.rawcalls import Of, Room
from tests.sandbox.world import World, interpreter, owners_can_be_shown

# ---- the outcome ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["KILL", "SEGV", "ABRT", "TERM", "PIPE", "BUS", "ILL", "FPE", "XCPU", "USR1"]
)
def test_a_program_that_kills_itself_has_not_succeeded(here: World, name: str) -> None:
    result = here.run(f"kill -{name} $$; exit 0")
    assert (result.kind, result.code) == ("signalled", getattr(signal, "SIG" + name))


def test_everybody_killed_at_once_is_no_success(here: World) -> None:
    result = here.run("sleep 100 & sleep 100 & kill -9 -1; exit 0")
    assert result.kind in ("exited", "signalled")
    assert here.run("sh -c 'kill -9 -1'; exit 5").kind in ("exited", "signalled")


def test_a_status_cannot_be_forged(here: World) -> None:
    script = "for n in 3 4 5 6 7 8 9; do printf 'X\\0000' >&$n; done 2>/dev/null; exit 9"
    result = here.run(script)
    assert (result.kind, result.code) == ("exited", 9)


def test_words_of_the_protocol_in_the_output_are_output(here: World) -> None:
    words = '{"event": "end", "status": 0, "limits": []}'
    result = here.run(f"echo '{words}'; printf 'X\\0000E\\0001\\0002'; exit 8")
    assert (result.code, result.text.splitlines()[0]) == (8, words)


def test_a_child_s_end_is_not_the_program_s(here: World) -> None:
    assert here.run("sh -c 'exit 1'; sh -c 'kill -9 $$'; exit 0").code == 0


def test_a_program_that_asks_its_parent_to_trace_it_goes_on(raw: World) -> None:
    calls = [("getpid",), ("ptrace", 0, 0, 0, 0), ("kill", Of(0), signal.SIGWINCH), ("getpid",)]
    own, *results, still = raw.calls(*calls)
    assert results == [0, 0] and still == own


def test_a_builder_that_replaces_itself_is_still_the_builder(here: World) -> None:
    assert here.run("exec sh -c 'exec sh -c \"exit 12\"'").code == 12


def test_a_program_cannot_be_taken_for_one_that_was_not_executed(here: World) -> None:
    result = here.run("exit 127")
    assert (result.kind, result.code, result.failed) == ("exited", 127, "")
    assert here.execute(("/bin/none",)).failed == "sandbox.builder-missing"


@pytest.mark.parametrize(
    "head",
    [
        b"\x7fELF",
        b"\x7fELF\x02\x01\x01" + b"\xff" * 100,
        b"#!",
        b"#!\n",
        b"#! \n",
        b"\0" * 100,
        b"MZ\x90",
        b"#!/out\n",
    ],
)
def test_a_broken_program_is_an_error_and_no_fault(here: World, head: bytes) -> None:
    path = here.input / "broken"
    path.write_bytes(head)
    path.chmod(0o755)
    here.settle()
    result = here.execute(("/input/broken",))
    assert (
        result.failed in ("sandbox.builder-not-executable", "sandbox.builder-missing")
        or result.kind == "signalled"
    )


def test_a_program_that_is_a_fifo_or_a_device_is_an_error(here: World) -> None:
    os.mkfifo(here.input / "fifo", 0o777)
    os.chmod(here.input / "fifo", 0o777)
    here.settle()
    for program in ("/input/fifo", "/dev/null", "/proc/self/mem"):
        assert here.execute((program,)).failed == "sandbox.builder-not-executable"


# ---- the same world for everybody ----------------------------------------------------------------------

LOOK = """
id -u; id -g; hostname; dnsdomainname; umask; pwd; echo $$; echo $PPID; busybox env
cat /etc/passwd /etc/group /etc/hosts; ulimit -c; ulimit -n; ulimit -S -s; date +%Z
cat /proc/sys/kernel/domainname
grep -E 'Sig(Blk|Ign|Cgt)|^Groups|NoNewPrivs|Cap|Umask' /proc/self/status
stat -c '%n %u %g %a %F' / /* /dev/* /etc/* /input/*; ls -A / /dev /etc
readlink /proc/self/exe; cat /proc/self/cgroup
cat /proc/2/personality 2>/dev/null; readlink /proc/self/fd/0
"""


def test_two_callers_of_one_machine_see_the_same_bytes(here: World) -> None:
    """The fixture runs this for root and for an ordinary user: both must see what is written here."""
    result = here.run(LOOK)
    lines = result.text.splitlines()
    assert (
        lines[:9] == ["1000", "100", "localhost", "", "0022", "/tmp", "2", "1", "PATH=/bin"] or lines[3] != ""
    )
    groups = [line for line in lines if line.startswith("Groups:")]
    assert groups[0].split()[1:2] in (["100"], []), groups
    owners = {
        tuple(line.split()[1:3])
        for line in lines
        if line.startswith(("/", "/input")) and len(line.split()) == 5
    }
    assert owners <= {("1000", "100"), ("65534", "65534")}
    shown = bool(here.user) or os.geteuid() != 0 or owners_can_be_shown(here.input)
    assert [line for line in lines if line.startswith("/input/file")] == [
        f"/input/file {'1000 100' if shown else '65534 65534'} 644 regular file"
    ]


def test_what_the_caller_has_set_does_not_come_in(here: World) -> None:
    """Signals ignored and blocked, umask, limits, session, directory: set by one caller, not by the other."""
    code = f"""
import os, resource, signal, sys
sys.path.insert(0, {here.asker.home + "/code"!r})
if sys.argv[1] == "odd":
    os.umask(0o077)
    for number in (1, 2, 3, 10, 13, 15, 17, 20):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (1500, 4096))
    os.environ["LANG"] = "xx"
    os.chdir("/dev")
from bramble.sandbox.launch import Launcher
from bramble.sandbox.spec import Mount, SandboxSpec
said = []
with Launcher() as launcher:
    mounts = (Mount({here.asker.home + "/programs"!r}, "/bin"), Mount({str(here.input)!r}, "/input"))
    spec = SandboxSpec(("/bin/sh", "-c", {LOOK!r}), (("PATH", "/bin"),), "/tmp", mounts)
    launcher.run(spec, on_output=said.append)
sys.stdout.buffer.write(b"".join(said))
"""
    user = {"user": int(here.user), "group": int(here.user), "extra_groups": []} if here.user else {}
    seen = [
        subprocess.run(
            [interpreter(here.user), "-B", "-c", code, how], capture_output=True, check=True, cwd="/", **user
        ).stdout  # type: ignore[call-overload]
        for how in ("plain", "odd")
    ]
    assert seen[0] == seen[1] and seen[0].count(b"\n") > 40
    ignored = [line.split()[1] for line in seen[1].splitlines() if line.startswith(b"SigIgn")]
    assert ignored == [b"0" * 16]


def forbidden_here(persona: int) -> bool:
    """Return whether a container's filter refuses personality(2), asked in a process of its own."""
    code = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).personality({persona}) == -1)"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode != 0


@pytest.mark.skipif(forbidden_here(0x40000), reason="a container forbids to switch address randomisation off")
def test_addresses_are_the_same_in_every_build_and_not_in_every_run(here: World) -> None:
    maps = ("/bin/sh", "-c", "cat /proc/self/maps")
    assert len({here.execute(maps).output for _ in range(3)}) == 1
    assert len({here.execute(maps, purpose="run").output for _ in range(4)}) > 1


@pytest.mark.skipif(forbidden_here(0x40000), reason="a container forbids to switch address randomisation off")
def test_a_build_has_the_same_execution_domain_whoever_asks(raw: World) -> None:
    ask = ("personality", 0xFFFFFFFF)
    assert raw.calls(ask) == [0x40000] and raw.calls(ask, purpose="run") == [0]


def test_the_builder_is_always_pid_2(here: World) -> None:
    assert {here.run("echo $$").text for _ in range(5)} == {"2\n"}


def test_the_name_of_the_program_is_as_it_was_written(here: World) -> None:
    (here.input / "link").symlink_to("/bin/busybox")
    here.settle()
    assert here.execute(("/bin/../bin/sh", "-c", "tr '\\0' ' ' < /proc/2/cmdline; true")).text.startswith(
        "/bin/../bin/sh -c"
    )


# ---- using up ------------------------------------------------------------------------------------------


def test_memory_is_limited(here: World) -> None:
    hungry = "a=x; while :; do a=$a$a; done"
    began = time.monotonic()
    result = here.run(hungry, limits=Limits(memory=64 << 20, seconds=15))
    assert result.kind in ("exited", "signalled", "limit") and (result.code != 0 or result.kind != "exited")
    assert time.monotonic() - began < 15


def test_memory_is_limited_for_calls_too(raw: World) -> None:
    results = raw.calls(
        ("mmap", 0, 1 << 30, 3, 0x22, -1, 0),
        ("mmap", 0, 1 << 20, 3, 0x22, -1, 0),
        limits=Limits(memory=64 << 20),
    )
    assert results[0] == -errno.ENOMEM and results[1] > 0


def test_temporary_files_are_limited_with_memory(here: World) -> None:
    result = here.run(("dd if=/dev/zero of=/tmp/x bs=1M count=100; dd if=/dev/zero "
 "of=/dev/shm/x bs=1M count=100; ls -s /tmp"),
                      limits=Limits(memory=32 << 20))  # fmt: skip
    # A control group ends the whole of it before the file systems are full.
    assert result.text.count("No space left") == 2 or (result.kind, result.limit) == ("limit", "memory")


def test_the_root_and_dev_hold_no_room_for_anybody(here: World) -> None:
    result = here.run("for d in / /dev /etc /proc /bin; do dd if=/dev/zero of=$d/x bs=1M count=1; done")
    assert "copied" not in result.text


def test_a_file_is_limited(here: World) -> None:
    result = here.run("dd if=/dev/zero of=/out/x bs=1M count=20", limits=Limits(file_size=1 << 20))
    assert (result.kind, result.limit) == ("limit", "file_size")
    assert (here.out / "x").stat().st_size == 1 << 20


def test_limits_cannot_be_raised_again(raw: World) -> None:
    wanted = (1 << 40).to_bytes(8, "little") * 2
    results = raw.calls(
        ("prlimit64", 0, 1, wanted, 0), ("prlimit64", 0, 2, wanted, 0),
        limits=Limits(file_size=1 << 20, memory=64 << 20),
    )  # fmt: skip
    assert results == [-errno.EPERM] * 2


def test_descriptors_are_limited(here: World) -> None:
    result = here.run("ulimit -n; ulimit -c")
    assert result.text == "1024\n0\n"


def test_no_program_of_the_host_is_called_for_a_crash(raw: World) -> None:
    """core(5): a core that is piped to a program knows no limit but that of one byte, which stays."""
    one, none = (1).to_bytes(8, "little") * 2, bytes(16)
    found = Room(16)
    results = raw.calls(
        ("prlimit64", 0, 4, none, 0),
        (160, 4, none),
        ("prlimit64", 0, 4, 0, found),
        ("prlimit64", 0, 4, one, 0),
    )
    assert results == [0, 0, 0, 0]
    assert raw.run("ulimit -c 0; ulimit -c unlimited; grep core /proc/self/limits").text.split()[4:6] == [
        "1",
        "1",
    ]


def test_files_in_memory_are_limited_in_number(here: World) -> None:
    script = "cd /tmp; i=0; while [ $i -lt 3000 ] && true > $i; do i=$((i+1)); done 2>/dev/null; echo $i"
    result = here.run(script, limits=Limits(memory=2 << 20, seconds=30))
    assert result.kind != "exited" or 1000 < int(result.text) < 3000


def test_a_crash_leaves_no_core(here: World) -> None:
    here.run("cd /out; kill -SEGV $$")
    assert list(here.out.iterdir()) == []


def test_a_flood_of_output_is_read_and_not_kept(here: World) -> None:
    result = here.run("yes | head -c 30000000 > /dev/null; yes | head -c 3000000")
    assert len(result.output) == 3000000


def test_a_flood_of_short_lines_and_of_bytes_is_passed_on_as_it_is(here: World) -> None:
    result = here.run("head -c 300000 /dev/zero; yes '' | head -n 100000")
    assert result.output == bytes(300000) + b"\n" * 100000


def test_a_deep_tree_and_odd_names_can_be_made_and_are_the_caller_s(here: World) -> None:
    result = here.run(
        "cd /out; i=0; while [ $i -lt 300 ]; do mkdir ddddddddddddddddd && "
        "cd ddddddddddddddddd; i=$((i+1)); done; echo $i"
    )
    assert result.text.split()[-1] == "300"
    here.run("cd /out; touch \"$(printf 'a\\nb')\" \"$(printf '\\033[2J')\" \"$(printf '\\377')\" -- '-rf'")
    assert len(list(here.out.iterdir())) >= 4
    subprocess.run(["rm", "-rf", str(here.out / "ddddddddddddddddd")], check=True)


# ---- wishes that mean to confuse -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/proc/self",
        "/dev/null",
        "/sys",
        "/tmp",
        "/",
        "/a/../etc",
        "//etc",
        "/etc/",
        "etc",
        "/bin",
        "/out/../etc",
    ],
)
def test_no_mount_takes_the_place_of_what_is_the_sandbox_s_own(here: World, target: str) -> None:
    assert here.run("true", more=[Mount(str(here.input), target)]).failed == "sandbox.mount"


def test_a_source_that_disappears_is_an_error(here: World) -> None:
    gone = here.path / "gone"
    assert here.run("true", more=[Mount(str(gone), "/gone")]).failed == "sandbox.mount"


def test_a_source_that_is_a_device_is_refused(here: World) -> None:
    assert here.run("cat /x", more=[Mount("/dev/null", "/x")]).failed == "sandbox.mount"


def test_a_network_file_can_be_replaced_by_a_mount_of_the_wish(here: World) -> None:
    (here.input / "passwd").write_text("other\n")
    here.settle()
    assert (
        here.run("cat /etc/passwd", more=[Mount(str(here.input / "passwd"), "/etc/passwd")]).text == "other\n"
    )


def test_time_is_kept_although_the_build_talks_without_end(here: World) -> None:
    result = here.run("yes > /dev/stderr", limits=Limits(seconds=0.2))
    assert (result.kind, result.limit) == ("timeout", "seconds")


def test_a_hundred_variables_and_long_ones_arrive(here: World) -> None:
    env = tuple((f"V{number:03}", "x" * 1000) for number in range(100)) + (("PATH", "/bin"),)
    assert here.run("env | grep -c '^V...=x'", env=env).text == "100\n"


def test_memory_that_is_mapped_from_an_input_cannot_be_written_back(raw: World) -> None:
    results = raw.calls(
        ("open", b"/input/file", 0), ("mmap", 0, 4096, 3, 1, Of(0), 0), ("mmap", 0, 4096, 3, 2, Of(0), 0)
    )
    assert results[1] == -errno.EACCES and results[2] > 0
    assert Path(raw.input / "file").read_text() == "given\n"


def test_two_names_of_one_input_are_both_read_only(here: World) -> None:
    result = here.run("echo x > /again/file; echo y > /input/file", more=[Mount(str(here.input), "/again")])
    assert result.code != 0 and (here.input / "file").read_text() == "given\n"


def test_a_writable_mount_does_not_make_its_read_only_name_writable(here: World) -> None:
    result = here.run("echo x > /out/f; echo y > /seen/f; cat /seen/f", more=[Mount(str(here.out), "/seen")])
    assert result.text.endswith("x\n") and (here.out / "f").read_text() == "x\n"


def test_rooms_of_calls_are_empty(raw: World) -> None:
    assert raw.calls(("getdents64", -1, Room(64), 64)) == [-errno.EBADF]
