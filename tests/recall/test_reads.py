"""What is noted of the disk, and which changes are seen: all that the essay of the room promises."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bramble.recall.reads import Reads
from bramble.recall.witness import SEPARATOR, all_hold, renewed, settled

LATER = 3600 * 10**9
Note = Callable[[Reads, Path], None]


def noted(note: Note, place: Path) -> str:
    """Return the witnesses of what is noted, by a process that begins when all is long settled."""
    reads = Reads(time.time_ns() + LATER)
    note(reads, place)
    assert not reads.doubt
    return reads.text()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "file").write_text("one")
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    (tmp_path / "dir" / "in").write_text("in")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "linked").symlink_to("dir")
    yield tmp_path


def of(method: str, name: str) -> Note:
    def note(reads: Reads, place: Path) -> None:
        getattr(reads, method)(f"{place}/{name}")

    return note


def file_of(name: str) -> Note:
    return lambda reads, place: reads.file(str(place), name)


def same_size(place: Path) -> None:
    (place / "file").write_text("two")


def same_size_and_time(place: Path) -> None:
    before = (place / "file").stat()
    (place / "file").write_text("two")
    os.utime(place / "file", ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_by_another_of_the_same_time(place: Path) -> None:
    before = (place / "file").stat()
    (place / "new").write_text("two")
    os.utime(place / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.rename(place / "new", place / "file")


def touched_back(place: Path) -> None:
    before = (place / "file").stat()
    os.utime(place / "file")
    os.utime(place / "file", ns=(before.st_atime_ns, before.st_mtime_ns))


def made(name: str) -> Callable[[Path], None]:
    return lambda place: (place / name).write_text("")  # type: ignore[return-value]


def relinked(place: Path) -> None:
    (place / "link").unlink()
    (place / "link").symlink_to("dir/in")


def relinked_directory(place: Path) -> None:
    (place / "linked").unlink()
    (place / "linked").symlink_to("dir/sub")


def moved_behind_a_link(place: Path) -> None:
    os.rename(place / "dir", place / "moved")
    (place / "dir").symlink_to("moved")


CHANGES = [
    (of("stamp", "file"), same_size),
    (of("stamp", "file"), same_size_and_time),
    (of("stamp", "file"), replaced_by_another_of_the_same_time),
    (of("stamp", "file"), touched_back),
    (of("stamp", "file"), lambda place: (place / "file").unlink()),
    (of("stamp", "file"), lambda place: (place / "file").chmod(0o600)),
    (of("stamp", "absent"), made("absent")),
    (of("stamp", "absent/below"), lambda place: (place / "absent").mkdir() or made("absent/below")(place)),
    (of("stamp", "dir"), made("dir/new")),
    (of("stamp", "dir"), lambda place: (place / "dir" / "in").unlink()),
    (of("stamp", "dir"), lambda place: os.rename(place / "dir" / "in", place / "dir" / "out")),
    (of("names", "dir"), made("dir/new")),
    (of("names", "dir"), lambda place: (place / "dir" / "in").unlink()),
    (of("names", "dir"), lambda place: os.rename(place / "dir" / "in", place / "dir" / "out")),
    (of("names", "dir"), lambda place: (place / "dir" / "in").unlink() or (place / "dir" / "in").mkdir()),
    (of("names", "dir"), lambda place: shutil.rmtree(place / "dir")),
    (of("names", "absent"), lambda place: (place / "absent").mkdir()),
    (of("names", "linked"), made("dir/new")),
    (of("names", "linked"), lambda place: (place / "dir" / "in").unlink()),
    (of("names", "linked"), relinked_directory),
    (of("stamp", "link"), relinked),
    (of("chain", "link"), same_size),
    (of("chain", "link"), relinked),
    (of("way", "link"), relinked),
    (of("way", "dir/in"), moved_behind_a_link),
    (file_of("dir/in"), moved_behind_a_link),
    (of("kind", "file"), lambda place: (place / "file").unlink()),
    (of("kind", "dir"), moved_behind_a_link),
    (of("place", "dir"), moved_behind_a_link),
    (of("place", "dir"), lambda place: (place / "dir").chmod(0o777)),
]


@pytest.mark.parametrize(("note", "change"), CHANGES)
def test_a_change_is_seen(place: Path, note: Note, change: Callable[[Path], None]) -> None:
    text = noted(note, place)
    assert all_hold(text)
    time.sleep(0.02)  # the next tick of the kernel's clock
    change(place)
    assert not all_hold(text)


def test_a_directory_that_took_the_place_of_another_is_not_believed(place: Path) -> None:
    shutil.copytree(place / "dir", place / "other")
    time.sleep(0.1)
    reads = Reads(time.time_ns())
    os.rename(place / "dir", place / "former")
    os.rename(place / "other", place / "dir")
    reads.source(str(place), "dir/in")
    assert reads.doubt


def test_a_directory_that_was_away_meanwhile_is_not_believed(place: Path) -> None:
    time.sleep(0.1)
    reads = Reads(time.time_ns())
    reads.file(str(place), "dir/in")
    time.sleep(0.02)
    os.rename(place / "dir", place / "former")
    # What is read now is another file, if there is one.
    os.rename(place / "former", place / "dir")
    assert all_hold(reads.text())
    assert reads.doubt


def test_what_is_not_part_of_a_witness_changes_nothing(place: Path) -> None:
    text = noted(of("place", "dir"), place) + "\0" + noted(of("kind", "file"), place)
    made("dir/new")(place)
    same_size(place)
    (place / "file").read_text()
    assert all_hold(text)


def test_names_that_came_and_went_are_the_same_names(place: Path) -> None:
    text = noted(of("names", "dir"), place)
    time.sleep(0.02)
    made("dir/new")(place)
    os.rename(place / "dir" / "new", place / "dir" / "in")
    assert all_hold(text)


@pytest.mark.parametrize("name", ["with\nline", "with blank", "\udcff", "é", "s", "t"])
def test_any_name_can_be_noted(place: Path, name: str) -> None:
    made(name)(place)
    text = noted(of("stamp", name), place)
    assert all_hold(os.fsdecode(os.fsencode(text)))
    (place / name).unlink()
    assert not all_hold(text)


def test_what_changed_after_the_process_began_is_not_believed(place: Path) -> None:
    reads = Reads((place / "file").stat().st_ctime_ns - 1)
    reads.stamp(f"{place}/file")
    assert "has just been changed" in reads.doubt


@pytest.mark.parametrize("age", [0, 10, 49])
def test_nor_what_changed_just_before(place: Path, age: int) -> None:
    reads = Reads((place / "file").stat().st_ctime_ns + age * 10**6)
    reads.stamp(f"{place}/file")
    assert reads.doubt


def test_a_file_from_the_future_is_not_believed(place: Path) -> None:
    now = time.time_ns()
    os.utime(place / "file", ns=(now, now + LATER))
    reads = Reads(now + LATER // 2)
    reads.stamp(f"{place}/file")
    assert reads.doubt


def test_whole_seconds_are_a_coarse_clock(place: Path) -> None:
    class Status:
        st_mtime_ns = st_ctime_ns = 10 * 10**9

    assert not settled(Status(), 11 * 10**9)  # type: ignore[arg-type]
    assert settled(Status(), 13 * 10**9)  # type: ignore[arg-type]


def test_a_file_of_the_program_must_be_older(place: Path) -> None:
    changed = (place / "file").stat().st_ctime_ns
    reads = Reads(changed + 9 * 10**9)
    reads.program(f"{place}/file")
    assert reads.doubt
    # A module in an archive is the archive.
    reads = Reads(changed + 12 * 10**9)
    reads.program(f"{place}/file/inside/module.py")
    assert not reads.doubt and f"{place}/file\0" in reads.text()


def test_what_cannot_be_looked_at_does_not_hold(place: Path) -> None:
    text = noted(of("stamp", "file"), place)
    assert not all_hold(text + "\0s\0" + "x" * 5000 + "\0")  # a name that is too long
    assert not all_hold(text + "\0?\0/\0")  # a kind that is unknown


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look anywhere")
def test_nor_what_may_not_be_looked_at(place: Path) -> None:
    text = noted(of("stamp", "dir/in"), place)
    (place / "dir").chmod(0)
    try:
        assert not all_hold(text)
        reads = Reads(time.time_ns() + LATER)
        reads.stamp(f"{place}/dir/in")
        assert reads.doubt
    finally:
        (place / "dir").chmod(0o700)


def table(reads: Reads, place: Path) -> None:
    reads.table(f"{place}/dir", ["in", "absent"])


def test_a_table_is_looked_through_when_its_directory_has_changed(place: Path) -> None:
    text = noted(table, place)
    time.sleep(0.02)
    made("dir/new")(place)
    assert all_hold(text)  # another file came
    (place / "other").write_text("in")
    os.rename(place / "other", place / "dir" / "in")
    assert not all_hold(text)


def test_a_file_that_a_table_lacks_may_not_come(place: Path) -> None:
    text = noted(table, place)
    time.sleep(0.02)
    made("dir/absent")(place)
    assert not all_hold(text)


def test_a_table_of_a_directory_that_is_being_changed_names_each_file(place: Path) -> None:
    reads = Reads(time.time_ns() + LATER)
    os.utime(place / "dir", ns=(0, time.time_ns() + 2 * LATER))
    table(reads, place)
    assert not reads.doubt and f"{place}/dir\0-\n" in reads.text()
    assert all_hold(reads.text())


def test_nothing_is_noted_twice(place: Path) -> None:
    reads = Reads(time.time_ns() + LATER)
    reads.stamp(f"{place}/file")
    first = reads.text()
    same_size(place)
    reads.stamp(f"{place}/file")
    assert reads.text() == first


def source(reads: Reads, place: Path) -> None:
    reads.source(str(place), "dir/in", hashlib.sha256(b"in").hexdigest())


def rewritten(place: Path) -> None:
    (place / "dir" / "in").write_text("in")


def replaced_by_its_like(place: Path) -> None:
    (place / "new").write_text("in")
    os.rename(place / "new", place / "dir" / "in")


def from_the_future(place: Path) -> None:
    os.utime(place / "dir" / "in", (time.time() + 10**6,) * 2)


LIKE = [lambda place: os.utime(place / "dir" / "in"), rewritten, replaced_by_its_like, from_the_future]


@pytest.mark.parametrize("change", LIKE)
def test_a_source_that_has_the_bytes_that_it_had_is_the_same(
    place: Path, change: Callable[[Path], None]
) -> None:
    text = noted(source, place)
    change(place)
    assert all_hold(text, hashlib.sha256)


def other_bytes(place: Path) -> None:
    before = (place / "dir" / "in").stat()
    (place / "dir" / "in").write_text("ni")
    os.utime(place / "dir" / "in", ns=(before.st_atime_ns, before.st_mtime_ns))


def more_bytes(place: Path) -> None:
    (place / "dir" / "in").write_text("in\n")


def link_to_its_like(place: Path) -> None:
    os.rename(place / "dir" / "in", place / "dir" / "was")
    (place / "dir" / "in").symlink_to("was")


def pipe_in_its_place(place: Path) -> None:
    (place / "dir" / "in").unlink()
    os.mkfifo(place / "dir" / "in")


def directory_in_its_place(place: Path) -> None:
    (place / "dir" / "in").unlink()
    (place / "dir" / "in").mkdir()


def like_in_another_directory(place: Path) -> None:
    shutil.copytree(place / "dir", place / "other")
    os.rename(place / "dir", place / "was")
    os.rename(place / "other", place / "dir")


UNLIKE = [
    *(other_bytes, more_bytes, link_to_its_like, pipe_in_its_place, directory_in_its_place),
    *(like_in_another_directory, lambda place: (place / "dir" / "in").chmod(0o755)),
    *(lambda place: (place / "dir" / "in").chmod(0o600), lambda place: (place / "dir" / "in").unlink()),
]


@pytest.mark.parametrize("change", UNLIKE)
def test_one_of_another_kind_or_of_other_bytes_is_not(place: Path, change: Callable[[Path], None]) -> None:
    (place / "dir" / "in").chmod(0o644)
    text = noted(source, place)
    change(place)
    assert not all_hold(text, hashlib.sha256)


def test_a_source_that_is_written_while_it_is_read_is_not_believed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = noted(source, place)
    rewritten(place)
    real, seen = os.fstat, []

    def moved(handle: int) -> os.stat_result:
        found = real(handle)
        seen.append(found)
        if len(seen) == 1:
            time.sleep(0.02)
            rewritten(place)
        return found

    monkeypatch.setattr(os, "fstat", moved)
    assert not all_hold(text, hashlib.sha256) and len(seen) == 2


def test_a_touched_source_is_read_once(place: Path) -> None:
    text = noted(source, place)
    os.utime(place / "dir" / "in")
    assert not all_hold(text)  # without a hash
    # What was touched a moment ago could be written to in the same moment, and is read each time.
    assert renewed(text, time.time_ns(), hashlib.sha256) == text
    stamped = renewed(text, time.time_ns() + LATER, hashlib.sha256)
    assert stamped is not None and stamped != text
    assert stamped == noted(source, place) == renewed(stamped, 0, None)
    # Now it is its stamp that says so: what is known of its bytes is not asked any more.
    *others, value = stamped.split(SEPARATOR)
    assert all_hold(SEPARATOR.join([*others, value.partition("\n")[0] + "\n" + "0" * 64]))
    assert others == text.split(SEPARATOR)[:-1] and value.partition("\n")[2] == text.rpartition("\n")[2]


def test_of_many_touched_sources_none_is_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bramble.recall.witness._MOST_READ", 1)
    (place / "dir" / "more").write_text("in")

    def both(reads: Reads, place: Path) -> None:
        source(reads, place)
        reads.source(str(place), "dir/more", hashlib.sha256(b"in").hexdigest())

    text = noted(both, place)
    rewritten(place)
    assert all_hold(text, hashlib.sha256)
    os.utime(place / "dir" / "more")
    assert not all_hold(text, hashlib.sha256)


def test_nor_is_a_large_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bramble.recall.witness._MOST_BYTES_READ", 1)
    text = noted(source, place)
    assert all_hold(text, hashlib.sha256)
    rewritten(place)
    assert not all_hold(text, hashlib.sha256)
