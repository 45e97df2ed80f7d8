"""What an archive may cost, and what may stand in a compressed stream."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zlib

from bramble.build.fetch.archives.compressed import Decompressed
from bramble.record import replace
from tests.build.fetch.archives import directory, file, hardlink, tar, zipped
from tests.build.fetch.test_unpack import LIMITS, World

ONE = tar([file("a", b"1")])


def header(kind: bytes, body: bytes) -> bytes:
    about = tarfile.TarInfo("h")
    about.type, about.size = kind, len(body)
    return about.tobuf(tarfile.USTAR_FORMAT) + body + b"\0" * (-len(body) % 512)


class Costs(World):
    # spec: build.unpack.limits
    def test_hard_links_cost_what_their_copies_will(self) -> None:
        data = tar([file("a", b"x" * 1000), *(hardlink(f"b{number}", "a") for number in range(9))])
        self.assertRefused("too-large", data, limits=replace(LIMITS, size=9_999))

    def test_as_many_copies_as_fit_are_made(self) -> None:
        data = tar([file("a", b"x"), *(hardlink(f"b{number}", "a") for number in range(9))])
        self.unpack(data, limits=replace(LIMITS, size=10_000))
        self.assertEqual(len(os.listdir(self.target)), 10)

    def test_headers_that_are_no_members_are_counted(self) -> None:
        plain = tarfile.TarInfo("f").tobuf(tarfile.USTAR_FORMAT)
        for kind in (b"g", b"x", b"V", b"L"):
            with self.subTest(kind):
                many = (header(kind, b"12 path=abc\n") + plain) * 6 + ONE
                self.setUp()
                self.assertRefused("too-large", many, limits=replace(LIMITS, members=9))

    def test_directories_without_a_member_are_counted(self) -> None:
        deep = [file(f"{number}/" + "d/" * 10 + "f") for number in range(3)]
        for kind, data in (("tar", tar(deep)), ("zip", zipped(deep))):
            self.setUp()
            self.unpack(data, kind, limits=replace(LIMITS, members=36))
            self.setUp()
            self.assertRefused("too-large", data, kind, limits=replace(LIMITS, members=30))

    def test_a_directory_with_a_member_counts_once(self) -> None:
        data = tar([directory("d"), directory("d/e"), file("d/e/f")], form=tarfile.USTAR_FORMAT)
        self.unpack(data, limits=replace(LIMITS, members=3))

    def test_a_path_that_no_program_could_open_is_refused(self) -> None:
        deep = "d/" * 2048 + "f"
        self.assertRefused("unsupported", tar([file(deep)]))
        os.rmdir(self.target)
        self.assertRefused("unsupported", zipped([file(deep)]), kind="zip")


class Compressed(World):
    # spec: build.unpack.compressed
    def test_streams_may_follow_each_other(self) -> None:
        for kind, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
            with self.subTest(kind):
                self.unpack(pack(ONE[:700]) + pack(ONE[700:]), kind)
                self.assertTree({"a": b"1"})
                os.unlink(os.path.join(self.target, "a"))
                os.rmdir(self.target)

    def test_what_follows_a_stream_is_not_passed_over(self) -> None:
        for kind, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
            with self.subTest(kind):
                self.assertRefused("broken", pack(ONE) + b"garbage behind it", kind)
                os.unlink(os.path.join(self.target, "a"))
                os.rmdir(self.target)

    def test_padding(self) -> None:
        for kind, data, fine in (
            ("gz", gzip.compress(ONE) + b"\0" * 1000, True),
            ("xz", lzma.compress(ONE) + b"\0" * 8, True),
            ("xz", lzma.compress(ONE[:512]) + b"\0" * 4 + lzma.compress(ONE[512:]), True),
            ("xz", lzma.compress(ONE) + b"\0" * 3, False),
            ("gz", gzip.compress(ONE) + b"\0" + gzip.compress(b""), False),
        ):
            with self.subTest(kind, fine=fine):
                if fine:
                    self.unpack(data, kind)
                else:
                    self.assertRefused("broken", data, kind)
                os.unlink(os.path.join(self.target, "a"))
                os.rmdir(self.target)

    def test_every_cut_is_noticed(self) -> None:
        for kind, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)):
            whole = pack(b"some text")
            for length in range(len(whole)):
                path = os.path.join(self.top, "cut")
                with open(path, "wb") as out:
                    out.write(whole[:length])
                with self.subTest(kind, length=length), open(path, "rb") as opened:
                    with self.assertRaises(Exception) as caught:
                        stream = Decompressed(opened, kind)
                        while stream.read(5):
                            pass
                    self.assertEqual(type(caught.exception).__name__, "TarBroken")

    def test_a_checksum_that_cannot_be_compared_is_refused(self) -> None:
        # XZ file format 2.1.1.2: kind 2 is reserved, and liblzma passes over it.
        data = bytearray(lzma.compress(ONE, check=lzma.CHECK_CRC32))
        data[7] = data[-3] = 2
        data[8:12] = zlib.crc32(bytes(data[6:8])).to_bytes(4, "little")
        data[-12:-8] = zlib.crc32(bytes(data[-8:-2])).to_bytes(4, "little")
        self.assertRefused("unsupported", bytes(data), "xz")

    def test_a_header_does_not_choose_the_memory(self) -> None:
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
        data = bytearray(lzma.compress(ONE, filters=filters))
        # XZ file format 3.1 and 5.3.1: the dictionary's size is one byte of the block header; 40 is 4 GiB.
        data[16] = 40
        data[20:24] = zlib.crc32(bytes(data[12:20])).to_bytes(4, "little")
        self.assertRefused("unsupported", bytes(data), "xz")
