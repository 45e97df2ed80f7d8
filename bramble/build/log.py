"""What a build writes, kept in a file: byte for byte, and of very much the end."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Callable, Optional

from bramble.store.files.failures import DiskFailures
from bramble.store.layout.place import PREVIOUS_LOG

LOG_SHOWN = 1 << 20  # bytes of a log that travel with an event
_LEAST = 4096  # bytes; a smaller log has no space for the line that says what was left out
_BLOCK = 1 << 20


class BuildLog:
    """The log of one build, of which at most `limit` bytes are kept.

    The file is made with the first byte; one of an earlier build of the same is kept beside it, until
    the next one.
    """

    def __init__(self, path: str, on_data: Callable[[bytes], None], limit: int) -> None:
        # spec: build.log
        self._path = path
        self._on_data = on_data
        self._fd = -1
        self._limit = max(limit, _LEAST)
        self._size = 0  # bytes that were written
        self._kept = 0  # bytes in the file
        with DiskFailures("keep the log of an earlier build"):
            _set_aside(path)

    def __enter__(self) -> BuildLog:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def path(self) -> Optional[str]:
        """The file, None when nothing was written."""
        return self._path if self._size else None

    def write(self, data: bytes) -> None:
        """Keep the next bytes, and pass them on. Raises BrambleError if the disk takes no more."""
        # spec: build.log.size
        with DiskFailures("keep the log of a build"):
            if self._fd < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
                self._fd = os.open(self._path, flags, 0o644)
                os.fchmod(self._fd, 0o644)
            tail = data
            if self._kept + len(data) > self._limit:
                tail = data[-(self._limit // 2) :]
                self._shorten(len(data), len(tail))
            view = memoryview(tail)
            while view:
                written = os.write(self._fd, view)
                self._kept += written
                view = view[written:]
        self._size += len(data)
        self._on_data(data)

    def _shorten(self, coming: int, tail: int) -> None:
        """Discard old bytes: after the last `tail` of the `coming` bytes, half of the limit is kept."""
        old = self._limit // 2 - tail
        left_out = self._size + coming - old - tail
        note = f"… {left_out} bytes before these were left out\n".encode()
        start, at = self._kept - old, len(note)
        os.pwrite(self._fd, note, 0)
        while old:
            block = os.pread(self._fd, min(old, _BLOCK), start)
            os.pwrite(self._fd, block, at)
            start, at, old = start + len(block), at + len(block), old - len(block)
        os.ftruncate(self._fd, at)
        os.lseek(self._fd, 0, os.SEEK_END)
        self._kept = at

    def shown(self) -> bytes:
        """Return the log; of a long one the end, after a line that says so."""
        if self._fd < 0:
            return b""
        start = max(0, self._kept - LOG_SHOWN)
        data = os.pread(self._fd, LOG_SHOWN, start)
        if self._kept == self._size and not start:
            return data
        where = f"… what comes before this is left out; the log is {self._path}\n"
        return where.encode("utf-8", "surrogateescape") + data


def _set_aside(path: str) -> None:
    """Make the log of an earlier build the previous one; if it is empty, there is none."""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            os.replace(path, path + PREVIOUS_LOG)
        else:
            os.unlink(path)
    except FileNotFoundError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + PREVIOUS_LOG)
