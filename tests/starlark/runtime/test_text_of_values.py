"""Values as text: digits that read back, quotes that read back, and limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bramble.starlark import Builtin, EvalError, List, to_repr, to_str
from bramble.starlark.runtime.integers import int_from_digits, int_text
from bramble.starlark.runtime.text import apply_format, float_text

from ..running import ran, value


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(0.0)
@example(-0.0)
@example(1e-4)
@example(999999.9999999999)
@example(1e6)
@example(1.5e300)
@example(5e-324)
@example(123456789.0)
@settings(max_examples=300, deadline=None)
def test_the_digits_of_a_float_read_back_and_are_the_fewest(number: float) -> None:
    text = float_text(number)
    assert float(text) == number and math.copysign(1.0, float(text)) == math.copysign(1.0, number)
    mantissa, _, exponent = text.partition("e")
    digits = mantissa.lstrip("-").replace(".", "").strip("0")
    shortest = repr(number).partition("e")[0].lstrip("-").replace(".", "").strip("0")
    assert digits == shortest
    if number:
        power = math.floor(math.log10(abs(number))) if not exponent else int(exponent)
        assert bool(exponent) == (power < -4 or power >= 6) or abs(power - 6) <= 1 or abs(power + 4) <= 1


@given(st.integers(min_value=-(10**40), max_value=10**40) | st.integers(1, 30).map(lambda n: 7 ** (n * 700)))
@settings(max_examples=80, deadline=None)
def test_ints_of_any_length_read_back(number: int) -> None:
    text = int_text(number)
    sign = -1 if number < 0 else 1
    assert sign * int_from_digits(text.lstrip("-"), 10) == number
    assert text.lstrip("-").isdigit() and not text.lstrip("-").startswith("0") or number == 0


def test_an_int_of_ten_thousand_digits_can_be_printed_and_read() -> None:
    text = (
        "def f():\n    n = 1\n    for _ in range(10000):\n        n = n * 10\n    return n\n"
        "r = int(str(f())) == f()\n"
    )
    assert ran(text + "s = len('%d' % f()) == len('{}'.format(f()))\n").globals["r"] is True


@given(st.text(max_size=20))
@example('"\\\n\t\x00\x7f\xa0é😿\u200d')
@settings(max_examples=300, deadline=None)
def test_a_quoted_string_reads_back(text: str) -> None:
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        return
    assert value(to_repr(text)) == text
    assert all(c.isprintable() for c in to_repr(text))


@given(st.binary(max_size=20))
@example(b'\xff"\\\xc3\xa9\xed\xa0\x80')
@settings(max_examples=200, deadline=None)
def test_quoted_bytes_read_back(data: bytes) -> None:
    assert value(to_repr(data)) == data


def test_values_inside_themselves_are_dots() -> None:
    text = "x = [1]\nx.append(x)\nd = {}\nd['d'] = [d]\n"
    made = ran(text).globals
    assert to_repr(made["x"]) == "[1, [...]]" and to_repr(made["d"]) == '{"d": [{...}]}'


def test_a_value_met_twice_but_not_inside_itself_is_written_twice() -> None:
    assert value("str((lambda x: [x, x])([1]))") == "[[1], [1]]"


@pytest.mark.parametrize("depth", [50, 150])
def test_deep_values_are_written(depth: int) -> None:
    made: object = List()
    for _ in range(depth):
        made = List([made])
    assert to_str(made) == "[" * (depth + 1) + "]" * (depth + 1)


def test_a_value_that_doubles_at_every_level_is_not_written_out() -> None:
    text = (
        "def f():\n    x = ['abcdefgh' * 1000]\n    for i in range(60):\n        x = [x, x]\n    return {}\n"
    )
    for use in ("str(x)", "repr(x)", "'%s' % [x]", "'{}'.format(x)"):
        with pytest.raises(EvalError) as caught:
            ran(text.format(use) + "f()\n")
        assert caught.value.code == "eval.limit"


def test_functions_methods_and_ranges_have_their_forms() -> None:
    assert value("str([len, [].append, (lambda: 1), range(3), range(1, 3), range(0, 9, 2), set([1])])") == (
        "[<built-in function len>, <built-in method append of list value>, <function lambda>, range(3), "
        "range(1, 3), range(0, 9, 2), set([1])]"
    )


FIELDS = st.sampled_from(["{}", "{0}", "{a}", "{!r}", "{a!s}", "{{", "}}", "x", " ", "{1!r}", "{b}"])


@given(st.lists(FIELDS, max_size=6).map("".join), st.lists(st.sampled_from([1, "a", None]), max_size=3))
@settings(max_examples=200, deadline=None)
def test_format_with_literal_and_with_computed_text_is_the_same(template: str, args: list[object]) -> None:
    def outcome(text: str, **given: object) -> object:
        try:
            return value(text, **given)
        except EvalError as error:
            return error.message

    names = {f"v{n}": arg for n, arg in enumerate(args)}
    call = f".format({', '.join([*names, 'a = [2]'])})"
    assert outcome(f"{to_repr(template)}{call}", **names) == outcome(f"t{call}", t=template, **names)


PERCENT = st.sampled_from(["%s", "%d", "%r", "%%", "%x", "a", "%c", "%(k)s", "%q", "%"])
OPERANDS = st.sampled_from(
    ["1", "'a'", "(1, 2)", "()", "[1]", "{'k': 1}", "True", "1.5", "(1,)", "('a', 2, None)", "1 << 70"]
)


@given(st.lists(PERCENT, max_size=4).map("".join), OPERANDS)
@settings(max_examples=300, deadline=None)
def test_percent_with_literal_and_with_computed_text_is_the_same(template: str, operand: str) -> None:
    def outcome(text: str, **given: object) -> object:
        try:
            return value(text, **given)
        except EvalError as error:
            return error.message

    assert outcome(f"{to_repr(template)} % {operand}") == outcome(f"t % {operand}", t=template)


def test_format_reaches_no_attribute_and_no_item() -> None:
    for field in ("{0.__class__}", "{a.b}", "{0[0]}", "{a[k]}", "{:>10}", "{0:{1}}"):
        with pytest.raises(EvalError) as caught:
            apply_format(field, (1, 2), {"a": 1})
        assert caught.value.code == "eval.format"


def test_text_of_a_host_s_value_is_its_own() -> None:
    from bramble.starlark import HostValue

    class Path(HostValue):
        type_name = "path"

        def str_text(self) -> str:
            return "/a/b"

        def repr_text(self) -> str:
            return "path(/a/b)"

    path = Path()
    assert value("[str(p), repr(p), '%s' % p, '{}'.format(p), '{!r}'.format(p), str([p])]", p=path) == [
        "/a/b",
        "path(/a/b)",
        "/a/b",
        "/a/b",
        "path(/a/b)",
        "[path(/a/b)]",
    ]
    assert value("f(p)", p=path, f=Builtin("f", lambda _t, args, _k: to_str(args[0]))) == "/a/b"
