"""How errors are told: places, excerpts, stacks, suggestions."""

from __future__ import annotations

import pytest

from bramble.starlark.dialect import Dialect
from bramble.starlark.errors import EXCERPT_WIDTH, EvalError, Frame, Position, StarlarkError, excerpt
from bramble.starlark.spell import nearest, suggestion

from .syntax.reading import syntax_failure


class TestExcerpts:
    def test_a_caret_stands_below_the_column(self) -> None:
        error = syntax_failure("x = é + $")
        assert error.excerpt() == "  x = é + $\n          ^"
        assert str(error) == "f.star:1:9: unexpected input character '$'"

    def test_tabs_and_controls_take_one_column(self) -> None:
        assert excerpt("\ta\x1b[31mb", 3) == "   a?[31mb\n    ^"

    def test_long_lines_are_cut_around_the_column(self) -> None:
        text = "a" * 5000 + "X" + "b" * 5000
        line, caret = excerpt(text, 5001).split("\n")
        assert len(line) <= EXCERPT_WIDTH + 2
        assert line[caret.index("^")] == "X"
        assert line.startswith("  …a") and line.endswith("b…")
        for at in (0, 1, EXCERPT_WIDTH - 2, EXCERPT_WIDTH - 1, EXCERPT_WIDTH, EXCERPT_WIDTH + 1):
            line, caret = excerpt("a" * at + "X" + "b" * EXCERPT_WIDTH, at + 1).split("\n")
            assert line[caret.index("^")] == "X" and line[-1] == "…" and len(line) == EXCERPT_WIDTH + 2
        assert excerpt("a" * EXCERPT_WIDTH, 1).split("\n")[0] == "  " + "a" * EXCERPT_WIDTH

    def test_a_place_behind_the_line_is_its_end(self) -> None:
        assert excerpt("ab", 3) == "  ab\n    ^"
        assert excerpt("", 1) == "  \n  ^"

    def test_without_a_line_there_is_nothing_to_show(self) -> None:
        assert StarlarkError("eval.fail", "no").excerpt() == ""
        assert str(StarlarkError("eval.fail", "no")) == "no"


class TestTracebacks:
    def test_the_outermost_call_comes_first(self) -> None:
        stack = [
            Frame("<toplevel>", Position("f", 9, 2)),
            Frame("sorted", None),
            Frame("key", Position("f", 1, 3)),
        ]
        assert EvalError("eval.fail", "fail: x", stack=stack).traceback() == (
            "Traceback (most recent call last):\n"
            "  f:9:2: in <toplevel>\n"
            "  <builtin>: in sorted\n"
            "  f:1:3: in key\n"
            "Error: fail: x"
        )


class TestSpelling:
    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("lenn", "len"), ("apend", "append"), ("start_with", "startswith"), ("STARTSWITH", "startswith"),
            ("ab", ""), ("abcdef", ""), ("", ""), ("x", ""), ("len", "len"), ("appned", "append"),
        ],
    )  # fmt: skip
    def test_near_is_below_half_the_length(self, name: str, found: str) -> None:
        assert nearest(name, ["len", "append", "startswith", "x1y2z3"]) == found

    def test_the_nearest_wins_and_of_equals_the_first(self) -> None:
        assert nearest("count", ["mount", "counts", "county"]) == "counts"
        assert nearest("count", ["mount", "count"]) == "count"

    def test_a_suggestion_is_put_behind_a_message(self) -> None:
        assert suggestion("conut", ["count"], ".") == " (did you mean .count?)"
        assert suggestion("zzz", ["count"]) == ""


class TestRecords:
    def test_a_dialect_is_a_value(self) -> None:
        assert Dialect(recursion=True) == Dialect(True)
        assert Dialect() != Dialect(while_loops=True)
        assert len({Dialect(), Dialect(), Dialect(load_binds_module=True)}) == 2
        with pytest.raises(AttributeError):
            Dialect().recursion = True  # type: ignore[misc]

    def test_a_position_prints_as_editors_want_it(self) -> None:
        assert str(Position("a/b.star", 3, 14)) == "a/b.star:3:14"
