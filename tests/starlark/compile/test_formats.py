"""Formats whose text is known when the program is compiled do what the same text does when it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.starlark import EvalError, StarlarkError, Thread, compile_program, execute
from bramble.starlark.runtime.text import parse_format, simply_parsed

CALLS = [
    '"{} {}".format(say(1), say([2]))',
    '"{a} {b}".format(b = say(1), a = say(2))',
    '"{0} {1} {0} {{x}}".format(say("a"), say(True))',
    '"{1}".format(say(1), say(2))',
    '"none".format(say(1), a = say(2))',
    '"{} {a!r}".format(say("x"), a = say("y"))',
    '"{a} {a!r} {a!s}".format(a = say("x"))',
    '"{0} {}".format(say(1), say(2))',
    '"{} {0}".format(say(1), say(2))',
    '"{2}".format(say(1), say(2))',
    '"{b}".format(a = say(2))',
    '"{".format(say(2))',
    '"}".format(say(2))',
    '"{a.b}".format(a = say(2))',
    '"{a[0]}".format(a = say(2))',
    '"{a:3}".format(a = say(2))',
    '"{a!x}".format(a = say(2))',
    '"{00}{01}".format(say(1), say(2))',
    '"{ a}".format(a = say(2))',
    '"%s %d" % (say(1), say(2))',
    '"%x %X %o %c %i" % (say(255), say(255), say(-8), say("c"), say(3))',
    '"%d %s" % (say("no number"), say(2))',
    '"%x %s" % (say("no number"), say(2))',
    '"%s %c" % (say(1), say("two"))',
    '"%d" % say("no number")',
    '"%x" % say(-255)',
    '"%x" % (say(-255),)',
    '"%x" % say([1])',
    '"%s" % say((1, 2))',
    '"%s %s" % say((1, 2))',
    '"%(a)s" % say({"a": 1})',
    '"%s" % say({"a": 1})',
    '"%s%%" % say(None)',
    '"%q" % say(1)',
    '"%" % say(1)',
    '"%d" % True',
    '"%d %r" % (2.5, 2.5)',
    '"%c" % 65',
    '"%s %s" % (say(1), bad())',
    '"%d %s" % ("x", bad())',
]
BEFORE = """
def say(x):
    print(x)
    return x
def bad():
    return 1 // 0
"""


def outcome(text: str) -> tuple[object, list[str]]:
    said: list[str] = []
    thread = Thread(print=lambda line, _position: said.append(line))
    try:
        module = execute(compile_program(BEFORE + text, "t.star"), thread=thread)
        return module.globals["R"], said
    except StarlarkError as error:
        return [(one.code, one.message) for one in error.errors], said


@pytest.mark.parametrize("call", CALLS)
def test_a_known_text_is_formatted_as_any_other(call: str) -> None:
    literal, rest = call[: call.index('"', 1) + 1], call[call.index('"', 1) + 1 :]
    expected = outcome(f"def f(t):\n    return t{rest}\ndef g(*a):\n    return f(*a)\nR = g({literal})\n")
    assert outcome(f"def f():\n    return {call}\nR = f()\n") == expected
    assert outcome(f"TEXT = {literal}\ndef f():\n    return TEXT{rest}\nR = f()\n") == expected
    assert outcome(f"def f():\n    t = {literal}\n    return t{rest}\nR = f()\n") == expected
    assert outcome(f"def f():\n    return [{call} for _ in [1]][0]\nR = f()\n") == expected
    assert outcome(f"def f():\n    return [x for x in [{call}]][0]\nR = f()\n") == expected


def test_a_variable_that_has_no_value_yet_is_an_error_before_its_operands_are_evaluated() -> None:
    for use in ("TEXT.format(say(1))", "TEXT % say(1)"):
        found, said = outcome(f"def f():\n    return {use}\nR = f()\nTEXT = '{{}}'\n")
        assert found == [("eval.unbound", "global variable TEXT referenced before assignment")]
        assert said == []
        found, said = outcome(
            f"def f(q):\n    if q:\n        TEXT = '{{}}'\n    return {use}\nR = f(False)\n"
        )
        assert found == [("eval.unbound", "local variable TEXT referenced before assignment")]


def test_a_variable_with_more_than_one_value_is_not_known() -> None:
    text = "def f(q):\n    t = 'a{}'\n    if q:\n        t = 'b{}'\n    return t.format(1)\n"
    assert outcome(f"{text}R = f(True) + f(False)\n")[0] == "b1a1"
    assert outcome("def f(t):\n    r = t % 1\n    t = 'b%d'\n    return r\nR = f('a%d')\n")[0] == "a1"
    assert outcome("def f():\n    t = 'a%d'\n    t += 'b%d'\n    return t % (1, 2)\nR = f()\n")[0] == "a1b2"
    text = "def f():\n    r = ''\n    for t in ['{}', 'b']:\n        r += t.format(1)\n    return r\n"
    assert outcome(f"{text}R = f()\n")[0] == "1b"


@given(st.text("{}!:.[ a0rsx\u00e9", max_size=12))
def test_formats_are_read_by_the_rules_that_are_written_down(template: str) -> None:
    def read(how: object) -> object:
        try:
            return how(template)  # type: ignore[operator]
        except EvalError as error:
            return error.message

    assert read(parse_format) == read(simply_parsed)
