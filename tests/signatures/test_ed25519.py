"""Ed25519: the vectors of RFC 8032, and everything near a signature that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.signatures.ed25519 import verifies

# RFC 8032, 7.1: public key, message, signature of tests 1, 2, 3.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
]
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_vectors_of_the_standard(key: str, message: str, signature: str) -> None:
    assert verifies(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))


KEY, MESSAGE, SIGNATURE = (bytes.fromhex(text) for text in VECTORS[2])


@given(st.sampled_from(["key", "message", "signature"]), st.integers(0, 511))
def test_one_bit_makes_it_none(which: str, bit: int) -> None:
    given_ = {"key": KEY, "message": MESSAGE, "signature": SIGNATURE}
    data = bytearray(given_[which])
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    given_[which] = bytes(data)
    assert not verifies(given_["key"], given_["message"], given_["signature"])


def test_there_is_no_second_signature_of_the_first() -> None:
    number = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    assert not verifies(KEY, MESSAGE, SIGNATURE[:32] + number.to_bytes(32, "little"))


def test_what_has_another_size_is_none() -> None:
    assert not verifies(KEY[:-1], MESSAGE, SIGNATURE)
    assert not verifies(KEY, MESSAGE, SIGNATURE + b"\0")
    assert not verifies(KEY, MESSAGE, b"")


def test_an_encoding_that_is_no_point_is_no_key() -> None:
    prime = 2**255 - 19
    assert not verifies(prime.to_bytes(32, "little"), MESSAGE, SIGNATURE)
    assert not verifies((2).to_bytes(32, "little"), MESSAGE, SIGNATURE)
