"""Bounds that cost a program nothing: its time, and the rounds of a loop over a range."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.starlark import EvalError, Thread, call
from bramble.starlark.assertions import ASSERT
from bramble.starlark.bounds import Overtime, bounded_time
from bramble.starlark.runtime import iteration
from bramble.starlark.runtime.iteration import MOST_ROUNDS, rounds

from .running import ran

ENDLESS = "def f():\n    for i in range(1 << 20):\n        for j in range(1 << 20):\n            pass\n"


@pytest.mark.parametrize("wanted", ["f()", "assert.fails(f, 'takes longer')"])
def test_a_program_that_takes_too_long_ends_with_its_place(wanted: str) -> None:
    function = ran(f"{ENDLESS}def g():\n    {wanted}\n", **{"assert": ASSERT}).globals["g"]
    with pytest.raises(EvalError) as caught, bounded_time(0.05):
        call(Thread(), function)
    error = caught.value
    assert (error.code, error.message, error.limit) == ("eval.limit", "it takes longer than 0.05 s", "time")
    assert error.position is not None and error.position.line in (2, 3, 4)


def test_what_takes_too_long_outside_of_programs_is_ended_too() -> None:
    with pytest.raises(Overtime), bounded_time(0.05):
        while True:
            pass


def test_the_bound_on_time_ends_with_its_block() -> None:
    before = signal.getsignal(signal.SIGPROF)
    with bounded_time(1000):
        assert 0 < signal.getitimer(signal.ITIMER_PROF)[0] <= 1000.1
        with bounded_time(0.001):
            # The outer one counts.
            assert signal.getitimer(signal.ITIMER_PROF)[0] > 900
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGPROF) == before


def test_waiting_is_not_counted() -> None:
    with bounded_time(0.05):
        time.sleep(0.06)


def test_elsewhere_than_in_the_main_thread_there_is_no_bound_on_time() -> None:
    done: list[bool] = []

    def work() -> None:
        with bounded_time(0.000001):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a loop have fifty rounds, where it is found out while the program runs."""
    monkeypatch.setattr(iteration, "MOST_ROUNDS", 50)
    yield


HUGE = f"range({MOST_ROUNDS * 8})"
LOOPS = {
    "for": f"def f():\n    for i in {HUGE}:\n        pass\nf()\n",
    "from a number": f"def f():\n    for i in range(1, {MOST_ROUNDS * 8}):\n        pass\nf()\n",
    "downwards": f"def f():\n    for i in range({MOST_ROUNDS * 8}, 0, -1):\n        pass\nf()\n",
    "of a parameter": f"def f(n):\n    for i in range(n):\n        pass\nf({MOST_ROUNDS * 8})\n",
    "of a range that is passed": f"def f(r):\n    for i in r:\n        pass\nf({HUGE})\n",
    "of a variable": f"def f():\n    r = {HUGE}\n    for i in r:\n        pass\nf()\n",
    "comprehension": f"x = [i for i in {HUGE}]\n",
    "inner clause": f"x = [i for j in range(3) for i in {HUGE}]\n",
    "dict comprehension": f"x = {{i: 0 for i in {HUGE}}}\n",
    "zip": f"def f():\n    for i, j in zip({HUGE}, {HUGE}):\n        pass\nf()\n",
    "enumerate": f"def f():\n    for i, j in enumerate({HUGE}):\n        pass\nf()\n",
}


@pytest.mark.parametrize("name", list(LOOPS))
def test_a_loop_over_a_range_has_only_so_many_rounds(name: str, few_rounds: None) -> None:
    with pytest.raises(EvalError) as caught:
        ran(LOOPS[name])
    error = caught.value
    assert (error.code, error.message, error.limit) == (
        "eval.limit",
        "a loop has more than 50 rounds",
        "steps",
    )
    assert error.position is not None


def test_a_loop_that_leaves_a_huge_range_early_is_no_fault(few_rounds: None) -> None:
    text = "def f(n):\n    for i in range(n):\n        if i == 9:\n            return i\nr = f(1 << 60)\n"
    assert ran(text).globals["r"] == 9


def test_where_steps_are_counted_they_alone_count(few_rounds: None) -> None:
    with pytest.raises(EvalError) as caught:
        ran(LOOPS["of a range that is passed"], Thread(max_steps=3000))
    assert caught.value.message == "too many steps"


def test_a_range_that_is_not_too_long_stays_as_it_is() -> None:
    for same in (range(5), range(MOST_ROUNDS), range(0, -10, -3), [1], "ab"):
        assert rounds(same) is same
    assert list(rounds(range(10, 0, -1))) == list(range(10, 0, -1))


def test_ints_that_share_a_hash_are_put_into_a_set_bit_by_bit() -> None:
    text = "r = set([i * ((1 << 61) - 1) for i in range(1 << 20)])\n"
    with pytest.raises(EvalError) as caught, bounded_time(1):
        ran(text)
    assert (caught.value.code, caught.value.limit) == ("eval.limit", "time")


def test_a_set_of_many_has_the_order_in_which_they_came() -> None:
    text = "x = [(i * 7919) % 1009 for i in range(3000)]\ny = list(set(x))\nz = list({i: 0 for i in x})\n"
    found = ran(text).globals
    assert list(found["y"]) == list(found["z"]) and len(found["y"]) == 1009


DEAF = """
import sys
from bramble.starlark import Dialect, EvalError, Thread, bounds, compile_program, execute
bounds._DEAF = 0.5
text = '''
def f():
    long = "a" * (1 << 24)
    return (long + "b") in [long + "c"] * (1 << 20)
f()
'''
program = compile_program(text.encode(), "a.star", dialect=Dialect(), predeclared={})
with bounds.bounded_time(0.2):
    execute(program, predeclared={}, thread=Thread())
"""


def test_an_operation_that_hears_no_signal_is_ended_by_the_system(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", DEAF], cwd=tmp_path, env=environment, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGXCPU


def test_the_bound_of_the_system_is_as_before_behind_the_block() -> None:
    before = resource.getrlimit(resource.RLIMIT_CPU)
    with bounded_time(1000):
        assert 1000 < resource.getrlimit(resource.RLIMIT_CPU)[0] < 1_000_000
    assert resource.getrlimit(resource.RLIMIT_CPU) == before
    with bounded_time(1e8):
        assert resource.getrlimit(resource.RLIMIT_CPU)[0] > 1e8
    assert resource.getrlimit(resource.RLIMIT_CPU) == before
