"""Ints that surely are short, ranges of loops, and what is asked of strings: with and without tests."""

from __future__ import annotations

import pytest

from bramble.starlark import Dialect

from ..reference.both import compiled, difference
from .test_ownership import generated_names

SHORT = (
    "for i in range(3):\n        out.append('%d' % i)",
    "for i in range(n, n + 3):\n        out.append('%d %d' % (i * i, i // 3 - i % 7))",
    "for i, x in enumerate([n]):\n        out.append('%d' % (i + len(out)))",
    "out += ['%d' % (i * j + 1) for i in range(3) for j in range(3)]",
)
LONG = (
    "i = int('7' * n)\n    out += ['%d' % i] + ['%d' % i for i in range(3)]\n    out.append('%d' % i)",
    "for i in range(3):\n        i = int('7' * n)\n        out.append('%d' % (i * i))",
    "for i, x in enumerate([1], int('7' * n)):\n        out.append('%d' % i)",
    "for i in [int('7' * n), 1]:\n        out.append('%d' % (i * 3))",
    "for i in range(2):\n        j = i * int('7' * n)\n        out.append('%d' % (j % int('7' * n)))",
    "out.append('%d' % [int('7' * n)][0])",
)


def program(body: str) -> str:
    return f"def f(n):\n    out = []\n    {body}\n    return out\nprint(f(400), f(3), f(1))\n"


@pytest.mark.parametrize("body", SHORT)
def test_a_short_int_is_written_without_asking_how_long_it_is(body: str) -> None:
    assert ".int_text" not in generated_names(program(body))
    assert ".within" not in generated_names(program(body))
    assert difference({"main.star": program(body)}, Dialect()) == ""


@pytest.mark.parametrize("body", LONG)
def test_others_are_asked(body: str) -> None:
    text = program(body)
    assert {".int_text", ".percent_d"} & generated_names(text)
    assert difference({"main.star": text}, Dialect()) == ""
    long = text.replace("f(400)", "f(6000)")
    assert difference({"main.star": long}, Dialect()) == ""
    assert compiled({"main.star": long}, Dialect()).error is None


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            "x",
            "x - 3",
            "len([x]) - 1",
            "0, x",
            "x, x + 2",
            "x + 1, x + 3",
            "x, 0, -1",
            "len([1, 2]), -1, -1",
        ),
        *(
            "0, x, 2",
            "x - 1, x + 5, 3",
            "0, 5, 0",
            "0, 5, x",
            "True",
            "x, True",
            "'a'",
            "x, 'a'",
            "0, 5, None",
        ),
        *("1.0", "(1 << 63) + x", "0, 1 << 64", "(1 << 62), (1 << 62) + x", "-(1 << 62), x - (1 << 62)"),
        *("3, x, True", "3, 9, 1 << 40", "x, z", "z", "-x, -x + 2", "0, x // 0"),
    ],
)
def test_a_loop_goes_through_the_same_range_whatever_is_known_of_its_bounds(arguments: str) -> None:
    for given in ("4", "'b'", "None", "1 << 40"):
        loop = f"for i in range({arguments}):\n        out.append(i)\n        if len(out) > 9: break"
        inner = (
            f"out += [[j for j in range({arguments}) if i][:5] for i in range(2)]" if given == "4" else "pass"
        )
        text = f"def f(x):\n    out = []\n    {loop}\n    if x == 4 and False: z = 5\n    return out\n"
        text += f"def g(x):\n    out = []\n    {inner}\n    return out\n".replace("1 << 6", "1 << 1")
        text += f"print(attempt(lambda: f({given})), f({given}), attempt(lambda: g({given})))\n"
        assert difference({"main.star": text}, Dialect()) == ""


TEXTS = (
    "",
    "12",
    "-3",
    "+4",
    "0x10",
    "007",
    "1" * 18,
    "1" * 19,
    "1" * 5000,
    "²",
    "٣",
    " 1",
    "1_0",
    "a",
    "é",
    "Aé1",
)


@pytest.mark.parametrize(
    "expression",
    ["int(x)", "x.isdigit()", "x.isalpha()", "x.isalnum()", "x.split('1')", "x.rsplit('1')", "x.split('')"],
)
def test_strings_are_asked_the_same_in_whatever_way(expression: str) -> None:
    given = ", ".join([*map(repr, TEXTS), "5", "True", "None", "2.5", "[]"])
    for kind in ("x", "str(x)"):
        text = f"def f(x):\n    return {expression.replace('x', kind)}\n"
        text += f"for v in [{given}]:\n    print(attempt(lambda: f(v)))\n"
        dialect = Dialect(toplevel_control=True, global_reassign=True)
        assert difference({"main.star": text}, dialect) == ""


def test_the_name_of_a_type_is_that_of_every_value() -> None:
    values = (
        "None, True, 1, 2.5, 'a', b'a', [], {}, (), set(), range(3), len, f, struct(), 'a'.elems(), 'a'.strip"
    )
    text = f"def f(x):\n    kind = type(x)\n    return kind\nprint([f(v) for v in [{values}]])\n"
    assert difference({"main.star": text}, Dialect()) == ""
