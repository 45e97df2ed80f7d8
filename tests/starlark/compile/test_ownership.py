"""Containers that only one function can reach, and the locks of those that others can."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bramble.starlark import Builtin, Dialect, Dict, EvalError, List, Thread, call, compile_program, execute
from bramble.starlark.runtime.values import Key

from ..reference.both import compiled, difference
from ..running import ran, value


def generated_names(text: str) -> set[str]:
    """Return the functions of intrinsics.py that the code of a program uses."""
    parts = compile_program(text, "test.star").code(False)[0]
    names: set[str] = set()
    work = list(parts)
    while work:
        one = work.pop()
        names.update(one.co_names)
        work += [c for c in one.co_consts if hasattr(c, "co_code")]
    return names


def failure(text: str, **given: Any) -> EvalError:
    with pytest.raises(EvalError) as caught:
        ran(text, **given)
    return caught.value


class TestPrivateContainers:
    def test_a_private_list_is_made_a_list_only_when_it_leaves(self) -> None:
        text = "def f(n):\n    x = []\n    for i in range(n):\n        x.append(i)\n    return x\nr = f(3)\n"
        made = ran(text).globals["r"]
        assert isinstance(made, List) and made == List([0, 1, 2])

    def test_every_call_makes_another_one(self) -> None:
        module = ran("def f():\n    x = [1]\n    return x\na = [f(), f()]\n")
        assert module.globals["a"][0] is not module.globals["a"][1]

    def test_two_names_of_a_private_list_are_one_list(self) -> None:
        text = "def f():\n    x = []\n    y = x\n    y.append(1)\n    x += [2]\n    return (len(x), y[1])\n"
        assert ran(f"{text}r = f()\n").globals["r"] == (2, 2)

    def test_a_list_returned_twice_is_the_same_value_twice(self) -> None:
        text = "def f():\n    x = []\n    return (x, x)\na, b = f()\na.append(1)\nr = len(b)\n"
        assert ran(text).globals["r"] == 1

    def test_a_list_in_a_closure_is_shared(self) -> None:
        text = (
            "def f():\n    x = []\n    def g():\n        x.append(1)\n    g()\n    g()\n"
            "    return x\nr = f()\n"
        )
        assert len(ran(text).globals["r"]) == 2

    def test_a_private_dict_tells_true_from_one(self) -> None:
        text = (
            'def f(k):\n    d = {1: "a"}\n    d[k] = "b"\n'
            "    return (len(d), d[1], d.get(k), k in d, str(d))\n"
        )
        module = ran(text + "a = f(True)\nb = f(1)\n")
        assert module.globals["a"] == (2, "a", "b", True, '{1: "a", True: "b"}')
        assert module.globals["b"] == (1, "b", "b", True, '{1: "b"}')

    def test_iterating_a_private_dict_gives_the_keys_that_were_put_in(self) -> None:
        text = (
            "def f(k):\n    d = {}\n    d[k] = 1\n    d[(k, 1)] = 2\n"
            "    return [x for x in d] + d.keys() + sorted([str(y) for y, _ in d.items()])\n"
        )
        nan = ran(text + "r = str(f(float('nan')))\ns = str(f(True))\n").globals
        assert nan["r"] == '[nan, (nan, 1), nan, (nan, 1), "(nan, 1)", "nan"]'
        assert nan["s"] == '[True, (True, 1), True, (True, 1), "(True, 1)", "True"]'

    def test_a_dict_of_python_s_own_that_others_see_has_no_odd_keys_that_the_thread_does_not_know(
        self,
    ) -> None:
        seen: list[type] = []
        text = (
            "def f(k):\n    x = [1]\n    d = {k: 1}\n    e = {'a': 1}\n    e = e | d\n"
            "    keep(d, e, {k: 1}, {k: 1, 2: 2}, {y: 1 for y in [k]}, dict([(k, 1)]), dict(d), d | d)\n"
            "    keep({'a': 1} | d, d | {}, dict(d, a = 1), dict({'a': 1} | d), g(k), h(k))\n"
            "def g(k):\n    d = {}\n    d[k] = 1\n    return d\n"
            "def h(k):\n    d = {'a': [] for _ in [1]}\n    d.setdefault(k, [])\n    return d\n"
        )

        def keep(thread: Thread, args: Any, _kwargs: Any) -> None:
            for one in args:
                odd = any(isinstance(key, Key) for key in dict.keys(one))
                assert not (odd and type(one) is dict and not thread.odd)
                seen.append(type(one))

        functions = ran(text, keep=Builtin("keep", keep)).globals
        call(Thread(), functions["f"], ["b"])
        assert set(seen) == {dict}
        for odd in (True, float("nan"), (False,)):
            seen.clear()
            call(Thread(), functions["f"], [odd])
            assert set(seen) == {dict, Dict}

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("x[5]", "list index 5 out of range [-2:1]"),
            ("x['a']", "list index: got string, want int"),
            ("x[True]", "list index: got bool, want int"),
            ("x.pop(7)", "pop: list index 7 out of range [-2:1]"),
            ("x.index(9)", "index: value not in list"),
            ("x.append()", "append: got 0 arguments, want 1"),
            ("x.sort()", "list has no .sort field or method"),
            ("x.extend(1)", "extend: for parameter 1: got int, want iterable"),
        ],
    )
    def test_mistakes_with_a_private_list_are_told_as_with_any_other(self, body: str, message: str) -> None:
        error = failure(f"def f():\n    x = [1, 2]\n    {body}\n    return x[0]\nf()\n")
        assert error.message == message
        assert failure(f"def f(x):\n    {body}\nf([1, 2])\n").message == message

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("d['b']", 'key "b" not in dict'),
            ("d[[]]", "unhashable type: list"),
            ("d[[]] = 1", "unhashable type: list"),
            ("d.get([])", "get: unhashable type: list"),
            ("d.get()", "get: got 0 arguments, want at least 1"),
            ("d.setdefault({}, 1)", "setdefault: unhashable type: dict"),
        ],
    )
    def test_mistakes_with_a_private_dict_are_told_as_with_any_other(self, body: str, message: str) -> None:
        error = failure(f"def f():\n    d = {{'a': 1}}\n    {body}\n    return d['a']\nf()\n")
        assert error.message == message
        assert failure(f"def f(d):\n    {body}\nf({{'a': 1}})\n").message == message

    def test_a_private_list_cannot_grow_without_bounds_by_one_operation(self) -> None:
        text = "def f(n):\n    x = [0] * n\n    x.append(1)\n    return len(x)\n"
        assert ran(f"{text}r = f(3)\n").globals["r"] == 4
        assert failure(f"{text}f(1 << 40)\n").code == "eval.limit"


CHANGES = {
    "x.append(1)": "append: cannot append to list during iteration",
    "x.clear()": "clear: cannot clear list during iteration",
    "x.extend([])": "extend: cannot extend list during iteration",
    "x.insert(0, 1)": "insert: cannot insert into list during iteration",
    "x.pop()": "pop: cannot pop from list during iteration",
    "x.remove(1)": "remove: cannot remove from list during iteration",
    "x[0] = 1": "cannot assign to element of list during iteration",
    "x[0] += 1": "cannot assign to element of list during iteration",
    "x += [1]": "cannot apply += to list during iteration",
    "grow(x)": "append: cannot append to list during iteration",
    "(lambda: x.append(2))()": "append: cannot append to list during iteration",
}
TABLE_CHANGES = {
    "x['a'] = 1": "cannot insert into hash table during iteration",
    "x['z'] = 1": "cannot insert into hash table during iteration",
    "x.clear()": "cannot clear hash table during iteration",
    "x.pop('a')": "pop: cannot delete from hash table during iteration",
    "x.popitem()": "popitem: cannot delete from hash table during iteration",
    "x.setdefault('z', 1)": "setdefault: cannot insert into hash table during iteration",
    "x.update([('z', 1)])": "update: cannot insert into hash table during iteration",
    "x |= {}": "cannot apply |= to hash table during iteration",
}
HEAD = "def grow(y):\n    y.append(1)\n"


class TestLocks:
    @pytest.mark.parametrize("change", list(CHANGES))
    def test_a_list_cannot_be_changed_while_a_loop_runs_over_it(self, change: str) -> None:
        for start in ("def f(x):\n", "def f(_):\n    x = [1, 2]\n"):
            error = failure(f"{HEAD}{start}    for i in x:\n        {change}\nf([1, 2])\n")
            assert (error.code, error.message) == ("eval.iteration", CHANGES[change])

    @pytest.mark.parametrize("change", list(TABLE_CHANGES))
    def test_a_dict_cannot_be_changed_while_a_loop_runs_over_it(self, change: str) -> None:
        for start in ("def f(x):\n", "def f(_):\n    x = {'a': 1}\n"):
            error = failure(f"{start}    for i in x:\n        {change}\nf({{'a': 1}})\n")
            assert (error.code, error.message) == ("eval.iteration", TABLE_CHANGES[change])

    @pytest.mark.parametrize("harmless", ["x.setdefault('a', 2)", "x.update({})", "x.update()", "x.get('z')"])
    def test_what_changes_nothing_of_a_dict_is_allowed(self, harmless: str) -> None:
        ran(f"def f(x):\n    for i in x:\n        {harmless}\nf({{'a': 1}})\n")

    @pytest.mark.parametrize(
        "loop",
        [
            "[x.append(i) for i in x]",
            "[i for i in x if x.append(i)]",
            "[j for i in [1] for j in x if grow(x)]",
            "{i: grow(x) for i in x}",
            "sorted(x, key = lambda i: grow(x))",
            "max(x, key = lambda i: x.append(1))",
        ],
    )
    def test_comprehensions_and_key_functions_lock_as_well(self, loop: str) -> None:
        error = failure(f"{HEAD}def f(x):\n    return {loop}\nf([1, 2])\n")
        assert error.message == "append: cannot append to list during iteration"

    @pytest.mark.parametrize(
        "loop",
        [
            "for i in x:\n        pass",
            "for i in x:\n        break",
            "for i in x:\n        for j in x:\n            break",
            "[i for i in x]",
            "[g(i) for i in x]",
            "[j for i in x for j in x if g(j)]",
            "sorted(x, key = lambda i: g(i))",
            "for i in x:\n        continue",
        ],
    )
    def test_a_loop_that_has_ended_locks_nothing(self, loop: str) -> None:
        ran(f"def g(v):\n    return v\ndef f(x, g):\n    {loop}\n    x.append(3)\nf([1, 2], g)\n")

    def test_return_from_a_loop_unlocks(self) -> None:
        ran(
            "def f(x, g):\n    for i in x:\n        g()\n        return i\ny = [1]\n"
            "f(y, lambda: 1)\ny.append(2)\n"
        )

    def test_an_inner_loop_does_not_unlock_for_the_outer_one(self) -> None:
        error = failure(
            "def f(x):\n    for i in x:\n        for j in x:\n            pass\n        x.append(1)\nf([1])\n"
        )
        assert error.code == "eval.iteration"

    @pytest.mark.parametrize(
        "loop", ["for i in x:\n        g()", "[g() for i in x]", "sorted(x, key = lambda i: g())"]
    )
    def test_an_error_unlocks(self, loop: str) -> None:
        module = ran(f"def f(x, g):\n    {loop}\n")
        x = List([1, 2])
        with pytest.raises(EvalError):
            call(Thread(), module.globals["f"], (x, ran("def g():\n    fail()\n").globals["g"]))
        x.append(3)
        assert type(x) is List

    def test_the_keys_of_a_dict_are_a_copy(self) -> None:
        text = "def f(d):\n    for k in d.keys():\n        d.pop(k)\n    return len(d)\n"
        assert ran(f"{text}r = f({{1: 1, True: 2}})\n").globals["r"] == 0

    def test_an_argument_that_is_the_receiver_is_read_first(self) -> None:
        assert value("(lambda x: (x.extend(x), x))([1, 2])[1]") == List([1, 2, 1, 2])
        assert failure("s = set([1])\ns.update(s)\n").code == "eval.iteration"

    def test_a_dict_with_odd_keys_is_locked_too(self) -> None:
        error = failure("def f(d):\n    for k in d:\n        d[k] = 1\nf({True: 1, 1: 2})\n")
        assert error.message == "cannot insert into hash table during iteration"
        ran("def f(d):\n    for k in d:\n        pass\n    d[False] = 1\nf({True: 1})\n")


class TestConclusions:
    def test_a_loop_that_changes_nothing_is_not_locked(self) -> None:
        text = "def f(x):\n    out = []\n    for i in x:\n        out.append(i + 1)\n    return out\n"
        assert ".enter" not in generated_names(text)

    @pytest.mark.parametrize(
        "body",
        [
            "    for v in give(x):\n        x.append(v)\n        break\n",
            "    [x.append(v) for v in give(x) if len(x) < 5]\n",
            "    give(x)\n    for v in s[0]:\n        x.append(v)\n        break\n",
            "    for i in range(2):\n        for v in s[0] if s else []:\n            x.append(v)\n"
            "            break\n        give(x)\n",
            "    for i in range(2):\n        [x.append(v) for v in (s[0] if s else []) if len(x) < 5]\n"
            "        give(x)\n",
            "    y = x\n    give(y)\n    for v in s[0]:\n        x.append(v)\n        break\n",
            "    x.append(2) if [x.append(v) for v in give(x) if len(x) < 5] else 0\n",
            "    if give(x):\n        for v in s[0]:\n            x += [v]\n            break\n",
            "    i = 0\n    while i < 2:\n        i += 1\n        for v in s[0] if s else []:\n"
            "            x.append(v)\n            break\n        give(x)\n",
        ],
    )
    def test_a_list_that_may_be_known_elsewhere_when_a_loop_begins_is_locked(self, body: str) -> None:
        give = "    def give(x):\n        s.append(x)\n        return x\n"
        text = f"def f(s):\n{give}    x = [1]\n{body}    give(x)\n"
        text += "f([])\n"
        program = compile_program(text, "test.star", dialect=Dialect(while_loops=True))
        with pytest.raises(EvalError) as caught:
            execute(program)
        assert caught.value.code == "eval.iteration"

    def test_what_escapes_after_a_loop_needs_no_lock_in_it(self) -> None:
        text = (
            "def f(a, g):\n    x = []\n    d = {}\n    for v in a:\n        x.append(v)\n        x += [v]\n"
            "        for w in a:\n            d[w] = v\n    g(x)\n    return [d]\n"
        )
        assert ".enter" not in generated_names(text)
        assert ".enter" in generated_names(
            text.replace("            d[w]", "            g(x)\n            d[w]")
        )

    def test_a_loop_that_calls_unknown_code_is_locked(self) -> None:
        assert ".enter" in generated_names("def f(x, g):\n    for i in x:\n        g(i)\n")

    def test_functions_that_call_only_known_ones_need_no_check_for_recursion(self) -> None:
        assert ".recursive" not in generated_names(
            "def f(x):\n    return x + 1\ndef g(x):\n    return f(f(x))\n"
        )
        assert ".recursive" in generated_names("def f(x):\n    return g(x)\ndef g(x):\n    return f(x)\n")
        assert ".recursive" in generated_names("def f(x, g):\n    return g(x)\n")

    def test_arithmetic_on_loop_variables_needs_no_test(self) -> None:
        assert not {".add", ".multiply"} & generated_names(
            "def f():\n    t = 0\n    for i in range(9):\n        t += i * 2\n"
        )


DISTINCT = (
    "for _ in [1, 2]:\n        new = []\n        for x in old:\n            new.append(x)\n        old = new",
    "new = []\n    for x in old:\n        new += [x]\n        new = [x]\n    old = new",
    "other = old\n    new = [0]\n    for x in other:\n        new.append(x)\n    other = new",
)
SHARED = (
    "new = []\n    new = old\n    for x in old:\n        new.append(x)",
    "new = old\n    for x in old:\n        new.append(x)",
    "new = []\n    if len(old):\n        new = old\n    for x in old:\n        new.append(x)",
    "new = []\n    for x in old:\n        new = old\n        new.append(x)",
    "new = []\n    for x in old:\n        old = new\n        new.append(x)\n        [new.pop() for y in old]",
    "new = []\n    for _ in range(2):\n        for x in old:\n            new.append(x)\n        old = new",
    "new = old\n    if not old:\n        new = []\n    for x in old:\n        new.append(x)",
    "new = []\n    other = new\n    old = other\n    new += [1]\n    for x in old:\n        new.append(x)",
    "new = []\n    for x in old:\n        old.append(x)\n    old = new",
)


class TestNewContainers:
    @pytest.mark.parametrize("body", DISTINCT)
    def test_a_loop_that_fills_a_new_one_needs_no_lock(self, body: str) -> None:
        text = f"def f():\n    old = [1, 2]\n    {body}\n    return old\nprint(f())\n"
        assert generated_names(text).isdisjoint({"locked", ".id", ".enter", ".hold"})
        for kind in (text, text.replace("[1, 2]", "(1, 2)")):
            assert difference({"main.star": kind}, Dialect()) == ""
            assert compiled({"main.star": kind}, Dialect()).error is None

    @pytest.mark.parametrize("body", SHARED)
    def test_a_loop_that_fills_what_it_iterates_is_refused(self, body: str) -> None:
        text = f"def f():\n    old = [1, 2]\n    {body}\n    return old\nprint(f())\n"
        assert difference({"main.star": text}, Dialect()) == ""
        error = compiled({"main.star": text}, Dialect()).error
        assert error is not None
        assert error[0] == "eval.iteration"

    @pytest.mark.parametrize("body", [*DISTINCT, *SHARED])
    def test_dicts_are_no_other(self, body: str) -> None:
        text = f"def f():\n    old = {{1: 2}}\n    {body}\n    return old\nprint(f())\n"
        text = text.replace("[]", "{}").replace("[0]", "{0: 0}").replace("= [x]", "= {x: x}")
        text = re.sub(r"(\w+)\.append\((\w)\)", r"\1[\2 + 1] = \2", text).replace("new += [1]", "new[1] = 1")
        text = text.replace("new += {x: x}", "new[x] = 1")
        assert difference({"main.star": text}, Dialect()) == ""
