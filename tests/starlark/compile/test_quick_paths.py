"""What compiled code does itself for common operands gives what the simple rule gives, for all operands.

A method is called by its name and as a value, which knows no quick path; an operator is compared with the
function of its rule. Operands are values of every type, frozen ones and a host's included, and each result,
each error's words, and what is left of the operands must be the same.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Any, Callable

import pytest

from bramble.starlark import Builtin, EvalError, HostValue, Module, StarlarkError, Thread, call, freeze
from bramble.starlark.compile.constructs.operators import HELPERS
from bramble.starlark.runtime.intrinsics import BUILTINS
from bramble.starlark.runtime.struct import STRUCT
from bramble.starlark.runtime.text import to_repr

from ..running import ran


class Guest(HostValue):
    """A value of a host that has the methods and operators of many types, and is equal to everything."""

    type_name = "guest"

    def attr(self, name: str) -> Any:
        return Builtin(name, lambda _thread, args, _kwargs: (name, *args))

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1

    def __add__(self, other: object) -> str:
        return "sum"

    __radd__ = __or__ = __ror__ = __add__


EXPRESSIONS = (
    *('"abc"', '"b"', '""', "0", "1", "-1", "True", "1.0", "float('nan')", "None", "1 << 70", 'b"b"'),
    *("[]", "[1, 2]", '["b", "a"]', "[True]", "[[1]]", "{}", '{"b": 1}', "{True: 1}", "{1: [2]}"),
    *("()", '("b",)', "(1, 2)", "(True, float('nan'))", 'set(["b"])', "set([True])", "range(3)"),
    *("struct(b = 1, items = lambda: [(1, 2)])", "struct(pop = len, update = len, items = lambda: [1])"),
    *('"abc".elems()', '"x\\x1cy z"', '"é\\x1cy z\\n"'),
)
METHODS = {
    **dict.fromkeys(("join", "remove", "update", "append", "extend", "removeprefix", "partition"), (1,)),
    **dict.fromkeys(("strip", "startswith", "endswith", "find", "rfind", "count", "index", "rindex"), (1,)),
    **dict.fromkeys(("insert", "replace", "setdefault"), (2,)),
    **dict.fromkeys(("pop", "split", "rsplit", "get"), (1, 2)),
    **dict.fromkeys(("split ", "strip ", "pop ", "items", "keys", "values", "clear", "upper"), (0,)),
}
LITERALS = ('"b"', '""', "1", "True", "[1]", "()", '("b", "c")', "None")


def makers() -> list[Callable[[], Any]]:
    """Return functions each of which makes a value; most of them also one that is frozen."""
    text = "".join(f"def v{n}():\n    return {e}\n" for n, e in enumerate(EXPRESSIONS))
    module = ran(text, struct=STRUCT)

    def maker(name: str, frozen: bool) -> Callable[[], Any]:
        made = call(Thread(), module.globals[name], ())
        if made.__class__ in (str, int, bool, float, bytes, type(None)):
            # Nothing can change it.
            return lambda: made

        def make() -> Any:
            value = call(Thread(), module.globals[name], ())
            if frozen:
                freeze(value)
            return value

        return make

    names = [f"v{n}" for n in range(len(EXPRESSIONS))]
    found = [maker(name, False) for name in names]
    found += [maker(n, True) for n, e in zip(names, EXPRESSIONS) if e[0] in "[{s"]
    return [*found, Guest]


MAKERS = makers()
FEW = [m for n, m in enumerate(MAKERS) if n % 4 == 1 or n < 6]
EACH = [*{make().__class__: make for make in FEW}.values(), Guest]


def outcome(function: Callable[..., Any], operands: list[Callable[[], Any]]) -> tuple[str, ...]:
    """Return the text of what comes of a call, and of what it left of its operands."""
    values = [make() for make in operands]
    try:
        said = to_repr(function(*values))
    except EvalError as error:
        said = f"{error.code} {error.message}"
    return (said, *[to_repr(value) + value.__class__.__name__ for value in values])


def called(module: Module, name: str) -> Callable[..., Any]:
    return lambda *args: call(Thread(), module.globals[name], args)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_does_what_the_same_method_as_a_value_does(method: str) -> None:
    name = method.strip()
    for count in METHODS[method]:
        names = ["a", "b"][:count]
        given = ", ".join(names)
        lines = ["def same(x): return x", f"def quick({', '.join(['x', *names])}): return x.{name}({given})"]
        lines += [f"def slow({', '.join(['x', *names])}):\n    m = x.{name}\n    return m({given})"]
        lines += [f"def large({', '.join(['x', *names])}):"]
        lines += [f"    return same(x).{name}({', '.join(f'same({n})' for n in names)})"]
        module = ran("\n".join(lines) + "\n")
        quick, slow, large = (called(module, n) for n in ("quick", "slow", "large"))
        for x in MAKERS:
            # Of a value that has no such method all operands say the same: one of each type will do.
            lacks = outcome(slow, [x] + FEW[:count])[0].startswith("eval.attribute")
            pool = EACH if lacks else FEW if count == 2 else MAKERS
            for operands in product([x], *([pool] * count)):
                wanted = outcome(slow, list(operands))
                assert outcome(quick, list(operands)) == wanted
                assert outcome(large, list(operands)) == wanted


@pytest.mark.parametrize("method", [m for m, counts in METHODS.items() if counts != (0,)])
def test_a_method_with_literals_does_what_the_method_does(method: str) -> None:
    lines = []
    count = METHODS[method][-1]
    for number, literals in enumerate(product(LITERALS, repeat=count)):
        given = ", ".join(literals)
        lines.append(f"def q{number}(x): return x.{method}({given})")
        lines.append(f"def s{number}(x):\n    m = x.{method}\n    return m({given})")
    lines += [f"def t{n}(x): return {e}.{method}(x)" for n, e in enumerate(EXPRESSIONS[:3])]
    lines += [f"def u{n}(x):\n    m = ({e}).{method}\n    return m(x)" for n, e in enumerate(EXPRESSIONS[:3])]
    module = ran("\n".join(lines) + "\n")
    pairs = [(f"q{n}", f"s{n}") for n in range(len(LITERALS) ** count)]
    for quick, slow in pairs + [(f"t{n}", f"u{n}") for n in range(3)]:
        for make in FEW if count == 2 else MAKERS:
            assert outcome(called(module, quick), [make]) == outcome(called(module, slow), [make])


@pytest.mark.parametrize("op", HELPERS)
def test_an_operator_does_what_its_rule_says(op: str) -> None:
    rule = BUILTINS[HELPERS[op]]

    def simple(a: Any, b: Any) -> Any:
        return call(Thread(), Builtin("rule", lambda _thread, args, _kwargs: rule(*args)), (a, b))

    lines = ["def same(x): return x", f"def quick(a, b): return a {op} b"]
    lines += [f"def large(a, b): return same(a) {op} same(b)"]
    lines += [f"def truth(a, b): return True if a {op} b else False"]
    module = ran("\n".join(lines) + "\n")
    for a, b in product(MAKERS, MAKERS):
        wanted = outcome(simple, [a, b])
        assert outcome(called(module, "quick"), [a, b]) == wanted
        assert outcome(called(module, "large"), [a, b]) == wanted


@pytest.mark.parametrize("op", HELPERS)
def test_an_operator_with_a_literal_does_what_its_rule_says(op: str) -> None:
    rule = BUILTINS[HELPERS[op]]
    literals = [e for e in EXPRESSIONS if "lambda" not in e and "<<" not in e]
    lines: list[str] = []
    for number, literal in enumerate([*literals, "[x]", "[x, x]", '{"b": x}', "[y for y in [x]]", "(x,)"]):
        lines.append(f"def v{number}(x): return {literal}")
        for side, text in (("left", f"{literal} {op} x"), ("right", f"x {op} {literal}")):
            body = f"def {side}{number}(x): return {text}"
            try:
                ran(body + "\n", struct=STRUCT)
                lines.append(body)
            except StarlarkError:
                # Some are refused before they run.
                continue
    module = ran("\n".join(lines) + "\n", struct=STRUCT)
    for name, make in product(module.globals, MAKERS):
        if name[0] == "v":
            continue
        made = called(module, "v" + name.lstrip("leftrigh"))

        def simple(x: Any, made: Any = made, left: bool = name.startswith("left")) -> Any:
            a, b = (made(x), x) if left else (x, made(x))
            return call(Thread(), Builtin("rule", lambda _thread, args, _kwargs: rule(*args)), (a, b))

        assert outcome(called(module, name), [make]) == outcome(simple, [make])


LOOPS = {
    "loop": "out = []\n    for k, v in x.{0}:\n        out.append((k, v))\n    return out",
    "outer": "return [(k, v) for k, v in x.{0}]",
    "inner": "return [(k, v) for i in [1] for k, v in x.{0}]",
    "dict": "return {{k: v for i in [1] for k, v in x.{0}}}",
    "whole": "return [i for i in x.{0}]",
    "call": "out = []\n    for i in x.{0}:\n        out.append(same(i))\n    return out",
}


CALLS = ("items()", "keys()", "values()", 'split("b")')
LOOPS |= {
    f"in {name}": f"return {text}"
    for name, text in {
        "sorted": "sorted(x.{0})",
        "list": "[list(x.{0}), tuple(x.{0}), reversed(x.{0}), any(x.{0}), all(x.{0})]",
        "zip": "[zip(x.{0}, x.{0}), enumerate(x.{0}), [p for p in zip(x.{0}, x.{0})]]",
        "set": "set(x.{0})",
        "max": "max(x.{0})",
        "join": "'-'.join(x.{0})",
        "dict": "dict(x.{0})",
        "key": "sorted(x.{0}, key = str, reverse = True)",
    }.items()
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("how", LOOPS)
def test_a_loop_over_a_view_is_one_over_the_list(how: str, name: str) -> None:
    body = LOOPS[how].format(name)
    method, _, given = name.partition("(")
    slow = f"m = x.{method}\n    " + body.replace(f"x.{name}", f"same(m({given})")
    module = ran(f"def same(x): return x\ndef quick(x):\n    {body}\ndef slow(x):\n    {slow}\n")
    for make in MAKERS:
        assert outcome(called(module, "quick"), [make]) == outcome(called(module, "slow"), [make])


FORMATS = (
    *('"{} {}".format(a, b)', '"{1} {0} {1}".format(a, b)', '"{x!r}{y}".format(x = a, y = b)'),
    *('"{y}".format(x = a, y = b)', '"{0}".format(a, b)', '"{00} {1}".format(a, b)', '"{} {0}".format(a, b)'),
    *('"{2}".format(a, b)', '"{z}".format(x = a)', '"{a.b}".format(a = a)', '"{".format(a)', '"".format(a)'),
    *('"%s %r" % (a, b)', '"%d%%%s" % (a, b)', '"%x %X" % (a, b)', '"%o %i" % (a, b)', '"%c %e" % (a, b)'),
    *('"%f %g" % (a, b)', '"%q %s" % (a, b)', '"%s" % (a, b)', '"%s %s %s" % (a, b)', '"%s" % a', '"%d" % a'),
    *('"%x" % a', '"%(b)s" % a', '"%" % a', '"%%" % a', '"" % a', '"%c" % b', '"%s %s" % b', '"%G" % b'),
)


@pytest.mark.parametrize("text", FORMATS)
def test_a_format_is_the_same_written_out_in_a_global_variable_and_given(text: str) -> None:
    template, rest = text[: text.index('"', 1) + 1], text[text.index('"', 1) + 1 :]
    lines = [f"T = {template}", f"def literal(a, b): return {text}", f"def constant(a, b): return T{rest}"]
    lines += [f"def given(a, b, t = {template}): return t{rest}", "def same(x): return x"]
    called_for = rest.replace("a,", "same(a),").replace("b)", "same(b))")
    lines += [f"def large(a, b): return {template}{called_for}"]
    module = ran("\n".join(lines) + "\n")
    for a, b in product(MAKERS, FEW):
        wanted = outcome(called(module, "given"), [a, b])
        for name in ("literal", "constant", "large"):
            assert outcome(called(module, name), [a, b]) == wanted


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        # All operands are evaluated before anything is made of them.
        ('"%d %s" % ("x", fail("first"))', "fail: first"),
        ('"{1}{0}".format(fail("first"), fail("second"))', "fail: first"),
        ("{[]: 1, 2: fail('first')}", "fail: first"),
        ('{fail("first"): fail("second")}', "fail: first"),
        ('[fail("first")] + fail("second")', "fail: first"),
        ('None + [fail("first")]', "fail: first"),
        ('None | {"a": fail("first")}', "fail: first"),
        ('None.replace(fail("first"), "")', "NoneType has no .replace field or method"),
        ('"a".replace(fail("first"), fail("second"))', "fail: first"),
        # A variable that has no value yet, though it has one text only.
        ("LATER % 1", "global variable LATER referenced before assignment"),
        ("LATER.format(fail('first'))", "global variable LATER referenced before assignment"),
    ],
)
def test_operands_are_evaluated_in_their_order(expression: str, message: str) -> None:
    with pytest.raises(EvalError) as caught:
        ran(f"def f():\n    return {expression}\nf()\nLATER = '%d {{}}'\n")
    assert caught.value.message == message
    assert caught.value.position is not None and caught.value.position.line == 2


@pytest.mark.parametrize(
    ("test", "names"),
    [
        ("type(x) == type([])", {"list"}),
        ("type({}) == type(x)", {"dict"}),
        ('type(x) == type("")', {"string"}),
        ("type(x) != type(1)", {"int"}),
        ("type(x) == type(None)", {"NoneType"}),
        ("type(x) == type(True)", {"bool"}),
        ("type(x) == type(())", {"tuple"}),
        ('"list" == type(x)', {"list"}),
        ('type(x) in ("list", "dict", "list")', {"list", "dict"}),
        ('type(x) not in ["string", type(1.0)]', {"string", "float"}),
        ('type(x) in ("set", "range")', {"set", "range"}),
        ("type(x) == type([1])", {"list"}),
    ],
)
def test_a_test_of_a_type_is_one_of_its_name(test: str, names: set[str]) -> None:
    module = ran(f"def f(x): return {test}\ndef name(x): return type(x)\n")
    for make in MAKERS:
        wanted = call(Thread(), module.globals["name"], (make(),)) in names
        negated = "!=" in test or "not in" in test
        assert call(Thread(), module.globals["f"], (make(),)) is (wanted is not negated)


@pytest.mark.parametrize(
    ("quick", "slow"),
    [
        ("x[a]", "same(x)[same(a)]"),
        ("same(x)[a]", "x[same(a)]"),
        ('x.split("b")[0]', 'same(x.split("b"))[same(0)]'),
        ('x.split("b")[a]', 'same(x.split("b"))[same(a)]'),
        ('x.split("b")[7]', 'same(x.split("b"))[same(7)]'),
        ("x.split()[-1]", "same(x.split())[same(-1)]"),
    ],
)
def test_an_index_is_the_same_however_it_is_written(quick: str, slow: str) -> None:
    module = ran(f"def same(x): return x\ndef quick(x, a): return {quick}\ndef slow(x, a): return {slow}\n")
    rule = BUILTINS[".index"]
    for x, a in product(MAKERS, MAKERS):
        wanted = outcome(called(module, "slow"), [x, a])
        assert outcome(called(module, "quick"), [x, a]) == wanted
        if quick == "x[a]":
            simple = Builtin("rule", lambda _thread, args, _kwargs: rule(*args))
            assert outcome(lambda *args, simple=simple: call(Thread(), simple, args), [x, a]) == wanted


@pytest.mark.parametrize(
    "bounds", ["a:", ":a", "a:b", "same(a):b", "a:same(b)", "same(a):", "len(''):", "1:-1"]
)
def test_a_slice_is_what_its_rule_says(bounds: str) -> None:
    lower, _, upper = bounds.partition(":")
    module = ran(
        f"def same(x): return x\ndef quick(x, a, b): return x[{bounds}]\n"
        f"def large(x, a, b): return same(x)[{bounds}]\n"
        f"def slow(x, a, b): return (x, {lower or None}, {upper or None})\n"
    )
    rule = BUILTINS[".slice_of"]

    def simple(x: Any, a: Any, b: Any) -> Any:
        operands = call(Thread(), module.globals["slow"], (x, a, b))
        return call(Thread(), Builtin("rule", lambda _thread, args, _kwargs: rule(*args, None)), operands)

    used = [re.search(rf"\b{name}\b", bounds) is not None for name in ("a", "b")]
    every = FEW if all(used) else MAKERS
    pools = [every if one else FEW[:1] for one in used]
    for operands in product(MAKERS, *pools):
        wanted = outcome(simple, list(operands))
        assert outcome(called(module, "quick"), list(operands)) == wanted
        assert outcome(called(module, "large"), list(operands)) == wanted
