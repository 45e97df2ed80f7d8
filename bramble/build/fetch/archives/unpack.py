"""Unpacking an archive from somewhere else into a directory, and nowhere but there."""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Iterable
from typing import IO, Optional

from bramble.build.fetch.archives.compressed import Decompressed
from bramble.build.fetch.archives.confined import (
    LINK_LIMIT,
    UNUSABLE,
    Clash,
    ConfinedTree,
    Outside,
    shown,
    split_name,
)
from bramble.build.fetch.archives.decoders import LZMA_DAMAGE, ZLIB_DAMAGE
from bramble.build.fetch.archives.tar import TarBroken, TarSpecial, TarStream, TarUnsupported
from bramble.build.fetch.archives.zip import ZipReader
from bramble.build.task import Cancelled
from bramble.errors import BrambleError
from bramble.record import dataclass, field

# spec: build.unpack.kinds
_KINDS = (
    (".tar", "tar"),
    (".tar.gz", "gz"),
    (".tgz", "gz"),
    (".tar.bz2", "bz2"),
    (".tar.xz", "xz"),
    (".zip", "zip"),
)
_PIECE = 1 << 18
_RATIO_FROM = 1 << 30  # below this size an archive may grow by any factor
_BROKEN: tuple[type[Exception], ...] = (
    TarBroken,
    EOFError,
    struct.error,
    *ZLIB_DAMAGE,
    *LZMA_DAMAGE,
)


@dataclass(frozen=True)
class UnpackLimits:
    """How much an archive may turn out to be."""

    size: int  # bytes of all files
    ratio: int  # bytes of all files by bytes of the archive, counted above 1 GiB
    members: int
    cancelled: threading.Event = field(default_factory=threading.Event)  # gives it all up, once it is set


def archive_kind(name: str) -> Optional[str]:
    """Return how the file `name` is to be unpacked, going by its ending; None if not at all."""
    folded = name.lower()
    return next((kind for ending, kind in _KINDS if folded.endswith(ending)), None)


def unpack(archive: str, kind: str, target: str, *, name: str, limits: UnpackLimits) -> None:
    """Unpack the file `archive` into the empty directory `target`; `name` is for messages.

    Files are as executable as their owner's bit says; other modes, owners and
    times are dropped. Raises BrambleError fetch.archive-outside,
    fetch.archive-broken, fetch.archive-special, fetch.archive-too-large,
    fetch.archive-unsupported, fetch.archive-empty, cli.missing-module; Cancelled;
    the content of `target` is then unusable.
    """
    # spec: build.unpack
    try:
        with open(archive, "rb") as file, contextlib.ExitStack() as stack:
            budget = Budget(limits, os.fstat(file.fileno()).st_size)
            # A directory costs the same whether there is a member for it or not.
            tree = stack.enter_context(ConfinedTree(target, budget.member, once=kind == "zip"))
            if kind == "zip":
                _unpack_zip(file, tree, budget)
            else:
                _unpack_tar(file, kind, tree, budget)
            if tree.is_empty():
                # spec: build.unpack.empty
                raise BrambleError(
                    "fetch.archive-empty",
                    f"the archive {name} has no members",
                    remedy="nothing was stored; check the URL, or ask its author for a complete archive",
                )
    except Outside as error:
        raise _refused("outside", name, f"has an entry outside of its directory: {error}") from error
    except TarSpecial as error:
        raise _refused("special", name, f"has an entry that an output cannot have: {error}") from error
    except TooLarge as error:
        raise _refused("too-large", name, str(error)) from error
    except (TarUnsupported, Clash) as error:
        raise _refused("unsupported", name, f"cannot be unpacked: {error}") from error
    except _BROKEN as error:
        raise _broken(name, error) from error
    except OSError as error:
        if error.errno is None:
            # gzip and bz2 have no exception class for damage, only an OSError without a number.
            raise _broken(name, error) from error
        if error.errno in UNUSABLE:
            raise _refused("unsupported", name, f"cannot be unpacked here: {error.strerror}") from error
        raise


def _refused(slug: str, name: str, fact: str) -> BrambleError:
    return BrambleError(
        f"fetch.archive-{slug}",
        f"the archive {name} {fact}",
        remedy="nothing of it was stored; ask its author for a correct archive, or fetch it under a name "
        "without an archive's ending and unpack it in a build",
    )


def _broken(name: str, error: Exception) -> BrambleError:
    return BrambleError(
        "fetch.archive-broken",
        f"the archive {name} is damaged or cut short: {error}",
        remedy="nothing of it was stored; try again; if the error repeats, the file at the source is damaged",
    )


class TooLarge(Exception):
    """What is unpacked is more than it may be. The message says how."""


class Budget:
    """What an archive may still unpack to."""

    def __init__(self, limits: UnpackLimits, archive_size: int) -> None:
        # spec: build.unpack.limits
        self._left = min(limits.size, max(_RATIO_FROM, archive_size * limits.ratio))
        self._members = limits.members
        self._cancelled = limits.cancelled

    def announced(self, members: int) -> None:
        """Raise TooLarge for so many members."""
        if members > self._members:
            raise TooLarge("holds too many files")

    def header(self, size: int) -> None:
        """Count a header that is not a member, and its content. Raises TooLarge, Cancelled."""
        self.member()
        self.take(size)

    def member(self) -> None:
        """Count one member. Raises TooLarge, Cancelled."""
        if self._cancelled.is_set():
            raise Cancelled
        self._members -= 1
        if self._members < 0:
            raise TooLarge("holds too many files")

    def take(self, size: int) -> None:
        """Count so many bytes. Raises TooLarge, Cancelled."""
        if self._cancelled.is_set():
            raise Cancelled
        self._left -= size
        if self._left < 0:
            raise TooLarge("unpacks to far too many bytes for its size")


def _unpack_tar(file: IO[bytes], kind: str, tree: ConfinedTree, budget: Budget) -> None:
    plain = file if kind == "tar" else Decompressed(file, kind)
    stream = TarStream(plain.read, budget.header)
    for member in stream.members():
        budget.member()
        path = split_name(member.name)
        if member.kind == "directory":
            tree.directory(path)
        elif member.kind == "symlink":
            tree.symlink(path, member.target)
        elif member.kind == "hardlink":
            # An object has a copy in the place of each hard link.
            budget.take(tree.hardlink(path, split_name(member.target)))
        else:
            fd = tree.file(path, executable=member.executable)
            fill(fd, stream.blocks(_PIECE), budget)
    # Checksums of compressed streams are at their end, which has to be read to check them.
    for rest in iter(lambda: plain.read(_PIECE), b""):
        budget.take(len(rest))
        if rest.count(0) != len(rest):
            raise TarBroken("something follows its end mark")


def _unpack_zip(file: IO[bytes], tree: ConfinedTree, budget: Budget) -> None:
    archive = ZipReader(file, os.fstat(file.fileno()).st_size)
    budget.announced(archive.count)
    for entry in archive.entries():
        budget.member()
        path = split_name(entry.name)
        if entry.kind == "directory":
            for _ in archive.content(entry):
                pass
            tree.directory(path)
        elif entry.kind == "symlink":
            if entry.size > LINK_LIMIT:
                raise TarUnsupported(f"the link {shown(entry.name)} is too long")
            tree.symlink(path, b"".join(archive.content(entry)))
        else:
            fd = tree.file(path, executable=entry.executable)
            fill(fd, archive.content(entry), budget)


def fill(fd: int, pieces: Iterable[bytes], budget: Budget) -> None:
    """Write the pieces to the descriptor and close it. Raises TooLarge, Cancelled."""
    with open(fd, "wb", buffering=0) as file:
        for piece in pieces:
            budget.take(len(piece))
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
