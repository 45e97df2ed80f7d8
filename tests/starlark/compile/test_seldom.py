"""Functions of structs with the names of built-in methods: who calls them has not marked itself or locked."""

from __future__ import annotations

from typing import Any

import pytest

from bramble.starlark import Dialect, EvalError, Struct, Thread, call, compile_program
from bramble.starlark.compile.facts import collect
from bramble.starlark.runtime import attributes, functions

from ..reference.both import compiled, difference
from ..running import ran

AGAIN = {
    "a function": "def f(x):\n    return x.strip()\nf(struct(strip = lambda: f('a')))\n",
    "one with keywords": "def f(x, **k):\n    return x.strip()\nf(struct(strip = lambda: f('a', b = 1)))\n",
    "a lambda": "f = lambda x: x.strip()\nf(struct(strip = lambda: f('a')))\n",
    "a lambda with a comprehension": (
        "f = lambda x: [y.strip() for y in x]\nf([struct(strip = lambda: f([]))])\n"
    ),
    "a lambda in a comprehension": (
        "fs = [lambda x: x.strip() for _ in range(2)]\nfs[0](struct(strip = lambda: fs[1]('a')))\n"
    ),
    "one further out": (
        "def f(x):\n    return g(x)\ndef g(x):\n    return h(x) or 1\ndef h(x):\n    return x.get(1)\n"
        "f(struct(get = lambda _: f({})))\n"
    ),
    "in a comprehension": (
        "def f(x):\n    return [y.upper() for y in x]\nf([struct(upper = lambda: f([]))])\n"
    ),
    "in comprehensions": (
        "def f(x):\n    return [[z.upper() for z in y] for y in x]\nf([[struct(upper = lambda: f([]))]])\n"
    ),
    "with words": (
        "def f(x):\n    return x.format(a = 1)\n"
        "f(struct(format = lambda a: f(struct(format = lambda a: a))))\n"
    ),
    "with a long argument": (
        "def f(x, n):\n    x.append((n + 1) * (n + 2) * (n + 3) - (n + 4))\n"
        "f(struct(append = lambda v: f([], v)), 1)\n"
    ),
    "by another way": (
        "def f(x):\n    return x.strip()\ndef g(x):\n    return x()\n"
        "f(struct(strip = lambda: g(lambda: f('a'))))\n"
    ),
    "a second time": (
        "def f(x):\n    return x.strip()\ndef g(x):\n    return x.strip()\n"
        "f(struct(strip = lambda: [g(' a'), g(' b'), g(struct(strip = lambda: f('a')))]))\n"
    ),
    "by a name that Python refuses": (
        "def f(x):\n    return g(None = x)\ndef g(None):\n    return None.strip()\n"
        "f(struct(strip = lambda: f('a')))\n"
    ),
    "from a function that anybody calls": (
        "def f(x):\n    return x.strip()\ndef r():\n    return f('a')\n[f][0](struct(strip = r))\n"
    ),
    "with stars": ("def f(*x):\n    return x[0].strip()\nf(*[struct(strip = lambda: f('a'))])\n"),
}


@pytest.mark.parametrize("way", list(AGAIN))
def test_a_function_that_is_called_again_is_refused(way: str) -> None:
    files = {"main.star": AGAIN[way]}
    assert difference(files, Dialect()) == ""
    error = compiled(files, Dialect()).error
    assert error is not None
    assert error[0] == "eval.recursion", error
    assert compiled(files, Dialect(), max_steps=10_000).error == error
    assert compiled(files, Dialect(recursion=True)).error is None


def test_the_same_holds_for_functions_of_other_files() -> None:
    library = "def f(x):\n    return x.strip()\ndef r():\n    return f('a')\n"
    for rest in ("f(struct(strip = r))\n", "f(struct(strip = lambda: f('a')))\n"):
        files = {"lib.star": library, "main.star": f'load("lib.star", "f", "r")\n{rest}'}
        assert difference(files, Dialect()) == ""
        error = compiled(files, Dialect()).error
        assert error is not None
        assert error[0] == "eval.recursion"


def test_a_host_that_calls_such_a_function_is_no_way_around() -> None:
    globals = ran("def f(x):\n    return x.strip()\ndef r():\n    return f('a')\n").globals
    with pytest.raises(EvalError, match="function f called recursively"):
        call(Thread(), globals["f"], (Struct({"strip": globals["r"]}),))


def test_a_function_can_be_called_again_when_it_has_returned_or_failed() -> None:
    text = (
        "def f(x):\n    return x.strip()\n"
        "def bad():\n    fail('no')\n"
        "s = struct(strip = lambda: 'b')\n"
        "again = struct(strip = lambda: f(''))\n"
        "r = [f(s), f('c '), attempt(lambda: f(struct(strip = bad))), attempt(lambda: f(again)), f(s)]\n"
    )
    assert difference({"main.star": text}, Dialect()) == ""
    thread = Thread()
    module = ran("def f(x):\n    return x.strip()\ndef bad():\n    fail('no')\n", thread)
    for _ in range(2):
        with pytest.raises(EvalError, match="no"):
            call(thread, module.globals["f"], (Struct({"strip": module.globals["bad"]}),))
        assert call(thread, module.globals["f"], (" a",)) == "a"
    assert (thread.noted, thread.active, thread.locked, thread.held) == ({}, {}, {}, [])


def changing(loop: str, kind: str, change: str, before: str = "", after: str = "") -> str:
    """Return a program whose loop over x calls a function that changes x."""
    given = {"list": "[1, 2]", "dict": "{1: 2, 3: 4}", "set": "set([1, 2])", "odd dict": "{True: 1, 1: 2}"}[
        kind
    ]
    body = f"    {loop}\n    {after or 'return x'}\n"
    return f"{before}def f(x, s):\n{body}x = {given}\nf(x, struct(index = lambda i: {change}))\n"


LOOPS = {
    "a loop": "for i in x:\n        s.index(i)",
    "a loop that is left": "for i in x:\n        if i: s.index(i)\n        break",
    "one of two loops": "for i in [1]:\n        for j in x:\n            s.index(j)",
    "a loop with one inside": "for i in x:\n        for j in [1]:\n            s.index(j)",
    "a comprehension": "[s.index(i) for i in x]",
    "a comprehension of a dict": "{str(i): s.index(i) for i in x}",
    "a condition": "[i for i in x if s.index(i)]",
    "a comprehension in another": "[[s.index(j) for i in x] for j in x]",
    "the second clause": "[s.index(i) for j in [1] for i in x]",
}
CHANGES = {
    "list": ("x.append(1)", "x.pop()", "x.extend([1])", "x.insert(0, 1)"),
    "dict": ("x.pop(1)", "x.clear()", "x.update({5: 6})", "x.setdefault(7, 8)"),
    "set": ("x.add(9)", "x.discard(1)"),
    "odd dict": ("x.pop(True)", "x.clear()"),
}


@pytest.mark.parametrize("loop", list(LOOPS))
@pytest.mark.parametrize("kind", list(CHANGES))
def test_what_is_iterated_is_locked_while_such_a_function_runs(loop: str, kind: str) -> None:
    for change in CHANGES[kind]:
        files = {"main.star": changing(LOOPS[loop], kind, change)}
        assert difference(files, Dialect()) == ""
        error = compiled(files, Dialect()).error
        assert error is not None
        assert error[0] == "eval.iteration", error


@pytest.mark.parametrize("loop", list(LOOPS))
@pytest.mark.parametrize("kind", list(CHANGES))
def test_after_the_loop_it_may_be_changed(loop: str, kind: str) -> None:
    change = CHANGES[kind][0]
    text = changing(LOOPS[loop].replace("s.index", "str"), kind, change, after="s.index(0)\n    return x")
    assert difference({"main.star": text}, Dialect()) == ""
    assert compiled({"main.star": text}, Dialect()).error is None


def test_loops_of_those_who_called_by_name_are_locked_as_well() -> None:
    for loop in ("for i in x:\n        g(i, s)", "[g(i, s) for i in x]"):
        text = changing(loop, "list", "x.append(1)", before="def g(i, s):\n    return s.index(i)\n")
        error = compiled({"main.star": text}, Dialect()).error
        assert error is not None
        assert error[0] == "eval.iteration"
        assert difference({"main.star": text}, Dialect()) == ""


def test_what_a_loop_outside_functions_iterates_is_locked() -> None:
    text = "x = [1, 2]\ns = struct(index = lambda i: x.append(i))\nfor i in x:\n    s.index(i)\n"
    dialect = Dialect(toplevel_control=True)
    error = compiled({"main.star": text}, dialect).error
    assert error is not None
    assert error[0] == "eval.iteration"
    assert difference({"main.star": text}, dialect) == ""


def test_locks_of_loops_further_out_outlast_the_call() -> None:
    text = (
        "def f(x, s):\n    for i in x:\n        (lambda: s.index(i))()\n        s.index(i)\n"
        "        x.append(1)\n"
        "f([1, 2], struct(index = lambda i: i))\nf({1: 2}, struct(index = lambda i: i))\n"
    )
    for kind in ("[1, 2]", "{1: 2}", "set([1])"):
        files = {"main.star": text.replace("[1, 2]", kind).replace("x.append(1)", "x.clear()")}
        error = compiled(files, Dialect()).error
        assert error is not None
        assert error[0] == "eval.iteration"
        assert difference(files, Dialect()) == ""


def names_of(text: str) -> set[str]:
    """Return the names that the code of a program uses."""
    work: list[Any] = list(compile_program(text, "test.star").code(False)[0])
    names: set[str] = set()
    while work:
        one = work.pop()
        names.update(one.co_names)
        work += [c for c in one.co_consts if hasattr(c, "co_code")]
    return names


def test_code_that_only_calls_methods_neither_marks_nor_locks() -> None:
    loop = "for i in x:\n        if i.startswith('a'):\n            return [j.strip() for j in x]\n"
    names = names_of(f"def f(x):\n    {loop}")
    assert "noted" in names
    assert names.isdisjoint({"active", "locked", ".hold", ".enter", ".marked"})


def test_both_floors_know_the_same_names() -> None:
    assert collect.METHODS == attributes.SELDOM
    assert collect.NO_WORDS == functions.SPECIAL_NAMES
