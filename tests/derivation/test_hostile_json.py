"""Graphs and store derivations from anybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.derivation.encoding import (
    canonical_bytes,
    decode_derivation,
    decode_resolved,
    graph_from_json,
    graph_to_json,
)
from bramble.derivation.graph import DerivationGraph
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.resolve import ResolvedDependency, ResolvedDerivation, SourceObject
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError

parse = Template.parse
A = Derivation("a", parse("a"))
B = Derivation(
    "b",
    parse(str(A.default_output)),
    args=(parse("x"),),
    env=(("K", parse("v")),),
    sources=Sources("", "d", ("d/f",)),
)
GRAPH = DerivationGraph.of([A, B])


def code_of(data: bytes) -> str:
    with pytest.raises(BrambleError) as caught:
        graph_from_json(data)
    assert caught.value.message
    return caught.value.code


def changed(**fields: Any) -> bytes:
    """Return a graph of one derivation, B without its reference, with some fields replaced."""
    document = json.loads(canonical_bytes(A))
    document.update(fields)
    return json.dumps({A.id: {key: value for key, value in document.items() if value is not ...}}).encode()


def test_a_graph_survives_the_way_there_and_back():
    text = graph_to_json(GRAPH)
    assert graph_from_json(text.encode()).derivations == GRAPH.derivations
    assert list(json.loads(text)) == sorted([A.id, B.id])


def test_spaces_and_the_order_of_keys_are_free():
    document = json.loads(graph_to_json(GRAPH))
    shuffled = {key: dict(reversed(list(value.items()))) for key, value in reversed(list(document.items()))}
    assert graph_from_json(json.dumps(shuffled, indent=3).encode()).derivations == GRAPH.derivations


def test_an_id_that_is_not_the_digest_is_refused():
    text = graph_to_json(DerivationGraph.of([A])).replace(A.id, "a" * 32)
    assert code_of(text.encode()) == "derivation.encoding"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"{}x",
        b"\xff",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'{"a": {}, "a": {}}',
        b'{"a": NaN}',
        b'{"a": 1}',
        b'{"a": ' + b"9" * 100_000 + b"}",
        b'{"a": 1e999}',
        b'{"a": -Infinity}',
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"\\ud800": {}}',
        b'{"a": "\x00"}',
    ],
)
def test_what_is_no_graph_is_refused_with_one_code(data):
    assert code_of(data) == "derivation.encoding"


@pytest.mark.parametrize(
    "fields",
    [
        {"Args": ...},
        {"Sources": ...},
        {"Args": "x"},
        {"Args": [1]},
        {"Args": [None]},
        {"Args": {"0": "x"}},
        {"Builder": None},
        {"Builder": ["a"]},
        {"Env": []},
        {"Env": {"a": None}},
        {"Env": {"a": True}},
        {"Name": "\ud800"},
        {"Network": "true"},
        {"Network": None},
        {"Outputs": "out"},
        {"Platform": None},
        {"Sources": None},
        {"Sources": {"Files": []}},
        {"Sources": {"Files": None, "Location": "", "Extra": ""}},
        {"Target": None},
        {"Extra": None},
        {"Dependencies": [{"Hash": "a" * 32, "Output": "out"}]},
        {"Dependencies": [{"Hash": "a" * 32}]},
        {"Dependencies": ["x"]},
    ],
)
def test_a_field_of_the_wrong_shape_is_refused(fields):
    assert code_of(changed(**fields)) == "derivation.encoding"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Name": ""}, "derivation.name"),
        ({"Name": "../x"}, "derivation.name"),
        ({"Builder": ""}, "derivation.builder"),
        ({"Builder": "/bin/sh"}, "derivation.builder"),
        ({"Args": ["a\x00b"]}, "derivation.args"),
        ({"Env": {"a=b": "c"}}, "derivation.env"),
        ({"Env": {"out": "c"}}, "derivation.env"),
        ({"Outputs": []}, "derivation.outputs"),
        ({"Outputs": None}, "derivation.outputs"),
        ({"Outputs": ["a", "a"]}, "derivation.outputs"),
        ({"Platform": "linux"}, "derivation.platform"),
        ({"Network": True}, "derivation.network"),
        ({"Sources": {"Files": ["../x"], "Location": ""}}, "derivation.sources"),
        ({"Sources": {"Files": ["/x"], "Location": ""}}, "derivation.sources"),
        ({"Sources": {"Files": ["b", "a"], "Location": ""}}, "derivation.sources"),
        ({"Sources": {"Files": ["a"], "Location": "../.."}}, "derivation.sources"),
        ({"Sources": {"Files": ["a"], "Location": "p//../.."}}, "derivation.sources"),
        ({"Sources": {"Files": ["a"], "Location": "p//q//r"}}, "derivation.sources"),
        ({"Sources": {"Files": None, "Location": "d"}}, "derivation.sources"),
    ],
)
def test_a_derivation_that_breaks_a_rule_is_refused_by_that_rule(fields, code):
    assert code_of(changed(**fields)) == code


def test_a_graph_with_a_hole_is_refused():
    assert code_of(graph_to_json(DerivationGraph.of([B])).encode()) == "derivation.unknown-reference"


def test_a_graph_that_names_an_unknown_output_is_refused():
    b = Derivation("b", parse(str(OutputRef(A.id, "lib"))))
    assert code_of(graph_to_json(DerivationGraph.of([A, b])).encode()) == "derivation.unknown-output"


def test_empty_lists_may_be_written_as_null_or_as_empty():
    document = json.loads(canonical_bytes(A))
    document.update(Args=[], Dependencies=[], Env={})
    assert decode_derivation(json.dumps(document).encode(), expected=A.id) == A


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda children: st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(sorted(json.loads(canonical_bytes(B)))), json_values)
def test_any_value_in_any_field_is_either_accepted_or_an_error_of_the_reader(key, value):
    document = json.loads(canonical_bytes(B))
    document[key] = value
    try:
        decode_derivation(json.dumps(document).encode())
    except BrambleError as error:
        assert error.code.startswith("derivation.")


@given(st.binary(max_size=40))
def test_any_bytes_are_either_a_graph_or_an_error_of_the_reader(data):
    try:
        graph_from_json(data)
    except BrambleError as error:
        assert error.code == "derivation.encoding"


X, Y = "x" * 32, "y" * 32
RESOLVED = ResolvedDerivation(
    name="n",
    builder="b",
    args=("<",),
    env=(("A", "1"), ("B", "2")),
    dependencies=(ResolvedDependency(X, "out", "x.drv"), ResolvedDependency(Y, "out", "y.drv")),
    outputs=("out", "lib"),
    source=SourceObject(Y, "d"),
    platform="linux-amd64",
    target="t",
)
OUTPUTS = {"out": (X, (X, Y)), "lib": (Y, ())}


@pytest.mark.parametrize("outputs", [None, OUTPUTS])
def test_a_store_derivation_survives_the_way_there_and_back(outputs):
    assert decode_resolved(RESOLVED.encode(outputs)) == (RESOLVED, outputs)


def test_a_store_derivation_without_sources_or_with_the_network_survives_too():
    bare = ResolvedDerivation("n", "b", (), (), (), ("out",), None, "linux-amd64")
    assert bare.encode().count(b"Network") == 0
    assert decode_resolved(bare.encode()) == (bare, None)
    online = ResolvedDerivation("n", "b", (), (), (), ("out",), None, "linux-amd64", network=True)
    assert b'"Network":true' in online.encode()
    assert decode_resolved(online.encode()) == (online, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"Args"', b' "Args"'),
        (b"\\u003c", b"<"),
        (b"\\u003c", b"\\u003C"),
        (b'"A":"1","B":"2"', b'"B":"2","A":"1"'),
        (b'"Target":"t"', b'"Target":""'),
        (b',"Target":"t"', b',"Network":false,"Target":"t"'),
        (b'"Path":"/home', b'"Path":"/elsewhere'),
        (b'"Output":"' + X.encode(), b'"Output":"' + b"../../etc/passwd"),
        (b'"Output":"' + X.encode(), b'"Output":"' + b"z" * 32),
        (b'"Path":"' + X.encode(), b'"Path":"'),
        (b'{"Path":"' + Y.encode() + b'","Dependencies":null}', b""),
        (b'["' + X.encode() + b'","' + Y.encode() + b'"]', b'["' + Y.encode() + b'","' + X.encode() + b'"]'),
        (b"}", b"}\n"),
    ],
)
def test_a_store_derivation_in_any_other_spelling_is_refused(before, after):
    data = RESOLVED.encode(OUTPUTS)
    assert before in data
    with pytest.raises(BrambleError) as caught:
        decode_resolved(data.replace(before, after))
    assert caught.value.code == "derivation.encoding"
