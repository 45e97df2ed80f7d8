"""Programs of no family are started: only what proves that one is broken counts."""

from __future__ import annotations

import os
import unittest

from bramble.build.tools.starting import Start, fault
from tests.build.tools.test_host_tools import HostWorld, tools


def there(path: str) -> bool:
    there = ("/bin/sh", "/usr/share/x/data", "/usr/share/x", "/bin/basename", "/usr/lib/ld.so")
    return path.startswith("/nix/store/") or path in there


class Faults(unittest.TestCase):
    def broken(self, status: int, said: str) -> bool:
        return fault([Start(0, ""), Start(status, said)], there) is not None

    def test_the_words_of_a_loader_prove_that_it_is_broken(self) -> None:
        for said in (
            "x: error while loading shared libraries: libq.so.1: cannot open shared object file",
            "Error loading shared library libq.so: No such file (needed by x)",
            "x: symbol lookup error: x: undefined symbol: q",
            "Error relocating x: q: symbol not found",
            "x: /lib/libc.so.6: version `GLIBC_2.99' not found (required by x)",
        ):
            self.assertTrue(self.broken(127, said), said)
        self.assertTrue(self.broken(126, "sh: x: cannot execute: required file not found"))
        self.assertFalse(self.broken(1, "x: cannot execute your order"))

    def test_a_path_of_the_machine_that_it_misses_proves_it(self) -> None:
        for said in (
            "x: cannot open /usr/share/x/data",
            "x: can't read `/usr/share/x/data': No such file or directory",
            "open(/usr/share/x/data): No such file or directory",
            "config=/usr/share/x/data not found.",
            "sh: 2: exec: /nix/store/a-hello-2.12/bin/.hello-wrapped: not found",
        ):
            self.assertTrue(self.broken(1, said), said)
            self.assertFalse(self.broken(0, said), said)

    def test_a_failure_alone_proves_nothing(self) -> None:
        for said in (
            "usage: x FILE",
            "/store/abc/bin/basename: not found",  # the end of it is a path of the machine
            "x: cannot open /usr/no/such/file",
            "x: cannot open /etc/x.conf",
            "it reads /usr/share/x/data",
            "x: 3: exec: grep: not found",
            "x86_64: failed to execute /bin/sh: No such file or directory",
        ):
            self.assertFalse(self.broken(1, said), said)
            self.assertFalse(self.broken(127, said), said)

    def test_a_signal_at_every_start_proves_it(self) -> None:
        self.assertIsNotNone(fault([Start(139, ""), Start(132, "")], there))
        self.assertIsNone(fault([Start(139, ""), Start(1, "")], there))
        self.assertIsNone(fault([Start(134, ""), Start(134, "")], there))
        self.assertIsNone(fault([], there))


class Started(HostWorld):
    def test_one_that_misses_a_file_of_the_machine_is_not_stored(self) -> None:
        self.program("good", b"#!/bin/sh\nexit 3\n")
        self.program("bad", b"#!/bin/sh\nread line < /usr/bin/env\nexit 1\n")
        self.program("worse", b"#!/bin/sh\n[ $# = 1 ] || echo /usr/lib: not found\nexit 1\n")
        where = (self.bin, "/usr/bin", "/bin")
        for more in ("sh ", ""):
            error = self.failure(tools(more + "good bad worse"), "build.host-tool-broken", host_path=where)
            self.assertIn("bad, worse do", error.message)
            self.assertIn("bad: it looks for /usr/bin/env", error.detail)
        self.built(tools("good"), host_path=where)
        self.built(tools("bad"), host_path=where, sandbox="none")

    def test_a_library_that_the_loader_does_not_find_is_said(self) -> None:
        self.compiled("gcc", "lost", "lost")
        with open(os.path.join(self.bin, "lost"), "rb") as file:
            data = file.read()
        # It refers to a version that no library has.
        self.program("lost", data.replace(b"GLIBC_2.34\0", b"GLIBC_2.99\0"))
        error = self.failure(tools("lost"), "build.host-tool-broken", host_path=(self.bin,))
        self.assertIn("GLIBC_2.99", error.detail)

    def test_what_waits_or_writes_without_end_is_left_alone(self) -> None:
        self.program("endless", b"#!/bin/sh\nwhile :; do echo y; done\n")
        where = (self.bin, "/usr/bin", "/bin")
        # The one after it is started all the same.
        self.program("zbad", b"#!/bin/sh\nread line < /usr/bin/env\n")
        error = self.failure(tools("sh endless zbad"), "build.host-tool-broken", host_path=where)
        self.assertIn("zbad does", error.message)

    def test_one_with_data_that_does_not_know_the_option_version_works(self) -> None:
        os.makedirs(self.top + "/share/server/www")
        with open(self.top + "/share/server/www/index", "w") as file:
            file.write("hello\n")
        where = (self.bin, "/usr/bin", "/bin")
        self.program("server", b'#!/bin/sh\necho "server: invalid option: \\"-\\"" >&2; exit 1\n')
        self.built(tools("server"), host_path=where)
        self.program("server", b'#!/bin/sh\necho "server: no fonts" >&2; exit 1\n')
        self.failure(tools("server"), "build.host-tool-broken", host_path=where)
        self.program("server", b'#!/bin/sh\necho "usage: server" >&2; kill -ABRT $$\n')
        self.failure(tools("server"), "build.host-tool-broken", host_path=where)

    def test_what_a_script_calls_and_does_not_find_is_named_in_the_remedy(self) -> None:
        os.makedirs(self.top + "/share/caller")
        with open(self.top + "/share/caller/data", "w") as file:
            file.write("data\n")
        self.program("caller", b"#!/bin/sh\nno-such-one x || no-such-2 y || exit 4\n")
        error = self.failure(
            tools("caller"), "build.host-tool-broken", host_path=(self.bin, "/usr/bin", "/bin")
        )
        self.assertEqual(error.remedy, "name what it calls in tools too: no-such-2 no-such-one")
