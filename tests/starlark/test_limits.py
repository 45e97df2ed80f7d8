"""Limits that a host sets hold wherever the code came from, and nothing a program does gets round them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bramble.starlark import Dialect, EvalError, Thread, call
from bramble.starlark.assertions import ASSERT

from .running import ran

ENDLESS = {
    "loop": "for i in range(1 << 40):\n        pass",
    "nested loops": "for i in range(1 << 20):\n        for j in range(1 << 20):\n            pass",
    "comprehension": "[0 for i in range(1 << 40)]",
    "nested comprehension": "[1 for i in range(1 << 20) if [0 for j in range(1 << 20)]]",
    "dict comprehension": "{i: 0 for i in range(1 << 40)}",
    "calls": "for i in range(1 << 40):\n        g(i)",
    "while": "while True:\n        pass",
    "key function": "sorted([1, 2], key = lambda x: [0 for i in range(1 << 40)])",
    "zip": (
        "for i, j in zip(range(1 << 24), range(1 << 24)):\n        for k in range(1 << 30):\n            pass"
    ),
}
DIALECT = Dialect(while_loops=True)


def text_of(name: str) -> str:
    return f"def g(x):\n    return x\n\ndef f():\n    {ENDLESS[name]}\n"


@pytest.mark.parametrize("name", list(ENDLESS))
def test_a_file_that_never_ends_is_ended(name: str) -> None:
    with pytest.raises(EvalError) as caught:
        ran(text_of(name) + "f()\n", Thread(max_steps=5000), DIALECT)
    assert (caught.value.code, caught.value.message) == ("eval.limit", "too many steps")
    assert caught.value.position is not None and caught.value.position.line in (1, 5, 6, 7)


@pytest.mark.parametrize("name", list(ENDLESS))
def test_code_that_was_made_without_limits_is_limited_when_it_is_called_with_them(name: str) -> None:
    module = ran(text_of(name), dialect=DIALECT)
    with pytest.raises(EvalError) as caught:
        call(Thread(max_steps=5000), module.globals["f"])
    assert caught.value.message == "too many steps"
    with pytest.raises(EvalError) as caught:
        ran("def h(x):\n    return [y() for y in x]\nh([f])\n", Thread(max_steps=5000), f=module.globals["f"])
    assert caught.value.message == "too many steps"
    assert sys.gettrace() is None or "coverage" in sys.modules


def test_a_thread_without_limits_counts_nothing() -> None:
    thread = Thread()
    ran("def f():\n    for i in range(100):\n        pass\nf()\n", thread)
    assert thread.steps == 0


def test_the_same_program_takes_the_same_steps_every_time() -> None:
    text = (
        "def f(n):\n    return [i for i in range(n)]\ndef g():\n    for i in range(20):\n        f(i)\ng()\n"
    )
    least = next(n for n in range(1, 1000) if _runs(text, n))
    assert _runs(text, least) and not _runs(text, least - 1)
    assert 190 <= least <= 300


def _runs(text: str, steps: int) -> bool:
    try:
        ran(text, Thread(max_steps=steps))
    except EvalError:
        return False
    return True


def test_steps_are_those_of_all_programs_of_a_thread() -> None:
    thread = Thread(max_steps=500)
    text = "def f():\n    for i in range(150):\n        pass\nf()\n"
    ran(text, thread)
    ran(text, thread)
    ran(text, thread)
    with pytest.raises(EvalError):
        ran(text, thread)


def test_an_assertion_does_not_hold_back_a_limit() -> None:
    text = text_of("loop") + "assert.fails(f, 'too many steps')\n"
    with pytest.raises(EvalError) as caught:
        ran(text, Thread(max_steps=1000), **{"assert": ASSERT})
    assert caught.value.code == "eval.limit"


def test_a_deadline_that_has_passed_ends_the_next_loop() -> None:
    with pytest.raises(EvalError) as caught:
        ran(
            "def f():\n    for i in range(1 << 40):\n        pass\nf()\n",
            Thread(deadline=time.monotonic() - 1),
        )
    assert caught.value.message == "deadline exceeded"


def test_an_interruption_from_elsewhere_ends_only_its_own_thread() -> None:
    one, other = Thread(interruptible=True), Thread(interruptible=True)
    found: dict[str, Any] = {}

    def run(name: str, thread: Thread, count: int) -> None:
        try:
            ran(f"def f():\n    for i in range({count}):\n        pass\nf()\n", thread)
            found[name] = "ended"
        except EvalError as error:
            found[name] = error.code

    threads = [
        threading.Thread(target=run, args=("one", one, 1 << 40)),
        threading.Thread(target=run, args=("other", other, 1000)),
    ]
    for thread in threads:
        thread.start()
    one.interrupt()
    for thread in threads:
        thread.join()
    assert found == {"one": "eval.interrupted", "other": "ended"}


SIZES = [
    '"a" * (1 << 29)',
    '"ab" * (1 << 62)',
    "(1,) * (1 << 40)",
    "[1] * (1 << 40)",
    "(1 << 40) * [1]",
    'b"a" * (1 << 40)',
    "1 << 512",
    "1 << (1 << 40)",
    "list(range(1 << 40))",
    "tuple(range(1 << 40))",
    "set(range(1 << 40))",
    "sorted(range(1 << 40))",
    "reversed(range(1 << 40))",
    "enumerate(range(1 << 40))",
    "zip(range(1 << 40), range(1 << 40))",
    "dict(enumerate(range(1 << 40)))",
    "[].extend(range(1 << 40))",
    "max(range(1 << 40))",
    '",".join(range(1 << 40))',
    "f(*range(1 << 40))",
    '("a" * 100000).replace("a", "b" * 100000)',
    '("x" * 100000).join(["a"] * 100000)',
    "bytes(range(1 << 40))",
]


@pytest.mark.parametrize("expression", SIZES)
def test_a_result_of_absurd_size_is_refused_before_it_is_made(expression: str) -> None:
    with pytest.raises(EvalError) as caught:
        ran(f"def f(*args):\n    pass\ndef g():\n    return {expression}\ng()\n")
    assert caught.value.code == "eval.limit"


def test_any_and_all_stop_at_the_first_answer() -> None:
    assert ran("r = (any(range(1 << 40)), all(range(1 << 40)))\n").globals["r"] == (True, False)


def test_shifting_right_takes_any_count() -> None:
    assert ran("r = (5 >> (1 << 70), -5 >> 1000, 5 >> 1)\n").globals["r"] == (0, -1, 2)


DEEP = "def f():\n    x = {}\n    for i in range(100000):\n        x = {}\n    return {}\nf()\n"


@pytest.mark.parametrize(
    "use", ["x == y", "x < y", "x in [y]", "str(x)", "{x: 1}", "[y].index(x)", "hash(str(x))", "x != y"]
)
@pytest.mark.parametrize(("start", "more"), [("()", "(x,)"), ("[]", "[x]"), ("{'k': 1}", "{'k': x}")])
def test_values_a_hundred_thousand_deep_are_no_danger(use: str, start: str, more: str) -> None:
    text = (
        f"def f():\n    x = {start}\n    y = {start}\n    for i in range(100000):\n"
        f"        x = {more}\n        y = {more.replace('x', 'y')}\n    return {use}\nf()\n"
    )
    with pytest.raises(EvalError) as caught:
        ran(text)
    assert caught.value.code in ("eval.limit", "eval.hash", "eval.operand")


@pytest.mark.parametrize("use", ["x == y", "x == x", "x in [y]", "[y].index(x)", "x != y"])
@pytest.mark.parametrize("make", ["[]\n    x.append(x)", "{}\n    x['k'] = x"])
def test_comparing_values_that_contain_themselves_is_refused(use: str, make: str) -> None:
    text = f"def f():\n    x = {make}\n    y = {make.replace('x', 'y')}\n    return {use}\nf()\n"
    with pytest.raises(EvalError) as caught:
        ran(text)
    assert (caught.value.code, caught.value.message) == (
        "eval.limit",
        "comparison exceeded maximum recursion depth",
    )


def test_ctrl_c_ends_a_command_with_the_place_and_130(tmp_path: Path) -> None:
    path = tmp_path / "forever.star"
    path.write_text("def f():\n    for i in range(1 << 60):\n        if i == 9: print('begun')\n\nf()\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "bramble.starlark", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stderr is not None and process.stderr.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    shown = process.stderr.read()
    assert process.wait(20) == 130
    assert shown.startswith("Traceback (most recent call last):\n") and shown.endswith("Error: interrupted\n")
    assert f"{path}:2:" in shown or f"{path}:3:" in shown
