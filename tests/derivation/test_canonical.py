"""The canonical bytes of a derivation and the id that is taken from them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.derivation.encoding import canonical_bytes, decode_derivation, derivation_id
from bramble.derivation.gojson import encoded, text, texts
from bramble.derivation.model import Derivation, Sources
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError

parse = Template.parse


def test_the_pinned_vectors_hold():
    assert Derivation("hi", parse("ho")).id == "soen6obfffrahna6ojyc2cgxjx7jcmhv"
    several = Derivation("hi", parse("ho"), outputs=("a", "b", "c"))
    assert several.id == "lvliebpnk6lcalc3sdsvfbrzwlamb4qo"
    assert several.default_output == OutputRef(several.id, "a")
    a = Derivation("a", parse("a"))
    assert a.id == "uyfzbklpblwxplhwei63mtj3pnh2w3yr"
    out = parse(str(a.default_output))
    assert Derivation("b", out, args=(out,)).id == "ojsnyikh3g6gkg2wvzte7mocqbjrgo6y"


def test_everything_that_can_be_written_is_written_in_order():
    derivation = Derivation(
        name="n",
        builder=parse("derivation_output"),
        args=(parse("x"), parse("")),
        env=(("A", parse("1")), ("B", parse("{{ soen6obfffrahna6ojyc2cgxjx7jcmhv:lib }}/l"))),
        sources=Sources("example.com/p", "dir", ("dir/a", "z")),
        outputs=("out",),
        platform="linux-arm64",
        network=True,
        target="wasm",
    )
    assert canonical_bytes(derivation).decode() == (
        '{"Args":["x",""],"Builder":"derivation_output",'
        '"Dependencies":[{"Hash":"soen6obfffrahna6ojyc2cgxjx7jcmhv","Output":"lib"}],'
        '"Env":{"A":"1","B":"{{ soen6obfffrahna6ojyc2cgxjx7jcmhv:lib }}/l"},"Name":"n","Network":true,'
        '"Outputs":["out"],"Platform":"linux-arm64",'
        '"Sources":{"Files":["dir/a","z"],"Location":"example.com/p//dir"},"Target":"wasm"}'
    )


def test_what_is_empty_is_null_and_what_is_off_is_absent():
    assert canonical_bytes(Derivation("hi", parse("ho"))).decode() == (
        '{"Args":null,"Builder":"ho","Dependencies":null,"Env":null,"Name":"hi","Outputs":["out"],'
        '"Platform":"","Sources":{"Files":null,"Location":""}}'
    )


def test_the_root_of_a_package_is_not_the_root_of_the_project():
    here = Derivation("n", parse("b"), sources=Sources("", "", ("a",)))
    there = Derivation("n", parse("b"), sources=Sources("p", "", ("a",)))
    assert b'"Location":""' in canonical_bytes(here)
    assert b'"Location":"p//"' in canonical_bytes(there)


def test_outputs_of_one_derivation_are_sorted_by_their_names():
    names = ["A", "Out", "_", "a", "o", "ou", "out", "out2", "outZ", "out_", "outs", "ouu"]
    refs = [OutputRef("a" * 32, name) for name in names]
    derivation = Derivation("n", parse("".join(map(str, reversed(refs)))))
    assert names == sorted(names)
    assert derivation.dependencies == tuple(refs)
    assert derivation.dependency_texts == [str(ref) for ref in refs]


def test_dependencies_are_sorted_and_named_once():
    first, second = "a" * 32, "b" * 32
    derivation = Derivation(
        "n",
        parse("{{ " + second + ":out }}"),
        args=(parse("{{ " + first + ":z }}{{ " + first + ":a }}{{ " + first + ":z }}"),),
    )
    assert derivation.dependencies == (
        OutputRef(first, "a"),
        OutputRef(first, "z"),
        OutputRef(second, "out"),
    )


@pytest.mark.parametrize(
    ("character", "written"),
    [
        ("<", r"\u003c"),
        (">", r"\u003e"),
        ("&", r"\u0026"),
        ("\u2028", r"\u2028"),
        ("\u2029", r"\u2029"),
        ('"', r"\""),
        ("\\", r"\\"),
        ("\n", r"\n"),
        ("\r", r"\r"),
        ("\t", r"\t"),
        ("\b", r"\u0008"),
        ("\f", r"\u000c"),
        ("\x00", r"\u0000"),
        ("\x1f", r"\u001f"),
        ("\x7f", "\x7f"),
        ("\x80", "\x80"),
        ("/", "/"),
        ("'", "'"),
        ("é", "é"),
        ("😿", "😿"),
        ("\ufeff", "\ufeff"),
        ("\ufffd", "\ufffd"),
        ("\u2027", "\u2027"),
        ("\u202a", "\u202a"),
    ],
)
def test_a_character_is_written_as_the_encoder_of_record_writes_it(character, written):
    assert encoded(text(character)).decode() == f'"{written}"'
    assert encoded(text(f"a{character}b")).decode() == f'"a{written}b"'
    assert encoded(text("\\" + character)).decode() == f'"\\\\{written}"'


def test_text_that_is_no_unicode_is_refused():
    with pytest.raises(BrambleError) as caught:
        canonical_bytes(Derivation("n", parse("b"), args=(parse("caf\udce9"),)))
    assert caught.value.code == "derivation.text"


@given(st.text())
def test_what_is_written_is_json_and_means_what_it_said(value):
    written = encoded(text(value)).decode()
    assert json.loads(written) == value
    assert not set(written) & set("<>&\u2028\u2029\n\x00")


def spelled(character: str) -> str:
    """Return a character as the specification spells it in a string."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if character < " " or character in "<>&\u2028\u2029":
        return short.get(character, f"\\u{ord(character):04x}")
    return short.get(character, character)


@given(st.lists(st.text(st.one_of(st.characters(), st.sampled_from('"\\\b\f\n<&bfu')), max_size=5)))
def test_every_character_of_a_document_is_spelled_for_itself(values):
    plain = ",".join('"' + "".join(map(spelled, value)) + '"' for value in values)
    try:
        expected = f"[{plain}]".encode() if values else b"null"
    except UnicodeEncodeError:
        with pytest.raises(BrambleError) as caught:
            encoded(texts(values))
        assert caught.value.code == "derivation.text"
        assert any(f"the text {ascii(value)} is not Unicode" in caught.value.message for value in values)
    else:
        assert encoded(texts(values)) == expected


words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=6)
templates = st.builds(
    lambda pieces: parse("".join(pieces)),
    st.lists(st.one_of(words, st.just("{{ " + "a" * 32 + ":out }}")), min_size=1, max_size=4),
).filter(lambda template: not str(template).startswith("/"))
paths = st.lists(
    words.filter(lambda word: "/" not in word and word not in (".", "..")), min_size=1, max_size=3
).map("/".join)
sources = st.builds(
    lambda project, location, files: Sources(project, location, tuple(sorted(set(files)))),
    st.sampled_from(["", "example.com/p"]),
    st.one_of(st.just(""), paths),
    st.lists(paths, min_size=1, max_size=3),
)
derivations = st.builds(
    Derivation,
    name=words.filter(lambda name: "/" not in name),
    builder=templates.filter(lambda builder: "_" not in str(builder)),
    args=st.lists(templates, max_size=3).map(tuple),
    env=st.dictionaries(
        words.filter(lambda name: "=" not in name and name != "out"), templates, max_size=3
    ).map(lambda env: tuple(sorted(env.items()))),
    sources=st.one_of(st.just(Sources()), sources),
    outputs=st.just(("out",)),
    network=st.just(False),
    platform=st.sampled_from(["", "linux-amd64"]),
    target=st.one_of(st.just(""), words),
)


@given(derivations)
def test_the_bytes_say_everything_about_a_derivation(derivation):
    data = canonical_bytes(derivation)
    assert decode_derivation(data, expected=derivation.id) == derivation
    assert derivation_id(derivation) == derivation.id
    json.loads(data)


@given(derivations, derivations)
def test_two_derivations_have_one_id_only_when_they_are_equal(one, other):
    assert (one.id == other.id) == (one == other)
