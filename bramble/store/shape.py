"""The shape of a digest: who only looks at names need not load what makes them."""

from __future__ import annotations

DIGEST_LENGTH = 32
ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567"

_ALPHABET_SET = frozenset(ALPHABET.decode())


def is_digest(text: str) -> bool:
    """Return whether `text` has the shape of a digest. (Whether it names anything is another question.)"""
    return len(text) == DIGEST_LENGTH and _ALPHABET_SET.issuperset(text)
