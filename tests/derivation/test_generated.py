"""How a graph grows by what builders wrote: pure."""

from __future__ import annotations

import pytest

from bramble.derivation.document import GraphDocument, Result
from bramble.derivation.generated import Generated, generated, graft, lent_to, waiting
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError

parse = Template.parse
STORE = "/s/bramble_store_padding/bramble_store_padding/br"


def make(
    name: str, *needs: Derivation, builder: str = "b", outputs: tuple[str, ...] = ("out",)
) -> Derivation:
    args = tuple(parse(f"{one.default_output}/x") for one in needs)
    return Derivation(name, parse(builder), args=args, outputs=outputs)


def generator(name: str, *needs: Derivation) -> Derivation:
    args = (parse("x"), *(parse(str(one.default_output)) for one in needs))
    return Derivation(name, parse("derivation_output"), args=args, sources=Sources("", "", (name,)))


TOOL = make("tool")
INNER = generator("inner", TOOL)
OUTER = generator("outer", make("between", INNER))
BESIDE = generator("beside")
TOP = make("top", OUTER, BESIDE, TOOL)
GRAPH = DerivationGraph.of([TOP, OUTER, make("between", INNER), INNER, BESIDE, TOOL])


def names(graph: DerivationGraph, ids: tuple[str, ...]) -> list[str]:
    return [graph.get(key).name for key in ids]


def of(*derivations: Derivation) -> Generated:
    return Generated(derivations[-1].id, DerivationGraph.of(derivations))


def test_a_round_has_the_generators_that_wait_for_no_other():
    # spec: build.generated.rounds
    assert sorted(names(GRAPH, waiting(GRAPH, [TOP.id]))) == ["beside", "inner"]
    assert names(GRAPH, waiting(GRAPH, [BESIDE.id])) == ["beside"]
    assert waiting(GRAPH, [TOOL.id]) == ()
    # The outer one needs it at some distance, whichever of them is a root.
    assert names(GRAPH, waiting(GRAPH, [OUTER.id, INNER.id])) == ["inner"]


def test_what_referred_to_a_generator_refers_to_what_it_wrote():
    # spec: build.generated.replaced
    one, two = make("one", TOOL), make("two")
    grown = graft(GRAPH, {INNER.id: of(one), BESIDE.id: of(two)})
    now = {grown.graph.get(key).name: grown.graph.get(key) for key in grown.graph.derivations}
    assert sorted(now) == ["between", "one", "outer", "tool", "top", "two"]
    assert now["tool"] == TOOL
    assert now["between"].args == (parse(f"{one.default_output}/x"),)
    assert [ref.derivation for ref in now["top"].dependencies] == sorted([now["outer"].id, two.id, TOOL.id])
    assert {grown.graph.get(new).name for new in grown.ids.values()} == {
        "one",
        "between",
        "outer",
        "two",
        "top",
    }
    assert set(grown.ids) == {INNER.id, BESIDE.id, OUTER.id, TOP.id, make("between", INNER).id}
    grown.graph.check()
    # The next round: now nothing stands before the outer one.
    assert names(grown.graph, waiting(grown.graph, [grown.ids[TOP.id]])) == ["outer"]
    last = graft(grown.graph, {grown.ids[OUTER.id]: of(two)})
    assert waiting(last.graph, list(last.graph.derivations)) == ()
    assert {one.name for one in last.graph.derivations.values()} == {"between", "one", "tool", "top", "two"}


def test_without_a_generator_nothing_changes():
    graph = DerivationGraph.of([TOOL])
    grown = graft(graph, {})
    assert (grown.graph.derivations, grown.ids) == (graph.derivations, {})


def test_paths_that_the_builder_saw_are_references():
    # spec: build.generated.inputs
    objects = {
        OutputRef(TOOL.id, "out"): "a" * 32,
        OutputRef(TOP.id, "out"): "b" * 32,
        OutputRef(INNER.id, "out"): "c" * 32,
    }
    lent = lent_to(GRAPH, INNER.id, objects, STORE)
    assert list(lent.graph.derivations) == [TOOL.id]
    assert lent.sources == INNER.sources
    translate = lent.translate
    assert translate is not None
    assert translate(f"-I{STORE}/{'a' * 32}/bin:{STORE}/{'a' * 32}") == (
        f"-I{TOOL.default_output}/bin:{TOOL.default_output}"
    )
    assert translate("/s/bramble") == "/s/bramble" and translate(STORE) == STORE
    for other in "bcd":
        with pytest.raises(BrambleError) as caught:
            translate(f"{STORE}/{other * 32}/x")
        assert caught.value.code == "graph.unseen-path"


def test_of_outputs_that_are_the_same_object_the_nearest_is_meant():
    far, near = make("far"), make("near")
    builder = generator("g", near, make("between", far))
    graph = DerivationGraph.of([far, near, make("between", far), builder])
    objects = {OutputRef(one.id, "out"): "a" * 32 for one in (far, near)}
    translate = lent_to(graph, builder.id, objects, STORE).translate
    assert translate is not None and translate(f"{STORE}/{'a' * 32}") == str(near.default_output)


def test_from_the_lock_paths_are_text():
    assert lent_to(GRAPH, INNER.id, {}, "").translate is None


def document(*derivations: Derivation, roots: int = 1) -> GraphDocument:
    ids = tuple(one.id for one in derivations)
    return GraphDocument(DerivationGraph.of(derivations), (Result("x", ids[-roots:] if roots else ()),))


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (document(generator("g"), make("a")), "graph.recursive"),
        (document(make("a"), make("b"), roots=2), "graph.several"),
        (document(make("a"), roots=0), "graph.several"),
        (document(make("a", outputs=("lib",))), "graph.outputs"),
        (document(make("a", outputs=("out", "lib"))), "graph.outputs"),
    ],
)
def test_the_rules_of_generated_graphs(found: GraphDocument, code: str):
    # spec: build.generated.recursive, build.generated.one
    with pytest.raises(BrambleError) as caught:
        generated(found, "g")
    assert caught.value.code == code


def test_a_graph_that_keeps_the_rules():
    a = make("a", outputs=("lib",))
    found = generated(document(a, make("b", a)), "g")
    assert found.graph.get(found.root).name == "b"
