"""Package managers: who owns a file, and what else is in the package. Pure but for the questions.

Sources: dpkg-query(1), rpm(8), apk(8), pacman(8). The parsers read what these print in the
locale C, and pass over lines that they do not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Callable, Optional

from bramble.build.tools.machine import Machine
from bramble.record import dataclass

_APK_OWNED = re.compile(r"(?P<path>/.*?) (?:symlink target )?is owned by (?P<name>\S+)-[^-\s]+-r[0-9]+")
_PACMAN_OWNED = re.compile(r"(?P<path>/.*?) is owned by (?P<name>\S+) \S+")


@dataclass(frozen=True)
class Manager:
    """How to ask one package manager."""

    program: str  # its name
    owners: tuple[str, ...]  # the command line; the paths follow
    read_owners: Callable[[str], tuple[str, ...]]  # its answer → names of packages
    files: tuple[str, ...]  # the command line; the names of packages follow
    read_files: Callable[[str], tuple[str, ...]]  # its answer → absolute paths
    escape: bool = False  # it takes patterns, not paths


def dpkg_owners(answer: str) -> tuple[str, ...]:
    """Read `dpkg-query -S`: lines `NAME[:ARCH][, NAME…]: PATH`; diversions are passed over."""
    names: dict[str, None] = {}
    for line in answer.splitlines():
        packages, colon, path = line.partition(": ")
        if colon and path.startswith("/") and not packages.startswith("diversion by "):
            names.update((name.strip(), None) for name in packages.split(","))
    return tuple(names)


def dpkg_files(answer: str) -> tuple[str, ...]:
    """Read `dpkg-query -L`: a path a line; what a diversion says is passed over."""
    return tuple(line for line in answer.splitlines() if line.startswith("/") and line != "/.")


def rpm_owners(answer: str) -> tuple[str, ...]:
    """Read `rpm -qf --queryformat "%{NAME}\\n"`: a name a line, and sentences for what nobody owns."""
    return tuple(dict.fromkeys(line for line in answer.splitlines() if line and " " not in line))


def rpm_files(answer: str) -> tuple[str, ...]:
    """Read `rpm -ql`: a path a line, or `(contains no files)`."""
    return tuple(line for line in answer.splitlines() if line.startswith("/"))


def apk_owners(answer: str) -> tuple[str, ...]:
    """Read `apk info --who-owns`: lines `PATH is owned by NAME-VERSION-rRELEASE`."""
    found = (_APK_OWNED.fullmatch(line) for line in answer.splitlines())
    return tuple(dict.fromkeys(match["name"] for match in found if match))


def apk_files(answer: str) -> tuple[str, ...]:
    """Read `apk info -L`: a title `NAME-VERSION contains:`, paths without their first slash, a blank line."""
    lines = (line for line in answer.splitlines() if line and not line.endswith(" contains:"))
    return tuple("/" + line for line in lines)


def pacman_owners(answer: str) -> tuple[str, ...]:
    """Read `pacman -Qo`: lines `PATH is owned by NAME VERSION`."""
    found = (_PACMAN_OWNED.fullmatch(line) for line in answer.splitlines())
    return tuple(dict.fromkeys(match["name"] for match in found if match))


def pacman_files(answer: str) -> tuple[str, ...]:
    """Read `pacman -Ql`: lines `NAME PATH`, where a directory ends in a slash."""
    paths = (line.partition(" ")[2] for line in answer.splitlines())
    return tuple(path for path in paths if path.startswith("/") and not path.endswith("/"))


MANAGERS = (
    Manager("dpkg-query", ("dpkg-query", "-S"), dpkg_owners, ("dpkg-query", "-L"), dpkg_files, escape=True),
    Manager("rpm", ("rpm", "-qf", "--queryformat", "%{NAME}\\n"), rpm_owners, ("rpm", "-ql"), rpm_files),
    Manager("apk", ("apk", "info", "--who-owns"), apk_owners, ("apk", "info", "-L"), apk_files),
    Manager("pacman", ("pacman", "-Qo"), pacman_owners, ("pacman", "-Ql"), pacman_files),
)
_PATTERN = re.compile(r"([\[\]*?\\])")


def owners(machine: Machine, paths: Iterable[str]) -> Optional[tuple[str, ...]]:
    """Return the packages that own some of `paths`; None on a machine without a package manager.

    Each path is asked for as it is, with its links followed, and with and without the `/usr`
    that a merged /usr adds in front: packages list a file under one of these.
    """
    asked = _asked(machine)
    if asked is None:
        return None
    manager, program = asked
    forms: dict[str, None] = {}
    for path in paths:
        for form in (path, machine.real(path)):
            forms[form] = None
            forms[form[len("/usr") :] if form.startswith("/usr/") else "/usr" + form] = None
    given = [_PATTERN.sub(r"\\\1", form) if manager.escape else form for form in forms]
    return manager.read_owners(machine.ask([program, *manager.owners[1:], *given]).out)


def files_of(machine: Machine, packages: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of all that is in these packages, directories too where the manager lists them."""
    asked = _asked(machine)
    if asked is None or not packages:
        return ()
    manager, program = asked
    return manager.read_files(machine.ask([program, *manager.files[1:], *packages]).out)


def _asked(machine: Machine) -> Optional[tuple[Manager, str]]:
    for manager in MANAGERS:
        program = machine.find(manager.program)
        if program is not None:
            return manager, program
    return None
