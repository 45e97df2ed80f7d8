"""From text to tokens: encoding, lines, names, numbers, strings."""

from __future__ import annotations

import pytest

from bramble.starlark.errors import Position
from bramble.starlark.source import Source
from bramble.starlark.syntax.literals import MAX_DIGITS
from bramble.starlark.syntax.scan import Scanner
from bramble.starlark.syntax.tree import Literal

from .reading import expr, syntax_failure, told, tree


def value(text: str) -> object:
    node = expr(text)
    assert isinstance(node, Literal)
    assert node.raw == text
    return node.value


def kinds(text: str) -> list[str]:
    scanner = Scanner(text)
    found: list[str] = []
    while not found or found[-1] not in ("end of file", "error"):
        scanner.next_line()
        found += scanner.kinds
    return found


class TestEncoding:
    def test_bytes_are_read_as_utf_8(self) -> None:
        assert tree('x = "é😿"'.encode()) == tree('x = "é😿"')

    def test_a_byte_that_is_not_utf_8_is_an_error_at_its_own_place(self) -> None:
        assert told(b"x = 1\ny = '\xc3\xa9\xff'") == "syntax.encoding 2:7 invalid UTF-8: byte 0xff"

    def test_a_cut_character_at_the_end_is_an_error(self) -> None:
        assert told(b"x = '\xf0\x9f").startswith("syntax.encoding 1:6")

    def test_a_lone_surrogate_in_a_str_is_an_error(self) -> None:
        assert told("x = 1\n y\ud800").startswith("syntax.encoding 2:3")

    def test_a_byte_order_mark_is_an_unexpected_character(self) -> None:
        assert told(b"\xef\xbb\xbfx = 1") == "syntax.character 1:1 unexpected input character '\\ufeff'"

    @pytest.mark.parametrize("text", ["\f", "\0", "x = \0", "?", "$x", "!", "a ! b", "x\u00a0= 1", "\u2028"])
    def test_a_character_that_starts_no_token_is_an_error(self, text: str) -> None:
        assert told(text).startswith("syntax.character 1:")

    def test_columns_count_code_points_and_a_tab_is_one(self) -> None:
        assert told('x = "é😿"; $') == "syntax.character 1:11 unexpected input character '$'"
        assert told("if x:\n\t$").startswith("syntax.character 2:2")


class TestLines:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_all_three_line_ends_end_a_line(self, end: str) -> None:
        text = f"a = 1{end}b = 2{end}$"
        assert told(text).startswith("syntax.character 3:1")

    def test_the_position_of_an_offset_counts_from_one(self) -> None:
        source = Source.read("ab\r\ncd\n", "f")
        assert source.position(0) == Position("f", 1, 1)
        assert source.position(5) == Position("f", 2, 2)
        assert source.position(7) == Position("f", 3, 1)
        assert [source.line_text(n) for n in (1, 2, 3)] == ["ab", "cd", ""]

    def test_line_ends_inside_brackets_do_not_count(self) -> None:
        assert tree("f(\n1,\n\n  # c\n 2)") == tree("f(1, 2)")

    def test_a_backslash_joins_lines_only_as_the_very_last_character(self) -> None:
        assert tree("x = 1 + \\\n 2") == tree("x = 1 + 2")
        assert tree("x = 1 + \\\r\n 2") == tree("x = 1 + 2")
        assert told("x = \\ \n1") == "syntax.character 1:5 stray backslash in program"
        assert told("x = \\") == "syntax.character 1:5 stray backslash in program"

    def test_comments_are_kept_with_their_places(self) -> None:
        file = tree("# one\nx = [ # two\n  # three\n]")
        assert [(c.start, c.text, c.own_line) for c in file.comments] == [
            (0, "# one", True),
            (12, "# two", False),
            (20, "# three", True),
        ]

    def test_blank_lines_and_comments_do_not_touch_indentation(self) -> None:
        assert tree("def f():\n  a\n# c\n\n      # d\n  b\n") == tree("def f():\n  a\n  b\n")

    def test_a_tab_reaches_to_the_next_multiple_of_eight(self) -> None:
        assert tree("if a:\n\tb\n        c\n  \td\n") == tree("if a:\n b\n c\n d\n")
        assert told("if a:\n\tb\n    c\n").startswith("syntax.indentation 3:5 unindent does not match")


class TestNames:
    def test_letters_of_any_script_make_names(self) -> None:
        tree("é = été_1 + имя + 名前")

    @pytest.mark.parametrize("text", ["x² = 1", "x½", "e\u0301", "x٣", "a‿b"])
    def test_other_characters_do_not(self, text: str) -> None:
        assert told(text).startswith("syntax.character 1:2")

    @pytest.mark.parametrize("word", ["as", "class", "import", "is", "nonlocal", "with", "yield", "async"])
    def test_reserved_words_are_no_names(self, word: str) -> None:
        message = f"got reserved word {word}, want primary expression"
        assert told(f"{word} = 1") == f"syntax.unexpected 1:1 {message}"

    def test_assert_and_print_are_names(self) -> None:
        tree("assert = print\nmatch = None\nexec = self\n")


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("0", 0), ("00", 0), ("123", 123), ("0x1aF", 0x1AF), ("0X10", 16), ("0o17", 15), ("0O7", 7),
            ("0b101", 5), ("0B1", 1), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("1.e3", 1000.0),
            ("1E-3", 0.001), ("0e0", 0.0), ("01.5", 1.5), ("9" * 30, int("9" * 30)),
        ],
    )  # fmt: skip
    def test_every_spelling_has_its_value_and_kind(self, text: str, number: object) -> None:
        assert value(text) == number
        assert type(value(text)) is type(number)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("010", "obsolete form of octal literal; use 0o10"),
            ("0001", "obsolete form of octal literal; use 0o1"),
            ("08", "invalid int literal 08"),
            ("0x", "invalid hex literal"),
            ("0b", "invalid binary literal"),
            ("0or 1", "invalid octal literal"),
            ("1e", "invalid float literal"),
            ("1e+", "invalid float literal"),
            ("1e400", "floating-point literal too large"),
        ],
    )
    def test_a_bad_number_is_an_error_at_its_start(self, text: str, message: str) -> None:
        assert told(f"x = {text}") == f"syntax.number 1:5 {message}"

    def test_a_number_ends_where_its_digits_end(self) -> None:
        assert tree("1or 2") == tree("1 or 2")
        assert tree("0in x") == tree("0 in x")
        assert told("6burgle") == "syntax.unexpected 1:8 got identifier, want newline"
        assert told("1_000") == "syntax.unexpected 1:6 got identifier, want newline"

    def test_a_number_of_many_digits_is_read_exactly(self) -> None:
        number = value("7" * 10_000)
        assert isinstance(number, int)
        assert number % 10**50 == int("7" * 50)
        assert number == (10**10_000 - 1) // 9 * 7

    def test_a_number_of_too_many_digits_is_an_error(self) -> None:
        assert told("1" * (MAX_DIGITS + 1)).startswith("syntax.number 1:1")
        assert told("0x" + "1" * (MAX_DIGITS + 1)).startswith("syntax.number 1:1")

    def test_a_dot_before_a_digit_starts_a_number(self) -> None:
        assert told("x.5") == "syntax.unexpected 1:4 got float literal, want newline"


class TestStrings:
    @pytest.mark.parametrize(
        ("text", "string"),
        [
            ('""', ""), ("''", ""), ('""""""', ""), ("'a\"b'", 'a"b'),
            (r'"\a\b\f\n\r\t\v"', "\a\b\f\n\r\t\v"),
            (r'"\\\'\""', "\\'\""), (r'"\0\12\101"', "\0\nA"), (r'"\x41"', "A"), (r'"\u00e9"', "é"),
            (r'"\U0001F63F"', "\U0001f63f"), (r'r"\n\""', '\\n\\"'), ('"""a\n"b"\n"""', 'a\n"b"\n'),
            ("'''it's'''", "it's"), ('"a\\\nb"', "ab"), ('"a\\\r\nb"', "ab"), ('"""a\r\nb\rc"""', "a\nb\nc"),
            ('r"""a\r\nb"""', "a\nb"), ('"\t\0é"', "\t\0é"), (r'"\1234"', "S4"), ('"""\\""""', '"'),
            ('r"a\\\nb"', "a\\\nb"),
        ],
    )  # fmt: skip
    def test_every_escape_has_its_value(self, text: str, string: str) -> None:
        assert value(text) == string

    @pytest.mark.parametrize(
        ("text", "octets"),
        [
            ('b""', b""), ("b'a'", b"a"), (r'b"\xff\377\0"', b"\xff\xff\0"), (r'rb"\xff"', b"\\xff"),
            ('b"é"', "é".encode()), (r'b"\u00e9\n"', "é\n".encode()), ('b"""a\nb"""', b"a\nb"),
        ],
    )  # fmt: skip
    def test_bytes_are_octets(self, text: str, octets: bytes) -> None:
        assert value(text) == octets

    @pytest.mark.parametrize(
        ("text", "told_as"),
        [
            (r'"ab\q"', r"1:4 invalid escape sequence \q"),
            (r'"\8"', r"1:2 invalid escape sequence \8"),
            (r'"\xg1"', r"1:2 truncated escape sequence \x"),
            (r'"\u12"', r"1:2 truncated escape sequence \u"),
            (r'"\xff"', r"1:2 non-ASCII hex escape \xff (use \u00FF for U+00FF)"),
            (r'"\377"', r"1:2 non-ASCII octal escape \377 (use \u00FF for U+00FF)"),
            (r'b"\400"', r"1:3 invalid escape sequence \400"),
            (r'"\ud800"', r"1:2 invalid Unicode code point U+D800"),
            (r'"\udfff"', r"1:2 invalid Unicode code point U+DFFF"),
            (r'"\U00110000"', r"1:2 code point out of range: \U00110000 (max \U0010ffff)"),
            ('"""a\nb\\z"""', r"2:2 invalid escape sequence \z"),
            ('"""a\r\nb\\z"""', r"2:2 invalid escape sequence \z"),
        ],
    )
    def test_a_bad_escape_is_an_error_at_the_backslash(self, text: str, told_as: str) -> None:
        assert told(text) == f"syntax.escape {told_as}"

    @pytest.mark.parametrize("text", ['"abc', "'abc\"", '"""abc""', 'x = "', 'r"\\"', '"\\', '"""\\'])
    def test_a_string_without_end_is_an_error_at_its_start(self, text: str) -> None:
        error = syntax_failure(text)
        assert (error.code, error.message) == ("syntax.string", "unexpected EOF in string")
        assert error.position is not None and error.position.column == (5 if text[0] == "x" else 1)

    def test_a_line_end_in_a_short_string_is_an_error(self) -> None:
        assert told('x = "abc\n"') == "syntax.string 1:5 unexpected newline in string"
        assert told("x = 'abc\r'") == "syntax.string 1:5 unexpected newline in string"

    def test_prefixes_are_r_b_and_rb_only(self) -> None:
        for text in ('br""', 'R""', 'u""', 'f""', 'B""'):
            assert told(text).startswith("syntax.unexpected")

    def test_adjacent_literals_do_not_concatenate(self) -> None:
        assert told('x = "a" "b"') == "syntax.unexpected 1:12 got string literal, want newline"

    def test_only_an_open_triple_string_is_unfinished(self) -> None:
        assert syntax_failure('x = """a\n').incomplete
        assert not syntax_failure('x = "a\n').incomplete
        assert not syntax_failure('x = "a').incomplete


class TestTokens:
    def test_the_longest_operator_wins(self) -> None:
        assert kinds("a//=b>>=c**d!=e") == [
            "identifier", "//=", "identifier", ">>=", "identifier", "**", "identifier", "!=", "identifier",
            "end of file",
        ]  # fmt: skip

    def test_a_closing_bracket_too_many_is_an_error(self) -> None:
        assert told("x = 1)") == "syntax.unexpected 1:6 unexpected ')'"

    def test_of_two_faults_the_first_is_told_whoever_finds_it(self) -> None:
        assert told("1 2 $").startswith("syntax.unexpected 1:4")
        assert told("$ 1 2").startswith("syntax.character 1:1")
        assert told("x = = '\\q'").startswith("syntax.unexpected 1:5")
