"""Small programs that ask for hours or for all the memory there is: an error with a place, soon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bramble.starlark import EvalError
from bramble.starlark.bounds import LEAST, MOST, bounded_memory, sensible_bound
from bramble.starlark.runtime.json import JSON
from bramble.starlark.runtime.limits import COMPARES_ANEW
from bramble.starlark.runtime.struct import STRUCT

from .running import ran

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]


def failure(text: str) -> EvalError:
    with pytest.raises(EvalError) as caught:
        ran(text, json=JSON, struct=STRUCT)
    return caught.value


def result(text: str) -> object:
    return ran(text, json=JSON, struct=STRUCT).globals["r"]


SQUARES = {
    "an int that is known": "def f():\n    x = 2\n    for _ in range(40):\n        x = x * x\nf()\n",
    "anything": "def f(x):\n    for _ in range(40):\n        x = x * x\nf(3)\n",
    "a negative one": "def f(x):\n    for _ in range(40):\n        x = x * -x\nf(-3)\n",
    "in place": "def f(x):\n    for _ in range(40):\n        x *= x\nf(3)\n",
    "in an element": "def f(x):\n    for _ in range(40):\n        x[0] *= x[0]\nf([3])\n",
    "by a lambda": (
        "def f(x):\n    g = lambda a, b: a * b\n    for _ in range(40):\n        x = g(x, x)\nf(3)\n"
    ),
    "in a comprehension": (
        "def f(r):\n    for _ in range(40):\n        r = [a * b for a in r for b in [a * a]]\nf([3])\n"
    ),
    "line by line": "x0 = 3\n" + "".join(f"x{i + 1} = x{i} * x{i}\n" for i in range(40)),
    "by shifts": "def f(x):\n    for _ in range(5000):\n        x = x << 511\nf(3)\n",
    "by large factors": "def f(x):\n    for _ in range(50000):\n        x = x * 1000000007\nf(3)\n",
}


@pytest.mark.parametrize("how", list(SQUARES))
def test_an_int_does_not_grow_without_bounds(how: str) -> None:
    error = failure(SQUARES[how])
    assert (error.code, error.message) == ("eval.limit", "int is too large (more than 1048576 bits)")
    assert error.position is not None


@pytest.mark.parametrize(
    "call", ['int("9" * 10000000)', 'int("z" * 10000000, 36)', 'json.decode("9" * 3000000)']
)
def test_a_text_of_millions_of_digits_is_no_int(call: str) -> None:
    assert failure(f"r = {call}\n").code == "eval.limit"


def test_an_int_that_sums_have_made_too_long_has_no_text() -> None:
    grow = "def f(x):\n    for _ in range({}):\n        x = x << 15\n    return x\n"
    assert failure(grow.format(70100) + "r = str(f(1))\n").code == "eval.limit"
    assert failure(grow.format(70100) + 'r = "%d" % f(1)\n').code == "eval.limit"
    assert len(str(result(grow.format(20000) + "r = str(f(1))\n"))) == 90309


def test_products_below_the_limit_are_exact_whatever_their_types() -> None:
    text = (
        "def f(a, b):\n    return [x * y for x in [a, -a] for y in [b, -b]]\n"
        'r = (f(1 << 500, 3), f(1 << 500, 1 << 500), f(2.5, 2), f(2, 2.5), f(2.5, 2.5))\nnan = float("nan")\n'
        'odd = [str(x) for x in f(nan, 2.0) + f(float("inf"), 3.0)]\n'
        'seq = ["ab" * 2, 2 * "ab", [1] * 2, 2 * (1,)]\n'
        'def g(a, b): return a * b\nsame = [g("ab", 2), g(2, "ab"), g([1], 2), g(2, (1,))]\n'
    )
    found = ran(text).globals
    assert found["r"][0] == [3 << 500, -3 << 500, -3 << 500, 3 << 500]
    assert found["r"][1] == [1 << 1000, -1 << 1000, -1 << 1000, 1 << 1000]
    assert found["r"][2] == found["r"][3] == [5.0, -5.0, -5.0, 5.0] and found["r"][4][0] == 6.25
    assert found["odd"] == ["nan"] * 4 + ["+inf", "-inf", "-inf", "+inf"]
    assert found["seq"] == found["same"] == ["abab", "abab", [1, 1], (1, 1)]


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("True", "2", "unknown binary op: bool * int"),
        ("2", "True", "unknown binary op: int * bool"),
        ('"a"', '"b"', "unknown binary op: string * string"),
        ("[1]", "[1]", "unknown binary op: list * list"),
        ("None", "1", "unknown binary op: NoneType * int"),
    ],
)
def test_what_cannot_be_multiplied_is_named(a: str, b: str, message: str) -> None:
    error = failure(f"def f(a, b):\n    return a * b\nf({a}, {b})\n")
    assert (error.code, error.message, error.position and error.position.column) == (
        "eval.operand",
        message,
        14,
    )


def twice(x: str, y: str, answer: str) -> str:
    """Return a function that makes `x` and `y` of themselves sixty times, and gives the answer."""
    return (
        f"def twice(x, y):\n    for _ in range(60):\n        x = {x}\n        y = {y}\n    return {answer}\n"
    )


MAKERS = {
    "list": ("[x, x]", "[y, y]"),
    "tuple": ("(x, x)", "(y, y)"),
    "dict": ("{1: x, 2: x}", "{1: y, 2: y}"),
    "struct": ("struct(a = x, b = x)", "struct(a = y, b = y)"),
    "wide list": ("[x] * 1000", "[y] * 1000"),
}


@pytest.mark.parametrize("kind", list(MAKERS))
def test_what_is_shared_a_quintillion_times_is_compared_once(kind: str) -> None:
    make = twice(*MAKERS[kind], "(x == y, x != y, x in [y])")
    assert result(make + "r = twice([1], [1])\n") == (True, False, True)
    assert result(make + "r = twice([1], [2])\n") == (False, True, False)


def test_shared_lists_are_ordered_and_sorted() -> None:
    make = twice("[x, x]", "[y, y]", "(x < y, sorted([y, x])[0] == x, min([y, x]) == x)")
    assert result(make + "r = twice([1], [2])\n") == (True, True, True)


@pytest.mark.parametrize("start", ["()", "(True,)", '("a",)', "struct()"])
@pytest.mark.parametrize("use", ["{x: 1}", "x in {}", "set([x])", "{}.get(x)"])
def test_a_key_of_a_quintillion_items_is_refused(start: str, use: str) -> None:
    make = twice("(x, x)", "y", use)
    assert failure(make + f"r = twice({start}, 1)\n").message.endswith("key has more than 262144 items")


@pytest.mark.parametrize(
    "use", ["str(x)", "repr(x)", '"%s" % x', '"%s" % [x]', '"{}".format([x])', "json.encode(x)"]
)
def test_a_text_of_a_quintillion_items_is_refused(use: str) -> None:
    make = twice("[x, x]", "y", use)
    assert failure(make + "r = twice([1], 1)\n").code == "eval.limit"


def test_a_float_is_looked_for_in_a_range_without_counting() -> None:
    text = (
        "def f(x): return x in range(1 << 60)\n"
        'r = [f(x) for x in [1.5, 2.0, -1.0, 1e300, float("nan"), float("inf"), 7]]\n'
    )
    assert result(text) == [False, True, False, False, False, False, True]
    assert result("r = [2.0 in range(1, 9, 2), 3.0 in range(1, 9, 2), 0.5 in range(1)]\n") == [
        False,
        True,
        False,
    ]


def test_any_and_all_of_a_range_take_no_time() -> None:
    ranges = "range(1, 1 << 60), range(0), range(1), range(1, 2), range(-5, 1 << 60)"
    text = f"r = [[any(x), all(x)] for x in [{ranges}]]\n"
    assert result(text) == [[True, True], [False, True], [False, False], [True, True], [True, False]]


def test_text_with_a_million_braces_or_words_is_read_once() -> None:
    assert len(str(result('r = ("{{a" * 1000000).format()\n'))) == 2000000
    assert result('r = len(("a\\x1f " * 300000).split())\n') == 300000
    assert result('r = ("\\x1f  b c ".split(None, 1), " a  \\x1f c ".rsplit(None, 1))\n') == (
        ["\x1f", "b c "],
        [" a  \x1f", "c"],
    )


def test_a_long_text_is_not_searched_backwards_for_hours() -> None:
    many = 's, p = "a" * 1000000, "a" * 100000 + "b" + "a" * 100000\n'
    for use in ("s.rfind(p)", "s.rindex(p)", "s.rsplit(p)", "s.rpartition(p)"):
        error = failure(f"{many}def f(s, p):\n    return {use}\nf(s, p)\n")
        assert (error.code, "search is too long" in error.message) == ("eval.limit", True)
    assert result(
        's = "ab" * 500000\nr = (s.rfind("ba"), s.rpartition("b" * 99)[1], len(s.rsplit("ab")))\n'
    ) == (999997, "", 500001)


@pytest.mark.parametrize(
    "use",
    [
        *(
            "s.find(p)",
            "s.count(p)",
            "s.partition(p)[1]",
            "s.split(p)",
            's.replace(p, "")',
            "p in s",
            "p not in s",
        ),
        *('s.find("%s")', 's.split("%s")', '"%s" in s', 's.replace("%s", "")'),
    ],
)
def test_a_long_text_is_searched_at_once_or_not_at_all(use: str) -> None:
    # Python 3.9 would take half a minute for each, in one call that nothing ends.
    wanted = "a" * 50000 + "b" + "a" * 50000
    text = f'def f(s, p):\n    return {use.replace("%s", wanted)}\nr = f("a" * 1000000, "{wanted}")\n'
    if COMPARES_ANEW:
        error = failure(text)
        assert (error.code, "search is too long" in error.message) == ("eval.limit", True)
    else:
        assert result(text) in (-1, 0, "", ["a" * 1000000], "a" * 1000000, False, True)


def test_a_string_that_only_grows_by_replacing_is_refused() -> None:
    for call in ('s.replace("a", "aa")', 's.replace("", "b")', "s.replace(s[0], s)"):
        text = f'def f(s):\n    for _ in range(60):\n        s = {call}\nf("aa")\n'
        assert failure(text).code == "eval.limit"


def test_formats_with_large_arguments_are_refused() -> None:
    assert failure('r = ("{0}" * 3000).format("a" * 100000)\n').code == "eval.limit"
    assert failure('r = ("%s" * 3000) % tuple(["a" * 100000] * 3000)\n').code == "eval.limit"


DOUBLING = {
    "strings": ("s = s + s", '"ab"'),
    "strings in place": ("s += s", '"a\\U0001f63f"'),
    "lists": ("s = s + s", "[1]"),
    "lists in place": ("s.extend(s)", "[1]"),
    "formats": ('s = "%s%s" % (s, s)', '"ab"'),
}


@pytest.mark.parametrize("how", list(DOUBLING))
def test_a_value_that_doubles_for_ever_meets_the_bound_of_the_command(how: str, tmp_path: Path) -> None:
    step, start = DOUBLING[how]
    path = tmp_path / "grow.star"
    path.write_text(f"def f(s):\n    for _ in range(90):\n        {step}\nf({start})\n")
    command = "import sys; from bramble.starlark import bounds; bounds.MOST = bounds.LEAST = 300 << 20;"
    command += "from bramble.starlark.__main__ import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", command, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"{path}:3:" in done.stderr and done.stderr.endswith("Error: out of memory\n")


def test_the_bound_on_memory_ends_with_its_block() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with bounded_memory(64 << 30):
        assert resource.getrlimit(resource.RLIMIT_AS)[0] == 64 << 30
        with bounded_memory(65 << 30):
            assert resource.getrlimit(resource.RLIMIT_AS)[0] == 64 << 30
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert LEAST <= sensible_bound() <= MOST
