"""C, C++ and Fortran: gcc, its binutils, the headers and libraries of the C library, and what programs need.

The output is a small /usr: what is in `/usr/lib/gcc` is in `lib/gcc`, the headers in
`include`, and `usr` is a link to the output itself, so that the output is a sysroot too. gcc
finds its parts relative to its own path. Everything else that it has to know is in a file
`specs` beside them, which gcc reads by itself (gcc documentation, "Spec Files"):

- the sysroot: headers and libraries are those of the output;
- the loader and a search path in the runtime output, for whatever it links;
- no build id, since it is a hash of these paths;
- names of the output in debugging information and macros become `/toolchain`;
- debugging information does not depend on the name of the build directory (`_DEBUG`);
- names in strings stay whole (c_whole.py).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from bramble.build.tools.contents import RT, Contents, Link, Take, Text
from bramble.build.tools.families.c_parts import (
    BINUTILS,
    FILES,
    ONE_EACH,
    PARTS,
    PROGRAMS,
    Told,
    check_complete,
    files_wanted,
    headers_in,
    library,
    loader_of,
    normal,
    once,
    place_of,
    read_include,
    read_search_dirs,
    refuse_script,
)
from bramble.build.tools.families.c_trials import trials
from bramble.build.tools.families.c_whole import whole_names
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, names_found

NAMES = re.compile(
    r"(?:[a-z0-9_]+-linux-[a-z0-9]+-)?(?P<kind>cc|gcc|c\+\+|g\+\+|gfortran|cpp)(?:-(?P<version>[0-9.]+))?"
)
_LANGUAGE = {"c++": "c++", "g++": "c++", "gfortran": "fortran"}
_COMPANIONS = ("gcc-ar", "gcc-nm", "gcc-ranlib", "cpp", "gcov")
# gcc puts the strings of debugging information into tables in the order of a hash of each, so the
# name of the build directory would decide where all others stand. Without tables it is only itself.
_DEBUG = (
    "%{!gdwarf*:%{!ffile-prefix-map=*:%{!fdebug-prefix-map=*:"
    "%{g|g1|g2|g3|ggdb|ggdb1|ggdb2|ggdb3:-gdwarf-4 -fno-merge-debug-strings}}}}"
)


def is_compiler(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is a driver of this family. `cc` may be another's."""
    if NAMES.fullmatch(name) is None and NAMES.fullmatch(posixpath.basename(real)) is None:
        return False
    return "gcc version" in machine.ask([real, "-v"]).error


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return what the compilers bring. `tools` maps the names that were asked for to real paths.

    Raises build.host-tool-unsupported, build.host-tool-incomplete.
    """
    # spec: build.host-tools.c
    _check_one(machine, tools)
    for real in sorted(set(tools.values())):
        refuse_script(machine, real)
    wanted = sorted({_language(name) for name in tools} | {"c"})
    driver = _driver_of(machine, tools)
    told = ask(machine, driver, wanted)
    check_complete(machine, told)
    loader = loader_of(machine, driver)
    files = files_wanted(machine, told)
    takes, links = _programs(machine, told, tools)
    for path in files:
        more, shared = library(machine, told, path, place_of(told, path))
        takes += more
        links += shared
    takes.append(Take(loader, f"lib/{posixpath.basename(loader)}", RT))
    links.append(Link("usr", "."))
    specs = Text(place_of(told, told.install) + "/specs", _specs(machine, driver, loader))
    return Contents(
        takes=once(takes),
        texts=(specs,),
        links=tuple(dict.fromkeys(links)),
        trials=trials(wanted, static=any(path.endswith("/libc.a") for path in files)),
        runtime=True,
        loads_others=RT,  # a Python that is compiled here takes wheels too
    )


def _check_one(machine: Machine, tools: Mapping[str, str]) -> None:
    """Raise build.host-tool-unsupported for two gccs, by their names or by where their parts are."""
    # spec: build.host-tools.c.one
    versions: dict[str, tuple[str, str]] = {}
    for name, real in sorted(tools.items()):
        match = NAMES.fullmatch(posixpath.basename(real))
        if match is not None:
            versions.setdefault(match["version"] or "", (name, real))
    if len(versions) < 2:
        versions = {}
        for name, real in sorted(tools.items()):
            install, _ = read_search_dirs(machine.ask([real, "-print-search-dirs"]).out)
            versions.setdefault(machine.real(install), (name, real))
    if len(versions) > 1:
        (first, _), (name, real), *_ = versions.values()
        raise unsupported(
            real, f"{name} and {first} belong to different gccs, and an output can contain only one", ONE_EACH
        )


def _language(name: str) -> str:
    match = NAMES.fullmatch(name)
    return _LANGUAGE.get(match["kind"] if match else "", "c")


def _is_cpp(name: str) -> bool:
    match = NAMES.fullmatch(name)
    return match is not None and match["kind"] == "cpp"


def _driver_of(machine: Machine, tools: Mapping[str, str]) -> str:
    """Return the driver for C that belongs to what was asked for: g++-12 and cpp-12 alone need gcc-12 too."""
    for name, real in sorted(tools.items()):
        if _language(name) == "c" and not _is_cpp(name):
            return real
    real = next(iter(tools.values()))
    beside = re.sub(r"(g\+\+|c\+\+|gfortran|cpp)", "gcc", posixpath.basename(real))
    found = posixpath.join(posixpath.dirname(real), beside)
    return machine.real(found) if machine.is_file(found) else real


def ask(machine: Machine, driver: str, languages: Sequence[str]) -> Told:
    """Ask gcc where its parts are. Raises build.host-tool-unsupported, build.host-tool-incomplete."""

    def said(*question: str) -> str:
        return machine.ask([driver, *question]).out.strip()

    parts = []
    for language in languages:
        compiler, files = PARTS[language]
        path = said(f"-print-prog-name={compiler}")
        if not path.startswith("/"):
            raise unsupported(driver, f"its part {compiler} is not there")
        parts.append(path)
        parts += [said(f"-print-file-name={file}") for file in files]
    parts += [said(f"-print-prog-name={program}") for program in PROGRAMS]
    parts += [said(f"-print-file-name={file}") for file in FILES]
    install, libraries = read_search_dirs(said("-print-search-dirs"))
    language = "c++" if "c++" in languages else "c"
    include = read_include(machine.ask([driver, "-E", "-v", "-x", language, "-"]).error)
    headers = headers_in(machine, include)
    own = machine.real(install)
    cut = re.search(r"/lib(?:64|exec)?/gcc/([^/]+)/[^/]+$", own)
    if cut is None:
        raise unsupported(driver, f"its own directory {install} is not where gcc's usually is")
    return Told(
        driver=driver,
        prefix=own[: cut.start()],
        target=cut[1],
        install=own,
        include=tuple(map(normal, include)),
        libraries=tuple(dict.fromkeys(map(normal, libraries))),
        parts=tuple(normal(part) for part in (*parts, *headers) if part.startswith("/")),
        languages=tuple(languages),
    )


def _programs(machine: Machine, told: Told, tools: Mapping[str, str]) -> tuple[list[Take], list[Link]]:
    """Return the drivers and the binutils, in bin, each file once and links for its other names."""
    names = {**names_found(machine, (*BINUTILS, *_COMPANIONS)), **tools}
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


def _specs(machine: Machine, driver: str, loader: str) -> str:
    """Return the file `specs`."""
    # spec: build.host-tools.c.specs
    # Where there is such a file, gcc takes it instead of what it knows itself.
    own = machine.ask([driver, "-dumpspecs"]).out.rstrip("\n")
    dynamic = f"%{{!shared:-dynamic-linker {{rt}}/lib/{posixpath.basename(loader)}}}"
    search = "-rpath {rt}/lib %{fsanitize=*:-rpath {out}/lib/sanitizers} --disable-new-dtags"
    # A gcc that was not configured with a sysroot does not pass it on to the linker.
    link = f"--sysroot=%R --build-id=none %{{!r:%{{!static:%{{!static-pie:{dynamic} {search}}}}}}}"
    return (
        f"{own}\n\n"
        f"*self_spec:\n+ %{{!-sysroot=*:--sysroot={{out}}}} -ffile-prefix-map={{out}}=/toolchain {_DEBUG} "
        f"{whole_names(machine, driver)}\n\n"
        f"*link:\n+ {link}\n\n"
    )
