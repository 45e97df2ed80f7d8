"""files(): names and patterns."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.project.files import Listings, find_files, read_source
from bramble.project.patterns import parse_pattern

TREE = [
    *("a.c", "b.c", "b.h", "script.sh", ".hidden", "é.c", "[x].c", "bramble.lock"),
    *("src/main.c", "src/util/deep.c", "src/util/deep.h", "src/.git/config", "src/x y.c"),
    *("lib/default.bramble", "lib/bramble.lock", "lib/a.c"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    # Made in another order than the sorted one, since directories keep their own.
    for file in random.Random(7).sample(TREE, len(TREE)):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("")
    (root / "empty").mkdir()
    return root


def found(
    tree: Path, *include: str, directory: str = "", exclude: Sequence[str] = (), **options: bool
) -> list[str]:
    return find_files(str(tree), directory, include, exclude, **options)


def error_of(tree: Path, *include: str, **options) -> BrambleError:
    with pytest.raises(BrambleError) as caught:
        found(tree, *include, **options)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.c", ["a.c"]),
        ("./a.c", ["a.c"]),
        ("././a.c", ["a.c"]),
        ("src//main.c", ["src/main.c"]),
        (".hidden", [".hidden"]),
        ("bramble.lock", ["bramble.lock"]),
        ("*.c", ["[x].c", "a.c", "b.c", "é.c"]),
        ("?.c", ["a.c", "b.c", "é.c"]),
        ("[ab].[ch]", ["a.c", "b.c", "b.h"]),
        ("[!a].c", ["b.c", "é.c"]),
        ("[a-b].c", ["a.c", "b.c"]),
        ("[[]x[]].c", ["[x].c"]),
        ("[]x].c", []),
        ("*", ["[x].c", "a.c", "b.c", "b.h", "script.sh", "é.c"]),
        (".*", [".hidden"]),
        ("*/a.c", ["lib/a.c"]),
        ("**/a.c", ["a.c", "lib/a.c"]),
        ("src/**", ["src/main.c", "src/util/deep.c", "src/util/deep.h", "src/x y.c"]),
        ("src/**/deep.*", ["src/util/deep.c", "src/util/deep.h"]),
        ("src/**/main.c", ["src/main.c"]),
        ("**/**/deep.c", ["src/util/deep.c"]),
        ("**/util/**", ["src/util/deep.c", "src/util/deep.h"]),
        ("src/.git/*", ["src/.git/config"]),
        ("src/.*/*", ["src/.git/config"]),
        ("*/bramble.lock", ["lib/bramble.lock"]),
        ("nothing/*.c", []),
        ("a.c/*", []),
        ("empty/**", []),
    ],
)
def test_a_pattern_matches(tree, pattern, expected):
    assert found(tree, pattern) == expected


def test_the_lock_file_of_the_project_must_be_named(tree):
    # A build writes it: a build whose source it is would have to be done again.
    assert "bramble.lock" not in found(tree, "**")
    assert found(tree, "bramble.lock") == ["bramble.lock"]


def test_patterns_are_relative_to_the_calling_file_and_paths_to_the_project(tree):
    assert found(tree, "*.c", directory="lib") == ["lib/a.c"]
    assert found(tree, "../src/*.c", directory="lib") == ["src/main.c", "src/x y.c"]


def test_a_parent_directory_inside_the_project_may_be_named(tree):
    assert found(tree, "../main.c", directory="src/util") == ["src/main.c"]
    assert found(tree, "../../**/deep.h", directory="src/util") == ["src/util/deep.h"]


def test_paths_are_sorted_by_code_point_and_named_once(tree):
    assert found(tree, "b.c", "*.c", "./a.c") == ["[x].c", "a.c", "b.c", "é.c"]


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["*.h"], ["src/main.c", "src/util/deep.c", "src/util/deep.h", "src/x y.c"]),
        (["**/*.h"], ["src/main.c", "src/util/deep.c", "src/x y.c"]),
        (["src/util/**"], ["src/main.c", "src/x y.c"]),
        (["./src/main.c", "nothing.c"], ["src/util/deep.c", "src/util/deep.h", "src/x y.c"]),
        (["**"], []),
        (["src/util"], ["src/main.c", "src/util/deep.c", "src/util/deep.h", "src/x y.c"]),
    ],
)
def test_what_is_excluded_is_left_out(tree, exclude, left):
    assert found(tree, "src/**", exclude=exclude) == left


def test_an_exclusion_reaches_hidden_files(tree):
    assert found(tree, ".hidden", exclude=["*"]) == []
    assert found(tree, "src/.git/config", exclude=["src/**"]) == []


def test_directories_are_left_out_unless_asked_for(tree):
    assert found(tree, "*", directory="src") == ["src/main.c", "src/x y.c"]
    assert "src/util" in found(tree, "*", directory="src", exclude_directories=False)
    assert found(tree, "empty", exclude_directories=False) == ["empty"]
    assert found(tree, "src/**", exclude_directories=False)[1] == "src/util"


@pytest.mark.parametrize("pattern", ["missing.c", "./scirpt.sh", "src/missing/x.c", "a.c/x"])
def test_a_named_file_must_exist(tree, pattern):
    error = error_of(tree, "a.c", pattern)
    assert error.code == "load.source-missing" and pattern in error.message


@pytest.mark.parametrize("pattern", ["src", "./", ".", "src/util/", "empty"])
def test_a_named_directory_is_answered_with_the_pattern_that_was_meant(tree, pattern):
    error = error_of(tree, pattern)
    assert error.code == "load.source-missing" and "/**" in (error.remedy or "")


@pytest.mark.parametrize(
    ("pattern", "directory"),
    [("/etc/passwd", ""), ("../x", ""), ("a/../../x", ""), ("../../x", "src"), ("../*", ""), ("/*", "src")],
)
def test_nothing_outside_the_project_can_be_named(tree, pattern, directory):
    assert error_of(tree, pattern, directory=directory).code == "load.source-outside"
    assert error_of(tree, exclude=[pattern], directory=directory).code == "load.source-outside"


@pytest.mark.parametrize("pattern", ["", "a**", "**.c", "*/../x", "[a", "[", "[z-a]", "a\x00"])
def test_a_pattern_without_sense_is_refused(tree, pattern):
    assert error_of(tree, pattern).code == "load.source-pattern"


def test_nothing_matching_is_an_error_only_when_asked_to_be(tree):
    assert found(tree, "*.rs") == []
    error = error_of(tree, "*.rs", "src/*.rs", allow_empty=False)
    assert error.code == "load.source-none" and '"*.rs", "src/*.rs"' in error.message
    assert error_of(tree, "a.c", exclude=["*"], allow_empty=False).code == "load.source-none"
    assert error_of(tree, allow_empty=False).code == "load.source-none"
    assert found(tree) == []


def test_a_link_inside_the_project_is_a_source_of_its_own(tree):
    (tree / "link.c").symlink_to("src/main.c")
    (tree / "src/dir").symlink_to("util")
    (tree / "dangling").symlink_to("src/not-yet")
    assert found(tree, "l*") == ["link.c"]
    assert found(tree, "dangling") == ["dangling"]
    # A link to a directory is not gone through.
    assert found(tree, "src/**/*.h") == ["src/util/deep.h"]
    assert found(tree, "src/d*") == ["src/dir"]
    assert error_of(tree, "src/dir/deep.c").code == "load.source-outside"
    assert error_of(tree, "src/dir/*").code == "load.source-outside"


def test_a_link_out_of_the_project_is_an_error_however_it_is_reached(tree):
    (tree.parent / "secret").mkdir()
    (tree.parent / "secret/key").write_text("")
    (tree / "out").symlink_to("../secret/key")
    (tree / "absolute").symlink_to(tree / "a.c")
    (tree / "up").symlink_to("../secret")
    (tree / "chain").symlink_to("out")
    for pattern in ("out", "o*", "absolute", "up", "up/key", "up/*", "chain", "?hain"):
        assert error_of(tree, pattern).code == "load.source-outside"
    assert found(tree, "o*", exclude=["out"]) == []


def test_a_directory_whose_name_begins_like_the_project_is_outside(tree):
    (tree.parent / "project-2").mkdir()
    (tree / "sly").symlink_to("../project-2")
    assert error_of(tree, "sly").code == "load.source-outside"


def test_a_link_to_a_fifo_is_not_waited_for(tree):
    os.mkfifo(tree / "fifo")
    (tree / "way").symlink_to("fifo")
    with pytest.raises(BrambleError) as caught:
        read_source(Listings(str(tree)), "", "way")
    assert caught.value.code == "load.source-missing" and "FIFO" in caught.value.message


def test_a_file_that_became_a_link_is_not_followed(tree):
    listings = Listings(str(tree / "p"))
    (tree / "p").mkdir()
    (tree / "p" / "own").write_text("own")
    (tree / "secret").write_text("secret")
    assert read_source(listings, "", "own") == "own"
    (tree / "p" / "own").unlink()
    (tree / "p" / "own").symlink_to("../secret")
    with pytest.raises(BrambleError):
        read_source(listings, "", "own")


def test_what_is_neither_file_nor_directory_is_no_source(tree):
    os.mkfifo(tree / "pipe")
    assert found(tree, "p*") == []
    assert error_of(tree, "pipe").code == "load.source-missing"


def test_a_name_that_is_not_utf8_is_refused_unless_excluded(tree):
    with open(os.fsencode(tree) + b"/caf\xe9.txt", "wb"):
        pass
    assert error_of(tree, "*.txt").code == "load.source-name"
    assert found(tree, "*.txt", exclude=["caf?.txt"]) == []


def test_names_are_not_normalised(tree):
    (tree / "u\u0308.txt").write_text("")
    (tree / "\u00fc.txt").write_text("")
    assert found(tree, "*.txt") == ["u\u0308.txt", "\u00fc.txt"]
    assert found(tree, "\u00fc.txt") == ["\u00fc.txt"]


def test_one_look_at_the_disk_serves_many_calls(tree):
    listings = Listings(str(tree))
    before = find_files(str(tree), "", ["**"], listings=listings)
    (tree / "new.c").write_text("")
    assert find_files(str(tree), "", ["**"], listings=listings) == before
    assert "new.c" in find_files(str(tree), "", ["**"])


def test_many_stars_are_matched_in_little_time():
    pattern = parse_pattern("/".join(["**", "a"] * 12), "", hidden=False)
    assert not pattern.matches(("a",) * 40 + ("b",))
    assert pattern.matches(("a",) * 40)


names = st.sampled_from(["a", "b", "ab", ".a", "a.c"])
paths = st.lists(names, min_size=1, max_size=4).map(tuple)
pieces = st.sampled_from(["a", "*", "**", "?", "a*", "[ab]", "*.c", ".*"])


@pytest.mark.parametrize("exclude", [[], ["src/**"], ["**/util/**"], ["**/*.h"], ["lib/*"]])
@pytest.mark.parametrize(
    "pattern",
    ["**", "*/**", "**/*", "**/*.c", "**/util/**", "src/**/**", "**/**/*.h", "*/*/*", "src/*/**", "l*/*"],
)
def test_walking_the_tree_finds_exactly_what_matches(tree, pattern, exclude):
    wanted = parse_pattern(pattern, "", hidden=False)
    unwanted = [parse_pattern(text, "", hidden=True) for text in exclude]
    expected = []
    for file in sorted(TREE):
        path = tuple(file.split("/"))
        if wanted.matches(path) and not any(one.matches(path) for one in unwanted):
            expected.append(file)
    expected = [file for file in expected if file != "bramble.lock"]
    assert found(tree, pattern, exclude=exclude) == expected


@given(st.lists(pieces, min_size=1, max_size=4), paths)
def test_matching_agrees_with_trying_every_split(parts, path):
    def slow(parts: list[str], names: tuple[str, ...]) -> bool:
        if not parts:
            return not names
        if parts[0] == "**":
            if parts[1:] and slow(parts[1:], names):
                return True
            return bool(names) and (slow(parts, names[1:]) or (len(parts) == 1 and len(names) == 1))
        one = parse_pattern(parts[0], "", hidden=True)
        return bool(names) and one.matches(names[:1]) and slow(parts[1:], names[1:])

    assert parse_pattern("/".join(parts), "", hidden=True).matches(path) == slow(parts, path)
