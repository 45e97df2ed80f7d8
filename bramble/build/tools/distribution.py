"""What to install where something is missing: the command of this distribution, and its name of the package.

Source: os-release(5). Pure but for reading that file through the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional, Protocol


class Files(Protocol):
    """What is asked of a machine here. Paths are absolute."""

    def is_file(self, path: str) -> bool:
        """Return whether a file is there, perhaps by way of links."""

    def text(self, path: str) -> str:
        """Return the content of a file; "" if it is not text."""


_FILES = ("/etc/os-release", "/usr/lib/os-release")
# ID or ID_LIKE → (column of the table, command)
_COMMANDS = {
    "debian": (0, "apt install"),
    "ubuntu": (0, "apt install"),
    "fedora": (1, "dnf install"),
    "rhel": (1, "dnf install"),
    "centos": (1, "dnf install"),
    "alpine": (2, "apk add"),
    "arch": (3, "pacman -S"),
    "suse": (1, "zypper install"),
    "opensuse": (1, "zypper install"),
}
# Program, or part of a toolchain → package of Debian, Fedora, Alpine, Arch. "" is a name that is not known.
_PACKAGES: Mapping[str, tuple[str, str, str, str]] = {
    "libc headers": ("libc6-dev", "glibc-devel", "musl-dev", "glibc"),
    "kernel headers": ("linux-libc-dev", "kernel-headers", "linux-headers", "linux-api-headers"),
    "libstdc++ headers": ("g++", "libstdc++-devel", "g++", "gcc"),
    "ar": ("binutils", "binutils", "binutils", "binutils"),
    "as": ("binutils", "binutils", "binutils", "binutils"),
    "autoconf": ("autoconf", "autoconf", "autoconf", "autoconf"),
    "autom4te": ("autoconf", "autoconf", "autoconf", "autoconf"),
    "autoreconf": ("autoconf", "autoconf", "autoconf", "autoconf"),
    "autopoint": ("autopoint", "gettext-devel", "gettext-dev", "gettext"),
    "automake": ("automake", "automake", "automake", "automake"),
    "aclocal": ("automake", "automake", "automake", "automake"),
    "awk": ("gawk", "gawk", "gawk", "gawk"),
    "bison": ("bison", "bison", "bison", "bison"),
    "bzip2": ("bzip2", "bzip2", "bzip2", "bzip2"),
    "c++": ("g++", "gcc-c++", "g++", "gcc"),
    "cargo": ("cargo", "cargo", "cargo", "rust"),
    "cc": ("gcc", "gcc", "gcc", "gcc"),
    "clang": ("clang", "clang", "clang", "clang"),
    "cmake": ("cmake", "cmake", "cmake", "cmake"),
    "cmp": ("diffutils", "diffutils", "diffutils", "diffutils"),
    "diff": ("diffutils", "diffutils", "diffutils", "diffutils"),
    "file": ("file", "file", "file", "file"),
    "find": ("findutils", "findutils", "findutils", "findutils"),
    "flex": ("flex", "flex", "flex", "flex"),
    "g++": ("g++", "gcc-c++", "g++", "gcc"),
    "gawk": ("gawk", "gawk", "gawk", "gawk"),
    "gcc": ("gcc", "gcc", "gcc", "gcc"),
    "gfortran": ("gfortran", "gcc-gfortran", "gfortran", "gcc-fortran"),
    "git": ("git", "git", "git", "git"),
    "go": ("golang-go", "golang", "go", "go"),
    "gzip": ("gzip", "gzip", "gzip", "gzip"),
    "java": ("default-jre", "java-latest-openjdk", "openjdk17-jre", "jre-openjdk"),
    "ld": ("binutils", "binutils", "binutils", "binutils"),
    "libtool": ("libtool-bin", "libtool", "libtool", "libtool"),
    "libtoolize": ("libtool", "libtool", "libtool", "libtool"),
    "m4": ("m4", "m4", "m4", "m4"),
    "make": ("make", "make", "make", "make"),
    "makeinfo": ("texinfo", "texinfo", "texinfo", "texinfo"),
    "meson": ("meson", "meson", "meson", "meson"),
    "msgfmt": ("gettext", "gettext", "gettext", "gettext"),
    "ninja": ("ninja-build", "ninja-build", "ninja", "ninja"),
    "node": ("nodejs", "nodejs", "nodejs", "nodejs"),
    "npm": ("npm", "npm", "npm", "npm"),
    "npx": ("npm", "npm", "npm", "npm"),
    "patch": ("patch", "patch", "patch", "patch"),
    "perl": ("perl", "perl", "perl", "perl"),
    "pip3": ("python3-pip", "python3-pip", "py3-pip", "python-pip"),
    "pkg-config": ("pkg-config", "pkgconf-pkg-config", "pkgconf", "pkgconf"),
    "python3": ("python3", "python3", "python3", "python"),
    "ruby": ("ruby", "ruby", "ruby", "ruby"),
    "rustc": ("rustc", "rust", "rust", "rust"),
    "sed": ("sed", "sed", "sed", "sed"),
    "strip": ("binutils", "binutils", "binutils", "binutils"),
    "tar": ("tar", "tar", "tar", "tar"),
    "tclsh": ("tcl", "tcl", "tcl", "tcl"),
    "unzip": ("unzip", "unzip", "unzip", "unzip"),
    "xz": ("xz-utils", "xz", "xz", "xz"),
    "zip": ("zip", "zip", "zip", "zip"),
    "zstd": ("zstd", "zstd", "zstd", "zstd"),
}


def read_os_release(text: str) -> tuple[str, ...]:
    """Return the names of the distribution, its own first, then those that it is like."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            values[name.strip()] = value.strip().strip("\"'")
    return tuple(name for key in ("ID", "ID_LIKE") for name in values.get(key, "").split())


def how_to_install(machine: Files, what: str) -> Optional[str]:
    """Return the command that installs a program or a part, "apt install bison"; None if not known."""
    # spec: build.host-tools.remedy
    row = _PACKAGES.get(what)
    text = next((machine.text(path) for path in _FILES if machine.is_file(path)), "")
    for name in read_os_release(text):
        known = _COMMANDS.get(name.partition("-")[0])
        if known is not None:
            column, command = known
            return f"{command} {row[column]}" if row is not None else None
    return None
