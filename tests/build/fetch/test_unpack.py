"""Unpacking archives that are sound, and many that are not."""

from __future__ import annotations

import io
import lzma
import os
import shutil
import tarfile
import tempfile
import threading
import unittest
import zlib
from collections.abc import Mapping
from typing import Union

from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.build.fetch.archives.confined import Outside, split_name
from bramble.build.fetch.archives.tar import TarBroken, TarStream
from bramble.build.fetch.archives.unpack import UnpackLimits, archive_kind, unpack
from bramble.build.task import Cancelled
from bramble.errors import BrambleError
from bramble.record import replace
from tests.build.fetch.archives import directory, file, hardlink, symlink, tar, zipped

LIMITS = UnpackLimits(size=1 << 20, ratio=250, members=1000)


class World(unittest.TestCase):
    def setUp(self) -> None:
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.top = top.name
        self.target = os.path.join(self.top, "target")

    def unpack(self, data: bytes, kind: str = "tar", limits: UnpackLimits = LIMITS) -> None:
        archive = os.path.join(self.top, "archive")
        with open(archive, "wb") as out:
            out.write(data)
        os.mkdir(self.target)
        unpack(archive, kind, self.target, name="a." + kind, limits=limits)

    def assertRefused(self, code: str, data: bytes, kind: str = "tar", limits: UnpackLimits = LIMITS) -> None:
        with self.assertRaises(BrambleError) as caught:
            self.unpack(data, kind, limits)
        self.assertEqual(caught.exception.code, "fetch.archive-" + code)
        self.assertTrue(caught.exception.remedy)
        # Whatever it was, nothing stands beside the target.
        self.assertEqual(sorted(os.listdir(self.top)), ["archive", "target"])

    def assertTree(self, expected: Mapping[str, Union[bytes, str, None]]) -> None:
        found: dict[str, Union[bytes, str, None]] = {}
        for top, directories, files in os.walk(self.target):
            for name in directories + files:
                path = os.path.join(top, name)
                key = os.path.relpath(path, self.target)
                if os.path.islink(path):
                    found[key] = os.readlink(path)
                elif os.path.isdir(path):
                    found[key] = None
                else:
                    with open(path, "rb") as it:
                        found[key] = it.read()
        self.assertEqual(found, expected)

    def mode(self, name: str) -> int:
        return os.stat(os.path.join(self.target, name)).st_mode & 0o7777


def asking_for(dictionary: int, stream: bytes) -> bytes:
    """Return an xz stream that asks for a dictionary of another size (xz format, 3.1 and 5.3.1)."""
    length = 4 * (stream[12] + 1)
    head = bytearray(stream[12 : 12 + length - 4])
    assert head[2:4] == b"\x21\x01"
    head[4] = dictionary
    return stream[:12] + bytes(head) + zlib.crc32(head).to_bytes(4, "little") + stream[12 + length :]


class Xz(World):
    plain = tar([file("a", b"x" * 100), file("b", b"y")])

    def test_several_streams_with_padding_are_one_file(self) -> None:
        half = len(self.plain) // 2
        parts = [lzma.compress(self.plain[:half]), bytes(8), lzma.compress(self.plain[half:]), bytes(4)]
        self.unpack(b"".join(parts), "xz")
        self.assertTree({"a": b"x" * 100, "b": b"y"})

    def test_what_asks_for_much_memory_is_refused(self) -> None:
        stream = lzma.compress(self.plain)
        # 64 MiB, as of `xz -9`; then 1 GiB.
        self.unpack(asking_for(28, stream), "xz")
        shutil.rmtree(self.target)
        self.assertRefused("unsupported", asking_for(36, stream), "xz")

    def test_what_is_cut_or_followed_by_something_is_refused(self) -> None:
        stream = lzma.compress(self.plain)
        for data in (stream[:-1], stream[:40], stream + b"x", stream + bytes(4) + b"xyz", b"x" + stream, b""):
            self.assertRefused("broken", data, "xz")
            shutil.rmtree(self.target)


class Unpacking(World):
    def test_unpacking_stops_when_it_is_cancelled(self) -> None:
        cancelled = threading.Event()
        cancelled.set()
        limits = replace(LIMITS, cancelled=cancelled)
        for kind, data in (("tar", tar([file("a", b"x")])), ("zip", zipped([file("a", b"x")]))):
            with self.assertRaises(Cancelled):
                self.unpack(data, kind, limits)
            shutil.rmtree(self.target)

    def test_every_kind_of_archive_gives_the_same_tree(self) -> None:
        entries = [
            directory("d"),
            file("d/f", b"hello" * 1000),
            file("run", b"#!", 0o755),
            symlink("l", "d/f"),
        ]
        expected = {"d": None, "d/f": b"hello" * 1000, "run": b"#!", "l": "d/f"}
        for kind, data in (
            ("tar", tar(entries)),
            ("gz", tar(entries, "gz")),
            ("bz2", tar(entries, "bz2")),
            ("xz", tar(entries, "xz")),
            ("zip", zipped(entries)),
        ):
            with self.subTest(kind):
                self.setUp()
                self.unpack(data, kind)
                self.assertTree(expected)
                self.assertEqual((self.mode("run"), self.mode("d/f")), (0o755, 0o644))

    def test_every_format_of_tar_keeps_a_long_name(self) -> None:
        long = "n" * 90 + "/" + "m" * 90
        entries = [file(long, b"x"), symlink("l", "t" * 95)]
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            self.setUp()
            self.unpack(tar(entries, form=form))
            self.assertTree({"n" * 90: None, long: b"x", "l": "t" * 95})

    def test_names_of_two_hundred_bytes_and_of_any_script_are_kept(self) -> None:
        for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            self.setUp()
            name = "ж" * 110
            self.unpack(tar([file(name, b"x"), symlink("l", "z" * 300)], form=form))
            self.assertTree({name: b"x", "l": "z" * 300})

    def test_a_name_that_is_not_utf8_keeps_its_bytes(self) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
            archive.addfile(tarfile.TarInfo("caf\xe9"))
        self.unpack(out.getvalue())
        self.assertEqual(os.listdir(os.fsencode(self.target)), [b"caf\xe9"])

    def test_directories_need_no_entry_of_their_own(self) -> None:
        self.unpack(tar([file("./a/b/c", b"1"), file("a//d", b"2"), directory("./")]))
        self.assertTree({"a": None, "a/b": None, "a/b/c": b"1", "a/d": b"2"})

    def test_a_directory_that_nobody_may_write_is_filled_all_the_same(self) -> None:
        self.unpack(tar([directory("d", 0o000), file("d/f", b"1", 0o000)]))
        self.assertTree({"d": None, "d/f": b"1"})

    def test_set_user_id_is_dropped(self) -> None:
        self.unpack(tar([file("su", b"", 0o6755)]))
        self.assertEqual(self.mode("su"), 0o755)

    def test_a_later_entry_replaces_an_earlier_one(self) -> None:
        self.unpack(tar([file("f", b"old"), symlink("l", "x"), file("f", b"new"), file("l", b"file")]))
        self.assertTree({"f": b"new", "l": b"file"})

    def test_a_hard_link_is_the_file_that_it_names(self) -> None:
        self.unpack(tar([file("a/f", b"1"), hardlink("b/g", "a/f"), hardlink("a/f", "./a/f")]))
        self.assertTree({"a": None, "a/f": b"1", "b": None, "b/g": b"1"})

    def test_a_hard_link_to_a_link_is_that_link(self) -> None:
        self.unpack(tar([symlink("l", "/etc/passwd"), hardlink("m", "l")]))
        self.assertTree({"l": "/etc/passwd", "m": "/etc/passwd"})

    def test_a_link_may_point_anywhere_since_nothing_follows_it(self) -> None:
        self.unpack(tar([symlink("l", "/etc"), symlink("m", "../..")]))
        self.assertTree({"l": "/etc", "m": "../.."})


class Hostile(World):
    def test_a_name_that_climbs_out_is_refused(self) -> None:
        for name in ("../evil", "a/../../evil", "/evil", "..", "a/b/../../../evil", self.top + "/evil"):
            for kind, make in (("tar", tar), ("zip", zipped)):
                with self.subTest(name=name, kind=kind):
                    self.setUp()
                    self.assertRefused("outside", make([file(name, b"x")]), kind)  # type: ignore[operator]

    def test_nothing_is_written_through_a_link(self) -> None:
        for kind, make in (("tar", tar), ("zip", zipped)):
            self.setUp()
            self.assertRefused("outside", make([symlink("l", self.top), file("l/evil", b"x")]), kind)  # type: ignore[operator]

    def test_nothing_is_written_through_a_link_made_behind_the_back(self) -> None:
        entries = [file("d/f", b"x"), symlink("d/l", ".."), file("d/l/g", b"x")]
        self.assertRefused("outside", tar(entries))

    def test_a_directory_entry_does_not_make_a_link_a_directory(self) -> None:
        self.assertRefused("outside", tar([symlink("l", self.top), directory("l"), file("l/evil", b"")]))

    def test_a_hard_link_reaches_nothing_outside(self) -> None:
        with open(os.path.join(self.top, "archive"), "w"):
            pass
        self.assertRefused("outside", tar([hardlink("l", "../archive")]))

    def test_a_hard_link_reaches_nothing_through_a_link(self) -> None:
        self.assertRefused("outside", tar([symlink("d", self.top), hardlink("l", "d/archive")]))

    def test_a_hard_link_to_nothing_is_refused(self) -> None:
        self.assertRefused("unsupported", tar([hardlink("l", "nowhere")]))

    def test_writing_to_an_entry_that_was_a_link_does_not_reach_its_target(self) -> None:
        victim = os.path.join(self.top, "archive")
        data = tar([symlink("l", victim), file("l", b"evil")])
        self.unpack(data)
        with open(victim, "rb") as it:
            self.assertEqual(it.read(), data)

    def test_devices_and_fifos_are_refused(self) -> None:
        self.assertRefused("special", tar([("device", "d", b"", 0o644)]))
        self.setUp()
        self.assertRefused("special", tar([("fifo", "d", b"", 0o644)]))
        self.setUp()
        self.assertRefused("special", zipped([("fifo", "d", b"", 0o644)]), "zip")

    def test_what_is_cut_short_is_refused_wherever_it_is_cut(self) -> None:
        entries = [file("a", b"x" * 700), file("b" * 150, b"y" * 10), file("c", os.urandom(600))]
        for kind, data in (
            ("tar", tar(entries)),
            ("gz", tar(entries, "gz")),
            ("bz2", tar(entries, "bz2")),
            ("xz", tar(entries, "xz")),
            ("zip", zipped(entries)),
        ):
            # The end mark of tar is two empty blocks and filled up: one is enough to be sure.
            end = len(data.rstrip(b"\0")) if kind == "tar" else len(data)
            for cut in range(0, end, max(1, end // 40)):
                with self.subTest(kind=kind, cut=cut):
                    self.setUp()
                    self.assertRefused("broken", data[:cut], kind)

    def test_damage_in_the_middle_is_not_taken_for_the_end(self) -> None:
        data = bytearray(tar([file("a", b"x" * 512), file("b", b"y")]))
        data[1024:1030] = b"\xff" * 6
        self.assertRefused("broken", bytes(data))

    def test_a_wrong_checksum_at_the_end_of_a_compressed_stream_is_seen(self) -> None:
        data = bytearray(tar([file("a", b"x" * 512)], "gz"))
        data[-8] ^= 1
        self.assertRefused("broken", bytes(data), "gz")

    def test_a_bomb_is_defused(self) -> None:
        limits = UnpackLimits(size=1 << 16, ratio=250, members=1000)
        zeros = [file("z", bytes(1 << 20))]
        for kind, data in (("gz", tar(zeros, "gz")), ("zip", zipped(zeros)), ("xz", tar(zeros, "xz"))):
            self.setUp()
            self.assertRefused("too-large", data, kind, limits)

    def test_a_bomb_behind_the_end_mark_is_defused(self) -> None:
        data = tar([file("a", b"")]) + bytes(1 << 20)
        self.assertRefused("too-large", data, "tar", UnpackLimits(size=1 << 16, ratio=1, members=9))

    def test_too_many_members_are_refused(self) -> None:
        data = tar([file(str(at)) for at in range(20)])
        self.assertRefused("too-large", data, limits=UnpackLimits(size=1 << 20, ratio=1, members=10))

    def test_a_file_is_no_directory(self) -> None:
        self.assertRefused("unsupported", tar([file("f", b""), file("f/g", b"")]))
        self.setUp()
        self.assertRefused("unsupported", tar([directory("f"), file("f", b"")]))
        self.setUp()
        self.assertRefused("unsupported", tar([file(".", b"")]))

    def test_a_name_that_no_file_system_takes_is_refused(self) -> None:
        self.assertRefused("unsupported", tar([file("n" * 300, b"")]))

    def test_an_encrypted_zip_is_refused(self) -> None:
        data = bytearray(zipped([file("f", b"secret")]))
        # The flag stands in the local header and in the central directory.
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
        self.assertRefused("unsupported", bytes(data), "zip")

    def test_a_sparse_file_is_refused_rather_than_mangled(self) -> None:
        header = bytearray(tar([file("s", b"")])[:512])
        header[156:157] = b"S"
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        self.assertRefused("unsupported", bytes(header) + bytes(1024))

    def test_a_huge_extended_header_is_refused_before_it_is_read(self) -> None:
        for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
            info = tarfile.TarInfo("x")
            info.type, info.size = kind, 1 << 30
            asked: list[int] = []
            first = io.BytesIO(info.tobuf(tarfile.GNU_FORMAT))

            def read(size: int, first: io.BytesIO = first, asked: list[int] = asked) -> bytes:
                asked.append(size)
                return first.read(size) or bytes(size)

            with self.assertRaises(TarBroken):
                list(TarStream(read).members())
            self.assertEqual(asked, [512])

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=3000), st.sampled_from(["tar", "gz", "bz2", "xz", "zip"]))
    def test_noise_is_an_error_and_nothing_else(self, noise: bytes, kind: str) -> None:
        self.setUp()
        try:
            self.unpack(noise, kind)
        except BrambleError as error:
            self.assertTrue(error.code.startswith("fetch.archive-"))

    @settings(max_examples=200, deadline=None)
    @given(st.data(), st.sampled_from(["tar", "zip"]))
    def test_damage_is_an_error_and_nothing_else(self, data: st.DataObject, kind: str) -> None:
        entries = [file("a", b"x" * 600), symlink("l", "a"), file("d/" + "b" * 120, b"y")]
        whole = bytearray(tar(entries) if kind == "tar" else zipped(entries))
        for _ in range(data.draw(st.integers(1, 4))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        self.setUp()
        try:
            self.unpack(bytes(whole), kind)
        except BrambleError as error:
            self.assertTrue(error.code.startswith("fetch.archive-"))
        self.assertEqual(sorted(os.listdir(self.top)), ["archive", "target"])


class Names(unittest.TestCase):
    def test_the_ending_says_how_to_unpack(self) -> None:
        for name, kind in (
            ("a.tar", "tar"),
            ("a.tar.gz", "gz"),
            ("A.TGZ", "gz"),
            ("a.tar.bz2", "bz2"),
            ("a.tar.xz", "xz"),
            ("a.zip", "zip"),
            ("a.gz", None),
            ("tar.gz.txt", None),
            ("busybox-x86_64", None),
        ):
            self.assertEqual(archive_kind(name), kind, name)

    @given(st.text(alphabet="ab./", min_size=1, max_size=12).map(str.encode))
    def test_a_name_stays_inside_or_is_refused(self, name: bytes) -> None:
        try:
            parts = split_name(name)
        except Outside:
            self.assertTrue(name.startswith(b"/") or b".." in name.split(b"/"))
        else:
            self.assertFalse({b"", b".", b".."} & set(parts))
