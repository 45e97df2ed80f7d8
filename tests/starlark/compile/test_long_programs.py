"""Programs of a size or depth that people do not write: they run, or are refused in words of Starlark."""

from __future__ import annotations

import ast
from types import CodeType
from typing import Any

import pytest

from bramble.starlark import Dialect, EvalError, Program, SyntaxFailure, Thread, compile_program, execute
from bramble.starlark.compile import parts, toplevel
from bramble.starlark.compile.facts.kind_rules import KindRules
from bramble.starlark.session import Session

from ..running import ran

N = 3000
CHAINS = {
    "literals": ("", " + ".join(["1"] * N), N),
    "a parameter": (f"def f(x):\n    return {' + '.join(['x'] * N)}\n", "f(1)", N),
    "a lambda": (f"f = lambda x: {' + '.join(['x'] * N)}\n", "f(1)", N),
    "a comprehension": (f"def f(x):\n    return [{' + '.join(['x'] * N)} for _ in [1]][0]\n", "f(1)", N),
    "a filter": (f"def f(x):\n    return len([1 for _ in [1] if {' + '.join(['x'] * N)}])\n", "f(1)", 1),
    "and": (f"def f(x):\n    return {' and '.join(['x'] * N)}\n", "f(1)", 1),
    "and, or": (f"def f(x):\n    return {' and x or '.join(['x'] * N)}\n", "f(1)", 1),
    "methods": (f"def f(x):\n    return x{'.strip()' * N}\n", "f(' a ')", "a"),
    "indexes": (f"x = [0]\nx[0] = x\ndef f(x):\n    return type(x{'[0]' * N})\n", "f(x)", "list"),
    "strings": ("", " + ".join(['"ab"'] * N), "ab" * N),
    "statements": ("def f(x):\n" + "    x += 1\n" * N + "    return x\n", "f(0)", N),
}


@pytest.mark.parametrize("chain", list(CHAINS))
def test_a_chain_may_have_any_length(chain: str) -> None:
    before, expression, expected = CHAINS[chain]
    assert ran(f"{before}r = {expression}\n").globals["r"] == expected


def test_a_chain_keeps_the_order_of_its_operands() -> None:
    text = (
        "log = []\ndef t(n):\n    log.append(n)\n    return n\n"
        f"r = {' + '.join(f't({n})' for n in range(500))}\n"
    )
    module = ran(text)
    assert module.globals["r"] == sum(range(500)) and module.globals["log"] == list(range(500))


def test_a_chain_fails_at_its_own_operator() -> None:
    text = "def f(x):\n    return " + " + ".join(["x"] * 100 + ["'a'"] + ["x"] * 100) + "\nf(1)\n"
    with pytest.raises(Exception, match=r":2:410: unknown binary op: int \+ string"):
        ran(text)


@pytest.mark.parametrize("number", [0, 1, 39, 40, 41, 80, 1999, 5000])
def test_an_if_may_have_any_number_of_branches(number: int) -> None:
    branches = "".join(f"    elif x == {n}:\n        return {n}\n" for n in range(1, 2000))
    text = (
        f"def f(x):\n    if x == 0:\n        return 0\n{branches}    else:\n        return -1\n"
        f"r = f({number})\n"
    )
    assert ran(text).globals["r"] == (number if number < 2000 else -1)


NESTED = {
    "lists": ("[" * 180 + "1" + "]" * 180, None),
    "parentheses": ("(" * 180 + "1" + ")" * 180, 1),
    "calls": ("f(" * 180 + "1" + ")" * 180, 1),
    "str": ("str(" * 180 + "1" + ")" * 180, "1"),
    "minus": ("-" * 180 + "1", 1),
    "not": ("not " * 181 + "1", False),
    "conditions": ("(1 if x else " * 90 + "2" + ")" * 90, 1),
    "lambdas": ("lambda: " * 100 + "1", None),
    "get": ("d.get(x + " * 60 + "1" + ", 1)" * 60, 1),
    "comprehension bodies": ("len(" + "[" * 60 + "1" + " for _ in [1]]" * 60 + ")", 1),
    "comprehension operands": ("len(" + "[y for y in " * 60 + "[1]" + "]" * 60 + ")", 1),
    "comprehension clauses": ("len([1 " + " ".join(f"for y{n} in [1]" for n in range(60)) + "])", 1),
}


@pytest.mark.parametrize("what", list(NESTED))
def test_expressions_may_nest_deeply(what: str) -> None:
    expression, expected = NESTED[what]
    found = ran(f"def f(x):\n    return x\nx = 1\nd = {{}}\nr = {expression}\n").globals["r"]
    assert expected is None or found == expected


@pytest.mark.parametrize("depth", [5, 12, 18])
def test_loops_may_nest(depth: int) -> None:
    loops = "".join("    " * (n + 1) + f"for i{n} in x:\n" for n in range(depth))
    text = (
        f"def f(x, y):\n{loops}{'    ' * (depth + 1)}y.append(1)\n    x.append(2)\n"
        "    return len(y)\nr = f([1], [])\n"
    )
    assert ran(text).globals["r"] == 1


@pytest.mark.parametrize("depth", [19, 60])
def test_loops_that_nest_too_deeply_are_refused(depth: int) -> None:
    loops = "".join("    " * (n + 1) + f"for i{n} in x:\n" for n in range(depth))
    with pytest.raises(SyntaxFailure) as caught:
        ran(f"def f(x):\n{loops}{'    ' * (depth + 1)}pass\n")
    assert caught.value.code == "syntax.nesting"
    assert caught.value.position is not None and caught.value.position.line == 20


def test_functions_and_ifs_may_nest() -> None:
    inner = "".join("    " * (n + 1) + f"def g{n}():\n" for n in range(30))
    outer = "".join("    " * (n + 1) + f"return g{n}()\n" for n in reversed(range(30)))
    assert ran(f"def f(x):\n{inner}{'    ' * 31}return x\n{outer}r = f(1)\n").globals["r"] == 1
    ifs = "".join("    " * (n + 1) + "if x:\n" for n in range(60))
    assert ran(f"def f(x):\n{ifs}{'    ' * 61}return 5\nr = f(1)\n").globals["r"] == 5


def test_displays_calls_and_parameters_may_be_long() -> None:
    names = [f"p{n}" for n in range(400)]
    text = (
        f"def f({', '.join(names)}):\n    return p0 + p399\n"
        f"a = f({', '.join(f'{name} = {n}' for n, name in enumerate(names))})\n"
        f"b = len({{{', '.join(f'{n}: a' for n in range(3000))}}})\n"
        f"c = len([{', '.join(['a'] * 3000)}])\n"
        f"{', '.join(names)} = range(400)\n"
    )
    made = ran(text).globals
    assert (made["a"], made["b"], made["c"], made["p399"]) == (399, 3000, 3000, 399)


def test_functions_may_call_one_another_in_a_long_row() -> None:
    text = "".join(f"def f{n}(x):\n    return f{n + 1}(x) + 1\n" for n in range(300))
    assert ran(f"{text}def f300(x):\n    return x\nr = f0(0)\n").globals["r"] == 300


def functions_and_calls(count: int) -> str:
    """Return a program of so many functions, each of which is called at once."""
    return "".join(f"def f{n}(x):\n    y = x + {n}\n    return y\nv{n} = f{n}({n})\n" for n in range(count))


def row_of_calls(count: int, first: int, step: int) -> str:
    """Return a program of so many functions, each of which calls its neighbour, in either order."""
    functions = "".join(
        f"def f{n}(x):\n    y = {'x' if n == first else f'f{n - step}(x) + 1'}\n    return y\n"
        for n in range(count)
    )
    return functions + "".join(f"v{n} = f{n}({n})\n" for n in range(count))


def names_of_code(code: CodeType) -> set[str]:
    """Return the names of a code object and of all inside it."""
    inner = [names_of_code(c) for c in code.co_consts if isinstance(c, CodeType)]
    return {code.co_name}.union(*inner)


@pytest.mark.parametrize(
    ("text", "special"),
    [
        ("def f(x):\n    return x + 1\nv = f(1)\n", set()),
        ("def f(x):\n    return x + 1\nv = [f(n) for n in [1]]\n", {"f!!"}),
        ("def f(x):\n    return [x + n for n in [1]]\nv = f(1)\n", {"f!!"}),
        ("def f(x):\n    return lambda: x + 1\nv = f(1)\n", {"f!!"}),
        ("def f(x):\n    return x + 1\ndef g(x):\n    return f(x)\nv = g(1)\n", {"f!!", "g!!"}),
        ("def f(x):\n    return x + 1\ndef g(x):\n    return [x][:]\nv = [g(n) for n in [f(1)]]\n", {"g!!"}),
    ],
)
def test_only_what_may_run_often_is_compiled_twice(text: str, special: set[str]) -> None:
    parts, _operations = compile_program(text, "test.star").code(False)
    found = set().union(*map(names_of_code, parts))
    assert {name for name in found if name.endswith("!!")} == special


def names_to_copy(monkeypatch: pytest.MonkeyPatch, text: str) -> int:
    """Return how many names Python's compiler copies: for each function those of the function around it."""
    copied = 0

    def counted(module: Any, *args: Any, **options: Any) -> Any:
        nonlocal copied
        names = sum(len(one.names) for one in ast.walk(module) if isinstance(one, ast.Global))
        copied += names * sum(isinstance(one, (ast.FunctionDef, ast.Lambda)) for one in ast.walk(module))
        return compile(module, *args, **options)

    monkeypatch.setattr(parts, "compile", counted, raising=False)
    compile_program(text, "test.star", dialect=Dialect(toplevel_control=True))
    return copied


@pytest.mark.parametrize("before", ["", "if True:\n    if True:\n", "for _ in [1]:\n    if True:\n"])
def test_twice_as_many_functions_are_twice_the_work_for_python(
    monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    def program(count: int) -> str:
        text = functions_and_calls(count)
        return before + "".join(f"        {line}\n" for line in text.split("\n")) if before else text

    once, twice = (names_to_copy(monkeypatch, program(n)) for n in (200, 400))
    assert once and twice < 2.2 * once


@pytest.mark.parametrize("step", [1, -1])
def test_a_row_of_calls_twice_as_long_is_twice_the_work(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    looks = 0
    rule = KindRules.assigned

    def counted(*args: Any) -> int:
        nonlocal looks
        looks += 1
        return rule(*args)

    monkeypatch.setattr(KindRules, "assigned", counted)
    found = []
    for count in (100, 200):
        looks = 0
        compile_program(row_of_calls(count, 0 if step == 1 else count - 1, step), "test.star")
        found.append(looks)
    assert found[0] and found[1] < 2.2 * found[0]


def test_the_parts_of_a_long_file_share_their_globals() -> None:
    count = toplevel.PART * 3 + 5
    text = functions_and_calls(count) + "r = [v0 for v0 in [v1]] + [v0, f0(5), len]\n"
    made = ran(text).globals
    assert [made[f"v{n}"] for n in range(count)] == [2 * n for n in range(count)]
    assert list(made["r"])[:3] == [2, 0, 5]


@pytest.mark.parametrize("before", [0, 1, toplevel.PART - 1, toplevel.PART, toplevel.PART * 3])
def test_every_part_is_the_file_in_call_stacks(before: int) -> None:
    text = "def f(x):\n    return 1 // x\n" + "f(1)\n" * before + "f(0)\nlate = 1\n"
    with pytest.raises(EvalError) as caught:
        ran(text)
    frames = [(frame.name, frame.position.line if frame.position else 0) for frame in caught.value.stack]
    assert frames == [("<toplevel>", before + 3), ("f", 2)]


def test_a_name_of_a_later_part_has_no_value_yet() -> None:
    text = "a = [1]\n" + "a.append(1)\n" * toplevel.PART + "b = c\n" + "a.append(1)\n" * 40
    with pytest.raises(EvalError, match="global variable c referenced before assignment"):
        ran(text + "c = 1\n")


def test_a_long_program_is_kept_in_all_its_parts() -> None:
    program = compile_program(functions_and_calls(100), "test.star")
    again = Program.from_bytes(program.to_bytes())
    assert execute(again).globals["v99"] == 198


def long_bodies(count: int) -> str:
    """Return a program whose bodies outside functions have so many statements, of all kinds."""

    def body(indent: str, name: str) -> str:
        lines = []
        for i in range(count):
            lines.append(f"def {name}f{i}(x):\n{indent}    return x + {i}")
            lines.append(f"{name}v{i} = {name}f{i}(1) + {f'{name}v{i - 1}' if i else '0'}")
        return "".join(f"{indent}{line}\n" for line in lines)

    return (
        "total = 0\nseen = []\n"
        f"if total == 0:\n{body('    ', 'a')}"
        "    if total:\n        pass\n    else:\n"
        f"{body('        ', 'b')}"
        f"elif True:\n{body('    ', 'c')}"
        "for n in [1, 2, 3]:\n"
        + "".join(f"    total += n + {i}\n" for i in range(count))
        + "    seen.append([total for _ in range(1)][0])\n"
        + "for n in [1, 2, 3]:\n"
        + "".join(f"    total += n * {i}\n" for i in range(count))
        + "    if n == 2:\n        break\n"
    )


@pytest.mark.parametrize("limit", [None, 1_000_000])
def test_long_bodies_outside_functions_do_what_short_ones_do(limit: int | None) -> None:
    dialect = Dialect(toplevel_control=True, global_reassign=True)
    for count in (3, 200):
        program = compile_program(long_bodies(count), "long.star", dialect=dialect)
        for one in (program, Program.from_bytes(program.to_bytes())):
            found = execute(one, thread=Thread(max_steps=limit)).globals
            assert found[f"av{count - 1}"] == found[f"bv{count - 1}"] == sum(range(1, count + 1))
            assert "cv0" not in found
            each = sum(range(count))
            assert found["seen"] == [each + count, 2 * each + 3 * count, 3 * each + 6 * count]
            assert found["total"] == 3 * each + 6 * count + 3 * each
            assert not [name for name in found if "<" in name]


def test_an_error_in_a_long_body_has_the_stack_that_it_has_in_a_short_one() -> None:
    dialect = Dialect(toplevel_control=True, global_reassign=True)
    for count in (1, 100):
        text = "if True:\n" + "    x = [1]\n" * count + "    y = [i + 'a' for i in x]\n"
        with pytest.raises(EvalError) as caught:
            execute(compile_program(text, "long.star", dialect=dialect))
        assert [(frame.name, str(frame.position)) for frame in caught.value.stack] == [
            ("<toplevel>", f"long.star:{count + 2}:12")
        ]
    text = "if True:\n" + "    x = 1\n" * 100 + "    if x:\n        y = z\n" + "    x = 2\n" * 100 + "z = 1\n"
    with pytest.raises(EvalError, match="global variable z referenced before assignment"):
        execute(compile_program(text, "long.star", dialect=dialect))


def test_a_long_body_can_be_typed() -> None:
    session = Session(Dialect(), {}, Thread())
    for start in (0, 1):
        session.run("if True:\n" + "".join(f"    x{i} = {i + start}\n" for i in range(100)) + "\n")
        assert session.run("x99") == 99 + start
