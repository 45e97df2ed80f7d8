"""`bramble self`: Bramble's own source becomes one file, or a directory, and files are compared with it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping

from bramble.commands.context.written import unwritable, write_file
from bramble.errors import BrambleError
from bramble.record import dataclass
from bramble.self.pack import OPENING, fault_of, pack, read_packed
from bramble.self.payload import source_digest
from bramble.self.tree import source_tree

_LARGEST = 64 << 20


@dataclass(frozen=True)
class OneFile:
    """A one file: its path, the version and the digest of the source in it, its SHA-256, and its bytes."""

    path: str
    version: str
    source: str  # 32 characters
    sha256: str  # hexadecimal
    size: int


def own_digest() -> str:
    """Return the digest of the source of the Bramble that runs. Raises BrambleError as `source_tree` does."""
    return source_digest(source_tree())


def pack_self(path: str) -> OneFile:
    """Write the one file, which everybody may run, and return what was written.

    Raises BrambleError `cli.unwritable`, and what `source_tree` raises.
    """
    # spec: self.pack
    data = pack(source_tree())
    write_file(path, data, mode=0o755)
    return _described(path, data)


def extract_self(directory: str) -> int:
    """Lay out the source of the Bramble that runs in a directory, new or empty; return the number of files.

    Raises BrambleError: `self.not-empty`, `cli.unwritable`, and what `source_tree` raises.
    """
    # spec: self.extract
    return lay_out(source_tree(), directory)


def lay_out(files: Mapping[str, bytes], directory: str) -> int:
    """Write files, path to bytes, into a directory, new or empty: all of them, or none; return their number.

    Raises BrambleError: `self.not-empty`, `cli.unwritable`.
    """
    # spec: self.extract
    try:
        os.makedirs(directory, exist_ok=True)
        if os.listdir(directory):
            raise BrambleError(
                "self.not-empty", f"{directory} is not empty", remedy="name a directory that does not exist"
            )
        _write_all(files, directory)
    except OSError as error:
        raise unwritable(error.filename or directory, error.strerror) from error
    return len(files)


def _write_all(files: Mapping[str, bytes], directory: str) -> None:
    made: list[str] = []
    try:
        for name, data in files.items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "xb") as file:
                made.append(path)
                file.write(data)
    except BaseException:
        # Half a source would be in the way of the next try. What another process made meanwhile is left.
        for path in reversed(made):
            with contextlib.suppress(OSError):
                os.unlink(path)
                while (path := os.path.dirname(path)) != directory:
                    os.rmdir(path)
        raise


def verify_file(path: str) -> OneFile:
    """Compare a file with the digest that it names, and with what its source makes; return what it is.

    Raises BrambleError: `self.damaged` where something differs, `self.no-file` where it cannot be read or is
    something else.
    """
    # spec: self.verify
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise _no_file(f"{path} cannot be read: {error.strerror}") from error
    if not data.startswith(OPENING):
        raise _no_file(f"{path} is not the one file of Bramble: it does not begin like one")
    fault = fault_of(data) if len(data) <= _LARGEST else "it is far too large"
    if fault:
        raise BrambleError("self.damaged", f"{path} is damaged: {fault}", remedy="fetch the file again")
    return _described(path, data)


def _no_file(message: str) -> BrambleError:
    return BrambleError(
        "self.no-file",
        message,
        remedy="name the file `bramble`: a checkout or an installed package is not this file; "
        "if it is a download, fetch it again",
    )


def _described(path: str, data: bytes) -> OneFile:
    said = read_packed(data)
    return OneFile(path, said.version, said.digest, hashlib.sha256(data).hexdigest(), len(data))
