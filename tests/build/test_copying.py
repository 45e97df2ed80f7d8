"""The writable copy of the sources: the same bytes, modes and times in whatever way it is made."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from bramble.build import copying

TIME = 315619200 * 10**9
SIZES = (0, 1, 4095, copying._SMALL - 1, copying._SMALL, copying._SMALL + 1, 3 * copying._SMALL)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree as the store has it: read-only, of one time."""
    top = tmp_path / "object"
    (top / "a" / "b").mkdir(parents=True)
    for number, size in enumerate(SIZES):
        file = top / "a" / f"{number}"
        file.write_bytes(os.urandom(size))
        file.chmod(0o555 if number % 2 else 0o444)
        os.utime(file, ns=(TIME, TIME))
    (top / "a" / "b" / "link").symlink_to("../nowhere")
    (top / "empty").mkdir()
    for directory in (top / "a" / "b", top / "a", top / "empty", top):
        directory.chmod(0o555)
    return top


def seen(top: Path) -> dict[str, tuple[object, ...]]:
    """What a build can see of a tree below its top."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        name, mode = str(path.relative_to(top)), stat.S_IMODE(status.st_mode)
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("directory", mode)
        else:
            found[name] = ("file", mode, status.st_mtime_ns, status.st_nlink, path.read_bytes())
    return found


def copied(tree: Path, to: Path) -> dict[str, tuple[object, ...]]:
    to.mkdir()
    copying.copy_writable(str(tree), str(to))
    return seen(to)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_copy_has_the_bytes_and_times_of_the_object_and_modes_of_its_own(
    tree: Path, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        copy = copied(tree, tmp_path / "copy")
    finally:
        os.umask(before)
    assert copy.keys() == seen(tree).keys()
    for number, _ in enumerate(SIZES):
        mode = 0o755 if number % 2 else 0o644
        assert copy[f"a/{number}"] == ("file", mode, TIME, 1, (tree / "a" / f"{number}").read_bytes())
    assert copy["a/b/link"] == ("link", "../nowhere")
    assert {copy[name] for name in ("a", "a/b", "empty")} == {("directory", 0o755)}


@pytest.mark.parametrize("refusal", [errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_copy_is_the_same_where_the_file_system_shares_no_blocks(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    usual = copied(tree, tmp_path / "usual")

    def refuse(*_: object) -> int:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    assert copied(tree, tmp_path / "copy") == usual


def test_a_copy_is_the_same_when_reads_and_writes_are_cut_short(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = copied(tree, tmp_path / "usual")
    read, write = os.read, os.write
    monkeypatch.setattr(os, "read", lambda fd, size: read(fd, min(size, 1000)))
    assert copied(tree, tmp_path / "read") == usual
    monkeypatch.undo()
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:1000]))
    assert copied(tree, tmp_path / "written") == usual


def test_files_that_the_store_has_linked_to_each_other_are_two_in_a_copy(tmp_path: Path) -> None:
    (tmp_path / "object").mkdir()
    (tmp_path / "object" / "a").write_text("same")
    os.link(tmp_path / "object" / "a", tmp_path / "object" / "b")
    copied(tmp_path / "object", tmp_path / "copy")
    with open(tmp_path / "copy" / "a", "a") as file:
        file.write(" no more")
    assert (tmp_path / "copy" / "b").read_text() == (tmp_path / "object" / "a").read_text() == "same"


def test_what_is_no_file_directory_or_link_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "object").mkdir()
    os.mkfifo(tmp_path / "object" / "pipe")
    with pytest.raises(OSError, match="Invalid argument"):
        copied(tmp_path / "object", tmp_path / "copy")
