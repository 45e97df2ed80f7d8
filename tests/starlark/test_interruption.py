"""Ctrl-C ends a program wherever it is, and leaves nothing behind: no lock, no mark of a running function."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from bramble.starlark import Builtin, Dialect, EvalError, List, Thread, call

from .running import ran

CALLS = {
    "in a function": "def f(x):\n    stop()\n",
    "in a loop": "def f(x):\n    for i in x:\n        stop()\n",
    "in nested loops": "def f(x):\n  for i in x:\n    for j in x:\n      for k in d:\n        stop()\n",
    "in a comprehension": "def f(x):\n    return [stop() for i in x for k in d]\n",
    "in a dict comprehension": "def f(x):\n    return {k: stop() for k in d for i in x}\n",
    "in a condition": "def f(x):\n    return [1 for i in x if stop()]\n",
    "in a key": "def f(x):\n    return sorted(x, key = stop)\n",
    "in the key of max": "def f(x):\n    return max(x, key = lambda v: stop())\n",
    "in an argument": "def f(x):\n    x.append(stop())\n",
    "in a lambda": "def f(x):\n    g = lambda v: [stop(), v]\n    return g(g(x))\n",
    "in a default": "def f(x):\n    def g(a = stop()): return a\n    return g()\n",
    "in a while loop": "def f(x):\n    while True:\n        stop()\n",
    "in an assertion": "def f(x):\n    for i in x:\n        attempt(stop)\n",
}


def interrupt(_thread: Thread, _args: Any, _kwargs: Any) -> None:
    raise KeyboardInterrupt


def attempt(thread: Thread, args: Any, _kwargs: Any) -> None:
    """A built-in of the host that goes on after errors, as `assert.fails` does, but not after this one."""
    call(thread, args[0])


@pytest.mark.parametrize("where", list(CALLS))
def test_an_interrupted_program_leaves_nothing_behind(where: str) -> None:
    thread = Thread()
    stop, again = Builtin("stop", interrupt), Builtin("attempt", attempt)
    text = 'd = {"a": 1}\n' + CALLS[where]
    module = ran(text, thread, Dialect(while_loops=True), stop=stop, attempt=again)
    x = List([1, 2, 3])
    for _ in range(2):
        # The second time fails in the same way: the function is not thought to be running still.
        with pytest.raises(EvalError) as caught:
            call(thread, module.globals["f"], (x,))
        assert (caught.value.code, caught.value.message) == ("eval.interrupted", "interrupted")
        assert caught.value.position is not None and caught.value.position.line >= 2
        assert x.__class__ is List and list(x) == [1, 2, 3]
        assert not thread.active and not thread.held


BUSY = """
def key(v):
    total = 0
    for i in range(5):
        total += i * v
    return total

def f(x, d):
    begin()
    while True:
        for i in x:
            y = [i for i in x for k in d if k]
            z = {k: [v for v in x] for k in d}
        sorted(x, key = key)
        ",".join([str(v) for v in x])
        max(x, key = lambda v: -v)
        for k, v in d.items():
            for i, w in enumerate(x):
                len(str([w, k, v, y, z]))
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timers")
def test_an_interruption_at_any_moment_leaves_nothing_behind() -> None:
    moments = iter(range(60))

    def begin(_thread: Thread, _args: Any, _kwargs: Any) -> None:
        # Moments from the first microseconds on.
        signal.setitimer(signal.ITIMER_REAL, 0.0001 + next(moments) * 0.00017)

    thread = Thread()
    module = ran(BUSY, thread, Dialect(while_loops=True), begin=Builtin("begin", begin))
    x, d = List(range(20)), ran('d = {"a": 1, "b": 2}\n', thread).globals["d"]

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        for _ in range(60):
            with pytest.raises(EvalError) as caught:
                call(thread, module.globals["f"], (x, d))
            assert caught.value.code == "eval.interrupted"
            assert x.__class__ is List and list(x) == list(range(20))
            assert not thread.active and not thread.held
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
