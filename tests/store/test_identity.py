from __future__ import annotations

import hashlib
import random
from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.store.digest import digest
from bramble.store.objects import archive, identity
from bramble.store.objects.identity import ERASED, Identity, Meaning, Stream, Text
from bramble.store.path import padded_store_dir, record_prefix
from tests.store.oracle import Exec, Link, Oracle, Tree

OWN, BUILD, SIBLING, FINAL, OTHER, STRANGER = (digest(text.encode()).encode() for text in "abcdef")
HOME = padded_store_dir(b"/home/someone")
LONGER = padded_store_dir(b"/srv/a/much/longer/place/for/a/store")
# A root that looks like a name, so that a name stands in the path of the store itself.
TRICKY = padded_store_dir(b"/" + OWN)


def feed(tree: Tree, stream: Stream, cut: int, directory: bytes = b"") -> None:
    for base in sorted(tree, key=stream.names.hashed):
        node = tree[base]
        if isinstance(node, Link):
            stream.member(directory, base, archive.SYMLINK, 0, 0, node.target)
        elif isinstance(node, dict):
            stream.member(directory, base, archive.DIRECTORY, 0o755)
            feed(node, stream, cut, directory + b"/" + base)
        else:
            data = node.data if isinstance(node, Exec) else node
            mode = 0o755 if isinstance(node, Exec) else 0o644
            stream.member(directory, base, archive.FILE, mode, len(data))
            for at in range(0, len(data), cut):
                stream.content(data[at : at + cut])
            stream.end_of_content(len(data))


class Outcome:
    def __init__(self, tree: Tree, meaning: Meaning, cut: int = 1 << 20) -> None:
        self.edits: list[tuple[int, int, Optional[bytes]]] = []
        self.places: list[int] = []
        stream = Stream(meaning, hashlib.sha256(), self.places, lambda *edit: self.edits.append(edit))
        feed(tree, stream, cut)
        self.identity: Identity = stream.finish()

    @property
    def name(self) -> str:
        return self.identity.name


def meaning(directory: bytes = HOME, **changes: object) -> Meaning:
    return Meaning(
        **{  # type: ignore[arg-type]
            "directory": directory,
            "prefix": record_prefix(),
            "own": OWN,
            "build_name": BUILD,
            "finals": {SIBLING: FINAL},
            "known": frozenset([OTHER]),
            **changes,
        }
    )


def oracle(directory: bytes = HOME) -> Oracle:
    return Oracle(directory, OWN, BUILD, {SIBLING: FINAL})


def pieces(directory: bytes) -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [OWN, BUILD, SIBLING, OTHER, STRANGER, directory, directory + b"/", record_prefix() + b"/", b"/"]
        ),
        st.sampled_from([directory + b"/" + BUILD, directory + b"/" + OWN, directory[:20]]),
        st.sampled_from([OWN[:31], b"x" * 40]),
    )


def contents(directory: bytes) -> st.SearchStrategy[bytes]:
    return st.lists(pieces(directory), max_size=12).map(b"".join)


def trees(directory: bytes) -> st.SearchStrategy[Tree]:
    base = st.one_of(
        st.sampled_from([b"a", b"a-b", b"a.b", b"z", "é".encode()]),
        st.sampled_from([OWN, b"lib" + OWN + b".so", SIBLING, OTHER]),
        st.binary(min_size=1, max_size=120).map(lambda b: b.replace(b"/", b"_").replace(b"\0", b"-")),
    ).filter(lambda name: name not in (b".", b".."))
    node = st.one_of(
        contents(directory),
        contents(directory).map(Exec),
        contents(directory).map(lambda data: Link(data.replace(b"\0", b"-") or b".")),
    )
    return st.recursive(
        st.dictionaries(base, node, max_size=4),
        lambda inner: st.dictionaries(base, st.one_of(node, inner), max_size=3),
        max_leaves=6,
    )


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the stream often, as only very big outputs are cut otherwise."""
    monkeypatch.setattr(identity, "BLOCK_SIZE", 64)


@pytest.mark.parametrize("directory", [HOME, record_prefix(), LONGER, TRICKY])
@settings(max_examples=60, deadline=None)
@given(data=st.data(), cut=st.integers(1, 700))
def test_the_name_is_what_the_chapter_says(directory: bytes, data: st.DataObject, cut: int) -> None:
    tree = data.draw(trees(directory))
    made = Outcome(tree, meaning(directory), cut)
    assert made.name == oracle(directory).name(tree)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), cuts=st.lists(st.integers(1, 300), min_size=2, max_size=4))
def test_nothing_depends_on_how_the_stream_is_cut(data: st.DataObject, cuts: list[int]) -> None:
    tree = data.draw(trees(TRICKY))
    outcomes = [Outcome(tree, meaning(TRICKY), cut) for cut in cuts]
    assert len({outcome.name for outcome in outcomes}) == 1
    for outcome in outcomes[1:]:
        assert outcome.edits == outcomes[0].edits
        assert outcome.places == outcomes[0].places
        assert outcome.identity == outcomes[0].identity


def moved(tree: Tree, old: bytes, new: bytes) -> Tree:
    there: Tree = {}
    for base, node in tree.items():
        if isinstance(node, dict):
            there[base] = moved(node, old, new)
        elif isinstance(node, Link):
            there[base] = Link(node.target.replace(old, new))
        elif isinstance(node, Exec):
            there[base] = Exec(node.data.replace(old, new))
        else:
            there[base] = node.replace(old, new)
    return there


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_same_output_has_the_same_name_in_every_store(data: st.DataObject) -> None:
    tree = data.draw(trees(HOME))
    here = Outcome(tree, meaning(HOME))
    for other in (LONGER, padded_store_dir(b"/x")):
        assert Outcome(moved(tree, HOME, other), meaning(other)).name == here.name


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_is_stored_has_the_name_that_it_was_given(data: st.DataObject) -> None:
    # Own name first: then what is read back is what `publish` leaves on the disk.
    tree = data.draw(trees(HOME))
    first = Outcome(tree, meaning())
    name = first.name.encode()
    names, targets = Text(meaning(), paths=False), Text(meaning(), paths=True)
    files: list[bytearray] = []

    def stored(node: Tree) -> Tree:
        there: Tree = {}
        for base in sorted(node, key=names.hashed):
            child = node[base]
            if isinstance(child, Link):
                there[names.stored(base, name)] = Link(targets.stored(child.target, name))
                continue
            if isinstance(child, dict):
                there[names.stored(base, name)] = stored(child)
                continue
            content = bytearray(child.data if isinstance(child, Exec) else child)
            for file, offset, new in first.edits:
                if file == len(files):
                    content[offset : offset + 32] = new or name
            files.append(content)
            new_content = bytes(content)
            there[names.stored(base, name)] = Exec(new_content) if isinstance(child, Exec) else new_content
        return there

    again = Outcome(stored(tree), meaning(own=name, build_name=b"", finals={}))
    if name not in repr(tree).encode():
        assert again.name == first.name
    assert all(new in (None, ERASED, FINAL) for _, _, new in first.edits)


def test_an_output_without_its_own_name_has_nothing_appended() -> None:
    tree: Tree = {b"hi.txt": b"hi"}
    assert Outcome(tree, meaning()).name == "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r"


def test_nuls_in_the_place_of_the_own_name_make_another_object() -> None:
    with_name = Outcome({b"f": b"<" + OWN + b">"}, meaning()).name
    with_nuls = Outcome({b"f": b"<" + bytes(32) + b">"}, meaning()).name
    assert with_name != with_nuls


def test_the_positions_are_those_in_the_stream() -> None:
    outcome = Outcome({b"f": b"<" + OWN + b">" + OWN, OWN: b""}, meaning())
    # The file that is called by 32 NULs comes first: its name begins behind a slash.
    assert outcome.places == [1, 1024 + 1, 1024 + 34]


def test_the_own_name_in_a_directory_counts_for_all_below_it() -> None:
    outcome = Outcome({OWN: {b"a": b"", b"b": b""}}, meaning())
    assert outcome.places == [1, 513, 1025]


def test_members_are_sorted_by_the_names_that_are_hashed() -> None:
    late = b"z" * 32
    tree: Tree = {late: b"1", b"a": b"2"}
    assert Outcome(tree, meaning(own=late)).name == Outcome({OWN: b"1", b"a": b"2"}, meaning()).name


def test_the_directory_of_the_build_does_not_matter() -> None:
    first = Outcome({b"f": HOME + b"/" + BUILD + b"/main.c"}, meaning())
    other = Outcome({b"f": HOME + b"/" + STRANGER + b"/main.c"}, meaning(build_name=STRANGER))
    assert first.name == other.name
    assert first.edits == [(0, 50, ERASED)]


def test_the_name_of_the_build_directory_alone_is_left_as_it_is() -> None:
    assert Outcome({b"f": b"../" + BUILD}, meaning()).edits == []


def test_another_output_counts_by_its_final_name() -> None:
    temporary = Outcome({b"f": SIBLING, b"l": Link(b"../" + SIBLING), SIBLING: b""}, meaning())
    final = Outcome({b"f": FINAL, b"l": Link(b"../" + FINAL), FINAL: b""}, meaning())
    assert temporary.name == final.name
    assert temporary.identity.references == final.identity.references == {FINAL}


def test_references_are_found_in_contents_targets_and_names() -> None:
    trees_: list[Tree] = [{b"f": b"x" + OTHER}, {b"l": Link(b"../" + OTHER)}]
    trees_ += [{b"lib" + OTHER: b""}, {OTHER: {}}]
    for tree in trees_:
        assert Outcome(dict(tree), meaning()).identity.references == {OTHER}


def test_the_own_name_is_no_reference_and_an_unknown_one_neither() -> None:
    assert Outcome({b"f": OWN + STRANGER}, meaning()).identity.references == frozenset()


def test_an_output_without_a_final_name_yet_is_told_with_the_file_that_holds_it() -> None:
    tree: Tree = {b"a": b"", b"d": {b"f": SIBLING}}
    outcome = Outcome(tree, meaning(finals={}, siblings=frozenset([SIBLING])))
    assert outcome.identity.siblings == {SIBLING: b"/d/f"}


def test_what_only_looks_like_a_name_across_a_header_is_none() -> None:
    # A link target of exactly 100 bytes is followed by "ustar": together they could spell a name.
    crafted = b"b" * 31 + b"u"
    target = b"/" * 69 + b"b" * 31
    outcome = Outcome({b"l": Link(target)}, meaning(own=crafted))
    assert outcome.places == []
    assert outcome.name == Oracle(HOME, crafted, BUILD).name({b"l": Link(target)})


def test_what_only_looks_like_a_store_path_across_a_header_is_none() -> None:
    # The end of a content and the name of the next member together spell the path of the store.
    root, name = HOME.rsplit(b"/", 2)[0], HOME.rsplit(b"/", 2)[1:]
    tree: Tree = {name[0]: {b"a": (b"-" * 512 + root)[-512:], name[1]: b"next"}}
    assert Outcome(tree, meaning()).name == oracle().name(tree)


def test_the_store_path_in_the_path_of_a_member_is_not_replaced() -> None:
    inside: Tree = {b"f": b""}
    for part in reversed(HOME.strip(b"/").split(b"/")):
        inside = {part: inside}
    assert Outcome(inside, meaning()).name == oracle().name(inside)
    assert Outcome(inside, meaning()).name == Outcome(inside, meaning(LONGER)).name


def test_seeded_cuts_through_a_long_file_change_nothing() -> None:
    seeded = random.Random(15837)
    parts = [OWN, SIBLING, OTHER, HOME + b"/" + BUILD, HOME, b"word ", bytes(40), b"a" * 45]
    data = b"".join(seeded.choice(parts) for _ in range(3000))
    want = oracle().name({b"f": data})
    whole = Outcome({b"f": data}, meaning())
    assert whole.name == want
    for cut in (1, 31, 32, 33, 81, 82, 83, 4096):
        again = Outcome({b"f": data}, meaning(), cut)
        assert (again.name, again.edits, again.places) == (want, whole.edits, whole.places)
