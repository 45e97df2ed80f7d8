"""Kernels that lack something, and machines that forbid: system calls are taken away beforehand."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bramble.sandbox.spec import Mount
from bramble.sandbox.walls import numbers
from tests.sandbox.rawcalls import AVAILABLE, REASON
from tests.sandbox.world import Asker, Result, World

pytestmark = pytest.mark.skipif(not AVAILABLE, reason=REASON)

BEFORE_5_12 = {"mount_setattr": errno.ENOSYS, "landlock_create_ruleset": errno.ENOSYS}
BEFORE_5_9 = {**BEFORE_5_12, "close_range": errno.ENOSYS, "clone3": errno.ENOSYS}


@contextmanager
def machine(asker: Asker, lost: dict[str, int], prefix: tuple[str, ...] = ()) -> Iterator[World]:
    other = Asker(asker.user, asker.home, lost=lost, prefix=prefix)
    world = World(other)
    try:
        yield world
    finally:
        other.stop()
        shutil.rmtree(world.path, ignore_errors=True)


def refusal(result: Result) -> dict[str, Any]:
    assert result.error is not None, result
    assert result.error["error"] == "sandbox.unavailable" and result.error["remedy"], result.error
    return result.error


@pytest.mark.parametrize("lost", [BEFORE_5_12, BEFORE_5_9], ids=["before 5.12", "before 5.9"])
def test_an_old_kernel_gives_the_same_walls(asker: Asker, lost: dict[str, int]) -> None:
    with machine(asker, lost) as here:
        project = here.path / "a project"
        (project / ".git").mkdir(parents=True)
        here.settle()
        mounts = [Mount(str(project), "/a project", True), Mount(str(project / ".git"), "/a project/.git")]
        result = here.run(
            (
                "id -u; echo made > /out/f; echo x > /input/file; echo x > /etc/x;"
                "echo x > '/a project/.git/x';"
                "chmod 000 /dev/null; echo x > /proc/sys/kernel/core_pattern; "
                "ls -A /proc/self/fd; echo y > '/a project/y'"
            ),
            more=mounts,
        )
        assert result.text.count("Read-only file system") == 5, result.text
        assert (here.out / "f").read_text() == "made\n" and (project / "y").exists()
        assert (here.out / "f").stat().st_uid == here.asker.uid
        assert result.text.split()[-4:] == ["0", "1", "2", "3"]
        table = here.run("cat /proc/self/mounts").text
        for line in table.splitlines():
            options = line.split()[3].split(",")
            assert "nosuid" in options and (
                "nodev" in options or line.split()[1].startswith(("/dev", "/proc"))
            ), line


def test_pid_1_is_hidden_without_landlock_too(asker: Asker) -> None:
    """Landlock would refuse to trace it as well: here it is away, and what hides pid 1 stands alone."""
    with machine(asker, BEFORE_5_12) as here:
        attached, seized, read = here.calls(
            ("ptrace", 16, 1, 0, 0), ("ptrace", 0x4206, 1, 0, 0), ("open", b"/proc/1/environ", 0)
        )
        assert {attached, seized} <= {-errno.EPERM, -errno.ESRCH} and read < 0
        shown = here.run("ls -d /proc/[0-9]*; cat /proc/1/cmdline; grep -c . /proc/1/maps; ls -l /proc/1/fd")
        assert shown.text.splitlines()[0] == "/proc/2" and "python" not in shown.text


def test_an_old_kernel_protects_what_is_mounted_in_an_input_too(asker: Asker) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount something in an input")
    with machine(asker, BEFORE_5_12) as here:
        inner = here.input / "in ner"
        inner.mkdir()
        assert (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "mode=777,noexec", "none", inner], check=False
            ).returncode
            == 0
        )
        try:
            assert "Read-only" in here.run("echo y > '/input/in ner/f'").text
        finally:
            subprocess.run(["umount", inner], check=True)


def test_a_container_s_filter_that_forbids_namespaces_is_named(asker: Asker) -> None:
    with machine(asker, {"clone": errno.EPERM}) as here:
        error = refusal(here.run("true"))
        assert "filter" in error["message"] and "seccomp=unconfined" in error["remedy"]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EINVAL])
def test_a_kernel_without_user_namespaces_is_named(asker: Asker, code: int) -> None:
    with machine(asker, {"clone": code}) as here:
        assert refusal(here.run("true"))


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EMFILE])
def test_a_helper_that_could_not_hear_of_the_end_starts_nothing(asker: Asker, code: int) -> None:
    with machine(asker, {"pidfd_open": code}) as here:
        for _ in range(3):
            assert refusal(here.run("sleep 100"))


@pytest.mark.parametrize("call", ["mount", "pivot_root", "seccomp", "prctl"])
def test_no_wall_that_the_kernel_refuses_is_left_out_in_silence(asker: Asker, call: str) -> None:
    with machine(asker, {call: errno.EPERM} if call != "prctl" else {"capset": errno.EPERM}) as here:
        result = here.run("echo inside")
        assert result.failed == "sandbox.unavailable" and result.output == b""


@pytest.mark.parametrize("call", ["keyctl", "personality"])
def test_what_containers_refuse_harmlessly_is_not_needed(asker: Asker, call: str) -> None:
    with machine(asker, {call: errno.EPERM}) as here:
        assert here.run("echo inside").text == "inside\n"


def test_a_limit_of_namespaces_is_named(asker: Asker) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare (util-linux) is not installed")
    inside = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'
    with machine(asker, {}, (unshare, "-Ur", "sh", "-c", inside, "sh")) as here:
        if here.user:
            pytest.skip("the worker cannot become another user in that namespace")
        error = refusal(here.run("true"))
        assert "user.max_net_namespaces is 0" in error["message"] and "sysctl -w" in error["remedy"]


def test_a_covered_proc_is_named(asker: Asker) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or asker.user:
        pytest.skip(
            "unshare (util-linux) is not installed, or the worker could not become another user in it"
        )
    covered = (
        'mount -t tmpfs none /proc/scsi 2>/dev/null || mount -t tmpfs none /proc/fs && exec unshare -Urm "$@"'
    )
    with machine(asker, {}, (unshare, "-Urm", "sh", "-c", covered, "sh")) as here:
        error = refusal(here.run("true"))
        assert "/proc" in error["message"] and "systempaths=unconfined" in error["remedy"]


def test_a_chroot_is_named(asker: Asker) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can chroot")
    if asker.user == "":
        pytest.skip("the worker of root would be given its namespaces by capability")
    directory = f"{asker.home}/jail"
    if not os.path.exists(directory):
        os.makedirs(directory)
    subprocess.run(["mount", "--rbind", "/", directory], check=True)
    subprocess.run(["mount", "--make-rprivate", directory], check=True)
    try:
        with machine(asker, {}, ("chroot", f"{directory}/")) as here:
            # A chroot into a mount of the root is still a chroot.
            result = here.run("true")
            assert result.failed == "sandbox.unavailable" and "chroot" in str(result.error)
    finally:
        subprocess.run(["umount", "-R", "-l", directory], check=True)


def test_root_whose_file_system_cannot_show_another_owner_lends_its_files(asker: Asker) -> None:
    if os.geteuid() != 0 or asker.user:
        pytest.skip("only root becomes another user")
    # Loses the call for id-mapping alone: flags of the attributes lie behind a pointer, so all of it goes.
    with machine(asker, {"mount_setattr": errno.EINVAL}) as here:
        assert here.run("true").failed != ""
    with machine(asker, BEFORE_5_12) as here:
        (here.out / "d").mkdir()
        (here.out / "d" / "old").write_text("old")
        (here.private / "linked").write_text("theirs")
        os.chown(here.private / "linked", 4242, 4242)
        os.link(here.private / "linked", here.out / "theirs")
        result = here.run(
            "stat -c %u /out /out/d/old; echo n > /out/d/new; chmod 000 /out/d; "
            "mkdir -p /out/e/f/g; ln -s /input/file /out/l"
        )
        assert result.text == "1000\n1000\n"
        for path in (here.out, *here.out.rglob("*")):
            assert path.lstat().st_uid == (4242 if path.name == "theirs" else 0), path
        assert (here.private / "linked").stat().st_uid == 4242 and (here.input / "file").stat().st_uid == 0


def test_the_calls_that_are_taken_away_exist() -> None:
    for call in (*BEFORE_5_9, "clone", "mount", "pivot_root", "seccomp", "capset", "keyctl", "personality"):
        assert numbers.number(call, "x86_64") is not None
