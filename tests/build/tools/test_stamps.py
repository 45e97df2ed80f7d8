"""Stamps of the machine: whatever becomes of a file that was read is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bramble.build.stamps import RULES, Stamp, stamp_chain, unchanged


def stamps_of(path: Path) -> tuple[Stamp, ...]:
    return (RULES, *stamp_chain(str(path)))


def rewrite(file: Path) -> None:
    file.write_text("as long")


def touch(file: Path) -> None:
    os.utime(file, ns=(1, 1))


def replace(file: Path) -> None:
    before = file.stat()
    other = file.with_name("other")
    other.write_text(file.read_text())
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(file)


def make_a_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("elsewhere")


def make_a_file_of_its_directory(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()
    file.parent.write_text("")


CHANGES = (rewrite, touch, replace, make_a_link, make_a_file_of_its_directory, Path.unlink)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("by_link", (False, True))
def test_a_change_of_a_file_is_noticed(tmp_path: Path, by_link: bool, change: object) -> None:
    file = tmp_path / "directory" / "file"
    file.parent.mkdir()
    file.write_text("content")
    os.utime(file, ns=(5, 5))
    named = file
    if by_link:
        named = tmp_path / "link"
        named.symlink_to("directory/file")
    before = stamps_of(named)
    assert unchanged(before)
    assert callable(change)
    change(file)
    assert not unchanged(before)


def test_a_link_that_leads_elsewhere_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("same")
    os.link(tmp_path / "one", tmp_path / "two")
    link = tmp_path / "link"
    link.symlink_to("one")
    before = stamps_of(link)
    link.unlink()
    link.symlink_to("two")
    assert not unchanged(before)


def test_what_comes_where_nothing_was_is_noticed(tmp_path: Path) -> None:
    before = stamps_of(tmp_path / "new")
    assert unchanged(before)
    (tmp_path / "new").write_text("")
    assert not unchanged(before)


@pytest.mark.parametrize(
    "stamps",
    ((), (("rules", "0"),), (RULES, ()), (RULES, ("file",)), (RULES, ("file", "/")), (RULES, ("x", "/"))),
)
def test_stamps_of_another_form_hold_for_nothing(stamps: tuple[Stamp, ...]) -> None:
    assert not unchanged(stamps)


def test_a_directory_is_stamped_like_a_file(tmp_path: Path) -> None:
    before = stamps_of(tmp_path)
    assert unchanged(before)
    os.utime(tmp_path, ns=(1, 1))
    assert not unchanged(before)
