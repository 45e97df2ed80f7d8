from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.publish import sources
from bramble.store.publish.originals import Copied, Originals, Receiver
from bramble.store.questions.verify import verify
from bramble.store.records import stamps
from bramble.store.tree.form import MTIME_NS
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
    monkeypatch.setattr(sources, "add_sources", lambda *_: pytest.fail("read again"))
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
        found = stamps.take(project, FILES, project)
        return found.stamps == found.kept

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


# spec: store.sources.object
@pytest.mark.parametrize("of", ["file", "directory"])
def test_a_source_that_may_not_be_read_is_named_as_in_its_project(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    os.mkdir(project + "/a dir")
    Path(project, "a dir", "f").write_text("1")
    real = os.open

    def refusing(path: str, *more: object, **named: object) -> int:
        # As the system answers who is not root.
        if path == ("f" if of == "file" else "a dir"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("bramble.store.publish.originals.os.open", refusing)
    with pytest.raises(BrambleError) as caught:
        store.add_sources(project + "/a dir", ["f"], project=project)
    assert caught.value.code == "store.source-unreadable"
    assert '"a dir/f"' in caught.value.message
    assert "chmod u+r" in (caught.value.remedy or "")


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
    real = os.read

    def read(fd: int, size: int) -> bytes:
        data = real(fd, size)
        Path(project, "a.c").write_text("int a = 1;")
        return data

    monkeypatch.setattr(os, "read", read)
    assert error(store, project, "a.c").code == "store.changed-while-read"
    assert store.names() == []


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of files of the project that are opened from now on."""
    names: list[str] = []
    real = Originals._copy_file

    def copy(self: Originals, file: str, name: str, base: bytes, to: Receiver) -> Copied:
        names.append(file)
        return real(self, file, name, base, to)

    monkeypatch.setattr(Originals, "_copy_file", copy)
    return names


def inodes(store: Store, name: str) -> dict[str, int]:
    return {file: os.lstat(f"{store.object_path(name)}/{file}").st_ino for file in FILES}


def test_of_a_touched_file_the_content_is_read_and_of_no_other(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(project)
    name = store.add_sources(project, FILES)
    os.utime(project + "/a.c", (1, 1))
    age(project)
    read = opened(monkeypatch)
    assert store.recall_sources(project, FILES) is None
    assert store.add_sources(project, FILES) == name
    assert read == ["a.c"]
    assert store.recall_sources(project, FILES) == name


def test_of_a_changed_file_the_content_is_read_and_all_others_are_taken_from_the_former_object(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(project)
    former = inodes(store, store.add_sources(project, FILES))
    Path(project, "lib/b.c").write_text("int changed;")
    read = opened(monkeypatch)
    name = store.add_sources(project, FILES)
    expected: Tree = {**PROJECT, b"lib": {**LIB, b"b.c": b"int changed;"}}
    assert name == Oracle().name(expected)
    assert grown(store.object_path(name)) == expected
    assert set(read) == {"lib/b.c"}
    now = inodes(store, name)
    assert {file for file in FILES if now[file] == former[file]} >= {"a.c", "run"}
    assert verify(store).damages == ()


def test_an_object_is_the_same_whether_it_was_copied_or_taken_from_a_former_one(
    place: str, project: str
) -> None:
    big = os.urandom(3 << 20)
    Path(project, "big").write_bytes(big)
    Path(project, "lib/none").write_bytes(b"")
    files = [*FILES, "big", "lib/none"]
    age(project)
    with contextlib.closing(Store.open(place + "/first")) as first:
        first.add_sources(project, files)
        Path(project, "run").write_text("#!/bin/bash")
        age(project)
        name = first.add_sources(project, files)
        with contextlib.closing(Store.open(place + "/second")) as second:
            assert second.add_sources(project, files) == name
            assert forms(first.object_path(name)) == forms(second.object_path(name))
            assert first.object(name) == second.object(name)


def forms(top: str) -> dict[str, tuple[int, int, int]]:
    """Modes, times and sizes of all that is in an object."""
    found = {}
    for directory, _, files in os.walk(top):
        for name in ["", *files]:
            status = os.lstat(os.path.join(directory, name))
            size = status.st_size if name else 0
            found[os.path.relpath(os.path.join(directory, name), top)] = (
                status.st_mode,
                status.st_mtime_ns,
                size,
            )
    return found


@pytest.mark.parametrize("damage", ["content", "mode", "time", "gone", "link", "directory"])
def test_a_former_object_that_was_damaged_is_not_used(store: Store, project: str, damage: str) -> None:
    age(project)
    former = store.object_path(store.add_sources(project, FILES))
    os.chmod(former, 0o755)
    os.chmod(former + "/lib", 0o755)
    if damage == "content":
        os.chmod(former + "/a.c", 0o644)
        Path(former, "a.c").write_bytes(b"int x;")
        os.chmod(former + "/a.c", 0o444)
        os.utime(former + "/a.c", ns=(MTIME_NS, MTIME_NS))
    elif damage == "mode":
        os.chmod(former + "/a.c", 0o644)
    elif damage == "time":
        os.utime(former + "/a.c", (5, 5))
    elif damage == "gone":
        os.unlink(former + "/a.c")
    elif damage == "link":
        os.unlink(former + "/lib/up")
        os.symlink("../run", former + "/lib/up")
    else:
        os.rename(former + "/lib", former + "/bil")
    Path(project, "run").write_text("#!/bin/bash")
    name = store.add_sources(project, FILES)
    assert name == Oracle().name({**PROJECT, b"run": Exec(b"#!/bin/bash")})
    assert verify(store, [name]).damages == ()


def test_where_a_file_cannot_have_another_name_it_is_copied(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(project)
    store.add_sources(project, FILES)
    Path(project, "run").write_text("#!/bin/bash")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(os, "link", refuse)
    read = opened(monkeypatch)
    expected: Tree = {**PROJECT, b"run": Exec(b"#!/bin/bash")}
    name = store.add_sources(project, FILES)
    assert name == Oracle().name(expected) and grown(store.object_path(name)) == expected
    assert set(read) == {"run"}


def test_a_file_whose_time_and_size_are_kept_in_the_same_tick_is_noticed(store: Store, project: str) -> None:
    name = store.add_sources(project, FILES)
    status = os.stat(project + "/a.c")
    for content in ("int x;", "int y;", "int a;"):
        Path(project, "a.c").write_text(content)
        os.utime(project + "/a.c", ns=(status.st_atime_ns, status.st_mtime_ns))
        expected: Tree = {**PROJECT, b"a.c": content.encode()}
        assert store.add_sources(project, FILES) == Oracle().name(expected)
    assert store.add_sources(project, FILES) == name


def test_of_files_that_were_just_changed_only_these_are_read_again(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(project)
    Path(project, "a.c").write_text("int z;")
    now = os.stat(project + "/a.c").st_ctime_ns + 10**6
    monkeypatch.setattr(stamps, "time", SimpleNamespace(time_ns=lambda: now))
    name = store.add_sources(project, FILES)
    read = opened(monkeypatch)
    assert store.add_sources(project, FILES) == name
    assert read == ["a.c"]
    now += 10**9
    assert store.add_sources(project, FILES) == name and read == ["a.c", "a.c"]
    assert store.add_sources(project, FILES) == name and read == ["a.c", "a.c"]


@pytest.mark.parametrize("how", ["link", "executable", "swapped", "fifo", "directory", "linked directory"])
def test_a_file_that_has_become_something_else_is_noticed(store: Store, project: str, how: str) -> None:
    age(project)
    name = store.add_sources(project, FILES)
    if how == "executable":
        os.chmod(project + "/a.c", 0o755)
        assert store.add_sources(project, FILES) == Oracle().name({**PROJECT, b"a.c": Exec(b"int a;")})
    elif how == "swapped":
        # A link to a file with the same content is another source than the file.
        os.unlink(project + "/lib/up")
        Path(project, "lib/up").write_text("../a.c")
        expected: Tree = {**PROJECT, b"lib": {**LIB, b"up": b"../a.c"}}
        assert store.add_sources(project, FILES) == Oracle().name(expected) != name
    elif how == "linked directory":
        os.rename(project + "/lib", project + "/real")
        os.symlink("real", project + "/lib")
        os.utime(project + "/real/b.c")
        assert error(store, project, *FILES).code == "store.source-link"
    else:
        os.unlink(project + "/a.c")
        if how == "link":
            os.symlink("/etc/passwd", project + "/a.c")
        elif how == "fifo":
            os.mkfifo(project + "/a.c")
        else:
            os.mkdir(project + "/a.c")
        code = "store.source-link" if how == "link" else "store.source-special"
        assert error(store, project, *FILES).code == code


def test_a_file_that_cannot_be_read_is_an_error_until_it_can_be(store: Store, project: str) -> None:
    age(project)
    os.chmod(project + "/a.c", 0)
    if not os.access(project + "/a.c", os.R_OK):
        assert error(store, project, *FILES).code == "store.source-unreadable"
    os.chmod(project + "/a.c", 0o644)
    assert store.add_sources(project, FILES) == Oracle().name(PROJECT)


def test_sets_of_sources_that_overlap_look_at_each_file_once(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    real = os.lstat

    def lstat(path: str, **more: Any) -> os.stat_result:
        if isinstance(path, str) and path.startswith(project):
            looked.append(path)
        return real(path, **more)

    age(project)
    monkeypatch.setattr(os, "lstat", lstat)
    looks: stamps.Looks = {}
    names = [
        store.add_sources(root, files, project=project, looks=looks)
        for root, files in ((project, FILES), (project, FILES[:2]), (project + "/lib", ["b.c", "up"]))
    ]
    assert sorted(looked) == sorted(f"{project}/{file}" for file in FILES)
    assert len(set(names)) == 3
    assert grown(store.object_path(names[2])) == LIB
    assert names == [
        store.add_sources(root, files, project=project)
        for root, files in ((project, FILES), (project, FILES[:2]), (project + "/lib", ["b.c", "up"]))
    ]


def test_sources_of_a_store_that_is_only_read_are_named(place: str, store: Store, project: str) -> None:
    age(project)
    name = store.add_sources(project, FILES)
    with contextlib.closing(Store.open(store.root, read_only=True)) as reader:
        Path(project, "a.c").write_text("int c;")
        assert reader.add_sources(project, FILES) == Oracle().name({**PROJECT, b"a.c": b"int c;"})
        assert reader.names() == [name]


def test_names_in_any_order_and_more_than_once_are_the_same_object(store: Store, project: str) -> None:
    Path(project, "lib.c").write_text("")
    files = ["lib/up", "lib.c", "run", "a.c", "lib/b.c", "a.c", "run"]
    expected = Oracle().name({**PROJECT, b"lib.c": b""})
    assert store.add_sources(project, files) == expected
    os.utime(project + "/run", (1, 1))
    assert store.add_sources(project, files) == expected


def test_sources_deeper_than_any_limit_of_python_are_an_object(store: Store, project: str) -> None:
    way = "d/" * 1500
    for size in range(0, len(way), 2):
        os.mkdir(f"{project}/{way[:size]}d")
    Path(project, way, "f").write_text("deep")
    name = store.add_sources(project, [way + "f", "a.c"])
    assert Path(store.object_path(name), way, "f").read_text() == "deep"
    assert verify(store, [name]).damages == ()


def test_what_sources_held_is_known_of_the_object_that_they_became(store: Store, project: str) -> None:
    name = store.add_sources(project, FILES)
    held = store.source_contents(name, project, FILES)
    assert held is not None
    texts = [b"int a;", b"int b;", b"../a.c", b"#!/bin/sh"]
    assert [content for content, _ in held] == [hashlib.sha256(text).digest() for text in texts]
    assert [stat.filemode(mode)[:4:3] for _, mode in held] == ["--", "--", "lx", "-x"]
    assert store.source_contents(name, project, FILES[:2]) is None
    Path(project, "a.c").write_text("int z;")
    store.add_sources(project, FILES)
    assert store.source_contents(name, project, FILES) is None


@pytest.mark.parametrize(
    ("files", "read"),
    [
        ([*FILES, "lib/new.c", "other/x"], ["lib/new.c", "other/x"]),
        (["a.c", "run"], []),
        (["lib/b.c"], []),
        (["other/x"], ["other/x"]),
    ],
)
def test_of_other_files_of_the_same_root_only_those_are_read_that_are_new(
    store: Store,
    place: str,
    project: str,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    read: list[str],
) -> None:
    os.mkdir(project + "/other")
    Path(project, "other/x").write_text("x")
    Path(project, "lib/new.c").write_text("int new;")
    age(project)
    store.add_sources(project, FILES)
    opens = opened(monkeypatch)
    name = store.add_sources(project, files)
    assert opens == read
    monkeypatch.undo()
    with contextlib.closing(Store.open(place + "/another")) as another:
        assert another.add_sources(project, files) == name
        assert forms(store.object_path(name)) == forms(another.object_path(name))
    assert verify(store).damages == ()


def test_a_file_of_another_set_of_sources_is_read_when_it_has_changed(store: Store, project: str) -> None:
    age(project)
    store.add_sources(project, FILES)
    Path(project, "a.c").write_text("int z;")
    assert store.add_sources(project, ["a.c", "run"]) == Oracle().name(
        {b"a.c": b"int z;", b"run": Exec(b"#!/bin/sh")}
    )
    # What was left out of a set is no part of it, though nothing that is left has changed.
    assert store.add_sources(project, ["run"]) == Oracle().name({b"run": Exec(b"#!/bin/sh")})


def test_without_the_object_of_the_last_sources_all_is_read(store: Store, project: str) -> None:
    age(project)
    name = store.add_sources(project, FILES)
    os.chmod(store.object_path(name), 0o755)
    os.rename(store.object_path(name), store.root + "/gone")
    with contextlib.closing(Store.open(store.root)) as again:
        assert again.add_sources(project, ["run"]) == Oracle().name({b"run": Exec(b"#!/bin/sh")})


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("file", ["lib/b.c", "lib/up"])
def test_what_was_in_a_directory_while_it_was_read_is_not_taken_for_what_was_there_before_and_after(
    store: Store, project: str, monkeypatch: pytest.MonkeyPatch, file: str, known: bool
) -> None:
    names: list[str] = []
    if known:
        # What is read has the content that was there at first, and is only compared.
        names.append(store.add_sources(project, [file]))
        os.rename(project + "/lib", project + "/other")
        plant({b"b.c": b"int c;", b"up": Link(b"../run")}, project + "/lib")
    else:
        plant({b"b.c": b"int c;", b"up": Link(b"../run")}, project + "/other")
    age(project)
    real = sources.add_sources

    def swap() -> None:
        for old, new in (("lib", "held"), ("other", "lib"), ("held", "other")):
            os.rename(f"{project}/{old}", f"{project}/{new}")

    def between(*arguments: Any) -> Any:
        swap()
        try:
            return real(*arguments)
        finally:
            swap()

    monkeypatch.setattr(sources, "add_sources", between)
    names.append(store.add_sources(project, [file]))
    monkeypatch.setattr(sources, "add_sources", real)
    assert store.recall_sources(project, [file]) is None
    names.append(store.add_sources(project, [file]))
    assert len(set(names)) == 2 and names[-1] != names[0]
