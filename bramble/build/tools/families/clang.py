"""clang for C and C++: the driver with its own headers, and the same parts of a toolchain as for gcc.

clang has no file `specs`. What it has to know is in configuration files (clang documentation,
"Configuration files"), and a script in `bin` names one of them: newer ones look for a file by themselves,
and older ones do not. The script chooses too, since what is linked statically has no loader.

    bin/clang, bin/clang++     the scripts
    lib/llvm/bin               clang, and links to the linkers, where it looks for them first
    lib/llvm/lib/clang/14.0.6  its headers and its own runtime libraries (-print-resource-dir)
    lib/gcc, include, …        as for gcc (`c_parts`)
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from bramble.build.tools.contents import RT, Contents, Link, Take, Text
from bramble.build.tools.distribution import how_to_install
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
from bramble.build.tools.families.c_whole import not_expanded
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, names_found, tree
from bramble.errors import BrambleError

_NAMES = re.compile(r"(?P<kind>clang(?:\+\+|-cl|-cpp)?|flang(?:-new)?)(?:-(?P<version>[0-9.]+))?")
_SELECTED = re.compile(r"^Selected GCC installation: (.+)$", re.MULTILINE)
_TOP = "lib/llvm"
_DRIVER = f"{_TOP}/bin/clang"
_COMPANIONS = ("llvm-ar", "llvm-nm", "llvm-ranlib", "ld.lld")
_LINKERS = ("ld", "ld.bfd", "ld.gold", "ld.lld", "as", "llvm-ar")
_GOLD = "LLVMgold.so"
# Its runtime libraries for other processors than its own have the name of the processor in theirs.
_I386 = re.compile(r"-i[3-6]86\.")
# `-cc1` and its relatives have to come first.
_SCRIPT = """\
case $1 in -cc1*) exec {driver} "$@" ;; esac
case " $* " in
*" -static "* | *" --static "* | *" -static-pie "* | *" -r "*) how=static ;;
*) how=dynamic ;;
esac
exec {driver} --config {{out}}/{top}/$how.cfg "$@"
"""


def is_clang(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is a driver of clang, also where it is called cc or c++."""
    return any(_NAMES.fullmatch(one) is not None for one in (name, posixpath.basename(real)))


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return what the drivers bring. `tools` maps the names that were asked for to real paths.

    Raises build.host-tool-unsupported, build.host-tool-incomplete.
    """
    # spec: build.host-tools.clang
    driver = _one(machine, tools)
    kinds = {_kind(name) for name in tools} | {"clang"}
    languages = ("c", "c++") if "clang++" in kinds else ("c",)
    told = ask(machine, driver, languages)
    check_complete(machine, told)
    loader = loader_of(machine, driver)
    files = tuple(path for path in files_wanted(machine, told) if posixpath.basename(path) not in _OF_GCC)
    takes = [Take(driver, _DRIVER, program=True), Take(loader, f"lib/{posixpath.basename(loader)}", RT)]
    links = [Link("usr", ".")]
    for path in files:
        more, shared = library(machine, told, path, place_of(told, path))
        takes += more
        links += shared
    resources = machine.ask([driver, "-print-resource-dir"]).out.strip()
    own = f"{_TOP}/lib/clang/{posixpath.basename(resources)}"
    takes += [
        Take(path, own + path[len(resources) :])
        for path in tree(machine, resources)
        if told.target.startswith("i") or _I386.search(path) is None
    ]
    gold = f"{posixpath.dirname(driver)}/../lib/{_GOLD}"
    if machine.is_file(gold):
        takes.append(Take(gold, f"{_TOP}/lib/{_GOLD}"))
    programs, more_links = _programs(machine, driver)
    names = {**programs, **tools}
    for kind in sorted(kinds - {"clang"}):
        links.append(Link(f"{_TOP}/bin/{kind}", _DRIVER))
    links += more_links + _names(tools, kinds)
    lto = ((("-flto",),) if machine.is_file(gold) and "ld" in names else ()) + (
        (("-flto", "-fuse-ld=lld"),) if "ld.lld" in names else ()
    )
    return Contents(
        takes=once((*takes, *(Take(path, f"bin/{name}", program=True) for name, path in programs.items()))),
        texts=_texts(kinds, loader, own),
        links=tuple(dict.fromkeys(links)),
        places={driver: "bin/clang"},
        trials=trials(
            languages,
            static=any(path.endswith("/libc.a") for path in files),
            drivers={"c": "clang", "c++": "clang++"},
            lto=lto,
        ),
        runtime=True,
    )


_OF_GCC = frozenset((*(compiler for compiler, _ in PARTS.values()), *PROGRAMS))


def _kind(name: str) -> str:
    match = _NAMES.fullmatch(name)
    if match is None:
        return "clang++" if "++" in name else "clang"
    return match["kind"]


def _one(machine: Machine, tools: Mapping[str, str]) -> str:
    """Return the driver, which has several names. Raises build.host-tool-unsupported for two, or a script."""
    for name, real in sorted(tools.items()):
        if _kind(name) not in ("clang", "clang++", "clang-cpp"):
            raise unsupported(real, "of the drivers of LLVM, only those for C and C++ can be copied")
    first, *others = sorted(set(tools.values()))
    if others:
        raise unsupported(
            others[0], f"{first} is a different clang, and an output can contain only one", ONE_EACH
        )
    refuse_script(machine, first)
    return first


def ask(machine: Machine, driver: str, languages: Sequence[str]) -> Told:
    """Ask clang where the parts are. Raises build.host-tool-unsupported, build.host-tool-incomplete."""

    def said(*question: str) -> str:
        return machine.ask([driver, *question]).out.strip()

    match = _SELECTED.search(machine.ask([driver, "-v"]).error)
    install = machine.real(normal(match[1])) if match is not None else ""
    cut = re.search(r"/lib(?:64|exec)?/gcc/([^/]+)/[^/]+$", install)
    if cut is None:
        remedy = how_to_install(machine, "cc")
        raise BrambleError(
            "build.host-tool-incomplete",
            f"{driver} cannot link a program: it found no libraries of gcc, which it links with",
            remedy=f"install it with `{remedy}`" if remedy else "install gcc",
        )
    wanted = [file for language in languages for file in PARTS[language][1]]
    parts = [said(f"-print-file-name={file}") for file in (*wanted, *FILES)]
    language = "c++" if "c++" in languages else "c"
    own = normal(said("-print-resource-dir"))
    listed = map(normal, read_include(machine.ask([driver, "-E", "-v", "-x", language, "-"]).error))
    include = tuple(path for path in listed if not path.startswith(own + "/"))
    _, libraries = read_search_dirs(said("-print-search-dirs"))
    return Told(
        driver=driver,
        prefix=install[: cut.start()],
        target=cut[1],
        install=install,
        include=include,
        libraries=tuple(dict.fromkeys(path for path in map(normal, libraries) if path != own)),
        parts=tuple(normal(part) for part in (*parts, *headers_in(machine, include)) if part[:1] == "/"),
        languages=tuple(languages),
    )


def _programs(machine: Machine, driver: str) -> tuple[dict[str, str], list[Link]]:
    """Return the programs beside it: of each file one name → its real path, and links for the others."""
    found = dict(names_found(machine, BINUTILS))
    for name in _COMPANIONS:
        beside = f"{posixpath.dirname(driver)}/{name}"
        path = beside if machine.is_file(beside) else machine.find(name)
        if path is not None:
            found[name] = path
    first: dict[str, str] = {}
    links = []
    for name, path in sorted(found.items()):
        real = machine.real(path)
        if machine.head(real)[:2] == b"#!":
            continue
        if first.setdefault(real, name) != name:
            links.append(Link(f"bin/{name}", f"bin/{first[real]}"))
        if name in _LINKERS:
            links.append(Link(f"{_TOP}/bin/{name}", f"bin/{name}"))
    return {name: real for real, name in first.items()}, links


def _names(tools: Mapping[str, str], kinds: set[str]) -> list[Link]:
    """Return links for what else the drivers are called: cc and c++ only where no gcc is."""
    links = [Link(f"bin/{name}", f"bin/{_kind(name)}") for name in sorted(tools) if name not in kinds]
    links.append(Link("bin/cc", "bin/clang", fallback=True))
    if "clang++" in kinds:
        links.append(Link("bin/c++", "bin/clang++", fallback=True))
    return links


def _texts(kinds: set[str], loader: str, resources: str) -> tuple[Text, ...]:
    """Return the scripts and the configuration files."""
    # spec: build.host-tools.clang.settings
    always = [
        "--sysroot={out}",
        "--gcc-toolchain={out}",
        f"-resource-dir={{out}}/{resources}",
        "-ffile-prefix-map={out}=/toolchain",
        # Debugging information would hold the name of the build directory, and have its order from it.
        "-fdebug-compilation-dir=.",
        *not_expanded(),
        "-Wl,--build-id=none",
        # lld would put strings in the order of a hash of each, and names of objects are among them.
        "-Wl,-O0",
    ]
    linked = [
        f"-Wl,-dynamic-linker,{{rt}}/lib/{posixpath.basename(loader)}",
        "-Wl,-rpath,{rt}/lib",
        "-Wl,--disable-new-dtags",
    ]
    scripts = [
        Text(
            f"bin/{kind}",
            _SCRIPT.format(driver=f"{{out}}/{_TOP}/bin/{kind}", top=_TOP),
            executable=True,
            interpreter="sh",
        )
        for kind in sorted(kinds)
    ]
    return (
        *scripts,
        Text(f"{_TOP}/static.cfg", "\n".join([*always, ""])),
        Text(f"{_TOP}/dynamic.cfg", "\n".join([*always, *linked, ""])),
    )
