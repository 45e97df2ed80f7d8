"""Which name was meant: one rule for all that a person can misspell."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bramble.errors import nearest
from bramble.starlark import spell

WORDS = st.text("abcx_", max_size=7)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("biuld", "build"),
        ("jbos", "jobs"),
        ("Host-Tools", "host_tools"),
        ("bulds", "build"),
        ("xuild", "build"),
        ("sjob", None),
        ("", None),
        ("zzzzz", None),
    ],
)
def test_the_nearest_name_is_found(word: str, meant: str | None) -> None:
    assert nearest(word, ["jobs", "host_tools", "build"]) == meant


def test_of_names_as_near_the_first_is_taken() -> None:
    assert nearest("brake", ["drake", "crake"]) == "crake"


@example("c_ac", ["ca", "acc"])
@given(WORDS, st.lists(WORDS))
def test_the_rule_of_the_language_is_the_same_but_for_letters_that_changed_places(
    word: str, names: list[str]
) -> None:
    # The language stands alone, and its rule is written in its chapter (spec: starlark.error.suggestion).
    theirs = spell.nearest(word, names)
    ours = nearest(word, names)
    if theirs:
        assert ours is not None
    if theirs and ours != theirs:
        # Letters are neighbours whatever is passed over between them.
        bare = word.replace("_", "")
        swapped = {bare[:i] + bare[i + 1] + bare[i] + bare[i + 2 :] for i in range(len(bare) - 1)}
        assert any(spell.nearest(other, [ours]) for other in {word, *swapped} if ours)
