"""Attempts to reach others: networks, sockets, processes, terminals, privileges, namespaces."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bramble.sandbox.spec import Mount
from tests.sandbox import rawcalls
from tests.sandbox.rawcalls import Of, Room
from tests.sandbox.world import World

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16


@contextmanager
def listening(family: int, address: object) -> Iterator[tuple[socket.socket, list[object]]]:
    """A server of the host; whoever reaches it stands in the list."""
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind(address)  # type: ignore[arg-type]
    server.listen()
    reached: list[object] = []

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            reached.append(client)
            client.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server, reached
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def address_in(port: int) -> bytes:
    """Return a sockaddr_in of 127.0.0.1."""
    return struct.pack("<H", AF_INET) + struct.pack(">H", port) + socket.inet_aton("127.0.0.1") + bytes(8)


def test_a_server_on_the_host_s_loopback_is_not_reached(here: World) -> None:
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as (server, reached):
        port = server.getsockname()[1]
        assert here.run(f"nc -w 2 127.0.0.1 {port} < /dev/null").code != 0
        assert reached == []


def test_the_sandbox_has_a_loopback_of_its_own(here: World) -> None:
    script = """
        tail -f /dev/null | nc -l -p 8080 > /tmp/got &
        i=0; while [ $i -lt 200 ] && ! [ -s /tmp/got ]; do
            echo hi | nc 127.0.0.1 8080 2> /dev/null & usleep 50000; i=$((i+1))
        done
        cat /tmp/got
    """
    assert here.run(script).text == "hi\n"


def test_no_other_interface_and_no_route_is_there(here: World) -> None:
    assert [line.split(":")[0].strip() for line in here.run("cat /proc/net/dev").text.splitlines()[2:]] == [
        "lo"
    ]
    assert here.run("cat /proc/net/route | wc -l").text == "1\n"
    assert here.run("ping -c 1 -W 1 192.0.2.1; nc -w 1 192.0.2.1 80; nslookup example.test").code != 0


def test_an_abstract_socket_of_the_host_is_not_reached(raw: World) -> None:
    name = b"\0bramble-test-%d" % os.getpid()
    with listening(socket.AF_UNIX, name) as (_, reached):
        address = struct.pack("<H", AF_UNIX) + name
        results = raw.calls(("socket", AF_UNIX, 1, 0), ("connect", Of(0), address, len(address)))
        assert results[1] == -errno.ECONNREFUSED and reached == []


def test_an_abstract_socket_of_the_host_is_not_reached_with_the_network_on_either(raw: World) -> None:
    name = b"\0bramble-test-net-%d" % os.getpid()
    with listening(socket.AF_UNIX, name) as (_, reached):
        address = struct.pack("<H", AF_UNIX) + name
        calls = (("socket", AF_UNIX, 1, 0), ("connect", Of(0), address, len(address)))
        results = raw.calls(*calls, network=True, purpose="run")
        if results[1] == 0 and landlock_abi() < 6:
            pytest.skip("this kernel's Landlock cannot close abstract sockets (ABI 6)")
        assert results[1] == -errno.EPERM and reached == []


def landlock_abi() -> int:
    return int(ctypes.CDLL(None).syscall(444, None, 0, 1))


def test_a_socket_file_of_the_host_is_not_there(here: World) -> None:
    path = str(here.private / "socket")
    with listening(socket.AF_UNIX, path) as (_, reached):
        os.chmod(path, 0o777)
        assert here.run(f"ls {path}; nc -w 1 local:{path}").code != 0
        assert reached == []


@pytest.mark.parametrize("writable", [True, False])
def test_a_socket_in_what_is_shown_is_covered_for_a_run_without_the_network(
    raw: World, writable: bool
) -> None:
    where = raw.out if writable else raw.input
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(where / "s"))
        server.listen()
        raw.settle()
        address = struct.pack("<H", socket.AF_UNIX) + (b"/out/s" if writable else b"/input/s") + b"\0"
        calls = (("socket", 1, 1, 0), ("connect", Of(0), address, len(address)))
        assert raw.calls(*calls, purpose="run")[1] == -errno.ECONNREFUSED
        assert raw.calls(*calls, purpose="run", network=True)[1] == 0
        # One more name of the same directory, and one that is hidden anyhow.
        more = (Mount(str(where), "/more"),)
        assert raw.calls(*calls, purpose="run", more=more, hidden=("/more/s",))[1] == -errno.ECONNREFUSED


@pytest.mark.parametrize("family", [3, 5, 9, 15, 17, 21, 26, 27, 29, 30, 31, 38, 39, 40, 41, 43, 44, 45])
def test_exotic_families_of_sockets_do_not_exist(raw: World, family: int) -> None:
    """Among them AF_VSOCK (40), which reaches the hypervisor from any network, and AF_ALG (38)."""
    for network in (False, True):
        calls = (("socket", family, 1, 0), ("socket", family, 2, 0), ("socketpair", family, 1, 0, Room(8)))
        results = raw.calls(*calls, network=network, purpose="run")
        assert results == [-errno.EAFNOSUPPORT] * 3


def test_raw_sockets_need_a_capability_that_nobody_has(raw: World) -> None:
    four, six = raw.calls(("socket", AF_INET, 3, 1), ("socket", AF_INET6, 3, 58))
    assert four == -errno.EPERM and six in (-errno.EPERM, -errno.EAFNOSUPPORT)  # a kernel without IPv6


def test_shared_memory_and_queues_of_the_host_are_not_there(raw: World) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    key = 0x42520000 | os.getpid() & 0xFFFF
    segment = libc.shmget(key, 4096, 0o1000 | 0o666)
    assert segment >= 0
    try:
        assert raw.calls(("shmget", key, 4096, 0)) == [-errno.ENOENT]
    finally:
        libc.shmctl(segment, 0, None)


def test_no_process_of_the_host_can_be_signalled(raw: World) -> None:
    victim = subprocess.Popen(
        ["sleep", "60"], preexec_fn=(lambda: os.setuid(raw.asker.uid)) if raw.user else None
    )
    try:
        results = raw.calls(
            ("kill", victim.pid, signal.SIGKILL), ("kill", os.getpid(), signal.SIGTERM),
            ("kill", 1, signal.SIGKILL), ("pidfd_open", victim.pid, 0), ("setpriority", 0, victim.pid, 19),
            ("ptrace", 16, victim.pid, 0, 0),
            ("prlimit64", victim.pid, 4, 0, Room(16)), ("kill", -1, signal.SIGKILL),
        )  # fmt: skip
        assert all(result < 0 for index, result in enumerate(results) if index != 2)
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def test_what_belongs_to_other_processes_cannot_be_set(raw: World) -> None:
    priority = os.getpriority(os.PRIO_PROCESS, os.getpid())
    # 2 would be itself by its number, which is allowed for what the C library sets by it.
    results = raw.calls(
        *(("setpriority", 1, 2, 19), ("setpriority", 2, 0, 19), ("setpriority", 2, 1000, 19)),
        *(("setpriority", 0, 1, 19), ("ioprio_set", 3, 1000, 3 << 13), ("ioprio_set", 1, 1, 3 << 13)),
        *(("sched_setaffinity", 1, 8, b"\xff" * 8), ("prlimit64", 2, 7, bytes(16), 0)),
        *(("setpriority", 0, 0, 19), ("setpriority", 1, 0, 19), ("ioprio_set", 1, 2, 3 << 13)),
        *(("sched_setaffinity", 2, 8, b"\xff" * 8), ("prlimit64", 2, 7, 0, Room(16))),
    )
    assert results[:8] == [-errno.EPERM] * 8
    assert [result >= 0 for result in results[8:]] == [True] * 5
    assert os.getpriority(os.PRIO_PROCESS, os.getpid()) == priority


def test_what_would_stay_with_a_file_cannot_be_set(raw: World) -> None:
    flags = (0x40).to_bytes(8, "little")  # FS_NODUMP_FL, which every owner may set
    results = raw.calls(
        ("open", b"/out", os.O_RDONLY, 0), ("ioctl", Of(0), 0x40086602, flags),
        ("ioctl", Of(0), 0x401C5820, bytes(28)), ("ioctl", Of(0), 0x80086601, Room(8)),
    )  # fmt: skip
    assert results[1:3] == [-errno.ENOTTY] * 2 and results[3] in (0, -errno.ENOTTY, -errno.EOPNOTSUPP)


def test_maps_of_ids_and_triggers_of_pressure_cannot_be_written(here: World) -> None:
    script = """
        for name in uid_map gid_map projid_map; do echo "0 0 1" > /proc/self/$name && echo wrote; done
        for name in cpu io memory; do echo "some 500000 2000000" > /proc/pressure/$name && echo wrote; done
        cat /proc/self/projid_map
    """
    result = here.run(script + "exit 0")
    assert result.kind == "exited" and "wrote" not in result.text
    if Path("/proc/self/projid_map").exists():
        assert result.text.split()[-3:] == ["0", "0", "1"]


@pytest.mark.parametrize("name", ["KILL", "TERM", "STOP", "INT", "HUP", "SEGV", "ABRT", "USR1", "CHLD"])
def test_pid_1_cannot_be_killed_or_stopped_from_inside(here: World, name: str) -> None:
    result = here.run(f"kill -{name} 1; sleep 0.05; echo alive; exit 4")
    assert (result.text.split()[-1], result.kind, result.code) == ("alive", "exited", 4)


NEW = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x08000000,
       "uts": 0x04000000, "cgroup": 0x02000000, "time": 0x80}  # fmt: skip


@pytest.mark.parametrize("name", NEW)
def test_no_namespace_can_be_made(raw: World, name: str) -> None:
    unshared, cloned, clone3 = raw.calls(("unshare", NEW[name]), ("getpid",), ("clone3", Room(88), 88))
    assert (unshared, clone3) == (-errno.EPERM, -errno.ENOSYS)
    if name != "time":
        assert raw.calls(("clone", NEW[name] | 17, 0, 0, 0, 0)) == [-errno.EPERM]


def test_no_namespace_can_be_entered(raw: World) -> None:
    results = raw.calls(
        ("open", b"/proc/self/ns/user", 0), ("setns", Of(0), 0), ("open", b"/proc/1/ns/mnt", 0)
    )
    assert results[1] == -errno.EPERM and results[2] < 0


@pytest.mark.parametrize(
    "call",
    [
        ("mount", b"none", b"/tmp", b"tmpfs", 0, 0),
        ("umount2", b"/input", 2),
        ("pivot_root", b"/tmp", b"/tmp"),
        ("chroot", b"/tmp"),
        ("open_tree", -100, b"/input", 1),
        ("move_mount", -1, b"", -100, b"/tmp", 4),
        ("fsopen", b"tmpfs", 0),
        ("mount_setattr", -100, b"/input", 0, Room(32), 32),
        ("reboot", 0xFEE1DEAD, 672274793, 0, 0),
        ("init_module", Room(8), 8, b""),
    ],
    ids=lambda call: call[0],
)
def test_calls_of_an_administrator_are_refused(raw: World, call: tuple[object, ...]) -> None:
    assert raw.calls(call) == [-errno.EPERM]


def test_no_other_user_can_be_become(raw: World) -> None:
    results = raw.calls(
        ("setuid", 0),
        ("setgid", 0),
        ("setresuid", 0, 0, 0),
        ("setgroups", 1, Room(8)),
        ("setuid", 65534),
        ("getuid",),
    )
    assert all(result < 0 for result in results[:5]) and results[5] == 1000


def test_no_capability_is_held_or_can_be_gained(raw: World) -> None:
    status = dict(
        line.split(":\t")
        for line in raw.run("grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status").text.splitlines()
    )
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    header = struct.pack("<II", 0x20080522, 0)
    wanted = struct.pack("<6I", *[0xFFFFFFFF] * 6)
    capset, keep, ambient, privileges = raw.calls(
        ("capset", header, wanted),
        ("prctl", 28, 1, 0, 0, 0),
        ("prctl", 47, 2, 0, 0, 0),
        ("prctl", 38, 0, 0, 0, 0),
    )
    assert (capset, keep, privileges) == (-errno.EPERM, -errno.EPERM, -errno.EINVAL) and ambient < 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a setuid file of root")
def test_a_setuid_program_gives_nothing(here: World) -> None:
    program = here.input / "busybox"
    shutil.copy(f"{here.asker.home}/programs/busybox", program)
    os.chown(program, 0, 0)
    os.chmod(program, 0o4755)
    assert (
        here.run("/input/busybox id -u; /input/busybox grep CapEff /proc/self/status").text
        == f"1000\nCapEff:\t{'0' * 16}\n"
    )


def test_the_filter_cannot_be_removed(raw: World) -> None:
    off, strict_off, unshared = raw.calls(("prctl", 22, 0, 0, 0, 0), (317, 0, 0, 0), ("unshare", 0x10000000))
    assert off < 0 and strict_off < 0 and unshared == -errno.EPERM


def test_the_i386_door_is_closed(raw: World) -> None:
    getpid_of_i386 = 20
    wish = raw.put_program(rawcalls.by_interrupt(getpid_of_i386), {})
    assert raw.execute(("/input/calls",), **wish).code == 256 - errno.ENOSYS


def test_the_x32_door_is_closed(raw: World) -> None:
    assert raw.calls((39 | 0x40000000,), (0x40000000 | 165, 0, 0, 0, 0, 0)) == [-errno.ENOSYS] * 2


def test_asynchronous_rings_do_not_exist(raw: World) -> None:
    assert raw.calls(("io_uring_setup", 4, Room(128)), ("memfd_secret", 0)) == [-errno.ENOSYS] * 2


def test_nothing_can_be_typed_into_the_caller_s_terminal(raw: World) -> None:
    results = raw.calls(
        ("open", b"/dev/tty", 2),
        ("ioctl", 0, 0x5412, b"x"),
        ("ioctl", 1, 0x5412 | 1 << 32, b"x"),
        ("ioctl", 0, 0x541C, b"\x03"),
    )
    assert results == [-errno.ENXIO, -errno.EPERM, -errno.EPERM, -errno.EPERM]


def test_the_session_and_the_process_group_are_new(here: World) -> None:
    pid, group, session, terminal = here.execute(
        ("/bin/awk", "{print $1, $5, $6, $7}", "/proc/self/stat")
    ).text.split()
    assert (pid, group, session, terminal) == ("2", "2", "2", "0")


def test_terminals_of_the_host_are_not_there(here: World) -> None:
    assert here.run("ls -A /dev/pts").text == "ptmx\n"


def test_the_host_s_network_is_only_shared_on_request(here: World) -> None:
    with listening(socket.AF_INET, ("127.0.0.1", 0)) as (server, reached):
        port = server.getsockname()[1]
        here.run(f"nc -w 2 127.0.0.1 {port} < /dev/null", network=True, purpose="run")
        assert len(reached) == 1


def test_with_the_network_on_the_rest_stays_closed(here: World) -> None:
    before = Path("/sys/class/net/lo/flags").read_text()
    script = (
        "ls -A /; cat /etc/shadow; ip link set lo down; mount -t tmpfs "
        "x /tmp; unshare -r true; echo > /input/f"
    )
    result = here.run(script, network=True, purpose="run")
    assert result.code != 0 and "root:" not in result.text
    assert result.text.split()[:7] == ["bin", "dev", "etc", "input", "out", "proc", "tmp"]
    assert Path("/sys/class/net/lo/flags").read_text() == before
