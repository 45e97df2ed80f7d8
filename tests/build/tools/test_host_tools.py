"""Programs of this machine in an output: they run, and nothing of the machine is left in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any
from unittest import mock

from bramble.build.engine import BuildReport
from bramble.build.events import Failed, Impure, Output
from bramble.build.tools import host_tools
from bramble.build.tools.elf import MAGIC, read_elf
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from bramble.store.disk import Store
from tests.build.world import World, derivation, ref


def tools(names: str) -> Derivation:
    return derivation("tools", "host_tools", env={"tools": names})


class HostWorld(World):
    """A machine of our own making: the directories that are searched are ours."""

    real = True

    def setUp(self) -> None:
        super().setUp()
        self.bin = os.path.join(self.top, "bin")
        self.other = os.path.join(self.top, "other")
        os.mkdir(self.bin)
        os.mkdir(self.other)

    def program(self, name: str, data: bytes, *, directory: str = "") -> str:
        path = os.path.join(directory or self.bin, name)
        with open(path, "wb") as out:
            out.write(data)
        os.chmod(path, 0o755)
        return path

    def compiled(self, compiler: str, name: str, text: str, *flags: str) -> None:
        if shutil.which(compiler) is None:
            self.skipTest(f"there is no {compiler}")
        source = (
            f'#include <stdio.h>\nint main(int c, char **v) {{ printf("{text} %s\\n", v[0]); return 0; }}'
        )
        command = [compiler, "-xc", "-", "-o", os.path.join(self.bin, name), *flags]
        done = subprocess.run(command, input=source.encode(), capture_output=True)
        if done.returncode:
            self.skipTest(done.stderr.decode()[:200])

    def here(self, root: Derivation, **more: Any) -> BuildReport:
        return self.built(root, host_path=(self.other, self.bin), **more)

    def output(self, report: BuildReport, of: Derivation) -> str:
        return self.store.object_path(report.names[OutputRef(of.id, "out")])

    def run_in_sandbox(self, given: Derivation, script: str, **more: Any) -> str:
        """What a shell in a sandbox writes to its output with these tools."""
        shell = derivation(
            "shell",
            ref(given) + "/bin/sh",
            ["-c", f"( {script} ) > $out/file"],
            env={"PATH": ref(given) + "/bin"},
        )
        report = self.built(shell, among=[given], **more)
        return self.file(report, shell)


class OfThisMachine(HostWorld):
    def test_they_run_in_the_sandbox(self) -> None:
        given = tools("sh mkdir cat ls")
        said = self.run_in_sandbox(given, "mkdir $out/d; echo hello | cat; ls -d $out/d/..")
        self.assertTrue(said.startswith("hello\n/"))
        self.assertEqual(self.said(Impure), [Impure(given.id, "tools")])

    def test_they_are_reported_as_impure_also_when_they_are_cached(self) -> None:
        given = tools("sh")
        self.assertEqual(self.built(given).impure, ("tools",))
        self.assertEqual(self.built(given).impure, ("tools",))
        self.assertEqual(self.story(), ["cached tools"])
        self.assertEqual(self.said(Impure), [Impure(given.id, "tools")])

    def test_they_are_the_same_in_another_store(self) -> None:
        given = tools("sh mkdir cat")
        first = self.built(given)
        self.store = Store.open(os.path.join(self.top, "another", "store"))
        self.addCleanup(self.store.close)
        self.assertEqual(self.built(given).names, first.names)
        self.assertIn("hello", self.run_in_sandbox(given, "echo hello"))

    def test_they_come_out_the_same_when_they_are_made_again(self) -> None:
        given = tools("sh mkdir env python3")
        self.assertEqual(self.built(given, check=True).checked, {given.id: "here"})

    def test_trying_them_in_a_sandbox_that_lets_them_write_leaves_nothing_in_them(self) -> None:
        given = tools("python3")
        top = self.output(self.built(given, sandbox="none"), given)
        self.assertEqual([d for d, _, _ in os.walk(top) if d.endswith("__pycache__")], [])

    def test_nothing_in_them_names_a_loader_or_a_library_of_the_machine(self) -> None:
        given = tools("sh env python3")
        top = self.output(self.built(given), given)
        names = os.listdir(top + "/lib")
        for directory, _, files in os.walk(top):
            for name in files:
                path = os.path.join(directory, name)
                with open(path, "rb") as file:
                    data = file.read()
                if data[:4] == MAGIC and not os.path.islink(path):
                    elf = read_elf(data)
                    if elf.interpreter is not None and directory.endswith("/bin"):
                        self.assertTrue(elf.interpreter.startswith(top + "/lib/"), path)
                        self.assertEqual(elf.search, (top + "/lib",))
                    else:
                        self.assertEqual(elf.search, (), path)
                    if "lib-dynload" not in path:
                        self.assertLessEqual(set(elf.needed), set(names), path)

    def test_python_finds_its_library_beside_itself(self) -> None:
        script = (
            "import bz2, ctypes, hashlib, json, lzma, os, sqlite3, ssl, subprocess, sys, threading, zlib\n"
            "ctypes.CDLL(None).getpid()\n"
            "t = threading.Thread(target=print, args=['thread']); t.start(); t.join()\n"
            "print(subprocess.run(['sh', '-c', 'echo child'], capture_output=True, text=True).stdout)\n"
            "top = os.path.dirname(os.path.dirname(sys.executable))\n"
            "strange = [p for p in sys.path if p and not p.startswith(top)]\n"
            "maps = {l.split()[-1] for l in open('/proc/self/maps') if '/' in l}\n"
            "strange += [m for m in maps if top not in m and not m.startswith('/dev/')]\n"
            "import ctypes; libc = os.path.exists(top + '/lib/libc.so.6')\n"
            "for name in ('libpthread.so.0', 'libdl.so.2') if libc else (): ctypes.CDLL(name)\n"
            "print('strange', strange, hashlib.sha256(b'').hexdigest()[:8])\n"
        )
        quoted = script.replace("'", "'\"'\"'")
        said = self.run_in_sandbox(tools("sh python3"), f"python3 -c '{quoted}'")
        self.assertEqual(said.split("\n"), ["thread", "child", "", "strange [] e3b0c442", ""])

    def test_a_copy_of_a_program_in_another_output_still_runs(self) -> None:
        given = tools("sh cp cat")
        said = self.run_in_sandbox(given, "cp $(command -v cat) $out/mycat; echo moved | $out/mycat")
        self.assertEqual(said, "moved\n")


class OfAMachineOfOurOwn(HostWorld):
    def test_a_program_that_is_missing_is_named(self) -> None:
        error = self.failure(tools("sh no-such-program"), "build.host-tool-missing")
        self.assertIn("no-such-program", error.message)
        self.failure(tools("dir/sh"), "build.host-tool-missing")

    def test_what_is_no_program_is_refused(self) -> None:
        self.program("text", b"just text")
        self.program("script", b"#!\n")
        self.program("broken", MAGIC + b"\x02\x01" + bytes(10))
        for name in ("text", "script", "broken"):
            self.failure(tools(name), "build.host-tool-unsupported", host_path=(self.bin,))

    def test_a_static_program_stays_as_it_is(self) -> None:
        self.compiled("gcc", "fixed", "static", "-static")
        given = tools("fixed")
        top = self.output(self.here(given), given)
        with open(top + "/bin/fixed", "rb") as ours, open(self.bin + "/fixed", "rb") as theirs:
            self.assertEqual(ours.read(), theirs.read())
        self.assertEqual(os.listdir(top), ["bin"])

    def test_programs_for_musl_and_at_fixed_addresses_run(self) -> None:
        for compiler, flags in (("musl-gcc", ()), ("gcc", ("-no-pie",)), ("gcc", ("-static-pie",))):
            with self.subTest(compiler=compiler, flags=flags):
                self.setUp()
                self.compiled(compiler, "sh", "hello from", *flags)
                given = tools("sh")
                self.here(given)
                shell = derivation("a", ref(given) + "/bin/sh")
                self.build(shell, among=[given], host_path=(self.bin,))
                # It writes to its standard output only, so its output is empty; its log is what counts.
                (said,) = self.said(Output)
                self.assertTrue(said.data.startswith(b"hello from /"), said)
                self.assertEqual(self.said(Failed)[0].error.code, "build.empty-output")

    def test_names_of_one_program_are_links_to_it(self) -> None:
        self.compiled("gcc", "multi", "multi")
        for name in ("one", "two"):
            os.symlink("multi", os.path.join(self.bin, name))
        given = tools("two one")
        top = self.output(self.here(given), given)
        self.assertEqual(sorted(os.listdir(top + "/bin")), ["one", "two"])
        self.assertEqual(os.readlink(top + "/bin/two"), "one")
        given = tools("two multi one")
        top = self.output(self.here(given), given)
        self.assertEqual(os.readlink(top + "/bin/one"), "multi")

    def test_a_script_brings_its_interpreter(self) -> None:
        os.symlink(os.path.realpath("/bin/sh"), self.bin + "/sh")
        self.program("direct", f"#!{self.bin}/sh -e\necho direct $1\n".encode())
        self.program("through-env", b"#!/usr/bin/env sh\necho through\n")
        given = tools("direct through-env")
        top = self.output(self.here(given), given)
        self.assertEqual(sorted(os.listdir(top + "/bin")), ["direct", "through-env"])
        (interpreter,) = os.listdir(top + "/libexec")
        with open(top + "/bin/direct") as file:
            self.assertEqual(file.readline(), f"#!{top}/libexec/{interpreter} -e\n")
        again = tools("direct through-env sh")
        said = self.run_in_sandbox(again, "direct 1; through-env", host_path=(self.bin,))
        self.assertEqual(said, "direct 1\nthrough\n")
        self.assertFalse(os.path.exists(self.output(self.here(again), again) + "/libexec"))

    def test_a_script_in_perl_brings_the_library_of_perl(self) -> None:
        if shutil.which("perl", path="/usr/bin") is None:
            self.skipTest("there is no perl")
        self.program("said", b"#!/usr/bin/perl -w\nuse List::Util 'sum'; print sum(40, 2), qq(\\n);\n")
        where = (self.bin, "/usr/bin", "/bin")
        # What $^X wrote into a Makefile is the whole of Perl; what PERL5LIB asks for comes first.
        script = "said; $(perl -e 'print $^X') -T -Mstrict -e 'print qq(again\\n)'; "
        script += "PERL5LIB=/own perl -e 'print qq($INC[0] $ENV{PERL5LIB}\\n)'"
        said = self.run_in_sandbox(tools("said perl sh"), script, host_path=where)
        self.assertEqual(said, "42\nagain\n/own /own\n")

    def test_what_lies_beside_a_program_under_its_name_comes_along_and_it_is_tried(self) -> None:
        self.program("tool", b"#!/bin/sh\nread text < ${0%/bin/*}/share/tool/text && echo $text\n")
        os.makedirs(self.top + "/share/tool/deep")
        with open(self.top + "/share/tool/text", "w") as file:
            file.write("works\n")
        os.symlink("../text", self.top + "/share/tool/deep/link")
        given = tools("tool sh")
        where = (self.bin, "/usr/bin", "/bin")
        self.assertEqual(self.run_in_sandbox(given, "tool", host_path=where), "works\n")
        top = self.output(self.built(given, host_path=where), given)
        self.assertTrue(os.path.isfile(top + "/share/tool/deep/link"))
        os.unlink(self.top + "/share/tool/text")
        os.unlink(self.top + "/share/tool/deep/link")
        os.mkdir(self.top + "/share/tool/text")
        error = self.failure(given, "build.host-tool-broken", host_path=where)
        self.assertIn("tool", error.message)

    def test_a_wrapper_is_seen_through_or_refused_in_words(self) -> None:
        self.program("ccache", b"#!/bin/sh\n", directory=self.other)
        os.symlink("ccache", self.other + "/cc")
        self.program("cc", b"#!/bin/sh\necho the right one\n")
        given = tools("cc")
        where = (self.other, self.bin, "/usr/bin", "/bin")
        with open(self.output(self.built(given, host_path=where), given) + "/bin/cc") as file:
            self.assertIn("the right one", file.read())
        os.unlink(self.bin + "/cc")
        error = self.failure(given, "build.host-tool-unsupported", host_path=(self.other, self.bin))
        self.assertIn("ccache", error.message)

    def test_a_shim_is_passed_over_or_refused_in_words(self) -> None:
        for manager in (".asdf", ".rbenv", "mise", ".pyenv"):
            shims = os.path.join(self.top, manager, "shims")
            os.makedirs(shims)
            self.program("tool", b"#!/bin/sh\n", directory=shims)
            error = self.failure(tools("tool"), "build.host-tool-unsupported", host_path=(shims, self.other))
            self.assertIn(f"only calls {manager.lstrip('.')}", error.message)
        self.program("tool", b"#!/bin/sh\necho the right one\n")
        given = tools("tool")
        where = (shims, self.bin, "/usr/bin", "/bin")
        with open(self.output(self.built(given, host_path=where), given) + "/bin/tool") as file:
            self.assertIn("the right one", file.read())

    def test_what_older_rules_made_is_made_again(self) -> None:
        self.program("tool", b"#!/bin/sh\necho 1\n")
        given = tools("tool")
        with mock.patch.object(host_tools, "RULES", ("rules", "0")):
            self.here(given)
        self.here(given)
        self.assertEqual(self.story(), ["start tools", "built tools"])

    def test_a_program_for_another_machine_is_refused_in_words(self) -> None:
        self.compiled("gcc", "far", "far", "-Wl,--dynamic-linker=/no/such/loader.so.1")
        error = self.failure(tools("far"), "build.host-tool-unsupported", host_path=(self.bin,))
        self.assertIn("/no/such/loader.so.1", error.message)

    def test_a_script_whose_interpreter_is_missing_is_refused(self) -> None:
        self.program("lost", b"#!/no/such/interpreter\n")
        self.failure(tools("lost"), "build.host-tool-missing", host_path=(self.bin,))

    def test_another_set_user_id_program_is_just_a_program(self) -> None:
        self.compiled("gcc", "su", "su", "-static")
        os.chmod(self.bin + "/su", 0o6755)
        given = tools("su")
        mode = os.stat(self.output(self.here(given), given) + "/bin/su").st_mode
        self.assertEqual(mode & 0o7777, 0o555)

    def assertRemade(self, given: Derivation, story: Sequence[str]) -> None:
        self.here(given)
        self.assertEqual(self.story(), list(story))

    def test_a_program_that_was_replaced_is_copied_again(self) -> None:
        path = self.program("tool", b"#!/bin/sh\necho 1\n")
        given = tools("tool")
        self.assertRemade(given, ["start tools", "built tools"])
        self.assertRemade(given, ["cached tools"])
        os.unlink(path)
        self.program("tool", b"#!/bin/sh\necho 2\n")
        self.assertRemade(given, ["start tools", "built tools"])

    def test_a_program_that_comes_earlier_now_is_copied_instead(self) -> None:
        self.program("tool", b"#!/bin/sh\necho 1\n")
        given = tools("tool")
        self.here(given)
        self.program("tool", b"#!/bin/sh\necho 1\n", directory=self.other)
        self.assertRemade(given, ["start tools", "built tools"])

    def test_a_link_that_leads_elsewhere_now_is_followed(self) -> None:
        self.program("one", b"#!/bin/sh\necho 1\n")
        self.program("two", b"#!/bin/sh\necho 2\n")
        os.symlink("one", self.bin + "/tool")
        given = tools("tool")
        self.here(given)
        os.unlink(self.bin + "/tool")
        os.symlink("two", self.bin + "/tool")
        self.assertRemade(given, ["start tools", "built tools"])

    def test_what_is_built_with_the_same_programs_is_not_built_again(self) -> None:
        path = self.program("tool", b"#!/bin/sh\necho 1\n")
        given = tools("tool sh")
        above = derivation("above", ref(given) + "/bin/sh", ["-c", "echo 1 > $out/file"])
        where = (self.bin, "/usr/bin", "/bin")
        self.built(above, among=[given], host_path=where)
        os.utime(path, (1, 1))
        self.built(above, among=[given], host_path=where)
        self.assertEqual(self.story(), ["start tools", "built tools", "cached above"])
