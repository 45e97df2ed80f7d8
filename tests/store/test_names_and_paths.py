from __future__ import annotations

import marshal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bramble.store
from bramble.errors import BrambleError
from bramble.store.digest import DIGEST_LENGTH, digest, encode, is_digest
from bramble.store.path import STORE_DIR_LENGTH, padded_store_dir, prefix_of_record, shown

root_bytes = st.binary(min_size=1, max_size=46).map(
    lambda data: b"/" + data.replace(b"/", b"_").replace(b"\0", b"-")
)


def test_a_digest_is_twenty_bytes_of_sha256_in_small_base32() -> None:
    assert digest(b"") == "4oymiquy7qobjgx36tejs35zeqt24qpe"
    assert encode(bytes(32)) == "a" * 32
    assert encode(b"\xff" * 32) == "7" * 32


@pytest.mark.parametrize("text", ["", "a" * 31, "a" * 33, "A" * 32, "1" * 32, "a" * 31 + "\n", "ä" * 32])
def test_what_is_no_digest_is_not_taken_for_one(text: str) -> None:
    assert not is_digest(text)


@given(st.binary())
def test_every_digest_has_the_shape_of_one(data: bytes) -> None:
    assert is_digest(digest(data))
    assert len(digest(data)) == DIGEST_LENGTH


@given(root_bytes)
def test_every_store_directory_is_equally_long(root: bytes) -> None:
    directory = padded_store_dir(root)
    assert len(directory) == STORE_DIR_LENGTH
    assert directory.startswith(root + b"/")
    assert not directory.endswith(b"/")


def test_the_example_of_the_design_is_padded_as_it_says() -> None:
    assert padded_store_dir(b"/home/maxm/bramble") == b"/home/maxm/bramble/bramble_store_padding/bramble_"


def test_a_cut_at_a_slash_lengthens_the_last_part() -> None:
    # 49 - 26 - 1 = 22 bytes of padding, of which the last would be the slash.
    directory = padded_store_dir(b"/" + b"r" * 25)
    assert directory == b"/" + b"r" * 25 + b"/bramble_store_paddingb"


def test_the_longest_root_has_47_bytes() -> None:
    assert len(padded_store_dir(b"/" + b"r" * 46)) == STORE_DIR_LENGTH
    with pytest.raises(BrambleError) as caught:
        padded_store_dir(b"/" + b"r" * 49)
    assert caught.value.code == "store.root-too-long"
    assert "has 50 bytes, 3 too many" in caught.value.message


def test_the_root_directory_may_be_a_root() -> None:
    assert len(padded_store_dir(b"/")) == STORE_DIR_LENGTH
    assert b"//" not in padded_store_dir(b"/")


def test_a_path_that_is_no_text_is_shown_all_the_same() -> None:
    assert shown(b"/a\xff") == "/a\\xff"
    assert shown("/a\udcff") == "/a\\xff"


@pytest.mark.parametrize(
    "source", sorted(Path(bramble.store.__file__).parents[1].rglob("*.py")), ids=lambda path: str(path.name)
)
def test_the_prefix_of_record_stands_whole_in_no_source_and_no_bytecode(source: Path) -> None:
    text = source.read_bytes()
    prefix = prefix_of_record().encode()
    assert prefix not in text
    assert prefix not in marshal.dumps(compile(text, str(source), "exec"))
