"""What musl's script for gcc brings, from the files that two distributions install."""

from __future__ import annotations

import pytest

from bramble.build.tools.contents import RT, Link
from bramble.build.tools.families import musl
from bramble.build.tools.families.table import FAMILIES
from bramble.build.tools.host_tools import with_needed
from bramble.errors import BrambleError
from tests.build.tools.machines import Recorded, library

SPECS = """\
%rename cpp_options old_cpp_options

*cc1:
%(cc1_cpu) -nostdinc -isystem INCLUDE -isystem include%s

*link_libgcc:
-LLIB -L .%s

*startfile:
%{!shared: LIB/Scrt1.o} LIB/crti.o crtbeginS.o%s

*link:
-dynamic-linker /lib/ld-musl-x86_64.so.1 -nostdlib %{shared:-shared} %{static:-static}
"""
DEBIAN = ("/usr/include/x86_64-linux-musl", "/usr/lib/x86_64-linux-musl")
OWN = ("/usr/local/musl/include", "/usr/local/musl/lib")


def machine(include: str, lib: str, script: str = "") -> Recorded:
    calls = f'#!/bin/sh\nexec "${{REALGCC:-x86_64-linux-gnu-gcc}}" "$@" -specs "{lib}/musl-gcc.specs"\n'
    files = {
        "/usr/bin/musl-gcc": script or calls,
        "/usr/bin/x86_64-linux-musl-gcc": "-> musl-gcc",
        "/usr/bin/x86_64-linux-gnu-gcc": "",
        f"{include}/stdio.h": "",
        f"{lib}/crti.o": "",
        f"{lib}/Scrt1.o": "",
        f"{lib}/libc.a": "",
        f"{lib}/libc.so": library("libc.so"),
        f"{lib}/musl-gcc.specs": SPECS.replace("INCLUDE", include).replace("LIB", lib),
        "/lib/ld-musl-x86_64.so.1": f"-> {lib}/libc.so",
    }
    return Recorded(files)


@pytest.mark.parametrize(("include", "lib"), [DEBIAN, OWN])
def test_it_brings_the_directories_that_its_specs_name(include: str, lib: str) -> None:
    contents = musl.gather(machine(include, lib), {"musl-gcc": "/usr/bin/musl-gcc"})
    here, there = include[len("/usr/") :], lib[len("/usr/") :]
    assert {take.place for take in contents.takes} == {
        *(f"{here}/stdio.h", f"{there}/crti.o", f"{there}/Scrt1.o", f"{there}/libc.a"),
        "lib/ld-musl-x86_64.so.1",
    }
    assert Link(f"{there}/libc.so", "lib/ld-musl-x86_64.so.1", RT) in contents.links
    specs, script = contents.texts
    assert f"-isystem {{out}}/{here} " in specs.text and f"-L{{out}}/{there} " in specs.text
    assert "%{!shared:%{!static:-dynamic-linker {rt}/lib/ld-musl-x86_64.so.1 -rpath {rt}/lib" in specs.text
    assert "*cc1:" in specs.text and include + " " not in specs.text
    assert (
        script.text == f'exec {{out}}/bin/x86_64-linux-gnu-gcc "$@" -specs {{out}}/{there}/musl-gcc.specs\n'
    )


def test_the_gcc_that_it_calls_comes_along() -> None:
    found = machine(*DEBIAN)
    tools = with_needed(found, {"musl-gcc": "/usr/bin/musl-gcc"}, lambda name: f"/usr/bin/{name}")
    assert "x86_64-linux-gnu-gcc" in tools
    claimed = next(one for one in FAMILIES if one.claims(found, "musl-gcc", "/usr/bin/musl-gcc"))
    assert claimed.name == "musl"


def test_a_script_of_another_kind_is_refused_and_a_compiler_for_musl_is_none() -> None:
    found = machine(*DEBIAN, script="#!/bin/sh\nexec gcc $@\n")
    with pytest.raises(BrambleError, match="is not the script of musl"):
        musl.gather(found, {"musl-gcc": "/usr/bin/musl-gcc"})
    real = "/usr/bin/x86_64-linux-musl-gcc"
    assert not musl.is_musl(Recorded({real: library("x")}), "x86_64-linux-musl-gcc", real)
