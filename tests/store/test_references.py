from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from bramble.store.digest import digest
from bramble.store.objects.references import candidates, find_all, find_names

NAMES = [digest(b"%d" % number).encode() for number in range(40)]
filler = st.one_of(
    st.binary(max_size=80),
    st.text("abcdefghijklmnopqrstuvwxyz234567", max_size=200).map(str.encode),
    st.sampled_from([b"", b"a", b"/", b"\0" * 40, b"a" * 31, b"the quick brown fox "]),
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from(NAMES), st.integers(1, 31)).map(lambda pair: pair[0][: pair[1]]),
)
blocks = st.lists(filler, max_size=30).map(b"".join)


def find(block: bytes, names: frozenset[bytes]) -> list[tuple[int, bytes]]:
    """What is found, which must not depend on whether one has looked for candidates before."""
    found = find_names(block, names)
    assert find_names(block, names, candidates(block)) == found
    return found


def naive(block: bytes, names: frozenset[bytes]) -> list[tuple[int, bytes]]:
    windows = re.finditer(rb"(?=([a-z2-7]{32}))", block)
    return [(match.start(), match[1]) for match in windows if match[1] in names]


@given(blocks, st.integers(0, 40))
def test_every_known_name_is_found_and_nothing_else(block: bytes, count: int) -> None:
    names = frozenset(NAMES[:count])
    assert find(block, names) == naive(block, names)


@given(blocks, filler, st.integers(0, 3))
def test_every_occurrence_is_found_whatever_is_known_of_the_block(
    block: bytes, needle: bytes, more: int
) -> None:
    block = block + needle * more + block
    if needle:
        places = [at for at in range(len(block)) if block.startswith(needle, at)]
        assert find_all(block, needle) == find_all(block, needle, []) == places


def test_the_three_ways_of_searching_agree() -> None:
    seeded = random.Random(4)
    kinds = {
        "binary": bytes(seeded.randrange(256) for _ in range(60000)),
        "text": b" ".join(b"some words of %d" % n for n in range(6000)),
        "one long word": bytes(seeded.choice(b"acgt") for _ in range(60000)),
        "long words": b"\n".join(bytes(seeded.choice(b"acgt") for _ in range(60)) for _ in range(1000)),
    }
    for kind, data in kinds.items():
        for count in (1, 2, 5, 40):
            block = bytearray(data)
            for name in NAMES[:count]:
                for _ in range(3):
                    at = seeded.randrange(len(block) - 32)
                    block[at : at + 32] = name
            names = frozenset(NAMES[:count])
            assert find(bytes(block), names) == naive(bytes(block), names), (kind, count)


def test_names_at_the_very_beginning_and_end_are_found() -> None:
    block = NAMES[0] + bytes(5000) + NAMES[1]
    assert find(block, frozenset(NAMES)) == [(0, NAMES[0]), (len(block) - 32, NAMES[1])]


def test_an_unknown_name_does_not_hide_a_known_one() -> None:
    block = NAMES[1] + NAMES[0] + b"/" + NAMES[2][:31] + NAMES[0]
    assert [at for at, _ in find(block, frozenset(NAMES[:1]))] == [32, 96]


def test_overlapping_places_are_all_reported() -> None:
    name = b"a" * 32
    assert [at for at, _ in find(b"a" * 35, frozenset([name, NAMES[0]]))] == [0, 1, 2, 3]
    assert find_all(b"a" * 35, name) == [0, 1, 2, 3]


def test_a_name_at_every_alignment_is_found() -> None:
    names = frozenset(NAMES)
    for shift in range(40):
        for around in (b"\0", b"z", b"/"):
            block = around * shift + NAMES[7] + around * 40
            assert (shift, NAMES[7]) in find(block, names)
