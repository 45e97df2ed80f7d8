"""Regular expressions: the same answers as Python's, and a search that always ends soon."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.starlark import EvalError, Thread, call
from bramble.starlark.assertions import ASSERT
from bramble.starlark.patterns import compile_pattern, is_found

from .running import ran

ATOMS = ["a", "b", ".", " ", "[ab]", "[^a]", "[]a]", r"[\d-]", r"[\Da]", r"\d", r"\W", r"\s", r"\.", r"\x61"]
TIMES = ["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "{0}"]
EXPRESSIONS = st.recursive(
    st.sampled_from([*ATOMS, r"\b", "^", "$"]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join),
        inner.map("({})".format),
        st.tuples(inner, st.sampled_from(TIMES)).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=12,
)


def found(pattern: str, text: str) -> bool:
    code = compile_pattern(pattern)
    assert code is not None
    return is_found(code, text, lambda: None)


@given(EXPRESSIONS, st.text("ab1 .\n-]", max_size=8))
def test_it_finds_what_pythons_own_finds(pattern: str, text: str) -> None:
    # Python's `$` also holds before a line feed at the end.
    assert found(pattern, text) == bool(re.search(pattern.replace("$", r"\Z"), text, re.ASCII))


@pytest.mark.parametrize(
    "text",
    [
        *("*", "a**", "(", "a)", "[", "[a", "\\", "(?=a)", "(?i)a", r"\p{L}", "[[:alpha:]]", "a{2,1}"),
        *("a{1001}", r"\q", "[b-a]", r"[a-\d]", "a{2}{3}", r"\1", "[^]", r"\x6", r"\Z", "a|*", "(*a)"),
    ],
)
def test_what_is_no_regular_expression_is_told(text: str) -> None:
    assert compile_pattern(text) is None


@pytest.mark.parametrize("text", ["a|" * 4999, "(" * 4999 + "a" * 5000, "((a{99}){99}){99}", "a" * 10_001])
def test_a_pattern_that_becomes_too_large_is_refused(text: str) -> None:
    try:
        assert compile_pattern(text) is None
    except EvalError as error:
        assert error.code == "eval.limit"


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a*)*b", "((a{1,9}){1,9}){1,9}b", ".*" * 50 + "b"])
def test_the_steps_of_a_search_are_bounded_by_pattern_times_text(pattern: str) -> None:
    steps = []
    code = compile_pattern(pattern)
    assert code is not None
    assert not is_found(code, "a" * 60 + "c", lambda: steps.append(1))
    assert len(steps) <= (len(code) + 1) * 62


LONG = "def f():\n    fail('a' * 100000)\n"


def test_a_search_counts_as_steps() -> None:
    fails = ASSERT.attributes["fails"]
    with pytest.raises(EvalError) as caught:
        call(Thread(max_steps=5000), fails, [ran(LONG).globals["f"], "(a+)+$"])
    assert (caught.value.code, caught.value.message) == ("eval.limit", "too many steps")


def test_a_search_ends_at_the_deadline() -> None:
    fails = ASSERT.attributes["fails"]
    function = ran(LONG, Thread(deadline=time.monotonic() + 60)).globals["f"]
    with pytest.raises(EvalError) as caught:
        call(Thread(deadline=time.monotonic() + 0.05), fails, [function, "(a?){999}b"])
    assert (caught.value.code, caught.value.message) == ("eval.limit", "deadline exceeded")
