"""Minimal version selection: the answer is minimal, of no order, and that of a search of all sets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.packages.select import Release, Requirements, Selection, Slot, Unmet, select
from bramble.project.versions import Version

v = Version.parse
NAMES = ("a", "b", "c")
VERSIONS = ("0.1.0", "1.0.0", "1.1.0", "2.0.0")

# What each release of a small universe requires.
Universe = dict[tuple[str, str], dict[str, str]]


def requirements(needs: dict[str, str]) -> Requirements:
    """Return requirements of versions, "1.0.0", and of places, "1.0.0 path ../x"."""
    found = {}
    for name, text in needs.items():
        version, _, source = text.partition(" ")
        found[name] = Release(name, v(version), source)
    return found


def asker(universe: Universe) -> Callable[[Sequence[Release]], list[Requirements]]:
    return lambda several: [requirements(universe.get((one.name, str(one.version)), {})) for one in several]


def chosen(selection: Selection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for slot, release in selection.chosen.items():
        found.setdefault(slot.name, []).append(" ".join([str(release.version), *release.source.split()]))
    return found


def solved(needs: dict[str, str], universe: Universe) -> dict[str, list[str]]:
    return chosen(select(requirements(needs), asker(universe)))


def test_of_all_that_is_required_the_greatest_is_chosen() -> None:
    universe = {("a", "1.0.0"): {"c": "1.1.0"}, ("b", "1.0.0"): {"c": "1.3.0"}}
    assert solved({"a": "1.0.0", "b": "1.0.0"}, universe) == {"a": ["1.0.0"], "b": ["1.0.0"], "c": ["1.3.0"]}


def test_nothing_is_chosen_that_nobody_requires() -> None:
    assert solved({"a": "1.0.0"}, {("a", "1.9.0"): {"b": "1.0.0"}}) == {"a": ["1.0.0"]}


def test_two_majors_stand_side_by_side_and_a_name_means_the_own_one() -> None:
    universe = {("a", "1.0.0"): {"c": "1.0.0"}, ("b", "1.0.0"): {"c": "2.1.0"}}
    selection = select(requirements({"a": "1.0.0", "b": "1.0.0", "c": "2.0.0"}), asker(universe))
    assert chosen(selection)["c"] == ["1.0.0", "2.1.0"]
    assert selection.meant(None, "c") == Release("c", v("2.1.0"))
    assert selection.meant(Release("a", v("1.0.0")), "c") == Release("c", v("1.0.0"))
    assert selection.meant(Release("b", v("1.0.0")), "a") is None


def test_what_a_version_that_was_not_chosen_requires_still_counts_but_is_not_used() -> None:
    universe = {("a", "1.0.0"): {"c": "1.0.0"}, ("b", "1.0.0"): {"a": "1.1.0"}}
    selection = select(requirements({"a": "1.0.0", "b": "1.0.0"}), asker(universe))
    assert chosen(selection) == {"a": ["1.1.0"], "b": ["1.0.0"], "c": ["1.0.0"]}
    assert [str(release) for release in selection.used()] == ["a@1.1.0", "b@1.0.0"]


def test_packages_that_require_one_another_end() -> None:
    universe = {("a", "1.0.0"): {"b": "1.0.0"}, ("b", "1.0.0"): {"a": "1.0.0"}}
    assert solved({"a": "1.0.0"}, universe) == {"a": ["1.0.0"], "b": ["1.0.0"]}


def test_who_required_a_version_is_known() -> None:
    universe = {("a", "1.0.0"): {"c": "1.1.0"}, ("b", "1.0.0"): {"c": "1.3.0"}}
    selection = select(requirements({"a": "1.0.0", "b": "1.0.0", "c": "1.0.0"}), asker(universe))
    found = [(str(one.by or ""), str(one.release.version)) for one in selection.asked(Slot("c", 1))]
    assert found == [("b@1.0.0", "1.3.0"), ("a@1.0.0", "1.1.0"), ("", "1.0.0")]


def test_what_stands_at_a_place_holds_for_all() -> None:
    universe = {("a", "1.0.0"): {"c": "1.1.0"}}
    assert solved({"a": "1.0.0", "c": "1.2.0 path ../c"}, universe)["c"] == ["1.2.0 path ../c"]
    # Another major version is another thing.
    universe = {("a", "1.0.0"): {"c": "2.1.0"}}
    assert solved({"a": "1.0.0", "c": "1.2.0 rev x"}, universe)["c"] == ["1.2.0 rev x", "2.1.0"]


def test_a_place_that_holds_too_little_is_an_error() -> None:
    with pytest.raises(Unmet) as caught:
        solved({"a": "1.0.0", "c": "1.0.0 rev x"}, {("a", "1.0.0"): {"c": "1.1.0"}})
    assert caught.value.code == "config.versions"
    assert "a@1.0.0 needs c@1.1.0" in caught.value.fact and "(rev x)" in caught.value.fact


def test_no_package_decides_what_others_get() -> None:
    universe = {("a", "1.0.0"): {"c": "1.1.0 rev x"}, ("b", "1.0.0"): {"c": "1.0.0"}}
    for needs in ({"a": "1.0.0", "c": "1.0.0"}, {"a": "1.0.0", "b": "1.0.0"}):
        with pytest.raises(Unmet) as caught:
            solved(needs, universe)
        assert caught.value.code == "config.dependency"
    # Nobody else requires it, or the project says so itself.
    assert solved({"a": "1.0.0"}, universe)["c"] == ["1.1.0 rev x"]
    assert solved({"a": "1.0.0", "c": "1.1.0 rev x"}, universe)["c"] == ["1.1.0 rev x"]


def test_of_two_places_the_project_says_which() -> None:
    universe = {("a", "1.0.0"): {"c": "1.0.0 rev x"}, ("b", "1.0.0"): {"c": "1.0.0 rev y"}}
    with pytest.raises(Unmet) as caught:
        solved({"a": "1.0.0", "b": "1.0.0"}, universe)
    assert "a@1.0.0 needs c@1.0.0 (rev x), and b@1.0.0 needs" in caught.value.fact
    chosen = solved({"a": "1.0.0", "b": "1.0.0", "c": "1.0.0 rev y"}, universe)
    assert chosen["c"] == ["1.0.0 rev y"]


def test_each_release_is_asked_once() -> None:
    asked: list[Release] = []

    def requirements_of(several: Sequence[Release]) -> list[Requirements]:
        asked.extend(several)
        return [requirements({name: "1.0.0" for name in NAMES}) for _ in several]

    select(requirements({"a": "1.0.0", "b": "1.0.0"}), requirements_of)
    assert sorted(str(one) for one in asked) == ["a@1.0.0", "b@1.0.0", "c@1.0.0"]


_needs = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VERSIONS), max_size=3)
_universes = st.fixed_dictionaries(
    {(name, version): _needs for name in NAMES for version in VERSIONS},
)


def searched(needs: dict[str, str], universe: Universe) -> dict[str, list[str]]:
    """Return the answer by its definition: try every set of releases, the smallest first."""
    everything = sorted(universe)
    for size in range(len(everything) + 1):
        for taken in itertools.combinations(everything, size):
            required = [*needs.items(), *(need for one in taken for need in universe[one].items())]
            if all(need in taken for need in required):
                return greatest(taken)
    raise AssertionError("the whole universe is such a set")


def greatest(taken: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    best: dict[tuple[str, int], Version] = {}
    for name, text in taken:
        slot = (name, v(text).major)
        best[slot] = max(best.get(slot, v(text)), v(text))
    found: dict[str, list[str]] = {}
    for (name, _), version in sorted(best.items()):
        found.setdefault(name, []).append(str(version))
    return found


@given(_needs, _universes)
@settings(max_examples=60, deadline=None)
def test_the_answer_is_that_of_a_search_of_all_sets(needs: dict[str, str], universe: Universe) -> None:
    assert solved(needs, universe) == searched(needs, universe)


@given(_needs, _universes, st.randoms(use_true_random=False))
def test_the_order_in_which_requirements_are_written_means_nothing(
    needs: dict[str, str], universe: Universe, random: object
) -> None:
    def shuffled(given: dict[str, str]) -> dict[str, str]:
        items = list(given.items())
        random.shuffle(items)  # type: ignore[attr-defined]
        return dict(items)

    mixed = {release: shuffled(one) for release, one in universe.items()}
    plain = select(requirements(needs), asker(universe))
    other = select(requirements(shuffled(needs)), asker(mixed))
    assert other == plain and list(other.chosen) == list(plain.chosen) and other.used() == plain.used()


@given(_needs, _universes, st.sampled_from(NAMES), st.sampled_from(VERSIONS))
def test_a_further_requirement_never_lowers_a_version(
    needs: dict[str, str], universe: Universe, name: str, version: str
) -> None:
    before = select(requirements(needs), asker(universe)).chosen
    more = dict(universe)
    more["z", "1.0.0"] = {name: version}
    after = select(requirements({**needs, "z": "1.0.0"}), asker(more)).chosen
    assert all(after[slot].version >= least.version for slot, least in before.items())
