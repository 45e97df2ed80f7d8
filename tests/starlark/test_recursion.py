"""A function does not run while it runs, unless the dialect lets it."""

from __future__ import annotations

from typing import Any

import pytest

from bramble.starlark import Builtin, Dialect, EvalError, Struct, Thread, call
from bramble.starlark.runtime.struct import STRUCT

from .running import ran

RECURSIVE = {
    "itself": "def f():\n    f()\nf()\n",
    "through another": "def f():\n    g()\ndef g():\n    f()\nf()\n",
    "through an argument": "def f(g):\n    g(g)\nf(f)\n",
    "through a list": "def f(x):\n    x[0](x)\nf([f])\n",
    "through a dict": "def f(x):\n    x['f'](x)\nf({'f': f})\n",
    "through a field": "def f(x):\n    x.append(x)\nf(struct(append = f))\n",
    "through a method's name": "def f(x):\n    return x.split(x)\nf(struct(split = f))\n",
    "through a key function": "def f(x):\n    return sorted([x], key = f)\nf(1)\n",
    "through max": "def f(x):\n    return max([x], key = lambda y: f(y))\nf(1)\n",
    "another closure": (
        "def make(g):\n    def f():\n        return g and g()\n    return f\nmake(make(None))()\n"
    ),
    "a lambda": "fs = [None]\nf = lambda: fs[0]()\nfs[0] = f\nf()\n",
    "a lambda in a lambda": "f = lambda g: g(g)\nf(f)\n",
    "in a comprehension": "def f(x):\n    return [f(y) for y in x]\nf([1])\n",
    "through stars": "def f(*args):\n    return f(*args)\nf(1)\n",
    "through a default": "def f():\n    return g()\ndef g(h = f):\n    return h()\nf()\n",
    "a long way": "def a(): return b()\ndef b(): return c()\ndef c(): return d()\ndef d(): return a()\na()\n",
    "from a quiet function": (
        "def f(x):\n    return g(x) + 1\ndef g(x):\n    return x.get(x)\nf(struct(get = f))\n"
    ),
}


@pytest.mark.parametrize("way", list(RECURSIVE))
def test_recursion_is_found_whatever_way_it_takes(way: str) -> None:
    with pytest.raises(EvalError) as caught:
        ran(RECURSIVE[way], struct=STRUCT)
    assert caught.value.code == "eval.recursion"
    assert caught.value.message.endswith("called recursively")


@pytest.mark.parametrize("way", list(RECURSIVE))
def test_it_is_found_at_the_first_call_too_many_also_where_steps_are_counted(way: str) -> None:
    counts = []
    for thread in (Thread(), Thread(max_steps=100_000)):
        with pytest.raises(EvalError) as caught:
            ran(RECURSIVE[way], thread, struct=STRUCT)
        counts.append([str(frame) for frame in caught.value.stack])
    assert counts[0] == counts[1]


def test_a_host_that_calls_back_is_no_way_around() -> None:
    def back(thread: Thread, args: Any, _kwargs: Any) -> Any:
        return call(thread, args[0], args[1:])

    with pytest.raises(EvalError) as caught:
        ran("def f(n):\n    return back(f, n)\nf(1)\n", back=Builtin("back", back))
    assert caught.value.code == "eval.recursion"


def test_a_function_can_be_called_again_when_it_has_returned_or_failed() -> None:
    module = ran("def f(g, x):\n    return g(x)\ndef h(x):\n    return 1 // x\n")
    f, h = module.globals["f"], module.globals["h"]
    thread = Thread()
    assert call(thread, f, (h, 1)) == 1
    with pytest.raises(EvalError):
        call(thread, f, (h, 0))
    assert call(thread, f, (h, 1)) == 1


def test_calls_inside_one_another_are_not_recursion() -> None:
    ran(
        "def f(x):\n    return x\nf(f(f(1)))\n[f(f(x)) for x in [1, 2]]\n"
        "sorted([f(2), f(1)], key = lambda x: f(x))\n"
    )


def test_two_threads_may_run_one_function_at_once() -> None:
    library = ran("def f(g):\n    return g()\n")

    def other(_thread: Thread, _args: Any, _kwargs: Any) -> Any:
        return call(Thread(), library.globals["f"], (Builtin("one", lambda _t, _a, _k: 1),))

    assert call(Thread(), library.globals["f"], (Builtin("other", other),)) == 1


def test_where_it_is_allowed_functions_call_themselves() -> None:
    text = (
        "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
        "def even(n):\n    return True if n == 0 else odd(n - 1)\n"
        "def odd(n):\n    return False if n == 0 else even(n - 1)\n"
        "walk = lambda t: [t[0]] + [x for c in t[1:] for x in walk(c)]\n"
        "r = (fib(12), even(101), walk([1, [2, [3]], [4]]))\n"
    )
    assert ran(text, dialect=Dialect(recursion=True)).globals["r"] == (144, False, [1, 2, 3, 4])


@pytest.mark.parametrize(
    "text",
    [
        "def f(n):\n    return f(n + 1)\nf(0)\n",
        "def f(x):\n    return sorted([x], key = f)\nf(1)\n",
        "def f(x):\n    return [f(y) for y in [x]]\nf(1)\n",
        "f = lambda x: f(x)\nf(1)\n",
        "def f(x):\n    return str(f(x)) + '%s' % f(x)\nf(1)\n",
    ],
)
def test_endless_recursion_ends_with_an_error_of_starlark(text: str) -> None:
    with pytest.raises(EvalError) as caught:
        ran(text, dialect=Dialect(recursion=True))
    assert (caught.value.code, caught.value.message) == ("eval.limit", "Starlark stack overflow")


def test_a_struct_s_field_is_not_taken_for_a_list_s_method() -> None:
    seen = []
    keep = Builtin("keep", lambda _thread, args, _kwargs: seen.append(args))
    ran(
        "def f(x):\n    x.append(1)\n    x.pop()\n    x.get('k')\n    return x.items()\nf(s)\n",
        s=Struct({"append": keep, "pop": keep, "get": keep, "items": keep}),
    )
    assert seen == [(1,), (), ("k",), ()]
