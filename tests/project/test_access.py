"""A file of a project is read or replaced in the project, whatever links and special files stand in it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Callable

import pytest

from bramble.errors import BrambleError
from bramble.project import access
from bramble.project.access import create_file, read_file, replace_file
from bramble.project.lockfile import read_lock, update_lock
from bramble.project.project import find_project

PIN = {"fetch_url https://example.test/x": "a" * 32}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    (project / "inner" / "deep").mkdir(parents=True)
    (project / "file").write_bytes(b"own")
    (tmp_path / "outside").write_bytes(b"private")
    return project


INSIDE = {
    "a link": ("file",),
    "a link through directories": ("inner/deep/../../file",),
    "a link in a link's directory": ("inner/up",),
    "dots": ("./inner/.././file",),
}
OUTSIDE = {
    "absolute": "/etc/passwd",
    "absolute and inside": "{root}/file",
    "up": "../outside",
    "up from below": "inner/deep/../../../outside",
    "by way of another": "chain",
    "into the project again": "../project/file",
}


@pytest.mark.parametrize("case", INSIDE)
def test_links_that_stay_inside_are_followed(root: Path, case: str) -> None:
    (root / "inner" / "up").symlink_to("../file")
    (root / "link").symlink_to(*INSIDE[case])
    assert read_file(str(root), "link") == b"own"
    replace_file(str(root), "link", b"new")
    assert (root / "link").is_symlink() and (root / "file").read_bytes() == b"new"
    assert sorted(os.listdir(root)) == ["file", "inner", "link"]


@pytest.mark.parametrize("case", OUTSIDE)
def test_links_that_lead_out_are_refused(root: Path, case: str) -> None:
    (root / "chain").symlink_to("../outside")
    (root / "link").symlink_to(OUTSIDE[case].format(root=root))
    before = sorted(os.listdir(root)), (root.parent / "outside").read_bytes()
    for attempt in (lambda: read_file(str(root), "link"), lambda: replace_file(str(root), "link", b"new")):
        with pytest.raises(OSError, match="leads out of the project"):
            attempt()
    assert before == (sorted(os.listdir(root)), (root.parent / "outside").read_bytes())


def test_a_directory_on_the_way_that_leads_out_is_refused(root: Path) -> None:
    (root / "way").symlink_to("..")
    with pytest.raises(OSError, match="leads out of the project"):
        read_file(str(root), "way/outside")
    with pytest.raises(OSError, match="leads out of the project"):
        replace_file(str(root), "way/new", b"")
    assert not (root.parent / "new").exists()


def test_links_in_a_circle_end(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(OSError) as caught:
        read_file(str(root), "a")
    assert caught.value.errno == errno.ELOOP


def specials(root: Path) -> list[str]:
    os.mkfifo(root / "fifo")
    listening = socket.socket(socket.AF_UNIX)
    here = os.open(root, os.O_RDONLY)
    listening.bind(f"/proc/self/fd/{here}/socket")
    os.close(here)
    listening.close()
    found = ["fifo", "socket", "inner", "inner/..", ".", ""]
    if os.geteuid() == 0:
        try:
            os.mknod(root / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            found.append("device")
        except PermissionError:  # in a container that may make none
            pass
    return found


def test_what_is_no_regular_file_is_neither_opened_nor_replaced(root: Path) -> None:
    for name in specials(root):
        mode = os.lstat(root / name).st_mode
        for attempt in (
            lambda name=name: read_file(str(root), name),
            lambda name=name: replace_file(str(root), name, b"new"),
        ):
            with pytest.raises(OSError):
                attempt()
        assert os.lstat(root / name).st_mode == mode


def test_a_hard_link_keeps_the_old_content(root: Path) -> None:
    os.link(root.parent / "outside", root / "hard")
    replace_file(str(root), "hard", b"new")
    assert (root.parent / "outside").read_bytes() == b"private"


def test_a_new_file_has_a_mode_of_its_own(root: Path) -> None:
    before = os.umask(0)
    try:
        replace_file(str(root), "new", b"x")
        create_file(str(root), "made", b"x")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((root / name).stat().st_mode) for name in ("new", "made")] == [0o644, 0o644]


def test_a_file_that_is_made_is_new(root: Path) -> None:
    (root / "dangling").symlink_to("../made")
    for name in ("file", "dangling"):
        with pytest.raises(FileExistsError):
            create_file(str(root), name, b"x")
    assert not (root.parent / "made").exists()


def test_a_file_without_an_end_is_refused(root: Path) -> None:
    os.truncate(root / "file", access.LARGEST + 1)
    with pytest.raises(OSError, match="larger than"):
        read_file(str(root), "file")


def test_what_is_swapped_meanwhile_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Between the look at a name and its opening another process puts a link there.
    found = os.lstat(root / "file")
    (root / "file").unlink()
    (root / "file").symlink_to("../outside")
    monkeypatch.setattr(access, "_target", lambda name, directory: None)
    monkeypatch.setattr(access.os, "lstat", lambda *_, **__: found)
    with pytest.raises(OSError) as caught:
        read_file(str(root), "file")
    assert caught.value.errno == errno.ELOOP


def test_both_the_file_and_its_directory_are_synced(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(access.os, "fsync", lambda fd: synced.append(stat.S_IFMT(os.fstat(fd).st_mode)))
    replace_file(str(root), "inner/new", b"x")
    assert synced == [stat.S_IFREG, stat.S_IFDIR]


def test_temporary_names_cannot_be_foreseen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    rename = os.rename
    monkeypatch.setattr(access.os, "rename", lambda a, b, **more: (names.append(a), rename(a, b, **more)))
    replace_file(str(root), "file", b"1")
    replace_file(str(root), "file", b"2")
    assert len(set(names)) == 2 and str(os.getpid()) not in names[0]


def taken(handle: int, _path: str) -> None:
    fcntl.flock(handle, fcntl.LOCK_EX)


@pytest.mark.parametrize("target", ["../start-up", "/dev/null", "../start-up/"])
def test_the_lock_is_never_written_through_a_link_that_leads_out(root: Path, target: str) -> None:
    (root / "bramble.lock").symlink_to(target)
    with pytest.raises(BrambleError) as caught:
        update_lock(str(root / "bramble.lock"), PIN, take=taken)
    assert caught.value.code == "lock.unreadable"
    assert not (root.parent / "start-up").exists()
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_lock_that_is_a_fifo_does_not_make_the_reader_wait(root: Path) -> None:
    os.mkfifo(root / "bramble.lock")
    codes = []

    def attempt() -> None:
        try:
            read_lock(str(root / "bramble.lock"))
        except BrambleError as error:
            codes.append(error.code)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(20)
    assert codes == ["lock.unreadable"]


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_a_configuration_that_is_no_file_of_the_project_is_an_error(root: Path, kind: str) -> None:
    path = root / "bramble.toml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("../outside")
    with pytest.raises(BrambleError) as caught:
        find_project(str(root))
    assert caught.value.code == "config.unreadable"


def test_a_project_that_is_reached_through_a_link_is_like_any_other(root: Path) -> None:
    (root / "bramble.toml").write_text('[package]\nname = "example.test/p"\nversion = "0.0.1"\n')
    (root.parent / "way").symlink_to("project")
    found = find_project(str(root.parent / "way" / "inner"))
    assert (found.root, found.location) == (str(root), "inner")
    update_lock(str(root.parent / "way" / "bramble.lock"), PIN, take=taken)
    assert read_lock(str(root / "bramble.lock")).url_hashes == PIN


@pytest.mark.parametrize("order", [sorted, reversed])
def test_what_a_killed_writer_left_goes_with_the_next_one(
    root: Path, monkeypatch: pytest.MonkeyPatch, order: Callable[[list[str]], Iterable[str]]
) -> None:
    # spec: project.access.write
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: list(order(sorted(listdir(path)))))
    old, fresh, held = (f".file.{letter * 16}.new" for letter in "abc")
    others = [".file.new", ".file.xyz.new", f".other.{'a' * 16}.new", f".file.{'a' * 16}.new.txt"]
    for name in (old, fresh, held, *others):
        (root / name).write_bytes(b"left")
        if name != fresh:
            os.utime(root / name, (1, 1))
    (root / f".file.{'d' * 16}.new").symlink_to("file")
    handle = os.open(root / held, os.O_RDONLY)
    try:
        # Somebody writes it now, and has for a long time.
        fcntl.flock(handle, fcntl.LOCK_EX)
        replace_file(str(root), "file", b"new")
    finally:
        os.close(handle)
    assert not (root / old).exists()
    assert all(os.path.lexists(root / name) for name in (fresh, held, *others, f".file.{'d' * 16}.new"))
    replace_file(str(root), "file", b"newer")
    assert not (root / held).exists() and (root / fresh).exists()


def test_who_writes_holds_the_lock_of_what_is_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    fsync = os.fsync

    def spy(handle: int) -> None:
        for name in os.listdir(root):
            if name.endswith(".new"):
                other = os.open(root / name, os.O_RDONLY)
                try:
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    seen.append(True)
                finally:
                    os.close(other)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", spy)
    replace_file(str(root), "file", b"new")
    assert seen == [True]
