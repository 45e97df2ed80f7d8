"""Programs that only call others are passed over, or refused with a way out."""

from __future__ import annotations

import os
import shutil
import struct

import pytest

from bramble.build.tools.families import node
from bramble.build.tools.machine import Answer
from bramble.build.tools.wrappers import instead_of, wrapper_of
from bramble.errors import BrambleError
from tests.build.tools.machines import Recorded
from tests.build.tools.test_host_tools import HostWorld, tools

PYENV = b"""#!/usr/bin/env bash
set -e
program="${0##*/}"
export PYENV_ROOT="/home/me/.pyenv"
exec "/home/me/.pyenv/libexec/pyenv" exec "$program" "$@"
"""
ASDF = b'#!/usr/bin/env bash\n# asdf-plugin: nodejs 20.1.0\nexec /home/me/.asdf/bin/asdf exec "node" "$@"\n'
FLATPAK = b'#!/bin/sh\n\nexec /usr/bin/flatpak run --branch=stable --arch=x86_64 org.gimp.GIMP "$@"\n'
SNAP = b'#!/bin/sh\nif ! [ -x /snap/bin/chromium ]; then exit 1; fi\nexec /snap/bin/chromium "$@"\n'
CCACHE = b'#!/bin/sh\nexec ccache /usr/bin/gcc "$@"\n'


@pytest.mark.parametrize(
    ("tool", "path", "real", "head", "wrapper"),
    [
        ("gcc", "/usr/local/bin/gcc", "/usr/bin/ccache", b"\x7fELF", "ccache"),
        ("cc", "/usr/local/bin/cc", "/usr/local/bin/cc", CCACHE, "ccache"),
        ("ccache", "/usr/bin/ccache", "/usr/bin/ccache", b"\x7fELF", None),
        ("g++", "/usr/local/bin/g++", "/usr/bin/distcc", b"\x7fELF", "distcc"),
        ("python3", "/home/me/.pyenv/shims/python3", "/home/me/.pyenv/shims/python3", PYENV, "pyenv"),
        ("python3", "/usr/local/bin/python3", "/usr/local/bin/python3", PYENV, "pyenv"),
        ("node", "/opt/bin/node", "/opt/bin/node", ASDF, "asdf"),
        ("node", "/home/me/.volta/bin/node", "/home/me/.volta/bin/volta-shim", b"\x7fELF", "volta"),
        ("rustc", "/usr/local/bin/rustc", "/home/me/.cargo/bin/rustup", b"\x7fELF", "rustup"),
        ("gimp", "/usr/local/bin/gimp", "/usr/local/bin/gimp", FLATPAK, "flatpak"),
        ("go", "/usr/bin/go", "/usr/bin/snap", b"\x7fELF", "snap"),
        ("chromium", "/usr/bin/chromium", "/usr/bin/chromium", SNAP, "snap"),
        # The real ones: of nvm, of alternatives, of a Nix profile; and a script that only speaks of it.
        ("node", "/home/me/.nvm/versions/node/v20.1.0/bin/node", "/x/node", b"\x7fELF", None),
        ("cc", "/usr/bin/cc", "/usr/bin/x86_64-linux-gnu-gcc-12", b"\x7fELF", None),
        ("hello", "/nix/store/a-hello/bin/hello", "/nix/store/a-hello/bin/hello", b"\x7fELF", None),
        ("tool", "/usr/bin/tool", "/usr/bin/tool", b"#!/bin/sh\n# exec ccache gcc\necho ccache gcc\n", None),
    ],
)
def test_it_is_known_by_its_place_its_link_or_its_last_words(
    tool: str, path: str, real: str, head: bytes, wrapper: object
) -> None:
    assert wrapper_of(tool, path, real, head) == wrapper


def test_the_way_out_is_that_of_the_wrapper() -> None:
    assert "`pyenv which python3`" in instead_of("pyenv", "/x/shims/python3", None)
    assert "apt install golang" in instead_of("snap", "go", "apt install golang")
    assert "name the compiler" in instead_of("ccache", "gcc", None)


def test_the_node_of_debian_is_refused_in_words() -> None:
    said = (
        "NODE_SHARED_BUILTIN_ACORN_PATH=/usr/share/nodejs/acorn/dist/acorn.js,NODE_SHARED_BUILTIN_X_PATH=/x\n"
    )
    found = Recorded({"/usr/bin/node": ""}, {("/usr/bin/node", "-p", node._APART): Answer(0, said)})
    with pytest.raises(BrambleError, match=r"such as /usr/share/nodejs/acorn/dist/acorn\.js, by") as caught:
        node.gather(found, {"node": "/usr/bin/node"})
    assert "nodejs.org" in str(caught.value.remedy)


class OfAMachineOfOurOwn(HostWorld):
    def test_a_script_that_calls_a_cache_is_passed_over_or_refused(self) -> None:
        self.program("cc", CCACHE, directory=self.other)
        error = self.failure(tools("cc"), "build.host-tool-unsupported", host_path=(self.other, self.bin))
        self.assertIn("only calls ccache", error.message)
        self.assertIn("name the compiler", str(error.remedy))
        self.program("cc", b"#!/bin/sh\necho the right one\n")
        given = tools("cc")
        where = (self.other, self.bin, "/usr/bin", "/bin")
        with open(self.output(self.built(given, host_path=where), given) + "/bin/cc") as file:
            self.assertIn("the right one", file.read())

    def test_a_chain_of_alternatives_is_followed_and_one_that_leads_nowhere_is_said(self) -> None:
        self.program("editor-2", b"#!/bin/sh\necho 2\n", directory=self.other)
        os.mkdir(self.top + "/alternatives")
        os.symlink(self.other + "/editor-2", self.top + "/alternatives/editor")
        os.symlink(self.top + "/alternatives/editor", self.bin + "/editor")
        given = tools("editor")
        where = (self.bin, "/usr/bin", "/bin")
        with open(self.output(self.built(given, host_path=where), given) + "/bin/editor") as file:
            self.assertIn("echo 2", file.read())
        os.unlink(self.other + "/editor-2")
        error = self.failure(given, "build.host-tool-missing", host_path=(self.bin,))
        self.assertIn("editor-2, which is not there", error.message)

    def test_a_script_of_an_absent_interpreter_names_both(self) -> None:
        path = self.program("lost", b"#!/usr/bin/env no-such-shell\n")
        error = self.failure(tools("lost"), "build.host-tool-missing", host_path=(self.bin,))
        self.assertIn("no-such-shell", error.message)
        self.assertIn(f"the interpreter of {path}", error.message)

    def test_a_program_for_another_processor_or_of_32_bits_says_so(self) -> None:
        shell = shutil.which("sh", path="/usr/bin:/bin")
        assert shell is not None
        with open(shell, "rb") as file:
            data = file.read()
        far = 183 if struct.unpack_from("<H", data, 18) != (183,) else 62
        self.program("far", data[:18] + struct.pack("<H", far) + data[20:])
        error = self.failure(tools("far"), "build.host-tool-unsupported", host_path=(self.bin,))
        self.assertRegex(error.message, "it is for (aarch64|x86_64), and this machine is")
        self.program("small", data[:4] + b"\1" + data[5:])
        error = self.failure(tools("small"), "build.host-tool-unsupported", host_path=(self.bin,))
        self.assertIn("not a 64-bit", error.message)
