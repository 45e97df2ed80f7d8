"""What is known of containers, wherever they go: it is so, and it is known where it can be."""

from __future__ import annotations

import pytest

from bramble.starlark import Dialect
from bramble.starlark.compile.facts import flow, kind_rules, sites
from bramble.starlark.compile.facts.inference import Inference, read
from bramble.starlark.compile.facts.kinds import BOOL, DICT, INT, LIST, NONE, STRING, TUPLE
from bramble.starlark.compile.toplevel import _toplevel_names
from bramble.starlark.runtime.universe import UNIVERSE
from bramble.starlark.source import Source
from bramble.starlark.syntax.parse import parse
from bramble.starlark.syntax.resolve import resolve

from .claims import refuted_claims
from .container_programs import container_program
from .test_random_programs import outcome
from .ways_into_containers import PROGRAMS


@pytest.mark.parametrize("way", PROGRAMS)
def test_what_comes_into_a_container_is_known(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, wrong = refuted_claims({"main.star": PROGRAMS[way]}, Dialect(), monkeypatch)
    assert looks and not wrong


@pytest.mark.parametrize("seed", range(60))
def test_what_is_claimed_of_values_in_random_programs_is_so(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = container_program(seed)
    looks, wrong = refuted_claims({"main.star": text}, Dialect(), monkeypatch)
    assert looks and not wrong


@pytest.mark.parametrize("seed", range(60))
def test_what_is_known_of_containers_changes_only_the_speed(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = container_program(seed)
    expected = outcome(text)
    with monkeypatch.context() as patch:
        patch.setattr(Inference, "_solve", lambda *_args: None)
        assert outcome(text) == expected


def view(text: str, *, closed: bool = True) -> Inference:
    """Return what is known of a program."""
    source = Source.read(text, "test.star")
    resolution = resolve(
        source, parse(source, Dialect()), dialect=Dialect(), predeclared=[], universal=UNIVERSE
    )
    known = _toplevel_names(resolution.file.body)[0]
    roots = {name for name, node in known.items() if not node.parameters} if closed else ()
    return Inference(resolution, known, read(resolution, known), roots=roots, closed=closed)


def kinds_of(text: str, name: str, *, closed: bool = True) -> tuple[int, int]:
    """Return the kinds of a variable, and of what is in it."""
    found = view(text, closed=closed)
    declared = next(b.declared for b in found.uses.values() if b.name == name)
    value = found.values[declared]
    return value & sites.KINDS, found.rules.items_of(value) & sites.KINDS


class TestHowMuchIsKnown:
    def test_of_a_list_that_is_handed_on(self) -> None:
        text = (
            "def f(p):\n    for v in p:\n        print(v)\n"
            "def main():\n    x = ['a', 'b']\n    x.append('c')\n    f(x)\nmain()\n"
        )
        assert kinds_of(text, "p") == (LIST, STRING)
        assert kinds_of(text, "v") == (STRING, 0)
        assert kinds_of(text, "v", closed=False)[0] == sites.TOP & sites.KINDS

    def test_of_a_pair_that_is_returned(self) -> None:
        text = "def f(s):\n    a, _, b = s.partition('-')\n    return ([1], a)\nx, y = f('a-b')\n"
        assert kinds_of(text, "x") == (LIST, INT)
        assert kinds_of(text, "y") == (STRING, 0)

    def test_of_a_list_that_a_stranger_is_given_at_last(self) -> None:
        text = "def f(n):\n    x = []\n    x.append(1)\n    return x\n"
        assert kinds_of(text, "x", closed=False) == (LIST, INT)

    def test_not_of_a_list_that_a_stranger_is_given_and_a_closure_keeps(self) -> None:
        text = "def f(n):\n    x = []\n    x.append(1)\n    return x, lambda: x[0]\n"
        assert kinds_of(text, "x", closed=False) == (LIST, sites.TOP & sites.KINDS)

    def test_of_a_dict(self) -> None:
        text = "d = {}\ndef f(k):\n    d[k] = (1, True)\n    return d[k]\nx = f('a')\n"
        assert kinds_of(text, "d") == (DICT, STRING)
        assert kinds_of(text, "x") == (TUPLE, INT | BOOL)

    def test_of_what_may_be_none(self) -> None:
        text = "def f(d):\n    return d.get('b')\nx = f({'b': 1, 'c': 'd'})\n"
        assert kinds_of(text, "x")[0] == INT | NONE

    def test_of_what_a_lambda_is_called_with(self) -> None:
        text = "x = sorted([{'a': 1, 'b': 'x'}], key = lambda r: r['a'])\n"
        assert kinds_of(text, "r") == (DICT, STRING)
        assert kinds_of(text, "x") == (LIST, DICT)
        assert kinds_of("f = lambda r: r\nf(1)\n", "r")[0] == sites.TOP & sites.KINDS

    def test_of_more_sites_than_are_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sites, "MOST_SITES", 3)
        rows = "".join(f"x{n} = [{n}]\n" for n in range(9))
        text = f"{rows}y = x8[0]\nx8.append(x0)\nx8[-1].append('a')\nz = x0[-1]\n"
        assert kinds_of(text, "y")[0] == sites.TOP & sites.KINDS
        assert kinds_of(text, "z")[0] == sites.TOP & sites.KINDS
        assert kinds_of(f"{rows}y = [x0]\ny[0].append('a')\nz = x0[0]\n", "z")[0] == sites.TOP & sites.KINDS


def test_twice_as_many_statements_are_twice_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    rule = kind_rules.KindRules.value

    def counted(*args: object) -> int:
        nonlocal looks
        looks += 1
        return rule(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(kind_rules.KindRules, "value", counted)
    found = []
    for count in (8, 16):
        looks = 0
        rows = "".join(f"    x{n} = x{n + 1}\n" for n in range(count * flow.GROUP))
        view(f"def f(c):\n    x{count * flow.GROUP} = [c]\n{rows}    return x0\nf(1)\n")
        found.append(looks)
    assert found[1] < 3 * found[0]
