"""Our reader and the standard library's say the same, where there is one (Python 3.11)."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.project.toml import Moment, parse

tomllib = pytest.importorskip("tomllib")


def plain(value: Any) -> Any:
    """Return the value with our moments as the library's, and with NaN comparable."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Moment):
        return moment(value)
    if isinstance(value, float):
        return ("float", repr(value))
    return (type(value).__name__, value)


def moment(value: Moment) -> Any:
    if value.hour is None:
        return ("date", datetime.date(value.year or 0, value.month or 0, value.day or 0))
    time = datetime.time(value.hour, value.minute or 0, value.second or 0, value.microsecond or 0)
    if value.year is None:
        return ("time", time)
    zone = None if value.offset is None else datetime.timezone(datetime.timedelta(minutes=value.offset))
    day = datetime.date(value.year, value.month or 0, value.day or 0)
    return ("datetime", datetime.datetime.combine(day, time, zone))


def compare(text: str) -> None:
    try:
        theirs = plain(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError):
        with pytest.raises(BrambleError):
            parse(text, "t.toml")
        return
    assert plain(parse(text, "t.toml")) == theirs


words = st.sampled_from(
    ["a", "b", "c", "a.b", "a.b.c", "b.a", '"a"', "'b'", "a . b", '"x y"', "1", "-", '""']
)
scalars = st.sampled_from(
    [
        *(
            "1",
            "0",
            "-0",
            "+1",
            "01",
            "1_0",
            "1__0",
            "_1",
            "1_",
            "0x1F",
            "0xg",
            "0o17",
            "0b10",
            "-0x1",
            "0x_1",
        ),
        *("1.5", "1.", ".5", "1e3", "1E+3", "1e", "1.e3", "1_0.0_1", "inf", "+inf", "-nan", "nan", "1e999"),
        *("true", "false", "True", "truefalse", "t"),
        *('"s"', "'s'", '""', "''", '"""m\nn"""', "'''m\nn'''", '"""a""b"""', '"""a"""""', '"""\\\n  x"""'),
        *(
            '"\\u00e9"',
            '"\\ud800"',
            '"\\U0010ffff"',
            '"\\x41"',
            '"\\q"',
            '"\\e"',
            '"a',
            "'a",
            '"""a',
            '"a\nb"',
        ),
        *("1979-05-27", "1979-02-29", "1980-02-29", "1979-05-27T07:32:00", "1979-05-27 07:32:00Z"),
        *("1979-05-27T07:32:00.1234567-07:30", "07:32:00", "07:32:60", "24:00:00", "07:32", "1979-13-01"),
        *("1979-05-27T", "1979-05-27 ", "1979-05-27 # c", "1979-05-27t07:32:00z", "0000-01-01", "1900-02-29"),
        *("[]", "{}", "[1, 2,]", "[1,, 2]", "[\n1 # c\n,\n2]", "{a = 1}", "{a = 1,}", "{a.b = 1, a.c = 2}"),
        *(
            "{a = 1, a = 2}",
            "{a = {}, a.b = 1}",
            "{\na = 1}",
            "[{a = 1}, {b = [2]}]",
            "{a = [\n1]}",
            "[",
            "{",
            "",
        ),
    ]
)
lines = st.one_of(
    st.builds("{} = {}".format, words, scalars),
    st.builds("[{}]".format, words),
    st.builds("[[{}]]".format, words),
    st.builds("{}={} # c".format, words, scalars),
    st.sampled_from(
        ["", "# c", "\t", "# \x01", "[]", "[[]]", "[ a ]", "[ [a]]", "[a", "[a]]", "a", "= 1", "a = 1 b = 2"]
    ),
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(lines, max_size=7), st.sampled_from(["\n", "\n", "\r\n"]))
@example(["[a.b.c]", "[a]", "b.c.d = 1"], "\n")
@example(["[a.b.c]", "[a]", "b.x = 1", "[a.b]"], "\n")
@example(["[[a.b]]", "[a]", "b.y = 2"], "\n")
@example(["a.b = 1", "[a]"], "\n")
@example(["[a]", "b.c = 1", "[a.b.d]", "[a.b]"], "\n")
@example(["[[a]]", "[a.b]", "[[a]]", "[a.b]"], "\n")
@example(["a = [{b = 1}]", "[[a]]"], "\n")
@example(["a = {b.c = 1}", "[a.b.d]"], "\n")
def test_both_read_the_same_from_a_text_of_likely_lines(parts, newline):
    compare(newline.join(parts))


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="ab01.=[]{}\"'\\#,_-+:TZeutn \n\r\t\x00é", max_size=24))
def test_both_read_the_same_from_noise(text):
    compare(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=12))
def test_both_read_the_same_from_any_character_in_every_kind_of_string(text):
    for quote in ('"', "'", '"""', "'''"):
        compare(f"a = {quote}{text}{quote}\n")
    compare(f"# {text}")
    compare(f"{text} = 1")


@given(st.integers(), st.floats())
def test_numbers_have_no_limits_of_their_own(whole, number):
    compare(f"a = {whole}")
    compare(f"a = {number!r}")
