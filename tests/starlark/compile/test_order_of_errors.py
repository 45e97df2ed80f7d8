"""Of two variables without a value the one that is evaluated first is the error, however it is kept."""

from __future__ import annotations

import pytest

from bramble.starlark import Dialect
from tests.starlark.reference.both import difference

STATEMENTS = [
    "d[e] = 1",
    "d[repr(e)] = 1",
    "d[len(e)] += 1",
    "d[0] = len(e)",
    "d[0], d[e] = 1, 2",
    "d[e], e = 1, 2",
    "d[e][e] = 1",
    "print(d[e])",
    "print(d[len(e)])",
    "print(d[e:])",
    "print(e in d)",
    "print(len(e) in d)",
    "print(d + e)",
    "d += [len(e)]",
    "d |= {1: len(e)}",
    "d.append(len(e))",
    "d.get(repr(e))",
    "for x in zip(d, e): pass",
    "for x in zip(e, d): pass",
    "print([x for x in d for y in e])",
]


@pytest.mark.parametrize("made", ["{}", "[]", "[1]", "{1: 2}", "dict(a = 1)", "list((1,))", "(1,)"])
def test_the_first_variable_without_a_value_is_named(made: str) -> None:
    # spec: starlark.expr.order
    for statement in STATEMENTS:
        text = f"def f(p):\n    for e in p:\n        d = {made}\n    {statement}\n"
        for call in ("f([])", "f([0])"):
            assert difference({"main.star": f"{text}print(attempt(lambda: {call}))\n"}, Dialect()) == ""
