"""Attempts to read what was not given, as the caller and, when that is root, as an ordinary user too."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from bramble.sandbox.spec import Mount
from bramble.sandbox.steps import GROUP, HOSTS, PASSWD, PROC_HIDDEN_DIRECTORIES, PROC_HIDDEN_FILES
from tests.sandbox.rawcalls import Of, Room
from tests.sandbox.world import SECRET, World

HOST_FILES = [
    "/etc/shadow", "/etc/hostname", "/etc/machine-id", "/etc/resolv.conf", "/root", "/home", "/var", "/usr",
    "/lib",
    "/lib64",
    "/sbin", "/boot", "/opt", "/run", "/srv", "/mnt", "/media", "/sys", "/work",
]  # fmt: skip


@pytest.mark.parametrize("path", HOST_FILES)
def test_the_host_s_files_are_not_there(here: World, path: str) -> None:
    result = here.run(f"ls -d {path}; cat {path}")
    assert result.code != 0 and "No such file" in result.text


def test_the_root_holds_what_was_given_and_nothing_else(here: World) -> None:
    assert here.run("ls -A /").text.split() == ["bin", "dev", "etc", "input", "out", "proc", "tmp"]


def test_what_stands_beside_a_given_directory_is_not_there(here: World) -> None:
    home = str(here.path)
    result = here.run(
        f"ls {home}; ls -A {home}/..; cat {home}/private/secret",
        more=[Mount(f"{home}/input", f"{home}/input")],
    )
    assert SECRET not in result.text
    assert here.run(f"ls -A {home}", more=[Mount(f"{home}/input", f"{home}/input")]).text.split() == ["input"]
    assert (here.private / "secret").read_text() == SECRET


@pytest.mark.parametrize(
    "way",
    ["/..", "/../../..", "/proc/self/root/..", "/proc/self/cwd/../../..", "/input/../..", "/proc/2/root/.."],
)
def test_no_way_up_leads_out(here: World, way: str) -> None:
    assert here.run(f"cd -P {way} && ls -A .").text.split() == [
        "bin",
        "dev",
        "etc",
        "input",
        "out",
        "proc",
        "tmp",
    ]


def test_a_link_in_an_input_leads_nowhere_on_the_host(here: World) -> None:
    (here.input / "absolute").symlink_to(here.private / "secret")
    (here.input / "relative").symlink_to("../private/secret")
    (here.input / "shadow").symlink_to("/etc/shadow")
    here.settle()
    result = here.run("for f in absolute relative shadow; do cat /input/$f; done")
    assert result.code != 0 and SECRET not in result.text and "root:" not in result.text


def test_users_groups_and_hosts_are_constants(here: World) -> None:
    assert (
        here.run("cat /etc/passwd /etc/group /etc/hosts; ls /etc").text
        == PASSWD + GROUP + HOSTS + "group\nhosts\npasswd\n"
    )


def test_pid_1_has_nothing_to_read(here: World) -> None:
    for name in (
        "environ",
        "mem",
        "maps",
        "cmdline",
        "fd",
        "fdinfo",
        "cwd",
        "exe",
        "root",
        "stat",
        "status",
        "io",
    ):
        result = here.run(f"cat /proc/1/{name}; ls -l /proc/1/{name}; readlink /proc/1/{name}")
        assert result.code != 0 and "python" not in result.text and "bramble" not in result.text, name
    assert here.run("ls -d /proc/[0-9]*").text == "/proc/2\n"


def test_pid_1_cannot_be_traced_or_read_by_calls(raw: World) -> None:
    attach, seize, copied, compared = raw.calls(
        ("ptrace", 16, 1, 0, 0),
        ("ptrace", 0x4206, 1, 0, 0),
        ("process_vm_readv", 1, Room(16), 1, Room(16), 1, 0),
        ("kcmp", 2, 1, 0, 1, 1),
    )
    assert {attach, seize, copied, compared} <= {-errno.EPERM, -errno.ESRCH}


def test_the_processes_of_the_host_are_not_there(here: World) -> None:
    assert here.run(f"kill -0 {os.getpid()}; cat /proc/{os.getpid()}/cmdline").code != 0
    assert len(here.run("ls -d /proc/[0-9]*").text.split()) == 1


def test_files_of_the_kernel_are_covered(here: World) -> None:
    names = " ".join(PROC_HIDDEN_FILES)
    script = f"cd /proc; for n in {names}; do ! test -e $n || echo $n $(cat $n | wc -c); done; echo end"
    lines = here.run(script).text.splitlines()
    there = {name for name in PROC_HIDDEN_FILES if os.path.exists(f"/proc/{name}")}
    assert sorted(lines) == sorted([*(f"{name} 0" for name in there), "end"])


@pytest.mark.parametrize("name", PROC_HIDDEN_DIRECTORIES)
def test_directories_of_the_kernel_are_covered(here: World, name: str) -> None:
    result = here.run(
        f"test -e /proc/{name} || exit 0; ls /proc/{name}; chmod 755 /proc/{name}; ls -A /proc/{name}"
    )
    assert "denied" in result.text or result.text == ""


def test_only_six_devices_are_there_and_none_that_holds_data(here: World) -> None:
    listed = here.run("ls -A /dev").text.split()
    nodes, links = (
        ["full", "null", "random", "tty", "urandom", "zero"],
        ["fd", "ptmx", "stderr", "stdin", "stdout"],
    )
    assert sorted(listed) == sorted([*nodes, *links, "pts", "shm"])
    assert here.run("dd if=/dev/sda of=/dev/null count=1; cat /dev/mem /dev/kmsg /dev/kvm").code != 0


def test_no_device_can_be_made_or_opened(here: World) -> None:
    device = os.stat("/").st_dev
    disk = f"mknod /out/disk b {os.major(device)} {os.minor(device)}; cat /out/disk"
    script = f"{disk}; mknod /tmp/mem c 1 1; cat /tmp/mem"
    result = here.run(script)
    assert result.code != 0 and not list(here.out.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device node to hand in")
def test_a_device_that_is_handed_in_cannot_be_opened(here: World) -> None:
    os.mknod(here.input / "zero", 0o666 | 0o020000, os.makedev(1, 5))
    os.chmod(here.input / "zero", 0o666)
    assert "Permission denied" in here.run("head -c 1 /input/zero").text


def test_the_caller_s_environment_does_not_come_in(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    here.asker.stop()  # a worker that has seen the variable
    result = here.run("busybox env; cat /proc/*/environ | tr '\\0' '\\n'")
    here.asker.stop()
    assert SECRET not in result.text
    assert (
        sorted(set(result.text.split())) == ["PATH=/bin", "PWD=/tmp", "SHLVL=1"] or "TOKEN" not in result.text
    )


def test_exactly_the_given_environment_comes_in_sorted(here: World) -> None:
    env = (("b", "2"), ("PATH", "/bin"), ("a", "1"), ("out", "/out"))
    result = here.execute(("/bin/cat", "/proc/self/environ"), env=env)
    assert result.output == b"PATH=/bin\0a=1\0b=2\0out=/out\0"


def test_no_descriptor_of_the_caller_comes_in(here: World) -> None:
    result = here.run("ls /proc/self/fd; for n in 3 4 5 6 7 8 9 10 20 100; do cat <&$n; done 2>/dev/null")
    # ls itself holds the directory.
    assert result.text.split() == ["0", "1", "2", "3"]


def test_an_inheritable_descriptor_of_the_caller_does_not_come_in(here: World) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {here.asker.home + "/code"!r})
secret = os.open({str(here.private / "secret")!r}, os.O_RDONLY)
directory = os.open("/", os.O_RDONLY)
os.dup2(secret, 77); os.dup2(directory, 78)
from bramble.sandbox.launch import Launcher
from bramble.sandbox.spec import Mount, SandboxSpec
said = []
with Launcher() as launcher:
    script = "cat <&77; ls /proc/self/fd/78/; ls /proc/self/fd"
    mounts = (Mount({here.asker.home + "/programs"!r}, "/bin"),)
    spec = SandboxSpec(("/bin/sh", "-c", script), (("PATH", "/bin"),), "/", mounts)
    launcher.run(spec, on_output=said.append)
sys.stdout.buffer.write(b"".join(said))
"""
    from tests.sandbox.world import interpreter

    user = {"user": int(here.user), "group": int(here.user), "extra_groups": []} if here.user else {}
    run = subprocess.run(
        [interpreter(here.user), "-B", "-c", code], capture_output=True, check=True, cwd="/", **user
    )  # type: ignore[call-overload]
    assert SECRET.encode() not in run.stdout and b"etc" not in run.stdout
    assert run.stdout.split()[-4:] == [b"0", b"1", b"2", b"3"]


def test_standard_input_is_empty(here: World) -> None:
    assert here.run("cat | wc -c; readlink /proc/self/fd/0").text == "0\n/dev/null\n"


def test_the_kernel_s_log_cannot_be_read(raw: World) -> None:
    assert raw.calls(("syslog", 3, Room(4096), 4096), ("syslog", 10, 0, 0)) == [-errno.EPERM] * 2


def test_keyrings_cannot_be_read(raw: World) -> None:
    describe, session, search, add = raw.calls(
        ("keyctl", 6, -3, Room(256), 256),
        ("keyctl", 0, -3, 0),
        ("request_key", b"user", b"token", 0, -3),
        ("add_key", b"user", b"x", b"y", 1, -3),
    )
    assert {describe, session, search, add} == {-errno.EPERM}


@pytest.mark.parametrize(
    "call",
    [
        ("bpf", 0, Room(128), 128),
        ("perf_event_open", Room(128), 0, -1, -1, 0),
        ("userfaultfd", 0),
        ("fanotify_init", 0, 0),
        ("open_by_handle_at", 0, Room(128), 0),
        ("pidfd_getfd", 0, 0, 0),
        ("iopl", 3),
    ],
)
def test_calls_that_look_into_the_kernel_are_refused(raw: World, call: tuple[object, ...]) -> None:
    assert raw.calls(call) == [-errno.EPERM]


def test_hidden_paths_cannot_be_read_in_any_way(here: World) -> None:
    project = here.path / "project"
    (project / "keys").mkdir(parents=True)
    (project / "keys" / "private").write_text(SECRET)
    (project / ".env").write_text(SECRET)
    (project / "link").symlink_to("keys/private")
    here.settle()
    mounts = [Mount(str(project), "/project", writable=True)]
    script = """
        cat /project/.env /project/keys/private /project/link
        ls -A /project/keys; cd /project/keys
        chmod 777 /project/keys /project/.env; umount /project/keys
        rm -rf /project/keys /project/.env; mv /project/keys /project/k; mv /project/.env /project/e
        cp -r /project /out/copy; ln /project/.env /project/hard
        mkdir /project/new && mv /project/new /project/keys
        find / -name private
        grep -r the-secret /project /out
    """
    result = here.run(script, more=mounts, hidden=("/project/keys", "/project/.env"))
    assert SECRET not in result.text
    assert (project / ".env").read_text() == SECRET and (project / "keys" / "private").read_text() == SECRET


def test_a_directory_that_holds_something_hidden_can_be_moved_but_not_uncovered(here: World) -> None:
    project = here.path / "project"
    (project / "a" / "keys").mkdir(parents=True)
    (project / "a" / "keys" / "private").write_text(SECRET)
    here.settle()
    result = here.run(
        "mv /project/a /project/b; cat /project/*/keys/private; ls /project",
        more=[Mount(str(project), "/project", writable=True)],
        hidden=("/project/a/keys",),
    )
    assert SECRET not in result.text


def test_a_link_planted_in_a_project_does_not_move_what_is_hidden(here: World) -> None:
    project = here.path / "project"
    (project / "real").mkdir(parents=True)
    (project / "real" / "private").write_text(SECRET)
    (project / "link").symlink_to("real")
    here.settle()
    mounts = [Mount(str(project), "/project", writable=True)]
    refused = here.run("cat /project/real/private", more=mounts, hidden=("/project/link",))
    assert refused.failed == "sandbox.mount" and refused.text == ""
    beyond = here.run("cat /project/real/private", more=mounts, hidden=("/project/link/private",))
    assert beyond.failed == "sandbox.mount" and beyond.text == ""


def test_a_hidden_path_that_is_not_there_is_an_error_and_not_silence(here: World) -> None:
    assert here.run("true", hidden=("/input/typing-mistake",)).failed == "sandbox.mount"


def test_the_log_of_the_build_cannot_be_read_back_from_a_file(here: World) -> None:
    assert here.run("readlink /proc/self/fd/1 | cut -d: -f1").text == "pipe\n"


def test_mounts_tell_of_nothing_but_what_was_given(here: World) -> None:
    table = here.run("cat /proc/self/mountinfo").text
    targets = {line.split()[4] for line in table.splitlines()}
    own = {"/", "/tmp", "/bin", "/input", "/out"}
    assert targets - own == {target for target in targets if target.startswith(("/proc", "/dev"))}
    assert here.run("cat /proc/self/cgroup").text.count("..") == 0
    assert {line.rpartition(":")[2] for line in here.run("cat /proc/self/cgroup").text.split()} == {"/"}


def test_a_file_of_another_user_that_is_only_hard_to_name_is_not_there(here: World) -> None:
    with (
        tempfile.NamedTemporaryFile("w", dir="/dev/shm") as shared,
        tempfile.NamedTemporaryFile("w") as temporary,
    ):
        for file in (shared, temporary):
            file.write(SECRET)
            file.flush()
            os.chmod(file.name, 0o644)
            assert here.run(f"cat {file.name}").code != 0
        assert here.run("ls -A /tmp /dev/shm").text == "/dev/shm:\n\n/tmp:\n"


def test_memory_and_temporary_files_of_one_sandbox_are_not_those_of_the_next(here: World) -> None:
    here.run("echo secret > /tmp/x; echo secret > /dev/shm/y")
    assert here.run("cat /tmp/x /dev/shm/y").code != 0


def test_opening_by_handle_or_by_proc_reaches_no_other_root(raw: World) -> None:
    (raw.path / "input" / "x").write_text("")
    raw.settle()
    opened = raw.calls(
        ("open", b"/proc/1/root", 0),
        ("open", b"/proc/1/cwd", 0),
        ("openat", Of(0), b"etc/shadow", 0),
        ("open", b"/proc/self/task/2/root/../etc/shadow", 0),
        ("openat2", -100, b"/etc/shadow", Room(24), 24),
    )
    assert all(result < 0 for result in opened) and opened[4] == -errno.ENOSYS


def test_the_binary_of_the_helper_cannot_be_found(here: World) -> None:
    everything = here.run("cat /proc/self/maps /proc/self/mountinfo; ls -l /proc/*/exe; ps").text
    assert "helper" not in everything and "libpython" not in everything


def test_extended_attributes_tell_nothing(here: World) -> None:
    path = here.input / "file"
    try:
        os.setxattr(path, "user.secret", SECRET.encode())
    except OSError as error:
        pytest.skip(f"this file system has no extended attributes: {error}")
    assert SECRET not in here.run("getfattr -d /input/file; getfattr -n user.secret /input/file").text


def test_the_ordinary_way_to_look_at_the_world_is_left(here: World) -> None:
    """What a build may see, and often must, is there: or these tests would pass with an empty sandbox."""
    result = here.run(
        "cat /proc/cpuinfo /proc/meminfo | wc -l; nproc; uname -n; cat /proc/self/stat | wc -w; date +%Z"
    )
    lines = result.text.split()
    assert int(lines[0]) > 10 and int(lines[1]) >= 1 and lines[2] == "localhost" and lines[-1] == "UTC"
    assert Path("/proc/cpuinfo").exists()
