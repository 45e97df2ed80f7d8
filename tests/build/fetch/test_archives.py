"""Archives byte by byte, as several programs write them, and as none should."""

from __future__ import annotations

import os
import struct
import tarfile
import zipfile
import zlib
from typing import Optional

from bramble.build.fetch.archives.tar import BLOCK
from tests.build.fetch.archives import (
    END,
    body,
    directory,
    file,
    header,
    long,
    octal,
    pax,
    symlink,
    tar,
    unicode_path,
    zipped,
)
from tests.build.fetch.test_unpack import World


class Tar(World):
    def names(self, data: bytes) -> list[bytes]:
        self.setUp()
        self.unpack(data + END)
        return sorted(os.listdir(os.fsencode(self.target)))

    def test_what_stands_after_the_link_goes_by_the_format(self) -> None:
        gnu = b"15302715441\0" * 2
        self.assertEqual(self.names(header(magic=b"ustar  \0", rest=gnu)), [b"f"])
        self.assertEqual(self.names(header(magic=b"", rest=b"no prefix in v7")), [b"f"])
        self.assertEqual(self.names(header(rest=b"p")), [b"p"])
        star = b"p".ljust(131, b"\0") + b"15302715441 " * 2
        self.assertEqual(self.names(header(rest=star)), [b"p"])
        self.assertEqual(os.listdir(self.target + "/p"), ["f"])
        marked = star.ljust(163, b"\0") + b"tar\0"
        self.assertEqual(self.names(header(rest=marked)), [b"p"])
        whole = b"q" * 80 + b"/" + b"p" * 74
        self.assertEqual(self.names(header(rest=whole)), [b"q" * 80])
        self.setUp()
        self.assertRefused("unsupported", header(magic=b"wstar\x0000") + END)

    def test_numbers_are_octal_or_base_256_and_bounded(self) -> None:
        base = b"\x80" + bytes(10) + b"\1"
        for size in (b"00000000001\0", b"1 ".ljust(12, b"\0"), b"          1 ", b"000000000001", base):
            self.assertEqual(self.names(header(size=size) + body(b"x")), [b"f"], size)
        for size in (
            b"0000000001x\0",
            b"-0000000001\0",
            b"\xff" * 12,
            b"\x80" + b"\xff" * 11,
            b"8".ljust(12, b"\0"),
            b"1\x001".ljust(12, b"\0"),
            "¹".encode().ljust(12, b"\0"),
        ):
            self.setUp()
            self.assertRefused("broken", header(size=size) + body(b"x") + END)

    def test_a_checksum_may_have_been_made_with_signed_bytes(self) -> None:
        name = b"caf\xe9"
        right = header(name)
        signed = sum(right[:148]) + 8 * 32 + sum(right[156:]) - 256
        self.assertEqual(self.names(header(name, checksum=b"%06o\0 " % signed)), [name])
        for checksum in (b"0000000\0", b"        ", b"zzzzzz\0 "):
            self.setUp()
            self.assertRefused("broken", header(name, checksum=checksum) + END)

    def test_names_of_extended_headers_are_bytes(self) -> None:
        self.assertEqual(self.names(pax((b"path", b"caf\xc3\xa9")) + header()), ["café".encode()])
        binary = pax((b"hdrcharset", b"BINARY"), (b"path", b"caf\xe9"))
        self.assertEqual(self.names(binary + header()), [b"caf\xe9"])
        self.assertEqual(self.names(pax((b"path", b"a"), kind=b"g") + header()), [b"a"])
        self.assertEqual(self.names(long(b"n" * 200 + b"\0") + header(magic=b"ustar  \0")), [b"n" * 200])
        self.assertEqual(self.names(pax((b"size", b"1")) + header() + body(b"x")), [b"f"])
        both = long(b"n" * 200 + b"\0") + pax((b"path", b"n" * 200), (b"size", b"1"))
        self.assertEqual(self.names(both + header() + body(b"x")), [b"n" * 200])

    def test_what_is_lost_or_guessed_is_refused(self) -> None:
        for slug, data in (
            ("unsupported", pax((b"hdrcharset", b"KOI8-R")) + header()),
            ("unsupported", pax((b"GNU.sparse.major", b"1")) + header()),
            ("unsupported", pax((b"SUN.holesdata", b" 0 9 18")) + header()),
            ("unsupported", pax((b"SCHILY.realsize", b"99")) + header()),
            ("unsupported", pax((b"SCHILY.offset", b"9")) + header()),
            ("unsupported", pax((b"GNU.volume.offset", b"9")) + header()),
            ("unsupported", header(b"l", b"2", link=b"f", size=octal(1)) + body(b"x")),
            ("unsupported", header(b"f", b"1", link=b"f") + header(b"g")),
            ("unsupported", header(b"f", b"1", link=b"./f")),
            ("unsupported", header(kind=b"S")),
            ("unsupported", header(kind=b"M")),
            ("unsupported", header(kind=b"Z")),
            ("unsupported", header(kind=b"1", link=b"f", size=octal(1)) + body(b"x")),
            ("unsupported", header(kind=b"2")),
            ("unsupported", pax((b"linkpath", b"a\0b")) + header(kind=b"2", link=b"x")),
            ("unsupported", pax((b"path", b"a\0b")) + header()),
            ("unsupported", pax((b"path", b"")) + header()),
            ("unsupported", header(name=b"")),
            (
                "unsupported",
                header(kind=b"2", link=b"x" * 100)[:0] + pax((b"linkpath", b"x" * 5000)) + header(kind=b"2"),
            ),
            ("broken", pax((b"size", b"9" * 5000)) + header()),
            ("broken", pax((b"size", b"-1")) + header()),
            ("broken", pax((b"size", b"")) + header()),
            ("broken", pax((b"path", b"x"))),
            ("broken", pax((b"mtime", b"1"))),
            ("broken", pax((b"path", b"x")) + pax((b"mtime", b"1")) + header()),
            ("broken", pax((b"path", b"x")) + long(b"y\0") + header()),
            ("broken", long(b"x\0") + pax((b"path", b"y")) + header()),
            ("broken", long(b"x\0") + long(b"y\0") + header()),
            ("unsupported", header(kind=b"1", link=b"f")),
            ("broken", header(b"x", b"x", size=octal(5010)) + body(b"9" * 5000 + b" path=x\n")),
            ("broken", header(b"x", b"x", size=octal(9)) + body(b"99 path=x")),
            ("broken", header(b"x", b"x", size=octal(9)) + body(b"5 path=x\n")),
            ("broken", long(b"\0") + header()),
            ("broken", long(b"a\0b") + header()),
            ("special", header(kind=b"3")),
            ("special", header(kind=b"6")),
            ("empty", b""),
            ("empty", header(b"./", b"5")),
        ):
            with self.subTest(slug=slug, data=data[:600]):
                self.setUp()
                self.assertRefused(slug, data + END)

    def test_nothing_follows_the_end_but_zeros(self) -> None:
        self.assertEqual(self.names(header() + bytes(20 * BLOCK)), [b"f"])
        for more in (header(b"g"), b"x"):
            self.setUp()
            self.assertRefused("broken", header() + END + more)

    def test_streams_that_follow_each_other_are_one(self) -> None:
        data = tar([file("a", b"x" * 5000)])
        import_gz = zlib.compressobj(wbits=31)
        first = import_gz.compress(data[:700]) + import_gz.flush()
        second = zlib.compressobj(wbits=31)
        self.unpack(first + second.compress(data[700:]) + second.flush(), "gz")
        self.assertTree({"a": b"x" * 5000})

    def test_every_format_of_the_library_gives_the_same(self) -> None:
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            self.assertEqual(self.names(tar([file("a" * 90)], form=form)[:-1024]), [b"a" * 90])


class Zip(World):
    def make(
        self,
        name: bytes = b"f",
        data: bytes = b"x",
        *,
        host: int = 3,
        external: int = 0o100644 << 16,
        flags: int = 0,
        extras: bytes = b"",
        local: Optional[bytes] = None,
        early: tuple[int, int, int] = (0, 0, 0),
        before: bytes = b"",
        comment: bytes = b"",
        method: int = 0,
        crc: Optional[int] = None,
        size: Optional[int] = None,
        times: int = 1,
        own: bytes = b"",
    ) -> bytes:
        crc = zlib.crc32(data) if crc is None else crc
        size = len(data) if size is None else size
        numbers = early if flags & 8 else (crc, len(data), size)
        called = name if local is None else local
        one = struct.pack("<4s5H3I2H", b"PK\3\4", 20, flags, method, 0, 33, *numbers, len(called), len(own))
        one += called + own + data
        if flags & 8:
            one += struct.pack("<4s3I", b"PK\7\x08", crc, len(data), size)
        central = (
            struct.pack(
                "<4s2B5H3I5H2I",
                b"PK\1\2",
                20,
                host,
                20,
                flags,
                method,
                0,
                33,
                crc,
                len(data),
                size,
                len(name),
                len(extras),
                0,
                0,
                0,
                external,
                0,
            )
            + name
            + extras
        ) * times
        end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, times, times, len(central), len(one), len(comment))
        return before + one + central + end + comment

    def names(self, data: bytes) -> list[bytes]:
        self.setUp()
        self.unpack(data, "zip")
        return sorted(os.listdir(os.fsencode(self.target)))

    def test_a_name_goes_by_the_machine_that_it_comes_from(self) -> None:
        utf8, old = "café".encode(), b"caf\x82"
        for name, host, flags, extras, expected in (
            (utf8, 3, 0, b"", utf8),
            (utf8, 19, 0, b"", utf8),
            (b"caf\xe9", 3, 0, b"", b"caf\xe9"),
            (old, 0, 0, b"", utf8),
            (old, 11, 0, b"", utf8),
            (utf8, 0, 0x800, b"", utf8),
            (b"caf?", 0, 0, unicode_path(b"caf?", utf8), utf8),
            (b"caf?", 3, 0, unicode_path(b"caf?", utf8), utf8),
            (b"caf?", 0, 0, unicode_path(b"other", utf8), b"caf?"),
            (b"caf?", 0, 0, unicode_path(b"caf?", utf8, 2), b"caf?"),
            (b"a\\b", 3, 0, b"", b"a\\b"),
            (b"a\\b", 0, 0, b"", b"a"),
            (b"a\\b", 10, 0x800, b"", b"a"),
        ):
            self.assertEqual(self.names(self.make(name, host=host, flags=flags, extras=extras)), [expected])
        for slug, name, host, flags, extras in (
            ("broken", b"caf\xe9", 0, 0x800, b""),
            ("broken", b"x", 0, 0, unicode_path(b"x", b"\xe9")),
            ("outside", b"C:\\x", 0, 0, b""),
            ("outside", b"\\x", 0, 0, b""),
            ("outside", b"..\\x", 0, 0, b""),
            ("unsupported", b"a\0b", 3, 0, b""),
            ("unsupported", b"", 3, 0, b""),
        ):
            self.setUp()
            self.assertRefused(slug, self.make(name, host=host, flags=flags, extras=extras), "zip")

    def test_a_mode_counts_where_the_machine_has_modes(self) -> None:
        for host, external, mode in (
            (3, 0o100755 << 16, 0o755),
            (19, 0o100755 << 16, 0o755),
            (0, 0o100755 << 16, 0o755),
            (10, 0o100755 << 16, 0o644),
            (0, 0x20, 0o644),
        ):
            self.names(self.make(host=host, external=external))
            self.assertEqual(self.mode("f"), mode)
        self.names(self.make(b"d", b"", host=0, external=0x10))
        self.assertTree({"d": None})
        self.names(self.make(b"l", b"to", external=0o120777 << 16))
        self.assertTree({"l": "to"})

    def test_what_stands_around_an_archive_does_not_matter(self) -> None:
        self.assertEqual(self.names(self.make(before=b"#!/bin/sh\n" * 9, comment=b"a comment")), [b"f"])
        self.assertEqual(self.names(self.make(flags=8)), [b"f"])
        # As libarchive has it, which knows the size of a file before it packs it.
        self.assertEqual(self.names(self.make(flags=8, early=(0, 0, 1))), [b"f"])

    def test_what_contradicts_itself_is_refused(self) -> None:
        fake = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, 0, 0, 0)
        deflated = zlib.compressobj(wbits=-15)
        packed = deflated.compress(b"x" * 99) + deflated.flush()
        for slug, data in (
            ("broken", self.make(local=b"g")),
            ("broken", self.make(crc=1)),
            ("broken", self.make(size=2)),
            ("broken", self.make(size=0)),
            ("broken", self.make(times=2)),
            ("broken", self.make(comment=fake)),
            ("broken", self.make() + b"x"),
            ("broken", self.make(flags=8, early=(0, 0, 2))),
            ("broken", self.make(flags=8, early=(7, 0, 1))),
            ("broken", self.make(flags=8).replace(b"PK\7\x08", b"PK\7\x09")),
            ("broken", self.make(data=packed, method=8, size=98, crc=zlib.crc32(b"x" * 99))),
            ("broken", self.make(data=packed + b"y", method=8, size=99, crc=zlib.crc32(b"x" * 99))),
            ("unsupported", self.make(flags=1)),
            ("unsupported", self.make(flags=1 << 13)),
            ("unsupported", self.make(method=99)),
            ("unsupported", self.make(b"d/")),
            ("unsupported", self.make(b"l", b"", external=0o120777 << 16)),
            ("unsupported", self.make(b"l", b"a\0b", external=0o120777 << 16)),
            ("special", self.make(external=0o010644 << 16)),
            ("empty", fake),
        ):
            with self.subTest(slug=slug, data=data):
                self.setUp()
                self.assertRefused(slug, data, "zip")

    def test_no_member_is_hidden_or_replaced(self) -> None:
        one, two = zipped([file("a", b"1")]), zipped([file("b", b"2")])
        first = one[: one.index(b"PK\1\2")]
        for slug, data in (
            ("broken", one + two),
            ("broken", first + two),
            # A member between the last one that is listed and the directory.
            ("broken", self.with_start(two, first)),
            ("unsupported", zipped([file("a", b"1"), file("./a", b"2")])),
            ("unsupported", zipped([file("d//a", b"1"), symlink("d/a", "x")])),
            ("broken", self.make(extras=unicode_path(b"f", b"g") + unicode_path(b"f", b"h"))),
            ("broken", self.make(extras=unicode_path(b"f", b"g"), own=unicode_path(b"f", b"h"))),
        ):
            with self.subTest(data=data):
                self.setUp()
                self.assertRefused(slug, data, "zip")
        same = unicode_path(b"f", b"g")
        self.assertEqual(self.names(self.make(extras=same + same, own=same)), [b"g"])
        self.assertEqual(self.names(zipped([directory("d"), file("d/a"), directory("./d")])), [b"d"])

    def with_start(self, archive: bytes, hidden: bytes) -> bytes:
        at, end = archive.index(b"PK\1\2"), archive.index(b"PK\5\6")
        moved = struct.pack("<I", at + len(hidden))
        return archive[:at] + hidden + archive[at : end + 16] + moved + archive[end + 20 :]

    def test_every_method_of_the_library_is_undone(self) -> None:
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            for data in (b"", b"x", os.urandom(400_000) + bytes(400_000)):
                self.setUp()
                path = os.path.join(self.top, "z")
                with zipfile.ZipFile(path, "w", method) as archive:
                    archive.writestr("f", data)
                with open(path, "rb") as made:
                    whole = made.read()
                os.unlink(path)
                self.unpack(whole, "zip")
                self.assertTree({"f": data})

    def test_long_numbers_are_read(self) -> None:
        path = os.path.join(self.top, "z")
        with zipfile.ZipFile(path, "w") as archive, archive.open("f", "w", force_zip64=True) as out:
            out.write(b"x")
        with open(path, "rb") as made:
            whole = made.read()
        os.unlink(path)
        self.unpack(whole, "zip")
        self.assertTree({"f": b"x"})
        plain = zipped([file("a", b"1")])
        at = len(plain) - 22
        _, _, _, _, count, length, start, _ = struct.unpack("<4s4H2IH", plain[at:])
        record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
        locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
        full = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        self.assertEqual(self.names(plain[:at] + record + locator + full), [b"a"])
        wrong = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, length + 1, 0xFFFFFFFF, 0)
        self.setUp()
        self.assertRefused("broken", plain[:at] + record + locator + wrong, "zip")
