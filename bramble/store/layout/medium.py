"""The file system of a store: which it is, and whether it can do what a store needs.

What it is called decides nothing: everything that matters is tried, in a private
directory of the store. The name tells what cannot be tried: what a crash, another machine or
the end of a container leaves of it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable

from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.store.locks.advisory import LockFile

NETWORKS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs"}
)
MEMORY = frozenset({"tmpfs", "ramfs"})
LAYERS = frozenset({"overlay", "aufs", "unionfs"})


@dataclass(frozen=True)
class Medium:
    """What was found: `kind` as the kernel calls it, `options` of the mount, and what it cannot do.

    `lacks` are of "execution", "links", "hard links", "case", "modes", "names", "locks".
    """

    kind: str
    options: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def mount_of(path: str, mountinfo: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind and the options of the file system at `path`; `mountinfo` is proc_pid_mountinfo(5).

    `path` is absolute and holds no link. Of mounts on one place the last one counts.
    """
    best, found = -1, ("unknown", ())
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if len(fields) > 5 and kinds[0]:
            point = unescaped(fields[4])
            inside = path == point or path.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= best:
                best, found = len(point), (kinds[0], tuple(fields[5].split(",")))  # type: ignore[assignment]
    return found


def unescaped(text: str) -> str:
    r"""Return a path of mountinfo, where blanks and others are written as three octal digits: `\040`."""
    raw = re.sub(rb"\\([0-7]{3})", lambda match: bytes((int(match[1], 8) & 255,)), os.fsencode(text))
    return os.fsdecode(raw)


def examine(directory: str, mountinfo: str) -> Medium:
    """Return what the file system of `directory` is and lacks; it is private, empty, and is filled."""
    kind, options = mount_of(os.path.realpath(directory), mountinfo)
    return Medium(kind, options, tuple(what for what, can in TRIALS.items() if not succeeds(can, directory)))


def succeeds(trial: Callable[[str], bool], directory: str) -> bool:
    """Return whether a trial does what it should; a system call that is refused is an answer, too."""
    with contextlib.suppress(OSError, BrambleError):
        return trial(directory)
    return False


def _execution(directory: str) -> bool:
    return not os.statvfs(directory).f_flag & os.ST_NOEXEC


def _links(directory: str) -> bool:
    target = "x" * 200
    os.symlink(target, f"{directory}/link")
    return os.readlink(f"{directory}/link") == target


def _hard_links(directory: str) -> bool:
    _make(f"{directory}/hard")
    os.link(f"{directory}/hard", f"{directory}/harder")
    return os.stat(f"{directory}/hard").st_nlink > 1


def _case(directory: str) -> bool:
    _make(f"{directory}/case")
    return not os.path.exists(f"{directory}/CASE")


def _modes(directory: str) -> bool:
    path = f"{directory}/mode"
    _make(path)
    seen = []
    for mode in (0o444, 0o555):
        os.chmod(path, mode)
        seen.append(os.stat(path).st_mode & 0o777)
    return seen == [0o444, 0o555]


def _names(directory: str) -> bool:
    # Any bytes but "/" and NUL; and two ways to write one letter are two names.
    names = [b"\xff\xfe", b"a:b*c?", "\u00e9".encode(), "e\u0301".encode(), b" end. "]
    below = os.fsencode(directory) + b"/names"
    os.mkdir(below)
    for name in names:
        _make(below + b"/" + name)
    return sorted(os.listdir(below)) == sorted(names)


def _locks(directory: str) -> bool:
    path = f"{directory}/lock"
    first = LockFile(path)
    try:
        second = LockFile(path)
        try:
            return first.try_exclusive("a") and not second.try_exclusive("a")
        finally:
            second.close()
    finally:
        first.close()


def _make(path: str | bytes) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))


TRIALS: dict[str, Callable[[str], bool]] = {
    "execution": _execution,
    "links": _links,
    "hard links": _hard_links,
    "case": _case,
    "modes": _modes,
    "names": _names,
    "locks": _locks,
}
