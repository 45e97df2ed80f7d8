"""Derivations that depend on one another."""

from __future__ import annotations

import pytest

from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, Place

parse = Template.parse


def make(name: str, *needs: Derivation, outputs: tuple[str, ...] = ("out",)) -> Derivation:
    return Derivation(
        name, parse("b"), args=tuple(parse(str(d.default_output)) for d in needs), outputs=outputs
    )


def names(graph: DerivationGraph, ids: tuple[str, ...]) -> list[str]:
    return [graph.get(key).name for key in ids]


def test_what_is_needed_comes_first():
    a = make("a")
    b, c = make("b", a), make("c", a)
    d = make("d", b, c)
    graph = DerivationGraph.of([d, c, b, a])
    order = names(graph, graph.order([d.id]))
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order[0] == "a" and order[-1] == "d"


def test_the_order_depends_on_the_graph_alone():
    a = make("a")
    middle = [make(f"m{number}", a) for number in range(20)]
    top = make("top", *middle)
    forwards = DerivationGraph.of([a, *middle, top])
    backwards = DerivationGraph.of([top, *reversed(middle), a])
    assert forwards.order([top.id]) == backwards.order([top.id])


def test_only_what_the_roots_need_is_ordered():
    a, other = make("a"), make("other")
    b = make("b", a)
    graph = DerivationGraph.of([a, b, other])
    assert names(graph, graph.order([b.id])) == ["a", "b"]
    assert set(graph.closure([b.id]).derivations) == {a.id, b.id}
    assert len(graph.order()) == 3


def test_a_chain_of_ten_thousand_needs_no_deep_stack():
    chain = [make("d0")]
    for number in range(1, 10_000):
        chain.append(make(f"d{number}", chain[-1]))
    graph = DerivationGraph.of(reversed(chain))
    graph.check()
    assert graph.order([chain[-1].id]) == tuple(d.id for d in chain)


def test_a_ladder_of_diamonds_is_walked_once():
    below = [make("l0"), make("r0")]
    everything = list(below)
    for number in range(1, 500):
        below = [make(f"l{number}", *below), make(f"r{number}", *below)]
        everything += below
    graph = DerivationGraph.of(everything)
    graph.check()
    assert len(graph.order([below[0].id])) == 999


def test_a_dependency_named_by_two_outputs_is_one_dependency():
    a = make("a", outputs=("out", "lib"))
    text = f"{OutputRef(a.id, 'out')} {OutputRef(a.id, 'lib')}"
    b = Derivation("b", parse("b"), args=(parse(text),))
    assert DerivationGraph.of([a, b]).dependencies(b.id) == (a.id,)


def test_a_reference_to_nothing_says_who_makes_it_and_where():
    lost = make("lost")
    b = make("b", lost)
    with pytest.raises(BrambleError) as caught:
        DerivationGraph.of([b]).check({b.id: Place("default.bramble", 7, 12)})
    assert caught.value.code == "derivation.unknown-reference"
    assert str(caught.value.place) == "default.bramble:7:12"
    assert '"b"' in caught.value.message and lost.id in caught.value.message


def test_ordering_refuses_a_reference_to_nothing_too():
    b = make("b", make("lost"))
    with pytest.raises(BrambleError) as caught:
        DerivationGraph.of([b]).order([b.id])
    assert caught.value.code == "derivation.unknown-reference"


def test_an_unknown_output_names_the_ones_there_are():
    a = make("busybox", outputs=("out", "library"))
    b = Derivation("b", parse(str(OutputRef(a.id, "libary"))))
    with pytest.raises(BrambleError) as caught:
        DerivationGraph.of([a, b]).check()
    assert caught.value.code == "derivation.unknown-output"
    assert '"libary"' in caught.value.message and "it has: out, library" in caught.value.message
    assert '"library"' in (caught.value.remedy or "")


def test_a_cycle_is_printed_from_its_first_member_to_itself():
    # No program can write this, since an id holds the ids below it; a JSON graph could claim it.
    left, right = "a" * 32, "b" * 32
    graph = DerivationGraph(
        {
            "c" * 32: Derivation("top", parse("{{ " + left + ":out }}")),
            left: Derivation("left", parse("{{ " + right + ":out }}")),
            right: Derivation("right", parse("{{ " + left + ":out }}")),
        }
    )
    with pytest.raises(BrambleError) as caught:
        graph.check()
    assert caught.value.code == "derivation.cycle"
    assert caught.value.message.endswith("left → right → left")


def test_a_derivation_that_needs_itself_is_a_cycle():
    key = "a" * 32
    with pytest.raises(BrambleError) as caught:
        DerivationGraph({key: Derivation("self", parse("{{ " + key + ":out }}"))}).order([key])
    assert caught.value.code == "derivation.cycle"
