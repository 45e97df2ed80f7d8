"""Python has opinions on some expressions, and says them while it compiles: nobody must hear them."""

from __future__ import annotations

import itertools
import warnings

import pytest

from bramble.starlark import StarlarkError, compile_program

VALUES = [
    "None",
    "True",
    "1",
    "1.5",
    '"a"',
    'b"a"',
    "(1,)",
    "()",
    "[1]",
    "{1: 2}",
    "(lambda: 1)",
    "len",
    "[].clear()",
]
ALONE = [
    "-{}",
    "+{}",
    "~{}",
    "not {}",
    "{}()",
    "{}[0]",
    '{}["a"]',
    "{}.x",
    "{}.x()",
    "{}[1:2]",
    "{}[::2]",
    "{}[:[1][0]]",
]
ALONE += ["[x for x in {}]", "1 if {} else 2", "len(*{})", "dict(**{})", 'type({}) == "int"', '"%d" % {}']
PAIRS = ["+", "*", "%", "<<", "==", "!=", "<", "in", "not in", "and", "or"]
TEXTS = [form.format(value) for form in ALONE for value in VALUES]
TEXTS += [f"{a} {op} {b}" for op in PAIRS for a, b in itertools.product(VALUES, VALUES)]
TEXTS += [f"{a}[{b}]" for a, b in itertools.product(VALUES, VALUES)]
# Python calculates them first, and then has an opinion.
CALCULATED = [
    "(1 + 2)",
    "(3 % 3)",
    "(3 // (2 - 1))",
    '("a" + "b")',
    '("%s" % 1)',
    "((1,) + (2,))",
    "(-(2 * 2))",
]
INDEXES = ["0", "0 + 0", "len([1])", '"a"', '"a" * 2', "None", "(1,)", "1.5", ":len([1])", "0:1"]
TEXTS += [f"{a}[{b}]" for a, b in itertools.product(CALCULATED, INDEXES)]
TEXTS += [form.format(value) for form in ALONE for value in CALCULATED]
PLACES = [
    "x = %\n",
    "def f():\n    return %\n",
    "def f():\n    if %: pass\n    return [1 for i in [1] for j in [%]]\n",
]


@pytest.mark.parametrize("place", PLACES)
def test_compiling_says_nothing_of_its_own(place: str) -> None:
    with warnings.catch_warnings(record=True) as heard:
        # Not "error": Python swallows what is raised while it folds constants.
        warnings.simplefilter("always")
        for text in TEXTS:
            try:
                compile_program(place.replace("%", text), "odd.star")
            except StarlarkError as error:
                assert error.code.startswith(("syntax.", "resolve.")), text
    assert [str(warning.message) for warning in heard] == []
