"""What clang brings, from what two of them say, and one of this machine at work."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from bramble.build.tools.contents import OUT, RT, Contents, Link, Take
from bramble.build.tools.families import clang
from bramble.build.tools.families.table import FAMILIES
from bramble.build.tools.machine import Answer
from bramble.errors import BrambleError
from tests.build.tools.machines import Recorded, library
from tests.build.tools.test_host_tools import HostWorld, tools
from tests.build.world import derivation, ref

PROGRAM = object()
LIB = "/usr/lib/x86_64-linux-gnu"
GCC = "/usr/lib/gcc/x86_64-linux-gnu/12"
DEBIAN = "/usr/lib/llvm-14/bin/clang"
FEDORA = "/usr/bin/clang-17"


def machine(driver: str = DEBIAN, resources: str = "/usr/lib/llvm-14/lib/clang/14.0.6") -> Recorded:
    """A machine without a package manager that has clang, and of gcc only the libraries."""
    files: dict[str, object] = {
        driver: PROGRAM,
        "/usr/bin/clang": "-> " + driver,
        "/usr/bin/clang++": "-> " + driver,
        "/usr/bin/ld": PROGRAM,
        f"{resources}/include/stddef.h": "",
        f"{resources}/lib/linux/libclang_rt.asan-x86_64.a": "",
        f"{resources}/lib/linux/libclang_rt.asan-i386.a": "",
        f"{GCC}/crtbegin.o": "",
        f"{GCC}/libgcc.a": "",
        f"{GCC}/cc1": PROGRAM,
        f"{GCC}/libstdc++.so": f"-> {LIB}/libstdc++.so.6",
        f"{LIB}/libstdc++.so.6": library("libstdc++.so.6"),
        f"{LIB}/crt1.o": "",
        f"{LIB}/libc.so.6": library("libc.so.6"),
        f"{LIB}/libc.so": f"GROUP ( {LIB}/libc.so.6 )",
        "/usr/include/stdio.h": "",
        "/usr/include/linux/limits.h": "",
        "/usr/include/c++/12/vector": "",
        "/lib64/ld-linux-x86-64.so.2": library("ld-linux-x86-64.so.2"),
    }
    named = {path.rpartition("/")[2]: path for path in files if path.startswith((GCC, LIB))}
    said = {
        "-print-resource-dir": resources,
        "-print-search-dirs": f"programs: =/usr/bin\nlibraries: ={resources}:/usr/bin/../lib/gcc/"
        f"x86_64-linux-gnu/12:{LIB}\n",
        **{f"-print-file-name={name}": path for name, path in named.items()},
    }
    answers = {(driver, question): Answer(0, answer + "\n") for question, answer in said.items()}
    selected = "Selected GCC installation: /usr/bin/../lib/gcc/x86_64-linux-gnu/12\n"
    answers[driver, "-v"] = Answer(0, "", f"clang version 14.0.6\nInstalledDir: /usr/bin\n{selected}")
    for language, more in (("c", ""), ("c++", " /usr/bin/../include/c++/12\n")):
        listed = f"{more} {resources}/include\n /usr/include\n"
        listed = f"#include <...> search starts here:\n{listed}End of search list.\n"
        answers[driver, "-E", "-v", "-x", language, "-"] = Answer(0, "", listed)
    linking = ' "/usr/bin/ld" "-pie" "-dynamic-linker" "/lib64/ld-linux-x86-64.so.2" "-o" "a.out"\n'
    answers[driver, "-###", "-x", "c", "-"] = Answer(0, "", linking)
    return Recorded(files, answers)


def gathered(found: Recorded, driver: str = DEBIAN, *names: str) -> Contents:
    return clang.gather(found, {name: driver for name in names or ("clang",)})


def places(contents: Contents, output: str = OUT) -> set[str]:
    return {take.place for take in contents.takes if take.output == output}


@pytest.mark.parametrize(
    ("driver", "resources"),
    [(DEBIAN, "/usr/lib/llvm-14/lib/clang/14.0.6"), (FEDORA, "/usr/lib/clang/17")],
)
def test_it_brings_its_headers_where_it_looks_for_them_and_the_libraries_of_gcc(
    driver: str, resources: str
) -> None:
    contents = gathered(machine(driver, resources), driver)
    version = resources.rpartition("/")[2]
    assert Take(driver, "lib/llvm/bin/clang", program=True) in contents.takes
    here = places(contents)
    assert f"lib/llvm/lib/clang/{version}/include/stddef.h" in here
    assert f"lib/llvm/lib/clang/{version}/lib/linux/libclang_rt.asan-x86_64.a" in here
    assert {"lib/gcc/x86_64-linux-gnu/12/crtbegin.o", "include/stdio.h", "bin/ld"} <= here
    assert [place for place in here if place.endswith("stddef.h")] == [
        f"lib/llvm/lib/clang/{version}/include/stddef.h"
    ]
    # For another processor; gcc's own compiler; and nobody asked for C++.
    assert not [place for place in here if "i386" in place or place.endswith("/cc1") or "c++" in place]
    assert {"lib/libc.so.6", "lib/ld-linux-x86-64.so.2"} <= places(contents, RT)
    assert Link("lib/llvm/bin/ld", "bin/ld") in contents.links


def test_the_settings_name_the_outputs_and_a_static_program_no_loader() -> None:
    texts = {text.place: text.text for text in gathered(machine()).texts}
    for word in ("--sysroot={out}", "--gcc-toolchain={out}", "-Wl,--build-id=none", "-fno-builtin-strcpy"):
        assert word in texts["lib/llvm/dynamic.cfg"] and word in texts["lib/llvm/static.cfg"]
    assert "-Wl,-dynamic-linker,{rt}/lib/ld-linux-x86-64.so.2" in texts["lib/llvm/dynamic.cfg"]
    assert "{rt}" not in texts["lib/llvm/static.cfg"]


def test_cc_is_clang_only_where_no_gcc_is() -> None:
    links = gathered(machine(), DEBIAN, "clang", "clang++", "clang-14").links
    assert Link("bin/cc", "bin/clang", fallback=True) in links
    assert Link("bin/c++", "bin/clang++", fallback=True) in links
    assert Link("bin/clang-14", "bin/clang") in links
    # Asked for by that name it is clang, whatever else is there.
    assert Link("bin/cc", "bin/clang") in gathered(machine(), DEBIAN, "cc").links


def test_cxx_brings_the_library_of_gcc_for_it() -> None:
    contents = gathered(machine(), DEBIAN, "clang++")
    assert "include/c++/12/vector" in places(contents)
    assert "lib/libstdc++.so.6" in places(contents, RT)
    assert {text.place for text in contents.texts} >= {"bin/clang", "bin/clang++"}


def refused(found: Recorded, tools: dict[str, str]) -> BrambleError:
    with pytest.raises(BrambleError) as caught:
        clang.gather(found, tools)
    return caught.value


def test_what_cannot_work_is_refused_with_a_way_out() -> None:
    found = machine()
    error = refused(found, {"clang": DEBIAN, "clang-17": FEDORA})
    assert error.code == "build.host-tool-unsupported" and "two derivations" in str(error.remedy)
    error = refused(found, {"clang-cl": DEBIAN})
    assert "only those for C and C++" in error.message
    nix = "/nix/store/a-clang-wrapper-16/bin/clang"
    error = refused(Recorded({nix: "#! /nix/store/b-bash/bin/bash\n"}), {"clang": nix})
    assert "it is a script" in error.message and "by its path" in str(error.remedy)
    alone = replace(found, answers={**found.answers, (DEBIAN, "-v"): Answer(0, "", "clang version 14\n")})
    alone = replace(alone, files={**alone.files, "/etc/os-release": "ID=debian\n"})
    error = refused(alone, {"clang": DEBIAN})
    assert error.code == "build.host-tool-incomplete" and "apt install gcc" in str(error.remedy)


@pytest.mark.parametrize(
    ("name", "real"),
    [("clang", DEBIAN), ("clang++-14", DEBIAN), ("cc", "/usr/bin/clang-18"), ("clang-cpp", DEBIAN)],
)
def test_it_is_known_by_any_of_its_names(name: str, real: str) -> None:
    recorded = Recorded({real: PROGRAM})
    assert next(one for one in FAMILIES if one.claims(recorded, name, real)).name == "clang"
    assert not clang.is_clang(recorded, "clangd", "/usr/bin/clangd-14")


SCRIPT = """
cat > hello.c <<'X'
#include <stdio.h>
#include <string.h>
char place[200];
int main(void) { strcpy(place, OUT "/share/a/file"); puts(place); return 0; }
X
clang -g -O2 -DOUT="\\"$out\\"" hello.c -o $out/hello
"""


class OfThisMachine(HostWorld):
    def test_what_it_makes_runs_is_the_same_again_and_refers_to_the_runtime_output_only(self) -> None:
        if shutil.which("clang", path="/usr/bin") is None:
            self.skipTest("there is no clang")
        compiler = derivation("cc", "host_tools", env={"tools": "clang"}, outputs=("out", "rt"))
        shells = tools("sh cat")
        path = f"{ref(compiler)}/bin:{ref(shells)}/bin"
        program = derivation("hello", ref(shells) + "/bin/sh", ["-ec", SCRIPT], env={"PATH": path})
        report = self.built(program, among=[compiler, shells], check=True)
        self.assertEqual(list(report.checked), [program.id])
        top = self.output(report, program)
        ran = subprocess.run([top + "/hello"], capture_output=True, text=True, env={})
        self.assertEqual(ran.stdout, f"{top}/share/a/file\n")
        with open(top + "/hello", "rb") as file:
            self.assertNotIn(self.output(report, compiler).encode(), file.read())
