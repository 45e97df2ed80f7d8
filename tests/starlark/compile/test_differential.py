"""A second implementation of the language, where one is installed, has the same values."""

from __future__ import annotations

from typing import Any

import pytest

from ..running import value

pyo3: Any = pytest.importorskip(
    "starlark", reason="starlark-pyo3, a second implementation to compare with, is not installed"
)
PROGRAMS = [
    '"{} {}".format(1, [2, "a"])',
    "[x * 2 for x in range(5) if x % 2 == 0]",
    '{k: v for k, v in [("a", 1), ("b", 2)]}',
    "sorted([3, 1, 2], reverse = True)",
    '"a,b,,c".split(",")',
    '"%s %d %r" % ("x", 3, "y")',
    'list(zip([1, 2], ["a", "b"]))',
    "(7 // -2, 7 % -2, -7 // 2, -7 % 2)",
    '"Hello".title() + "abc".upper().replace("B", "x")',
    'dict([("a", 1)], b = 2)',
    "max([1, 5, 3], key = lambda x: -x)",
    "[1, 2, 3][::-1]",
    'repr("tab\\there")',
    'enumerate(["a", "b"])',
    'any([0, "", None]) or all([1, "a"])',
    'hash("abc")',
]


@pytest.mark.parametrize("expression", PROGRAMS)
def test_a_second_implementation_has_the_same_value(expression: str) -> None:
    module = pyo3.Module()
    dialect = pyo3.Dialect.extended()
    other = pyo3.eval(
        module, pyo3.parse("x.star", f"repr({expression})", dialect), pyo3.Globals.extended_by([])
    )
    assert value(f"repr({expression})") == other
