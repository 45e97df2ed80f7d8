"""The archive of the one file, a zip that is a function of names and bytes; the digest of a source."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping

from bramble.store.digest import digest

# Where the archive begins in the file. Its offsets count from the file's beginning, as zip tools expect.
START = 16384

# What `python3 FILE` looks for; no file of a source has this path.
MAIN = "__main__.py"
_MAIN_FROM = "bramble/self/main.py"

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can express
_FILE = 0o100644 << 16
_UNIX = 3


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return the zip of a source, path to bytes, and of `__main__.py`: stored, sorted, of one date and mode.

    Nothing is compressed: the output of a compressor depends on its version.
    """
    # spec: self.file.archive
    members = {**files, MAIN: files[_MAIN_FROM]} if _MAIN_FROM in files else files
    return archive_of(((name, members[name]) for name in sorted(members, key=str.encode)), START)


def archive_of(members: Iterable[tuple[str, bytes]], start: int = 0) -> bytes:
    """Return the zip of members, path and bytes, in this order, for a file in which it begins at `start`."""
    made = io.BytesIO()
    made.seek(start)
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as out:
        for name, data in members:
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = _UNIX
            entry.external_attr = _FILE
            out.writestr(entry, data)
    return made.getvalue()[start:]


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return the source in a zip that `archive` made. Raises ValueError for other bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(bytes(START) + data)) as file:
            return {name: file.read(name) for name in file.namelist() if name != MAIN}
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
        raise ValueError(str(error)) from error


def source_digest(files: Mapping[str, bytes]) -> str:
    """Return the digest that names a source: that of its archive (32 characters, as `objects.digest`)."""
    # spec: self.digest
    return digest(archive(files))
