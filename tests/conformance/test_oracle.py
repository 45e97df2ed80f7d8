"""The second opinion agrees with values that neither it nor the implementation made."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from conformance import oracle
from conformance.listing import make_tree, parse_listing

D, E, F = "d" * 60, "e" * 60, "f" * 60
RECORD = oracle.PREFIX_OF_RECORD.decode()

# Trees and digests made by the archiver that the format comes from.
VECTORS = {
    "l5yl6gfaqyahafxjjcyev3j3qiidunv6": "",
    "verozi3iupvttjn574h4ijnnfbplzb7g": "dir 0755 a\ndir 0755 a/b\n",
    "vl3rnztinfimffplwkrj45vdt4ihq72e": 'file 0755 foo.txt text "bramble"\n',
    "a4k3mb2crvgczvxcnqa3rv5qniaemcio": 'file 0644 a text "same"\nhard b -> a\n',
    "d6zrfcc2g47rweflmytrcybnonbiupah": (
        "link abs -> /abs/olute\nlink dangling -> missing\ndir 0755 dir\nlink dl -> dir\nlink rel -> t\n"
        'link self -> .\nfile 0644 t text "x"\n'
    ),
    "tnhn47od5qneqjats555lzhyspqyy7ub": f'dir 0755 {D}\ndir 0755 {D}/{E}\nfile 0644 {D}/{E}/{F} text "y"\n',
    "xrsguvewknu65aocsunryvezcdxmat73": ("file 0600 a\nfile 0444 b\nfile 0777 c\nfile 0640 d\ndir 0700 dd\n"),
    "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r": 'file 0644 hi.txt text "hi"\n',
    "46khz5asa2yioynffjfp5jempp6nmlpv": (
        'file 0644 A text "4"\ndir 0755 a\nfile 0644 a-b text "3"\nfile 0644 a.b text "2"\n'
        'file 0644 a/b text "1"\nfile 0644 a0 text "5"\ndir 0755 z\nfile 0644 "z/\\u00e9" text "6"\n'
    ),
}


@pytest.mark.parametrize("digest", sorted(VECTORS))
def test_archives_have_the_digests_of_the_vectors(digest: str, tmp_path: Path) -> None:
    make_tree(str(tmp_path / "t"), parse_listing(VECTORS[digest], {}))
    assert oracle.archive_digest(str(tmp_path / "t")) == digest


def test_the_vector_with_the_prefix_of_record_in_it(tmp_path: Path) -> None:
    content = f"base64 {base64.b64encode(bytes(1000) + RECORD.encode() + bytes(7)).decode()}"
    make_tree(str(tmp_path / "t"), parse_listing(f"file 0644 nul {content}", {}))
    assert oracle.archive_digest(str(tmp_path / "t")) == "54iep2vzvmgluqtqg7b7loifhonchbgz"


def derivation(**fields: object) -> dict[str, object]:
    return {
        "Args": None, "Builder": "ho", "Dependencies": None, "Env": None, "Name": "hi", "Outputs": ["out"],
        "Platform": "", "Sources": {"Files": None, "Location": ""}, **fields,
    }  # fmt: skip


A = "uyfzbklpblwxplhwei63mtj3pnh2w3yr"


def test_derivations_have_the_ids_of_the_vectors() -> None:
    assert oracle.derivation_id(derivation()) == "soen6obfffrahna6ojyc2cgxjx7jcmhv"
    assert oracle.derivation_id(derivation(Outputs=["a", "b", "c"])) == "lvliebpnk6lcalc3sdsvfbrzwlamb4qo"
    assert oracle.derivation_id(derivation(Name="a", Builder="a")) == A
    out = "{{ " + A + ":out }}"
    b = derivation(Name="b", Builder=out, Args=[out], Dependencies=[{"Hash": A, "Output": "out"}])
    assert oracle.derivation_id(b) == "ojsnyikh3g6gkg2wvzte7mocqbjrgo6y"


def test_strings_are_escaped_as_go_does() -> None:
    text = '<>&\u2028\u2029"\\\b\f\n\r\t\x01\x7fé'
    assert oracle.go_json(text) == (
        '"\\u003c\\u003e\\u0026\\u2028\\u2029\\"\\\\\\u0008\\u000c\\n\\r\\t\\u0001\x7fé"'
    )
    assert oracle.go_json("\\b\\u0041") == '"\\\\b\\\\u0041"'


def test_the_store_directory_is_always_as_long(tmp_path: Path) -> None:
    assert oracle.store_directory("/home/maxm/bramble") == "/home/maxm/bramble/bramble_store_padding/bramble_"
    assert oracle.store_directory("/home/bramble/bramble") == RECORD
    for length in range(1, 48):
        assert len(oracle.store_directory("/" + "x" * (length - 1))) == 49
        assert not oracle.store_directory("/" + "x" * (length - 1)).endswith("/")
    with pytest.raises(ValueError):
        oracle.store_directory("/" + "x" * 47)


STORE = "/tmp/s/bramble_store_padding/bramble_store_paddin"


def named(tree: Path, store: str, text: str, self_at: str = "") -> str:
    """Return the name of an object that holds `text`, with {store} and {self} filled in."""
    name = "a" * 32
    tree.mkdir(parents=True)
    (tree / ("f" + self_at)).write_text(text.replace("{store}", store).replace("{self}", name))
    return oracle.object_name(str(tree), name, store)


def test_the_name_of_an_object_does_not_depend_on_where_the_store_is(tmp_path: Path) -> None:
    assert len(STORE) == 49
    for number, text in enumerate(("plain", "in {store}/x", "me {store}/{self}/f {self}")):
        here = named(tmp_path / f"a{number}", STORE, text)
        there = named(tmp_path / f"b{number}", oracle.store_directory("/home/zed"), text)
        assert here == there


def test_an_object_without_references_is_named_by_its_archive(tmp_path: Path) -> None:
    assert named(tmp_path / "t", STORE, "hi") == oracle.archive_digest(str(tmp_path / "t"))


def test_zeros_and_the_own_name_are_told_apart(tmp_path: Path) -> None:
    one = named(tmp_path / "a", STORE, "{self}" + "\0" * 32)
    other = named(tmp_path / "b", STORE, "\0" * 32 + "{self}")
    none = named(tmp_path / "c", STORE, "\0" * 64)
    assert len({one, other, none}) == 3


def test_modes_of_an_object_are_canonical(tmp_path: Path) -> None:
    tree = tmp_path / "t"
    tree.mkdir()
    (tree / "f").write_text("x")
    os.chmod(tree / "f", 0o644)
    plain = oracle.object_name(str(tree), "a" * 32, STORE)
    os.chmod(tree / "f", 0o400)
    assert oracle.object_name(str(tree), "a" * 32, STORE) == plain
    os.chmod(tree / "f", 0o500)
    assert oracle.object_name(str(tree), "a" * 32, STORE) != plain


def test_the_digest_of_a_store_derivation_forgets_outputs_and_known_histories() -> None:
    one = {
        "Args": None, "Builder": "b", "Env": None, "Dependencies": None, "Name": "n", "OutputNames": ["out"],
        "Outputs": None, "Platform": "linux-amd64", "Source": {"RelativeBuildPath": "", "Path": ""},
    }  # fmt: skip
    plain = oracle.store_derivation_digest(one)
    assert oracle.store_derivation_digest({**one, "Outputs": [{"Path": "x", "Dependencies": None}]}) == plain
    known = {"Filename": "a.drv", "OutputName": "out", "Output": "x"}
    with_known = oracle.store_derivation_digest({**one, "Dependencies": [known]})
    assert (
        oracle.store_derivation_digest({**one, "Dependencies": [{**known, "Filename": "b.drv"}]})
        == with_known
    )
    unknown = {**known, "Output": ""}
    assert oracle.store_derivation_digest(
        {**one, "Dependencies": [unknown]}
    ) != oracle.store_derivation_digest({**one, "Dependencies": [{**unknown, "Filename": "b.drv"}]})
    # Two histories of one input are one input.
    assert (
        oracle.store_derivation_digest({**one, "Dependencies": [known, {**known, "Filename": "b.drv"}]})
        == with_known
    )
    with pytest.raises(ValueError):
        oracle.store_derivation_digest({"Name": "n", "Dependencies": None})
