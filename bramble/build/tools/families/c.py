"""C, C++ and Fortran: gcc, its binutils, the headers and libraries of the C library, and what programs need.

The output is a small /usr: what is in `/usr/lib/gcc` stands in `lib/gcc`, the headers in
`include`, and `usr` is a link to the output itself, so that the output is a sysroot too. gcc
finds its own parts relative to where it lies. All else that it has to know stands in a file
`specs` beside them, which gcc reads by itself (gcc documentation, "Spec Files"):

- the sysroot: headers and libraries are those of the output;
- the loader and a search path in the runtime output, for whatever it links;
- no build id, since it is a hash of these paths;
- names of the output in debugging information and macros become `/toolchain`;
- debugging information does not depend on the name of the build directory (`_DEBUG`);
- names in strings stay whole (`_WHOLE`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bramble.build.tools.contents import RT, Contents, Link, Take, Text
from bramble.build.tools.distribution import how_to_install
from bramble.build.tools.families.c_trials import trials
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, names_found
from bramble.build.tools.packages import files_of, owners
from bramble.errors import BrambleError

NAMES = re.compile(
    r"(?:[a-z0-9_]+-linux-[a-z0-9]+-)?(?P<kind>cc|gcc|c\+\+|g\+\+|gfortran|cpp)(?:-(?P<version>[0-9.]+))?"
)
_LANGUAGE = {"c++": "c++", "g++": "c++", "gfortran": "fortran"}
# Language → (its compiler proper, what else of it gcc knows the place of).
_PARTS = {
    "c": ("cc1", ()),
    "c++": ("cc1plus", ("libstdc++.a", "libstdc++.so", "libsupc++.a")),
    "fortran": ("f951", ("libgfortran.a", "libgfortran.so", "libgfortran.spec", "libcaf_single.a")),
}
_PROGRAMS = ("collect2", "lto1", "lto-wrapper")
_FILES = (
    *("crt1.o", "crtbegin.o", "libgcc.a", "libgcc_s.so", "liblto_plugin.so", "libc.so", "libc.a"),
    *("libm.a", "libcrypt.so", "libatomic.a", "libgomp.a"),
)
_HEADERS = ("stdio.h", "linux/limits.h", "asm/unistd.h", "crypt.h", "stddef.h")
_BINUTILS = (
    *("as", "ld", "ld.bfd", "ld.gold", "ar", "nm", "ranlib", "strip", "objcopy", "objdump", "readelf"),
    *("size", "strings", "c++filt", "addr2line", "elfedit"),
)
_COMPANIONS = ("gcc-ar", "gcc-nm", "gcc-ranlib", "cpp", "gcov")
_NEVER = re.compile(r"(doc|man|info|locale|bug|lintian)/")
_SANITIZERS = re.compile(r"lib(a|hwa|l|t|ub)san\.so.*")
_SHARED = re.compile(r"[^\s()]+\.so(?:\.[0-9]+)*")
# The copies that gcc makes itself, instead of calling the C library, come as pieces of 16 and 8
# bytes in the code; a name of a store object that is cut so cannot be found again.
_WHOLE = ("strcpy", "stpcpy", "strcat", "strncpy", "stpncpy", "strncat", "memcpy", "mempcpy", "memmove")

# gcc puts the strings of debugging information into tables in the order of a hash of each, so the
# name of the build directory would decide where all others stand. Without tables it is only itself.
_DEBUG = (
    "%{!gdwarf*:%{!ffile-prefix-map=*:%{!fdebug-prefix-map=*:"
    "%{g|g1|g2|g3|ggdb|ggdb1|ggdb2|ggdb3:-gdwarf-4 -fno-merge-debug-strings}}}}"
)


@dataclass(frozen=True)
class Told:
    """What gcc said about itself."""

    driver: str  # real path
    prefix: str  # "/usr": what its own directories are relative to
    target: str  # "x86_64-linux-gnu", as in the names of its directories
    install: str  # /usr/lib/gcc/x86_64-linux-gnu/12
    include: tuple[str, ...]  # directories of headers, in order
    libraries: tuple[str, ...]  # directories of libraries
    parts: tuple[str, ...]  # files that it named
    languages: tuple[str, ...]


def is_compiler(machine: Machine, name: str, real: str) -> bool:
    """Say whether the program is a driver of this family. `cc` may be another's."""
    if NAMES.fullmatch(name) is None and NAMES.fullmatch(posixpath.basename(real)) is None:
        return False
    return "gcc version" in machine.ask([real, "-v"]).error


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return what the compilers bring. `tools` maps the names that were asked for to real paths.

    Raises build.host-tool-unsupported, build.host-tool-incomplete.
    """
    # spec: build.host-tools.c
    _check_one(tools)
    wanted = sorted({_language(name) for name in tools} | {"c"})
    driver = _driver_of(machine, tools)
    told = ask(machine, driver, wanted)
    _check_complete(machine, told)
    loader = _loader(machine, driver)
    files = _files(machine, told)
    takes, links = _programs(machine, told, tools)
    for path in files:
        more, shared = _library(machine, told, path, _place_of(told, path))
        takes += more
        links += shared
    takes.append(Take(loader, f"lib/{posixpath.basename(loader)}", RT))
    links.append(Link("usr", "."))
    specs = Text(_place_of(told, told.install) + "/specs", _specs(machine, driver, loader))
    return Contents(
        takes=_once(takes),
        texts=(specs,),
        links=tuple(dict.fromkeys(links)),
        trials=trials(wanted, static=any(path.endswith("/libc.a") for path in files)),
        runtime=True,
    )


def _check_one(tools: Mapping[str, str]) -> None:
    """Raise build.host-tool-unsupported for drivers of two versions."""
    # spec: build.host-tools.c.one
    versions: dict[str, tuple[str, str]] = {}
    for name, real in sorted(tools.items()):
        match = NAMES.fullmatch(posixpath.basename(real))
        if match is not None:
            versions.setdefault(match["version"] or "", (name, real))
    if len(versions) > 1:
        (first, _), (name, real), *_ = versions.values()
        raise unsupported(
            real,
            f"{name} and {first} are of different versions, and an output holds one gcc; make two of them",
        )


def _language(name: str) -> str:
    match = NAMES.fullmatch(name)
    return _LANGUAGE.get(match["kind"] if match else "", "c")


def _driver_of(machine: Machine, tools: Mapping[str, str]) -> str:
    """Return the driver for C that belongs to what was asked for: g++-12 alone needs gcc-12 too."""
    for name, real in sorted(tools.items()):
        if _language(name) == "c":
            return real
    real = next(iter(tools.values()))
    beside = re.sub(r"(g\+\+|c\+\+|gfortran)", "gcc", posixpath.basename(real))
    found = posixpath.join(posixpath.dirname(real), beside)
    return machine.real(found) if machine.is_file(found) else real


def ask(machine: Machine, driver: str, languages: Sequence[str]) -> Told:
    """Ask gcc where its parts are. Raises build.host-tool-unsupported, build.host-tool-incomplete."""

    def said(*question: str) -> str:
        return machine.ask([driver, *question]).out.strip()

    parts = []
    for language in languages:
        compiler, files = _PARTS[language]
        path = said(f"-print-prog-name={compiler}")
        if not path.startswith("/"):
            raise unsupported(driver, f"its part {compiler} is not there")
        parts.append(path)
        parts += [said(f"-print-file-name={file}") for file in files]
    parts += [said(f"-print-prog-name={program}") for program in _PROGRAMS]
    parts += [said(f"-print-file-name={file}") for file in _FILES]
    install, libraries = read_search_dirs(said("-print-search-dirs"))
    language = "c++" if "c++" in languages else "c"
    include = read_include(machine.ask([driver, "-E", "-v", "-x", language, "-"]).error)
    headers = [
        posixpath.join(directory, header)
        for header in _HEADERS
        for directory in include
        if machine.is_file(posixpath.join(directory, header))
    ]
    own = machine.real(install)
    cut = re.search(r"/lib(?:64|exec)?/gcc/([^/]+)/[^/]+$", own)
    if cut is None:
        raise unsupported(driver, f"its own directory {install} is not where gcc's usually is")
    return Told(
        driver=driver,
        prefix=own[: cut.start()],
        target=cut[1],
        install=own,
        include=tuple(map(_normal, include)),
        libraries=tuple(dict.fromkeys(map(_normal, libraries))),
        parts=tuple(_normal(part) for part in (*parts, *headers) if part.startswith("/")),
        languages=tuple(languages),
    )


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


def _check_complete(machine: Machine, told: Told) -> None:
    """Raise build.host-tool-incomplete where the compiler has nothing to compile or link with."""
    # spec: build.host-tools.c.complete
    names = {posixpath.basename(part) for part in told.parts if machine.is_file(part)}
    wanted = [("libc headers", "stdio.h"), ("libc headers", "crt1.o"), ("kernel headers", "limits.h")]
    wanted += [("libstdc++ headers", "libstdc++.so")] if "c++" in told.languages else []
    for what, file in wanted:
        if file not in names:
            install = how_to_install(machine, what)
            raise BrambleError(
                "build.host-tool-incomplete",
                f"{told.driver} cannot compile a program: this machine does not have {file}",
                remedy=f"install it with `{install}`" if install else f"install the {what}",
            )


def _loader(machine: Machine, driver: str) -> str:
    """Return the loader that gcc writes into what it links: it is asked what it would pass to the linker."""
    answer = machine.ask([driver, "-###", "-x", "c", "-"]).error
    found = re.search(r'"?-dynamic-linker"? "?([^" ]+)', answer)
    if found is None:
        raise unsupported(driver, "it does not say which loader its programs get")
    return found[1]


def _files(machine: Machine, told: Told) -> tuple[str, ...]:
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
    """Say whether the file of a package takes part in compiling and linking."""
    whole = _merged(path)
    name = posixpath.basename(whole)
    if any(_below(whole, directory) for directory in told.include):
        return _languages_of(told, whole)
    if _below(whole, told.install) or _below(whole, _libexec(told)):
        compilers = {parts[0] for language, parts in _PARTS.items() if language not in told.languages}
        return name not in compilers
    is_library = name.endswith((".o", ".a", ".so", ".spec"))
    return is_library and any(posixpath.dirname(whole) == directory for directory in told.libraries)


def _languages_of(told: Told, path: str) -> bool:
    return "/c++/" not in path or "c++" in told.languages


def _libexec(told: Told) -> str:
    return f"{told.prefix}/libexec/gcc/{told.target}"


def _programs(machine: Machine, told: Told, tools: Mapping[str, str]) -> tuple[list[Take], list[Link]]:
    """Return the drivers and the binutils, in bin, each file once and links for its other names."""
    names = {**names_found(machine, (*_BINUTILS, *_COMPANIONS)), **tools}
    if "c" in told.languages:
        names.setdefault("gcc", told.driver)
        names.setdefault("cc", told.driver)
    if "c++" in told.languages:
        driver = next(real for name, real in tools.items() if _language(name) == "c++")
        names.setdefault("g++", driver)
        names.setdefault("c++", driver)
    first: dict[str, str] = {}
    takes, links = [], []
    for name, path in sorted(names.items(), key=lambda item: (item[0] in ("cc", "c++"), item[0])):
        real = machine.real(path)
        if machine.text(real).startswith("#!") and name not in tools:
            continue
        if real in first:
            links.append(Link(f"bin/{name}", f"bin/{first[real]}"))
        else:
            first[real] = name
            takes.append(Take(real, f"bin/{name}", program=True))
    for name in ("as", "ld", "ld.bfd", "ld.gold"):
        if name in names:
            links.append(Link(f"{told.target}/bin/{name}", f"bin/{name}"))
    return takes, links


def _library(machine: Machine, told: Told, path: str, place: str) -> tuple[list[Take], list[Link]]:
    """Return what has to be there for one file: a shared library stands in rt, with a link to it here."""
    name = posixpath.basename(path)
    if ".so" not in name or _below(_merged(path), told.install + "/plugin"):
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
            else _normal(machine.ask([told.driver, f"-print-file-name={word}"]).out.strip())
        )
        if not named.startswith("/") or not machine.is_file(named):
            continue
        takes.append(Take(named, f"lib/{posixpath.basename(named)}", RT))
        links.append(Link(_place_of(told, named), f"lib/{posixpath.basename(named)}", RT))
    return takes, links


def _specs(machine: Machine, driver: str, loader: str) -> str:
    """Return the file `specs`."""
    # spec: build.host-tools.c.specs
    # Where there is such a file, gcc takes it instead of what it knows itself.
    own = machine.ask([driver, "-dumpspecs"]).out.rstrip("\n")
    whole = " ".join(f"-fno-builtin-{name}" for name in _WHOLE)
    dynamic = f"%{{!shared:-dynamic-linker {{rt}}/lib/{posixpath.basename(loader)}}}"
    search = "-rpath {rt}/lib %{fsanitize=*:-rpath {out}/lib/sanitizers} --disable-new-dtags"
    # A gcc that was not configured with a sysroot does not pass it on to the linker.
    link = f"--sysroot=%R --build-id=none %{{!r:%{{!static:%{{!static-pie:{dynamic} {search}}}}}}}"
    return (
        f"{own}\n\n"
        f"*self_spec:\n+ %{{!-sysroot=*:--sysroot={{out}}}} -ffile-prefix-map={{out}}=/toolchain {_DEBUG}\n\n"
        f"*cc1:\n+ {whole}\n\n"
        f"*link:\n+ {link}\n\n"
    )


def _place_of(told: Told, path: str) -> str:
    """Return the place of a file: without the prefix of gcc, or else of the machine."""
    whole = _normal(path)
    for prefix in (told.prefix, "/usr", ""):
        if _below(whole, prefix or "/"):
            return whole[len(prefix) :].lstrip("/")
    return whole.lstrip("/")


def _merged(path: str) -> str:
    """Return the path as it is where /lib is a link to /usr/lib, since packages list both."""
    return path if path.startswith("/usr/") or not path.startswith("/lib") else "/usr" + path


def _below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


def _normal(path: str) -> str:
    return posixpath.normpath(path) if path.startswith("/") else path


def _once(takes: Iterable[Take]) -> tuple[Take, ...]:
    return tuple(dict.fromkeys(takes))
