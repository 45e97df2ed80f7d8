"""The compiler does with random programs what the reference evaluator does, to the last word and place.

More programs: `python3 tests/stress/compare_evaluators.py`.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bramble.starlark import Dialect

from .both import compiled, difference, referred
from .programs import Case, random_case, reduced

# A program is made from one number, and made smaller by leaving lines out.
CASES = st.builds(random_case, st.integers(0, 2**32))


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(CASES)
def test_random_programs_do_what_the_reference_evaluator_does(case: Case) -> None:
    if difference(*case):
        smaller = reduced(case.files, lambda files: bool(difference(files, case.dialect)))
        pytest.fail(f"{case.dialect}\n{difference(smaller, case.dialect)}", pytrace=False)


# What random programs have found.
FOUND = (
    # The method says whose key it is, and its default is evaluated before the key is looked at.
    "def f(x):\n    for y in [[1]]:\n        print({}.get((y, True), print(x)))\nf(1)\n",
    "def f(y):\n    d = {}\n    return d.get((y, 2))\nprint(attempt(lambda: f([1])))\n",
    # The value of an entry is evaluated before its key is looked at.
    "def f(x):\n    print({k: print(k) for k in x})\nf(['a', [1]])\n",
    "def f(x):\n    print({(k, x): len(k) for k in x})\nf(['a', 1])\n",
    "def f(x):\n    return {\n        k:\n        print(1)\n        for k in x}\nf([1, {}])\n",
)


@pytest.mark.parametrize("text", FOUND)
def test_what_was_found_is_mended(text: str) -> None:
    assert not difference({"main.star": text}, Dialect())


def test_counting_steps_changes_nothing_else() -> None:
    for seed in range(40):
        files, dialect = random_case(seed)
        if not referred(files, dialect).limited:
            assert compiled(files, dialect, max_steps=10**7).seen == referred(files, dialect).seen


def test_most_random_programs_run_for_a_while() -> None:
    outcomes = [referred(*random_case(seed)) for seed in range(60)]
    assert sum(len(outcome.printed) for outcome in outcomes) > 200
    assert sum(outcome.error is None for outcome in outcomes) > 25


def test_a_difference_is_found_and_reduced() -> None:
    def wrong(files: dict[str, str]) -> bool:
        return "7 // 2" in files["main.star"]

    text = "def f(x):\n    return x\nprint(f(1))\ny = 7 // 2\nprint(y)\n"
    assert reduced({"main.star": text}, wrong) == {"main.star": "y = 7 // 2\n"}
    assert difference({"main.star": text}, Dialect()) == ""
