"""Whatever the text: an answer or an error with a place, never a crash, whatever the recursion limit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Union

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bramble.starlark.dialect import Dialect
from bramble.starlark.errors import ResolveFailure, StarlarkError, SyntaxFailure
from bramble.starlark.source import Source
from bramble.starlark.syntax.formatter import print_file
from bramble.starlark.syntax.outline import outline
from bramble.starlark.syntax.parse import parse
from bramble.starlark.syntax.resolve import resolve
from bramble.starlark.syntax.scan import KEYWORDS, PUNCTUATION, RESERVED_WORDS
from bramble.starlark.syntax.tree import Node

from .programs import random_program

pytestmark = pytest.mark.once

DIALECTS = [Dialect(), Dialect(True, True, True, True, True), Dialect(toplevel_control=True)]
CODES = {
    "encoding", "character", "indentation", "string", "escape", "number", "unexpected", "target", "operator",
    "argument", "parameter", "load", "conditional", "tuple", "nesting",
}  # fmt: skip

WORDS = [
    *sorted(KEYWORDS), *sorted(RESERVED_WORDS),
    *PUNCTUATION, *"()[]{}", "a", "b", "len", "0", "1", "2.5", "1e9",
    "'s'", '"t"', 'b"u"', 'r"\\v"', '"""w\n"""', "# c\n", "\n", "\n  ", "\n    ", "\n\t", "\\\n", " ",
    "\r\n", "$",
    "if a:\n  ", "def f(a, *b, c=1, **d):\n  ", "for x in y:\n    ", "[x for x in y]", "load('m', 'n')",
    "return ",
    "lambda x: ", "é", "\0", "\f", "0x", "'", '"', "\\q", "\ufeff", "\ud800", "else:\n", "elif b:\n  ",
    "f(a, ",
]  # fmt: skip
programs = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join) | st.lists(
    st.sampled_from(WORDS), max_size=40
).map("".join)
relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


def check(text: Union[str, bytes], dialect: Dialect = DIALECTS[0]) -> None:
    """Read, resolve and print a text. Whatever comes of it must be well formed."""
    try:
        source = Source.read(text, "f.star")
        file = parse(source, dialect)
    except SyntaxFailure as error:
        phase, _, slug = error.code.partition(".")
        assert phase == "syntax" and slug in CODES
        assert error.position is not None and error.position.line >= 1 and error.position.column >= 1
        assert error.message and "\n" not in error.message
        assert error.excerpt().count("\n") == 1
        return
    check_spans(file, len(source.text))
    printed = print_file(file, source)
    again = Source.read(printed, "f.star")
    assert parse(again, dialect) == file
    assert print_file(parse(again, dialect), again) == printed
    assert parse(Source.read(print_file(file), "f.star"), dialect) == file
    outline(source, file)
    try:
        resolve(source, file, dialect=dialect, predeclared=["m"], universal=["len", "a"])
    except ResolveFailure as failure:
        places = [e.position for e in failure.errors if e.position is not None]
        assert len(places) == len(failure.errors)
        assert places == sorted(places, key=lambda p: (p.line, p.column))
        assert all(e.code.startswith("resolve.") for e in failure.errors)


def check_spans(root: Node, size: int) -> None:
    """Every node lies in its parent, and `at` lies in the node."""
    work: list[Node] = [root]
    while work:
        node = work.pop()
        assert 0 <= node.start <= node.at <= max(node.end, node.start) <= size
        for field in node._fields:
            value = getattr(node, field)
            for child in value if isinstance(value, tuple) else (value,):
                if isinstance(child, Node):
                    assert node.start <= child.start and child.end <= node.end, (node, child)
                    work.append(child)


@contextmanager
def little_stack(frames: int) -> Iterator[None]:
    """Leave Python only so many frames more than are in use."""
    depth = 0
    frame = sys._getframe()
    while frame is not None:
        depth += 1
        frame = frame.f_back  # type: ignore[assignment]
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + frames)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class TestAnyText:
    @relaxed
    @given(st.text(max_size=200), st.sampled_from(DIALECTS))
    def test_characters(self, text: str, dialect: Dialect) -> None:
        check(text, dialect)

    @relaxed
    @given(st.binary(max_size=200))
    def test_octets(self, data: bytes) -> None:
        check(data)

    @settings(relaxed, max_examples=100)
    @given(programs, st.sampled_from(DIALECTS))
    @example("x = [ # c\n#d\n\n  1 # e\n, # f\n 2 ]\n", DIALECTS[0])
    @example("\\\n# c\na\n", DIALECTS[0])
    @example("if a: # b\n # c\n  d\n #e\n", DIALECTS[1])
    def test_words_of_the_language(self, text: str, dialect: Dialect) -> None:
        check(text, dialect)

    @relaxed
    @given(programs, programs)
    def test_words_in_a_function(self, one: str, other: str) -> None:
        check(f"def f(a):\n  x = ({one})\n  return [{other}]\n")

    @relaxed
    @given(st.text(alphabet="'\"\\rbxuU01789aq\n\r\u00e9", max_size=60))
    def test_quotes_and_backslashes(self, text: str) -> None:
        check(text)

    @relaxed
    @given(st.text(alphabet="0123456789.eExXoObB+-_jL", max_size=40))
    def test_digits(self, text: str) -> None:
        check(text)

    @relaxed
    @given(st.text(alphabet=" \t\nx:#\\;", max_size=60).map(lambda t: t.replace("x", "if x")))
    def test_indentation(self, text: str) -> None:
        check(text, DIALECTS[1])


# expressions with every operator in reach, printed with brackets or without
names = st.sampled_from(["a", "b", "f", "1", "'s'", "2.5", "None"])


def bigger(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = ["+", "-", "*", "//", "%", "|", "&", "^", "<<", "and", "or", "==", "<", "in", "not in"]
    return st.one_of(
        st.tuples(part, st.sampled_from(binary), part).map(" ".join),
        st.tuples(st.sampled_from(["-", "not ", "~", "+"]), part).map("".join),
        st.tuples(part, part, part).map(lambda p: f"{p[0]} if {p[1]} else {p[2]}"),
        st.tuples(part, part).map(lambda p: f"f({p[0]}, k={p[1]}, *a)"),
        st.tuples(part, part).map(lambda p: f"[{p[0]} for a, b in f({p[1]}) if b]"),
        st.tuples(part, part).map(lambda p: f"{{{p[0]}: {p[1]}}}"),
        part.map(lambda p: f"({p})"),
        part.map(lambda p: f"({p},)"),
        part.map(lambda p: f"lambda a, b=({p}): a"),
        part.map(lambda p: f"({p}).x[{p}:{p}][0]"),
    )


class TestRoundTrip:
    @settings(relaxed, max_examples=100)
    @given(st.recursive(names, bigger, max_leaves=12))
    def test_what_is_printed_is_read_as_the_same_tree(self, text: str) -> None:
        check(f"x = {text}\n")
        check(f"def f(a):\n  return {text}\n")
        check(f"x = ({text})\n")

    @settings(relaxed, max_examples=100)
    @given(st.integers(0, 2**40))
    def test_no_comment_is_lost_wherever_it_stands(self, seed: int) -> None:
        text = random_program(seed)
        check(text, DIALECTS[1])
        source = Source.read(text, "f.star")
        file = parse(source, DIALECTS[1])
        printed = parse(Source.read(print_file(file, source), "f.star"), DIALECTS[1])
        assert sorted(c.text for c in printed.comments) == sorted(c.text for c in file.comments)


class TestSizes:
    @pytest.mark.parametrize(
        "opening", ["(", "[", "{1:", "f(", "x[", "-", "not ", "lambda:", "[a for b in ", "~("]
    )
    def test_a_hundred_thousand_nested_things(self, opening: str) -> None:
        check(opening * 100_000)
        check(f"x = {opening * 100_000}1")

    def test_a_hundred_thousand_balanced_brackets(self) -> None:
        check("[" * 100_000 + "]" * 100_000)

    @pytest.mark.parametrize(
        "link", [" + a", " or a", ".a", "()", "[a]", " if a else a", ", a", " - a * a", " == a", "[::]"]
    )
    def test_ten_thousand_links_of_a_chain(self, link: str) -> None:
        check("x = a" + link * 10_000)

    def test_ten_thousand_branches_clauses_and_statements(self) -> None:
        check("def f():\n if a: a\n" + " elif a: a\n" * 10_000)
        check("[a " + "for b in a if b " * 10_000 + "]")
        check("a;" * 10_000)
        check("def f(" + ", ".join(f"a{i}=1" for i in range(10_000)) + "): pass")

    @pytest.mark.parametrize(
        ("first", "again", "times", "last"),
        [("", "a", 10_000_000, ""), ('"', "a", 10_000_000, '"'), ('"', "a", 10_000_000, ""),
         ("", "#", 10_000_000, ""), ("", "1", 10_000_000, ""), ('"', "\\n", 1_000_000, '"'),
         ('"', "\\q", 1_000_000, '"'), ("'''", "''a", 1_000_000, ""), ("", " ", 10_000_000, ""),
         ("", "\0", 10_000_000, ""), ("", "(", 10_000_000, ""), ("1.", "0", 1_000_000, ""),
         ("1e", "9", 1_000_000, ""), ("0x", "f", 1_000_000, ""), ("", "\\", 1_000_000, ""),
         ("", "\t", 1_000_000, "x"), ("x", "\n", 300_000, ""), ("", "é", 1_000_000, ""),
         ("", "²", 1_000_000, "")],
    )  # fmt: skip
    def test_lines_of_megabytes(self, first: str, again: str, times: int, last: str) -> None:
        check(first + again * times + last)

    def test_deep_indentation(self) -> None:
        check("".join(" " * i + "if x:\n" for i in range(1000)))
        check("".join("\t" * i + "if x:\n" for i in range(300)) + "pass")
        check("if x:\n" + " " * 1_000_000 + "y\n")

    def test_python_s_own_stack_is_hardly_used(self) -> None:
        texts = ["(" * 100_000, "x = " + "(" * 190 + "1" + ")" * 190, "x = a" + " + a" * 10_000]
        texts.append("".join(" " * i + "if a:\n" for i in range(90)) + " " * 90 + "pass\n")
        texts.append("x = " + "lambda: " * 150 + "a")
        for text in texts:
            with little_stack(40):
                try:
                    source = Source.read(text, "f.star")
                    file = parse(source, DIALECTS[2])
                    assert file == parse(source, DIALECTS[2])
                    print_file(file, source)
                    resolve(source, file, dialect=DIALECTS[2], predeclared=[], universal=["a"])
                except StarlarkError:
                    continue
