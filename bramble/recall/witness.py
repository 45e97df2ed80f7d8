"""Witnesses: what is to be compared to know that nothing has changed, and comparing it.

A witness is three texts: its kind, a path, and what was found there.

    stamp  everything that lstat(2) says: the same content, entries or target
    names  the stamp of a directory and a fingerprint of the names and types in it: with another stamp it is
           read again, since most that is done in a directory leaves the same names
    place  device, inode, mode and owner: the same directory, whatever is in it by now
    kind   the type of the file
    way    where the path leads when all symbolic links are followed
    table  a directory and the stamps of files in it that are only ever replaced, never written to:
           while the directory has its stamp, they need not be looked at

"" is found where nothing is. A path of any bytes but NUL can be a witness's, so NUL separates the texts.
"""

from __future__ import annotations

import os
import stat as modes

from bramble.recall.kept import fingerprint

STAMP, NAMES, PLACE, KIND, WAY, TABLE = "s", "n", "p", "k", "w", "t"
SEPARATOR = "\0"


def stamp_of(found: os.stat_result) -> str:
    """Return the stamp of what lstat(2) found."""
    return (
        f"{found.st_dev} {found.st_ino} {found.st_mode} {found.st_uid} {found.st_gid} {found.st_size} "
        f"{found.st_mtime_ns} {found.st_ctime_ns}"
    )


def place_of(found: os.stat_result) -> str:
    """Return what says that it is the same directory."""
    return f"{found.st_dev} {found.st_ino} {found.st_mode} {found.st_uid} {found.st_gid}"


def kind_of(found: os.stat_result) -> str:
    """Return the type of what lstat(2) found."""
    return str(modes.S_IFMT(found.st_mode))


_OF_STATUS = {STAMP: stamp_of, PLACE: place_of, KIND: kind_of}


def look(path: str) -> os.stat_result | None:
    """Return what lstat(2) finds; None where nothing is. Raises OSError where that cannot be known."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def names_in(directory: str) -> str:
    """Return a fingerprint of the names and types of what a directory holds; "" where it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            found = sorted(f"{entry.name}/{_letter(entry)}" for entry in entries)
    except OSError:
        return ""
    return fingerprint(os.fsencode("/".join(found)))


def _letter(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "l"
    if entry.is_dir(follow_symlinks=False):
        return "d"
    return "f" if entry.is_file(follow_symlinks=False) else "o"


def value(kind: str, path: str) -> str:
    """Return what a witness of this kind would say of `path` now; not for tables and names."""
    if kind == WAY:
        return os.path.realpath(path)
    found = look(path)
    return "" if found is None else _OF_STATUS[kind](found)


def table(stamp: str, files: list[tuple[str, str]]) -> str:
    """Return the text of a table: the stamp of its directory, and names with stamps."""
    return "\n".join((stamp, *(f"{name} {text}" for name, text in files)))


def all_hold(text: str) -> bool:
    """Say whether every witness of a record says what is so now; what cannot be looked at does not hold."""
    # spec: recall.hold
    fields = iter(text.split(SEPARATOR))
    try:
        for kind, path, known in zip(fields, fields, fields):
            if kind == TABLE:
                if not _table_holds(path, known):
                    return False
            elif kind == NAMES:
                stamp, _, names = known.partition("\n")
                if value(STAMP, path) != stamp and names_in(path) != names:
                    return False
            elif value(kind, path) != known:
                return False
    except (OSError, ValueError, KeyError):
        return False
    return True


def _table_holds(directory: str, known: str) -> bool:
    stamp, *files = known.split("\n")
    if value(STAMP, directory) == stamp:
        return True
    for file in files:
        name, _, before = file.partition(" ")
        if value(STAMP, f"{directory}/{name}") != before:
            return False
    return True
