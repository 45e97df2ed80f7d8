"""The TOML reader: values, and errors with places, on every version of Python."""

from __future__ import annotations

import pytest

from bramble.errors import BrambleError
from bramble.project.toml import Moment, decode, parse, parse_document

EXAMPLE = """\
# A comment
title = "TOML \\u00e9 \\U0001F63F\\n"
'quoted key'.bare-1 = 'C:\\path'

[owner]
dob = 1979-05-27T07:32:00.25-08:00
day = 1979-05-27
time = 07:32:00.999999999
local = 1979-05-27 07:32:00

[numbers]
whole = [0, +99, -17, 1_000, 0xDEAD_beef, 0o755, 0b1101]
parts = [3.14, -0.01, 5e+22, 6.626e-34, inf]
truth = [true, false,]

[servers]
  [servers.alpha]
  ip = "10.0.0.1"
  [servers.beta]
  settings = { a.b = 1, a.c = [ { x = 1 }, { y = 2 } ] }

[[products]]
name = \"\"\"
Ham\\
   mer""\"\"\"

[[products]]
[products.colour]
red = '''
raw \\n
'''
"""


def test_a_text_with_everything_in_it_is_read():
    assert parse(EXAMPLE, "t.toml") == {
        "title": "TOML é 😿\n",
        "quoted key": {"bare-1": "C:\\path"},
        "owner": {
            "dob": Moment(1979, 5, 27, 7, 32, 0, 250000, -480),
            "day": Moment(1979, 5, 27),
            "time": Moment(hour=7, minute=32, second=0, microsecond=999999),
            "local": Moment(1979, 5, 27, 7, 32, 0, 0),
        },
        "numbers": {
            "whole": [0, 99, -17, 1000, 0xDEADBEEF, 0o755, 0b1101],
            "parts": [3.14, -0.01, 5e22, 6.626e-34, float("inf")],
            "truth": [True, False],
        },
        "servers": {
            "alpha": {"ip": "10.0.0.1"},
            "beta": {"settings": {"a": {"b": 1, "c": [{"x": 1}, {"y": 2}]}}},
        },
        "products": [{"name": 'Hammer""'}, {"colour": {"red": "raw \\n\n"}}],
    }


def test_windows_line_endings_read_the_same():
    assert parse(EXAMPLE.replace("\n", "\r\n"), "t.toml") == parse(EXAMPLE, "t.toml")


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "   ", "\r\n"])
def test_a_text_without_keys_is_an_empty_table(text):
    assert parse(text, "t.toml") == {}


def test_not_a_number_is_a_number():
    value = parse("a = nan", "t.toml")["a"]
    assert value != value


ERRORS = [
    # text, line, column
    ("a = 1\nb = hello", 2, 5),
    ("a = True", 1, 5),
    ("a =", 1, 4),
    ("a", 1, 2),
    ("= 1", 1, 1),
    ("a = 1 b = 2", 1, 7),
    ("a.b = 1\n[a]", 2, 2),
    ("[a]\n[b]\n[a]", 3, 2),
    ("a = 1\na = 2", 2, 1),
    ("a = 1\na.b = 2", 2, 1),
    ("a = {}\na.b = 2", 2, 1),
    ("a = {}\n[a.b]", 2, 2),
    ("a = []\n[[a]]", 2, 3),
    ("[[a]]\n[a]", 2, 2),
    ("[a.b]\n[[a]]", 2, 3),
    ("[a.b.c]\n[a]\nb.c.d = 1", 3, 3),
    ("[[a.b]]\n[a]\nb.y = 2", 3, 1),
    ("[a]\nb.c = 1\n[a.b]", 3, 4),
    ("a = {b = 1, b = 2}", 1, 13),
    ("a = {b = 1,}", 1, 12),
    ("a = {\nb = 1}", 1, 6),
    ("a = [1 2]", 1, 8),
    ("a = [1,\n# c\n", 1, 5),
    ("a = [1", 1, 5),
    ('a = "x', 1, 5),
    ('a = "x\ny"', 1, 5),
    ('a = "\\q"', 1, 6),
    ('a = "\\u12"', 1, 6),
    ('a = "\\ud800"', 1, 6),
    ('a = "\\U00110000"', 1, 6),
    ("é = 1", 1, 1),
    ('a = "é" x', 1, 9),
    ('a = "\x01"', 1, 6),
    ("a = '''\n\x01", 2, 1),
    ("a = 1 # \x00", 1, 9),
    ("a = 1\r", 1, 6),
    ("a = 2021-02-29", 1, 5),
    ("a = 0000-01-01", 1, 5),
    ("a = 01", 1, 6),
    ("a = 1__0", 1, 6),
    ("[a", 1, 3),
    ("[[a]", 1, 4),
    ("[]", 1, 2),
    ('"""a""" = 1', 1, 1),
    ("\ufeffa = 1", 1, 1),
    ("a = " + "9" * 5000, 1, 5),
]


@pytest.mark.parametrize(("text", "line", "column"), ERRORS)
def test_an_error_names_the_place_where_the_text_stops_being_toml(text, line, column):
    with pytest.raises(BrambleError) as caught:
        parse(text, "bramble.toml")
    assert caught.value.code == "config.syntax"
    assert str(caught.value.place) == f"bramble.toml:{line}:{column}"


def test_a_second_definition_names_the_line_of_the_first():
    with pytest.raises(BrambleError) as caught:
        parse("[a]\nx = 1\n\n[a]\n", "t")
    assert caught.value.message == '"a" is already there in line 1'


def test_a_missing_pair_of_quotes_is_suggested():
    with pytest.raises(BrambleError) as caught:
        parse("name = hello", "t")
    assert caught.value.remedy == 'if it is meant as a string, write "hello"'


def test_the_caller_chooses_the_code():
    with pytest.raises(BrambleError) as caught:
        parse("a", "bramble.lock", code="lock.syntax")
    assert caught.value.code == "lock.syntax"


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "{a = " * 100_000,
        ".".join("a" * 100_000) + " = 1",
        "[" + ".".join("a" * 100_000) + "]",
        "a = " + "{a = [" * 60 + "]}" * 60,
    ],
)
def test_nesting_without_end_is_an_error_and_no_crash(text):
    with pytest.raises(BrambleError) as caught:
        parse(text, "t")
    assert caught.value.code == "config.syntax"


def test_nesting_that_people_write_is_fine():
    assert parse("a = " + "[" * 90 + "]" * 90, "t")["a"]


def test_places_are_known_for_keys_and_values():
    document = parse_document(
        "# c\n[package]\nname  =  1\nlist = [1,\n  2]\n[[t]]\nx = 1\n[[t]]\n  x = 2\n", "f"
    )
    assert str(document.key_place(("package", "name"))) == "f:3:1"
    assert str(document.value_place(("package", "name"))) == "f:3:10"
    assert str(document.value_place(("package", "list", 1))) == "f:5:3"
    assert str(document.value_place(("package",))) == "f:2:2"
    assert str(document.key_place(("t", 1, "x"))) == "f:9:3"
    assert str(document.key_place(("absent",))) == "f:1:1"


def test_columns_count_characters_and_not_bytes():
    document = parse_document("t = {'é' = 'ü', b = 1}", "f")
    assert str(document.key_place(("t", "b"))) == "f:1:17"


def test_bytes_that_are_no_utf8_are_named_with_their_line():
    with pytest.raises(BrambleError) as caught:
        decode("a = 1\nb = 'é".encode() + b"\xff'", "bramble.toml")
    assert caught.value.code == "config.syntax"
    assert str(caught.value.place) == "bramble.toml:2:7"
