"""Records that are well-formed and wrong: refused by one parser, whatever stands in them."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.store.digest import digest, is_digest
from bramble.store.disk import Realisation, Store
from bramble.store.gc.collect import collect
from bramble.store.history import form
from bramble.store.path import padded_store_dir
from bramble.store.questions.query import labels
from bramble.store.questions.verify import verify
from bramble.store.records.roots import add_root, explicit_roots, projects
from bramble.store.trust import schema
from tests.store.conftest import publish

A, B, C = sorted(digest(text) for text in (b"1", b"2", b"3"))
DIRECTORY = os.fsdecode(padded_store_dir(b""))
OBJECT = {"version": 1, "references": [B, C], "size": 5}
REALISATION = {
    "version": 1,
    "derivation": A + "-hello.drv",
    "outputs": [["out", B], ["lib", C]],
    "sandbox": "landlock",
    "stamps": [["file", "/bin/sh\udcff", "1"]],
}
PROJECT = {
    "version": 1,
    "project": "/p\udcff",
    "results": {"./a:x": [A, B]},
    "former": [C],
    "inputs": [[["./a:x"], B]],
}
ROOT = {"version": 1, "label": "mine", "objects": [A]}
SOURCE = {
    "version": 1,
    "object": A,
    "stamps": base64.b64encode(bytes(2 * schema.STAMP_SIZE)).decode(),
    "contents": base64.b64encode(bytes(2 * schema.CONTENT_SIZE)).decode(),
}
PLACE = {"version": 1, "root": "", "directory": DIRECTORY, "moving": [["", DIRECTORY]]}
BUILD = {
    "version": 1,
    "number": 1,
    "project": "/p\udcff",
    "began": 5,
    "milliseconds": 7,
    "targets": {"p:f": [A]},
    "built": [[A, "one", 3, "", ""]],
    "failed": [[B, "two", 3, "build.failed", "it failed"]],
    "cached": 0,
    "skipped": 2,
    "interrupted": False,
}
KINDS: dict[str, tuple[Callable[[bytes], object], dict[str, Any]]] = {
    "object": (lambda data: schema.stored_object(A, data), OBJECT),
    "realisation": (lambda data: schema.realisation(A, data), REALISATION),
    "project": (schema.project, PROJECT),
    "root": (schema.explicit_root, ROOT),
    "source": (schema.source, SOURCE),
    "place": (schema.place, PLACE),
    "build": (form.build, BUILD),
}
ODD = (
    "Infinity",
    "NaN",
    "-1",
    "1e9",
    "1.0",
    "9" * 5000,
    "true",
    "null",
    '{"x": 1}',
    '[{"x": 1}]',
    '"\\u0000"',
)
NO_NAMES = ("..", ".", "", "/", "../" + A, A + "/..", A + "\0", A.upper(), "\ud800", A + "-x.drv/../../y.drv")


def said(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_is_read(kind: str) -> None:
    read, right = KINDS[kind]
    assert read(said(right))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_its_type_and_none_is_left_over(kind: str) -> None:
    read, right = KINDS[kind]
    for field in right:
        for odd in ODD:
            if field == "interrupted" and odd == "true":
                continue
            text = said({**right, field: "HERE"}).replace(b'"HERE"', odd.encode())
            with pytest.raises(schema.Malformed):
                read(text)
    for wrong in ({**right, "more": 1}, [right], {**right, "version": 0}):
        with pytest.raises(schema.Malformed):
            read(said(wrong))
    for text in (b"", b"\xff", b"[" * 100_000, said(right)[:-1], said(right)[:-1] + b', "version": 1}'):
        with pytest.raises(schema.Malformed):
            read(text)


@pytest.mark.parametrize("name", NO_NAMES)
def test_no_name_leads_out_of_the_store(name: str) -> None:
    for kind, wrong in (
        ("object", {**OBJECT, "references": [name]}),
        ("object", {**OBJECT, "references": [A]}),
        ("object", {**OBJECT, "references": [C, B]}),
        ("realisation", {**REALISATION, "outputs": [["out", name]]}),
        ("realisation", {**REALISATION, "outputs": [[name + "/", B]]}),
        ("realisation", {**REALISATION, "outputs": [["out", B], ["out", C]]}),
        ("realisation", {**REALISATION, "outputs": []}),
        ("realisation", {**REALISATION, "derivation": name}),
        ("realisation", {**REALISATION, "derivation": B + "-hello.drv"}),
        ("realisation", {**REALISATION, "sandbox": "mine"}),
        ("project", {**PROJECT, "results": {"x": [name]}}),
        ("project", {**PROJECT, "former": [name]}),
        ("project", {**PROJECT, "project": "relative"}),
        ("root", {**ROOT, "objects": [name]}),
        ("root", {**ROOT, "label": "\ud800"}),
        ("source", {**SOURCE, "object": name}),
        ("place", {**PLACE, "moving": [["/a", "b"]]}),
    ):
        with pytest.raises(schema.Malformed):
            KINDS[kind][0](said(wrong))


def test_of_a_later_version_only_that_is_read() -> None:
    assert schema.place(said({"version": 2, "anything": [0]})).version == 2


def test_a_recipe_gives_only_names_that_can_be_in_a_store() -> None:
    dependencies = [
        {"Filename": A + "-a.drv", "Output": B},
        {"Filename": "../../etc/passwd", "Output": "../x"},
        {"Filename": 3},
    ]
    found = schema.recipe(said({"Dependencies": dependencies, "Source": {"Path": "/x/" + C}}))
    assert found == schema.Recipe((A + "-a.drv",), (B,), C)
    for wrong in ({"Dependencies": [1]}, {"Dependencies": 1}, []):
        with pytest.raises(schema.Malformed):
            schema.recipe(said(wrong))
    assert schema.recipe(said({"Source": 1})) == schema.Recipe()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(NO_NAMES),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), number=st.integers(0, 5), value=JSON)
def test_any_value_anywhere_is_read_or_refused(kind: str, number: int, value: object) -> None:
    read, right = KINDS[kind]
    field = sorted(right)[number % len(right)]
    found = schema.or_none(read, said({**right, field: value}))
    if kind == "object" and found is not None:
        assert all(map(is_digest, found.references))


@settings(max_examples=80, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), at=st.integers(0, 400), new=st.binary(max_size=3))
def test_any_byte_may_be_another(kind: str, at: int, new: bytes) -> None:
    read, right = KINDS[kind]
    text = said(right)
    at %= len(text)
    schema.or_none(read, text[:at] + new + text[at + 1 :])


def everything_asked(store: Store, name: str) -> None:
    """Ask a store all that depends on its records; what is wrong is a BrambleError, or nothing."""
    for ask in (
        lambda: store.realisation(A),
        lambda: store.closure([name]),
        lambda: store.first_missing([name]),
        lambda: list(projects(store)),
        lambda: explicit_roots(store),
        lambda: labels(store),
        lambda: collect(store, dry_run=True),
        lambda: verify(store),
    ):
        try:
            ask()
        except BrambleError as error:
            assert error.remedy


@pytest.fixture
def filled(store: Store) -> tuple[Store, str]:
    name = publish(store, {b"f": b"1"})["out"].name
    store.write_derivation(A + "-hello.drv", b"{}")
    store.record_realisation(Realisation(A, A + "-hello.drv", (("out", name),)))
    store.record_roots("/", {"./a:x": [name]})
    add_root(store, "mine", [name])
    return store, name


def test_mutated_records_are_never_a_traceback(filled: tuple[Store, str]) -> None:
    store, name = filled
    chance = random.Random(5)
    files = [path for path in Path(store.var).glob("*/*") if path.is_file() and path.stat().st_size]
    assert len(files) == 4
    for path in files:
        right = path.read_bytes()
        for _ in range(12):
            at = chance.randrange(len(right))
            odd = chance.choice([*ODD, *map(repr, NO_NAMES)]).encode("utf-8", "backslashreplace")
            path.write_bytes(right[:at] + odd + right[at + chance.randrange(9) :])
            everything_asked(Store.open(store.root), name)
        path.write_bytes(right)
    assert store.realisation(A) is not None


def no_file(path: str, kind: str) -> None:
    """Put something that is no file at `path`."""
    if kind == "link":
        os.symlink("/dev/zero", path)
    elif kind == "dangling":
        os.symlink("nowhere", path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
    elif kind == "large":
        with open(path, "wb") as file:
            file.truncate(1 << 40)
    else:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "directory", "socket", "large", "device"])
def test_what_is_no_file_is_no_record(filled: tuple[Store, str], kind: str) -> None:
    store, name = filled
    if kind == "device" and os.geteuid() != 0:
        pytest.skip("only root can make a device")
    paths = [path for path in Path(store.var).glob("*/*") if path.is_file() and path.stat().st_size]
    for path in paths:
        os.rename(path, store.root + "/aside")
        no_file(str(path), kind)
        everything_asked(Store.open(store.root), name)
        (os.rmdir if kind == "directory" else os.unlink)(path)
        os.rename(store.root + "/aside", path)


@pytest.mark.parametrize("kind", ["roots", "projects"])
def test_a_damaged_root_stops_a_collection(filled: tuple[Store, str], kind: str) -> None:
    store, name = filled
    (path,) = Path(store.var, kind).iterdir()
    path.write_text('{"version": 1, "label": "mine", "objects": [".."]}')
    os.unlink(next(Path(store.var, "projects" if kind == "roots" else "roots").iterdir()))
    with pytest.raises(BrambleError) as caught:
        collect(store)
    assert caught.value.code == "store.damaged-record"
    assert str(path) in caught.value.message
    assert store.contains(name)


@pytest.mark.parametrize(
    "stamps",
    (
        "x",
        ["file"],
        [["file"], None],
        [["file", 1]],
        [["file", ["x"]]],
        [["file", "\0"]],
        [["x", "\ud800"]],
        [{}],
    ),
)
def test_stamps_are_lists_of_texts(stamps: object) -> None:
    with pytest.raises(schema.Malformed):
        schema.realisation(A, said({**REALISATION, "stamps": stamps}))


@st.composite
def nearly_plain(draw: st.DrawFn, record: dict[str, Any]) -> bytes:
    """Return a record as it is written, or with a few bytes of it replaced, left out or added."""
    data = bytearray(json.dumps(record).encode())
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.sampled_from(PIECES))
    return bytes(data)


PIECES = (
    b"",
    b" ",
    b"a",
    b"0",
    b"-",
    b'"',
    b"\\",
    b"/",
    b"\n",
    b"\x7f",
    b"\xc3\xa9",
    b'", "',
    b"[]",
    b"1e3",
    b"A",
)
OUTPUTS = st.sampled_from([[["out", B]], [["out", B], ["lib", C]], [["lib", B]], []])
NAMES = st.sampled_from(["-hello.drv", "-a b.drv", "-\u00e9.drv", "-a/b.drv", '-".drv', ".drv", "-"])
REFERENCES = st.lists(st.sampled_from([A, B, C]), max_size=3)
SIZES = st.sampled_from([0, 1, -1, 10**17, 2**63 - 1, 2**63, True])


@given(data=st.data())
def test_records_mean_the_same_whether_they_are_read_as_plain_ones_or_as_json(data: st.DataObject) -> None:
    realisation = {
        **REALISATION,
        "derivation": A + data.draw(NAMES),
        "outputs": data.draw(OUTPUTS),
        "stamps": [],
    }
    stored = {**OBJECT, "references": data.draw(REFERENCES), "size": data.draw(SIZES)}
    for kind, record in (("realisation", realisation), ("object", stored)):
        read = KINDS[kind][0]
        text = data.draw(nearly_plain(record))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(schema, "_PLAIN_OBJECT", re.compile(b"(?!)"))
            patch.setattr(schema, "_PLAIN_REALISATION", re.compile("(?!)"))
            strict = meaning(read, text)
        assert meaning(read, text) == strict


def meaning(read: Callable[[bytes], object], data: bytes) -> object:
    """Return what is read, or that nothing can be."""
    try:
        return read(data)
    except schema.Malformed:
        return None


@pytest.mark.parametrize("field", ["stamps", "contents"])
@pytest.mark.parametrize("wrong", ["", "A", "AAAA", "!" + SOURCE["stamps"][1:], SOURCE["stamps"] + " "])
def test_stamps_and_contents_of_sources_are_of_as_many_files_each_whole(field: str, wrong: str) -> None:
    with pytest.raises(schema.Malformed):
        schema.source(said({**SOURCE, field: wrong}))
