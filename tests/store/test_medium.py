"""What a file system is called, and whether it can do what a store needs: tried, not believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bramble.store.layout import medium

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:40 / /home rw,nosuid - btrfs /dev/vdb rw,subvol=/home
24 22 0:41 / /mnt/with\\040blank rw,noexec - vfat /dev/vdc rw
25 22 0:42 / /mnt/over rw - ext4 /dev/vdd rw
26 25 0:43 / /mnt/over rw shared:7 master:1 - tmpfs tmpfs rw,size=1k
27 22 0:44 / /homes rw - nfs4 server:/homes rw
"""


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/", "ext4"),
        ("/var/lib", "ext4"),
        ("/home", "btrfs"),
        ("/home/me/bramble", "btrfs"),
        ("/homes/me", "nfs4"),
        ("/homestead", "ext4"),
        ("/mnt/with blank/x", "vfat"),
        ("/mnt/over/x", "tmpfs"),
    ],
)
def test_the_nearest_and_the_last_mount_counts(path: str, kind: str) -> None:
    assert medium.mount_of(path, MOUNTS)[0] == kind


def test_the_options_are_those_of_the_mount() -> None:
    assert medium.mount_of("/mnt/with blank", MOUNTS)[1] == ("rw", "noexec")
    assert medium.mount_of("/x", "")[0] == "unknown"


def test_the_file_system_of_the_tests_can_do_everything(tmp_path: Path) -> None:
    found = medium.examine(str(tmp_path), Path("/proc/self/mountinfo").read_text())
    assert found.kind != "unknown" and found.lacks == ()


def refuse(*_: object, **__: object) -> None:
    raise OSError(95, "not supported")


def test_a_call_that_is_refused_is_a_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("symlink", "link", "mkdir", "chmod"):
        monkeypatch.setattr(os, name, refuse)
    assert medium.examine(str(tmp_path), MOUNTS).lacks == ("links", "hard links", "modes", "names")


def test_names_that_are_taken_for_each_other_are_a_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists, listdir = os.path.exists, os.listdir
    monkeypatch.setattr(os.path, "exists", lambda path: exists(path.lower()))
    monkeypatch.setattr(os, "listdir", lambda path: sorted(listdir(path))[1:])
    assert medium.examine(str(tmp_path.parent.resolve() / tmp_path.name), MOUNTS).lacks[-2:] == (
        "case",
        "names",
    )


def test_modes_that_are_not_kept_and_locks_that_do_not_lock_are_a_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "chmod", lambda path, mode: None)
    monkeypatch.setattr(medium.LockFile, "try_exclusive", lambda self, name: True)
    assert medium.examine(str(tmp_path), MOUNTS).lacks == ("modes", "locks")
