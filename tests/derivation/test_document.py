"""Graph documents: from any program, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.derivation.document import GraphDocument, Lent, Result, document_value, read_document
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.template import Template
from bramble.errors import BrambleError, Place

parse = Template.parse
TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
PLAIN = TEXT.filter(lambda text: "\x00" not in text)
WORD = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)
LOOKALIKES = st.sampled_from(["{{ @a:out }}", "{{ @lib/x:out }}", "{{ ", "{{ a:out }}", "{{", " }}", ""])


@st.composite
def graphs(draw: st.DrawFn) -> DerivationGraph:
    """Graphs in which every derivation may refer to any output of the ones before it."""
    made: list[Derivation] = []
    for number in range(draw(st.integers(1, 6))):
        references = [ref(one.id, output) for one in made for output in one.outputs]
        piece = st.one_of(PLAIN, LOOKALIKES, *([st.sampled_from(references)] if references else []))
        text = st.lists(piece, max_size=3).map("".join)
        files = draw(st.lists(WORD, max_size=3, unique=True))
        env = draw(st.dictionaries(st.from_regex(r"[A-Z]{1,4}", fullmatch=True), text, max_size=3))
        made.append(
            Derivation(
                f"n{number}",
                parse("./" + draw(text)),
                args=tuple(map(parse, draw(st.lists(text, max_size=3)))),
                env=tuple((key, parse(env[key])) for key in sorted(env)),
                sources=Sources("", draw(st.sampled_from(["", "d"])), tuple(sorted(files)))
                if files
                else Sources(),
                outputs=draw(st.sampled_from([("out",), ("out", "lib"), ("b", "a")])),
                platform=draw(st.sampled_from(["", "linux-arm64"])),
                target=draw(st.sampled_from(["", "wasm"])),
            )
        )
    return DerivationGraph.of(made)


@st.composite
def documents(draw: st.DrawFn) -> GraphDocument:
    graph = draw(graphs())
    keys = st.sampled_from(sorted(graph.derivations))
    place = st.builds(Place, PLAIN, st.integers(1, 9), st.one_of(st.none(), st.integers(1, 9)))
    results = draw(st.lists(st.builds(Result, TEXT, st.lists(keys, unique=True).map(tuple)), max_size=3))
    return GraphDocument(
        graph,
        tuple(results),
        places=draw(st.dictionaries(keys, place, max_size=3)),
        docs=draw(st.dictionaries(TEXT, TEXT, max_size=2)),
    )


@given(documents())
def test_a_document_comes_back_as_it_was(document: GraphDocument):
    # spec: derivation.document.exact
    text = json.dumps(document_value(document))
    again = read_document(text.encode())
    assert again.graph.derivations == document.graph.derivations
    assert (again.results, again.places, again.docs) == (document.results, document.places, document.docs)
    assert json.dumps(document_value(again)) == text


@given(documents(), st.randoms())
def test_labels_give_the_ids_that_the_language_gives(document: GraphDocument, random: Any):
    # spec: derivation.document.labels
    value = document_value(document)
    text = json.dumps(value)
    if "{{ @" in text:
        # In a document with labels such text would be a reference.
        return
    names = {key: f"@{number}" for number, key in enumerate(value["graph"])}
    for node in value["graph"].values():
        del node["Dependencies"]
    text = json.dumps(value)
    for key, label in names.items():
        text = text.replace(key, label)
    shuffled = json.loads(text)
    nodes = list(shuffled["graph"].items())
    random.shuffle(nodes)
    shuffled["graph"] = dict(nodes)
    again = read_document(json.dumps(shuffled).encode())
    assert again.graph.derivations == document.graph.derivations
    assert [result.derivations for result in again.results] == [
        result.derivations for result in document.results
    ]


KEYS = ("version", "graph", "results", "places", "docs", "@a", "Name", "Args")
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXT, st.sampled_from(["Name", "Builder", "@a"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner)),
)


@given(VALUES)
def test_anything_is_a_document_or_an_error(value: Any):
    for data in (value, {"version": 1, "graph": value}, {"version": 1, "graph": {"@a": value}}):
        try:
            read_document(json.dumps(data).encode())
        except BrambleError as error:
            assert error.code.partition(".")[0] in ("graph", "derivation")


def broken(nodes: Any, **more: Any) -> BrambleError:
    with pytest.raises(BrambleError) as caught:
        read_document(json.dumps({"version": 1, "graph": nodes, **more}).encode())
    return caught.value


def ref(key: str, output: str = "out") -> str:
    return "{{ " + key + ":" + output + " }}"


def node(name: str = "a", builder: str = "t", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Builder": builder, **more}


def test_an_error_begins_with_the_node_and_the_key():
    # spec: derivation.document
    for nodes, code, where in (
        ({"@app": node(Args=["x", 1])}, "graph.encoding", "graph.@app.Args[1]"),
        ({"@app": node(Env={"A": "{{ @no:out }}"})}, "graph.unknown-reference", "graph.@app.Env.A"),
        ({"@app": node(), "@b": node(builder="{{ @app:x }}")}, "graph.unknown-output", "graph.@b.Builder"),
        ({"@app": node("")}, "derivation.name", "graph.@app.Name"),
        ({"@app": node(Sources={"Files": ["../x"]})}, "derivation.sources", "graph.@app.Sources"),
        ({"@app": node(Network=True)}, "derivation.network", "graph.@app.Network"),
        ({"@app": node(Sources={"Files": ["x", 2]})}, "graph.encoding", "graph.@app.Sources.Files[1]"),
    ):
        error = broken(nodes)
        assert (error.code, error.message.partition(":")[0]) == (code, where)


def test_a_label_has_a_form():
    for key in ("@", "@ a", "@a b", "@/x", "@" + "a" * 201, "@a:b", "a" * 31, "A" * 32):
        assert broken({key: node()}).code == "graph.encoding"
    read_document(json.dumps({"version": 1, "graph": {"@" + "a" * 200: node()}}).encode())


def test_numbers_have_their_places():
    for version in (True, 1.0, "1", None, 10**400):
        with pytest.raises(BrambleError):
            read_document(json.dumps({"version": version, "graph": {}}).encode())
    for line in (0, -1, True, "1"):
        places = {"@a": {"file": "f", "line": line}}
        assert broken({"@a": node()}, places=places).code == "graph.encoding"


def test_a_key_that_stands_twice_is_named():
    # spec: derivation.document.duplicate
    text = (
        b'{"version": 1, "graph": {"@a": {"Name": "a", "Builder": "t"}, "@a": {"Name": "b", "Builder": "t"}}}'
    )
    with pytest.raises(BrambleError, match="'@a'") as caught:
        read_document(text)
    assert caught.value.code == "graph.duplicate"


def test_a_long_chain_and_a_long_circle_need_no_recursion():
    # spec: derivation.document.cycle
    nodes = {"@0": node("n0")}
    for number in range(1, 5000):
        nodes[f"@{number}"] = node(f"n{number}", Args=[ref(f"@{number - 1}")])
    document = read_document(json.dumps({"version": 1, "graph": nodes}).encode())
    assert [result.target for result in document.results] == ["n4999"]
    nodes["@0"] = node("n0", Args=["{{ @4999:out }}"])
    assert broken(nodes).code == "graph.cycle"
    assert broken({"@a": node(Args=["{{ @b:out }}"]), "@b": node(Args=["{{ @a:out }}"])}).message.endswith(
        "@a → @b → @a"
    )


def test_deep_nesting_is_an_error():
    with pytest.raises(BrambleError):
        read_document(b'{"version": 1, "graph": ' + b"[" * 100_000)


def test_what_is_lent_can_be_referred_to_and_is_not_in_the_graph():
    lent = DerivationGraph.of([Derivation("tools", parse("t"), outputs=("out", "lib"))])
    (tools,) = lent.derivations
    nodes = {"@a": node(builder="/store/tools/bin/sh", Args=[ref(tools, "lib")])}
    data = json.dumps({"version": 1, "graph": nodes}).encode()
    document = read_document(data, Lent(lent, lambda text: text.replace("/store/tools", ref(tools))))
    (made,) = document.graph.derivations.values()
    assert made.builder.text == ref(tools) + "/bin/sh"
    assert [ref.output for ref in made.dependencies] == ["lib", "out"]
    with pytest.raises(BrambleError):
        read_document(data)


def test_sources_are_lent_too():
    lent = Lent(sources=Sources("", "lib", ("lib/a.c", "lib/b.c")))
    nodes: dict[str, Any] = {"@a": node(Sources={"Files": ["lib/b.c", "lib/a.c"]})}
    (made,) = read_document(
        json.dumps({"version": 1, "graph": nodes}).encode(), lent
    ).graph.derivations.values()
    assert made.sources == Sources("", "lib", ("lib/a.c", "lib/b.c"))
    for sources in ({"Files": ["x"]}, {"Files": ["lib/a.c"], "Location": "other//lib"}):
        with pytest.raises(BrambleError) as caught:
            read_document(json.dumps({"version": 1, "graph": {"@a": node(Sources=sources)}}).encode(), lent)
        assert caught.value.code == "graph.sources"
