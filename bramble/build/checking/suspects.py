"""Likely reasons why two builds differ, by the kind of the difference. Pure.

Each rule looks at the surroundings of the first byte that differs. The first that fits counts, so what a
format says goes before what text looks like. A rule may be wrong, and is worded so; it never has to be
right, since both byte strings stand beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Optional

from bramble.record import dataclass

HEAD = 512  # bytes of the file's beginning that a rule sees
AROUND = 600  # bytes before and after the difference that a rule sees
_NEAR = 32  # so far from the difference a time or a path still has to do with it

TIME_STAMP = "a time stamp"
PATH = "a path"
LOCALE = "the locale"
HASH_ORDER = "hash order"
ARCHIVE_ORDER = "archive order"
BUILD_ID = "a build id"
RANDOM = "a random number"

_DATES = re.compile(
    rb"[0-2]\d:[0-5]\d:[0-5]\d(?:[.,]\d{1,9})?"  # ISO 8601, and what C calls __TIME__
    rb"|(?:19|20)\d\d-[01]\d-[0-3]\d"
    rb"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]\d (?:19|20)\d\d"  # __DATE__
    rb"|(?<!\d)1[5-9]\d{8}(?:\d{3}|\d{9})?(?!\d)"  # seconds, or parts of them, since 1970
)
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_PATHS = re.compile(
    rb"/check/|bramble_store|/tmp/[\w./-]*|/var/tmp/|/build/|/home/\w|\b(?:cc|tmp)[A-Za-z0-9_]{6,8}\b"
)
_WORDS = re.compile(rb"[\w./+-]+")
_FILE_NAME = re.compile(rb"^[\w+-][\w./+-]*\.[A-Za-z][\w]{0,4}$|/")


@dataclass(frozen=True)
class Difference:
    """The first difference of two files.

    `head` is how the first file begins (HEAD bytes), `offset` where they differ; `one` and `other` are what
    stands around that in each, which is at index `at` of both.
    """

    path: str
    head: bytes
    offset: int
    one: bytes
    other: bytes
    at: int

    def near(self) -> tuple[bytes, bytes]:
        """Return what stands close to the difference in each file."""
        low = max(0, self.at - _NEAR)
        return self.one[low : self.at + _NEAR], self.other[low : self.at + _NEAR]

    def back_to(self, mark: bytes, within: int) -> Optional[int]:
        """Return how far the last `mark` at or before the difference is away; None beyond `within` bytes."""
        found = self.one.rfind(mark, max(0, self.at - within), self.at + len(mark))
        return None if found < 0 or found > self.at else self.at - found


@dataclass(frozen=True)
class Suspect:
    """What a difference looks like, and what is done about it."""

    kind: str
    advice: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.advice}"


Rule = Callable[[Difference], Optional[Suspect]]


def suspect(difference: Difference) -> Optional[Suspect]:
    """Return what usually makes such a difference, None if nothing is known of it."""
    # spec: build.check.suspect
    for rule in RULES:
        found = rule(difference)
        if found is not None:
            return found
    return None


def _python(it: Difference) -> Optional[Suspect]:
    # PEP 552: magic number, flags, then a hash of the source or its time and size.
    if not it.path.endswith(".pyc") or not 4 <= it.offset < 16:
        return None
    if it.offset >= 8 and it.head[4:5] and it.head[4] & 1:
        return Suspect(
            PATH,
            "the hash of the source of Python byte code, which names the store: do not include this file",
        )
    return Suspect(
        TIME_STAMP,
        "the time of change of the source of Python byte code: use unchecked hashes, or do not include it",
    )


def _gzip(it: Difference) -> Optional[Suspect]:
    # RFC 1952, section 2.3: MTIME is the four bytes from the fifth on.
    if it.head.startswith(b"\x1f\x8b") and 4 <= it.offset < 8:
        return Suspect(TIME_STAMP, "the time in the header of gzip: use gzip -n")
    return None


def _ar(it: Difference) -> Optional[Suspect]:
    # ar(5): a header of 60 bytes ends with "`\n": name 16, time 12, owner 6, group 6, mode 8, size 10.
    if not it.head.startswith((b"!<arch>\n", b"!<thin>\n")):
        return None
    end = it.one.find(b"`\n", it.at)
    position = 58 - (end - it.at) if 0 <= end - it.at <= 58 else -1
    if 0 <= position < 16:
        return Suspect(ARCHIVE_ORDER, "the members of an archive of ar: name the files in a sorted order")
    if position >= 40:
        return None
    return Suspect(TIME_STAMP, "times or owners in an archive of ar: use ar D")


def _tar(it: Difference) -> Optional[Suspect]:
    # POSIX ustar: a block of 512 bytes with the name first, owners from 108, the time at 136, magic at 257.
    position = it.offset % 512
    block = it.at - position
    if block < 0 or it.one[block + 257 : block + 262] != b"ustar":
        return None
    if position < 100 or position >= 345:
        return Suspect(ARCHIVE_ORDER, "the members of a tar archive: use tar --sort=name")
    if 136 <= position < 156:
        return Suspect(TIME_STAMP, "the time of a member of a tar archive: use tar --mtime=@0")
    return Suspect(PATH, "owners or modes in a tar archive: use tar --owner=0 --group=0 --numeric-owner")


def _zip(it: Difference) -> Optional[Suspect]:
    # APPNOTE.TXT, 4.3.7 and 4.3.12: the time is 10 bytes behind a local mark, 12 behind a central one.
    for mark, time, name in ((b"PK\x03\x04", 10, 30), (b"PK\x01\x02", 12, 46)):
        back = it.back_to(mark, name + 60)
        if back is None:
            continue
        if time <= back < time + 4:
            return Suspect(TIME_STAMP, "times in a zip file: give all files one time, and use zip -X")
        length = int.from_bytes(it.one[it.at - back + name - 4 : it.at - back + name - 2], "little")
        if name <= back < name + length:
            return Suspect(ARCHIVE_ORDER, "the members of a zip file: give zip the names in a sorted order")
    return None


def _elf(it: Difference) -> Optional[Suspect]:
    # elf(5), Nhdr: the name "GNU" of the note stands right before its content.
    if it.head.startswith(b"\x7fELF") and it.back_to(b"GNU\0", 24) is not None:
        return Suspect(
            BUILD_ID,
            "a hash of everything that is linked, including paths of the store: use -Wl,--build-id=none",
        )
    return None


def _time(it: Difference) -> Optional[Suspect]:
    for window in (it.one, it.other):
        if any(found.start() <= it.at <= found.end() for found in _DATES.finditer(window)):
            return Suspect(TIME_STAMP, "set SOURCE_DATE_EPOCH, or do not write the time")
    return None


def _path(it: Difference) -> Optional[Suspect]:
    for window in it.near():
        if _PATHS.search(window):
            return Suspect(
                PATH, "of the store, cut, encoded or hashed, or of a file with a new name each time"
            )
    return None


def _random(it: Difference) -> Optional[Suspect]:
    near = (window[max(0, it.at - 36) : it.at + 36] for window in (it.one, it.other))
    if all(_UUID.search(window) for window in near):
        return Suspect(RANDOM, "a UUID: derive it from the name or the content")
    return None


def _locale(it: Difference) -> Optional[Suspect]:
    one, other = it.one[it.at : it.at + 1], it.other[it.at : it.at + 1]
    before, behind = it.one[it.at - 1 : it.at], it.one[it.at + 1 : it.at + 2]
    if {one, other} == {b",", b"."} and before.isdigit() and behind.isdigit():
        return Suspect(LOCALE, "how numbers are written: set LC_ALL=C in env")
    if (one == b"?" or other == b"?") and max(one, other) >= b"\x80":
        return Suspect(LOCALE, "its character set: set LC_ALL=C.UTF-8 in env")
    lines = _same_lines(it)
    if lines is not None:
        by_byte, by_letter = sorted(lines[0]), sorted(lines[0], key=bytes.lower)
        if by_byte != by_letter and sorted(map(tuple, lines)) == sorted((tuple(by_byte), tuple(by_letter))):
            return Suspect(LOCALE, "how lines are sorted: set LC_ALL=C in env")
    return None


def _order(it: Difference) -> Optional[Suspect]:
    same = _same_lines(it) or _same_words(it)
    if same is None:
        one, other = (window[it.at : it.at + _NEAR] for window in (it.one, it.other))
        if len(one) < 2 or sorted(one) != sorted(other):
            return None
    elif all(_FILE_NAME.search(item.strip()) for item in same[0]):
        return Suspect(ARCHIVE_ORDER, "the order of the files of a directory: sort their names")
    return Suspect(HASH_ORDER, "keys of a table or a set: sort them before they are written")


def _same_lines(it: Difference) -> Optional[tuple[Sequence[bytes], Sequence[bytes]]]:
    """Return the whole lines from the difference on in both, if those are the same in another order."""
    start = it.one.rfind(b"\n", 0, it.at) + 1
    # A text is compared as far as both windows have it whole.
    one, other = (window[start:].splitlines(keepends=True) for window in (it.one, it.other))
    for count in range(min(len(one), len(other)), 1, -1):
        first, second = one[:count], other[:count]
        if first != second and sorted(first) == sorted(second):
            return first, second
    return None


def _same_words(it: Difference) -> Optional[tuple[Sequence[bytes], Sequence[bytes]]]:
    start = it.at
    while start and _WORDS.match(it.one[start - 1 : start]):
        start -= 1
    one, other = (_WORDS.findall(window[start : it.at + 3 * _NEAR]) for window in (it.one, it.other))
    for count in range(min(len(one), len(other)), 1, -1):
        if one[:count] != other[:count] and sorted(one[:count]) == sorted(other[:count]):
            return one[:count], other[:count]
    return None


RULES: tuple[Rule, ...] = (
    *(_python, _gzip, _ar, _tar, _zip, _elf),
    *(_random, _time, _locale, _order, _path),
)
