"""Hidden names: what is packed or in UTF-16 is found within a bound, and nothing breaks the search."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import zipfile
from typing import Callable

import pytest

from bramble.store.digest import digest
from bramble.store.disk import HiddenName, Store
from bramble.store.objects import archive, hidden, identity
from bramble.store.objects.hidden import GZIP, UTF_16, ZIP, Finding, hidden_names, utf_16_needle
from bramble.store.objects.identity import Meaning, Stream
from bramble.store.path import padded_store_dir, record_prefix
from tests.store.conftest import place as place
from tests.store.test_pieces import cut, output

OWN, OTHER, STRANGE = (digest(text.encode()).encode() for text in "abc")
DIRECTORY = padded_store_dir(b"/home/someone")
PATH, OTHER_PATH = (DIRECTORY + b"/" + name + b"/x\n" for name in (OWN, OTHER))
NOISE = random.Random(1).randbytes(300000) if hasattr(random.Random, "randbytes") else os.urandom(300000)


def blocks(data: bytes, size: int = 1 << 16) -> Callable[[], bytes]:
    file = io.BytesIO(data)
    return lambda: file.read(size)


def search(data: bytes, size: int = 1 << 16, left: int = 1 << 30) -> list[Finding]:
    return list(hidden_names(blocks(data, size), DIRECTORY, frozenset([OWN, OTHER]), left).findings)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, streamed: bool = False) -> bytes:
    class Pipe(io.BytesIO):
        """What cannot be sought in gets the sizes of its members behind them."""

        def seekable(self) -> bool:
            return not streamed

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    file = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, data in members:
            made.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 16])
def test_what_is_packed_is_found_however_it_is_read(size: int) -> None:
    one, two = gzip.compress(b"x" * 1000 + PATH), gzip.compress(b"y" + OTHER_PATH)
    assert search(one, size) == [Finding(OWN, GZIP)]
    assert search(one + two, size) == [Finding(OWN, GZIP), Finding(OTHER, GZIP)]
    assert search(gzip.compress(PATH.decode().encode("utf-16-le")), size) == [Finding(OWN, GZIP)]
    for streamed in (False, True):
        data = zipped(("a", PATH), ("b", b"1"), ("c", OTHER_PATH), streamed=streamed)
        assert search(data, size) == [Finding(OWN, ZIP), Finding(OTHER, ZIP)]


def test_a_path_across_pieces_of_what_is_unpacked_is_found() -> None:
    for before in range(hidden._PIECE - len(PATH), hidden._PIECE + 1, 5):
        assert search(gzip.compress(bytes(before) + PATH, 1)) == [Finding(OWN, GZIP)]


def test_other_names_and_other_paths_are_none() -> None:
    for text in (DIRECTORY + b"/" + STRANGE, DIRECTORY, b"/" + OWN, DIRECTORY + b"/" + OWN[:31]):
        assert search(gzip.compress(text)) == search(zipped(("a", text))) == []
        assert search(text.decode().encode("utf-16-be")) == []
    # What is stored as it is can be seen.
    assert search(zipped(("a", PATH), method=zipfile.ZIP_STORED)) == []
    assert search(PATH) == []


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be", "utf-16"])
@pytest.mark.parametrize("size", [1, 50, 1 << 16])
def test_utf_16_is_found_in_both_orders_at_every_offset(order: str, size: int) -> None:
    for before in (b"", b"\0", b"ab\0"):
        data = before + PATH.decode().encode(order) + b"\0" + OTHER_PATH.decode().encode(order)
        assert search(data, size) == [Finding(OWN, UTF_16), Finding(OTHER, UTF_16)]


@pytest.mark.parametrize("cut", [1, 2, 3, 11, 30, 200, 5000])
def test_damaged_files_are_searched_as_far_as_they_go(cut: int) -> None:
    for whole in (gzip.compress(PATH + NOISE), zipped(("a", PATH + NOISE))):
        assert search(whole[:cut]) in ([], search(whole))
        spoilt = bytearray(whole)
        spoilt[cut] ^= 0xFF
        assert set(search(bytes(spoilt))) <= set(search(whole))
        assert search(whole[:20000]) == search(whole)
    assert search(b"PK\x03\x04" + b"\xff" * 1000) == search(b"\x1f\x8b" + b"\xff" * 1000) == []


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_what_comes_before_a_wrong_byte_is_found(size: int) -> None:
    whole = gzip.compress(PATH)
    assert search(whole[:-8] + b"12345678", size) == [Finding(OWN, GZIP)]  # another sum
    # Content as it is, in a part that is not the last one; no part begins so.
    part = b"\0" + len(PATH).to_bytes(2, "little") + (len(PATH) ^ 0xFFFF).to_bytes(2, "little") + PATH
    for wrong in (b"\7", b"\xff" * 9):
        assert search(gzip.compress(b"")[:10] + part + wrong, size) == [Finding(OWN, GZIP)]


def test_what_follows_odd_members_of_a_zip_file_is_found() -> None:
    data = bytearray(zipped(("a", b"11"), ("b", PATH)))
    data[6] |= 1  # encrypted: passed over
    assert search(bytes(data)) == [Finding(OWN, ZIP)]
    data[6] |= 8  # and of a length that stands behind it: nobody knows where that is
    assert search(bytes(data)) == []


def test_no_more_is_unpacked_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(bytes(3 << 20) + PATH, 1)
    assert search(bomb) == [Finding(OWN, GZIP)]
    assert search(bomb, left=1 << 20) == search(bomb, left=0) == []
    monkeypatch.setattr(hidden, "MOST_IN_FILE", 1 << 20)
    found = hidden_names(blocks(bomb), DIRECTORY, frozenset([OWN]), 1 << 30)
    assert found.findings == () and 1 << 20 <= found.used <= (1 << 20) + hidden._PIECE
    # Nothing comes out of these, but reading them takes time, too.
    empty = gzip.compress(b"") * (1 << 16)
    found = hidden_names(blocks(empty + gzip.compress(PATH)), DIRECTORY, frozenset([OWN]), 1 << 30)
    assert found.findings == () and 1 << 20 <= found.used <= (1 << 20) + (1 << 16)


@pytest.mark.parametrize("home", ["/home/someone", "/b", "/" + "e" * 46, "/home/é/" + "e" * 38, "/é/x"])
def test_the_needle_stands_in_both_orders(home: str) -> None:
    directory = padded_store_dir(home.encode())
    for order in ("utf-16-le", "utf-16-be"):
        assert utf_16_needle(directory) in directory.decode().encode(order)
    assert len(utf_16_needle(directory)) >= 15


def test_the_needle_is_found_among_nuls_too() -> None:
    needle = utf_16_needle(DIRECTORY)
    for filler in (b"\0", b"x"):
        block = filler * 3000 + needle + filler * 3000 + needle
        assert hidden.find_needle(block, needle, 0, len(block)) == 3000
        assert hidden.find_needle(block, needle, 3001, len(block)) == 6000 + len(needle)
        assert hidden.find_needle(block, needle, 6001 + len(needle), len(block)) == -1


def test_where_the_directory_has_no_ascii_nothing_is_looked_for() -> None:
    assert utf_16_needle(("/" + "é" * 24).encode()) == b""


@pytest.mark.parametrize("block", [64, 1000, 1 << 20])
def test_only_files_that_may_hide_something_are_read_again(block: int) -> None:
    wide = PATH.decode().encode("utf-16-le")
    files = [
        gzip.compress(b"1"),
        b"plain",
        zipped(("a", b"1")),
        b"x" * 990 + wide * 3,
        PATH,
        b"\x1f",
        wide,
        b"",
    ]
    meaning = Meaning(DIRECTORY, record_prefix(), own=OWN, known=frozenset([OTHER]))
    for pieces, expected in ((True, [0, 2, 3, 6]), (False, [])):
        stream = Stream(meaning, hashlib.sha256(), [], pieces=pieces)
        for number, data in enumerate(files):
            stream.member(b"/d", b"%d" % number, archive.FILE, 0o644, len(data))
            for at in range(0, len(data), block):
                stream.content(data[at : at + block])
            stream.end_of_content(len(data))
        stream.finish()
        assert sorted(stream.hiding) == expected
        assert all(path == b"/d/%d" % number for number, path in stream.hiding.items())


@pytest.mark.parametrize("home", ["/home/someone", "/b", "/" + "e" * 46, "/home/é/x"])
@pytest.mark.parametrize("seed", range(5))
def test_a_directory_in_utf_16_is_seen_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, home: str, seed: int
) -> None:
    monkeypatch.setattr(identity, "BLOCK_SIZE", 4096)
    rng = random.Random(seed)
    directory = padded_store_dir(home.encode())
    needle = utf_16_needle(directory)
    path = directory + b"/" + OTHER + b"/x"
    inserts = [
        *(path.decode().encode(order) for order in ("utf-16-le", "utf-16-be")),
        *(needle, needle[:-1], needle[:60], path, cut(path, 8), cut(path, 16), directory[:12], b""),
    ]
    fillers = [b"\0", b"/", bytes(range(1, 251)), b"/b\0r", directory[:9] + b"-", "/br".encode("utf-16-le")]
    files = []
    for _ in range(60):
        filler = rng.choice(fillers)
        data = (filler * 3000)[: rng.choice((0, 1, 50, 700, 3000, 9000))]
        for _ in range(rng.randrange(4)):
            at = rng.choice((0, rng.randrange(len(data) + 1), len(data)))
            data = data[:at] + rng.choice(inserts) + data[at:]
        files.append(b"." + data)
    meaning = Meaning(directory, record_prefix(), own=OWN, known=frozenset([OTHER]))
    stream = Stream(meaning, hashlib.sha256(), [], pieces=True)
    for number, data in enumerate(files):
        stream.small_file(b"/d", b"%d" % number, 0o644, data)
    stream.finish()
    assert sorted(stream.hiding) == [number for number, data in enumerate(files) if needle in data]
    whole = [number for number, data in enumerate(files) if cut(path, 8) in data or cut(path, 16) in data]
    assert set(whole) <= set(stream.suspects)


# In the last two the rare byte stands once, near the beginning and near the end.
@pytest.mark.parametrize(
    "home",
    [
        *("/home/someone", "/" + "e" * 46, "/home/é/x"),
        *("/abcdefg9iklmnoprstuvwyABCDEFGHIKLMNOPRSTUVWY", "/abcdefghiklmnoprstuvwyABCDEFGHIKLMNOPRS9UVWY"),
    ],
)
def test_a_directory_in_utf_16_is_seen_at_the_ends_of_a_block(
    monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setattr(identity, "BLOCK_SIZE", 4096)
    directory = padded_store_dir(home.encode())
    needle = utf_16_needle(directory)
    meaning = Meaning(directory, record_prefix(), own=OWN, known=frozenset([OTHER]))
    data = b"x" * 2000 + needle + b"x" * 2000
    for at in range(1800, 2300):
        stream = Stream(meaning, hashlib.sha256(), [], pieces=True)
        stream.member(b"", b"f", archive.FILE, 0o644, len(data))
        stream.content(data[:at])
        stream.content(data[at:])
        stream.end_of_content(len(data))
        stream.finish()
        assert list(stream.hiding) == [0], at


@pytest.fixture
def store(place: str):  # type: ignore[no-untyped-def]
    store = Store.open(place + "/s")
    yield store
    store.close()


def test_publication_tells_where_and_whose_name_and_refuses_nothing(store: Store) -> None:
    here = os.fsencode(store.directory) + b"/"
    dev, big = digest(b"dev").encode(), b"z" * 20000
    raws = [
        output(
            store,
            "out",
            {"share/own.gz": gzip.compress(here + OWN), "both.zip": zipped(("a", here + dev))},
            OWN.decode(),
        ),
        output(store, "dev", {"w": big + (here + OTHER).decode().encode("utf-16-be"), "f": b"1"}),
    ]
    told: list[HiddenName] = []
    made = store.publish(
        raws, closure=[OTHER.decode()], build_name=STRANGE.decode(), allowed_pieces=(), on_hidden=told.append
    )
    assert sorted(told, key=lambda it: it.file) == [
        HiddenName("out", "both.zip", ZIP, made["dev"].name, "dev"),
        HiddenName("out", "share/own.gz", GZIP, made["out"].name, "out"),
        HiddenName("dev", "w", UTF_16, OTHER.decode(), ""),
    ]
    assert made["out"].references == made["dev"].references == ()


def test_publication_is_silent_about_what_is_allowed_and_about_too_much(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = gzip.compress(os.fsencode(store.directory) + b"/" + OTHER)
    for number, (allowed, expected) in enumerate(
        ((("d/",), ["b.gz", "c.gz"]), (("d/a.gz", "b.gz"), ["c.gz"]))
    ):
        told: list[HiddenName] = []
        raw = output(store, f"o{number}", {"d/a.gz": data, "b.gz": data, "c.gz": data, "n": b"%d" % number})
        store.publish(
            [raw], closure=[OTHER.decode()], build_name=None, allowed_pieces=allowed, on_hidden=told.append
        )
        assert sorted(it.file for it in told) == expected
    monkeypatch.setattr("bramble.store.publish.publication.MOST_FINDINGS", 2)
    told = []
    raw = output(store, "many", {f"{number}.gz": data for number in range(4)})
    store.publish([raw], closure=[OTHER.decode()], build_name=None, allowed_pieces=(), on_hidden=told.append)
    assert len(told) == 2
