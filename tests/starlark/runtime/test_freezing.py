"""When a file has run, nothing that can be reached from it changes any more."""

from __future__ import annotations

from typing import Any

import pytest

from bramble.starlark import Builtin, EvalError, HostValue, List, Thread, call, freeze, put, set_of
from bramble.starlark import Dict as StarlarkDict
from bramble.starlark.runtime.struct import STRUCT

from ..running import ran

REFUSALS = {
    "x.append(1)": "append: cannot append to frozen list",
    "x.extend([])": "extend: cannot extend frozen list",
    "x.insert(0, 1)": "insert: cannot insert into frozen list",
    "x.pop()": "pop: cannot pop from frozen list",
    "x.remove(1)": "remove: cannot remove from frozen list",
    "x.clear()": "clear: cannot clear frozen list",
    "x[0] = 1": "cannot assign to element of frozen list",
    "x += [1]": "cannot apply += to frozen list",
    "d['a'] = 1": "cannot insert into frozen hash table",
    "d.clear()": "cannot clear frozen hash table",
    "d.pop('a')": "pop: cannot delete from frozen hash table",
    "d.popitem()": "popitem: cannot delete from frozen hash table",
    "d.setdefault('z')": "setdefault: cannot insert into frozen hash table",
    "d.update([('z', 1)])": "update: cannot insert into frozen hash table",
    "d |= {'z': 1}": "cannot apply |= to frozen hash table",
    "s.add(9)": "add: cannot insert into frozen hash table",
    "s.clear()": "clear: cannot clear frozen hash table",
    "s.discard(1)": "discard: cannot delete from frozen hash table",
    "s.remove(1)": "remove: cannot delete from frozen hash table",
    "s.pop()": "pop: cannot delete from frozen hash table",
    "s.update([9])": "update: cannot insert into frozen hash table",
    "s |= set([9])": "cannot apply |= to frozen hash table",
}


@pytest.mark.parametrize("change", list(REFUSALS))
def test_every_change_of_a_frozen_value_is_refused(change: str) -> None:
    library = ran("x = [1, 2]\nd = {'a': 1}\ns = set([1])\n").globals
    for text in (
        f"def f(x, d, s):\n    {change}\nf(x, d, s)\n",
        f"def f(x = x, d = d, s = s):\n    {change}\nf()\n",
    ):
        with pytest.raises(EvalError) as caught:
            ran(text, **library)
        assert (caught.value.code, caught.value.message) == ("eval.frozen", REFUSALS[change])


@pytest.mark.parametrize(
    "harmless", ["d.setdefault('a', 5)", "d.update({})", "d.update()", "[i for i in x]", "x + [1]"]
)
def test_what_changes_nothing_of_a_frozen_value_is_allowed(harmless: str) -> None:
    ran(f"def f():\n    {harmless}\nf()\n", **ran("x = [1, 2]\nd = {'a': 1}\n").globals)


def test_freezing_reaches_defaults_closures_and_everything_inside_values() -> None:
    text = (
        "def make():\n    inner = []\n    def add(v, to = [], *, also = {}):\n"
        "        inner.append(v)\n        to.append(v)\n"
        "    return add\nadd = make()\nadd(1)\nadd(2)\nnested = ([{'k': [set([1])]}],)\n"
        "boxed = box(a = [1])\nfns = [lambda: [], lambda x = [1]: x.append(1)]\n"
    )
    library = ran(text, box=STRUCT).globals
    for use in (
        "add(1)",
        "add(1, [])",
        "nested[0].append(1)",
        "nested[0][0]['k'].append(1)",
        "boxed.a.append(1)",
        "fns[1]()",
    ):
        with pytest.raises(EvalError) as caught:
            ran(f"{use}\n", **library)
        assert caught.value.code == "eval.frozen"


def test_values_that_contain_themselves_are_frozen_once() -> None:
    library = ran("x = []\nx.append(x)\nd = {}\nd['d'] = d\nd['x'] = x\n").globals
    with pytest.raises(EvalError):
        ran("x[0][0].append(1)\n", **library)


def test_a_very_deep_value_is_frozen() -> None:
    library = ran(
        "def f():\n    x = []\n    for i in range(50000):\n        x = [x]\n    return x\nx = f()\n"
    ).globals
    with pytest.raises(EvalError) as caught:
        ran("x.append(1)\n", **library)
    assert caught.value.code == "eval.frozen"


def test_a_file_that_fails_freezes_what_it_has_made() -> None:
    kept: list[Any] = []
    keep = Builtin("keep", lambda _thread, args, _kwargs: kept.append(args[0]))
    with pytest.raises(EvalError):
        ran(
            "x = [1]\nd = {}\ndef f(y = x):\n    y.append(1)\ndef g(y = d):\n    y['a'] = 1\n"
            "keep(f)\nkeep(g)\nfail('stop')\n",
            keep=keep,
        )
    for text in ("f()\n", "g()\n"):
        with pytest.raises(EvalError) as caught:
            ran(text, f=kept[0], g=kept[1])
        assert caught.value.code == "eval.frozen"


def test_every_way_to_a_list_leads_to_the_same_frozen_one() -> None:
    text = """
x = [1]
x.append(x)
pair = (x, ((x,), "a"))
table = {"k": x, (1, 2): pair}
boxed = box(a = x, b = pair)
def f(a = x, *, b = pair):
    return [a, b[0], b[1][0][0]]
def outer():
    y = x
    return lambda: [y]
inner = outer()
add = x.append
functions = {inner: 1}
def changed():
    x.append(1)
def called(a = x):
    return a
def calls():
    return called()
"""
    library = ran(text, box=STRUCT).globals
    x = library["x"]
    assert x.__class__.__name__ == "FrozenList" and x[1] is x
    found = [*library["pair"], library["pair"][1][0][0], library["table"]["k"], library["table"][1, 2][0]]
    found += [library["boxed"].fields["a"], library["boxed"].fields["b"][0]]
    thread = Thread()
    found += [*call(thread, library["f"]), *call(thread, library["inner"]), call(thread, library["calls"])]
    assert [one for one in found if one.__class__ is not tuple and one is not x] == []
    assert library["boxed"].fields["b"] is library["pair"]
    for change in ("add", "changed"):
        with pytest.raises(EvalError) as caught:
            call(thread, library[change], () if change == "changed" else (1,))
        assert caught.value.code == "eval.frozen"
    assert len(x) == 2


def test_a_tuple_that_holds_nothing_that_changes_stays_the_same() -> None:
    kept: list[Any] = []
    keep = Builtin("keep", lambda _thread, args, _kwargs: kept.append(args[0]))
    module = ran("x = (1, ('a', (2.5, None)))\nkeep(x)\n", keep=keep)
    assert module.globals["x"] is kept[0]


def test_very_deep_tuples_with_a_list_at_the_end_are_frozen() -> None:
    text = "def f():\n    x = ([],)\n    for i in range(50000):\n        x = (x, 1)\n    return x\nx = f()\n"
    found = ran(text).globals["x"]
    while len(found) == 2:
        found = found[0]
    assert found[0].__class__.__name__ == "FrozenList"


def test_what_a_function_makes_later_is_not_frozen() -> None:
    module = ran("def f(x = [1]):\n    return list(x)\n")
    made = call(Thread(), module.globals["f"])
    made.append(2)
    assert made == List([1, 2])


def test_a_frozen_list_refuses_the_host_as_well() -> None:
    frozen = ran("x = [1]\nd = {'a': 1}\n").globals
    for change in (
        lambda: frozen["x"].append(1),
        lambda: frozen["x"].__setitem__(0, 1),
        lambda: frozen["d"].update(a=2),
        lambda: frozen["d"].__setitem__("a", 1),
    ):
        with pytest.raises(EvalError):
            change()


class Basket(HostValue):
    type_name = "basket"

    def __init__(self) -> None:
        self.things = List([1])
        self.frozen = False

    def attr(self, name: str) -> Any:
        return self.things if name == "things" else NotImplemented

    def freeze(self, frozen: Any) -> None:
        self.frozen = True
        self.things = frozen(self.things)


def test_a_value_of_the_host_is_told_and_its_contents_are_frozen() -> None:
    basket = Basket()
    ran("x = [basket]\n", basket=basket)
    assert basket.frozen
    with pytest.raises(EvalError):
        basket.things.append(2)


def test_the_host_can_freeze_a_value_itself() -> None:
    table = StarlarkDict({"a": List([1])})
    put(table, True, set_of([1]))
    for frozen in (freeze(table), freeze({"a": [1], "b": table})["b"], freeze(freeze(table))):
        for change in ("d[True].add(2)", "d['a'].append(2)", "d['b'] = 1", "d[True] = 1"):
            with pytest.raises(EvalError) as caught:
                ran(f"{change}\n", d=frozen)
            assert caught.value.code == "eval.frozen"


def test_the_host_keeps_the_frozen_copy_of_a_list_or_dict() -> None:
    table = {"a": [1]}
    fixed = freeze(table)
    table["b"] = [2]
    assert fixed == {"a": [1]} and freeze(fixed) is fixed
    for change in ("d['a'].append(2)", "d['c'] = 1"):
        with pytest.raises(EvalError) as caught:
            ran(f"{change}\n", d=fixed)
        assert caught.value.code == "eval.frozen"
    made = List([List([1])])
    frozen = freeze(made)
    assert frozen == made and freeze(frozen) is frozen
    made.append(2)
    assert len(frozen) == 1
    with pytest.raises(EvalError):
        ran("x[0].append(2)\n", x=frozen)


def test_what_is_deep_inside_of_keys_and_values_is_frozen_too() -> None:
    text = """
def make():
    inner = []
    def get():
        return inner
    return get, inner
get, inner = make()
strings = {"a": 1, "b": "c"}
mixed = {"a": 1, "b": [[1]], (1, "x"): {"k": ({"deep": [2]},)}}
functions = {get: 1}
lists = ["a", 1, None, ["b"]]
"""
    found = ran(text).globals
    assert found["strings"].__class__.__name__ == "FrozenDict"
    for value in (found["mixed"]["b"], found["mixed"]["b"][0], found["lists"][3], found["inner"]):
        assert value.__class__.__name__ == "FrozenList"
    (deep,) = found["mixed"][1, "x"]["k"]
    assert deep.__class__.__name__ == "FrozenDict"
    assert deep["deep"].__class__.__name__ == "FrozenList"
