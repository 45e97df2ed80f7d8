"""Answers that were given before: a key, the witnesses that must hold, and what to say again.

One file an answer, named by the digest of its key, in a directory that only the user can write:

    LENGTH LENGTH MADE UNTIL\n   of the key and of the witnesses in bytes; in seconds since 1970
    key  witnesses  answer
"""

from __future__ import annotations

import os

from bramble.recall.kept import Kept, fingerprint
from bramble.recall.reads import Reads
from bramble.recall.witness import renewed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bramble.recall.witness import Hash

# Directories in the cache.
ANSWERS, EVALUATIONS = "answers", "evaluations"
MOST, MOST_BYTES = 512, 256 << 20  # of the records of one directory
_LARGEST = 32 << 20  # bytes of one


def reader() -> str:
    """Return who reads: with owner, group and mode of a file that decides whether it can be read."""
    # spec: recall.key, recall.evaluation
    return " ".join(map(str, (os.geteuid(), os.getegid(), *sorted(os.getgroups()))))


def recall(
    kept: Kept, key: bytes, now: float, new_sha256: Callable[[], Hash] | None = None
) -> tuple[bytes, str] | None:
    """Return the recorded answer for a key and its witnesses, if these are valid; None otherwise.

    `now` is in seconds since 1970: before an answer was made, and after its time, it does not count. Where a
    file was only touched, the record is kept with its stamp of now. `new_sha256` as in `witness.renewed`.
    """
    # spec: recall.hold
    found = kept.read(fingerprint(key))
    if found is None:
        return None
    head, _, rest = found.partition(b"\n")
    try:
        key_size, text_size, made, until = (int(word) for word in head.split(b" "))
    except ValueError:
        return None
    if rest[:key_size] != key or not made <= now < until:
        return None
    text = os.fsdecode(rest[key_size : key_size + text_size])
    answer = rest[key_size + text_size :]
    current = renewed(text, int(now * 10**9), new_sha256)
    if current is None:
        return None
    if current != text:
        # spec: recall.hold
        _write(kept, key, os.fsencode(current), answer, int(now), until)
    return answer, current


def keep(kept: Kept, key: bytes, reads: Reads, answer: bytes, now: float, until: float) -> bool:
    """Keep an answer until a time comes, unless it is not certain that it is one; say whether it is kept."""
    # spec: recall.settled, recall.bounded
    text = os.fsencode(reads.text())
    if reads.doubt or len(text) + len(answer) > _LARGEST:
        return False
    return _write(kept, key, text, answer, int(now), int(until))


def _write(kept: Kept, key: bytes, text: bytes, answer: bytes, made: int, until: int) -> bool:
    head = b"%d %d %d %d\n" % (len(key), len(text), made, until)
    return kept.write(fingerprint(key), head + key + text + answer, MOST, MOST_BYTES)
