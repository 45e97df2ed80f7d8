"""Versions and their order."""

from __future__ import annotations

import itertools

import pytest

from bramble.errors import BrambleError
from bramble.project.versions import Version

v = Version.parse

ORDERED = [
    *("0.0.0", "0.0.1", "0.1.0", "1.0.0-0", "1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta"),
    *(
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.10.0",
        "2.0.0",
    ),
]


def test_the_order_is_the_one_of_the_standard():
    for smaller, greater in itertools.combinations(ORDERED, 2):
        assert v(smaller) < v(greater)
        assert not v(greater) < v(smaller)


def test_build_metadata_does_not_order():
    assert v("1.0.0+a") == v("1.0.0+b") and hash(v("1.0.0+a")) == hash(v("1.0.0"))


@pytest.mark.parametrize("text", [*ORDERED, "1.0.0+x.01", "1.0.0-a-b.c+d-e"])
def test_a_version_writes_what_it_was_read_from(text):
    assert str(v(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.0",
        "1.0.0.0",
        "v1.0.0",
        "01.0.0",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0-a..b",
        "1.0.0+",
        "1.0.0 ",
        "1.0.x",
    ]
    + ["1.0.0\n", "١.0.0", "-1.0.0", "9" * 300 + ".0.0"],
)
def test_what_is_no_version_is_refused(text):
    with pytest.raises(BrambleError) as caught:
        v(text)
    assert caught.value.code == "config.version"
