"""The digest by which everything in the store is named: 32 characters of lower-case base32."""

from __future__ import annotations

import hashlib
from base64 import b32encode

DIGEST_LENGTH = 32
ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567"

_DIGEST_BYTES = 20
_ALPHABET_SET = frozenset(ALPHABET.decode())


def encode(sha256: bytes) -> str:
    """Return the digest that stands for a SHA-256 value: base32 (RFC 4648) of its first 20 bytes.

    20 bytes are 160 bits, which is 32 characters and needs no padding sign.
    """
    # spec: objects.digest
    return b32encode(sha256[:_DIGEST_BYTES]).decode("ascii").lower()


def digest(data: bytes) -> str:
    """Return the digest of `data`: always DIGEST_LENGTH characters of `a-z2-7`."""
    return encode(hashlib.sha256(data).digest())


def is_digest(text: str) -> bool:
    """Say whether `text` has the shape of a digest. (Whether it names anything is another question.)"""
    return len(text) == DIGEST_LENGTH and _ALPHABET_SET.issuperset(text)
