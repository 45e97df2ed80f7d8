"""Names of packages, the repositories they may mean, and their tags."""

from __future__ import annotations

import pytest

from bramble.packages.names import RepositoryPlace, is_remote, places, tag_of, version_of


def test_a_repository_of_the_whole_name_comes_first() -> None:
    assert places("example.com/u/p") == (
        RepositoryPlace("https://example.com/u/p", ""),
        RepositoryPlace("https://example.com/u", "p"),
    )


def test_on_a_host_of_one_depth_there_is_one_place() -> None:
    assert places("github.com/u/p/lib/x") == (RepositoryPlace("https://github.com/u/p", "lib/x"),)
    assert places("github.com/u") == ()


def test_a_part_that_ends_in_git_ends_the_repository() -> None:
    assert places("example.com/a/b.git/c") == (RepositoryPlace("https://example.com/a/b.git", "c"),)


@pytest.mark.parametrize(
    ("directory", "tag", "version"),
    [
        ("", "v1.2.3", "1.2.3"),
        ("", "v1.2.3-rc.1", "1.2.3-rc.1"),
        ("", "1.2.3", None),
        ("", "v1.2.3+x", None),
        ("", "v1.2", None),
        ("", "sub/v1.2.3", None),
        ("sub", "sub/v1.2.3", "1.2.3"),
        ("sub", "v1.2.3", None),
        ("sub", "other/v1.2.3", None),
        ("a/b", "a/b/v0.1.0", "0.1.0"),
        ("", "version", None),
    ],
)
def test_tags(directory: str, tag: str, version: str | None) -> None:
    found = version_of(directory, tag)
    assert (found and str(found)) == version
    if found:
        assert tag_of(directory, found) == tag


@pytest.mark.parametrize(
    ("name", "remote"),
    [("example.com/x", True), ("example.com", False), ("local/x", False), (".x/y", False), ("std", False)],
)
def test_a_place_has_a_host(name: str, remote: bool) -> None:
    assert is_remote(name) is remote
