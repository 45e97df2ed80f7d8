"""Relinking programs: made here with every compiler that the machine has, and run from elsewhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
from collections.abc import Sequence
from typing import Any, Optional

from hypothesis import given, settings
from hypothesis import strategies as st

from bramble.build.tools import elf as elves
from bramble.build.tools.elf import Change, ElfError, read_elf
from bramble.build.tools.libraries import Loaded, parse_list


class Counting:
    """A file of which it is counted how much of it is read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read = 0

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, where: slice) -> bytes:
        found = self.data[where]
        self.read += len(found)
        return found


def changed(data: bytes, changes: Sequence[Change]) -> bytes:
    result = bytearray(data)
    for offset, piece in changes:
        result[offset : offset + len(piece)] = piece
    return bytes(result)


def relink(data: bytes, **wanted: Any) -> bytes:
    return changed(data, elves.relink(data, **wanted))


def without_search(data: bytes) -> bytes:
    return changed(data, elves.without_search(data))


PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char bss[100000]; static int data[1000] = {1, 2, 3};
int main(int argc, char **argv) {
  for (size_t i = 0; i < sizeof bss; i++) if (bss[i]) return 7;
  memset(bss, 1, sizeof bss);
  char *p = malloc(5000000); memset(p, 2, 5000000);
  printf("%s %d\\n", argc > 1 ? argv[1] : "-", data[2]);
  return 0;
}
"""
# Compiler, what runs its programs, where its libraries are.
COMPILERS = {
    "gcc": ([], ""),
    "musl-gcc": ([], ""),
    "aarch64-linux-gnu-gcc": (["qemu-aarch64-static"], "/usr/aarch64-linux-gnu"),
}
VARIANTS: dict[str, Sequence[str]] = {
    "as usual": (),
    "at a fixed address": ("-no-pie",),
    "at any address": ("-fPIE", "-pie"),
    "bound at once": ("-Wl,-z,now", "-Wl,-z,relro"),
    "without notes": ("-Wl,--build-id=none", "-Wa,-mx86-used-note=no", "-fcf-protection=none"),
    "without a read-only table": ("-Wl,-z,norelro",),
    "with pages of 64 KiB": ("-Wl,-z,max-page-size=65536",),
    "with one segment for all that is read": ("-Wl,-z,noseparate-code",),
}


class World(unittest.TestCase):
    def setUp(self) -> None:
        top = tempfile.TemporaryDirectory()
        self.addCleanup(top.cleanup)
        self.top = top.name
        self.lib = os.path.join(self.top, "lib")
        os.mkdir(self.lib)

    def write(self, name: str, data: bytes) -> str:
        path = os.path.join(self.top, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o755)
        return path

    def read(self, name: str) -> bytes:
        with open(os.path.join(self.top, name), "rb") as file:
            return file.read()

    def compile(self, compiler: str, source: str, name: str, *flags: str) -> None:
        if shutil.which(compiler) is None:
            self.skipTest(f"there is no {compiler}")
        self.write(name + ".c", source.encode())
        command = [compiler, name + ".c", "-o", name, *flags]
        done = subprocess.run(command, cwd=self.top, capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f"{' '.join(command)}: {done.stderr[:200]}")

    def take(self, data: bytes, runner: Sequence[str], root: str) -> str:
        """Copy the loader and the libraries; return the loader's new path."""
        elf = read_elf(data)
        assert elf.interpreter is not None
        loader = root + elf.interpreter if os.path.exists(root + elf.interpreter) else elf.interpreter
        path = self.write("listed", data)
        listing = [*runner, loader, *(["--library-path", root + "/lib"] if root else []), "--list", path]
        text = subprocess.run(listing, capture_output=True, text=True).stdout
        for library in parse_list(text, os.path.basename(loader)):
            shutil.copy(library.path, os.path.join(self.lib, os.path.basename(library.name)))
        return shutil.copy(os.path.realpath(loader), os.path.join(self.lib, os.path.basename(loader)))


class Relinking(World):
    def check(self, compiler: str, *flags: str, data: Optional[bytes] = None) -> bytes:
        """Compile, relink, and see the program run with nothing but copies."""
        runner, root = COMPILERS[compiler]
        if any(shutil.which(program) is None for program in runner):
            self.skipTest(f"there is no {runner}")
        if data is None:
            self.compile(compiler, PROGRAM, "program", *flags)
            data = self.read("program")
        loader = self.take(data, runner, root)
        result = relink(data, interpreter=loader, search=self.lib)
        moved = self.write("moved", result)
        elf = read_elf(result)
        self.assertEqual((elf.interpreter, elf.search), (loader, (self.lib,)))
        mapped = [segment for segment in elf.segments if segment.type == 1]
        self.assertEqual(mapped, sorted(mapped, key=lambda segment: segment.address))
        # Also where pages are larger than here.
        self.assertEqual(mapped[-1].alignment, max(segment.alignment for segment in mapped))
        self.assertEqual((mapped[-1].address - mapped[-1].offset) % mapped[-1].alignment, 0)
        ran = subprocess.run([*runner, moved, "hello"], capture_output=True, text=True)
        self.assertEqual((ran.stdout, ran.returncode), ("hello 3\n", 0), ran.stderr)
        listed = subprocess.run([*runner, loader, "--list", moved], capture_output=True, text=True).stdout
        found = parse_list(listed, os.path.basename(loader))
        self.assertTrue(all(library.path.startswith(self.lib) for library in found), listed)
        if shutil.which("readelf"):
            said = subprocess.run(["readelf", "-aW", moved], capture_output=True, text=True)
            self.assertEqual(said.stderr, "")
            self.assertIn(f"Library rpath: [{self.lib}]", said.stdout)
        return result

    def test_a_program_runs_with_its_new_loader_however_it_was_linked(self) -> None:
        for compiler in COMPILERS:
            for name, flags in VARIANTS.items():
                if compiler == "musl-gcc" and name == "without a read-only table":
                    continue  # see below
                with self.subTest(compiler=compiler, variant=name):
                    self.setUp()
                    self.check(
                        compiler, *(flag for flag in flags if "x86" not in flag or "aarch" not in compiler)
                    )

    def test_a_program_that_can_miss_no_header_is_refused(self) -> None:
        self.compile("musl-gcc", PROGRAM, "program", "-Wl,-z,norelro", *VARIANTS["without notes"])
        with self.assertRaises(ElfError):
            self.check("musl-gcc", data=self.read("program"))

    def test_a_program_is_relinked_again_from_where_it_is(self) -> None:
        once = self.check("gcc")
        twice = relink(
            once, interpreter=os.path.join(self.lib, read_elf(once).interpreter or ""), search=self.lib
        )
        self.assertEqual(read_elf(twice).search, (self.lib,))
        self.assertEqual(len(read_elf(twice).segments), len(read_elf(once).segments))

    def test_the_result_depends_on_nothing_else(self) -> None:
        self.compile("gcc", PROGRAM, "program")
        data = self.read("program")
        self.assertEqual(*(relink(data, interpreter="/a", search="/b") for _ in range(2)))

    def test_the_new_names_may_be_replaced_by_others_of_the_same_length(self) -> None:
        result = self.check("gcc")
        os.rename(self.lib, self.lib[:-3] + "LIB")
        again = self.write("again", result.replace(self.lib.encode(), self.lib[:-3].encode() + b"LIB"))
        self.assertEqual(subprocess.run([again, "x"], capture_output=True).stdout, b"x 3\n")

    def test_of_a_large_program_only_its_tables_are_read(self) -> None:
        self.compile("gcc", PROGRAM, "program")
        parts = Counting(self.read("program") + bytes(16 << 20))
        changes = elves.relink(parts, interpreter="/x/loader", search="/x/lib")
        self.assertLess(parts.read, 1 << 20)
        self.assertLess(sum(len(data) for _, data in changes), 1 << 20)

    def test_a_full_dynamic_section_gives_up_what_only_debuggers_need(self) -> None:
        self.compile("gcc", PROGRAM, "program")
        data = bytearray(self.read("program"))
        place = next(segment for segment in read_elf(bytes(data)).segments if segment.type == 2)
        used = len(read_elf(bytes(data)).dynamic)
        for at in range(used, place.file_size // 16 - 1):
            # 0x6ffffef8 is a hint of another system: kept, and without meaning here.
            struct.pack_into("<qQ", data, place.offset + 16 * at, 0x6FFFFEF8, 0)
        self.check("gcc", data=bytes(data))

    def test_a_dynamic_section_without_any_room_is_refused(self) -> None:
        self.compile("gcc", PROGRAM, "program")
        data = bytearray(self.read("program"))
        place = next(segment for segment in read_elf(bytes(data)).segments if segment.type == 2)
        for at in range(place.file_size // 16 - 1):
            struct.pack_into("<q", data, place.offset + 16 * at, 5 if at else 10)
        with self.assertRaises(ElfError):
            relink(bytes(data), search="/lib")

    def test_a_static_program_cannot_be_relinked(self) -> None:
        self.compile("gcc", PROGRAM, "program", "-static")
        elf = read_elf(self.read("program"))
        self.assertEqual((elf.interpreter, elf.needed), (None, ()))
        with self.assertRaises(ElfError):
            relink(self.read("program"), interpreter="/a", search="/b")


class Libraries(World):
    def build_pair(self, *flags: str) -> str:
        """A program that needs liba, which needs libb; each in a directory of its own."""
        for name in ("a", "b"):
            os.mkdir(os.path.join(self.top, name))
        b = os.path.join(self.top, "b")
        self.compile("gcc", 'const char *b(void) { return "from b"; }', "b/libb.so", "-shared", "-fPIC")
        self.compile(
            "gcc",
            "const char *b(void); const char *a(void) { return b(); }",
            "a/liba.so",
            *("-shared", "-fPIC", "-Lb", "-lb", f"-Wl,-rpath={b}", *flags),
        )
        self.compile(
            "gcc",
            "#include <stdio.h>\nconst char *a(void); int main(void) { puts(a()); return 0; }",
            "program",
            *("-La", "-Lb", "-la", f"-Wl,-rpath={self.top}/a", "-Wl,--allow-shlib-undefined"),
        )
        return b

    def test_a_library_loses_its_own_search_path_so_that_the_program_s_counts(self) -> None:
        for flag in ("-Wl,--enable-new-dtags", "-Wl,--disable-new-dtags"):
            with self.subTest(flag):
                self.setUp()
                b = self.build_pair(flag)
                self.assertEqual(read_elf(self.read("a/liba.so")).search, (b,))
                loader = self.take(self.read("program"), [], "")
                shutil.copy(os.path.join(self.top, "b/libb.so"), self.lib)
                self.write("lib/liba.so", without_search(self.read("a/liba.so")))
                shutil.rmtree(b)
                shutil.rmtree(os.path.join(self.top, "a"))
                moved = self.write("moved", relink(self.read("program"), interpreter=loader, search=self.lib))
                self.assertEqual(read_elf(self.read("lib/liba.so")).search, ())
                ran = subprocess.run([moved], capture_output=True, text=True)
                self.assertEqual(ran.stdout, "from b\n", ran.stderr)

    def test_a_copy_of_a_copy_is_the_same_but_for_its_paths(self) -> None:
        """With paths of one length, which all paths in a store are; others have room in the same place."""
        self.compile("gcc", PROGRAM, "program")
        loader = self.take(self.read("program"), [], "")
        first = relink(self.read("program"), interpreter=loader, search=self.lib)
        other = self.lib[:-1] + "X"
        again = relink(first, interpreter=loader.replace(self.lib, other), search=other)
        self.assertEqual(again, first.replace(os.fsencode(self.lib), os.fsencode(other)))
        self.assertEqual(relink(again, interpreter=loader, search=self.lib), first)
        for search in ("/x", "/a/much/longer/path" * 20 + ":" + self.lib, self.lib):
            # Only a program that has another search path now, however often it had others.
            first = relink(first, interpreter=loader, search=search)
            self.assertEqual(read_elf(first).search, (search,))
            self.assertEqual(read_elf(first).interpreter, loader)
        for _ in range(20):
            first = relink(first, interpreter=loader, search=self.lib)
        ran = subprocess.run([self.write("again", first), "works"], capture_output=True, text=True)
        self.assertEqual(ran.stdout, "works 3\n", ran.stderr)

    def test_a_library_without_a_search_path_stays_as_it_is(self) -> None:
        self.compile("gcc", "int x;", "lib.so", "-shared", "-fPIC")
        self.assertEqual(without_search(self.read("lib.so")), self.read("lib.so"))

    def test_a_library_that_is_named_by_its_path_gets_a_name(self) -> None:
        self.compile("gcc", 'const char *b(void) { return "b"; }', "libb.so", "-shared", "-fPIC")
        source = "#include <stdio.h>\nconst char *b(void); int main(void) { puts(b()); return 0; }"
        self.compile("gcc", source, "program", os.path.join(self.top, "libb.so"))
        path = os.path.join(self.top, "libb.so")
        self.assertIn(path, read_elf(self.read("program")).needed)
        loader = self.take(self.read("program"), [], "")
        os.unlink(path)
        result = relink(self.read("program"), interpreter=loader, search=self.lib, needed={path: "libb.so"})
        self.assertIn("libb.so", read_elf(result).needed)
        self.assertEqual(subprocess.run([self.write("moved", result)], capture_output=True).stdout, b"b\n")

    def test_the_listing_of_a_loader_is_understood(self) -> None:
        glibc = """
\tlinux-vdso.so.1 (0x00007ffd4b5f6000)
\tlibtinfo.so.6 => /lib/x86_64-linux-gnu/libtinfo.so.6 (0x00007f5b7d9c1000)
\tlibgone.so.1 => not found
\tlibodd.so => /opt/a (b)/libodd.so (0x00007f5b7d7df000)
\t/opt/by/path.so (0x00007f5b7d7df000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f5b7db3a000)
"""
        self.assertEqual(
            parse_list(glibc, "ld-linux-x86-64.so.2"),
            (
                Loaded("libtinfo.so.6", "/lib/x86_64-linux-gnu/libtinfo.so.6"),
                Loaded("libgone.so.1", ""),
                Loaded("libodd.so", "/opt/a (b)/libodd.so"),
                Loaded("/opt/by/path.so", "/opt/by/path.so"),
            ),
        )
        musl = (
            "\t/lib/ld-musl-x86_64.so.1 (0x7f)\n\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f)\n"
        )
        self.assertEqual(
            parse_list(musl + "\tlibz.so.1 => /lib/libz.so.1 (0x7f)\n", "ld-musl-x86_64.so.1"),
            (Loaded("libz.so.1", "/lib/libz.so.1"),),
        )
        self.assertEqual(parse_list("\tstatically linked\n", "x"), ())


class Damage(World):
    sample = b""

    def setUp(self) -> None:
        super().setUp()
        for path in ("/bin/sh", "/bin/true", "/usr/bin/env"):
            if os.path.exists(path):
                with open(path, "rb") as file:
                    Damage.sample = file.read()
                break

    def test_what_is_no_program_is_said_to_be_none(self) -> None:
        for data in (b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(100), self.sample[:60]):
            with self.assertRaises(ElfError):
                read_elf(data)

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_a_damaged_program_is_refused_or_relinked_and_nothing_else(self, data: st.DataObject) -> None:
        self.setUp()
        broken = bytearray(self.sample)
        for _ in range(data.draw(st.integers(1, 5))):
            broken[data.draw(st.integers(4, 1200))] = data.draw(st.integers(0, 255))
        with contextlib.suppress(ElfError):
            relink(bytes(broken), interpreter="/a", search="/b")
