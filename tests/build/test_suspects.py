"""What a difference of two builds looks like: one row for each rule, and for what each must leave alone."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile

import pytest

from bramble.build.checking.suspects import (
    ARCHIVE_ORDER,
    AROUND,
    BUILD_ID,
    HASH_ORDER,
    HEAD,
    LOCALE,
    PATH,
    RANDOM,
    TIME_STAMP,
    Difference,
    suspect,
)


def difference(path: str, one: bytes, other: bytes) -> Difference:
    at = len(os.path.commonprefix([one, other]))
    low = max(0, at - AROUND)
    return Difference(path, one[:HEAD], at, one[low : at + AROUND], other[low : at + AROUND], at - low)


def tar(*members: tuple[str, int, int], body: bytes = b"x" * 700) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, mtime, uid in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid = len(body), mtime, uid
            archive.addfile(info, io.BytesIO(body))
    return target.getvalue()


def zipped(*members: tuple[str, int], body: bytes = b"hello") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, minute in members:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, minute, 0)), body)
    return target.getvalue()


def ar(*members: tuple[str, int]) -> bytes:
    head = b"".join(
        f"{name + '/':<16}{time:<12}{0:<6}{0:<6}{644:<8}{4:<10}`\n".encode() + b"data"
        for name, time in members
    )
    return b"!<arch>\n" + head


ELF = b"\x7fELF" + bytes(700)
NOTE = ELF + b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"
ROWS = [
    ("a.pyc", b"abcd" + bytes(4) + b"1234rest", b"abcd" + bytes(4) + b"1235rest", TIME_STAMP, "byte code"),
    ("a.pyc", b"abcd\3\0\0\0" + b"1234", b"abcd\3\0\0\0" + b"1235", PATH, "the hash of the source"),
    ("a.gz", gzip.compress(b"x", mtime=1), gzip.compress(b"x", mtime=2), TIME_STAMP, "gzip -n"),
    ("a.a", ar(("x.o", 17), ("y.o", 1)), ar(("x.o", 18), ("y.o", 1)), TIME_STAMP, "ar D"),
    ("a.a", ar(("x.o", 1), ("y.o", 1)), ar(("y.o", 1), ("x.o", 1)), ARCHIVE_ORDER, "sorted"),
    ("a.tar", tar(("a", 1, 0)), tar(("a", 2, 0)), TIME_STAMP, "--mtime"),
    ("a.tar", tar(("a", 1, 0), ("b", 1, 0)), tar(("a", 1, 0), ("b", 99, 0)), TIME_STAMP, "--mtime"),
    ("a.tar", tar(("a", 1, 0), ("b", 1, 0)), tar(("b", 1, 0), ("a", 1, 0)), ARCHIVE_ORDER, "--sort=name"),
    ("a.tar", tar(("a", 1, 0)), tar(("a", 1, 7)), PATH, "--owner=0"),
    ("a.jar", zipped(("a", 1)), zipped(("a", 2)), TIME_STAMP, "zip -X"),
    ("a.zip", zipped(("a", 1), ("b", 1)), zipped(("b", 1), ("a", 1)), ARCHIVE_ORDER, "zip"),
    ("bin/p", NOTE + b"\1" * 20, NOTE + b"\2" * 20, BUILD_ID, "--build-id=none"),
    ("bin/p", NOTE + b"\1" * 19 + b"\1", NOTE + b"\1" * 19 + b"\2", BUILD_ID, "--build-id=none"),
    ("t", b"at 12:30:01.", b"at 12:30:02.", TIME_STAMP, "SOURCE_DATE_EPOCH"),
    ("t", b"at 12:30:01.123456 ", b"at 12:30:01.123999 ", TIME_STAMP, "SOURCE_DATE_EPOCH"),
    ("t", b"on 2024-01-09", b"on 2024-01-10", TIME_STAMP, "SOURCE_DATE_EPOCH"),
    ("t", b"built Jan  9 2024 x", b"built Feb  9 2024 x", TIME_STAMP, "SOURCE_DATE_EPOCH"),
    ("t", b"t=1764453600;", b"t=1764453611;", TIME_STAMP, "SOURCE_DATE_EPOCH"),
    ("t", b"t=1764453600123;", b"t=1764453611456;", TIME_STAMP, "SOURCE_DATE_EPOCH"),
    ("t", b"in /tmp/tmpab12cd34/x", b"in /tmp/tmpzz99yy88/x", PATH, "new name"),
    ("t", b"/check/" + b"o" * 30, b"/s/bram" + b"o" * 30, PATH, "of the store"),
    ("t", b"bramble_store_padding/b", b"bramble_store_paddinq/b", PATH, "of the store"),
    ("n", b"1.5 m", b"1,5 m", LOCALE, "numbers"),
    ("n", "größe".encode(), b"gr??e", LOCALE, "character set"),
    ("n", b"a\nB\nc\nD\n", b"B\nD\na\nc\n", LOCALE, "sorted"),
    ("s", b"x\nzoo\nbear\n", b"x\nbear\nzoo\n", HASH_ORDER, "set"),
    ("s", b"{'alpha': 1, 'beta': 1}", b"{'beta': 1, 'alpha': 1}", HASH_ORDER, "set"),
    ("s", b"keys: ab", b"keys: ba", HASH_ORDER, "set"),
    ("l", b"lib/a.c\nlib/b.c\n", b"lib/b.c\nlib/a.c\n", ARCHIVE_ORDER, "directory"),
    ("l", b"a.c b.h c.o", b"c.o a.c b.h", ARCHIVE_ORDER, "directory"),
    (
        "u",
        b"id 0fe1a2b3-1111-4222-8333-0123456789ab.",
        b"id 1fe1a2b3-1111-4222-8333-0123456789ab.",
        RANDOM,
        "UUID",
    ),
]


@pytest.mark.parametrize("row", range(len(ROWS)))
def test_each_difference_has_its_usual_cause(row: int) -> None:
    # spec: build.check.suspect
    path, one, other, kind, advice = ROWS[row]
    for first, second in ((one, other), (other, one)):
        found = suspect(difference(path, first, second))
        assert found is not None and found.kind == kind and advice in found.advice
        assert str(found) == f"{kind}: {found.advice}"


def test_every_kind_of_the_specification_has_a_row() -> None:
    # spec: build.check.suspect
    assert {row[3] for row in ROWS} == {
        *(TIME_STAMP, PATH, LOCALE, HASH_ORDER, ARCHIVE_ORDER, BUILD_ID, RANDOM)
    }


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("t", b"", b"x"),
        ("t", b"x", b""),
        ("t", b"short", b"shorter"),
        ("t", b"version 1", b"version 2"),
        ("t", b"n = 12345", b"n = 99345"),
        # A time far away has nothing to do with it.
        ("t", b"12:30:01" + b" " * 100 + b"a", b"12:30:01" + b" " * 100 + b"b"),
        ("t", b"a\nb\n", b"a\nc\n"),
        ("t", b"What? a", b"What! a"),
        ("a.pyc", b"abcd" + bytes(12) + b"x", b"abcd" + bytes(12) + b"y"),
        ("a.pyc", b"a", b"b"),
        ("a.gz", b"\x1f\x8b\x08\0\1\1\1\1\0\3AB", b"\x1f\x8b\x08\0\1\1\1\1\0\3CD"),
        ("a.tar", tar(("a", 1, 0)), tar(("a", 1, 0), body=b"x" * 600 + b"y" * 100)),
        ("bin/p", ELF + b"AAAA", ELF + b"BBBB"),
        ("a.zip", zipped(("a", 1), body=b"q"), zipped(("a", 1), body=b"r")[:30] + b"a" + b"z"),
    ],
    # Not made of the bytes: the id of a test becomes a variable of its processes.
    ids=range(14),
)
def test_what_is_not_known_is_not_guessed(path: str, one: bytes, other: bytes) -> None:
    assert suspect(difference(path, one, other)) is None


def test_a_rule_never_fails_whatever_the_bytes_are() -> None:
    marks = [b"\x1f\x8b", b"!<arch>\n", b"PK\x03\x04", b"PK\x01\x02", b"\x7fELF", b"ustar", b"GNU\0", b"`\n"]
    for path in ("a.pyc", "a.tar", "x"):
        for head in marks:
            for mark in marks:
                for fill in range(0, 80, 7):
                    text = head + bytes(fill) + mark
                    for cut in range(0, len(text), 3):
                        suspect(difference(path, text[:cut] + b"\1", text[:cut] + b"\2" + text[cut:]))
                        suspect(difference(path, text[:cut], text[:cut] + b"\2"))
