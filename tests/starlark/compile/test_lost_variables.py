"""Errors in comprehensions name the operands, whose variables Python takes away when an error leaves."""

from __future__ import annotations

import pytest

from bramble.starlark import StarlarkError, compile_program, execute

BODIES = [
    ('[x + 1 for x in ["a"]]', "unknown binary op: string + int"),
    ('{k: k < w for (k, w) in [("a", 1)] if k}', "string < int not implemented"),
    ('[y.foo(x) for x in ["a"] for y in [x]]', "string has no .foo field or method"),
    ('[len(x, 1) for x in ["a"]]', "len: got 2 arguments, want 1"),
    ('[x["b"] for x in ["a"]]', "string index: got string, want int"),
    ("[v(*x) for x in [[1]] for v in [3]]", "invalid call of non-function (int)"),
    ('[[a * b for b in ["q"]] for a in ["s"]]', "unknown binary op: string * string"),
    ('[-x for x in ["a"]]', "unknown unary op: - string"),
    ("[x[1:y] for x in [5] for y in [2]]", "invalid slice operand int"),
    ('[1 for x in ["a"] if x * x]', "unknown binary op: string * string"),
    ("[k for k, v in [[1], [2]]]", "too few values to unpack (got 1, want 2)"),
    ("[k for k, v in list([(1, 2, 3)])]", "too many values to unpack (got 3, want 2)"),
    ("{k: v for (k, (v, w)) in [(1, [2])]}", "too few values to unpack (got 1, want 2)"),
    ("[k for y in [[[1], 3]] for k, v in y]", "too few values to unpack (got 1, want 2)"),
    ('[(x + 1) * 2 for x in ["a"]]', "unknown binary op: string + int"),
]


@pytest.mark.parametrize(("body", "words"), BODIES)
@pytest.mark.parametrize("text", ["{}\n", "def f():\n    return {}\nf()\n", "(lambda: {})()\n"])
def test_the_operands_of_a_comprehension_are_named(body: str, words: str, text: str) -> None:
    with pytest.raises(StarlarkError) as caught:
        execute(compile_program(text.format(body), "a.star"))
    assert caught.value.message == words


def test_a_variable_around_a_comprehension_is_not_taken_for_its_own() -> None:
    text = 'def f():\n    x = 5\n    return [x + 1 for x in ["a"]]\nf()\n'
    with pytest.raises(StarlarkError) as caught:
        execute(compile_program(text, "a.star"))
    assert caught.value.message == "unknown binary op: string + int"
