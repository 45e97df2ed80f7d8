"""The copy in the cache: complete under its name, or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
import time

from bramble.self.boot import is_guarded, is_private, is_whole, manifest
from bramble.self.payload import read_archive

# Of every file, whenever it was unpacked: bytecode of one copy fits every other copy of the same source.
_MODIFIED = 315532800  # 1980-01-01, as in the archive
UNFINISHED = ".unpack-"  # begins the name of a copy that is being made
_STALE = 3600  # seconds


def unpack(archive: bytes, copy: str) -> bool:
    """Lay out an archive as the directory `copy`, for this user alone; return whether that was possible.

    An incomplete copy is replaced. If several processes do this at the same time, one wins,
    and all use its copy. A failure, such as a full disk, leaves nothing behind and is not an error.
    """
    # spec: self.file.cache
    cache = os.path.dirname(copy)
    made = ""
    umask = os.umask(0o077)
    try:
        # Root makes nothing in another's home, where its owner would be kept from it.
        if not (is_private(cache) if os.path.lexists(cache) else is_guarded(_nearest(cache))):
            return False
        os.makedirs(cache, exist_ok=True)
        _remove_stale(cache)
        made = tempfile.mkdtemp(prefix=UNFINISHED, dir=cache)
        _lay_out(archive, made)
        return _published(made, copy)
    except OSError:
        return False
    finally:
        os.umask(umask)
        if made:
            shutil.rmtree(made, ignore_errors=True)


def _nearest(directory: str) -> str:
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return directory


def _remove_stale(cache: str) -> None:
    """Remove what processes have left that were killed while they unpacked."""
    with os.scandir(cache) as entries:
        stale = [
            entry.path
            for entry in entries
            if entry.name.startswith(UNFINISHED)
            and entry.stat(follow_symlinks=False).st_mtime < time.time() - _STALE
        ]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)


def _lay_out(archive: bytes, directory: str) -> None:
    for name, data in read_archive(archive).items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)
        os.chmod(path, 0o444)
        os.utime(path, (_MODIFIED, _MODIFIED))
    with open(os.path.join(directory, "manifest"), "x", encoding="utf-8") as file:
        file.write(manifest(directory))


def _published(made: str, copy: str) -> bool:
    """Give a complete copy its name, and tell whether a whole one has it now, this or another's."""
    try:
        os.rename(made, copy)
    except OSError:
        if is_whole(copy):
            return True
        # Changed since, or not ours: it is put aside. Its name is free for a moment only, because others
        # may be running from it.
        aside = f"{made}-aside"
        os.rename(copy, aside)
        try:
            os.rename(made, copy)
        finally:
            if os.path.isdir(aside) and not os.path.islink(aside):
                shutil.rmtree(aside, ignore_errors=True)
            else:
                os.unlink(aside)
    return is_whole(copy)
