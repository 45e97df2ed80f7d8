"""What a compiler brings, from what compilers of three distributions say."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from bramble.build.tools.contents import OUT, RT, Contents, Link
from bramble.build.tools.families import c, c_parts
from bramble.build.tools.machine import Answer
from bramble.errors import BrambleError
from tests.build.tools.machines import Recorded, library

GCC = "/usr/bin/gcc"
PROGRAM = object()


def machine(
    install: str,
    lib: str,
    loader: str,
    *,
    target: str,
    libexec: str = "",
    package_manager: str = "",
    without: tuple[str, ...] = (),
    scripts: Mapping[str, str] = {},
) -> Recorded:
    """A machine with gcc for C whose parts are in the directories that are given."""
    own = libexec or install
    files: dict[str, object] = {
        GCC: PROGRAM,
        "/usr/bin/ld": PROGRAM,
        "/usr/bin/as": PROGRAM,
        f"{own}/cc1": PROGRAM,
        f"{own}/cc1plus": PROGRAM,
        f"{own}/collect2": PROGRAM,
        f"{own}/liblto_plugin.so": library("liblto_plugin.so.0"),
        f"{install}/libgcc.a": "",
        f"{install}/crtbegin.o": "",
        f"{install}/include/stddef.h": "",
        f"{install}/libasan.so": f"-> {lib}/libasan.so.8",
        f"{lib}/libasan.so.8": library("libasan.so.8"),
        f"{lib}/crt1.o": "",
        f"{lib}/libc.so.6": library("libc.so.6"),
        f"{lib}/libm.so": "-> libm.so.6",
        f"{lib}/libm.so.6": library("libm.so.6"),
        f"{lib}/libother.so": "-> libother.so.1",
        f"{lib}/libother.so.1": library("libother.so.1"),
        "/usr/include/stdio.h": "",
        "/usr/include/linux/limits.h": "",
        "/usr/include/other.h": "",
        loader: library(loader.rpartition("/")[2]),
        **scripts,
    }
    if package_manager:
        files[package_manager] = PROGRAM
    for path in without:
        files.pop(path)
    named = {path.rpartition("/")[2]: path for path in files if path.startswith((install, own, lib))}
    questions = {
        **{f"-print-prog-name={name}": named.get(name, name) for name in ("cc1", "collect2", "lto1")},
        **{f"-print-prog-name={name}": name for name in ("lto-wrapper",)},
        "-dumpspecs": "*link:\n-m elf\n\n",
        "-print-search-dirs": f"install: {install}/\nlibraries: ={install}/:{lib}/:{lib}/../lib/\n",
    }
    for name in (*c_parts.FILES, "libc.so.6"):
        questions[f"-print-file-name={name}"] = named.get(name, name)
    answers = {(GCC, question): Answer(0, said + "\n") for question, said in questions.items()}
    listed = f"#include <...> search starts here:\n {install}/include\n /usr/include\nEnd of search list.\n"
    answers[GCC, "-E", "-v", "-x", "c", "-"] = Answer(0, "", listed)
    answers[GCC, "-###", "-x", "c", "-"] = Answer(0, "", f' "collect2" "-dynamic-linker" "{loader}" "x.o"\n')
    answers[GCC, "-v"] = Answer(0, "", f"Target: {target}\ngcc version 13.2.0\n")
    return Recorded(files, answers)


DEBIAN = "/usr/lib/x86_64-linux-gnu"
DEBIAN_GCC = "/usr/lib/gcc/x86_64-linux-gnu/12"


class Dpkg(Recorded):
    """Packages: what is called "other" belongs to one that no part of the compiler is in."""

    def ask(self, argv, stdin=""):  # type: ignore[no-untyped-def]
        if argv[0].endswith("dpkg-query") and argv[1] == "-S":
            return Answer(0, "gcc: /usr/bin/gcc\nlibc6-dev: /usr/include/stdio.h\n")
        if argv[0].endswith("dpkg-query"):
            return Answer(
                0, "\n".join(path for path in self.files if "other" not in path) + "\n/usr/include\n"
            )
        return super().ask(argv, stdin)


def debian(**more: object) -> Recorded:
    found = machine(
        DEBIAN_GCC,
        DEBIAN,
        "/lib64/ld-linux-x86-64.so.2",
        target="x86_64-linux-gnu",
        package_manager="/usr/bin/dpkg-query",
        scripts={
            f"{DEBIAN}/libc.so": "GROUP ( /lib/x86_64-linux-gnu/libc.so.6 AS_NEEDED ( x ) )",
            "/lib": "-> usr/lib",
        },
        **more,  # type: ignore[arg-type]
    )
    return Dpkg(found.files, found.answers)


def places(contents: Contents, output: str = OUT) -> set[str]:
    return {take.place for take in contents.takes if take.output == output}


def test_debian_only_the_packages_of_the_compiler_come_along() -> None:
    contents = c.gather(debian(), {"gcc": GCC})
    here = places(contents)
    assert {"bin/as", "bin/ld", "include/stdio.h", "lib/x86_64-linux-gnu/crt1.o"} <= here
    assert {"lib/gcc/x86_64-linux-gnu/12/cc1", "lib/gcc/x86_64-linux-gnu/12/liblto_plugin.so"} <= here
    assert not [place for place in here if "other" in place]
    # Nobody asked for C++.
    assert "lib/gcc/x86_64-linux-gnu/12/cc1plus" not in here


def test_debian_shared_libraries_stand_in_rt_and_are_linked_to() -> None:
    contents = c.gather(debian(), {"gcc": GCC})
    assert places(contents, RT) == {"lib/ld-linux-x86-64.so.2", "lib/libc.so.6", "lib/libm.so.6"}
    assert Link("lib/x86_64-linux-gnu/libm.so", "lib/libm.so.6", RT) in contents.links
    # The linker's script names a library by a path that is looked for below the sysroot.
    assert Link("lib/x86_64-linux-gnu/libc.so.6", "lib/libc.so.6", RT) in contents.links
    assert Link("usr", ".") in contents.links


def test_sanitizers_stay_beside_the_compiler() -> None:
    contents = c.gather(debian(), {"gcc": GCC})
    assert "lib/sanitizers/libasan.so.8" in places(contents)
    assert "{out}/lib/sanitizers" in contents.texts[0].text


def test_the_specs_are_those_of_gcc_and_ours() -> None:
    (specs,) = c.gather(debian(), {"gcc": GCC}).texts
    assert specs.place == "lib/gcc/x86_64-linux-gnu/12/specs"
    assert specs.text.startswith("*link:\n-m elf\n\n")
    for word in (
        *("--sysroot={out}", "-dynamic-linker {rt}/lib/ld-linux-x86-64.so.2", "-rpath {rt}/lib"),
        *("--build-id=none", "-fno-builtin-strcpy", "-ffile-prefix-map={out}=/toolchain"),
    ):
        assert word in specs.text


@pytest.mark.parametrize(
    ("holds", "passed"),
    [
        (
            ("znver3", "k8"),
            " %{!mtune=*:-mtune=znver3 -mtune-ctrl=^sse_unaligned_store_optimal -mmove-max=128 "
            "-mstore-max=128} ",
        ),
        (("k8",), " %{!mtune=*:-mtune=k8} %{mtune=generic:%<mtune=generic -mtune=k8}\n\n"),
        ((), " -fno-builtin-strcpy -fno-builtin-stpcpy "),
    ],
)
def test_gcc_tunes_for_a_processor_where_it_keeps_texts_whole(holds: tuple[str, ...], passed: str) -> None:
    class Gcc(Dpkg):
        def ask(self, argv, stdin=""):  # type: ignore[no-untyped-def]
            if "-O2" not in argv:
                return super().ask(argv, stdin)
            texts = re.findall('"(.{82})"', stdin)
            assert len(texts) == 2
            # Elsewhere one of the two is cut.
            cut = not any(f"-mtune={name}" in argv for name in holds)
            return Answer(0, "".join(f'\t.string "{text}"\n' for text in texts[cut:]))

    found = debian()
    (specs,) = c.gather(Gcc(found.files, found.answers), {"gcc": GCC}).texts
    assert passed in specs.text


def test_fedora_has_its_programs_in_libexec_and_libraries_in_lib64() -> None:
    found = machine(
        "/usr/lib/gcc/x86_64-redhat-linux/13",
        "/usr/lib64",
        "/lib64/ld-linux-x86-64.so.2",
        target="x86_64-redhat-linux",
        libexec="/usr/libexec/gcc/x86_64-redhat-linux/13",
    )
    contents = c.gather(found, {"gcc": GCC})
    assert {"libexec/gcc/x86_64-redhat-linux/13/cc1", "lib64/crt1.o"} <= places(contents)
    assert contents.texts[0].place == "lib/gcc/x86_64-redhat-linux/13/specs"


def test_alpine_has_a_loader_that_is_the_library() -> None:
    found = machine(
        "/usr/lib/gcc/x86_64-alpine-linux-musl/13.2.1",
        "/usr/lib",
        "/lib/ld-musl-x86_64.so.1",
        target="x86_64-alpine-linux-musl",
        scripts={"/usr/lib/libc.so": "-> ../../lib/ld-musl-x86_64.so.1"},
        libexec="/usr/libexec/gcc/x86_64-alpine-linux-musl/13.2.1",
    )
    contents = c.gather(found, {"gcc": GCC})
    assert "-dynamic-linker {rt}/lib/ld-musl-x86_64.so.1" in contents.texts[0].text
    assert Link("lib/libc.so", "lib/ld-musl-x86_64.so.1", RT) in contents.links


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/usr/include/stdio.h", "apt install libc6-dev"),
        (f"{DEBIAN}/crt1.o", "apt install libc6-dev"),
        ("/usr/include/linux/limits.h", "apt install linux-libc-dev"),
    ],
)
def test_a_compiler_without_headers_says_which_package_has_them(path: str, command: str) -> None:
    found = debian(without=(path,))
    found = Dpkg({**found.files, "/etc/os-release": "ID=debian\n"}, found.answers)
    with pytest.raises(BrambleError) as caught:
        c.gather(found, {"gcc": GCC})
    assert caught.value.code == "build.host-tool-incomplete"
    assert command in str(caught.value.remedy)


def test_a_compiler_without_its_compiler_proper_is_refused() -> None:
    with pytest.raises(BrambleError) as caught:
        c.gather(debian(without=(f"{DEBIAN_GCC}/cc1",)), {"gcc": GCC})
    assert caught.value.code == "build.host-tool-unsupported"


@pytest.mark.parametrize("name", ["gcc", "cc", "gcc-12", "x86_64-linux-gnu-gcc-12", "g++", "c++", "cpp"])
def test_a_compiler_is_known_by_its_names(name: str) -> None:
    assert c.is_compiler(debian(), name, GCC)


def test_another_compiler_called_cc_is_not_gcc() -> None:
    found = Recorded(
        {"/usr/bin/clang": PROGRAM}, {("/usr/bin/clang", "-v"): Answer(0, "", "clang version 16\n")}
    )
    assert not c.is_compiler(found, "cc", "/usr/bin/clang")


def test_two_versions_are_refused_with_a_way_out() -> None:
    tools = {"gcc": "/usr/bin/x86_64-linux-gnu-gcc-12", "gcc-11": "/usr/bin/x86_64-linux-gnu-gcc-11"}
    with pytest.raises(BrambleError, match="gcc-11 and gcc belong to different gccs") as caught:
        c.gather(Recorded({}), tools)
    assert caught.value.code == "build.host-tool-unsupported"
    assert "two derivations" in str(caught.value.remedy)


def test_two_gccs_whose_names_have_no_version_are_told_apart_by_their_parts() -> None:
    mine = "/usr/local/bin/g++"
    found = debian()
    there = Answer(0, "install: /usr/local/lib/gcc/x86_64-pc-linux-gnu/14.1.0/\n")
    found = Dpkg({**found.files, mine: PROGRAM}, {**found.answers, (mine, "-print-search-dirs"): there})
    with pytest.raises(BrambleError, match="belong to different gccs"):
        c.gather(found, {"gcc": GCC, "g++": mine})


def test_a_driver_that_is_a_script_is_refused_with_a_way_out() -> None:
    nix = "/nix/store/a-gcc-wrapper-13.2.0/bin/gcc"
    found = debian()
    found = Dpkg({**found.files, nix: "#! /nix/store/b-bash/bin/bash\n"}, found.answers)
    with pytest.raises(BrambleError, match="it is a script") as caught:
        c.gather(found, {"gcc": nix})
    assert "by its path" in str(caught.value.remedy)


def test_the_preprocessor_alone_brings_its_gcc() -> None:
    cpp = "/usr/bin/x86_64-linux-gnu-cpp-12"
    gcc = "/usr/bin/x86_64-linux-gnu-gcc-12"
    found = Recorded({cpp: PROGRAM, gcc: PROGRAM, "/usr/bin/cpp": "-> x86_64-linux-gnu-cpp-12"})
    assert c._driver_of(found, {"cpp": cpp}) == gcc
    assert c._driver_of(found, {"cpp": cpp, "gcc": gcc}) == gcc
