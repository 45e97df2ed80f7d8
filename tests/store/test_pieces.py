"""Names in pieces: what a compiler makes of a path is found, whatever the cuts, and nothing else is."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Sequence
from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import RawOutput, Store
from bramble.store.objects import archive
from bramble.store.objects import pieces as rule
from bramble.store.objects.identity import Meaning, Stream
from bramble.store.objects.pieces import LARGEST_OTHER, Piece, Pieces, windows_of
from bramble.store.path import padded_store_dir, record_prefix

OWN, OTHER, BUILD = (digest(text.encode()).encode() for text in "abc")
HOMES = [
    *(b"/home/someone", b"/b", b"/opt/x.y", b"/srv/a/much/longer/place/for/a/store/of/things"),
    *(b"/" + b"e" * 46, b"/" + b"eta/" * 11, b"/a+(b)*[c]/bramble_store_padding"),
]
DIRECTORIES = [padded_store_dir(home) for home in HOMES]


def suspects(
    contents: Sequence[bytes], *, directory: bytes = DIRECTORIES[0], block: int = 1 << 20
) -> tuple[int, ...]:
    """Return which of the files are suspected when they are read in blocks of a size."""
    meaning = Meaning(directory, record_prefix(), own=OWN, build_name=BUILD, known=frozenset([OTHER]))
    stream = Stream(meaning, hashlib.sha256(), [], pieces=True)
    for number, data in enumerate(contents):
        stream.member(b"", b"%06d" % number, archive.FILE, 0o644, len(data))
        for at in range(0, len(data), block):
            stream.content(data[at : at + block])
        stream.end_of_content(len(data))
    stream.finish()
    assert all(path == b"/%06d" % number for number, path in stream.suspects.items())
    return tuple(sorted(stream.suspects))


def found(data: bytes, block: int = 1 << 20) -> Optional[Piece]:
    names = frozenset([OWN, OTHER, BUILD])
    pieces = Pieces(names, windows_of(names))
    for at in range(0, len(data), block):
        pieces.block(data[at : at + block])
    return pieces.finish()


def cut(text: bytes, size: int, between: bytes = b"\x48\xb8") -> bytes:
    return b"".join(text[at : at + size] + between for at in range(0, len(text), size))


@pytest.mark.parametrize("directory", DIRECTORIES)
@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_a_cut_path_is_suspected_and_found_wherever_the_cuts_are(directory: bytes, size: int) -> None:
    for before in range(size):
        text = b"-" * before + directory + b"/" + OTHER + b"/share"
        data = b"x" * 100 + cut(text, size) + b"x" * 100
        assert suspects([data], directory=directory) == (0,)
        piece = found(data)
        # A move of 64 bytes may hold the whole name.
        whole = OTHER in data
        assert (piece is None) == whole
        assert piece is None or (piece.name == OTHER and data[piece.offset :][:8] in OTHER)


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_whole_paths_are_not_suspected(directory: bytes) -> None:
    whole = directory + b"/" + OTHER + b"/bin:" + directory + b"/" + OWN + b" " + directory + b"/" + BUILD
    assert suspects([whole * 3, b"", b"bramble " * 99], directory=directory) == ()
    assert suspects([whole, directory, whole], directory=directory) == (1,)
    assert suspects([whole, directory + b"/" + OTHER[:14] + b"." + OTHER[14:]], directory=directory) == (1,)
    assert suspects([whole, b"\x7fELF" + whole, b"\x7fELF"], directory=directory) == (1,)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32), st.sampled_from(DIRECTORIES), st.sampled_from([512, 1000, 1 << 18]))
def test_how_a_stream_is_cut_makes_no_difference(seed: int, directory: bytes, block: int) -> None:
    chance = random.Random(seed)
    path = directory + b"/" + OTHER + b"/x"
    parts = [cut(path, 8), path, b"/", directory[9:40], b"-" * chance.randrange(3000), b"."]
    contents = [b"".join(chance.choices(parts, k=chance.randrange(1, 30))) for _ in range(8)]
    sure = {number for number, data in enumerate(contents) if found(data) is not None}
    assert sure <= set(suspects(contents, directory=directory, block=block))
    for data in contents:
        assert found(data, block) == found(data) == found(data, 7)


def test_a_path_that_lies_across_blocks_is_suspected() -> None:
    data = cut(DIRECTORIES[0] + b"/" + OTHER, 8)
    for gap in range(0, 120, 3):
        code = b"\x7fELF" + bytes((1 << 18) - 4 - gap) + data + bytes(1 << 18)
        assert suspects([code], block=1 << 18) == (0,)


def test_large_files_are_looked_at_if_they_are_machine_code() -> None:
    data = bytes(LARGEST_OTHER) + cut(DIRECTORIES[0] + b"/" + OTHER, 8)
    assert suspects([data]) == ()
    assert suspects([b"\x7fELF" + data]) == (0,)
    assert suspects([b"!<arch>\n" + data]) == (0,)


def test_where_the_rare_byte_is_frequent_all_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = b"/" * 5000
    data = [noise + cut(DIRECTORIES[0] + b"/" + OTHER, 8, b"/" * 30), noise, noise + cut(DIRECTORIES[0], 16)]
    assert suspects(data) == (0, 2)
    monkeypatch.setattr(rule, "_MANY", 2)
    assert set(suspects(data)) >= {0, 2}


def test_two_pieces_of_one_name_are_needed_outside_of_whole_names() -> None:
    assert found(OTHER) is None
    assert found(OTHER + OTHER[4:28]) == Piece(OTHER, 32)
    assert found(OTHER[:8] + b"." + OWN[:8] + b"." + OTHER[3:11]) is None
    assert found(OTHER[20:28] + b"." + OTHER[:8]) == Piece(OTHER, 0)
    assert found(b"x" * 5000 + OTHER[:15]) is None
    assert found(b"x" * 5000 + OTHER[:16]) == Piece(OTHER, 5000)
    assert found(b"." + OWN[:30] + b"." + OTHER[:30]) == Piece(OWN, 1)


def output(store: Store, name: str, files: dict[str, bytes], own: str = "") -> RawOutput:
    top = f"{store.var}/work/{name}"
    for directory, _, names in os.walk(top):
        # What was published from here before is read-only.
        os.chmod(directory, 0o755)
        for file_name in names:
            os.unlink(f"{directory}/{file_name}")
    for path, data in files.items():
        os.makedirs(os.path.dirname(f"{top}/{path}"), exist_ok=True)
        with open(f"{top}/{path}", "wb") as file:
            file.write(data)
    return RawOutput(name, top, own or digest(name.encode()))


def test_publication_refuses_pieces_and_says_whose_they_are(store: Store) -> None:
    here = os.fsencode(store.directory) + b"/"
    for name, whose in (
        (OWN, '"out"'),
        (digest(b"dev").encode(), '"dev"'),
        (BUILD, "build dir"),
        (OTHER, store.directory),
    ):
        data = b"\x7fELF" + bytes(99) + cut(here + name + b"/x", 8)
        raws = [output(store, "out", {"bin/p": data}, OWN.decode()), output(store, "dev", {"f": b"1"})]
        with pytest.raises(BrambleError) as caught:
            store.publish(
                raws, closure=[OTHER.decode()], build_name=BUILD.decode(), allowed_pieces=["bin/q", "bi"]
            )
        error = caught.value
        assert error.code == "store.name-in-pieces"
        assert '"bin/p" in the output "out"' in error.message and whose in error.message
        assert data[int(error.message.split("byte ")[1].split()[0]) :][:8] in name
        assert "-fno-builtin-strcpy" in error.remedy and '"allowed_name_pieces": "bin/p"' in error.remedy


@pytest.mark.parametrize("allowed", [["bin/p"], ["x", "bin/"], ["/"], ["/bin/p"], None])
def test_publication_allows_what_is_named(store: Store, allowed: Optional[list[str]]) -> None:
    raw = output(store, "out", {"bin/p": cut(os.fsencode(store.directory) + b"/" + OTHER, 8)})
    made = store.publish([raw], closure=[OTHER.decode()], build_name=BUILD.decode(), allowed_pieces=allowed)
    assert made["out"].references == ()
