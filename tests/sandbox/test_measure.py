"""What a program may write in all: counting it from outside, also while it wants to be overlooked."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bramble.sandbox.limits import measure
from bramble.sandbox.spec import Limits
from tests.sandbox.test_hostile_reach import landlock_abi
from tests.sandbox.test_rungs import NO_LANDLOCK, hosted
from tests.sandbox.world import World


def over(*paths: Path, files: int | None = None, size: int | None = None, ended: bool = True) -> str:
    limits = Limits(output_size=size, output_files=files)
    return measure.exceeded([str(path) for path in paths], limits, seconds=None, ended=ended)


def test_files_directories_and_links_count_and_the_top_does_not(tmp_path: Path) -> None:
    assert over(tmp_path, files=0) == ""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("x")
    (tmp_path / "d" / "l").symlink_to("f")
    assert over(tmp_path, files=3) == ""
    assert over(tmp_path, files=2) == "output_files"


def test_lengths_are_added_up_over_all_paths(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_bytes(bytes(10))
    assert over(tmp_path / "a", tmp_path / "b", size=20) == ""
    assert over(tmp_path / "a", tmp_path / "b", size=19) == "output_size"


def test_a_link_is_not_followed_and_a_hard_link_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(100))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to("../big")
    (tmp_path / "out" / "up").symlink_to("..")
    assert over(tmp_path / "out", size=0, files=2) == ""
    os.link(tmp_path / "big", tmp_path / "out" / "one")
    os.link(tmp_path / "big", tmp_path / "out" / "two")
    assert over(tmp_path / "out", size=199) == "output_size"


def test_a_hole_counts_as_what_it_would_be_in_an_archive(tmp_path: Path) -> None:
    with open(tmp_path / "hole", "wb") as file:
        file.truncate(1 << 30)
    assert over(tmp_path, size=1 << 20) == "output_size"


def test_a_single_file_may_be_what_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(10))
    assert over(tmp_path / "f", size=10, files=1) == ""
    assert over(tmp_path / "f", size=9) == "output_size"
    assert over(tmp_path / "gone", size=0, files=0) == ""


def test_a_tree_deeper_than_paths_can_be_long_is_counted_whole(tmp_path: Path) -> None:
    here, name = os.open(tmp_path, measure.DIRECTORY), "d" * 200
    for _ in range(30):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, measure.DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    assert over(tmp_path, files=30) == ""
    assert over(tmp_path, files=29) == "output_files"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can open everything")
@pytest.mark.parametrize("mode", [0, 0o400, 0o100])
def test_what_is_closed_is_opened_only_when_nobody_needs_it_any_more(tmp_path: Path, mode: int) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "f").write_text("x")
    (tmp_path / "closed").chmod(mode)
    assert over(tmp_path, files=1, ended=False) == ""
    assert (tmp_path / "closed").stat().st_mode & 0o777 == mode
    assert over(tmp_path, files=1) == "output_files"


def test_a_look_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    for number in range(2 * measure.EVERY):
        (tmp_path / str(number)).touch()
    limits = Limits(output_files=2 * measure.EVERY - 1)
    assert measure.exceeded([str(tmp_path)], limits, seconds=0, ended=False) == ""
    assert measure.exceeded([str(tmp_path)], limits, seconds=None, ended=False) == "output_files"


def test_a_tree_that_moves_while_it_is_looked_at_leads_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moves the directory we are in leads us, by "..", to where we have no business."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for path in (inside / "one", inside / "two", outside / "one", outside / "two"):
        path.mkdir(parents=True)
    for number in range(50):
        (outside / "one" / str(number)).touch()
        (outside / "two" / str(number)).touch()
    look = measure.identity

    def identity(here: int) -> tuple[int, int]:
        found = look(here)
        for name in ("one", "two"):
            if (inside / name).exists() and found[1] == (inside / name).stat().st_ino:
                (inside / name).rename(outside / "moved")
        return found

    monkeypatch.setattr(measure, "identity", identity)
    assert over(inside, files=10, ended=False) == ""
    assert (outside / "moved").exists()


RUNAWAY = "while :; do n=$((n+1)); : > {}/f$n; done"


def test_a_build_that_makes_files_without_end_is_stopped_while_it_runs(here: World) -> None:
    began = time.monotonic()
    script = "mkdir -p /out/deep/er; " + RUNAWAY.format("/out/deep/er")
    result = here.run(script, limits=Limits(output_files=500, seconds=60))
    assert (result.kind, result.limit) == ("limit", "output_files")
    assert time.monotonic() - began < 30


def test_many_small_writes_are_stopped_while_the_build_runs(here: World) -> None:
    script = "while :; do n=$((n+1)); dd if=/dev/zero of=/out/f$n bs=64k count=1 2>/dev/null; done"
    result = here.run(script, limits=Limits(output_size=1 << 20, seconds=60))
    assert (result.kind, result.limit) == ("limit", "output_size")


def test_one_file_cannot_grow_past_what_all_may_have(here: World) -> None:
    result = here.run("dd if=/dev/zero of=/out/x bs=1M count=20", limits=Limits(output_size=1 << 20))
    assert (result.kind, result.limit) == ("limit", "output_size")
    assert (here.out / "x").stat().st_size == (1 << 20) + 1


def test_a_program_that_does_not_die_of_it_is_told_apart_from_one_that_failed(here: World) -> None:
    script = "trap '' XFSZ; dd if=/dev/zero of=/out/x bs=1M count=20; exit 0"
    result = here.run(script, limits=Limits(output_size=1 << 20))
    assert (result.kind, result.code, result.limit) == ("limit", 0, "output_size")


@pytest.mark.parametrize("hide", ["chmod 0 /out/d", "chmod 400 /out/d", "mv /out/d /out/.d"])
def test_a_quick_build_is_counted_when_it_has_ended(here: World, hide: str) -> None:
    script = "mkdir /out/d; for n in 1 2 3 4 5 6 7 8 9; do echo x > /out/d/$n; done; "
    exact = here.run(script + hide, limits=Limits(output_files=10, output_size=18))
    assert (exact.kind, exact.code) == ("exited", 0)
    for path in here.out.iterdir():
        path.chmod(0o755)
    here.run("rm -r /out/d /out/.d")
    assert here.run(script + hide, limits=Limits(output_files=9)).limit == "output_files"


def test_what_lies_in_memory_does_not_count(here: World) -> None:
    result = here.run(
        "for n in 1 2 3 4 5 6 7 8 9; do echo x > /tmp/$n; done", limits=Limits(output_files=3, output_size=9)
    )
    assert (result.kind, result.code) == ("exited", 0)


@pytest.mark.parametrize("rung", ["landlock", "none"])
def test_a_weaker_rung_keeps_the_limit_too(here: World, rung: str) -> None:
    if rung == "landlock" and landlock_abi() < 1:
        pytest.skip(NO_LANDLOCK)
    result = hosted(here, rung, RUNAWAY.format(here.out), limits=Limits(output_files=200, seconds=60))
    assert (result.kind, result.limit) == ("limit", "output_files")
