"""The format of a registry: what is written is read again, and everything else is an error with a code."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.packages.registry.checkpoint import (
    Checkpoint,
    checkpoint_of,
    refuse_rewritten,
    signed_form,
    verified,
)
from bramble.packages.registry.documents import (
    Documentation,
    Function,
    Listed,
    Module,
    PackageList,
    Requirement,
    documentation_document,
    list_document,
    parse_documentation,
    parse_list,
    parse_versions,
    versions_document,
)
from bramble.packages.registry.index import Entry, all_entries, entries_of, line, parse_lines
from bramble.packages.registry.layout import Kind, Route, path_of, route, url_of, versions_path
from bramble.packages.registry.releases import Release, parse_release
from tests.packages.registry.signing import Signer, make_signer

COMMIT, OTHER = "5d41402abc4b2a76b9719d911017c592ae5a6bf1", "0" * 64
DIGEST = "uw5ichj6dhcccmcts6p7jq6etzlh5baf"
LIB = Entry("example.com/lib", "1.2.0", COMMIT, DIGEST)
DEEP = Entry("example.com/lib/deep", "2.0.0-rc.1", OTHER, DIGEST)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("keys"))


def refused(code: str, deed, *arguments: object) -> str:
    with pytest.raises(BrambleError) as caught:
        deed(*arguments)
    assert caught.value.code == code
    assert caught.value.remedy
    return str(caught.value)


NAMES = st.from_regex(r"[a-z0-9_]{1,5}\.[a-z]{2}(/[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,5}){1,3}", fullmatch=True)
VERSIONS = st.from_regex(r"[1-9]\.[0-9]\.[0-9](-[a-z]{1,3}(\.[1-9])?)?", fullmatch=True)
ENTRIES = st.lists(
    st.builds(Entry, NAMES, VERSIONS, st.sampled_from([COMMIT, OTHER]), st.just(DIGEST)),
    unique_by=lambda one: one[:2],
    max_size=6,
)


@settings(max_examples=40)
@given(ENTRIES, st.integers(0, 6))
def test_entries_are_read_as_they_were_written_in_one_piece_or_two(entries: list[Entry], at: int) -> None:
    head, tail = (b"".join(map(line, part)) for part in (entries[:at], entries[at:]))
    assert parse_lines(head + tail) == tuple(entries) == parse_lines(head) + parse_lines(tail, head)
    assert list(all_entries(head + tail)) == entries
    for entry in entries:
        assert entry in entries_of(head + tail, entry.name)


def test_a_package_in_a_directory_of_another_one_is_another_one() -> None:
    index = line(DEEP) + line(LIB) + line(LIB._replace(version="1.10.0"))
    assert [one.version for one in entries_of(index, LIB.name)] == ["1.2.0", "1.10.0"]
    assert entries_of(index, "example.com/li") == entries_of(index, "xample.com/lib") == ()
    assert entries_of(index, "example.com/l.b") == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/lib 1.2.0\n",
        f"example.com/lib  1.2.0 {COMMIT} {DIGEST}\n",
        f"example.com/lib 1.2.0 {COMMIT} {DIGEST} \n",
        f"example.com/lib 1.2.0 {COMMIT} {DIGEST}",  # cut off
        f"example.com/lib 1.2.0 {COMMIT} {DIGEST}\r\n",
        f"example.com/lib 1.2.0 {COMMIT.upper()} {DIGEST}\n",
        f"example.com/lib 1.2.0 {COMMIT[1:]} {DIGEST}\n",
        f"example.com/lib 1.2.0 {COMMIT} {DIGEST[1:]}1\n",
        f"example.com/lib 1.2 {COMMIT} {DIGEST}\n",
        f"example.com/lib v1.2.0 {COMMIT} {DIGEST}\n",
        f"example.com/lib 1.2.0+x {COMMIT} {DIGEST}\n",
        f"example.com/lib 01.2.0 {COMMIT} {DIGEST}\n",
        f"example.com/../lib 1.2.0 {COMMIT} {DIGEST}\n",
        f"/example.com/lib 1.2.0 {COMMIT} {DIGEST}\n",
        f"example.com//lib 1.2.0 {COMMIT} {DIGEST}\n",
        f"example.com 1.2.0 {COMMIT} {DIGEST}\n",
        f"lib/x 1.2.0 {COMMIT} {DIGEST}\n",
        f"example.com/lib@all 1.2.0 {COMMIT} {DIGEST}\n",
        f"example.com/l\x1b[2Jib 1.2.0 {COMMIT} {DIGEST}\n",
        f"example.com/zoë 1.2.0 {COMMIT} {DIGEST}\n",
        f"example.com/{'l' * 250} 1.2.0 {COMMIT} {DIGEST}\n",
    ],
)
def test_what_is_no_line_is_refused_at_its_line(text: str) -> None:
    data = line(DEEP) + text.encode()
    if text:
        shown = refused("registry.index", parse_lines, data)
        assert " index:2:" in shown and "\x1b" not in shown
        assert " index:2:" in refused("registry.index", parse_lines, text.encode(), line(DEEP))
    name, _, rest = text.rstrip("\n").partition(" ")
    words = rest.split(" ")
    if len(words) == 3 and text.endswith("\n"):
        refused("registry.index", line, Entry(name, *words))


def test_a_version_stands_once() -> None:
    again = line(LIB._replace(commit=OTHER))
    assert " index:2:" in refused("registry.index", parse_lines, line(LIB) + again)
    assert " index:3:" in refused("registry.index", parse_lines, again, line(DEEP) + line(LIB))


def test_an_index_without_end_is_refused() -> None:
    refused("registry.index", parse_lines, bytes(1), bytes(128 << 20))


def test_a_checkpoint_is_verified_with_the_key_that_is_trusted(signer: Signer) -> None:
    index = line(LIB) + line(DEEP)
    checkpoint = checkpoint_of("packages.example.com", index)
    data = signed_form(checkpoint, signer.sign(checkpoint.text))
    assert verified(data, signer.key) == checkpoint
    assert checkpoint.size == len(index)
    refuse_rewritten(None, checkpoint, index)
    refuse_rewritten(None, checkpoint, index + b"not yet")
    refuse_rewritten(checkpoint_of("packages.example.com", line(LIB)), checkpoint, index)
    refuse_rewritten(checkpoint, checkpoint, index)


def test_what_another_has_signed_or_for_another_purpose_is_refused(signer: Signer, tmp_path) -> None:
    checkpoint = checkpoint_of("o", line(LIB))
    data = signed_form(checkpoint, signer.sign(checkpoint.text))
    other = make_signer(tmp_path)
    shown = refused("registry.signature", verified, data, other.key)
    assert signer.key.split()[1] in shown and other.key.split()[1] in shown
    for wrong in (
        signed_form(checkpoint, signer.sign(checkpoint.text, "bramble-index")),
        signed_form(checkpoint, signer.sign(checkpoint.text + b"\n")),
        data.replace(b"\no\n", b"\np\n"),
        checkpoint.text,
        data + b"x",
        data[:-60],
    ):
        refused("registry.signature", verified, wrong, signer.key)
    refused("config.registries", verified, data, "ssh-ed25519 AAAA")
    refused("config.registries", verified, data, "ssh-dss " + signer.key.split()[1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        f"bramble registry 2\no\n0\n{'0' * 64}\n",
        f"bramble registry 1\n\n0\n{'0' * 64}\n",
        f"bramble registry 1\no x\n0\n{'0' * 64}\n",
        f"bramble registry 1\no\x1b\n0\n{'0' * 64}\n",
        f"bramble registry 1\no\n-1\n{'0' * 64}\n",
        f"bramble registry 1\no\n00\n{'0' * 64}\n",
        f"bramble registry 1\no\n{'9' * 30}\n{'0' * 64}\n",
        f"bramble registry 1\no\n{(128 << 20) + 1}\n{'0' * 64}\n",
        f"bramble registry 1\no\n0\n{'0' * 63}\n",
        f"bramble registry 1\no\n0\n{'A' * 64}\n",
        f"bramble registry 1\nö\n0\n{'0' * 64}\n",
        "x" * 70000,
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str, signer: Signer) -> None:
    assert "\x1b" not in refused("registry.checkpoint", verified, text.encode(), signer.key)


def test_an_origin_is_a_word() -> None:
    for origin in ("", "a b", "a\n0", "ö", "x" * 256):
        refused("registry.checkpoint", checkpoint_of, origin, b"")


def test_history_goes_on_and_never_back() -> None:
    one, two = line(LIB), line(LIB) + line(DEEP)
    before, now = checkpoint_of("o", two), checkpoint_of("o", one)
    assert str(before.size) in refused("registry.history", refuse_rewritten, before, now, one)
    moved = line(LIB._replace(commit=OTHER)) + line(DEEP)
    rewritten = checkpoint_of("o", moved)
    shown = refused("registry.history", refuse_rewritten, now, rewritten, moved)
    assert now.sha256 in shown
    same_size = line(LIB._replace(digest=DIGEST[::-1])) + line(DEEP)
    shown = refused("registry.history", refuse_rewritten, before, checkpoint_of("o", same_size), same_size)
    assert before.sha256 in shown and checkpoint_of("o", same_size).sha256 in shown
    refused("registry.history", refuse_rewritten, now, checkpoint_of("p", two), two)
    refused("registry.index", refuse_rewritten, now, before, two[:-1])
    refused("registry.index", refuse_rewritten, None, before, moved)
    refused("registry.index", refuse_rewritten, None, Checkpoint("o", len(two), "0" * 64), two)


@settings(max_examples=40)
@given(NAMES, VERSIONS)
def test_a_path_means_what_it_was_made_for(name: str, version: str) -> None:
    assert route(versions_path(name)) == Route(Kind.VERSIONS, name)
    for kind in (Kind.CONFIG, Kind.SOURCE, Kind.DOCS):
        found = route(path_of(kind, Release(name, version)))
        assert found is not None and (found.kind, found.release) == (kind, Release(name, version))
    assert parse_release(f"{name}@{version}") == (name, version)
    assert url_of("https://r.example/x/", versions_path(name)).startswith("https://r.example/x/package/v")


@pytest.mark.parametrize(
    "path",
    [
        *("", "/index", "index/", "package", "package/", "package/versions/", "package/versions/@all"),
        *("package/versions/example.com/lib", "package/config/example.com/lib", "package/config/@1.0.0"),
        *("package/source/../../etc/passwd@1.0.0", "package/source/example.com/../lib@1.0.0"),
        *("package/source/example.com/lib@1.0.0/x", "package/other/example.com/lib@1.0.0"),
        *("package/source/example.com/lib@1.0.0@1.0.0", "package/source/example.com/lib@latest"),
        *("package/versions/example.com/lib@all@all", "package/source/example.com/lib%40x@1.0.0"),
        *("package/source//example.com/lib@1.0.0", "package/source/example.com/l\0b@1.0.0", "Index"),
    ],
)
def test_any_other_path_means_nothing(path: str) -> None:
    assert route(path) is None


DOCS = Documentation(
    LIB.name,
    "1.2.0",
    "Zoë's \x1b library",
    (Module(LIB.name, "All.", (Function("f", "a, b = 1", "Does f."), Function("g", "", ""))),),
    (Requirement("example.com/base", "1.0.0"), Requirement("odd", "", "main")),
    ("tools",),
)
LIST = PackageList(18, (Listed(LIB.name, "1.2.0", "ü", ("example.com/base",), 3),))


def test_documents_are_read_as_they_were_written() -> None:
    assert parse_versions(versions_document(LIB.name, [LIB])) == (LIB,)
    assert parse_documentation(documentation_document(DOCS)) == DOCS
    assert parse_list(list_document(LIST)) == LIST
    more = json.loads(list_document(LIST))
    more["later"] = {"key": [None]}
    assert parse_list(json.dumps(more).encode()) == LIST


def broken(document: object) -> list[object]:
    """Return the document with each of its values, wherever it stands, taken away or another."""
    found: list[object] = []
    if isinstance(document, dict):
        for key, value in document.items():
            if key != "impure":  # it may be left out
                found.append({name: one for name, one in document.items() if name != key})
            changed: list[object] = [None, 1.5, -1, True, {}, "\ud800", [1], *broken(value)]
            found += [{**document, key: one} for one in changed]
    if isinstance(document, list):
        found += [[one] for item in document for one in broken(item)]
    return found


@pytest.mark.parametrize(
    ("data", "parse"),
    [
        (versions_document(LIB.name, [LIB]), parse_versions),
        (documentation_document(DOCS), parse_documentation),
        (list_document(LIST), parse_list),
    ],
)
def test_documents_of_another_form_are_refused(data: bytes, parse) -> None:
    for document in broken(json.loads(data)):
        refused("registry.document", parse, json.dumps(document).encode())
    for text in (
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100000,
        b'{"version": 1e999}',
        b'{"version": ' + b"1" * 9999,
    ):
        refused("registry.document", parse, text)
    refused("registry.document", parse, data.replace(b"example.com/lib", b"example.com/../x"))
    refused("registry.document", parse, data + b" " * (64 << 20))


def test_a_document_of_nothing_but_brackets_is_not_even_read() -> None:
    bomb = b'{"version":1,"size":0,"packages":[' + b"[]," * 2_100_000 + b"[]]}"
    assert "arrays" in refused("registry.document", parse_list, bomb)


def test_no_document_is_written_that_nobody_reads() -> None:
    refused("registry.document", documentation_document, DOCS._replace(description="x" * (8 << 20)))
