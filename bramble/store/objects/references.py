"""References: which of a set of names occur in a stream of bytes, and where.

A reference is found by the 32 characters of the name alone, wherever they
stand: behind a store path, in a relative link, in the middle of a longer word.
Every name that is looked for is known beforehand (the closure of the inputs),
so nothing is found that cannot be meant.

How it is fast. A name is 32 bytes that are all of `a-z2-7`. Whatever 32 bytes
one takes, four of them are at offsets that divide by eight. So it is enough
to look at every eighth byte for four neighbours of that class: for programs
and compressed data that settles a block at several times the speed of SHA-256.
Text is nearly all letters; there the whole block is mapped to 0 and 1 and
searched for 32 ones behind a 0. Only what survives is cut out and looked up. Where even
that leaves too much (a file that is one long word), the names are searched for
one by one. All three give the same answer.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Optional

from bramble.store.digest import ALPHABET, DIGEST_LENGTH

_CLASS = bytes(1 if byte in ALPHABET else 0 for byte in range(256))
Region = tuple[int, int]  # the offsets at which it begins and ends

_STRIDE = 8
_SAMPLES = DIGEST_LENGTH // _STRIDE
_SAMPLED_RUN = b"\1" * _SAMPLES
_RUN = b"\1" * DIGEST_LENGTH
_EDGE = b"\0" + _RUN

# Costs, measured on CPython 3.9 to 3.13, in nanoseconds; they choose a way and never an answer.
_FEW_RUNS = 96
_BEGINNING = 1 << 16
_FEW_RUNS_AT_FIRST = 24
_FEW_NAMES = 5
_LOOK_UP_COST = 90.0
_SEARCH_COST_PER_BYTE = 0.3


def candidates(block: bytes) -> Optional[list[Region]]:
    """Return stretches of `block` outside of which no name can stand; None if they would be too many."""
    # A beginning that is full of candidates tells that the rest will be too: that is text.
    if len(block) > _BEGINNING and _sampled_regions(block[:_BEGINNING], _FEW_RUNS_AT_FIRST) is None:
        return None
    return _sampled_regions(block, _FEW_RUNS)


def find_names(
    block: bytes, names: Collection[bytes], regions: Optional[list[Region]] = None
) -> list[tuple[int, bytes]]:
    """Return every place in `block` where one of `names` stands whole, as (offset, name), in order.

    `names` is a set of digests, 32 bytes of `a-z2-7` each. Places may overlap.
    `regions` are the `candidates` of the block, if it has few.
    """
    # spec: objects.references.scan
    if len(block) < DIGEST_LENGTH or not names:
        return []
    if regions is not None:
        runs = [run for low, high in regions for run in _runs(block[low:high], low)]
    elif len(names) <= _FEW_NAMES:
        return _find_each(block, names)
    else:
        runs = _runs(block, 0)
    windows = sum(end - start for start, end in runs) - len(runs) * (DIGEST_LENGTH - 1)
    if windows * _LOOK_UP_COST > len(names) * len(block) * _SEARCH_COST_PER_BYTE:
        return _find_each(block, names)
    return _look_up(block, runs, names)


def _sampled_regions(block: bytes, most: int) -> Optional[list[Region]]:
    # A bytearray is translated faster than bytes are.
    sample = bytearray(block[::_STRIDE]).translate(_CLASS)
    regions: list[Region] = []
    # From behind, since `rfind` passes over what cannot match in longer steps.
    last = sample.rfind(_SAMPLED_RUN)
    while last >= 0:
        most -= 1
        if most < 0:
            return None
        at = sample.rfind(b"\0", 0, last) + 1
        end = last + _SAMPLES
        first = at * _STRIDE
        # A name around just four sampled bytes holds all between them, too; in noise that is soon refuted.
        if end - at > _SAMPLES or (
            _CLASS[block[first + 4]] and _CLASS[block[first + 12]] and _CLASS[block[first + 20]]
        ):
            # The run ends somewhere between the last byte known to belong to it and the next sampled one.
            regions.append((max(0, first - _STRIDE + 1), min(len(block), end * _STRIDE)))
        last = sample.rfind(_SAMPLED_RUN, 0, at)
    regions.reverse()
    return regions


def _runs(region: bytes, base: int) -> list[Region]:
    """Return the stretches of at least 32 bytes that could be parts of names, as offsets plus `base`."""
    # As in `_sampled_regions`; with the 0 before it, a run is found by its beginning.
    mask = bytearray(region).translate(_CLASS)
    runs: list[Region] = []
    at = mask.rfind(_EDGE)
    while at >= 0:
        end = mask.find(b"\0", at + len(_EDGE))
        runs.append((base + at + 1, base + (end if end >= 0 else len(mask))))
        at = mask.rfind(_EDGE, 0, at)
    if mask.startswith(_RUN):
        end = mask.find(b"\0")
        runs.append((base, base + (end if end >= 0 else len(mask))))
    runs.reverse()
    return runs


def _look_up(block: bytes, runs: list[Region], names: Collection[bytes]) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for start, end in runs:
        for at in range(start, end - DIGEST_LENGTH + 1):
            window = block[at : at + DIGEST_LENGTH]
            if window in names:
                found.append((at, window))
    return found


def _find_each(block: bytes, names: Collection[bytes]) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    for name in names:
        found.extend((at, name) for at in find_all(block, name))
    if len(names) > 1:
        found.sort()
    return found


def find_all(block: bytes, needle: bytes, regions: Optional[list[Region]] = None) -> list[int]:
    """Return every offset at which `needle` occurs in `block`, in order; occurrences may overlap.

    If `regions` are known, the `candidates` of the block, it is not text.
    """
    found: list[int] = []
    # In binary data this is three times as fast as `find`; in text it is slower.
    if regions is not None and block.rfind(needle) < 0:
        return found
    at = block.find(needle)
    while at >= 0:
        found.append(at)
        at = block.find(needle, at + 1)
    return found
