"""The parts of a C toolchain beside the compiler: start files, headers, libraries, and their places. Pure.

gcc and clang bring the same ones, in the same places, so one output may hold both.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from bramble.build.tools.contents import RT, Link, Take
from bramble.build.tools.distribution import how_to_install
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine
from bramble.build.tools.packages import files_of, owners
from bramble.errors import BrambleError
from bramble.record import dataclass

# Language → (its compiler proper, what else of it a compiler knows the place of).
PARTS = {
    "c": ("cc1", ()),
    "c++": ("cc1plus", ("libstdc++.a", "libstdc++.so", "libsupc++.a")),
    "fortran": ("f951", ("libgfortran.a", "libgfortran.so", "libgfortran.spec", "libcaf_single.a")),
}
PROGRAMS = ("collect2", "lto1", "lto-wrapper")
FILES = (
    *("crt1.o", "crtbegin.o", "libgcc.a", "libgcc_s.so", "liblto_plugin.so", "libc.so", "libc.a"),
    *("libm.a", "libcrypt.so", "libatomic.a", "libgomp.a"),
)
BINUTILS = (
    *("as", "ld", "ld.bfd", "ld.gold", "ar", "nm", "ranlib", "strip", "objcopy", "objdump", "readelf"),
    *("size", "strings", "c++filt", "addr2line", "elfedit"),
)
ONE_EACH = "make two derivations of host_tools, one for each"
_HEADERS = ("stdio.h", "linux/limits.h", "asm/unistd.h", "crypt.h", "stddef.h")
_SANITIZERS = re.compile(r"lib(a|hwa|l|t|ub)san\.so.*")
_SHARED = re.compile(r"[^\s()]+\.so(?:\.[0-9]+)*")


@dataclass(frozen=True)
class Told:
    """What a compiler reports about itself."""

    driver: str  # real path
    prefix: str  # "/usr": what its own directories are relative to
    target: str  # "x86_64-linux-gnu", as in the names of its directories
    install: str  # /usr/lib/gcc/x86_64-linux-gnu/12
    include: tuple[str, ...]  # directories of headers, in order
    libraries: tuple[str, ...]  # directories of libraries
    parts: tuple[str, ...]  # files that it named
    languages: tuple[str, ...]


def read_search_dirs(answer: str) -> tuple[str, tuple[str, ...]]:
    """Read `gcc -print-search-dirs`; return gcc's own directory, and those of libraries."""
    lines = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
    libraries = lines.get("libraries", "").lstrip("=").split(":")
    return lines.get("install", "").rstrip("/"), tuple(path for path in libraries if path.startswith("/"))


def read_include(answer: str) -> tuple[str, ...]:
    """Read what `gcc -E -v` writes to its standard error; return the directories of headers in order."""
    start, end = "#include <...> search starts here:\n", "End of search list."
    listed = answer.partition(start)[2].partition(end)[0]
    return tuple(line.strip() for line in listed.splitlines() if line.strip().startswith("/"))


def headers_in(machine: Machine, include: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of headers whose packages are needed, in the directories where they are."""
    paths = (posixpath.join(directory, header) for header in _HEADERS for directory in include)
    return tuple(path for path in paths if machine.is_file(path))


def refuse_script(machine: Machine, driver: str) -> None:
    """Raise build.host-tool-unsupported for a driver that is a script, as that of a Nix profile is."""
    if machine.head(driver)[:2] == b"#!":
        raise unsupported(
            driver,
            "it is a script, which calls a compiler with what the machine sets up for it",
            "name the compiler itself by its path in tools, or use one that the distribution installs",
        )


def check_complete(machine: Machine, told: Told) -> None:
    """Raise build.host-tool-incomplete where the compiler has nothing to compile or link with."""
    # spec: build.host-tools.c.complete
    names = {posixpath.basename(part) for part in told.parts if machine.is_file(part)}
    wanted = [("libc headers", "stdio.h"), ("libc headers", "crt1.o")]
    # Those of glibc include them, those of musl do not.
    wanted += [("kernel headers", "limits.h")] if "musl" not in told.target else []
    wanted += [("libstdc++ headers", "libstdc++.so")] if "c++" in told.languages else []
    for what, file in wanted:
        if file not in names:
            install = how_to_install(machine, what)
            raise BrambleError(
                "build.host-tool-incomplete",
                f"{told.driver} cannot compile a program: this machine does not have {file}",
                remedy=f"install it with `{install}`" if install else f"install the {what}",
            )


def loader_of(machine: Machine, driver: str) -> str:
    """Return the loader in what it links: it is asked what it passes to the linker."""
    answer = machine.ask([driver, "-###", "-x", "c", "-"]).error
    found = re.search(r'"?-dynamic-linker"? "?([^" ]+)', answer)
    if found is None:
        raise unsupported(driver, "it does not say which loader its programs get")
    return found[1]


def files_wanted(machine: Machine, told: Told) -> tuple[str, ...]:
    """Return the files of the packages that own the parts, or, without packages, of the directories."""
    packages = owners(machine, [told.driver, *told.parts])
    listed = files_of(machine, packages) if packages else ()
    if not listed:
        # Not everything in /usr/include belongs to a compiler, but nobody says what does.
        listed = tuple(
            path
            for directory in (told.install, *told.include)
            if machine.is_directory(directory)
            for path in machine.files_below(directory)
        )
        listed += tuple(part for part in told.parts if machine.is_file(part))
    found = dict.fromkeys(path for path in (*listed, *told.parts) if machine.is_file(path))
    return tuple(path for path in found if _is_wanted(told, path))


def _is_wanted(told: Told, path: str) -> bool:
    """Return whether the file of a package takes part in compiling and linking."""
    whole = _merged(path)
    name = posixpath.basename(whole)
    if any(below(whole, directory) for directory in told.include):
        return _languages_of(told, whole)
    if below(whole, told.install) or below(whole, _libexec(told)):
        compilers = {parts[0] for language, parts in PARTS.items() if language not in told.languages}
        return name not in compilers
    is_library = name.endswith((".o", ".a", ".so", ".spec"))
    return is_library and any(posixpath.dirname(whole) == directory for directory in told.libraries)


def _languages_of(told: Told, path: str) -> bool:
    return "/c++/" not in path or "c++" in told.languages


def _libexec(told: Told) -> str:
    return f"{told.prefix}/libexec/gcc/{told.target}"


def library(machine: Machine, told: Told, path: str, place: str) -> tuple[list[Take], list[Link]]:
    """Return what one file needs: a shared library is in rt, with a link to it here."""
    name = posixpath.basename(path)
    if ".so" not in name or below(_merged(path), told.install + "/plugin"):
        return [Take(path, place)], []
    elf = machine.elf(machine.real(path))
    if elf is not None:
        if elf.soname is None or name in ("liblto_plugin.so", "libcc1.so"):
            return [Take(path, place)], []
        soname = posixpath.basename(elf.soname)
        if _SANITIZERS.fullmatch(name):
            # As large as all the rest: a program with a sanitizer refers to the compiler.
            return [Take(path, f"lib/sanitizers/{soname}")], [Link(place, f"lib/sanitizers/{soname}")]
        return [Take(path, f"lib/{soname}", RT)], [Link(place, f"lib/{soname}", RT)]
    # A script of the linker: libraries in it are looked for below the sysroot.
    takes, links = [Take(path, place)], []
    for word in _SHARED.findall(machine.text(path)):
        named = (
            word
            if word.startswith("/")
            else normal(machine.ask([told.driver, f"-print-file-name={word}"]).out.strip())
        )
        if not named.startswith("/") or not machine.is_file(named):
            continue
        takes.append(Take(named, f"lib/{posixpath.basename(named)}", RT))
        links.append(Link(place_of(told, named), f"lib/{posixpath.basename(named)}", RT))
    return takes, links


def place_of(told: Told, path: str) -> str:
    """Return the place of a file: without the prefix of gcc, or else of the machine."""
    return place_of_path(path, told.prefix)


def place_of_path(path: str, prefix: str = "/usr") -> str:
    """Return a path without a prefix, or else without /usr, or else without its first slash."""
    whole = normal(path)
    for top in (prefix, "/usr"):
        if below(whole, top or "/"):
            return whole[len(top) :].lstrip("/")
    return whole.lstrip("/")


def _merged(path: str) -> str:
    """Return the path as it is where /lib is a link to /usr/lib, since packages list both."""
    return path if path.startswith("/usr/") or not path.startswith("/lib") else "/usr" + path


def below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


def normal(path: str) -> str:
    return posixpath.normpath(path) if path.startswith("/") else path


def once(takes: Iterable[Take]) -> tuple[Take, ...]:
    return tuple(dict.fromkeys(takes))
