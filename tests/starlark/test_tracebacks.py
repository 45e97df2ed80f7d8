"""Where a running program failed, and through which calls it came there."""

from __future__ import annotations

import dis
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bramble.starlark import Builtin, Dialect, EvalError, Thread, call, execute, faults
from bramble.starlark.program import Program, compile_program

from .running import ran


def failure(text: str, **given: Any) -> EvalError:
    with pytest.raises(EvalError) as caught:
        ran(text, **given)
    return caught.value


def place(text: str) -> str:
    """Return LINE:COLUMN of the error of a program."""
    position = failure(text).position
    assert position is not None
    return f"{position.line}:{position.column}"


def test_a_traceback_has_the_form_of_the_manual() -> None:
    error = failure("def f(x):\n    return x + 1\n\ndef g():\n    return [f(y) for y in ['a']]\n\ng()\n")
    assert error.traceback() == (
        "Traceback (most recent call last):\n"
        "  test.star:7:2: in <toplevel>\n"
        "  test.star:5:14: in g\n"
        "  test.star:2:14: in f\n"
        "Error: unknown binary op: string + int"
    )
    assert error.line_text == "    return x + 1"
    assert error.excerpt() == "      return x + 1\n               ^"


def test_built_ins_that_call_back_stand_between_their_callers() -> None:
    error = failure("def f(x):\n    return 1 // x\nsorted([1, 0], key = lambda x: f(x))\n")
    assert [str(frame) for frame in error.stack] == [
        "test.star:3:7: in <toplevel>",
        "<builtin>: in sorted",
        "test.star:3:33: in lambda",
        "test.star:2:14: in f",
    ]


def test_a_call_that_does_not_bind_is_the_callee_s_place() -> None:
    error = failure("def f(a, b):\n    pass\n\ndef g(h):\n    h(1)\n\ng(f)\n")
    assert [str(frame) for frame in error.stack] == [
        "test.star:7:2: in <toplevel>",
        "test.star:5:6: in g",
        "test.star:1:1: in f",
    ]
    assert error.message == "function f missing 1 argument (b)"


@pytest.mark.parametrize("call_text", ["f()", "[f][0]()", "f(*[])", "f(**{})", "(lambda g: g())(f)"])
def test_every_kind_of_call_tells_the_same_fault(call_text: str) -> None:
    error = failure(f"def f(a):\n    pass\n{call_text}\n")
    assert (error.code, error.message) == ("eval.argument", "function f missing 1 argument (a)")
    assert str(error.stack[-1]) == "test.star:1:1: in f"


PLACES = {
    "f(1,\n  2)\ndef f(): pass\n": "1:1",
    "x = [1]\nx[\n7]\n": "2:2",
    "x = 1\nx.y\n": "2:2",
    "x = 1\n(x.\ny)\n": "2:3",
    "x = 'a'\ny = (1 +\n  2 * x * x)\n": "3:9",
    "x = [1]\ny = -x\n": "2:5",
    "x, y = [1]\n": "1:6",
    "x = 1\ny = [a for a in x]\n": "2:8",
    "x = 1\ny = [a for b in [1] for a in x]\n": "2:21",
    "x = [(1, 2, 3)]\ny = [a for a, b in x]\n": "2:8",
    "x = {'a': 1, [1]: 2}\n": "1:17",
    "x = {'a': 1, 'b': 2, 'a': 3}\n": "1:25",
    "k = 'a'\nx = {k: 1, k: 3}\n": "2:13",
    "x = {[a]: 1 for a in [1]}\n": "1:9",
    "x = y\ny = 1\n": "1:5",
    "x = 1\nx[1:2]\n": "2:1",
    "x = [1]\nx['a':2]\n": "2:2",
    "x = [1]\nx[5] = 1\n": "2:2",
    "x = [1]\nx['a'] = 1\n": "2:2",
    "x = len(\n  1)\n": "1:8",
    "x = 'a'.foo(1)\n": "1:8",
    "x = 'a'.upper(1)\n": "1:14",
    "x = 'a'.join([1])\n": "1:13",
    "x = '%d' % 'a'\n": "1:10",
    "x = '{}'.format()\n": "1:16",
    "x = 1 not in 2\n": "1:11",
    "x = 1 < 'a'\n": "1:7",
    "x = (1)('a')\n": "1:8",
    "x = 1\nx()\n": "2:2",
    "def f():\n    x = y\n    y = 1\nf()\n": "2:9",
    "def f():\n    for a in 1:\n        pass\nf()\n": "2:5",
    "def f():\n    for a, b in [1]:\n        pass\nf()\n": "2:5",
    "def f(x):\n    x += 'a'\nf(1)\n": "2:7",
    "def f(x):\n    x[0] += 'a'\nf([1])\n": "2:10",
    "def f(x):\n    x[1] += 1\nf([1])\n": "2:6",
    "def f(x):\n    x.y = 1\nf([1])\n": "2:6",
    "def f():\n    return 1 // 0\nf()\n": "2:14",
    "def f(a, b):\n    return a[b][b][7]\nf([[[1]]], 0)\n": "2:19",
    "def f(n):\n    return [1, 2][n % 5]\nf(3)\n": "2:18",
    "def f(n):\n    t = 0\n    for i in range(3):\n        t += i // n\n    return t\nf(0)\n": "4:16",
    "def f(x):\n    return not -x\nf('a')\n": "2:16",
    "def f(x):\n    return x.a.b\nf(1)\n": "2:13",
    "é = 1; é + 'a'\n": "1:10",
    'x = "é" + 1\n': "1:9",
    "load('m', 'a')\n": "1:1",
}


@pytest.mark.parametrize("text", list(PLACES))
def test_an_error_points_at_what_failed(text: str) -> None:
    assert place(text) == PLACES[text]


@pytest.mark.parametrize("text", [t for t in PLACES if "def" in t])
def test_the_place_is_the_same_where_steps_are_counted_and_in_a_kept_program(text: str) -> None:
    for thread in (Thread(max_steps=10_000), Thread()):
        program = Program.from_bytes(compile_program(text, "test.star", dialect=Dialect()).to_bytes())
        with pytest.raises(EvalError) as caught:
            execute(program, thread=thread)
        position = caught.value.position
        assert position is not None and f"{position.line}:{position.column}" == PLACES[text]


def test_a_host_s_call_joins_the_stacks() -> None:
    def again(thread: Thread, args: Any, _kwargs: Any) -> Any:
        return call(thread, args[0], args[1:])

    text = "def f(x):\n    return x + 1\n\ndef g():\n    return again(f, 'a')\n\ng()\n"
    error = failure(text, again=Builtin("again", again))
    assert [str(frame) for frame in error.stack] == [
        "test.star:7:2: in <toplevel>",
        "test.star:5:17: in g",
        "test.star:2:14: in f",
    ]


def test_an_error_in_another_file_shows_that_file() -> None:
    library = ran("def f(x):\n    return x[0]\n")
    error = failure("def g():\n    f([])\n\ng()\n", f=library.globals["f"])
    assert [frame.name for frame in error.stack] == ["<toplevel>", "g", "f"]
    assert error.line_text == "    return x[0]"


def test_a_failed_load_tells_what_failed_inside() -> None:
    def load(_thread: Thread, module: str, _position: Any) -> Any:
        return ran("x = 1 // 0\n") if module == "bad" else ran("value = 1\n")

    with pytest.raises(EvalError) as caught:
        ran("load('bad', 'x')\n", Thread(load=load))
    error = caught.value
    assert (error.code, error.message) == ("eval.load", "cannot load bad: floored division by zero")
    assert isinstance(error.__cause__, EvalError) and error.__cause__.code == "eval.division"
    with pytest.raises(EvalError) as caught:
        ran("load('good', 'valu')\n", Thread(load=load))
    assert caught.value.message == "load: name valu not found in module good (did you mean value?)"


def test_an_error_keeps_no_python_frames_alive() -> None:
    error = failure("def f(x):\n    return x[0]\nf([])\n")
    assert error.__context__ is None and error.__cause__ is None


@pytest.mark.skipif(sys.version_info < (3, 10), reason="before 3.10 every instruction has a line")
def test_an_instruction_without_a_line_is_in_the_line_of_what_was_done_before_it() -> None:
    code = compile("for x in y:\n    z\n", "", "exec")
    jumps = [one.offset for one in dis.get_instructions(code) if one.opname.startswith("JUMP")]
    assert jumps and all(faults._line(code, offset, None) == 2 for offset in jumps)
    assert faults._line(code, jumps[0], 7) == 7


def interrupt_after(seconds: float) -> Callable[..., None]:
    timer = threading.Timer(seconds, signal.raise_signal, [signal.SIGINT])
    return lambda *_arguments, **_named: timer.start()


def test_an_interruption_at_any_instruction_has_a_place() -> None:
    # The end of a loop's body is where Python looks for signals, and an instruction that may have no line.
    text = "def f():\n    for i in range(1 << 60):\n        if i == 9: begin()\n\nf()\n"
    program = compile_program(text, "f.star", predeclared=("begin",))
    for number in range(20):
        wait = 0.002 + 0.001 * number
        with pytest.raises(EvalError) as caught:
            execute(program, predeclared={"begin": Builtin("begin", interrupt_after(wait))}, thread=Thread())
        assert str(caught.value.position).startswith(("f.star:2:", "f.star:3:"))


def test_a_key_function_that_cannot_bind_is_called_by_the_built_in() -> None:
    error = failure("def f():\n    return 1\nsorted([1], key = f)\n")
    assert error.calls().split("\n")[1:] == [
        "  test.star:3:7: in <toplevel>",
        "  <builtin>: in sorted",
        "  test.star:1:1: in f",
    ]


def test_a_variable_without_a_value_has_its_place_in_a_loop_that_has_run_often() -> None:
    # Python 3.11 joins the loads of two variables there.
    text = (
        "def f(x):\n    for i in range(50):\n        if i > 40:\n            print(x, y)\n    y = 1\nf(1)\n"
    )
    error = failure(text)
    assert (error.code, str(error.position)) == ("eval.unbound", "test.star:4:22")
    text = "def f(x):\n    for i in range(50):\n        if i > 40:\n            print(y)\n    y = 1\nf(1)\n"
    error = failure(text)
    assert (error.code, str(error.position)) == ("eval.unbound", "test.star:4:19")


def test_all_arguments_are_evaluated_before_one_is_refused() -> None:
    assert place("def f(x):\n    for a, b in zip(x, zip(x, x)):\n        pass\nf(1)\n") == "2:27"
    assert place("def f(x):\n    return [a for a, b in zip(x, zip(x, x))]\nf(1)\n") == "2:37"
