"""Versions and their selection."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.project.versions import Version, select_versions

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


def world(**packages: dict[str, str]):
    """Return a function that gives the requirements of "NAME@VERSION" packages."""
    known = {key.replace("_", "@").replace("x", "."): needs for key, needs in packages.items()}

    def requirements_of(name: str, version: Version):
        return {need: v(least) for need, least in known.get(f"{name}@{version}", {}).items()}

    return requirements_of


def chosen(needs: dict[str, str], **packages: dict[str, str]) -> dict[str, str]:
    selected = select_versions({name: v(least) for name, least in needs.items()}, world(**packages))
    return {name: str(version) for name, version in selected.items()}


def test_of_all_that_is_asked_for_the_greatest_is_taken():
    assert chosen(
        {"a": "1.0.0", "b": "1.0.0"},
        a_1x0x0={"c": "1.1.0"},
        b_1x0x0={"c": "1.3.0"},
    ) == {"a": "1.0.0", "b": "1.0.0", "c": "1.3.0"}


def test_nothing_is_taken_that_nobody_asked_for():
    assert chosen({"a": "1.0.0"}, a_1x9x0={"b": "1.0.0"}) == {"a": "1.0.0"}


def test_what_a_version_that_was_not_taken_needs_still_counts():
    # As in the original algorithm: selection is a walk over all requirements, not a search.
    assert chosen(
        {"a": "1.0.0", "b": "1.0.0"},
        a_1x0x0={"c": "1.0.0"},
        b_1x0x0={"a": "1.1.0"},
    ) == {"a": "1.1.0", "b": "1.0.0", "c": "1.0.0"}


def test_packages_that_need_one_another_end():
    assert chosen({"a": "1.0.0"}, a_1x0x0={"b": "1.0.0"}, b_1x0x0={"a": "1.0.0"}) == {
        "a": "1.0.0",
        "b": "1.0.0",
    }


def test_two_major_versions_are_an_error_that_names_who_needs_them():
    with pytest.raises(BrambleError) as caught:
        chosen({"a": "1.0.0", "b": "1.0.0"}, a_1x0x0={"c": "1.0.0"}, b_1x0x0={"c": "2.0.0"})
    assert caught.value.code == "config.versions"
    assert "a 1.0.0" in caught.value.message and "b 1.0.0" in caught.value.message


names = st.sampled_from(["a", "b", "c", "d"])
numbers = st.sampled_from(["1.0.0", "1.1.0", "1.2.0"])


@given(
    st.dictionaries(names, numbers, max_size=3),
    st.dictionaries(st.tuples(names, numbers), st.dictionaries(names, numbers, max_size=3), max_size=8),
)
def test_every_requirement_is_met_and_the_order_of_asking_does_not_matter(needs, packages):
    def requirements_of(name: str, version: Version):
        return {n: v(least) for n, least in packages.get((name, str(version)), {}).items()}

    selected = select_versions({n: v(x) for n, x in needs.items()}, requirements_of)
    backwards = select_versions(
        {n: v(needs[n]) for n in reversed(list(needs))},
        lambda name, version: dict(reversed(list(requirements_of(name, version).items()))),
    )
    assert selected == backwards and list(selected) == sorted(selected)
    for name, version in selected.items():
        for need, least in requirements_of(name, version).items():
            assert selected[need] >= least
    for name, least in needs.items():
        assert selected[name] >= v(least)
