"""Where mounts stand and in which order they are made: pure, no kernel."""

from __future__ import annotations

import pytest

from bramble.errors import BrambleError
from bramble.sandbox import layout
from bramble.sandbox.spec import Mount


def placed(*targets: str, **kinds: str) -> list[tuple[str, bool]]:
    mounts = [Mount("/src" + target, target) for target in targets]
    return [
        (one.mount.target, one.within)
        for one in layout.place(mounts, {"/src" + k: v for k, v in kinds.items()})
    ]


def refused(*targets: str, kinds: dict[str, str] | None = None) -> str:
    mounts = [Mount("/src" + target, target) for target in targets]
    with pytest.raises(BrambleError) as caught:
        layout.place(mounts, kinds or {})
    assert caught.value.code == "sandbox.mount" and caught.value.remedy
    return caught.value.message


def test_parents_come_before_what_lies_in_them() -> None:
    assert placed("/a/b/c", "/z", "/a", "/a/b") == [
        ("/a", False),
        ("/a/b", True),
        ("/a/b/c", True),
        ("/z", False),
    ]


def test_a_longer_name_is_not_a_place_below_a_shorter_one() -> None:
    # As plain text "/a-b" sorts between "/a" and "/a/c".
    assert placed("/a", "/a/c", "/a-b") == [("/a", False), ("/a/c", True), ("/a-b", False)]


@pytest.mark.parametrize(
    "target", ["", "relative", "/a/../b", "/a/./b", "/a//b", "/a/", "//a", "/a/..", "/a\0b"]
)
def test_a_target_is_an_absolute_path_in_normal_form(target: str) -> None:
    refused(target)


def test_the_root_is_no_target_and_said_to_be_the_sandbox_s_own() -> None:
    assert "root of a sandbox is its own" in refused("/")


@pytest.mark.parametrize("target", ["/proc", "/proc/self", "/dev", "/dev/sda", "/sys", "/sys/fs", "/tmp"])
def test_what_is_the_sandbox_s_own_cannot_be_mounted_over(target: str) -> None:
    assert target in refused(target)


def test_names_that_only_begin_like_the_sandbox_s_own_are_free() -> None:
    assert placed("/process", "/device", "/tmp/x", "/system") == [
        ("/device", False), ("/process", False), ("/system", False), ("/tmp/x", False),
    ]  # fmt: skip


def test_one_place_shows_one_thing() -> None:
    assert "/a" in refused("/a", "/b", "/a")


def test_nothing_lies_below_a_file() -> None:
    assert "/a" in refused("/a", "/a/b", kinds={"/src/a": "file"})


def test_mount_points_are_made_once_with_their_parents() -> None:
    tree = layout.Tree(("/tmp",))
    made = [step.args[0] for step in (*tree.point("/a/b/c", "directory"), *tree.point("/a/b/d", "file"))]
    assert made == ["/a", "/a/b", "/a/b/c", "/a/b/d"]
    assert tree.point("/a/b/c", "directory") == []
    assert [step.action for step in tree.point("/tmp/f", "file")] == ["file"]
