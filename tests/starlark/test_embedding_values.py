"""Values of Python's for programs and back, and the arguments of a host's functions."""

from __future__ import annotations

import doctest
import enum
from collections import OrderedDict, namedtuple
from typing import Any

import pytest

from bramble.starlark import (
    Builtin,
    Default,
    Dict,
    EvalError,
    HostValue,
    List,
    Thread,
    call,
    compile_program,
    embedding,
    entries,
    equal,
    execute,
    freeze,
    from_starlark,
    put,
    to_repr,
    to_starlark,
    unpack,
)
from bramble.starlark.runtime.struct import STRUCT

from .running import ran, value


def test_the_tutorial_runs() -> None:
    done = doctest.testmod(embedding)
    assert (done.attempted > 10, done.failed) == (True, 0)


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, "None"),
        ([1, True, 1.0, "a", b"b", None], '[1, True, 1.0, "a", b"b", None]'),
        ({"a": {1}, (1, 2): [{}]}, '{"a": set([1]), (1, 2): [{}]}'),
        ((frozenset(), bytearray(b"x"), range(3)), '(set([]), b"x", range(3))'),
        (OrderedDict(a=Number.ONE), '{"a": 1}'),
        (Pair(Text("x"), [Text("y")]), '("x", ["y"])'),
        ({True: 1}, "{True: 1}"),
    ],
)
def test_values_of_pythons_become_those_of_programs(given: object, text: str) -> None:
    made = to_starlark(given)
    assert to_repr(made) == text
    assert value("repr(x)", x=made) == text
    assert type(to_starlark(Number.ONE)) is int and type(to_starlark(Text("x"))) is str


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (object(), "eval.host", "not a Starlark value: object"),
        ({"a": [1, {2: 1j}]}, "eval.host", '["a"][1][2]: not a Starlark value: complex'),
        (["\ud800"], "eval.host", "[0]: string with a lone surrogate"),
        ([print], "eval.host", "[0]: not a Starlark value: builtin_function_or_method"),
        ({frozenset(): 1}, "eval.hash", "unhashable type: set"),
    ],
)
def test_what_programs_know_no_value_for_is_refused(given: object, code: str, message: str) -> None:
    with pytest.raises(EvalError) as caught:
        to_starlark(given)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_what_is_the_same_twice_stays_so_and_is_a_copy() -> None:
    own: list[Any] = [1]
    own.append(own)
    made = to_starlark([own, own])
    assert made[0] is made[1] and made[0][1] is made[0] and made[0] is not own
    back = from_starlark(made)
    assert back[0] is back[1] and back[0][1] is back[0] and type(back[0]) is list


@pytest.mark.parametrize("convert", [to_starlark, from_starlark])
def test_a_deep_value_is_refused(convert: Any) -> None:
    deep: Any = []
    for _ in range(10_000):
        deep = [deep] if convert is to_starlark else List([deep])
    with pytest.raises(EvalError) as caught:
        convert(deep)
    assert caught.value.code == "eval.limit"


def test_values_of_programs_become_pythons() -> None:
    module = ran("x = [{'a': (1, [2]), True: set([1, 'b'])}, len, 1.5]\n")
    made = from_starlark(module.globals["x"])
    assert made[0] == {"a": (1, [2]), True: {1, "b"}} and made[2] == 1.5
    assert [type(made), type(made[0]), type(made[0]["a"][1]), type(made[0][True])] == [list, dict, list, set]
    made[0]["a"][1].append(3)
    assert from_starlark(value("struct(b = [1], a = 2)", struct=STRUCT)) == {"a": 2, "b": [1]}


@pytest.mark.parametrize("text", ["{1: 1, True: 2}", "set([0, False])", "[{(1,): 1, (True,): 2}]"])
def test_keys_that_are_one_for_python_are_refused(text: str) -> None:
    with pytest.raises(EvalError) as caught:
        from_starlark(value(text))
    assert caught.value.code == "eval.host" and "are one key in Python" in caught.value.message


@pytest.mark.parametrize("given", [{1}, object(), 1j])
def test_a_program_is_given_nothing_but_values(given: object) -> None:
    program = compile_program("x = y\n", "p.star", predeclared=["y"])
    with pytest.raises(EvalError) as caught:
        execute(program, predeclared={"y": given})
    assert caught.value.code == "eval.host"
    assert caught.value.message == f"p.star: predeclared y: not a Starlark value: {type(given).__name__}"
    function = ran("def f(a, b):\n    return 1\n").globals["f"]
    with pytest.raises(EvalError) as caught:
        call(Thread(), function, [1], {"b": given})
    assert caught.value.message == f"argument 2: not a Starlark value: {type(given).__name__}"


@pytest.mark.parametrize("key", [True, (1, False), float("nan")])
def test_a_dict_of_python_s_own_has_no_keys_that_python_takes_for_others(key: Any) -> None:
    program = compile_program("x = y\n", "p.star", predeclared=["y"])
    with pytest.raises(EvalError) as caught:
        execute(program, predeclared={"y": {"a": 1, key: 2}})
    assert caught.value.code == "eval.host" and "use to_starlark" in caught.value.message
    assert execute(program, predeclared={"y": {"a": 1, (1, 2.0): 2}}).globals["x"]["a"] == 1
    with pytest.raises(EvalError) as caught:
        put({}, key, 1)
    assert caught.value.code == "eval.host" and "Dict()" in caught.value.message
    table = Dict({"a": 1})
    put(table, key, 2)
    found = execute(program, predeclared={"y": table}).globals["x"]
    assert [k for k, _ in entries(found)][0] == "a" and equal(entries(found)[1][0], key)


def test_an_odd_dict_of_a_program_may_go_to_another_thread() -> None:
    functions = ran(
        "def make():\n    d = {'a': 1}\n    d.update([(True, 2)])\n    return [d]\n"
        "def read(d):\n    return [k for k in d] + [k for k, _ in d.items()] + d.keys()\n"
    ).globals
    made = call(Thread(), functions["make"])[0]
    assert entries(made) == [("a", 1), (True, 2)]
    assert call(Thread(), functions["read"], [made]) == ["a", True] * 3
    assert call(Thread(), functions["read"], [freeze(made)]) == ["a", True] * 3


class Mine(HostValue):
    type_name = "mine"


def test_arguments_are_unpacked_in_the_order_of_the_parameters() -> None:
    def take(thread: Thread, args: Any, kwargs: Any) -> Any:
        kinds = {"a": str, "b": Default(int, 7), "c": Default(list, None), "d": Default(object, 0)}
        return unpack("take", args, kwargs, **kinds, e=Default(Mine, "none"))

    given = {"take": Builtin("take", take), "mine": Mine()}
    assert value("take('x')", **given) == ("x", 7, None, 0, "none")
    assert value("take(c = [], a = 'x', d = len, e = mine)[:3]", **given) == ("x", 7, [])
    for wrong, message in [
        ("take()", "take: missing argument for a"),
        ("take(1)", "take: for parameter a: got int, want string"),
        ("take('', True)", "take: for parameter b: got bool, want int"),
        ("take('', c = ())", "take: for parameter c: got tuple, want list"),
        ("take('', e = 1)", "take: for parameter e: got int, want mine"),
        ("take('', a = 1)", 'take: got multiple values for keyword argument "a"'),
        ("take('', f = 1)", 'take: unexpected keyword argument "f"'),
        ("take(1, 2, 3, 4, 5, 6)", "take: got 6 arguments, want at most 5"),
    ]:
        with pytest.raises(EvalError) as caught:
            value(wrong, **given)
        assert (caught.value.code, caught.value.message) == ("eval.argument", message)


@pytest.mark.parametrize(("kind", "other"), [(dict, "set()"), (set, "{}"), (list, "()"), (float, "1")])
def test_types_are_those_of_programs(kind: type, other: str) -> None:
    with pytest.raises(EvalError) as caught:
        unpack("f", [value(other)], {}, x=kind)
    assert caught.value.code == "eval.argument"


# ---- what is no value of programs, wherever a host has put it


class Hiding(HostValue):
    type_name = "hiding"

    def attr(self, name: str) -> Any:
        return object()


def wrong(text: str, **given: Any) -> EvalError:
    with pytest.raises(EvalError) as raised:
        execute(compile_program(text, "host.star", predeclared=list(given)), predeclared=given)
    return raised.value


@pytest.mark.parametrize("result", [object(), {1}, 1j, frozenset(), int], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("text", ["f()", "x = f()", "x = [f()]", "x = f() + 1", "x = len(f())"])
def test_a_function_of_the_host_that_returns_no_value_fails_at_its_call(text: str, result: object) -> None:
    found = wrong(text, f=Builtin("f", lambda thread, args, kwargs: result))
    assert (found.code, found.message) == ("eval.host", f"f: not a Starlark value: {type(result).__name__}")
    assert str(found.position) == f"host.star:1:{text.index('f(') + 2}"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "x = h[0] + 1",
            "x = h[0][0]",
            "x = h[0]()",
            "x = h[0].a",
            "h[0].a = 1",
            "x = -h[0]",
            "h[0][1] = 2",
        ),
        *(
            "x = str(h)",
            "x = type(h[0])",
            "x = '%s' % h[0]",
            "x = {h[0]: 1}",
            "x = sorted(h + h)",
            "x = h[0] < 1",
        ),
        *("x = [y for y in h[0]]", "x = len(h[0])", "x = 1 in h[0]", "x, y = h[0]"),
        *("x = hiding.a + 1", "x = hiding.a.b", "x = str([hiding.a])"),
    ],
)
def test_what_a_host_hides_in_its_values_is_an_error_where_it_is_used(text: str) -> None:
    found = wrong(text, h=[object()], hiding=Hiding())
    assert (found.code, found.message) == ("eval.host", "not a Starlark value: object")
    assert found.position is not None


@pytest.mark.parametrize("text", ["x = h", "x = h[0]", "x = (h[0],)", "x = {'k': [h[0]]}", "x = hiding.a"])
def test_what_a_host_hides_in_its_values_leaves_no_module(text: str) -> None:
    found = wrong(text, h=[object()], hiding=Hiding())
    assert (found.code, found.message) == ("eval.host", "not a Starlark value: object")


def test_the_type_of_a_parameter_is_one_class() -> None:
    with pytest.raises(TypeError, match="f: the type of the parameter a is not a class"):
        unpack("f", (1,), {}, a=(int, float))
