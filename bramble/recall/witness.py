"""Witnesses: what is to be compared to know that nothing has changed, and comparing it.

A witness is three texts: its kind, a path, and what was found there.

    stamp  everything that lstat(2) says: the same content, entries or target
    names  the stamp of a directory and a fingerprint of the names and types in it: with another stamp it is
           read again, since most that is done in a directory leaves the same names
    place  device, inode, mode and owner: the same directory, whatever is in it by now
    kind   the type of the file
    way    where the path leads when all symbolic links are followed
    bytes  the stamp and the SHA-256 of a regular file: with another stamp, but the same owner, mode and size,
           it is read again, since a file that was only touched, or written as it was, is the same
    table  a directory and the stamps of files in it that are only ever replaced, never written to:
           while the directory has its stamp, they need not be looked at

"" is found where nothing is. A path of any bytes but NUL can be a witness's, so NUL separates the texts.
"""

from __future__ import annotations

import os
import stat as modes

from bramble.recall.kept import fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Hash(Protocol):
        """A hash of `hashlib` that is being fed."""

        def update(self, data: bytes, /) -> None:
            """Feed it."""

        def hexdigest(self) -> str:
            """Return the digest."""


STAMP, NAMES, PLACE, KIND, WAY, TABLE, BYTES = "s", "n", "p", "k", "w", "t", "b"
SEPARATOR = "\0"
# More than that is not read to see that it is the same: a complete run need not read it twice.
_MOST_READ, _MOST_BYTES_READ = 64, 64 << 20
# File systems count time in steps: those of the kernel's clock (4 or 10 ms), or whole seconds or two.
_STEP, _COARSE_STEP = 50 * 10**6, 2 * 10**9


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


def settled(found: os.stat_result, moment: int) -> bool:
    """Return whether something was changed so long before a moment that no later change has the same time.

    `moment` is in nanoseconds since 1970.
    """
    # spec: recall.settled
    changed, modified = found.st_ctime_ns, found.st_mtime_ns
    step = _STEP if changed % 10**9 or modified % 10**9 else _COARSE_STEP
    return max(changed, modified) < moment - step


def look(path: str) -> os.stat_result | None:
    """Return what lstat(2) finds; None if nothing is. Raises OSError if that cannot be known."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def names_in(directory: str) -> str:
    """Return a fingerprint of the names and types of what a directory holds; "" if it cannot be read."""
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


def bytes_value(stamp: str, sha256: str) -> str:
    """Return the value of a witness for the bytes of a file; `sha256` is in hexadecimal."""
    return f"{stamp}\n{sha256}"


def all_hold(text: str, new_sha256: Callable[[], Hash] | None = None) -> bool:
    """Return whether every witness of a record says what is so now; what cannot be read does not hold."""
    return renewed(text, 0, new_sha256) is not None


def renewed(text: str, moment: int, new_sha256: Callable[[], Hash] | None) -> str | None:
    """Return the witnesses with the stamps of now if every one of them holds, None if one does not.

    A stamp that was not settled at `moment`, in nanoseconds since 1970, stays as it was. What cannot be
    looked at does not hold. `new_sha256` gives an empty hash, which takes long to load and is seldom needed;
    with None a file of another stamp is another file.
    """
    # spec: recall.hold
    fields = text.split(SEPARATOR)
    each = iter(fields)
    touched = []
    try:
        for at, (kind, path, known) in enumerate(zip(each, each, each)):
            if kind == BYTES:
                found = os.lstat(path)
                if not known.startswith(stamp_of(found) + "\n"):
                    touched.append((3 * at + 2, path, found, known))
            elif kind == TABLE:
                if not _table_holds(path, known):
                    return None
            elif kind == NAMES:
                stamp, _, names = known.partition("\n")
                if value(STAMP, path) != stamp and names_in(path) != names:
                    return None
            elif value(kind, path) != known:
                return None
        if not touched:
            return text
        if (
            new_sha256 is None
            or len(touched) > _MOST_READ
            or sum(found.st_size for _, _, found, _ in touched) > _MOST_BYTES_READ
        ):
            return None
        # Last, as all else takes no reading.
        for at, path, found, known in touched:
            if not _is_same(path, found, known, new_sha256()):
                return None
            if settled(found, moment):
                fields[at] = bytes_value(stamp_of(found), known.partition("\n")[2])
    except (OSError, ValueError, KeyError):
        return None
    return SEPARATOR.join(fields)


def _is_same(path: str, found: os.stat_result, known: str, hashed: Hash) -> bool:
    """Return whether a file of another stamp than before is the same, and stands still while it is read."""
    before, _, sha256 = known.partition("\n")
    if not modes.S_ISREG(found.st_mode) or _unmoved(stamp_of(found)) != _unmoved(before):
        return False
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0) as file:
        if stamp_of(os.fstat(handle)) != stamp_of(found):
            return False
        while block := file.read(1 << 20):
            hashed.update(block)
        return stamp_of(os.fstat(handle)) == stamp_of(found) and hashed.hexdigest() == sha256


def _unmoved(stamp: str) -> list[str]:
    """Return what of a stamp stays when a file is touched, or replaced by its like: not inode and times."""
    device, _, *others = stamp.split(" ")
    return [device, *others[:-2]]


def _table_holds(directory: str, known: str) -> bool:
    stamp, *files = known.split("\n")
    if value(STAMP, directory) == stamp:
        return True
    for file in files:
        name, _, before = file.partition(" ")
        if value(STAMP, f"{directory}/{name}") != before:
            return False
    return True
