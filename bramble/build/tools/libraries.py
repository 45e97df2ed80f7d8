"""Which libraries a program of this machine loads, according to its loader."""

from __future__ import annotations

import os
import subprocess

from bramble.build.tools.elf import Elf
from bramble.errors import BrambleError
from bramble.record import dataclass

_SECONDS = 60  # for the loader to answer, which it does in milliseconds
# Loaded by glibc itself at run time, so no program names them: to end a thread, and, before
# glibc 2.34, to look up users and hosts.
_LOADED_BY_GLIBC = ("libgcc_s.so.1",)
_LOADED_BY_OLD_GLIBC = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
# What wheels for any Linux may name without bringing it (PEP 599, PEP 600), of the C and C++ libraries. Since
# glibc 2.34 several are empty, so that no program of the machine needs them.
_OF_WHEELS = (
    *("libpthread.so.0", "libdl.so.2", "libm.so.6", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libnsl.so.1", "libstdc++.so.6"),
)
_FILES_WITHIN = b"_nss_files_getpwnam_r"
GLIBC = "libc.so.6"


@dataclass(frozen=True)
class Loaded:
    """One library that the loader would load."""

    name: str  # as the program names it; with a slash when it does so by path
    path: str  # where the loader finds it; "" when it does not


def loaded_by(loader: str, program: str, search: str = "") -> tuple[Loaded, ...]:
    """Return what `loader`, a path, loads to start the program or library at the path `program`.

    `search` are directories, with colons between, in which the program that loads a library looks.

    Nothing of the program is run (ld.so(8), --list; musl understands it too).
    The loader itself and what the kernel provides are not among them. Raises
    build.host-tool-unsupported when the loader gives no answer.
    """
    # spec: build.host-tools.libraries
    try:
        answer = subprocess.run(
            [loader, *(("--library-path", search) if search else ()), "--list", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            cwd="/",
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise unsupported(program, f"its loader {loader} does not answer: {error}") from error
    text = answer.stdout.decode("utf-8", "surrogateescape")
    found = parse_list(text, os.path.basename(loader))
    if answer.returncode and not any(not library.path for library in found):
        said = answer.stderr.decode("utf-8", "replace").strip()
        raise unsupported(program, f"its loader says: {said or 'nothing'}")
    return found


def parse_list(text: str, loader_name: str) -> tuple[Loaded, ...]:
    """Return the libraries in the output of `ld.so --list`; of the two forms of a line

    NAME => PATH (ADDRESS)        PATH (ADDRESS)
    """
    found = []
    for line in text.splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        path = (rest if arrow else name).rpartition(" (")[0] or (rest if arrow else "")
        if path == "not found":
            path = ""
        elif not path.startswith("/"):
            continue  # of the kernel, or "statically linked"
        if not arrow:
            name = path
        # musl is loader and library in one file.
        if os.path.basename(name) != loader_name and os.path.basename(path) != loader_name:
            found.append(Loaded(name, path))
    return tuple(found)


def loaded_later(elf_of_libc: Elf, libc: bytes, libc_path: str) -> tuple[Loaded, ...]:
    """Return the libraries that this glibc may load while a program runs, as far as they are there."""
    names: tuple[str, ...] = _LOADED_BY_GLIBC
    if elf_of_libc.soname == GLIBC and _FILES_WITHIN not in libc:
        names += _LOADED_BY_OLD_GLIBC
    return _beside(libc_path, names)


def loaded_by_others(libc_path: str) -> tuple[Loaded, ...]:
    """Return the libraries that modules in machine code of other people rely on, as far as they are there."""
    # spec: build.host-tools.libraries.others
    return _beside(libc_path, _OF_WHEELS)


def _beside(libc_path: str, names: tuple[str, ...]) -> tuple[Loaded, ...]:
    places = [os.path.dirname(libc_path), os.path.dirname(os.path.realpath(libc_path))]
    places += ["/usr" + place for place in places if not place.startswith("/usr/")]
    found = []
    for name in names:
        for place in places:
            path = f"{place}/{name}"
            if os.path.isfile(path):
                found.append(Loaded(name, path))
                break
    return tuple(found)


def unsupported(program: str, why: str, remedy: str = "") -> BrambleError:
    """Return the error for a program that cannot be taken along."""
    return BrambleError(
        "build.host-tool-unsupported",
        f"{program} cannot be taken into an output: {why}",
        remedy=remedy or "remove it from tools, or fetch a statically linked one with fetch_url",
    )


def needed_by(error: BrambleError, script: str) -> BrambleError:
    """Return the error for the interpreter of a script, which says whose it is."""
    return BrambleError(error.code, f"{error.message} (the interpreter of {script})", remedy=error.remedy)
