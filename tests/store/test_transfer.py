from __future__ import annotations

import io
import os
import re
import tarfile
import tracemalloc
from pathlib import Path
from pprint import pformat
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Store
from bramble.store.objects import archive
from bramble.store.path import record_prefix
from bramble.store.questions.verify import verify
from bramble.store.transfer.stream import MAGIC, export_objects, import_objects
from bramble.store.tree.unpack import Rewriter
from tests.store.conftest import grown, publish
from tests.store.oracle import Exec, Link, Oracle, Tree

OUT, BUILD = digest(b"out"), digest(b"build")
FILE, DIRECTORY, SYMLINK = archive.FILE, archive.DIRECTORY, archive.SYMLINK


@pytest.fixture
def other(place: str) -> Store:
    return Store.open(place + "/another/longer/root")


def export(store: Store, *names: str, closure: bool = True) -> bytes:
    out = io.BytesIO()
    export_objects(store, names, out.write, closure=closure)
    return out.getvalue()


def family(store: Store) -> list[str]:
    here = os.fsencode(store.directory)
    base = publish(store, {b"sh": Exec(b"#!" + here), OUT.encode(): Link(OUT.encode())}, own=OUT)["out"].name
    paths = [here + b"/" + name.encode() for name in (base, OUT, BUILD)]
    tree: Tree = {
        b"run": Exec(b" ".join(paths)),
        b"l": Link(here + b"/" + base.encode()),
        b"d": {b"e": {}, b"n" * 200: b"x" * 70000 + here},
        OUT.encode(): b"",
        b"zz": b"",
    }
    top = publish(store, tree, own=OUT, closure=(base,), build_name=BUILD)["out"].name
    return [base, top]


def test_what_is_imported_elsewhere_has_the_same_names(store: Store, other: Store) -> None:
    base, top = family(store)
    stream = export(store, top)
    report = import_objects(other, io.BytesIO(stream).read)
    assert report.imported == (base, top)
    assert other.references(top) == (base,)
    assert verify(other).damages == ()
    here, there = os.fsencode(store.directory), os.fsencode(other.directory)
    tree = grown(other.object_path(top))
    assert tree[b"l"] == Link(there + b"/" + base.encode())
    ours = pformat(grown(store.object_path(top)), width=1 << 20).encode()  # sorted, and each name on one line
    assert ours.replace(here, there) == pformat(tree, width=1 << 20).encode()
    assert os.listdir(other.var + "/work") == []
    assert export(other, top) == stream


def test_nothing_in_an_export_tells_where_it_was_made(store: Store) -> None:
    stream = export(store, *family(store))
    assert os.fsencode(store.root) not in stream
    assert record_prefix() in stream


def test_the_archive_in_an_export_is_one_that_tar_can_read(store: Store) -> None:
    name = publish(store, {b"d": {b"f": b"content"}, b"l": Link(b"d")})["out"].name
    stream = export(store, name)
    first = MAGIC + b"object " + name.encode() + b"\n"
    assert stream.startswith(first)
    with tarfile.open(fileobj=io.BytesIO(stream[len(first) :])) as tar:
        assert [member.name for member in tar] == ["/d", "/d/f", "/l"]
    assert stream.endswith(b"end 1\n")


@pytest.mark.parametrize("what", ["content", "own name", "record"])
def test_a_damaged_object_is_named_by_the_one_who_exports_it(store: Store, other: Store, what: str) -> None:
    base, top = family(store)
    if what == "record":
        Path(store.var, "objects", base).write_text(f'{{"version": 1, "references": ["{top}"], "size": 1}}')
        store.forget(base)
    else:
        file = Path(store.object_path(base), "sh" if what == "content" else base)
        os.chmod(store.object_path(base), 0o755)
        os.chmod(store.object_path(base) + "/sh", 0o755)
        if what == "content":
            file.write_text("another")
        else:
            file.rename(file.with_name(OUT))
    out = io.BytesIO()
    with pytest.raises(BrambleError) as caught:
        export_objects(store, [base], out.write, closure=what == "record")
    assert caught.value.code == "store.export-damaged"
    assert base in caught.value.message
    with pytest.raises(BrambleError):
        import_objects(other, io.BytesIO(out.getvalue()).read)
    assert not other.contains(base)


def test_what_is_there_already_is_passed_over(store: Store, other: Store) -> None:
    base, top = family(store)
    stream = export(store, top)
    import_objects(other, io.BytesIO(export(store, base)).read)
    seen: list[tuple[str, bool]] = []
    report = import_objects(other, io.BytesIO(stream).read, on_object=lambda *object_: seen.append(object_))
    assert (report.present, report.imported) == ((base,), (top,))
    assert seen == [(base, False), (top, True)]


def test_a_stream_may_come_in_any_pieces(store: Store, other: Store) -> None:
    *_, top = family(store)
    stream = io.BytesIO(export(store, top))
    assert len(import_objects(other, lambda size: stream.read(min(size, 777))).imported) == 2
    assert verify(other).damages == ()


def test_an_empty_export_is_an_export(store: Store, other: Store) -> None:
    assert export(store) == MAGIC + b"end 0\n"
    assert import_objects(other, io.BytesIO(export(store)).read).imported == ()


def refuse(store: Store, stream: bytes, *, max_size: Optional[int] = None) -> BrambleError:
    with pytest.raises(BrambleError) as caught:
        import_objects(store, io.BytesIO(stream).read, max_size=max_size)
    assert os.listdir(store.var + "/work") == []
    assert verify(store).damages == ()
    assert caught.value.remedy
    return caught.value


def test_a_stream_that_is_cut_anywhere_is_refused(store: Store, place: str) -> None:
    name = publish(store, {b"f": b"content"})["out"].name
    stream = export(store, name)
    for cut in [*range(0, 60, 7), 100, 511, 560, 1000, 1200, len(stream) - 1, len(stream) - 5]:
        target = Store.open(f"{place}/t{cut}")
        assert refuse(target, stream[:cut]).code == "store.import-malformed"
        target.close()


def test_any_changed_byte_is_refused(store: Store, place: str) -> None:
    name = publish(store, {b"a" * 120: b"content", b"l": Link(b"t")}, own=OUT)["out"].name
    stream = export(store, name)
    target = Store.open(place + "/t")
    positions = [*range(60), *range(60, len(stream) - 6, 37)]
    for position in positions:
        changed = bytearray(stream)
        changed[position] ^= 1
        code = refuse(target, bytes(changed)).code
        assert code.startswith("store.import-"), (position, code)
    assert target.names() == []


def test_a_forged_name_is_refused(store: Store, other: Store) -> None:
    name = publish(store, {b"f": b"evil"})["out"].name
    wanted = publish(store, {b"f": b"good"})["out"].name
    stream = export(store, name).replace(name.encode(), wanted.encode())
    assert refuse(other, stream).code == "store.import-mismatch"
    assert other.names() == []


def test_what_is_referred_to_must_come_first(store: Store, other: Store) -> None:
    base, top = family(store)
    assert refuse(other, export(store, top, closure=False)).code == "store.import-references"
    first, second = export(store, base)[len(MAGIC) : -6], export(store, top, closure=False)[len(MAGIC) : -6]
    assert refuse(other, MAGIC + second + first + b"end 2\n").code == "store.import-references"
    assert other.names() == []
    assert len(import_objects(other, io.BytesIO(MAGIC + first + second + b"end 2\n").read).imported) == 2


def test_a_reference_that_is_not_there_is_not_believed(store: Store, other: Store) -> None:
    one, two = (publish(store, {b"f": text})["out"].name for text in (b"1", b"2"))
    stream = export(store, one)[:-6] + export(store, two)[len(MAGIC) : -6] + b"end 2\n"
    forged = stream.replace(f"object {two}".encode(), f"object {two} {one}".encode())
    assert refuse(other, forged).code == "store.import-references"
    assert other.references(two) == ()


def test_a_reference_that_is_kept_secret_is_found(store: Store, other: Store) -> None:
    base, top = family(store)
    forged = export(store, top).replace(f"object {top} {base}".encode(), f"object {top}".encode())
    import_objects(other, io.BytesIO(forged).read)
    assert other.references(top) == (base,)


@pytest.mark.parametrize("count", [b"0", b"2", b"", b"x", b"1 "])
def test_the_number_of_objects_must_be_right(store: Store, other: Store, count: bytes) -> None:
    name = publish(store, {b"f": b"1"})["out"].name
    stream = export(store, name)[:-6] + b"end " + count + b"\n"
    assert refuse(other, stream).code == "store.import-malformed"


def test_nothing_may_follow_the_end(store: Store, other: Store) -> None:
    assert refuse(other, export(store) + b"x").code == "store.import-malformed"


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh9"])
def test_a_compressed_stream_is_told_how_to_unpack(other: Store, start: bytes) -> None:
    caught = refuse(other, start + bytes(100))
    assert caught.code == "store.import-compressed"
    assert "| bramble store import" in str(caught.remedy)


def test_a_stream_of_a_newer_version_is_told(other: Store) -> None:
    assert refuse(other, b"bramble-objects 2\n").code == "store.import-newer"
    assert refuse(other, b"something else\n").code == "store.import-malformed"


def test_more_than_is_allowed_is_refused_before_it_is_written(store: Store, other: Store) -> None:
    name = publish(store, {b"f": bytes(1 << 20)})["out"].name
    caught = refuse(other, export(store, name), max_size=1 << 19)
    assert caught.code == "store.import-too-big"
    # A header that promises a terabyte costs nothing.
    head = archive.header(b"/f", FILE, 0o644, 1 << 40).data
    assert refuse(other, MAGIC + b"object " + name.encode() + b"\n" + head, max_size=1).code == caught.code


def member(name: bytes, kind: bytes = FILE, data: bytes = b"", mode: int = 0, target: bytes = b"") -> bytes:
    mode = mode or {FILE: 0o644, DIRECTORY: 0o755, SYMLINK: 0o777}.get(kind, 0o644)
    head = archive.header(name, kind, mode, len(data), target).data
    return head + data + bytes(archive.padding(len(data)))


@pytest.mark.parametrize(
    "members",
    [
        [member(b"/../evil")],
        [member(b"/d/", DIRECTORY), member(b"/d/../../evil")],
        [member(b"//etc/passwd")],
        [member(b"etc/passwd")],
        [member(b"/.")],
        [member(b"/d/..", DIRECTORY)],
        [member(b"/l", SYMLINK, target=b"/tmp"), member(b"/l/evil")],
        [member(b"/l", SYMLINK, target=b"/tmp"), member(b"/l/", DIRECTORY)],
        [member(b"/f"), member(b"/f")],
        [member(b"/f", SYMLINK, target=b"/etc/passwd"), member(b"/f", data=b"x")],
        [member(b"/b"), member(b"/a")],
        [member(b"/d/f")],
        [member(b"/d/", DIRECTORY), member(b"/e/", DIRECTORY), member(b"/d/f")],
        [member(b"/f", mode=0o4755)],
        [member(b"/f", mode=0o666)],
        [member(b"/d/", DIRECTORY, mode=0o1777)],
        [member(b"/h", b"1", target=b"/etc/passwd")],
        [member(b"/c", b"3")],
        [member(b"/p", b"6")],
        [member(b"/l", SYMLINK)],
        [member(b"/f/")],
        [member(b"/" + b"n" * 256)],
        [member(b"/d\0/", DIRECTORY)],
        [member(b"/f").replace(b"0000000\0", b"0001750\0", 1)],
        [b"garbage " * 64],
        [bytes(512), member(b"/f")],
    ],
    ids=str,
)
def test_an_archive_that_no_tree_has_is_refused(other: Store, place: str, members: list[bytes]) -> None:
    os.mkdir(place + "/watched")
    body = b"".join(members) + archive.END
    stream = MAGIC + b"object " + digest(body).encode() + b"\n" + body + b"end 1\n"
    assert refuse(other, stream).code in ("store.import-malformed", "store.system")
    assert other.names() == []
    assert not os.path.lexists("/tmp/evil")


def test_a_tree_in_order_is_accepted_where_one_out_of_order_is_not(other: Store) -> None:
    # The counterpart of the test above: it fails for the reason that it gives.
    tree: Tree = {b"a": b"1", b"d": {b"f": b"2"}, b"l": Link(b"a")}
    body = member(b"/a", data=b"1") + member(b"/d/", DIRECTORY) + member(b"/d/f", data=b"2")
    body += member(b"/l", SYMLINK, target=b"a") + archive.END
    name = Oracle().name(tree)
    import_objects(other, io.BytesIO(MAGIC + f"object {name}\n".encode() + body + b"end 1\n").read)
    assert grown(other.object_path(name)) == tree


def test_a_very_deep_tree_goes_from_store_to_store(store: Store, other: Store) -> None:
    tree: Tree = {b"leaf": b"1"}
    for _ in range(150):
        tree = {b"d" * 20: tree}
    name = publish(store, tree)["out"].name
    assert import_objects(other, io.BytesIO(export(store, name)).read).imported == (name,)


old, new = b"/old/" + b"o" * 10, b"/new/" + b"n" * 10
texts = st.lists(st.sampled_from([old, new, b"/old/", b"o", b"/", b"text"]), max_size=12).map(b"".join)


@given(text=texts, cuts=st.lists(st.integers(1, 20), min_size=1))
def test_rewriting_does_not_depend_on_cuts(text: bytes, cuts: list[int]) -> None:
    rewriter = Rewriter(old, new)
    made, at = b"", 0
    for cut in cuts * (len(text) + 1):
        made += rewriter.rewrite(text[at : at + cut])
        at += cut
        if at >= len(text):
            break
    assert made + rewriter.rest() == re.sub(re.escape(old), new, text)


def test_a_word_that_overlaps_itself_is_rewritten_from_the_left() -> None:
    rewriter = Rewriter(b"aa", b"xy")
    assert rewriter.rewrite(b"aaa") + rewriter.rewrite(b"a") + rewriter.rest() == b"xyxy"


def refused(store: Store, stream: bytes) -> str:
    with pytest.raises(BrambleError) as caught:
        import_objects(store, io.BytesIO(stream).read)
    return caught.value.code


def test_an_object_may_have_a_hundred_thousand_references(store: Store) -> None:
    names = sorted(digest(b"%d" % number) for number in range(100_000))
    line = " ".join(["object", OUT, *names])
    # Its line is read; what it refers to is not there.
    assert refused(store, MAGIC + line.encode() + b"\n") == "store.import-references"


@pytest.mark.parametrize("words", [b" ", b" a"])
def test_a_line_of_millions_of_words_costs_no_more_than_its_bytes(store: Store, words: bytes) -> None:
    stream = MAGIC + b"object" + words * (6 << 20) + b"\n"
    tracemalloc.start()
    try:
        assert refused(store, stream) == "store.import-malformed"
        assert tracemalloc.get_traced_memory()[1] < 6 * len(stream)
    finally:
        tracemalloc.stop()
