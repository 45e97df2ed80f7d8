"""From the tree back to text."""

from __future__ import annotations

import pytest

from bramble.starlark.dialect import Dialect
from bramble.starlark.source import Source
from bramble.starlark.syntax.formatter import print_file
from bramble.starlark.syntax.literals import literal_text
from bramble.starlark.syntax.outline import clean_docstring, outline
from bramble.starlark.syntax.parse import parse
from bramble.starlark.syntax.printer import print_expression
from bramble.starlark.syntax.tree import Literal, Name

from .reading import EVERYTHING, expr, tree

MODULES = Dialect(load_binds_module=True)


def formatted(text: str, dialect: Dialect = EVERYTHING) -> str:
    """Return a program as the formatter prints it, after checking what always holds of that."""
    source = Source.read(text, "f.star")
    file = parse(source, dialect)
    out = print_file(file, source)
    again = Source.read(out, "f.star")
    assert parse(again, dialect) == file
    assert [c.text.rstrip() for c in parse(again, dialect).comments] == [
        c.text.rstrip() for c in file.comments
    ]
    assert print_file(parse(again, dialect), again) == out
    bare = print_file(file)
    assert parse(Source.read(bare, "f.star"), dialect) == file
    return out


class TestExpressions:
    @pytest.mark.parametrize(
        ("text", "printed"),
        [
            ("a+b *c", "a + b * c"), ("- - x", "--x"), ("not  x", "not x"), ("a  not  in b", "a not in b"),
            ("f( a,b = 1,*c,**d, )", "f(a, b=1, *c, **d)"), ("x [ 1 ]", "x[1]"), ("x[ 1 : 2 : ]", "x[1:2]"),
            ("x[::2]", "x[::2]"), ("x[1,2]", "x[1, 2]"), ("(a,)", "(a,)"), ("( )", "()"), ("((a))", "((a))"),
            ("[a,b,]", "[a, b]"), ("{a:b,}", "{a: b}"), ("a if b else c", "a if b else c"),
            ("lambda  : 1", "lambda: 1"), ("lambda x,*,y = 1: x", "lambda x, *, y=1: x"),
            ("[a for b,c in d if e]", "[a for b, c in d if e]"), ("{a:b for c in d}", "{a: b for c in d}"),
            ("'a'", '"a"'), ("'\"'", "'\"'"), ("'''a'''", "'''a'''"),
            ("r'a'", "r'a'"),
            ("1 .real", "1 .real"), ("1.5.real", "1.5.real"), ("0xFF", "0xFF"), ("x.y.z()", "x.y.z()"),
        ],
    )  # fmt: skip
    def test_every_construct_has_one_form(self, text: str, printed: str) -> None:
        assert print_expression(expr(text)) == printed
        assert expr(printed) == expr(text)

    def test_a_literal_that_was_never_written_is_spelt_out(self) -> None:
        for value in (
            "",
            'a"b\\c\n\té\x7f\u00a0\U0001f63f\u200d',
            b'\x00a"\xff\n',
            0,
            255,
            1.5,
            1e300,
            10**5000,
        ):
            text = literal_text(value)
            node = expr(text)
            assert isinstance(node, Literal)
            assert (type(node.value), node.value) == (type(value), value)

    def test_a_tree_of_any_depth_can_be_printed(self) -> None:
        for link in (" + a", ".b", "()", "[0]", " or a"):
            text = "a" + link * 10_000
            assert print_expression(expr(text)) == text


class TestFiles:
    def test_statements_stand_on_lines_of_their_own(self) -> None:
        assert formatted("a=1;b+=2\nif a:pass\nelif b : return\nelse:\n  for x in y:break") == (
            "a = 1\nb += 2\nif a:\n    pass\nelif b:\n    return\nelse:\n    for x in y:\n        break\n"
        )

    def test_functions_at_the_top_have_room_around_them(self) -> None:
        assert formatted("x=1\ndef f():\n  pass\n\n\n\n\ny=2\nz=3\n") == (
            "x = 1\n\n\ndef f():\n    pass\n\n\ny = 2\nz = 3\n"
        )

    def test_blank_lines_are_kept_but_not_heaps_of_them(self) -> None:
        assert formatted("a\n\n\n\n\nb\nc\n\nd\n") == "a\n\n\nb\nc\n\nd\n"
        text = "def f():\n\n    a\n\n\n    b\n"
        assert formatted(text) == "def f():\n    a\n\n    b\n"

    def test_what_does_not_fit_is_broken_at_the_outermost_bracket(self) -> None:
        text = f"x = f({'a' * 50}, [{'b' * 30}, c], d={{'e': {'f' * 20}}})\n"
        assert formatted(text) == (
            f'x = f(\n    {"a" * 50},\n    [{"b" * 30}, c],\n    d={{"e": {"f" * 20}}},\n)\n'
        )

    def test_an_only_argument_shares_its_brackets(self) -> None:
        text = f"f([{'a' * 50}, {'b' * 60}])\n"
        assert formatted(text) == f"f([\n    {'a' * 50},\n    {'b' * 60},\n])\n"

    def test_a_long_sum_in_brackets_is_broken_before_its_operators(self) -> None:
        text = f"x = ({'a' * 50} + {'b' * 50} - c)\n"
        assert formatted(text) == f"x = (\n    {'a' * 50}\n    + {'b' * 50}\n    - c\n)\n"

    def test_what_follows_a_bracket_must_fit_as_well(self) -> None:
        text = f"x = f({'a' * 50}).{'b' * 50}\n"
        assert formatted(text) == f"x = f(\n    {'a' * 50},\n).{'b' * 50}\n"

    def test_brackets_that_the_author_opened_stay_open(self) -> None:
        assert formatted("f(\n  a, b)\ng(a,\n  b)\n") == "f(\n    a,\n    b,\n)\ng(a, b)\n"

    def test_comments_keep_their_places(self) -> None:
        text = (
            "# top\nx = [  # open\n    1,  # one\n    # two\n    2,\n    # last\n]  # end\n\n"
            "\n"
            "# above\ndef f(\n    a,  # first\n    # second\n    b,\n):  # header\n    # body\n"
            "    if a:  # if\n        pass  # pass\n        # in if\n    # before else\n"
            "    else:\n        # in else\n"
            "        pass\n    # in f\n\n\n# at the end\n"
        )
        assert formatted(text) == text

    def test_comments_without_a_place_go_before_the_statement(self) -> None:
        assert formatted("x = (a + # why\n  b)\nif (a and # this\n b): pass\n").count("#") == 2
        assert formatted("f([ # in\n  a])\n").count("# in") == 1
        assert formatted("x[ # sub\n  1]\n") == "# sub\nx[1]\n"

    def test_a_program_of_comments_only(self) -> None:
        assert formatted("# a\n\n#b\n") == "# a\n\n#b\n"
        assert formatted("") == ""

    def test_strings_over_several_lines_are_left_alone(self) -> None:
        text = 'def f():\n    """One.\n\n      Two.  \n    """\n    return g(x, """a\n  b""", y)\n'
        assert formatted(text) == text

    def test_loads(self) -> None:
        assert formatted("load( 'a/b','c',d = 'e',f='f' )") == 'load("a/b", "c", d="e", "f")\n'
        assert formatted("load( 'a/b' )\nload(c='a/b')\nload(b='a/b')\n", MODULES) == (
            'load("a/b")\nload(c="a/b")\nload(b="a/b")\n'
        )

    def test_a_long_chain_of_elif_can_be_printed(self) -> None:
        text = "if a:\n    b\n" + "elif a:\n    b\n" * 3000
        assert formatted(text) == text


class TestOutline:
    def test_public_functions_docstrings_and_loads(self) -> None:
        text = (
            "'''About\n   this.'''\nload('a/b', 'c')\nload('d', e='f')\n"
            "def f(x, y = [1,2], *, z={'a':c}, **w):\n  '''Makes f.'''\n"
            "def _g(): pass\nx = lambda: 1\ndef h():\n  def inner(): pass\n"
        )
        source = Source.read(text, "f.star")
        found = outline(source, tree(text))
        assert found.docstring == "About\n   this."
        assert [(x.module, str(x.position)) for x in found.loads] == [
            ("a/b", "f.star:3:6"),
            ("d", "f.star:4:6"),
        ]
        assert [(f.name, f.parameters, f.docstring, str(f.position)) for f in found.functions] == [
            ("f", 'x, y=[1, 2], *, z={"a": c}, **w', "Makes f.", "f.star:5:1"),
            ("h", "", None, "f.star:9:1"),
        ]

    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("One.", "One."), ("\n    One.\n\n      Two.\n    ", "One.\n\n  Two."),
            ("  One.\n    Two.\n", "One.\nTwo."),
            ("", ""), ("\n\n", ""), ("a\nb", "a\nb"),
        ],
    )  # fmt: skip
    def test_a_docstring_is_shown_without_the_indentation_of_its_block(self, text: str, clean: str) -> None:
        assert clean_docstring(text) == clean

    def test_names_print_as_themselves(self) -> None:
        assert print_expression(Name(0, 1, "x")) == "x"
