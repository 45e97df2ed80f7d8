"""The files of a project that decide what is built and run next: a program gets them read-only.

A mount holds what is there when the program starts. What a mount cannot hold (a
file that did not exist, a directory above that is renamed) is seen afterwards.
"""

from __future__ import annotations

import contextlib
import os
import stat

from bramble.project.access import read_file
from bramble.project.names import CONFIG_NAME, LOCK_NAME, SUFFIX, VENDOR_NAME, VENDOR_PROGRAM
from bramble.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAMES = (".git", CONFIG_NAME, LOCK_NAME, VENDOR_NAME)
_Stamp = tuple[int, int, int, int]


class Guarded(NamedTuple):
    """Absolute path → its state; those in `solid` are not symbolic links; targets of links are included."""

    stamps: Mapping[str, _Stamp] = {}
    solid: tuple[str, ...] = ()


def guarded(root: str) -> Guarded:
    """Find `.git`, `bramble.toml`, `bramble.lock` and modules below `root`; no link, no `.git` is entered.

    So are the manifest of a vendor directory, and the Bramble in it, which people start. What one of them
    refers to counts as well, if it is in `root`: the target of a link, and the directory that a file `.git`
    names (gitrepository-layout(5)).
    """
    # spec: cli.run.guarded
    stamps: dict[str, _Stamp] = {}
    solid = []
    stands_for = []
    waiting = [root]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as scanned:
                entries = list(scanned)
        except OSError:
            continue
        vendored = any(entry.name == VENDOR_NAME for entry in entries)
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            is_program = vendored and entry.name == VENDOR_PROGRAM
            if is_program or entry.name in _NAMES or entry.name.endswith(SUFFIX):
                stamps[entry.path] = _stamp(status)
                if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                    solid.append(entry.path)
                stands_for.append(entry.path)
            elif stat.S_ISDIR(status.st_mode):
                waiting.append(entry.path)
    for path in stands_for:
        for meant in _meant(path):
            if meant.startswith(root.rstrip("/") + "/") and meant not in stamps:
                with contextlib.suppress(OSError):
                    stamps[meant] = _stamp(os.lstat(meant))
                    solid.append(meant)
    return Guarded(stamps, tuple(sorted(solid)))


def _meant(path: str) -> Iterator[str]:
    """Yield what a guarded path leads to, without links, and the repository that it names."""
    real = os.path.realpath(path)
    repository = os.path.basename(path) == ".git"
    if os.path.islink(path) and (os.path.isfile(real) or (repository and os.path.isdir(real))):
        yield real
    if repository and os.path.isfile(real):
        with contextlib.suppress(OSError, ValueError):
            text = os.fsdecode(read_file(os.path.dirname(real), os.path.basename(real)))
            key, _, named = text.partition("gitdir:")
            elsewhere = os.path.realpath(os.path.join(os.path.dirname(real), named.strip()))
            if not key and os.path.isdir(elsewhere):
                yield elsewhere


def _stamp(status: os.stat_result) -> _Stamp:
    # What is done in a directory changes its times, git's own work as well; a file's change is a change.
    if stat.S_ISDIR(status.st_mode):
        return status.st_dev, status.st_ino, 0, 0
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def changed(before: Guarded, after: Guarded) -> tuple[str, ...]:
    """Return the paths that are new, gone or other than before, sorted."""
    paths = {*before.stamps, *after.stamps}
    return tuple(sorted(path for path in paths if before.stamps.get(path) != after.stamps.get(path)))
