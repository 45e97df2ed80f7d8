"""What the families bring on other distributions, by the word of their package managers.

The answers have the forms that rpm, apk and pacman print; the layouts are those of Fedora 39,
Alpine 3.19, Arch and NixOS 23.11.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from bramble.build.tools.contents import RT
from bramble.build.tools.families import c, perl, python
from bramble.build.tools.families.python import _QUESTION
from bramble.build.tools.machine import Answer
from bramble.errors import BrambleError
from tests.build.tools.machines import Recorded, library
from tests.build.tools.test_c_family import GCC, PROGRAM, machine, places


@dataclass(frozen=True)
class Packaged(Recorded):
    """A machine whose files are in packages, and a manager that says so."""

    manager: str = "rpm"
    packages: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def ask(self, argv: Sequence[str], stdin: str = "") -> Answer:
        if argv[0] != f"/usr/bin/{self.manager}":
            return super().ask(argv, stdin)
        flags = {"rpm": ("-qf", "-ql"), "apk": ("--who-owns", "-L"), "pacman": ("-Qo", "-Ql")}[self.manager]
        words = [word for word in argv[1:] if word.startswith("/") or word in self.packages]
        if flags[0] in argv:
            return Answer(1, *map("".join, zip(*(self._owner(path) for path in words))))
        assert flags[1] in argv and words
        return Answer(0, "".join(self._listed(name) for name in words))

    def _owner(self, path: str) -> tuple[str, str]:
        name = next((name for name, paths in self.packages.items() if path in paths), None)
        if self.manager == "rpm":
            return (f"{name}\n" if name else f"file {path} is not owned by any package\n"), ""
        if self.manager == "apk":
            lost = f"ERROR: {path}: Could not find owner package\n"
            return (f"{path} is owned by {name}-13.2.1_git20231014-r0\n", "") if name else ("", lost)
        lost = f"error: No package owns {path}\n"
        return (f"{path} is owned by {name} 13.2.1-3\n", "") if name else ("", lost)

    def _listed(self, name: str) -> str:
        paths = self.packages[name]
        if self.manager == "rpm":
            return "".join(f"{path}\n" for path in ("/usr/lib/.build-id", *paths))
        if self.manager == "apk":
            return f"{name}-13.2.1_git20231014-r0 contains:\n" + "".join(p[1:] + "\n" for p in paths) + "\n"
        return f"{name} /usr/\n{name} /usr/include/\n" + "".join(f"{name} {path}\n" for path in paths)


FEDORA = machine(
    "/usr/lib/gcc/x86_64-redhat-linux/13",
    "/usr/lib64",
    "/lib64/ld-linux-x86-64.so.2",
    target="x86_64-redhat-linux",
    libexec="/usr/libexec/gcc/x86_64-redhat-linux/13",
    scripts={"/lib64": "-> usr/lib64", "/usr/lib64/ld-linux-x86-64.so.2": library("ld-linux-x86-64.so.2")},
)
ALPINE = machine(
    "/usr/lib/gcc/x86_64-alpine-linux-musl/13.2.1",
    "/usr/lib",
    "/lib/ld-musl-x86_64.so.1",
    target="x86_64-alpine-linux-musl",
    libexec="/usr/libexec/gcc/x86_64-alpine-linux-musl/13.2.1",
    scripts={"/usr/lib/libc.so": "-> ../../lib/ld-musl-x86_64.so.1"},
    without=("/usr/include/linux/limits.h",),
)
ARCH = machine(
    "/usr/lib/gcc/x86_64-pc-linux-gnu/13.2.1",
    "/usr/lib",
    "/lib64/ld-linux-x86-64.so.2",
    target="x86_64-pc-linux-gnu",
    scripts={
        "/lib64": "-> usr/lib",
        "/usr/lib64": "-> lib",
        "/usr/lib/ld-linux-x86-64.so.2": library("ld-linux-x86-64.so.2"),
    },
)
# Package of the C library's headers, of the compiler, and of the kernel's headers.
NAMES = {
    "rpm": ("glibc-devel", "gcc", "kernel-headers"),
    "apk": ("musl-dev", "gcc", "linux-headers"),
    "pacman": ("glibc", "gcc", "linux-api-headers"),
}


def packaged(manager: str, found: Recorded) -> Packaged:
    """The machine with its files in packages, and two headers of which only the packages tell."""
    libc, compiler, kernel = NAMES[manager]
    more = {"/usr/include/bits/deep.h": "", "/usr/include/openssl/ssl.h": "", f"/usr/bin/{manager}": PROGRAM}
    files = {**found.files, **more}

    def owner(path: str) -> str:
        if "openssl" in path or "other" in path:
            return "openssl-devel"
        if "/linux/" in path:
            return kernel
        return compiler if "/gcc" in path else libc

    names = {owner(path) for path in files}
    packages = {name: [path for path in files if owner(path) == name] for name in sorted(names)}
    return Packaged(files, found.answers, manager=manager, packages=packages)


@pytest.mark.parametrize(
    ("manager", "found", "loader"),
    [
        ("rpm", FEDORA, "ld-linux-x86-64.so.2"),
        ("apk", ALPINE, "ld-musl-x86_64.so.1"),
        ("pacman", ARCH, "ld-linux-x86-64.so.2"),
    ],
)
def test_a_compiler_brings_the_packages_of_its_parts_and_no_others(
    manager: str, found: Recorded, loader: str
) -> None:
    contents = c.gather(packaged(manager, found), {"gcc": GCC})
    here = places(contents)
    assert {"include/stdio.h", "include/bits/deep.h", "bin/gcc", "bin/ld"} <= here
    assert not [place for place in here if "openssl" in place or "other" in place]
    assert f"lib/{loader}" in places(contents, RT)


def test_the_headers_of_the_kernel_are_needed_with_glibc_and_not_with_musl() -> None:
    files = {path: what for path, what in FEDORA.files.items() if "/linux/" not in path}
    without = Recorded({**files, "/etc/os-release": "ID=fedora\n"}, FEDORA.answers)
    with pytest.raises(BrambleError) as caught:
        c.gather(without, {"gcc": GCC})
    assert "dnf install kernel-headers" in str(caught.value.remedy)
    c.gather(ALPINE, {"gcc": GCC})  # build-base has none


@pytest.mark.parametrize(
    ("real", "prefix", "library_directory"),
    [
        ("/usr/bin/python3.12", "/usr", "lib64/python3.12"),  # Fedora
        ("/usr/bin/python3.11", "/usr", "lib/python3.11"),  # Alpine, Arch
        ("/nix/store/a-python3-3.11.6/bin/python3.11", "/nix/store/a-python3-3.11.6", "lib/python3.11"),
    ],
)
def test_python_brings_its_library_where_it_looks_for_it(
    real: str, prefix: str, library_directory: str
) -> None:
    top = f"{prefix}/{library_directory}"
    told = {"prefix": prefix, "library": top, "path": [top, f"{top}/lib-dynload", f"{top}/site-packages"]}
    files = {
        real: PROGRAM,
        f"{top}/os.py": "",
        f"{top}/lib-dynload/_ssl.so": "",
        f"{top}/site-packages/x.py": "",
    }
    asked = (real, "-I", "-S", "-B", "-c", _QUESTION)
    contents = python.gather(Recorded(files, {asked: Answer(0, json.dumps(told))}), {"python3": real})
    assert {take.place for take in contents.takes} == {
        *("bin/python3", f"{library_directory}/os.py", f"{library_directory}/lib-dynload/_ssl.so"),
    }


@pytest.mark.parametrize(
    ("real", "privlib", "archlib", "places_in_out"),
    [
        ("/usr/bin/perl", "/usr/share/perl5", "/usr/lib64/perl5", ("share/perl5", "lib64/perl5")),
        (
            *("/usr/bin/perl", "/usr/share/perl5/core_perl", "/usr/lib/perl5/core_perl"),
            ("share/perl5/core_perl", "lib/perl5/core_perl"),
        ),
        (
            "/nix/store/b-perl-5.38.2/bin/perl",
            "/nix/store/b-perl-5.38.2/lib/perl5/5.38.2",
            "/nix/store/b-perl-5.38.2/lib/perl5/5.38.2/x86_64-linux-thread-multi",
            (
                "nix/store/b-perl-5.38.2/lib/perl5/5.38.2",
                "nix/store/b-perl-5.38.2/lib/perl5/5.38.2/x86_64-linux-thread-multi",
            ),
        ),
    ],
)
def test_perl_brings_its_library_and_is_told_where_it_is(
    real: str, privlib: str, archlib: str, places_in_out: tuple[str, ...]
) -> None:
    files = {real: PROGRAM, f"{privlib}/strict.pm": "", f"{archlib}/List/Util.pm": ""}
    asked = (real, "-e", perl._QUESTION)
    found = Recorded(files, {asked: Answer(0, f"{privlib}\n{archlib}\n")})
    contents = perl.gather(found, {"perl": real})
    taken = {take.place for take in contents.takes}
    assert {f"{places_in_out[0]}/strict.pm", f"{places_in_out[1]}/List/Util.pm"} <= taken
    (text,) = contents.texts
    assert ", ".join(f"'{{out}}/{place}'" for place in places_in_out) in text.text


def test_a_compiler_of_nixos_is_a_script_and_is_refused_in_words() -> None:
    script = "#! /nix/store/c-bash-5.2/bin/bash\nset -eu\nexec /nix/store/d-gcc-12.3.0/bin/gcc ...\n"
    real = "/nix/store/e-gcc-wrapper-12.3.0/bin/gcc"
    found = replace(FEDORA, files={**FEDORA.files, real: script}, path=("/run/current-system/sw/bin",))
    with pytest.raises(BrambleError, match="it is a script"):
        c.gather(found, {"gcc": real})
