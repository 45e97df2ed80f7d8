"""Mounts that travel, machines with names: what only shows on a host that has such things."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.sandbox.spec import Mount
from tests.sandbox.test_other_kernels import machine
from tests.sandbox.world import Asker, World

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount something on the host")


@contextlib.contextmanager
def shared(directory: Path) -> Iterator[Path]:
    """Make a directory a mount of its own that shares what is mounted in it, as systemd makes every mount."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "none", directory], check=True)
    subprocess.run(["mount", "--make-shared", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-R", "-l", directory], check=True)


def mounted_below(directory: Path) -> list[str]:
    table = Path("/proc/self/mountinfo").read_text()
    return [line.split()[4] for line in table.splitlines() if line.split()[4].startswith(f"{directory}/")]


@ROOT_ONLY
def test_a_mount_in_the_sandbox_does_not_appear_on_the_host(here: World) -> None:
    project = here.path / "project"
    project.mkdir()
    with shared(project):
        for name in ("git", "keys"):
            (project / name).mkdir()
            os.chmod(project / name, 0o777)
        seen: list[list[str]] = []
        looking = threading.Timer(0.2, lambda: seen.append(mounted_below(project)))
        looking.start()
        result = here.run(
            "usleep 400000; echo x > /project/git/x; ls /project/keys",
            more=[Mount(str(project), "/project", True), Mount(str(project / "git"), "/project/git")],
            hidden=("/project/keys",),
        )
        looking.join()
        assert "Read-only" in result.text and "denied" in result.text
        assert seen == [[]] and mounted_below(project) == []
        (project / "git" / "still").write_text("writable")


@ROOT_ONLY
def test_a_mount_on_the_host_does_not_appear_in_the_sandbox(here: World) -> None:
    with shared(here.input):
        late = here.input / "late"
        late.mkdir()
        os.chmod(late, 0o777)

        def mount() -> None:
            subprocess.run(["mount", "-t", "tmpfs", "none", late], check=True)
            (late / "secret").write_text("x")
            (here.out / "go").touch()

        arriving = threading.Timer(0.1, mount)
        arriving.start()
        wait = "while ! [ -e /out/go ]; do usleep 20000; done"
        result = here.run(f"{wait}; ls -A /input/late; cat /proc/self/mounts")
        arriving.join()
        assert (late / "secret").exists()
        assert "secret" not in result.text and "/input/late" not in result.text


@ROOT_ONLY
def test_an_unmount_in_the_sandbox_is_none_on_the_host(here: World) -> None:
    with shared(here.input):
        (here.input / "f").write_text("x")
        assert here.run("umount -l /input; umount /input; exit 3").code == 3
        assert (here.input / "f").exists()


def test_the_names_of_the_machine_are_not_those_of_the_host(asker: Asker) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or asker.user:
        pytest.skip(
            "unshare (util-linux) is not installed, or the worker could not become another user in it"
        )
    name = "b'of-the-caller', 13"
    named = (
        "import ctypes, os, sys; libc = ctypes.CDLL(None)\n"
        f"assert libc.sethostname({name}) == 0 == libc.setdomainname({name})\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    with machine(asker, {}, (unshare, "-Uru", sys.executable, "-c", named)) as here:
        result = here.run("hostname; cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname; uname -a")
        assert "of-the-caller" not in result.text
        assert result.text.splitlines()[:3] == ["localhost", "localhost", "(none)"]


def test_a_sandbox_leaves_no_mount_and_no_namespace_behind(here: World) -> None:
    before = mounts_but_of_others(here)
    for _ in range(3):
        here.run("true", more=[Mount(str(here.input), "/out/../x")])
        here.run("sleep 30", cancel_after=0.1)
    time.sleep(0.1)
    assert mounts_but_of_others(here) == before


def mounts_but_of_others(here: World) -> list[str]:
    """Return the mounts of this machine, without those of tests that run beside us."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if "bramble-sandbox-" not in line or here.asker.home in line]


def test_a_file_with_a_second_name_cannot_be_hidden(here: World) -> None:
    (here.out / "key").write_text("secret")
    os.link(here.out / "key", here.out / "second")
    here.settle()
    result = here.run("cat /out/second", hidden=("/out/key",))
    assert result.failed == "sandbox.mount" and "hard links" in str(result.error) and not result.output


@pytest.mark.parametrize("within", [False, True])
def test_a_source_of_a_run_is_not_followed_when_it_is_mounted(here: World, within: bool) -> None:
    """A program of the same project that still runs can swap a directory for a link meanwhile."""
    secret, project = here.path / "secret", here.path / "project"
    (secret / "deep").mkdir(parents=True)
    project.mkdir()
    (secret / "key").write_text("private")
    (project / "data").mkdir()
    (project / "file").symlink_to("../secret/key")
    (project / "way").symlink_to("../secret")
    target = "/project/data" if within else "/data"
    outer = [Mount(str(project), "/project", True)] if within else []
    for source in ("way", "way/deep", "file"):
        more = [*outer, Mount(str(project / source), target, True)]
        refused = here.run("echo ran", more=more, purpose="run")
        assert refused.output == b"" and "sandbox.mount" in refused.error.values(), refused
    more = [Mount(str(project / "way"), "/data", True)]
    assert here.run("cat /data/key", more=more).text == "private"
