"""Starlark within another program: limits, threads, values of the host, programs kept."""

from __future__ import annotations

import doctest
import threading
import time
from typing import Any

import pytest

import bramble.starlark
from bramble.starlark import (
    Builtin,
    Dialect,
    EvalError,
    HostValue,
    Program,
    ProgramFormatError,
    ResolveFailure,
    StarlarkError,
    Thread,
    call,
    compile_program,
    execute,
)

from .running import ran, value

ENDLESS = "def f():\n    for i in range(1 << 40):\n        pass\n"


def test_a_program_ends_when_its_steps_are_used_up() -> None:
    module = ran(ENDLESS, Thread(max_steps=10))
    thread = Thread(max_steps=1000)
    with pytest.raises(EvalError) as caught:
        call(thread, module.globals["f"])
    assert caught.value.code == "eval.limit"


def test_a_program_ends_at_its_deadline() -> None:
    module = ran(ENDLESS, Thread(deadline=time.monotonic() + 60))
    with pytest.raises(EvalError) as caught:
        call(Thread(deadline=time.monotonic() + 0.05), module.globals["f"])
    assert caught.value.code == "eval.limit"


def test_another_python_thread_can_interrupt_a_program() -> None:
    thread = Thread(interruptible=True)
    module = ran(ENDLESS, thread)
    timer = threading.Timer(0.05, thread.interrupt)
    timer.start()
    with pytest.raises(EvalError) as caught:
        call(thread, module.globals["f"])
    assert caught.value.code == "eval.interrupted"


def test_programs_run_in_several_python_threads_at_once() -> None:
    text = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n"
    results: dict[int, Any] = {}

    def one(number: int) -> None:
        module = ran(text)
        results[number] = call(Thread(), module.globals["f"], (1000 * number,))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: sum(range(1000 * number)) for number in range(8)}


def test_a_value_that_two_modules_share_is_frozen() -> None:
    library = ran("shared = {'a': [1]}\n")
    thread = Thread(load=lambda thread, module, position: library)
    with pytest.raises(EvalError) as caught:
        ran('load("lib", "shared")\nshared["a"].append(2)\n', thread)
    assert caught.value.code == "eval.frozen"


def test_print_goes_to_the_host_with_its_place() -> None:
    lines: list[tuple[str, str]] = []
    ran('print("a", 1)\n', Thread(print=lambda text, position: lines.append((text, str(position)))))
    assert lines == [("a 1", "test.star:1:6")]


def test_without_a_loader_nothing_can_be_loaded() -> None:
    with pytest.raises(EvalError) as caught:
        ran('load("m", "a")\n')
    assert caught.value.code == "eval.load"


class Point(HostValue):
    """A value of the host's with one attribute and a sum."""

    type_name = "point"

    def __init__(self, x: int) -> None:
        self.x = x
        self.secret = "of the host"

    def attr(self, name: str) -> Any:
        return self.x if name == "x" else NotImplemented

    def attr_names(self) -> tuple[str, ...]:
        return ("x",)

    def __add__(self, other: Any) -> Any:
        return Point(self.x + other.x) if isinstance(other, Point) else NotImplemented

    def repr_text(self) -> str:
        return f"point({self.x})"


def test_a_value_of_the_host_shows_what_it_wants_to() -> None:
    assert value("(p + p).x", p=Point(2)) == 4
    assert value("str([p, type(p), dir(p)])", p=Point(2)) == '[point(2), "point", ["x"]]'


@pytest.mark.parametrize("name", ["secret", "__class__", "__init__", "attr", "__dict__"])
def test_nothing_else_of_a_value_of_the_host_can_be_reached(name: str) -> None:
    with pytest.raises(EvalError) as caught:
        value(f"p.{name}", p=Point(1))
    assert caught.value.code == "eval.attribute"
    assert value(f"getattr(p, '{name}', 'none')", p=Point(1)) == "none"


@pytest.mark.parametrize(
    "expression", ["[]", "{}", "()", '"a"', "1", "len", "(lambda: 1)", "None", "range(1)"]
)
@pytest.mark.parametrize(
    "name", ["__class__", "__doc__", "__globals__", "__len__", "sort", "copy", "__code__"]
)
def test_no_attribute_of_python_can_be_reached(expression: str, name: str) -> None:
    assert value(f"hasattr({expression}, '{name}')") is False


def test_an_exception_of_the_host_reaches_the_host_with_the_stack() -> None:
    class Mine(Exception):
        pass

    def fails(thread: Thread, args: Any, kwargs: Any) -> Any:
        raise Mine

    with pytest.raises(EvalError) as caught:
        ran("def f():\n    b()\nf()\n", b=Builtin("b", fails))
    assert caught.value.code == "eval.host"
    assert isinstance(caught.value.__cause__, Mine)
    assert [frame.name for frame in caught.value.stack][:2] == ["<toplevel>", "f"]


def test_a_built_in_finds_who_called_it() -> None:
    seen: list[str] = []

    def where(thread: Thread, args: Any, kwargs: Any) -> None:
        seen.append(str(thread.position))
        seen.append(str(thread.host))

    ran("def f():\n    b()\nf()\n", Thread(host="mine"), b=Builtin("b", where))
    assert seen == ["test.star:2:6", "mine"]


def test_a_program_can_be_kept_and_run_later() -> None:
    text = '"""Doc."""\nx = [i for i in range(3)]\ndef f(a, b = 2):\n    "Of f."\n    return a + b + len(x)\n'
    program = compile_program(text, "kept.star", dialect=Dialect(), predeclared=())
    again = Program.from_bytes(program.to_bytes())
    module = execute(again, thread=Thread())
    assert call(Thread(), module.globals["f"], (1,)) == 6
    assert again.docstring == "Doc." and [f.name for f in again.functions] == ["f"]


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 100])
def test_what_is_no_kept_program_is_refused(data: bytes) -> None:
    with pytest.raises(ProgramFormatError):
        Program.from_bytes(data)


def test_a_program_does_not_begin_without_what_it_was_promised() -> None:
    said: list[str] = []
    program = compile_program("print(1)\na = x + y\n", "p.star", predeclared=["x", "y", "z"])
    with pytest.raises(EvalError) as caught:
        execute(program, predeclared={"x": 1}, thread=Thread(print=lambda text, _at: said.append(text)))
    assert (caught.value.code, caught.value.message) == (
        "eval.host",
        "p.star: no value for predeclared y",
    )
    assert said == []


def test_errors_of_names_come_all_at_once() -> None:
    with pytest.raises(ResolveFailure) as caught:
        ran("a\nb\n")
    assert [str(error) for error in caught.value.errors] == [
        "test.star:1:1: undefined: a",
        "test.star:2:1: undefined: b",
    ]


@pytest.mark.parametrize(
    "bomb",
    [
        '"a" * (1 << 40)',
        "[0] * (1 << 40)",
        "1 << 512",
        "list(range(1 << 40))",
        "(0,) * (1 << 40)",
        'b"a" * (1 << 40)',
    ],
)
def test_what_would_fill_the_memory_is_refused(bomb: str) -> None:
    with pytest.raises(StarlarkError):
        value(bomb)


DEEP = "def f():\n    x = []\n    for i in range(100000):\n        x = [x]\n    return {}\nf()\n"


@pytest.mark.parametrize("use", ["str(x)", "x == [x]", "hash(str(x))", "len(x)"])
def test_a_deep_value_never_ends_python(use: str) -> None:
    try:
        ran(DEEP.format(use))
    except EvalError as error:
        assert error.code in ("eval.limit", "eval.value", "eval.operand")


def test_recursion_has_a_limit_of_its_own() -> None:
    dialect = Dialect(recursion=True)
    with pytest.raises(EvalError) as caught:
        ran("def f(n):\n    return f(n + 1)\nf(0)\n", dialect=dialect)
    assert caught.value.code == "eval.limit"
    assert ran("def f(n):\n    return n and f(n - 1)\nr = f(100)\n", dialect=dialect).globals["r"] == 0


def test_the_example_in_the_documentation_of_the_package_runs() -> None:
    done = doctest.testmod(bramble.starlark)
    assert (done.attempted > 0, done.failed) == (True, 0)
