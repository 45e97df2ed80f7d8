"""Long operands are handled in parts: signals are noticed between two, and the results are the same."""

from __future__ import annotations

import gc
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bramble.starlark import Builtin, EvalError, Thread, call
from bramble.starlark.assertions import ASSERT
from bramble.starlark.bounds import bounded_time
from bramble.starlark.runtime import interruptible
from bramble.starlark.runtime.interruptible import CHARACTERS, PART
from bramble.starlark.runtime.json import JSON
from bramble.starlark.runtime.order import _sorted_in_runs

from .running import ran

N = 8 * PART
SHARE = 0.5


def mixed() -> list[int]:
    return random.Random(1).sample(range(N), 2 * PART)


def text() -> str:
    return "ab" * (4 * CHARACTERS)


# What is done with x; the operand x is made by the host, when it is needed: together they are large.
CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "sort": (mixed, "sorted(x)"),
    "list": (lambda: tuple(range(N)), "list(x)"),
    "list of a range": (lambda: range(N), "list(x)"),
    "extend": (lambda: range(N), "[].extend(x)"),
    "set": (lambda: [*range(N)], "set(x)"),
    "entries": (lambda: dict.fromkeys(range(N // 2)), "x.items()"),
    "dict": (lambda: dict.fromkeys(range(N)), "dict(x)"),
    "zip": (lambda: [*range(N // 2)], "zip(x, x)"),
    "reversed": (lambda: [*range(N)], "reversed(x)"),
    "slice": (lambda: [*range(N)], "x[::-1]"),
    "max": (lambda: [*range(N)], "max(x)"),
    "repeat": (lambda: [*range(N)], "x * 4"),
    "split": (text, 'x.split("a")'),
    "strip": (text, 'x.strip("-" * 400 + "ab")'),
    "words": (lambda: text().replace("b", " "), "x.split()"),
    "replace": (text, 'x.replace("a", x[:1])'),
    "isalpha": (text, "x.isalpha()"),
    "repr": (lambda: text() + "\n", "repr(x)"),
    "json text": (lambda: text() + "\n", "json.encode(x)"),
    "json string": (lambda: '"' + text() + '"', "json.decode(x)"),
}


def longest_share(function: Any, x: Any) -> float:
    """Call a program's function; return the longest time between two signals as a part of the whole time."""
    noticed = [time.process_time()]
    before = signal.signal(signal.SIGALRM, lambda *_: noticed.append(time.process_time()))
    thread = Thread()
    # Python's search for cycles goes through all that the other tests of this process have left.
    gc.disable()
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    try:
        made = call(thread, function, (x,))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    noticed.append(time.process_time())
    del made
    return max(later - at for at, later in zip(noticed, noticed[1:])) / (noticed[-1] - noticed[0])


def starlark(value: Any) -> Any:
    """Return a list or dict of Python's as a program has it."""
    if isinstance(value, list):
        return ran("r = list(x)\n", x=tuple(value)).globals["r"]
    if isinstance(value, dict):
        return ran("r = {i: None for i in x}\n", x=tuple(value)).globals["r"]
    return value


@pytest.mark.parametrize("name", list(CALLS))
def test_signals_are_noticed_within_an_operation(name: str) -> None:
    make, expression = CALLS[name]
    function = ran(f"def f(x):\n    return {expression}\n", json=JSON).globals["f"]
    # Most of it would be one call of C. The time of the processor counts, so other work does not matter.
    x = starlark(make())
    assert any(longest_share(function, x) < SHARE for _ in range(3))


SAME = """
def f(n):
    a = list(range(n))
    b = [i for i in range(n)]
    d = {i: -i for i in b}
    s = set(b)
    t = "ab," * (2 * n)
    m = 2 * n
    assert.eq((a, len(a + b), (a + b)[n]), (b, 2 * n, 0))
    a.extend(a)
    a += range(n)
    assert.eq((len(a), a[n - 1:n + 2], a[2 * n]), (3 * n, [n - 1, 0, 1], 0))
    assert.eq((a[::-1][0], a[::-1][-1], len(a[5::7])), (n - 1, 0, len(range(5, 3 * n, 7))))
    assert.eq((a[n + 5::-3][1], a[1:-1][-1], a[1:n:1]), (2, n - 2, b[1:]))
    assert.eq((reversed(b)[:2], reversed(range(n))[:2]), ([n - 1, n - 2], [n - 1, n - 2]))
    assert.eq((enumerate(b, 5)[-1], zip(b, range(n))[-1]), ((n + 4, n - 1), (n - 1, n - 1)))
    assert.eq((len(zip(b, range(9))), zip(), list(s)), (9, [], b))
    assert.eq((s == set(range(n)), s == set(range(1, n + 1))), (True, False))
    assert.eq((list(s | set([n, 0, True]))[n:], len(s | s)), ([n, True], n))
    assert.eq((s.issuperset([1, 2]), s.issuperset([-2]), s.issubset(range(n + 1))), (True, False, True))
    assert.eq((dict(d) == d, len(d | {-1: 2}), (d | {1: 2})[1]), (True, n + 1, 2))
    assert.eq((d.keys(), d.items()[-1], d.values()[-1]), (b, (n - 1, 1 - n), 1 - n))
    assert.eq(([0] * n, [1, 2] * 0, [] * 5), ([0 for i in b], [], []))
    assert.eq([0, 1, 2] * n, [i % 3 for i in range(3 * n)])
    assert.eq((max(b), min(b), max(b, key = lambda i: i % 1000)), (n - 1, 0, 999))
    assert.eq(min(b, key = lambda i: -(i % 1000)), 999)
    assert.eq((any(b), any([0] * n), any({0: 1})), (True, False, False))
    assert.eq((all(b), all(b[1:]), all({})), (False, True, True))
    assert.eq((len(bytes([1] * n)), bytes([])), (n, b""))
    assert.eq((sorted(b, reverse = True), sorted([[-i] for i in b])[0]), (reversed(b), [1 - n]))
    assert.eq(sorted(b, key = lambda i: i % 10)[:3], [0, 10, 20])
    assert.eq(sorted(b, key = lambda i: i % 10, reverse = True)[:3], [9, 19, 29])
    assert.eq(t.split(","), ["ab"] * m + [""])
    assert.eq((t.rsplit(",")[-2:], len(t.rsplit("b,")), len(t.split("b,a"))), (["ab", ""], m + 1, m))
    assert.eq((t.replace("ab", ""), t.replace("a", "xx")), ("," * m, "xxb," * m))
    assert.eq((t.replace(",", " ").split(), t.replace(",", "\\n").splitlines()), (["ab"] * m, ["ab"] * m))
    assert.eq((t.isalpha(), t.replace(",", "").isalpha(), "".isalpha()), (False, True, False))
    assert.eq((("1" * 3 * m).isdigit(), ("1" * 3 * m + "a").isdigit(), "".isdigit()), (True, False, False))
    assert.eq(json.decode(json.encode(t + "\\n" + t)), t + "\\n" + t)
    assert.eq(repr(t + "\\n"), '"' + t + "\\\\n" + '"')
"""


def test_results_are_those_of_short_operands() -> None:
    ran(SAME + f"f({PART + 7})\n", json=JSON, **{"assert": ASSERT})
    ran(SAME + "f(2000)\n", json=JSON, **{"assert": ASSERT})


STRIPPED = """
def f(many):
    for s in ["", "a", "aXa", "aabXcaab", "XaX", "abab", "X"]:
        few, all = "ab", "ab" + many
        assert.eq((s.strip(all), s.lstrip(all)), (s.strip(few), s.lstrip(few)))
        assert.eq(s.rstrip(all), s.rstrip(few))

f("-" * 400)
"""


def test_what_many_characters_strip_is_what_few_do() -> None:
    ran(STRIPPED, **{"assert": ASSERT})


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("distinct", [1, 3, 60, 1 << 30])
def test_sorting_in_runs_is_sorting(distinct: int, reverse: bool) -> None:
    chance = random.Random(distinct)
    for count in (0, 1, 17, 700):
        items = [(chance.randrange(distinct), number) for number in range(count)]
        for length in (2, 16, 100):
            # By the key alone: what is equal keeps its order.
            want = sorted(items, key=lambda item: item[0], reverse=reverse)
            assert _sorted_in_runs(items, lambda item: item[0], reverse, length) == want
            plain = [key for key, _ in items]
            assert _sorted_in_runs(plain, None, reverse, length) == sorted(plain, reverse=reverse)


def test_long_texts_that_begin_alike_are_sorted_in_short_runs() -> None:
    text = "r = sorted(x)\n"
    items = [("a" * (1 << 16)) + str(number) for number in range(200)]
    assert list(ran(text, x=tuple(reversed(items))).globals["r"]) == sorted(items)


@pytest.mark.parametrize("call_of", ["max([b] + [a] * 4000)", "min([a] + [b] * 4000, key = lambda v: v)"])
def test_the_greatest_of_long_texts_that_begin_alike_is_looked_for_in_parts(call_of: str) -> None:
    text = f"def f(a, b):\n    return {call_of}\n"
    function = ran(text).globals["f"]
    long = "a" * (1 << 23)
    with pytest.raises(EvalError) as caught, bounded_time(0.05):
        # Without parts this takes a second.
        begun = time.process_time()
        call(Thread(), function, (long + "b", long + "c"))
    assert caught.value.limit == "time" and time.process_time() - begun < 0.4


def _replaced(old: str, new: str, text: str) -> str:
    return text.replace(old, new)


def test_strings_are_cut_as_python_cuts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptible, "CHARACTERS", 16)
    chance = random.Random(7)
    for _ in range(500):
        text = "".join(chance.choice("aab,") for _ in range(chance.randrange(100)))
        separator = chance.choice(["a", "aa", "aab", ",", "b,", "aaa", "x"])
        assert interruptible.cut([], text, separator) == text.split(separator)
        for new in ("", "a", "xyz"):
            found = interruptible.mapped(partial(_replaced, separator, new), text, separator)
            assert found == text.replace(separator, new)


def test_an_interruption_within_an_operation_has_its_place() -> None:
    text = "def f(x):\n    begin()\n    for i in range(1 << 30):\n        sorted(x)\n"

    def begin(_thread: Thread, _args: Any, _kwargs: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.03)

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    function = ran(text, begin=Builtin("begin", begin)).globals["f"]
    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(EvalError) as caught:
            call(Thread(), function, (tuple(mixed()),))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught.value.code == "eval.interrupted"
    assert str(caught.value.position).endswith((":3:5", ":4:15", ":3:14"))


def test_a_long_operation_is_held_by_the_bound_on_time() -> None:
    function = ran("def f(x):\n    for i in range(1 << 30):\n        sorted(x)\n").globals["f"]
    x = tuple(mixed())
    with pytest.raises(EvalError) as caught, bounded_time(0.05):
        call(Thread(), function, (x,))
    assert (caught.value.code, caught.value.limit) == ("eval.limit", "time")


@pytest.mark.parametrize("text", ["9" * 400_000, "-0." + "9" * 400_000, "1e" + "9" * 400_000])
def test_a_json_number_of_too_many_digits_is_refused_before_it_is_converted(text: str) -> None:
    with pytest.raises(EvalError) as caught:
        ran("r = json.decode(x, default = 0)\n", json=JSON, x=text)
    assert caught.value.code == "eval.limit"
    assert caught.value.message == "json.decode: number has more than 315653 digits"


def test_a_tuple_of_too_many_items_is_no_key() -> None:
    with pytest.raises(EvalError) as caught:
        ran("r = {x: 1}\n", x=tuple(range((1 << 18) + 1)))
    assert caught.value.message == "key has more than 262144 items"
