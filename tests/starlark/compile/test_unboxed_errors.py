"""What fails with a list or dict of Python's own fails as with any other, and in the same order."""

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


@pytest.mark.parametrize("made", ["{}", "{1: 2}", "dict(a = 1)", "[]", "list()"])
@pytest.mark.parametrize("value", ["[1]", "(1,)", "[x for x in p]", "{1: 2}", "p", "1"])
def test_what_cannot_be_added_in_place_is_an_error_with_a_code(made: str, value: str) -> None:
    for op in ("+=", "|="):
        text = f"def f(p):\n    d = {made}\n    d {op} {value}\n    print(len(d), [x for x in d])\n"
        assert difference({"main.star": f"{text}print(attempt(lambda: f([1])))\n"}, Dialect()) == ""


LATE = [
    "{X: f()}",
    "{X: 1, f(): 2}",
    "{f(): X}",
    "{'a': X, f(): 2}",
    "{'a': f(), 'b': X}",
    "{X: X, X + f(): X}",
    "[1 for y, z in zip(X, f())]",
    "[1 for y, z in zip(f(), X)]",
]


@pytest.mark.parametrize("expression", LATE)
def test_a_variable_of_others_without_a_value_is_an_error_before_what_follows_it_is_done(
    expression: str,
) -> None:
    begin = "def f():\n    print('done')\n    return 'f'\n"
    within = f"def h():\n    return {expression}\n"
    late = "print(attempt(h))\nX = 'x'\n"
    nested = "def o():\n" + "".join(f"    {line}\n" for line in (within + late).splitlines()) + "o()\n"
    for text in (begin + within + late, begin + nested):
        assert difference({"main.star": text}, Dialect()) == ""
