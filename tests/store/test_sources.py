from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.publish import sources
from bramble.store.records import stamps
from bramble.store.tree.reader import copy_contents
from tests.store.conftest import grown, plant
from tests.store.oracle import Exec, Link, Oracle, Tree

LIB: Tree = {b"b.c": b"int b;", b"up": Link(b"../a.c")}
PROJECT: Tree = {b"a.c": b"int a;", b"run": Exec(b"#!/bin/sh"), b"lib": LIB}
FILES = ["a.c", "lib/b.c", "lib/up", "run"]


@pytest.fixture
def project(place: str) -> str:
    plant(PROJECT, place + "/p")
    return place + "/p"


def age(directory: str) -> None:
    """Wait until the kernel's clock has moved on: fresh stamps are not trusted."""
    del directory
    time.sleep(0.08)


def error(store: Store, root: str, *files: str, **options: str) -> BrambleError:
    with pytest.raises(BrambleError) as caught:
        store.add_sources(root, files, **options)
    return caught.value


def test_sources_become_one_object_with_their_paths(store: Store, project: str) -> None:
    name = store.add_sources(project, FILES)
    assert grown(store.object_path(name)) == PROJECT
    assert name == Oracle().name(PROJECT)
    assert store.references(name) == ()


def test_only_the_named_files_are_taken(store: Store, project: str) -> None:
    assert grown(store.object_path(store.add_sources(project, ["lib/b.c"]))) == {b"lib": {b"b.c": b"int b;"}}


def test_no_files_are_an_empty_object(store: Store, project: str) -> None:
    assert store.add_sources(project, []) == "l5yl6gfaqyahafxjjcyev3j3qiidunv6"


def test_neither_umask_nor_modes_of_a_checkout_matter(store: Store, project: str) -> None:
    name = store.add_sources(project, FILES)
    os.chmod(project + "/a.c", 0o600)
    os.chmod(project + "/run", 0o700)
    before = os.umask(0o077)
    try:
        assert store.add_sources(project, FILES) == name
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(os.stat(store.object_path(name) + "/" + file).st_mode) for file in ("a.c", "run")]
    assert modes == [0o444, 0o555]


def test_unchanged_sources_are_not_read_again(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(project)
    name = store.add_sources(project, FILES)
    monkeypatch.setattr(sources, "copy_sources", lambda *_: pytest.fail("read again"))
    assert store.add_sources(project, FILES) == name


def test_fresh_stamps_are_not_trusted(store: Store, project: str) -> None:
    first = store.add_sources(project, FILES)
    # In the same tick of the kernel's clock, with the same size.
    status = os.stat(project + "/a.c")
    Path(project, "a.c").write_text("int z;")
    os.utime(project + "/a.c", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.add_sources(project, FILES) != first


def test_stamps_are_trusted_once_the_clock_has_moved_on(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settled(changed: int, now: int) -> bool:
        status = SimpleNamespace(
            st_mode=0o100644, st_size=1, st_ino=1, st_mtime_ns=10**9, st_ctime_ns=changed
        )
        monkeypatch.setattr(stamps, "time", SimpleNamespace(time_ns=lambda: now))
        monkeypatch.setattr(stamps, "os", SimpleNamespace(lstat=lambda path: status, fsencode=os.fsencode))
        return stamps.take(project, FILES, project).settled

    second, step = 10**9, 50 * 10**6
    fine = 100 * second + 1
    assert not settled(fine, fine) and not settled(fine, fine + step) and settled(fine, fine + step + 1)
    # A file from the future is not trusted either.
    assert not settled(fine, fine - step)
    # Where times are whole seconds, the clock has to move on further.
    whole = 100 * second
    assert not settled(whole, whole + 2 * second) and settled(whole, whole + 2 * second + 1)


def test_a_touched_file_with_the_same_bytes_changes_nothing(store: Store, project: str) -> None:
    name = store.add_sources(project, FILES)
    os.utime(project + "/a.c", (1, 1))
    assert store.add_sources(project, FILES) == name


def test_a_changed_file_is_noticed_even_with_its_old_time_and_size(store: Store, project: str) -> None:
    age(project)
    name = store.add_sources(project, FILES)
    status = os.stat(project + "/a.c")
    Path(project, "a.c").write_text("int c;")
    os.utime(project + "/a.c", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.add_sources(project, FILES) != name


def test_sources_whose_object_is_gone_are_copied_again(store: Store, project: str) -> None:
    age(project)
    name = store.add_sources(project, FILES)
    os.chmod(store.object_path(name), 0o755)
    os.rename(store.object_path(name), store.root + "/gone")
    assert store.add_sources(project, FILES) == name
    assert store.contains(name)


def test_a_broken_record_of_stamps_is_as_good_as_none(store: Store, project: str) -> None:
    age(project)
    name = store.add_sources(project, FILES)
    for record in Path(store.var, "sources").iterdir():
        record.write_text("{")
    assert store.add_sources(project, FILES) == name


def test_a_source_that_is_not_there_is_named(store: Store, project: str) -> None:
    caught = error(store, project, "a.c", "lib/none.c")
    assert caught.code == "store.source-missing"
    assert '"lib/none.c"' in caught.message
    assert error(store, project, "a.c/below").code == "store.source-missing"


def test_a_directory_or_a_fifo_is_no_source(store: Store, project: str) -> None:
    assert error(store, project, "lib").code == "store.source-special"
    os.mkfifo(project + "/pipe")
    assert error(store, project, "pipe").code == "store.source-special"


@pytest.mark.parametrize("file", ["../p/a.c", "/etc/passwd", "lib/../a.c", "lib//b.c"])
def test_a_source_outside_of_the_root_is_refused(store: Store, project: str, file: str) -> None:
    assert error(store, project, file).code == "store.source-outside"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "../../p-other/f", "../.."])
def test_a_link_out_of_the_project_is_refused(store: Store, project: str, target: str) -> None:
    os.symlink(target, project + "/lib/link")
    assert error(store, project, "lib/link").code == "store.source-link"


@pytest.mark.parametrize("target", ["b.c", "../a.c", ".", "../lib/../a.c", "nowhere"])
def test_a_link_within_the_project_is_kept(store: Store, project: str, target: str) -> None:
    os.symlink(target, project + "/lib/link")
    name = store.add_sources(project, ["lib/link"])
    assert grown(store.object_path(name)) == {b"lib": {b"link": Link(os.fsencode(target))}}


def test_a_link_may_leave_the_root_but_not_the_project(store: Store, project: str) -> None:
    assert error(store, project + "/lib", "up").code == "store.source-link"
    name = store.add_sources(project + "/lib", ["up"], project=project)
    assert grown(store.object_path(name)) == {b"up": Link(b"../a.c")}


def test_a_source_behind_a_linked_directory_is_refused(store: Store, project: str) -> None:
    os.symlink("lib", project + "/alias")
    assert error(store, project, "alias/b.c").code == "store.source-link"


def test_a_source_that_changes_while_it_is_copied_is_noticed(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = copy_contents

    def copy(source: int, target: int) -> None:
        real(source, target)
        Path(project, "a.c").write_text("int a = 1;")

    monkeypatch.setattr(sources, "copy_contents", copy)
    assert error(store, project, "a.c").code == "store.changed-while-read"
    assert store.names() == []
