"""Where Starlark and Python agree, they agree on every value; and evaluation follows the text."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.starlark import Builtin, EvalError, Thread, call

from ..running import ran, value

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
FUNCTIONS = ran("".join(f"def f{n}(x, y):\n    return x {op} y\n" for n, op in enumerate(OPERATORS))).globals
ints = st.integers(-(1 << 70), 1 << 70)


@pytest.mark.parametrize(("number", "op"), list(enumerate(OPERATORS)))
@given(x=ints, y=ints)
@settings(max_examples=60, deadline=None)
def test_whole_numbers_are_calculated_as_in_python(number: int, op: str, x: int, y: int) -> None:
    if op in ("//", "%") and y == 0:
        with pytest.raises(EvalError):
            call(Thread(), FUNCTIONS[f"f{number}"], (x, y))
        return
    result = call(Thread(), FUNCTIONS[f"f{number}"], (x, y))
    expected = OPERATORS[op](x, y)
    assert result == expected and type(result) is type(expected)


@pytest.mark.parametrize("op", ["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>", "/"])
@pytest.mark.parametrize("pair", [(True, 1), (1, True), (True, False)])
def test_truth_values_are_no_numbers(op: str, pair: tuple[Any, Any]) -> None:
    with pytest.raises(EvalError) as caught:
        value(f"x {op} y", x=pair[0], y=pair[1])
    assert caught.value.code == "eval.operand"


part = st.none() | st.integers(-12, 12)
SLICE = ran("def f(x, a, b, c):\n    return x[a:b:c]\n").globals["f"]


@given(text=st.text(max_size=10), a=part, b=part, c=part.filter(lambda step: step != 0))
@settings(max_examples=200, deadline=None)
def test_slices_are_those_of_python(text: str, a: Any, b: Any, c: Any) -> None:
    assert call(Thread(), SLICE, (text, a, b, c)) == text[a:b:c]
    assert call(Thread(), SLICE, (tuple(text), a, b, c)) == tuple(text)[a:b:c]
    assert list(call(Thread(), SLICE, (range(10), a, b, c))) == list(range(10)[a:b:c])


ORDERS = {
    "t(1) + t(2) * t(3)": [1, 2, 3],
    "[t(1), t(2)][t(0)]": [1, 2, 0],
    "{t(1): t(2), t(3): t(4)}": [1, 2, 3, 4],
    "g(t(1), *[t(3)], k = t(2))": None,
    "g(t(1), k = t(2), *[t(3)], **{'m': t(4)})": [1, 2, 3, 4],
    "t(1) if t(0) else t(2)": [0, 2],
    "t(0) and t(1) or t(2)": [0, 2],
    "[t(x) for x in [t(1), t(2)] if t(5)]": [1, 2, 5, 1, 5, 2],
    "t(1) < t(2)": [1, 2],
    "(t(1), t(2))[t(0):t(1)]": [1, 2, 0, 1],
}


@pytest.mark.parametrize("expression", [text for text, order in ORDERS.items() if order is not None])
def test_what_is_written_first_is_evaluated_first(expression: str) -> None:
    seen: list[Any] = []

    def trace(thread: Thread, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        seen.append(args[0])
        return args[0]

    ran(f"def g(*a, **k):\n    pass\nr = {expression}\n", t=Builtin("t", trace))
    assert seen == ORDERS[expression]
