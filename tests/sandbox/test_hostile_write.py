"""Attempts to change what was not given to be changed, seen from inside and from the host afterwards."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from bramble.sandbox.spec import Mount
from tests.sandbox.rawcalls import Of, Room
from tests.sandbox.world import World

O_WRONLY, O_CREAT, O_TMPFILE = 1, 0o100, 0o20200000


def snapshot(directory: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return everything below a directory: mode, mtime, links and content."""
    found = {}
    for path in (directory, *sorted(directory.rglob("*"))):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_nlink, content)
    return found


WRITES = [
    "echo x > /input/new",
    "echo x > /input/file",
    "echo x >> /input/file",
    "truncate -s 0 /input/file",
    "rm -f /input/file",
    "rm -rf /input",
    "mv /input/file /input/other",
    "mv /input/file /out/stolen",
    "mkdir /input/d",
    "ln -s x /input/link",
    "ln /input/file /input/hard",
    "chmod 777 /input/file",
    "chmod 777 /input",
    "chown 1000 /input/file",
    "touch /input/file",
    "touch -d 2001-01-01 /input",
    "mkfifo /input/fifo",
    "dd if=/dev/zero of=/input/file conv=notrunc count=1",
    "sed -i s/given/taken/ /input/file",
    "cp /bin/busybox /input/file",
]


@pytest.mark.parametrize("script", WRITES)
def test_an_input_cannot_be_changed(here: World, script: str) -> None:
    before = snapshot(here.input)
    assert here.run(script).code != 0
    assert snapshot(here.input) == before


def test_an_input_linked_into_the_output_cannot_be_changed_there(here: World) -> None:
    before = snapshot(here.input)
    here.run(
        "ln /input/file /out/hard; echo x > /out/hard; chmod 777 /out/hard; "
        "ln -s /input/file /out/l; echo x > /out/l"
    )
    after = snapshot(here.input)
    assert {path: (s[0], s[3]) for path, s in after.items()} == {
        path: (s[0], s[3]) for path, s in before.items()
    }
    assert (
        not (here.out / "hard").exists()
        or (here.out / "hard").stat().st_ino != (here.input / "file").stat().st_ino
    )


def test_no_call_writes_to_an_input(raw: World) -> None:
    before = snapshot(raw.input)
    del before[str(raw.input)]
    results = raw.calls(
        ("open", b"/input/file", O_WRONLY),
        ("open", b"/input/new", O_WRONLY | O_CREAT, 0o644),
        ("open", b"/input", O_TMPFILE | O_WRONLY, 0o644),
        ("truncate", b"/input/file", 0),
        ("linkat", -100, b"/input/file", -100, b"/input/hard", 0),
        ("utimensat", -100, b"/input/file", 0, 0),
        ("mmap", 0, 4096, 3, 1, Of(0), 0),
        ("open", b"/proc/self/fd/../../../input/file", O_WRONLY),
        ("rename", b"/input/file", b"/input/f"),
    )
    assert all(result < 0 for result in results)
    after = snapshot(raw.input)
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    "script",
    [
        "mount -o remount,rw,bind /input",
        "mount -o remount,rw /",
        "umount /input",
        "umount -l /proc/sys",
        "mount -t tmpfs x /input",
        "mount --bind /out /input",
        "mount --move /out /mnt",
        "pivot_root /out /out",
        "chroot /out /bin/true",
        "unshare -m true",
        "unshare -r true",
        "unshare -rm mount -o remount,rw,bind /input",
        "nsenter -t 1 -m true",
    ],
)
def test_mounts_cannot_be_changed(here: World, script: str) -> None:
    assert here.run(script).code != 0


@pytest.mark.parametrize(
    "path", ["/", "/bin", "/dev", "/etc", "/proc", "/etc/passwd", "/dev/pts", "/input/sub"]
)
def test_the_tree_itself_cannot_be_written(here: World, path: str) -> None:
    assert here.run(f"echo x > {path}/new || mkdir {path}/d || ln -s x {path}/l").code != 0
    assert here.run(f"echo x > {path}").code != 0


SETTINGS = [
    "kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "kernel/sysrq", "kernel/ns_last_pid",
    "kernel/unprivileged_userns_clone", "vm/drop_caches", "vm/overcommit_memory", "fs/file-max",
    "net/ipv4/ip_forward",
    "user/max_user_namespaces", "kernel/randomize_va_space", "fs/binfmt_misc/register",
]  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_kernel_cannot_be_written(here: World, name: str) -> None:
    path = Path("/proc/sys", name)
    before = content(path)
    result = here.run(f"echo x > /proc/sys/{name} || cp /input/file /proc/sys/{name}")
    assert result.code != 0
    assert not before or name == "kernel/ns_last_pid" or content(path) == before


def content(path: Path) -> bytes:
    """Return what a setting is; nothing for one that is not there, or can only be written."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    "path",
    ["/proc/sysrq-trigger", "/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/setgroups",
     "/proc/1/oom_score_adj",
     "/proc/irq/default_smp_affinity", "/proc/bus/pci/devices", "/proc/mtrr", "/proc/self/oom_adj_x"],
)  # fmt: skip
def test_other_files_in_proc_cannot_be_written(here: World, path: str) -> None:
    assert here.run(f"echo 0 > {path}").code != 0


def test_the_name_of_the_machine_stays(raw: World) -> None:
    before = os.uname().nodename
    assert raw.calls(("sethostname", b"evil", 4)) == [-errno.EPERM]
    assert os.uname().nodename == before
    assert raw.run("hostname evil; hostname").text.split()[-1] == "localhost"


def test_the_host_s_device_nodes_keep_their_modes(here: World) -> None:
    names = ("null", "zero", "full", "random", "urandom", "tty")
    before = [os.stat(f"/dev/{name}").st_mode for name in names]
    result = here.run(
        "chmod 000 /dev/null /dev/zero /dev/full /dev/random /dev/urandom "
        "/dev/tty; chown 1000 /dev/null; rm /dev/null"
    )
    assert result.code != 0 and [os.stat(f"/dev/{name}").st_mode for name in names] == before
    assert (
        here.run("echo x > /dev/null && head -c 4 /dev/urandom | wc -c && head -c 4 /dev/zero | wc -c").text
        == "4\n4\n"
    )


SETUID = [
    ("chmod", b"/out/f", 0o4755),
    ("chmod", b"/out/f", 0o2755),
    ("fchmod", Of(0), 0o4755),
    ("fchmodat", -100, b"/out/f", 0o6755, 0),
    ("fchmodat2", -100, b"/out/f", 0o4755, 0),
    ("creat", b"/out/g", 0o4755),
    ("open", b"/out/g", O_WRONLY | O_CREAT, 0o4755),
    ("openat", -100, b"/out/g", O_WRONLY | O_CREAT, 0o2755),
    ("open", b"/out", O_TMPFILE | O_WRONLY, 0o4755),
    ("mknod", b"/out/g", 0o104755, 0),
    ("mkdir", b"/out/g", 0o2755),
]


@pytest.mark.parametrize("call", SETUID, ids=lambda call: call[0])
def test_no_setuid_file_can_be_made(raw: World, call: tuple[object, ...]) -> None:
    made, refused = raw.calls(("open", b"/out/f", O_WRONLY | O_CREAT, 0o755), call)
    assert made >= 0 and refused in (-errno.EPERM, -errno.ENOSYS)
    for path in raw.out.iterdir():
        assert path.stat().st_mode & 0o6000 == 0


def test_no_extended_attribute_can_be_set(raw: World) -> None:
    results = raw.calls(
        ("open", b"/out/f", O_WRONLY | O_CREAT, 0o755),
        ("setxattr", b"/out/f", b"user.x", b"y", 1, 0),
        ("setxattr", b"/out/f", b"security.capability", Room(20), 20, 0),
        ("getxattr", b"/out/f", b"user.x", Room(20), 20),
    )
    assert results[1:] == [-errno.EOPNOTSUPP] * 3
    assert os.listxattr(raw.out / "f") == []


def test_a_link_in_the_output_is_not_a_way_to_the_host(here: World) -> None:
    here.run("ln -s /etc /out/etc; ln -s ../private /out/private; ln -s / /out/root")
    here.run("echo x > /out/etc/evil; echo x > /out/private/evil; echo x > /out/root/evil")
    assert [path.name for path in here.private.iterdir()] == ["secret"]
    assert not Path("/etc/evil").exists() and not Path("/evil").exists()


def test_the_log_cannot_be_truncated_or_read_by_the_build(here: World) -> None:
    result = here.run("echo first; : > /proc/self/fd/1; truncate -s 0 /proc/self/fd/1; echo second")
    assert result.output.startswith(b"first\n") and result.output.endswith(b"second\n")


def test_a_program_may_open_its_own_output_by_name(here: World) -> None:
    result = here.run(
        "echo a > /dev/stdout; echo b > /dev/stderr; echo c > /proc/self/fd/2; echo d | tee /dev/stderr"
    )
    assert result.text == "a\nb\nc\nd\nd\n"


def test_the_clock_cannot_be_set(raw: World) -> None:
    # A time that the host would hardly notice, should this test ever fail.
    results = raw.calls(("settimeofday", Room(16), 0), (227, 0, Room(16)), (305, 0, Room(208)))
    assert results == [-errno.EPERM] * 3


def test_a_read_only_mount_in_a_writable_one_stays_read_only(here: World) -> None:
    project = here.path / "project"
    (project / ".git" / "hooks").mkdir(parents=True)
    here.settle()
    mounts = [Mount(str(project), "/project", True), Mount(str(project / ".git"), "/project/.git")]
    result = here.run(
        (
            "echo x > /project/.git/hooks/post; rm -rf /project/.git; mv "
            "/project/.git /project/g; echo ok > /project/f"
        ),
        more=mounts,
    )
    assert "Read-only" in result.text and (project / "f").exists()
    assert list((project / ".git" / "hooks").iterdir()) == []


def test_a_link_planted_where_a_mount_is_to_come_is_not_followed(here: World) -> None:
    project = here.path / "project"
    project.mkdir()
    (project / "link").symlink_to(here.private)
    (project / "abs").symlink_to("/etc")
    here.settle()
    for target in ("/project/link", "/project/abs", "/project/link/x", "/project/abs/ssl"):
        mounts = [Mount(str(project), "/project", True), Mount(str(here.input), target)]
        assert here.run("ls /project/link/ /etc", more=mounts).failed == "sandbox.mount", target


def test_what_a_run_may_write_ends_at_its_mounts(here: World) -> None:
    before = snapshot(here.private)
    result = here.run(
        "echo ok > /out/f; echo x > /out/../private/secret; echo x > /private/secret", purpose="run"
    )
    assert (here.out / "f").read_text() == "ok\n" and result.code != 0
    assert snapshot(here.private) == before


def test_sources_mounted_in_an_input_are_read_only_too(here: World) -> None:
    """A recursive read-only bind: what is mounted *in* the source on the host is protected like the rest."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount something in an input")
    inner = here.input / "inner"
    inner.mkdir()
    here.settle()
    assert os.system(f"mount -t tmpfs -o mode=777 none {inner}") == 0
    try:
        (inner / "f").write_text("x")
        os.chmod(inner / "f", 0o666)
        assert here.run("cat /input/inner/f; echo y > /input/inner/f").code != 0
        assert (inner / "f").read_text() == "x" and list(inner.iterdir()) == [inner / "f"]
    finally:
        os.system(f"umount {inner}")


def test_no_mount_honours_setuid_files_or_devices(here: World) -> None:
    mounted = here.run("cat /proc/self/mounts", purpose="run", network=True).text.splitlines()
    assert len(mounted) > 20
    for line in mounted:
        _, target, kind, options = line.split()[:4]
        flags = options.split(",")
        assert "nosuid" in flags, line
        assert "nodev" in flags or kind in ("devtmpfs", "devpts") or target == "/dev", line
        if target not in ("/tmp", "/dev/shm", "/dev/pts", "/out", "/proc"):
            assert "ro" in flags, line


def test_what_was_made_belongs_to_the_caller(here: World) -> None:
    here.run("mkdir -p /out/a/b; echo x > /out/a/b/c; ln -s x /out/l; chmod 000 /out/a/b/c; mkfifo /out/p")
    for path in here.out.rglob("*"):
        assert path.lstat().st_uid == here.asker.uid
