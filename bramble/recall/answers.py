"""Answers that were given before: a key, the witnesses that must hold, and what to say again.

One file an answer, named by the digest of its key, in a directory that only the user can write:

    LENGTH LENGTH MADE UNTIL\n   of the key and of the witnesses in bytes; in seconds since 1970
    key  witnesses  answer
"""

from __future__ import annotations

import os

from bramble.recall.kept import Kept, name_of
from bramble.recall.reads import Reads
from bramble.recall.witness import all_hold

ANSWERS = "answers"  # the directory in the cache
MOST = 512  # answers that are kept
_LARGEST = 32 << 20  # bytes of one


def recall(kept: Kept, key: bytes, now: float) -> bytes | None:
    """Return the answer that is kept for a key, if everything is as it was; None if there is none that holds.

    `now` is in seconds since 1970: before an answer was made, and after its time, it does not count.
    """
    # spec: recall.hold
    found = kept.read(name_of(key))
    if found is None:
        return None
    head, _, rest = found.partition(b"\n")
    try:
        key_size, text_size, made, until = (int(word) for word in head.split(b" "))
    except ValueError:
        return None
    if rest[:key_size] != key or not made <= now < until:
        return None
    text = rest[key_size : key_size + text_size]
    return rest[key_size + text_size :] if all_hold(os.fsdecode(text)) else None


def keep(kept: Kept, key: bytes, reads: Reads, answer: bytes, now: float, until: float) -> bool:
    """Keep an answer until a time comes, unless it is not certain that it is one; say whether it is kept."""
    # spec: recall.settled, recall.bounded
    text = os.fsencode(reads.text())
    if reads.doubt or len(text) + len(answer) > _LARGEST:
        return False
    head = b"%d %d %d %d\n" % (len(key), len(text), int(now), int(until))
    return kept.write(name_of(key), head + key + text + answer, MOST)
