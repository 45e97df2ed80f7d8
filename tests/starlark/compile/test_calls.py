"""Calls with `*` and `**` do what the simple rule does: values, order, errors, places, stacks."""

from __future__ import annotations

import pytest

from bramble.starlark import Builtin, StarlarkError, Thread, compile_program, execute
from bramble.starlark.command import PREDECLARED
from bramble.starlark.compile.constructs import calls

from ..running import ran

BEFORE = """
def f(a, b = 2, *args, c = 3, **kw):
    return (a, b, args, c, kw)
def g(x):
    return x
def h(None, **kw):
    return (None, kw)
def bad():
    return 1 // 0
def say(x):
    print(x)
    return x
def none():
    return 1
def loop(*a):
    return again(*a)
def again(*a):
    return loop(*a)
def wrong_inside(x):
    return len(1, 2)
def host_inside(x):
    return host(x)
def main(q = 1):
    k = h
    gg = g
"""
CASES = [
    'f(*[1, 2, 3], **{"c": 1, "z": 2})',
    "f(1, c = g(3), *(4, 5))",
    'h(**{"None": 3, "True": 5})',
    'k(**{"None": 3, "True": 5})',
    'dict(a=1, **{"b": 3})',
    "max(*[1,2,3])",
    "g(*3)",
    "g(**3)",
    "g(**{1: 2})",
    "g(**{True: 2})",
    'g(x = 1, **{"x": 2})',
    "g(*[1,2])",
    'g(**{"y": 1})',
    'g(*"ab")',
    "g(1, **{True: 1})",
    'k(1, **{"None": 3})',
    'k(**{"x": 3})',
    'max(key = 1, **{"key": 3})',
    'max(**{"key": 3})',
    "3(*[1])",
    '3(**{"a": 1})',
    '"x"(*[1])',
    'g(*[1], **{"x": 2})',
    "say(g)(x = say(1), *say([3]))",
    "say(g)(x = say(1), *say(3), **say({}))",
    'f(say(1), c = say(2), *say([3]), **say({"q": 1}))',
    "f(say(1), c = say(2), *say(3), **say(bad()))",
    "f(say(1), c = say(2), *say(3), **say(4))",
    "f(bad(), *bad2)",
    "gg(*[1, 2])",
    "gg(*range(1))",
    'gg(*{"a": 1})',
    "gg(*set([5]))",
    'gg(**{"x": bad()})',
    "gg(*[bad()])",
    'struct(**{"a": 1, "b": 2})',
    'struct(a = 1, **{"a": 2})',
    "struct(*[1])",
    "[g(*[x]) for x in [1, 2]]",
    "[x for x in g(*[[1,2]])]",
    '[x for x in g(**{"x": [1,2]})]',
    "[x for x in g(*[[1,2], 3])]",
    'sorted([3, 1], **{"key": lambda x: -x})',
    "sorted(*[[3, 1]], key = lambda x: -x)",
    "sorted([3, 1], key = lambda x, y: x)",
    "sorted([3, 1], key = lambda *a: a[1])",
    "sorted([3, 1], key = none)",
    '(lambda *a, **b: (a, b))(1, *[2], **{"c": 3})',
    "(lambda a: a)(*[2, 3])",
    '(lambda None: 3)(**{"None": 3})',
    '(lambda None: 3)(**{"none": 3})',
    "len(*[[1]])",
    "len(*[])",
    'len(**{"x": 1})',
    '"a".join(*[["b", "c"]])',
    '"a".join(**{"x": 1})',
    '"{a}".format(**{"a": 3})',
    '"{a}".format(a = 1, **{"a": 3})',
    "{}.get(*[1, 2])",
    "struct(f = g).f(*[1, 2])",
    "struct(f = g).f(*[1])",
    "struct(f = g).g(*[1])",
    "none(*[1])",
    'none(**{"a": 1})',
    "none(*(), **{})",
    "loop(1, *[1])",
    "wrong_inside(*[1])",
    "[].append(*[1, 2])",
    "type(*[1])",
    "f()",
    "f(*[])",
    'f(1, 2, 3, d = 4, **{"e": 5})',
    "f(1, a = 2)",
    'f(1, **{"a": 2})',
    "host_inside(*[1])",
    "gg(*[host(1)])",
    "f(1, *host, **host)",
    "struct(f = h).f(**{'None': 1})",
    "g(*q, **q)",
    "[gg(*[i]) for i in range(3)] + [f(*[i])[0] for i in range(3)]",
]


def host(_thread: Thread, _args: object, _kwargs: object) -> object:
    raise TypeError("the host's own")


def outcome(case: str, thread: Thread, said: list[object]) -> object:
    """Return what an expression gives in a function, or how it fails, and note in `said` what is printed."""
    given = {**PREDECLARED, "host": Builtin("host", host)}
    text = f"{BEFORE}    return {case}\nR = repr(main())\n"
    thread.print = lambda text, position: said.append((text, position))
    try:
        return execute(
            compile_program(text, "t.star", predeclared=given), predeclared=given, thread=thread
        ).globals["R"]
    except StarlarkError as error:
        return [(one.code, one.message, getattr(one, "stack", None)) for one in error.errors]


@pytest.mark.parametrize("limit", [None, 100_000])
@pytest.mark.parametrize("case", CASES)
def test_a_call_with_stars_does_what_the_simple_rule_does(
    case: str, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []
    found = outcome(case, Thread(max_steps=limit), said)
    monkeypatch.setattr(calls, "call_with_stars", calls.call_by_parts)
    expected: list[object] = []
    assert found == outcome(case, Thread(max_steps=limit), expected)
    assert said == expected


def test_a_type_error_inside_the_callee_is_not_taken_for_one_of_binding() -> None:
    found = outcome("host_inside(*[1])", Thread(), [])
    assert isinstance(found, list)
    code, message, stack = found[0]
    assert (code, message) == ("eval.host", "the host's own")
    assert [frame.name for frame in stack] == ["<toplevel>", "main", "host_inside"]


def test_what_a_call_with_stars_returns_is_not_known_from_other_calls() -> None:
    # A function that is only called with stars gets anything, and so may return anything.
    text = """
def f(a):
    return a
def once():
    return f(1)
def main():
    x = f(*[True])
    return x + 1
"""
    with pytest.raises(StarlarkError, match="unknown binary op: bool [+] int"):
        ran(f"{text}result = main()\n")


def test_keyword_arguments_are_the_callees_own() -> None:
    text = """
def keep(**kwargs):
    kwargs["more"] = 1
    return kwargs
given = {"a": 1}
def main():
    mine = {"a": 1}
    kept = keep(**mine)
    return (mine, kept)
result = main()
"""
    assert repr(ran(text).globals["result"]) == "({'a': 1}, {'a': 1, 'more': 1})"


def test_a_list_that_a_callee_changes_is_locked_while_a_loop_calls_it_with_stars() -> None:
    text = """
def add(items, **kwargs):
    items.append(1)
def main():
    items = [1, 2]
    arguments = [items]
    for x in items:
        add(*arguments)
main()
"""
    with pytest.raises(StarlarkError, match="during iteration"):
        ran(text)


def test_recursion_through_calls_with_stars_is_refused() -> None:
    text = """
def a(*args, **kwargs):
    return b(*args, **kwargs)
def b(*args, **kwargs):
    return a(*args, **kwargs)
a(1, x = 2)
"""
    with pytest.raises(StarlarkError, match="function a called recursively"):
        ran(text)
