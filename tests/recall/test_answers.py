"""Records: kept for one question, for a time, for one user; damaged or strange ones are as good as none."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.recall.answers import MOST, keep
from bramble.recall.answers import recall as recall_with_witnesses
from bramble.recall.kept import Kept
from bramble.recall.reads import Reads
from tests.cli.world import ROOT

NOW = 1_000_000.0
KEY, ANSWER = b"build\0./:f", b"7\n\xe2\x9c\x94 f (c)out\n"


def recall(kept: Kept, key: bytes, now: float) -> bytes | None:
    found = recall_with_witnesses(kept, key, now)
    return None if found is None else found[0]


def reads_of(path: Path) -> Reads:
    reads = Reads(time.time_ns() + 3600 * 10**9)
    reads.stamp(str(path))
    return reads


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    (tmp_path / "read").write_text("")
    found = Kept(str(tmp_path), ("bramble", "answers"))
    assert keep(found, KEY, reads_of(tmp_path / "read"), ANSWER, NOW, NOW + 100)
    yield found


def file_of(kept: Kept) -> Path:
    (found,) = Path(kept.root, *kept.below).iterdir()
    return found


def test_an_answer_is_for_its_question(kept: Kept) -> None:
    assert recall(kept, KEY, NOW) == ANSWER
    assert recall(kept, KEY + b"x", NOW) is None
    # Where two questions had one name, the key that stands in the record decides.
    os.rename(file_of(kept), file_of(kept).with_name("other"))
    assert recall(kept, KEY, NOW) is None


@pytest.mark.parametrize("now", [NOW - 1, NOW - 10**6, NOW + 100, NOW + 10**6, 0.0])
def test_it_counts_neither_before_it_was_made_nor_after_its_time(kept: Kept, now: float) -> None:
    assert recall(kept, KEY, now) is None
    assert recall(kept, KEY, NOW + 99) == ANSWER


def test_it_counts_while_its_witnesses_hold(kept: Kept, tmp_path: Path) -> None:
    time.sleep(0.02)
    (tmp_path / "read").write_text("x")
    assert recall(kept, KEY, NOW) is None


def test_what_is_in_doubt_is_not_kept(kept: Kept, tmp_path: Path) -> None:
    reads = reads_of(tmp_path)
    reads.spoil("whatever")
    assert not keep(kept, b"other", reads, ANSWER, NOW, NOW + 1)
    assert recall(kept, b"other", NOW) is None


@pytest.mark.parametrize("at", range(0, 200, 7))
def test_a_damaged_record_is_none(kept: Kept, at: int) -> None:
    path = file_of(kept)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(bytes(data))
    assert recall(kept, KEY, NOW) is None


@pytest.mark.parametrize("size", [0, 1, 31, 32, 40, 90])
def test_a_record_that_was_cut_short_is_none(kept: Kept, size: int) -> None:
    os.truncate(file_of(kept), size)
    assert recall(kept, KEY, NOW) is None


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"1 2 3\n", b"a b c d\n", b"1 1 1 -1\n", b"-1 5 0 9999999999\n"]
)
def test_a_record_of_another_form_is_none(kept: Kept, data: bytes) -> None:
    assert kept.write(file_of(kept).name, data, 9, 1 << 30)
    assert recall(kept, KEY, NOW) is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_record_that_others_could_have_written_is_none(kept: Kept, mode: int) -> None:
    file_of(kept).chmod(mode)
    assert recall(kept, KEY, NOW) is None
    file_of(kept).chmod(0o644)
    assert recall(kept, KEY, NOW) == ANSWER


@pytest.mark.parametrize("below", ["bramble", "bramble/answers"])
def test_so_is_one_in_a_directory_that_others_can_write(kept: Kept, tmp_path: Path, below: str) -> None:
    (tmp_path / below).chmod(0o777)
    assert recall(kept, KEY, NOW) is None and not kept.usable()
    (tmp_path / below).chmod(0o755)
    assert recall(kept, KEY, NOW) == ANSWER and kept.usable()


@pytest.mark.parametrize("below", ["bramble", "bramble/answers"])
def test_so_is_one_behind_a_link(kept: Kept, tmp_path: Path, below: str) -> None:
    os.rename(tmp_path / below, tmp_path / "elsewhere")
    (tmp_path / below).symlink_to(tmp_path / "elsewhere")
    assert recall(kept, KEY, NOW) is None


def test_a_link_or_a_pipe_is_no_record(kept: Kept, tmp_path: Path) -> None:
    path = file_of(kept)
    os.rename(path, tmp_path / "real")
    path.symlink_to(tmp_path / "real")
    assert recall(kept, KEY, NOW) is None
    path.unlink()
    os.mkfifo(path, 0o600)
    assert recall(kept, KEY, NOW) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("below", ["bramble", "bramble/answers", ""])
def test_nor_what_belongs_to_another(kept: Kept, tmp_path: Path, below: str) -> None:
    os.chown(tmp_path / below if below else file_of(kept), 65534, 65534)
    assert recall(kept, KEY, NOW) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write anywhere")
def test_a_cache_that_cannot_be_written_keeps_nothing(kept: Kept, tmp_path: Path) -> None:
    directory = tmp_path / "bramble" / "answers"
    directory.chmod(0o500)
    assert not keep(kept, b"other", reads_of(tmp_path), ANSWER, NOW, NOW + 1)
    assert recall(kept, KEY, NOW) == ANSWER and not kept.usable()
    directory.chmod(0o700)


def test_a_cache_that_cannot_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Kept(str(tmp_path / "file"), ("bramble", "answers"))
    assert not keep(kept, KEY, reads_of(tmp_path), ANSWER, NOW, NOW + 1)
    assert recall(kept, KEY, NOW) is None and not kept.usable()


def test_the_oldest_are_removed(kept: Kept, tmp_path: Path) -> None:
    directory = file_of(kept).parent
    for number in range(MOST):
        (directory / f"{number:040x}").write_bytes(b"")
        os.utime(directory / f"{number:040x}", (number, number))
    assert keep(kept, b"newest", reads_of(tmp_path / "read"), ANSWER, NOW, NOW + 1)
    assert recall(kept, b"newest", NOW) == ANSWER and recall(kept, KEY, NOW) == ANSWER
    names = {path.name for path in directory.iterdir()}
    assert len(names) == MOST * 3 // 4 and f"{0:040x}" not in names and f"{MOST - 1:040x}" in names


def test_the_oldest_are_removed_where_they_are_large(tmp_path: Path) -> None:
    kept = Kept(str(tmp_path), ("bramble", "answers"))
    for number in range(8):
        assert kept.write(f"{number}", bytes(1000), 100, 5000)
        os.utime(tmp_path / "bramble" / "answers" / f"{number}", (number, number))
    names = sorted(path.name for path in (tmp_path / "bramble" / "answers").iterdir())
    assert names in (["5", "6", "7"], ["4", "5", "6", "7"])


def test_a_large_answer_is_not_kept(kept: Kept, tmp_path: Path) -> None:
    assert not keep(kept, b"large", reads_of(tmp_path / "read"), bytes(33 << 20), NOW, NOW + 1)


def _write_often(root: str, answer: bytes) -> None:
    kept = Kept(root, ("bramble", "answers"))
    for _ in range(200):
        keep(kept, KEY, reads_of(Path(root, "read")), answer, NOW, NOW + 100)


def test_two_processes_leave_one_of_two_whole_records(kept: Kept, tmp_path: Path) -> None:
    answers = (b"0\n" + b"a" * 10_000, b"0\n" + b"b" * 20_000)
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_write_often, args=(str(tmp_path), answer)) for answer in answers]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(recall(kept, KEY, NOW))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen <= {ANSWER, *answers} and recall(kept, KEY, NOW) in answers
    assert [path.name for path in file_of(kept).parent.iterdir()] == [file_of(kept).name]


READ = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from bramble.recall.kept import Kept
pages = int(open("/proc/self/statm").read().split()[0])
most = pages * resource.getpagesize() + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
sys.exit(Kept(sys.argv[2], ("bramble", "answers")).read(sys.argv[3]) is None)
"""


def test_to_read_a_record_takes_no_more_memory_than_it_is_large(kept: Kept, tmp_path: Path) -> None:
    words = (sys.executable, "-I", "-c", READ, str(ROOT), str(tmp_path), file_of(kept).name)
    assert subprocess.run(words, check=False).returncode == 0
